"""SpikeSums against sums in Python: every row, all slots, halves, both widths of weights."""

import random

import pytest

from rtl.ltc.sums import SpikeSums, Table
from sim.pysim import load, run


def writes(table, weights, biases, *, first, half):
    """(bank, word, data) of weights (rows, size) and biases (size,), as golden.ltc.layout has them."""
    mask, size = (1 << table.weight) - 1, table.size
    rows = [biases, *weights]
    if table.words == 2:
        return [(first + n, word, row[n] & (1 << 18) - 1) for n in range(size) for word, row in enumerate(rows)]
    padded = [[*row, 0] for row in rows]
    return [(first + q, word, row[2 * q] & mask | (row[2 * q + 1] & mask) << table.weight)
            for q in range(table.pairs) for word, row in enumerate(padded)]


TABLES = [Table(size=1, rows=1, weight=8), Table(size=4, rows=3, weight=8, slots=1, halves=1),
          Table(size=9, rows=5, weight=8, slots=2), Table(size=16, rows=7, weight=9, slots=4, halves=1),
          Table(size=6, rows=4, weight=12, slots=2), Table(size=5, rows=300, weight=3, slots=2, halves=1)]


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_sums(table):
    """Two rounds of random rows, each added once, some left out; dumps leave LATENCY later, in order, without a gap."""
    rng, first, low = random.Random(str(table)), 5, -1 << table.weight - 1

    def draw():
        return rng.choice((low, -low - 1, rng.randint(low, -low - 1)))
    sets = [([[draw() for _ in range(table.size)] for _ in range(table.rows)], [draw() for _ in range(table.size)])
            for _ in range(table.halves)]
    dut, dumps, got, chosen = SpikeSums(table, first_bank=first), [], [], []

    async def op(ctx, row=0, add=0, clear=0, dump=0):
        for slot in range(table.slots):
            for name, value in (("row", row), ("slot", slot), ("add", add), ("first", clear), ("dump", dump)):
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
        for name in ("add", "first", "dump"):
            ctx.set(getattr(dut, name), 0)

    async def drive(ctx):
        for half, (weights, biases) in enumerate(sets):
            pairs = writes(table, weights, biases, first=first, half=half)
            outside = [(first - 1, 1, 7), (first + table.banks, 1, 7)]
            await load(ctx, dut.params, pairs + outside, half=half, settle=SpikeSums.settle(table))
        await op(ctx, clear=1)
        for half in range(table.halves):
            ctx.set(dut.half, half)
            for share in (1, 0.5):
                rows = [n for n in range(table.rows) if rng.random() < share]
                for n in rng.sample(range(table.rows), table.rows):
                    await op(ctx, row=n, add=int(n in rows))
                chosen.append((half, rows))
                await op(ctx, dump=1)
            await ctx.tick().repeat(table.units * table.slots + dut.LATENCY)

    async def watch(ctx):
        cycle, before, wanted, numbers = 0, 0, table.units * table.slots, []
        async for _, _, dump, valid, asked, even, odd in ctx.tick().sample(dut.dump, dut.valid, dut.asked, *dut.sums):
            if dump and not before:
                dumps.append(cycle)
            before = dump
            numbers.append(asked)
            if valid:
                assert numbers[-1 - dut.ASKED] == len(got) % wanted
                got.append((cycle, even, odd))
            cycle += 1
            if len(got) == 2 * table.halves * wanted:
                return
    run(dut, drive, watch, cycles=40000)
    wanted = []
    for start, (half, rows) in zip(dumps, chosen, strict=True):
        weights, biases = sets[half]
        sums = [biases[n] + sum(weights[row][n] for row in rows) for n in range(table.size)]
        for q in range(table.pairs):
            wanted.append((start + dut.LATENCY + q, sums[2 * q], (sums + [0])[2 * q + 1]))
    steps = table.units * table.slots
    shown = [got[n] for n in range(len(got)) if n % steps < table.pairs]
    if table.size % 2:      # the last pair has one neuron
        shown, wanted = ([each[:2] if n % table.pairs == table.pairs - 1 else each for n, each in enumerate(found)]
                         for found in (shown, wanted))
    assert shown == wanted
