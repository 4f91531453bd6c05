"""Mender alone: what it writes of the frames in the flash, what ends it early, what it leaves then."""

import random

import numpy as np
import pytest
from cases import random_network

from firmware.playback import content, numbered
from firmware.protocol import READ, WRITE, Request
from golden import flash
from golden.frames import FRAME_BYTES, REQUEST_SYNC
from golden.image import build_image
from golden.rate import engine
from golden.regmap import REGISTERS
from rtl.host.mender import Mender
from sim.pysim import run

NET = random_network("mender alone", largest=2)
IMAGE = build_image(NET, engine.random_params(NET, np.random.default_rng(1)))
PAIRS = [(int(address), int(word)) for address, word in IMAGE.pairs]
BEGIN, COMMIT = (REGISTERS["load_begin"].offset, 1), (REGISTERS["load_commit"].offset, IMAGE.crc)
#: the image as a host may send it, too: frames of other lengths, chained, with reads and other writes between them
MIXED = flash.content(NET.fingerprint, numbered([
    Request(op=READ, addr=0, count=2), Request(op=WRITE, addr=15, count=3, data=(1, 2, 3), fixed=True),
    *(Request(op=WRITE, addr=address, count=1, data=(word,), chained=n > 0) for n, (address, word) in enumerate(PAIRS)),
    Request(op=READ, addr=0, count=64)]))
LIMIT = 20_000


class Bench:
    """A flash and a bus, both of which may take their time; `writes` that were acknowledged, bytes `given`."""

    def __init__(self, held: bytes, stall: float = 0.0, seed: int = 0):
        self.held, self.stall, self.random = held, stall, random.Random(seed)
        self.writes, self.given, self.restarts = [], 0, 0

    async def cycle(self, ctx, dut) -> bool:
        """One cycle; whether a mend is under way in it."""
        free = self.random.random() >= self.stall
        ctx.set(dut.i.valid, free and self.given < len(self.held))
        ctx.set(dut.i.payload, self.held[self.given] if self.given < len(self.held) else 0xFF)
        ctx.set(dut.bus.ack, 0)
        if ctx.get(dut.bus.write) and self.random.random() >= self.stall:
            ctx.set(dut.bus.ack, 1)
            self.writes.append((ctx.get(dut.bus.addr), ctx.get(dut.bus.w_data)))
        if ctx.get(dut.restart):
            self.restarts += 1
            self.given = 0
        elif ctx.get(dut.i.valid) and ctx.get(dut.i.ready):
            self.given += 1
        assert not ctx.get(dut.bus.read)
        under_way = ctx.get(dut.active)
        await ctx.tick()
        return bool(under_way)

    async def mend(self, ctx, dut, until=lambda cycle: False) -> int:
        """Start one and wait for its end, or until `until`; cycles in which it was under way."""
        ctx.set(dut.allowed, 1)
        ctx.set(dut.crc, IMAGE.crc)
        ctx.set(dut.start, 1)
        await self.cycle(ctx, dut)
        ctx.set(dut.start, 0)
        for cycle in range(LIMIT):
            if until(cycle) or not await self.cycle(ctx, dut):
                return cycle
        raise AssertionError(f"a mend takes over {LIMIT} cycles")


def simulate(bench):
    dut = Mender(len(PAIRS))

    async def body(ctx):
        await bench(ctx, dut)

    run(dut, body, cycles=60 * LIMIT)


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("held", [content(NET, IMAGE), MIXED], ids=["player", "mixed"])
def test_parameters_are_written_and_committed(held, stall):
    async def bench(ctx, dut):
        source = Bench(held, stall)
        for _ in range(20):
            assert not await source.cycle(ctx, dut)
        for again in (1, 2):
            await source.mend(ctx, dut)
            assert source.writes == [BEGIN, *PAIRS, COMMIT] * again
            assert source.restarts == again
            # nothing behind the last parameter is read
            assert held[:source.given].endswith(PAIRS[-1][1].to_bytes(4, "little"))
            assert source.given < len(held) - FRAME_BYTES
    simulate(bench)


def test_it_does_not_start_without_leave():
    async def bench(ctx, dut):
        source = Bench(MIXED)
        ctx.set(dut.start, 1)
        for _ in range(50):
            assert not await source.cycle(ctx, dut)
        assert (source.restarts, source.writes, source.given) == (0, [], 0)
    simulate(bench)


def test_it_ends_where_leave_is_taken():
    """At any cycle: nothing is written from there on, and the next mend is whole."""
    async def bench(ctx, dut):
        cycles = await Bench(MIXED).mend(ctx, dut)
        for end in sorted({*range(40), *range(40, cycles, 17), *range(cycles - 20, cycles)}):
            source = Bench(MIXED)
            await source.mend(ctx, dut, until=lambda cycle, end=end: cycle == end)
            ctx.set(dut.allowed, 0)
            before = list(source.writes)
            for n in range(5):
                under_way = await source.cycle(ctx, dut)
                assert not under_way or n == 0, f"after {end} cycles it goes on"
            assert source.writes == before, f"after {end} cycles it writes {source.writes[len(before):]}"
            assert before == [BEGIN, *PAIRS, COMMIT][:len(before)]
        source = Bench(MIXED)
        await source.mend(ctx, dut)
        assert source.writes == [BEGIN, *PAIRS, COMMIT]
    simulate(bench)


def test_what_is_no_frame_ends_it_without_a_commit():
    held = content(NET, IMAGE)
    starts, at = [], flash.HEADER
    while held[at] == REQUEST_SYNC:
        starts.append(at)
        at += FRAME_BYTES + (0 if held[at + 1] & 0x3F == READ else 4 * held[at + 3])

    async def bench(ctx, dut):
        for start in starts[:-1]:
            damaged = Bench(held[:start] + bytes([flash.END]) + held[start + 1:])
            await damaged.mend(ctx, dut)
            written = damaged.writes
            assert COMMIT not in written
            assert written == [BEGIN, *PAIRS][:len(written)]
            assert damaged.given == start + 1
    simulate(bench)
