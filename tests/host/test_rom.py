"""Frames that lie in the bitstream: their memory, and a board that plays them as it would those of a flash."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from cases import random_input, random_network

from firmware.board import Board
from firmware.playback import content, heard, listen
from golden import flash
from golden.frames import FRAME_BYTES
from golden.image import build_image
from golden.rate import engine
from leadlag import flow
from rtl.host.rom import BLOCK, WORD, FrameRom, rom_words
from rtl.host.top import Rom, SerialTop
from sim.harness.board import SimulatedBoard


@pytest.mark.parametrize("size", [1, 2, 3, 511, 512, 513])
def test_bytes_come_in_order(size):
    data = bytes(np.random.default_rng(size).integers(0, 256, size, np.uint8))
    dut, got = FrameRom(data), []
    assert len(dut.words) == -(-size // (WORD * BLOCK)) * BLOCK

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        for _ in range(5):
            *_, valid = await ctx.tick().sample(dut.o.valid)
            assert not valid
        ctx.set(dut.start, 1)
        while len(got) < WORD * len(dut.words):
            ctx.set(dut.o.ready, len(got) % 3 != 1 or not ctx.get(dut.o.ready))
            *_, valid, ready, byte = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
            ctx.set(dut.start, 0)
            if valid and ready:
                got.append(byte)
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert bytes(got) == data.ljust(len(got), b"\xff")


def test_words():
    assert rom_words(b"\x01\x02\x03")[:3] == [0x0201, 0xFF03, 0xFFFF]
    with pytest.raises(ValueError, match="frames take a byte at least"):
        FrameRom(b"")


def test_a_board_that_plays_its_bitstream():
    net, rng = random_network("playback 0", largest=3), np.random.default_rng(1)
    params = engine.random_params(net, rng)
    x = random_input(net, rng, 5)[None]
    held = content(net, build_image(net, params), net.units(x))
    with SimulatedBoard(net, rom=held, quick=True) as line:
        assert np.array_equal(net.outputs_of(heard(listen(line)), x), net.run(params, x))
        board = Board(line, net)
        assert board.get("boot") == flash.Boot.DONE
        assert np.array_equal(board.run(x), net.run(params, x))


def test_noise_is_not_played():
    net = random_network("playback 0", largest=3)
    with SimulatedBoard(net, rom=flash.noise(net), quick=True) as line:
        assert not len(heard(listen(line, silence=0.005)))
        assert Board(line, net).get("boot") == flash.Boot.NOTHING


@pytest.mark.parametrize("name", flow.zoo())
def test_frames_have_room(name):
    """image_bytes is as much as content takes, or a little more."""
    case = flow.prepare(name)
    size = len(content(case.net, case.image))
    assert size <= flash.image_bytes(case.net) <= size + FRAME_BYTES * len(case.net.layout())


def test_nothing_is_mended_from_there():
    with pytest.raises(ValueError, match="^frames in the bitstream are played once: nothing is mended from there$"):
        SerialTop(random_network("playback 0", largest=3), divisor=4, flash=Rom(b"\xff"), scrubs=True)
