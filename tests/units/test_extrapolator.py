"""Extrapolators: exactness, NLMS, divergence; the circuit equals golden.units.extrapolator tick by tick."""

import random

import numpy as np
import pytest
from cases import corners, random_predictor

from golden.fixed import QFormat
from golden.units import extrapolator
from golden.units.delay import delay_line, delay_write
from golden.units.extrapolator import Way
from golden.units.plasticity import Noise
from rtl.units.extrapolator import FIRST, Extrapolator
from rtl.units.neural import NeuralExtrapolator
from rtl.units.predicted import PredictedLine, predictor
from sim.pysim import load, run

WORD = QFormat(1, 12)


def drawn_way(seed: int, kind: str | None = None) -> Way:
    """Any way with a predictor."""
    rng = random.Random(f"way {seed}")
    while True:
        depth = rng.randint(1, 6)
        p, fmt = random_predictor(rng, depth, learns=True), QFormat(rng.randint(-1, 3), rng.randint(4, 13))
        if p is not None and kind in (None, p.kind):
            return Way(rng.randint(1, 5), fmt, rng.randint(0, depth), depth, p)


def drawn_taps(way: Way, rng) -> np.ndarray | None:
    p = way.predictor
    if not p.coefficients:
        return None
    shape = p.rows(way.size), p.coefficients
    taps = rng.integers(p.gain.min >> 3, p.gain.max >> 3, shape)
    return np.where(rng.random(shape) < 0.02, rng.choice(corners(p.gain), shape), taps)


def delays(way: Way, rng, ticks: int) -> list[Way]:
    """The way in each tick, now and then with another delay, often none."""
    found = [way]
    while len(found) < ticks:
        other = way._replace(delay=int(rng.choice((0, rng.integers(0, way.depth + 1)))))
        try:
            other.check()       # a gain may be too large
        except ValueError:
            continue
        found.append(other if rng.random() < 0.3 else found[-1])
    return found


def golden_line(ways, taps, messages, *, fresh, moves, register):
    """What is read in each tick of a stream, the taps, and flags."""
    line, seen, lost = None, [], False
    for tick, (way, message) in enumerate(zip(ways, messages, strict=True)):
        if tick in fresh:
            line = extrapolator.line(np.zeros((1, way.size), np.int64), way)
        seen.append(extrapolator.read(line, way)[0])
        old, (line, wrong) = line, extrapolator.write(line, message[None], way, taps)
        lost |= bool(np.any(wrong))
        if way.predictor.learns and moves[tick] and way.delay:
            number = register[(tick * way.size + np.arange(way.size))[:, None] * way.predictor.words
                              + np.arange(way.predictor.words)]
            taps = extrapolator.nlms_step(old.history, taps, number, way)
    return np.array(seen), taps, lost


