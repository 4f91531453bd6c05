"""Boards that keep what they learn: names, where their slots lie, and the files of their build."""

import re

import pytest
from amaranth.hdl import UnusedElaboratable
from cases import random_network
from device import learner

from boards import BOARDS, build
from boards.base import LUT_KEEPER
from boards.room import resources_needed
from golden.keeper import SECTOR, Slots, processor, slot_bytes
from leadlag import flow

NET = learner()


def test_names():
    board = BOARDS["ulx3s-85f"]
    assert flow.board("ulx3s-85f+learn") == board.keeping
    assert (board.keeping.name, board.keeping.boots, board.keeping.keeps) == ("ulx3s-85f+learn", True, True)
    assert board.booting.verilog == board.verilog == ""
    assert (board.clock_mhz, board.booting.clock_mhz, board.keeping.clock_mhz) == (140, 140, 80)
    for name in ("ulx3s+learn", "ulx3s-85f+learn+flash", "ulx3s-85f+flash+learn", "+learn"):
        with pytest.raises(ValueError, match=re.escape(f"no board {name!r}")):
            flow.board(name)


def test_slots_are_at_the_end_of_the_flash():
    for board in BOARDS.values():
        if board.flash is None:
            continue
        slots = board.keeping.slots(NET)
        assert slots == Slots(board.flash.size - 2 * SECTOR, SECTOR)
        assert slots.size == slot_bytes(NET)
        assert board.booting.slots(NET) is None
        assert slots.address > board.flash.address
        assert board.flash.read(100, slots).slots == slots


def test_files_of_a_build():
    """The processor's Verilog lies beside the circuit that makes one of it, and only there."""
    board = BOARDS["ulx3s-85f"]
    files = build._elaborate(NET, board.keeping, 80)
    assert files[build.OTHERS] == processor()
    assert "cell \\serv_synth_wrapper" in files["design.il"]
    assert "module serv_synth_wrapper" in files[build.OTHERS]
    files = build._elaborate(NET, board.booting, 80)
    assert build.OTHERS not in files
    assert "serv" not in files["design.il"]


def test_what_it_takes():
    board = BOARDS["ulx3s-85f"]
    plain, keeping = resources_needed(NET, board.booting), resources_needed(NET, board.keeping)
    assert keeping.lut4 - plain.lut4 == LUT_KEEPER
    # its memory, 4 KiB, and its registers
    assert 2 <= keeping.bram - plain.bram <= 3


@pytest.mark.filterwarnings("ignore", category=UnusedElaboratable)
def test_what_does_not_learn_is_refused():
    with pytest.raises(ValueError, match="has no teacher and no plastic layer: there is nothing to keep"):
        resources_needed(random_network("keeper", largest=3), BOARDS["ulx3s-85f"].keeping)
