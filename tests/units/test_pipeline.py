"""Shift registers and the parameter bus: cycles, resets, and every member of the bus on its way."""

import random

import pytest
from amaranth.hdl import Module, ResetInserter, Signal, signed

from rtl.pipeline import ADDR_BITS, BANK_BITS, WORD_BITS, ParameterBus, Relay, hop, join, later, merge_writes
from sim.pysim import run


@pytest.mark.parametrize("cycles", [0, 1, 3])
def test_later(cycles):
    m, value = Module(), Signal(signed(5))
    out = later(m, value, cycles, name="x")
    m.d.sync += Signal().eq(0)
    words = [-16, 15, 0, -1, 7, 7, -3, 2]

    async def bench(ctx):
        for n, word in enumerate(words):
            ctx.set(value, word)
            await ctx.delay(1e-10)
            got = ctx.get(out.as_signed())
            assert got == (words[n - cycles] if n >= cycles else 0), f"cycle {n}"
            await ctx.tick()
    run(m, bench, cycles=50)
    assert out.shape() == value.shape()


def test_reset_clears_flags_only():
    m, reset, value = Module(), Signal(), Signal(4)
    kept, cleared = later(m, value, 2, name="kept"), later(m, value, 2, name="cleared", reset_less=False)

    async def bench(ctx):
        ctx.set(value, 9)
        await ctx.tick().repeat(3)
        assert (ctx.get(kept), ctx.get(cleared)) == (9, 9)
        ctx.set(reset, 1)
        await ctx.tick()
        assert (ctx.get(kept), ctx.get(cleared)) == (9, 0)
    run(ResetInserter(reset)(m), bench, cycles=50)


def test_bus():
    """A hop is one register for every member, a join none."""
    assert (BANK_BITS, ADDR_BITS, WORD_BITS) == (12, 14, 18)
    m, first, last = Module(), ParameterBus().create(), ParameterBus().flip().create()
    join(m, last, hop(m, first, name="bus"))
    values = {"en": 1, "bank": 0xABC, "half": 1, "addr": 0x3FFD, "data": 0x2AAAB}
    assert {name: len(getattr(first, name)) for name in values} == {
        "en": 1, "bank": 12, "half": 1, "addr": 14, "data": 18}

    async def bench(ctx):
        for name, value in values.items():
            ctx.set(getattr(first, name), value)
            await ctx.delay(1e-10)
            assert not ctx.get(getattr(last, name)), name
        await ctx.tick()
        assert {name: ctx.get(getattr(last, name)) for name in values} == values
    run(m, bench, cycles=50)


def test_learnt_words_come_first_and_loaded_ones_wait():
    """Both at once, learnt ones while a loaded one waits, and each alone: every word comes out once, a cycle later."""
    m = Module()
    loaded, learnt, port = ((Signal(name=f"{name}_en"), Signal(4, name=f"{name}_addr"), Signal(6, name=f"{name}_data"))
                            for name in ("loaded", "learnt", "port"))
    merge_writes(m, "x", loaded, learnt, port)
    # (loaded, learnt) of each cycle -> what is on the port in the next; a loaded word is kept for a cycle at least
    sent = [((1, 9), None), (None, None), (None, None), ((2, 8), (3, 7)), (None, (4, 6)), (None, None), (None, None),
            (None, (5, 5)), ((6, 4), None), (None, (7, 3)), (None, (8, 2)), (None, None), (None, None)]
    want = [None, (1, 9), None, (3, 7), (4, 6), (2, 8), None, (5, 5), None, (7, 3), (8, 2), (6, 4), None]
    got = []

    async def bench(ctx):
        for pair in sent:
            for source, word in zip((loaded, learnt), pair, strict=True):
                for signal, value in zip(source, (word is not None, *(word or (15, 63))), strict=True):
                    ctx.set(signal, value)
            await ctx.tick()
            found = tuple(ctx.get(signal) for signal in port)
            got.append(found[1:] if found[0] else None)
    run(m, bench, cycles=50)
    assert got == want


@pytest.mark.parametrize(("offers", "takes"), [(1, 1), (0.5, 1), (1, 0.5), (0.6, 0.4)])
def test_relay(offers, takes):
    """Every word once and in order, whoever waits; a word a cycle where nobody does."""
    dut, rng, got, cycles = Relay(6), random.Random(3), [], 200

    async def bench(ctx):
        sent = 0
        for _ in range(cycles):
            ctx.set(dut.i.valid, rng.random() < offers)
            ctx.set(dut.i.payload, sent % 64)
            ctx.set(dut.o.ready, rng.random() < takes)
            sent += ctx.get(dut.i.valid) & ctx.get(dut.i.ready)
            if ctx.get(dut.o.valid) & ctx.get(dut.o.ready):
                got.append(ctx.get(dut.o.payload))
            await ctx.tick()
        assert len(got) in range(sent - 2, sent + 1)
    run(dut, bench, cycles=cycles + 10)
    assert got == [n % 64 for n in range(len(got))]
    if offers == takes == 1:
        assert len(got) == cycles - Relay.LATENCY
