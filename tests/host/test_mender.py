"""Mending: a flipped parameter is found in mid-run and mended from the flash, on the simulated board."""

import numpy as np
import pytest
from cases import random_input, random_network
from spikes import random_images, seeded, stored

from firmware.board import Board
from firmware.playback import content, listen
from golden.faults import Flip
from golden.flash import HEADER
from golden.image import build_image
from golden.rate import engine
from golden.rate import faults as rate_faults
from golden.regmap import ERRORS, INPUT, OUTPUT, VALID_BIT, WORD_MASK
from golden.spiking import faults as spiking_faults
from golden.spiking.engine import random_synapses
from sim.harness.upsets import FaultyBoard
from sim.rate import cells
from sim.spiking import cells as spiking_cells

NET = random_network("mend 1", largest=6)
PARAMS = engine.random_params(NET, np.random.default_rng(1))
IMAGE = build_image(NET, PARAMS)
TICKS = 30


@pytest.fixture(scope="module")
def line():
    return FaultyBoard(NET, flash=content(NET, IMAGE), scrubs=True, quick=True)


@pytest.fixture
def board(line):
    """The board after power-up, with what it has played."""
    line.plug(content(NET, IMAGE))
    assert list(listen(line))
    with_host = Board(line, NET)
    with_host.identify()
    return with_host


def flip(line, board, word, bit):
    found = Flip(0, "parameters", -1, word, bit)
    line.flip(*cells.place(NET, found, half=board.get("status") >> 2 & 1, ticks=0), bit)


def strongest():
    """A flip that many ticks show: the word, its bit."""
    bits = rate_faults.stored_bits(NET)
    x = random_input(NET, np.random.default_rng(9), TICKS)[None]
    want = engine.run(NET, PARAMS, x)
    best = max((int(word) for word in np.flatnonzero(bits)), key=lambda word: np.count_nonzero(
        rate_faults.run(NET, PARAMS, x, [Flip(1, "parameters", -1, word, int(bits[word]) - 1)]) != want))
    return best, int(bits[best]) - 1


def run_tick(board, words):
    """Output words of one tick."""
    board.write(INPUT, [int(word) for word in words], fixed=True)
    found = []
    while len(found) < NET.outputs:
        found += [word for word in board.read(OUTPUT, NET.outputs, fixed=True) if word >> VALID_BIT & 1]
    return [word & WORD_MASK for word in found]


def wait_for(line, board, name, value):
    for _ in range(400):
        if board.get(name) >= value:
            return
        line.read(1, 0.001)
    raise AssertionError(f"{name} is {board.get(name)}, not {value} or more")


def test_a_flip_in_mid_run_is_found_and_mended(line, board):
    word, bit = strongest()
    x = random_input(NET, np.random.default_rng(9), TICKS)
    ticks, got, events = cells.ticks_of(NET, x), [], []
    for tick in range(TICKS):
        if tick == 8:
            assert board.get("scrub_flips") == 0
            assert board.get("scrub_rounds") > 0
            flip(line, board, word, bit)
            events.append(Flip(tick, "parameters", -1, word, bit))
        if tick == 12:
            assert board.get("scrub_mends") == 0, "mended before a tick could show the flip"
            wait_for(line, board, "scrub_mends", 1)
            events.append(Flip(tick, "parameters", -1, word, bit))
        got.append(run_tick(board, ticks[tick]))
    want = rate_faults.run(NET, PARAMS, x[None], events)[0] & WORD_MASK
    assert np.array_equal(got, want)
    right = engine.run(NET, PARAMS, x[None])[0] & WORD_MASK
    assert np.array_equal(got[:8], right[:8])
    assert not np.array_equal(got[8:12], right[8:12])
    assert board.get("scrub_flips") == 1
    assert board.get("errors") == 0
    rounds = board.get("scrub_rounds")
    wait_for(line, board, "scrub_rounds", rounds + 2)
    assert board.get("scrub_flips") == 1
    assert board.get("scrub_mends") == 1
    # another run, from rest, is as if nothing had been
    assert np.array_equal(board.run(x[None]), engine.run(NET, PARAMS, x[None]))


