"""The queue of answers by itself: words in order, whoever is slow; as many as it is deep; none after a reset."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal, signed
from amaranth.lib import data
from core import strict_bank

from rtl.cascade.answers import AnswerQueue
from sim.pysim import receive, run, send

WORD = data.StructLayout({"y": signed(12)})


def as_words(values):
    return [{"y": value} for value in values]


@pytest.mark.parametrize("depth", [3, 4, 5, 12, 33])
@pytest.mark.parametrize(("into", "out"), [("none", "none"), ("random", "none"), ("none", "random"),
                                           ("bursts", "bursts")])
def test_words_come_out_in_order(depth, into, out, monkeypatch):
    """No word of the block RAM is read while it is written."""
    monkeypatch.setattr("rtl.primitives.Bank.elaborate", strict_bank)
    rng, got = random.Random(depth), []
    words = [rng.randrange(-1 << 11, 1 << 11) for _ in range(8 * depth)]
    dut = AnswerQueue(WORD, depth=depth, vendor="generic")

    async def source(ctx):
        await send(ctx, dut.i, as_words(words), pattern=into)

    async def sink(ctx):
        got.extend(await receive(ctx, dut.o, len(words), pattern=out))
        await ctx.tick().repeat(8)
        assert not ctx.get(dut.o.valid)
    run(dut, source, sink, cycles=100 * len(words))
    assert [one.y for one in got] == words


@pytest.mark.parametrize("depth", [3, 4, 12])
def test_a_full_queue(depth):
    """It takes what it is deep for while nobody reads, and goes on when somebody does."""
    dut, taken = AnswerQueue(WORD, depth=depth, vendor="generic"), []

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        for cycle in range(4 * depth + 20):
            ctx.set(dut.i.payload, {"y": len(taken)})
            *_, ready = await ctx.tick().sample(dut.i.ready)
            if ready:
                taken.append(cycle)
        assert len(taken) == depth
        assert ctx.get(dut.o.valid)
        ctx.set(dut.i.valid, 0)
        assert [one.y for one in await receive(ctx, dut.o, len(taken))] == list(range(len(taken)))
        await send(ctx, dut.i, as_words([-5, 6]))
        assert [one.y for one in await receive(ctx, dut.o, 2)] == [-5, 6]
    run(dut, bench, cycles=500)


def test_reset():
    """What waits in the block RAM and behind it is forgotten."""
    dut, button = AnswerQueue(WORD, depth=9, vendor="generic"), Signal()

    async def bench(ctx):
        for wait in (1, 2, 3, 12):
            await send(ctx, dut.i, as_words(range(7)))
            await ctx.tick().repeat(wait)
            ctx.set(button, 1)
            await ctx.tick()
            ctx.set(button, 0)
            await ctx.tick().repeat(6)
            assert not ctx.get(dut.o.valid)
        await send(ctx, dut.i, as_words([70, 71]))
        assert [one.y for one in await receive(ctx, dut.o, 2)] == [70, 71]
    run(ResetInserter(button)(dut), bench, cycles=500)
