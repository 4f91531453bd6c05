"""Columns: sums over folds, rounded and saturated, for any gaps between the words."""

import random

import pytest

from golden.fixed import QFormat, round_shift, saturate
from golden.rate.layer import Dense
from golden.rate.plastic import Plastic
from rtl.rate.columns import Columns
from sim.pysim import run


def layer(inputs, outputs, lanes):
    return Dense(inputs=inputs, outputs=outputs, activation="linear", operand=QFormat(1, 6), weight=QFormat(1, 8),
                 state=QFormat(3, 8), lead=QFormat(1, 6), lag=QFormat(0, 6), rate=QFormat(1, 6), lanes=lanes,
                 plastic=Plastic(error=QFormat(1, 6), slope=QFormat(1, 6), rate=2))


@pytest.mark.parametrize(("inputs", "outputs", "lanes", "fmt", "shift"), [
    (1, 2, 2, QFormat(1, 6), 8), (4, 3, 1, QFormat(2, 5), 7), (5, 7, 4, QFormat(0, 9), 1), (6, 4, 2, QFormat(4, 8), 0)],
    ids=str)
def test_rtl_equals_golden(inputs, outputs, lanes, fmt, shift):
    p, rng = layer(inputs, outputs, lanes), random.Random(f"{inputs} {outputs} {shift}")
    dut, want, got, found = Columns(p, fmt, shift), [], [], set()
    most = (1 << p.back_bits - 1) // p.folds - (1 << max(shift, 1) - 1) - 1

    def word():
        # of all magnitudes, and some around the ends of what comes out
        if rng.random() < 0.4:
            return (rng.choice((fmt.min, fmt.max)) << shift) // p.folds + rng.randint(-2 << shift, 2 << shift)
        return rng.randint(-most, most) >> rng.randrange(p.back_bits)

    async def bench(ctx):
        values, due, cycle = {}, {}, 0
        for n in range(40):
            folds = [[min(max(word(), -most), most) for _ in range(inputs + 1)] for _ in range(p.folds)]
            if n < 2:       # the largest sums that there may be
                folds = [[most * (1 - 2 * n)] * (inputs + 1)] * p.folds
            sums = [sum(fold[k] for fold in folds) for k in range(1, inputs + 1)]
            assert all(-1 << p.back_bits - 1 <= s < 1 << p.back_bits - 1 for s in sums)
            answers = [saturate(round_shift(s, shift), fmt) for s in sums]
            found.update(answers)
            want.extend(answers)
            for fold, row in enumerate(folds):
                for k, value in enumerate(row):
                    values[cycle + dut.LEAD] = value
                    if k and fold == p.folds - 1:
                        due[cycle + dut.LATENCY] = answers[k - 1]
                    for early in (1, *[0] * rng.choice((1, 1, 2, 5))):
                        ctx.set(dut.early, early)
                        ctx.set(dut.value, values.pop(cycle, rng.randint(-most, most)))
                        assert ctx.get(dut.o.valid) == (cycle in due), f"cycle {cycle}"
                        if cycle in due:
                            got.append(ctx.get(dut.o.payload))
                            assert got[-1] == due.pop(cycle), f"cycle {cycle}"
                        await ctx.tick()
                        cycle += 1
            # longer than the sums of an input may be on their way
            for _ in range(10):
                ctx.set(dut.early, 0)
                ctx.set(dut.value, values.pop(cycle, 0))
                if ctx.get(dut.o.valid):
                    got.append(ctx.get(dut.o.payload))
                    assert got[-1] == due.pop(cycle), f"cycle {cycle}"
                await ctx.tick()
                cycle += 1
    run(dut, bench, cycles=40 * (p.folds * (inputs + 1) * 7 + 10) + 50)
    assert got == want
    assert {fmt.min, fmt.max} < found, "neither end was met"


def test_banks():
    assert Columns.banks(layer(5, 4, 4)) == []
    assert Columns.banks(layer(5, 7, 4)) == [(5, 21)]