def test_every_flip_is_mended(line, board):
    bits, rng = rate_faults.stored_bits(NET), np.random.default_rng(4)
    words = rng.choice(np.flatnonzero(bits), 6, replace=False)
    for n, word in enumerate(words):
        flip(line, board, int(word), int(rng.integers(bits[word])))
        wait_for(line, board, "scrub_mends", n + 1)
    x = random_input(NET, rng, 6)[None]
    assert np.array_equal(board.run(x), engine.run(NET, PARAMS, x))


def test_the_link_works_while_a_mend_is_under_way(line, board):
    flip(line, board, 0, 0)
    for n in range(200):
        board.write(15, [n])        # scratch
        assert board.get("scratch") == n
    assert board.get("scrub_mends") == 1
    assert board.get("errors") == 0


def test_what_the_host_has_loaded_is_not_replaced(line, board):
    other = engine.random_params(NET, np.random.default_rng(2))
    board.load(build_image(NET, other))
    board.set("scrub_flips", 0)
    wait_for(line, board, "scrub_flips", 0)
    flip(line, board, 3, 1)
    wait_for(line, board, "scrub_flips", 2)
    assert board.get("scrub_mends") == 0
    flip(line, board, 3, 1)
    x = random_input(NET, np.random.default_rng(3), 6)[None]
    assert np.array_equal(board.run(x), engine.run(NET, other, x))


def test_a_load_that_begins_in_a_mend_ends_that(line, board):
    """The host's image comes whole, whenever it begins."""
    other = build_image(NET, engine.random_params(NET, np.random.default_rng(2)))
    for pause in (0, 3, 10, 30):
        line.plug(content(NET, IMAGE))
        list(listen(line))
        again = Board(line, NET)
        again.identify()
        flip(line, again, 0, 0)
        wait_for(line, again, "scrub_flips", 1)
        for _ in range(pause):
            again.get("scratch")
        again.load(other)
        assert again.get("errors") == 0
        again.set("scrub_flips", 0)
        rounds = again.get("scrub_rounds")
        wait_for(line, again, "scrub_rounds", rounds + 2)
        assert again.get("scrub_flips") == 0


@pytest.mark.parametrize("at", ["word", "end"])
def test_a_damaged_flash_mends_nothing(line, board, at):
    # behind the header stand a hello and two writes to registers, of 16 bytes each, then a frame of parameters
    held = bytearray(content(NET, IMAGE))
    if at == "word":
        held[HEADER + 3 * 16 + 8] ^= 1
    else:
        held[HEADER + 3 * 16:] = bytes(len(held) - HEADER - 3 * 16)
    line._library.board_fill(line._board, bytes(held), len(held))
    flip(line, board, 3, 1)
    wait_for(line, board, "scrub_flips", 2)
    assert board.get("scrub_mends") == 0
    assert at == "end" or board.get("errors") & (1 << ERRORS["load_crc"] | 1 << ERRORS["load_count"])
    flip(line, board, 3, 1)
    x = random_input(NET, np.random.default_rng(3), 6)[None]
    assert np.array_equal(board.run(x), engine.run(NET, PARAMS, x))


def test_without_a_flash_a_flip_is_reported():
    line = FaultyBoard(NET, scrubs=True, quick=True)
    board = Board(line, NET)
    board.load(IMAGE)
    flip(line, board, 3, 1)
    wait_for(line, board, "scrub_flips", 3)
    assert board.get("scrub_mends") == 0


@pytest.mark.parametrize("make", [stored, pytest.param(seeded, marks=pytest.mark.slow)])
def test_synapses_are_mended(make):
    net, rng = make(), np.random.default_rng(2)
    params = random_synapses(net, rng)
    held = content(net, build_image(net, params))
    line = FaultyBoard(net, flash=held, scrubs=True, quick=True)
    line.plug(held)
    assert list(listen(line))
    board = Board(line, net)
    board.identify()
    x, bits = random_images(net, rng, 9), spiking_faults.stored_bits(net)
    for n, word in enumerate(rng.choice(np.flatnonzero(bits), 4, replace=False)):
        where = spiking_cells.place(net, Flip(0, "parameters", -1, int(word), 0))
        line.flip(*where, int(rng.integers(bits[word])))
        wait_for(line, board, "scrub_mends", n + 1)
        assert np.array_equal(board.run(x), net.run(params, x))
    assert (board.get("scrub_flips"), board.get("scrub_mends"), board.get("errors")) == (4, 4, 0)
