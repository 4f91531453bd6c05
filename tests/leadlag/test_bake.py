"""Parameters put into a built bitstream: the same bits as a build that had them from the beginning."""

import numpy as np
import pytest
import spikes
from cases import random_network
from test_cli import leadlag, refused

from boards import base
from boards.bake import bake, room
from boards.build import build
from boards.room import resources_needed
from firmware.playback import content
from golden import flash
from golden.image import build_image
from golden.rate import engine
from golden.spiking.engine import random_synapses
from leadlag import flow


def test_names():
    board = flow.board("ulx3s-12f+rom")
    assert (board.name, board.holds, board.boots) == ("ulx3s-12f+rom", True, False)
    assert board == flow.board("ulx3s-12f").holding
    for name in ("ulx3s-12f+rom+scrub", "ulx3s-12f+flash+rom", "+rom"):
        with pytest.raises(ValueError, match="no board"):
            flow.board(name)
    with pytest.raises(ValueError, match="^tang-nano-9k: no tool puts new contents into a routed design of gowin$"):
        flow.board("tang-nano-9k+rom")


def test_the_memory_counts():
    """Lanes are dealt out beside it; where it leaves no room, the board is refused."""
    net = flow.prepare("delays-digits", "ulx3s-12f+rom").net
    plain, holding = (resources_needed(net, flow.board(f"ulx3s-12f{form}")) for form in ("", "+rom"))
    assert holding.bram - plain.bram == -(-room(net) // 2048)
    with pytest.raises(ValueError, match="no number of lanes with which they fit 22 block RAMs"):
        flow.prepare("delays-digits", "ice40-hx8k+rom")


def test_more_frames_than_room(tmp_path):
    net = random_network("playback 0", largest=3)
    with pytest.raises(ValueError, match=f"{room(net) + 1:,} bytes of frames, a design of .* has room for"):
        bake(net, flow.board("ulx3s-12f+rom"), tmp_path, bytes(room(net) + 1), tmp_path / "baked.bit")


def test_without_a_build(tmp_path):
    assert "build/delays-digits/ulx3s-12f+rom has no bitstream: leadlag build delays-digits --board" in refused(
        "bake", "delays-digits", "--board", "ulx3s-12f", cwd=tmp_path)
    assert "no tool puts new contents into" in refused("bake", "delays-digits", "--board", "tang-nano-9k", cwd=tmp_path)


def rate(board):
    net = board.fold(random_network("playback 0", largest=3))
    return net, engine.random_params(net, np.random.default_rng(1))


def spiking(board):
    net = board.fold(spikes.stored())
    return net, random_synapses(net, np.random.default_rng(1))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "make"), [("ulx3s-12f+rom", rate), ("ice40-hx8k+rom", spiking)])
def test_the_same_bits_as_a_build(name, make, tmp_path, monkeypatch):
    board = flow.board(name)
    net, params = make(board)
    held = content(net, build_image(net, params))
    plain = build(net, board, out_dir=tmp_path / "noise", clock_mhz=24).path
    bake(net, board, plain, held, tmp_path / "baked.bit")
    monkeypatch.setattr(base, "noise", lambda net: held.ljust(room(net), bytes([flash.ERASED])))
    whole = build(net, board, out_dir=tmp_path / "whole", clock_mhz=24).path
    baked = (tmp_path / "baked.bit").read_bytes()
    assert baked == (whole / "design.bit").read_bytes()
    assert baked != (plain / "design.bit").read_bytes()


@pytest.mark.slow
def test_by_command(tmp_path):
    """The frames of one network are in its bitstream, and parameters of another training go in as fast."""
    assert leadlag("build", "delays-digits", "--board", "ulx3s-12f+rom", "--clock", "50", cwd=tmp_path).returncode == 0
    done = leadlag("bake", "delays-digits", "--board", "ulx3s-12f", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "delays-digits: build/delays-digits/ulx3s-12f+rom/baked.bit, " in done.stdout
