"""BusMaster on its own: its speed, and both ports of a memory that others take away in single cycles."""

import random

import pytest
from amaranth.hdl import Module

from firmware.protocol import READ, WRITE
from rtl.host.master import BusMaster
from rtl.primitives import Bank
from sim.pysim import run

ACK = 24


def test_cycles_per_word():
    """On a bus that acknowledges in the cycle of the request, measured from request to request."""
    master, times = BusMaster(ACK), []
    m = Module()
    m.submodules.master = master
    m.d.comb += master.bus.ack.eq(master.bus.read)

    async def drive(ctx):
        for name, value in (("op", READ), ("count", 5), ("start", 1)):
            ctx.set(getattr(master, name), value)
        cycle, done = 0, False
        while not done:
            *_, done, requested = await ctx.tick().sample(master.done, master.bus.read)
            ctx.set(master.start, 0)
            times.extend([cycle] * requested)
            cycle += 1

    run(m, drive, cycles=100)
    assert [b - a for a, b in zip(times, times[1:], strict=False)] == [BusMaster.CYCLES_PER_WORD] * 4


@pytest.mark.parametrize("op", [READ, WRITE])
def test_taken_ports(op):
    """Words reach the bus, and from there the memory, whoever else has the port in any single cycle."""
    rng, words, count = random.Random(f"taken {op}"), [n * 0x01010101 + 5 for n in range(64)], 60
    master, written, kept = BusMaster(ACK), {}, {}
    m = Module()
    m.submodules.master = master
    m.d.comb += [master.bus.ack.eq(master.bus.read | master.bus.write), master.bus.r_data.eq(master.bus.addr ^ 0xA5A5)]

    async def drive(ctx):
        for name, value in (("op", op), ("count", count), ("addr", 7), ("start", 1)):
            ctx.set(getattr(master, name), value)
        on_its_way, taken, rest, ended, left = [0] * (Bank.LATENCY - 1), 0, 0, 0, 3
        while left:       # the last word is kept a cycle or two after `done`
            taken = int(not taken and rng.random() < 0.5)
            rest = int(not rest and rng.random() < 0.5)
            ctx.set(master.read_taken, taken)
            ctx.set(master.write_taken, rest)
            *_, index, done, requested, addr, data, write_en, at, word = await ctx.tick().sample(
                master.read_index, master.done, master.bus.write, master.bus.addr, master.bus.w_data,
                master.write_en, master.write_index, master.write_data)
            ctx.set(master.start, 0)
            ended |= done
            left -= ended
            on_its_way.append(rng.getrandbits(32) if taken else words[index])
            ctx.set(master.read_data, on_its_way.pop(0))
            if requested:
                written[addr] = data
            if write_en and not rest:
                kept[at] = word

    run(m, drive, cycles=100 * count)
    assert written == ({7 + n: words[n] for n in range(count)} if op == WRITE else {})
    assert kept == ({n: (7 + n) ^ 0xA5A5 for n in range(count)} if op == READ else {})
