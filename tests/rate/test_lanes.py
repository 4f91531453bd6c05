"""PlasticLanes: both passes of some ticks by themselves, sums, columns and moved weights against golden.rate.learn."""

import random

import numpy as np
import pytest

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.learn import LayerTick, Registers, move
from golden.rate.plastic import Plastic
from golden.units.dense import DenseParams
from golden.units.plasticity import Noise
from rtl.rate.rows import plastic_rows
from rtl.units.plastic_lanes import PlasticLanes
from sim.pysim import load, run


def layer(inputs, outputs, lanes, **changed):
    own = {"error": QFormat(1, 8), "slope": QFormat(1, 8), "rate": 2} | changed
    return Dense(inputs=inputs, outputs=outputs, activation="linear", operand=QFormat(0, 7), weight=QFormat(1, 9),
                 state=QFormat(4, 8), lead=QFormat(1, 8), lag=QFormat(0, 8), rate=QFormat(1, 7), lanes=lanes,
                 plastic=Plastic(**own))


@pytest.mark.parametrize(("inputs", "outputs", "lanes", "changed"), [
    (1, 2, 2, {}), (4, 5, 2, {"rule": "sign", "rate": 5}), (5, 4, 4, {"halvings": 2, "bias": False}),
    (4, 3, 3, {"rate": None}), (6, 1, 1, {})], ids=str)
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("holds", [False, True])
def test_both_passes(inputs, outputs, lanes, changed, holds, fused):
    p, rng = layer(inputs, outputs, lanes, **changed), random.Random(f"lanes {inputs} {outputs} {lanes}")
    width, words = inputs + 1, (inputs + 1) * p.folds
    seeds = [rng.randint(1, 131071) for _ in range(lanes)]
    dut = PlasticLanes(plastic_rows(p)._replace(holds=holds), seeds=seeds, first_bank=7, fused=fused)
    half = 1 << (len(dut.addr) - 1)

    def draw(fmt, shape):
        ends = np.array([fmt.min, fmt.max, 0])
        found = np.array([rng.randint(fmt.min, fmt.max) for _ in range(int(np.prod(shape)))]).reshape(shape)
        return np.where(np.array([rng.random() < 0.1 for _ in range(found.size)]).reshape(shape),
                        rng.choice(ends), found)
    params = DenseParams(weight=draw(p.weight, (outputs, inputs)), bias=draw(p.weight, outputs))

    def row(n):     # rows that there are not hold zeros
        return [0] * width if n >= outputs else [int(params.bias[n]), *map(int, params.weight[n])]

    async def play(ctx, plan, cycles):
        """Drive {cycle: {input: value}}, zero elsewhere, and give back what comes: sums and columns by cycle."""
        sums, columns = {}, {}
        for cycle in range(cycles):
            for name in ("addr", "first", "last", "operand", "back", "update", "write", "swap", "load_valid",
                         "load_lane", "load_eps", "reseed"):
                ctx.set(getattr(dut, name), plan.get(cycle, {}).get(name, 0))
            if ctx.get(dut.valid):
                sums[cycle] = ctx.get(dut.sum)
            columns[cycle] = ctx.get(dut.column)
            await ctx.tick()
        return sums, columns

    async def forward(ctx, x):
        plan, want = {}, {}
        for j in range(words):
            fold, k = divmod(j, width)
            plan.setdefault(j, {}).update(addr=j | half, first=k == 0, last=k == inputs)
            plan.setdefault(j + dut.OPERAND_OFFSET, {})["operand"] = x[k]
            if k == inputs:
                for lane in range(lanes):
                    total = sum(a * b for a, b in zip(row(fold * lanes + lane), x, strict=True))
                    want[j + dut.LATENCY + lane] = (1 << p.shift - 1) + total
        found, _ = await play(ctx, plan, words + dut.LATENCY + lanes + 2)
        assert found == want

    async def backward(ctx, x, eps, learn, up):
        plan, want, lead = {}, {}, lanes + 8
        for fold in range(p.folds):         # words of a fold come when those of the fold before are in force
            for lane in range(lanes):
                at = lane + (lead + 2 * width * (fold - 1) + 4 if fold else 0)
                n = fold * lanes + lane
                plan.setdefault(at, {}).update(load_valid=1, load_lane=lane, load_eps=eps[n] if n < outputs else 0)
        for j in range(words):
            (fold, k), at = divmod(j, width), lead + 2 * j
            plan.setdefault(at, {}).update(addr=j | half, back=1, swap=k == 0)
            plan.setdefault(at + 1, {}).update(update=1, write=learn and (p.plastic.bias or k > 0))
            plan.setdefault(at + (1 if holds else dut.UPDATE_READ), {})["addr"] = j | half
            plan.setdefault(at + 1 + dut.OPERAND_OFFSET, {})["operand"] = x[k] << up
            want[at + dut.COLUMN_LATENCY] = sum(row(n)[k] * eps[n] for n in range(fold * lanes, min(
                outputs, (fold + 1) * lanes)))
        _, found = await play(ctx, plan, lead + 2 * words + dut.WRITE_LATENCY + dut.COLUMN_LATENCY + lanes)
        assert {cycle: found[cycle] for cycle in want} == want

    async def bench(ctx):
        nonlocal params
        pairs = [(7 + lane, fold * width + k, word) for lane in range(lanes) for fold in range(p.folds)
                 for k, word in enumerate(row(fold * lanes + lane))]
        await load(ctx, dut.params, pairs, half=1, settle=lanes + 4)
        # a bank before, one behind, and the other half are not ours
        for bank, at in ((6, 1), (7 + lanes, 1), (7, 0)):
            await load(ctx, dut.params, [(bank, 0, 99)], half=at, settle=lanes + 4)
        ticks, registers = 0, Registers([Noise(seed) for seed in seeds], None, {})
        for n in range(5):
            if n == 3:
                await play(ctx, {0: {"reseed": 1}}, lanes + 12)
                ticks = 0
            pre, eps = draw(p.operand, (1, inputs)), draw(p.plastic.error, outputs)
            learn, halve = n != 1, n % 3
            x = [1 << p.operand.frac_bits, *map(int, pre[0])]
            await forward(ctx, x)
            up = p.plastic.halvings - min(halve, p.plastic.halvings)
            await backward(ctx, x, list(map(int, eps)), learn, up)
            if learn:
                out = LayerTick(**dict.fromkeys(LayerTick._fields) | {"pre": pre, "eps": eps[None]})
                params = move(params, p, out, registers, ticks, halve)
            ticks += 1
        await forward(ctx, x)
    run(dut, bench, cycles=20 * (3 * words + 120))