# 1225: steps that are shifted right before the size of what was seen is
@pytest.mark.parametrize("seed", [*range(72), 1225])
def test_circuit_equals_golden(seed):
    way, rng, ticks = drawn_way(seed, (None, "fir", "neural")[seed % 3]), np.random.default_rng(seed), 24
    p, taps = way.predictor, drawn_taps(way, rng)
    messages = rng.integers(way.fmt.min, way.fmt.max + 1, (ticks, way.size)) >> (0, 2)[seed % 2]
    moves, fresh = rng.random(ticks) < 0.8, (0, 15)
    # delays are loaded at run time: in most of the cases they change
    ways = delays(way, rng, ticks) if seed % 4 else [way] * ticks
    want, after, lost = golden_line(ways, taps, messages, fresh=fresh, moves=moves, register=Noise(77))
    dut, got, back, flag, ended = PredictedLine(way, bank=3, seed=77), [], [], [], []
    period, half = max(predictor(way).period(way, learning=True), 2 * way.size + 8), seed // 3 % 2

    async def drive(ctx):
        words = [] if taps is None else taps.ravel().tolist()
        # those behind are for another bank, or for the half that is not in force, or nobody's
        for en, bank, side, addr, word in [*((1, 3, half, n, word) for n, word in enumerate(words)),
                                           (1, 2, half, 0, 99), (1, 3, 1 - half, 0, 98), (0, 3, half, 0, 97)]:
            for name, value in (("en", en), ("bank", bank), ("half", side), ("addr", addr), ("data", word & 0x3FFFF)):
                ctx.set(getattr(dut.params, name), value)
            await ctx.tick()
        ctx.set(dut.params.en, 0)
        ctx.set(dut.half, half)
        await ctx.tick().repeat(3)
        for tick, delay in enumerate(each.delay for each in ways):
            ctx.set(dut.delay, delay)
            ctx.set(dut.spacing, p.spacing or delay)
            for n, word in enumerate(p.fixed_taps(delay) if not p.has_taps and p.spacing else ()):
                ctx.set(dut.fixed[n], word)
            ctx.set(dut.start, 1)
            ctx.set(dut.fresh, tick in fresh)
            ctx.set(dut.errors, 1)
            ctx.set(dut.learn, bool(moves[tick]))
            await ctx.tick()
            ctx.set(dut.start, 0)
            row = []
            for cycle in range(period):
                ctx.set(dut.read_index, min(cycle, way.size - 1))
                writes = cycle >= period - way.size
                ctx.set(dut.i.valid, writes)
                if writes:
                    ctx.set(dut.i.payload, int(messages[tick][cycle - period + way.size]))
                if dut.LATENCY <= cycle < dut.LATENCY + way.size:
                    row.append(ctx.get(dut.read_data))
                await ctx.tick()
            ctx.set(dut.i.valid, 0)
            got.append(row)
        ctx.set(dut.probe, 1)
        for n in range(0 if taps is None else taps.size):
            ctx.set(dut.probe_addr, n)
            await ctx.tick().repeat(dut.predictor.PROBE_LATENCY)
            back.append(ctx.get(dut.probe_data))
        ended.append(True)

    async def watch(ctx):
        while not ended:
            *_, lost_now = await ctx.tick().sample(dut.lost)
            flag.append(lost_now)

    run(dut, drive, watch, cycles=200 + ticks * (period + 3) + 4 * (0 if taps is None else taps.size))
    wrong, name = np.argwhere(np.array(got) != want), f"{p}, delays {[each.delay for each in ways]}"
    assert not len(wrong), f"{name}: tick, element {wrong[0]}: {got[wrong[0][0]]}, golden {want[wrong[0][0]]}"
    if taps is not None:
        assert back == after.ravel().tolist()
    assert any(flag) == lost

@pytest.mark.parametrize("seed", range(8))
def test_what_is_sent(seed):
    """An Extrapolator by itself: predictions of a tick, one after the other from a fixed cycle on, and the flag."""
    way, rng, ticks = drawn_way(seed, (None, "neural")[seed % 2]), np.random.default_rng(seed), 10
    way = way._replace(delay=max(1, way.delay))
    try:
        way.check()
    except ValueError:
        way = way._replace(delay=way.depth)
    p, taps = way.predictor, drawn_taps(way, rng)
    messages = rng.integers(way.fmt.min, way.fmt.max + 1, (ticks, way.size)) >> 2
    dut, got, sent, wrong = (NeuralExtrapolator(way, bank=3) if p.kind == "neural" else
                             Extrapolator(way, bank=3, seed=5)), [], [], []
    kind = type(dut)
    history = delay_line(np.zeros((1, way.size), np.int64), p.history)
    for message in messages:        # the tick that a message comes in predicts from those before it
        y, off = extrapolator.extrapolate(history, taps, way)
        sent.append(y[0].tolist())
        wrong.append(np.broadcast_to(off, (1, way.size))[0].tolist())
        history = delay_write(history, message[None])
    period, pace = kind.period(way, learning=False) + way.size, kind.passes(p) * (p.words + kind.BIAS)

    async def bench(ctx):
        await load(ctx, dut.params, [(3, n, int(word)) for n, word in enumerate([] if taps is None else taps.ravel())],
                   half=0, settle=3)
        ctx.set(dut.delay, way.delay)
        ctx.set(dut.spacing, p.spacing or way.delay)
        for n, word in enumerate(p.fixed_taps(way.delay) if not p.has_taps and p.spacing else ()):
            ctx.set(dut.fixed[n], word)
        for tick in range(ticks):
            for name, value in (("start", 1), ("fresh", tick == 0)):
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for cycle in range(period):
                k = cycle - period + way.size
                ctx.set(dut.i.valid, k >= 0)
                ctx.set(dut.i.payload, int(messages[tick][max(k, 0)]))
                if ctx.get(dut.o.valid):
                    got.append((tick, cycle, ctx.get(dut.o.payload), bool(ctx.get(dut.lost))))
                await ctx.tick()
            ctx.set(dut.i.valid, 0)
    run(dut, bench, cycles=200 + ticks * (period + 2))
    # from the last word of an element DONE cycles to its sum, which is judged, then sent
    assert got == [(tick, FIRST + (k + 1) * pace - 1 + kind.DONE + 2, sent[tick][k], wrong[tick][k])
                   for tick in range(ticks) for k in range(way.size)]
