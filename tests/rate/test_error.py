"""ErrorUnit: words of every tick against golden.rate.learn, slopes, streams, time constants, its overflow."""

import random

import numpy as np
import pytest
from amaranth.hdl import Module
from cases import corners

from golden.fixed import QFormat, round_shift
from golden.rate.layer import Dense
from golden.rate.learn import error_step
from golden.rate.plastic import Plastic
from golden.units.dense import DenseParams
from golden.units.leadlag import at_rest
from rtl.fixed import shape
from rtl.primitives import Bank
from rtl.rate.error import ErrorUnit
from sim.pysim import run

FILTER = {"lead": QFormat(4, 8), "lag": QFormat(0, 12)}
TAU = {"tau": QFormat(8, 7), "tau_r": QFormat(4, 8), "tau_min": 4}


def layer(outputs, activation="tanh", **changed):
    own = {"error": QFormat(1, 11), "slope": QFormat(1, 10), "rate": 3} | changed
    return Dense(inputs=8, outputs=outputs, activation=activation, operand=QFormat(0, 11), weight=QFormat(1, 12),
                 state=QFormat(3, 10), lead=QFormat(2, 12), lag=QFormat(0, 15), rate=QFormat(0, 11), lanes=1,
                 plastic=Plastic(**own))


def test_known_answers():
    plain, none = layer(1).plastic, np.zeros(1, np.int64)
    p = DenseParams(weight=none, bias=none, lead=none, lag=none, error_lead=512, error_lag=1024)
    assert error_step(7, 100, p, plain) == (100, 7)
    # v = 100, e_in = 300: eps = 100 + 2 * 200; v moves by a quarter of 200
    filtered = layer(1, **FILTER).plastic
    assert error_step(100, 300, p, filtered) == (500, 150)
    assert error_step(4000, 4095, p, filtered)[0] == 4095
    # tau_m = 10, dt / tau_r = 1/4: a lead of 2.5
    learnt = layer(1, **FILTER, **TAU).plastic
    assert error_step(100, 300, p._replace(error_lead=None, tau=1280), learnt) == (600, 150)
    # half a word of the lead rounds up
    assert error_step(0, 128, p._replace(error_lead=None, tau=4, error_lag=256), learnt)[0] == 1
    assert error_step(0, 128, p._replace(error_lead=None, tau=3, error_lag=256), learnt)[0] == 0


@pytest.mark.parametrize(("outputs", "activation", "streams", "plastic"), [
    (1, "tanh", 1, {}), (5, "linear", 2, {}), (4, "sigmoid", 1, FILTER), (3, "linear", 1, FILTER | {"guard": 4}),
    (6, "tanh", 2, FILTER | {"guard": 3}), (5, "relu", 4, FILTER | TAU), (2, "linear", 2, FILTER | TAU)], ids=str)
def test_rtl_equals_golden(outputs, activation, streams, plastic):
    p, rng = layer(outputs, activation, **plastic), random.Random(f"{outputs} {activation} {streams}")
    own, row_bits = p.plastic, (outputs - 1).bit_length()
    m = Module()
    m.submodules.dut = dut = ErrorUnit(p, row_bits=row_bits, streams=streams)
    constants = {}
    for name in dut.names:
        fmt = p.format(name)
        low = 4 << fmt.frac_bits if name == "tau" else 0
        constants[name] = [rng.randint(low, fmt.max) for _ in range(outputs)]
        m.submodules[name] = store = Bank(depth=outputs, width=fmt.width, init=constants[name], writable=False)
        m.d.comb += [store.read_addr.eq(dut.row), getattr(dut, name).eq(store.read_data.as_signed())]
    params = DenseParams(weight=None, bias=None, lead=None, lag=None,
                         **{name: np.array(words) for name, words in constants.items()})
    v = [np.full(outputs, at_rest(own))] * streams
    slopes = [np.zeros(outputs, np.int64)] * streams

    async def bench(ctx):
        for s in range(streams):
            await write_slopes(ctx, s)
        for n in range(24):
            stream, fresh = n % streams, n // streams in (0, 5)
            # small words for the most part: the ends of the format are met seldom
            eb = [rng.choice(corners(own.error)) if rng.random() < 0.1 else
                  rng.randint(own.error.min, own.error.max) >> rng.randrange(1, 8) for _ in range(outputs)]
            e_in = eb if activation == "linear" else round_shift(np.array(eb) * slopes[stream], own.slope.frac_bits)
            old = np.full(outputs, at_rest(own)) if fresh else v[stream]
            eps, v[stream] = error_step(old, np.array(e_in), params, own)
            ctx.set(dut.fresh, fresh)
            ctx.set(dut.stream, stream)
            got, due, overflow, left = [], [], False, list(eb)
            for cycle in range(2 * outputs + dut.LATENCY + 60):
                go = bool(left) and rng.random() < 0.7
                ctx.set(dut.i.valid, go)
                if go:
                    ctx.set(dut.i.payload, left.pop(0))
                    due.append(cycle + dut.LATENCY)
                await ctx.delay(1e-10)
                if ctx.get(dut.o.valid):
                    got.append((cycle, ctx.get(dut.o.payload)))
                overflow |= bool(ctx.get(dut.overflow))
                await ctx.tick()
            assert not left
            assert got == list(zip(due, np.array(eps).tolist(), strict=True)), f"tick {n}"
            hit = {word for word in (*eb, *eps) if word in (own.error.min, own.error.max)}
            assert overflow == bool(hit), f"tick {n}: {hit}"
            await write_slopes(ctx, stream)

    async def write_slopes(ctx, stream):
        slopes[stream] = np.array([rng.randint(0, 1 << own.slope.frac_bits) for _ in range(outputs)])
        for k, word in enumerate(slopes[stream].tolist()):
            ctx.set(dut.slope_en, 1)
            ctx.set(dut.slope_addr, stream << row_bits | k)
            ctx.set(dut.slope_data, word)
            await ctx.tick()
        ctx.set(dut.slope_en, 0)
    run(m, bench, cycles=24 * (3 * outputs + dut.LATENCY + 62) + 100)


@pytest.mark.parametrize(("word", "lead", "hits"), [
    (4095, 0, True), (4094, 0, False), (-4096, 0, True), (-4095, 0, False), (0, 0, False),
    # the word itself is inside, what the filter makes of it (16 times as much, less a bit) is not
    (260, 4095, True), (-260, 4095, True), (200, 4095, False), (-200, 4095, False)])
def test_overflow_at_both_ends(word, lead, hits):
    dut, found = ErrorUnit(layer(1, "linear", **FILTER), row_bits=0), []

    async def bench(ctx):
        ctx.set(dut.error_lead, lead)
        ctx.set(dut.fresh, 1)
        for cycle in range(dut.LATENCY + 4):
            ctx.set(dut.i.valid, cycle == 0)
            ctx.set(dut.i.payload, word)
            await ctx.tick()
            found.append(ctx.get(dut.overflow))
    run(dut, bench, cycles=50)
    assert any(found) == hits


def test_shapes():
    assert ErrorUnit.banks(layer(5, "linear"), 8) == []
    assert ErrorUnit.banks(layer(5), 8) == [(8, 12)]
    assert ErrorUnit.banks(layer(5, **FILTER, guard=3), 16) == [(16, 12), (16, 16)]
    assert shape(layer(5).plastic.error).width == 13