@pytest.mark.parametrize("fused", [False, True])
def test_a_word_waits_for_steps(fused):
    """A word that comes while every cycle has a step of its lane is written when they end."""
    p = layer(3, 1, 1)
    dut, found = PlasticLanes(plastic_rows(p), seeds=[1], first_bank=7, fused=fused), []
    half, words = 1 << (len(dut.addr) - 1), [5, -6, 7, 8]

    async def bench(ctx):
        await load(ctx, dut.params, [(7, k, word) for k, word in enumerate(words)], half=1, settle=6)
        # all errors are zero, so weight 1 stays what it is
        ctx.set(dut.addr, 1 | half)
        ctx.set(dut.update, 1)
        ctx.set(dut.write, 1)
        await ctx.tick().repeat(20)
        await load(ctx, dut.params, [(7, 2, 90)], half=1, settle=20)
        ctx.set(dut.update, 0)
        ctx.set(dut.write, 0)
        await ctx.tick().repeat(20)
        for cycle in range(len(words) + dut.LATENCY + 2):
            ctx.set(dut.addr, min(cycle, 3) | half)
            ctx.set(dut.first, cycle == 0)
            ctx.set(dut.last, cycle == 3)
            ctx.set(dut.operand, 1 << max(0, 2 * (cycle - dut.OPERAND_OFFSET)) if cycle >= dut.OPERAND_OFFSET else 0)
            if ctx.get(dut.valid):
                found.append(ctx.get(dut.sum))
            await ctx.tick()
    run(dut, bench, cycles=300)
    assert found == [(1 << p.shift - 1) + 5 - 6 * 4 + 90 * 16 + 8 * 64]
