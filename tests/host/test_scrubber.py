"""Scrubber alone: order, checksum and length of a round, what a round is worth in which the image changed."""

import zlib

import numpy as np
import pytest

from golden.description import Bank
from golden.regmap import WORD_MASK, parameter_address
from rtl.host.scrub import Scrubber, runs
from sim.pysim import run

BANKS = (Bank(0, range(3)), Bank(1, range(3)), Bank(2, (0,)), Bank(3, ()), Bank(5, range(2)), Bank(6, range(2)))
WORDS = [(bank.number, word) for bank in BANKS for word in bank.words]
RNG = np.random.default_rng(1)
DATA = dict(zip(WORDS, RNG.integers(-1 << 17, 1 << 17, len(WORDS)).tolist(), strict=True))


def checksum(data) -> int:
    """As that of an image."""
    pairs = [(parameter_address(*where), word & WORD_MASK) for where, word in data.items()]
    return zlib.crc32(np.array(pairs, "<u4").tobytes())


class Core:
    """Answers what is asked `wait` cycles later, from `data`; notes where."""

    def __init__(self, data, wait):
        self.data, self.wait, self.asked = dict(data), wait, []

    async def cycle(self, ctx, dut):
        """One cycle; whether a round ended in it, and found another checksum."""
        ctx.set(dut.valid, 0)
        if ctx.get(dut.read):
            self.left = getattr(self, "left", self.wait) - 1
            if self.left < 0:
                where = ctx.get(dut.read_bank), ctx.get(dut.read_addr)
                self.asked.append(where)
                ctx.set(dut.data, self.data[where])
                ctx.set(dut.valid, 1)
                del self.left
        ended = ctx.get(dut.done), ctx.get(dut.differs)
        await ctx.tick()
        return ended


async def a_round(ctx, dut, core, limit=2000):
    """Cycles until the next round has ended, and whether its checksum was another."""
    for cycle in range(limit):
        done, differs = await core.cycle(ctx, dut)
        if done:
            return cycle + 1, differs
    raise AssertionError(f"no round ended in {limit} cycles")


@pytest.mark.parametrize("wait", [0, 1, 7])
def test_rounds(wait):
    dut, core = Scrubber(BANKS), Core(DATA, wait)

    async def bench(ctx):
        ctx.set(dut.crc, checksum(DATA))
        for _ in range(20):
            assert await core.cycle(ctx, dut) == (0, 0), "nothing is in force"
        assert core.asked == []
        ctx.set(dut.active, 1)
        assert (await a_round(ctx, dut, core))[1] == 0
        assert core.asked == WORDS, "not the order of the image"
        cycles, differs = await a_round(ctx, dut, core)
        assert (cycles, differs) == (dut.ROUND + (dut.WORD + wait) * len(WORDS), 0)
        for where in WORDS[::4] + WORDS[-1:]:
            core.data[where] ^= 1 << 17 if core.data[where] >= 0 else 1
            assert (await a_round(ctx, dut, core))[1] == 1, f"{where} was not found"
            core.data[where] = DATA[where]
            assert (await a_round(ctx, dut, core))[1] == 0
    run(dut, bench, cycles=5000)


@pytest.mark.parametrize("at", range(0, 120, 7))
def test_a_round_in_which_the_image_changed_begins_anew(at):
    """The words of two images are never held against the checksum of one."""
    dut, core, other = Scrubber(BANKS), Core(DATA, 2), {where: ~word for where, word in DATA.items()}

    async def bench(ctx):
        ctx.set(dut.crc, checksum(DATA))
        ctx.set(dut.active, 1)
        for _ in range(at):
            await core.cycle(ctx, dut)
        ctx.set(dut.active, 0)
        await core.cycle(ctx, dut)
        core.data = dict(other)
        ctx.set(dut.crc, checksum(other))
        ctx.set(dut.active, 1)
        for _ in range(3):
            assert (await a_round(ctx, dut, core))[1] == 0
    run(dut, bench, cycles=3000)


def test_runs_of_banks():
    assert runs([Bank(0, range(4)), Bank(1, range(4)), Bank(2, range(3)), Bank(3, ()), Bank(5, range(3))]) == [
        (0, 1, 4), (2, 2, 3), (5, 5, 3)]
    assert runs([Bank(0, (0, 1)), Bank(1, range(2))]) == [(0, 1, 2)]
    with pytest.raises(ValueError, match="bank 7 has gaps between its words"):
        runs([Bank(7, (0, 2))])
