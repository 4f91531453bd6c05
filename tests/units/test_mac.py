"""MacLanes: sums of products plus the rounding half, one a cycle in lane order, for any number of lanes."""

import random

import pytest

from golden.fixed import QFormat
from golden.rate.network import Dense
from rtl.units.mac import MacLanes
from sim.pysim import load, run


def layer(inputs, outputs, lanes):
    return Dense(inputs=inputs, outputs=outputs, activation="linear", operand=QFormat(0, 5), weight=QFormat(1, 6),
                 state=QFormat(3, 4), lead=QFormat(1, 4), lag=QFormat(0, 4), rate=QFormat(1, 4), lanes=lanes)


@pytest.mark.parametrize(("inputs", "outputs", "lanes"), [(1, 1, 1), (1, 2, 2), (4, 5, 3), (7, 8, 8), (9, 19, 10),
                                                          (3, 12, 1), (40, 40, 33)])
def test_sums(inputs, outputs, lanes):
    p, rng = layer(inputs, outputs, lanes), random.Random(f"{inputs} {outputs} {lanes}")
    rows = p.folds * lanes
    weight = [[rng.choice([p.weight.min, p.weight.max, rng.randint(p.weight.min, p.weight.max)])
               for _ in range(inputs + 1)] for _ in range(rows)]
    x = [1 << 5] + [rng.choice([p.operand.min, p.operand.max, rng.randint(p.operand.min, p.operand.max)])
                    for _ in range(inputs)]
    dut, got = MacLanes(p, first_bank=7), []
    walk = p.folds * (inputs + 1)
    pairs = [(7 + lane, fold * (inputs + 1) + k, word) for lane in range(lanes) for fold in range(p.folds)
             for k, word in enumerate(weight[fold * lanes + lane])]

    async def bench(ctx):
        await load(ctx, dut.params, pairs, half=1, settle=lanes + 2)
        for cycle in range(walk + dut.LATENCY + lanes):
            ctx.set(dut.addr, (cycle if cycle < walk else 0) | 1 << (len(dut.addr) - 1))
            ctx.set(dut.first, cycle % (inputs + 1) == 0)
            ctx.set(dut.last, cycle < walk and cycle % (inputs + 1) == inputs)
            ctx.set(dut.operand, x[(cycle - dut.OPERAND_OFFSET) % (inputs + 1)])
            if ctx.get(dut.valid):
                got.append((cycle, ctx.get(dut.sum)))
            await ctx.tick()
    run(dut, bench, cycles=len(pairs) + 3 * walk + 200)
    half = 1 << (p.shift - 1)
    want = [((fold + 1) * (inputs + 1) - 1 + dut.LATENCY + lane,
             half + sum(a * b for a, b in zip(weight[fold * lanes + lane], x, strict=True)))
            for fold in range(p.folds) for lane in range(lanes)]
    assert got == want
