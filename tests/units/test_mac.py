"""MacLanes: sums of rows against golden.units.rows, one a cycle in lane order, for any number of lanes and widths."""

import random

import numpy as np
import pytest

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.units.dense import dense_rows
from golden.units.rows import Rows, from_bus, row_sums, to_bus
from rtl.units.mac import MacLanes
from sim.pysim import load, run
from sim.vectors import row_walk, row_writes


def drawn(bits, rng) -> int:
    low, high = -1 << bits - 1, (1 << bits - 1) - 1
    return rng.choice([low, high, rng.randint(low, high)])


def give(ctx, dut, factors) -> None:
    """A word of the vector."""
    for pin, value in zip([dut.operand] if dut.rows.side == 1 else dut.operand, factors, strict=True):
        ctx.set(pin, int(value))


@pytest.mark.parametrize("rows", [
    Rows(count=1, words=2, lanes=1, weight=8, operand=7, shift=7),
    Rows(count=2, words=2, lanes=2, weight=8, operand=7), Rows(count=5, words=5, lanes=3, weight=8, operand=7, shift=1),
    Rows(count=8, words=8, lanes=8, weight=5, operand=18),
    Rows(count=19, words=10, lanes=10, weight=18, operand=3, shift=16),
    Rows(count=12, words=4, lanes=1, weight=2, operand=2), Rows(count=1, words=1, lanes=1, weight=1, operand=1),
    Rows(count=40, words=41, lanes=33, weight=8, operand=7, shift=7),
    Rows(count=7, words=5, lanes=3, weight=8, operand=9, shift=6, side=2),
    Rows(count=8, words=9, lanes=4, weight=8, operand=9, shift=7, side=4, halves=1),
    Rows(count=3, words=3, lanes=2, weight=18, operand=18, side=4, halves=2),
    Rows(count=3, words=2, lanes=2, weight=3, operand=4, side=16, halves=1, held=9)],
    ids=lambda r: f"{r.count}x{r.words} {r.lanes} by {r.side}")
@pytest.mark.parametrize("fused", [False, True])
def test_rtl_equals_golden(rows, fused):
    rng, words, lanes, side = random.Random(str(rows)), rows.words, rows.lanes, rows.side
    weight = np.array([[drawn(rows.weight, rng) for _ in range(words * side)] for _ in range(rows.count)])
    x = np.array([drawn(rows.operand, rng) for _ in range(words * side)]).reshape(words, side)
    dut, got = MacLanes(rows, first_bank=7, fused=fused), []
    pairs = list(row_writes(rows, 7, weight))
    half = 1 << len(dut.addr) - 1 if rows.halves == 2 else 0

    async def bench(ctx):
        await load(ctx, dut.params, pairs, half=1, settle=lanes + 2)
        # where it comes a cycle early
        ctx.set(dut.first, 1)
        await ctx.tick()
        for cycle in range(rows.folds * words + dut.LATENCY + lanes):
            ctx.set(dut.addr, (cycle if cycle < rows.folds * words else 0) | half)
            ctx.set(dut.first, (cycle + fused) % words == 0)
            ctx.set(dut.last, cycle < rows.folds * words and cycle % words == words - 1)
            give(ctx, dut, x[(cycle - dut.OPERAND_OFFSET) % words])
            if ctx.get(dut.valid):
                got.append((cycle, ctx.get(dut.sum)))
            await ctx.tick()
    run(dut, bench, cycles=len(pairs) + 3 * rows.depth + 200)
    sums = row_sums(x.reshape(1, -1), weight, rows)[0].tolist() + [rows.half] * (rows.folds * lanes - rows.count)
    assert got == [((row // lanes + 1) * words - 1 + dut.LATENCY + row % lanes, total)
                   for row, total in enumerate(sums)]


@pytest.mark.parametrize(("side", "lanes"), [(1, 1), (1, 5), (2, 3), (4, 1), (4, 6)])
def test_rows_of_any_length(side, lanes):
    """Rows of several matrices, at any addresses, in any order; sums are of the words that a row is given."""
    rows = Rows(count=lanes, words=9, lanes=lanes, weight=8, operand=9, shift=5, side=side, halves=1, held=40)
    lanes_hold, walk, expected = row_walk(rows, f"{side} {lanes}", latency=MacLanes.latency(rows))
    pairs = [(7 + lane, k, int(word)) for lane, held in enumerate(lanes_hold)
             for k, word in enumerate(to_bus(held, rows))]
    dut, got = MacLanes(rows, first_bank=7), {}

    async def bench(ctx):
        await load(ctx, dut.params, pairs, half=0, settle=lanes + 2)
        for cycle in range(len(walk) + dut.LATENCY + lanes):
            step = walk[min(cycle, len(walk) - 1)]
            ctx.set(dut.addr, step.addr)
            ctx.set(dut.first, step.first)
            ctx.set(dut.last, step.last and cycle < len(walk))
            if 0 <= cycle - dut.OPERAND_OFFSET < len(walk):
                give(ctx, dut, walk[cycle - dut.OPERAND_OFFSET].factors)
            if ctx.get(dut.valid):
                got[cycle] = ctx.get(dut.sum)
            await ctx.tick()
    run(dut, bench, cycles=len(pairs) + 2 * len(walk) + 200)
    assert got == expected


@pytest.mark.parametrize(("side", "weight", "columns"), [(1, 18, 1), (2, 9, 1), (4, 4, 1), (4, 8, 2), (4, 9, 2),
                                                         (4, 10, 4), (16, 8, 8)])
def test_words_of_the_bus(side, weight, columns):
    rows, rng = Rows(count=3, words=5, lanes=2, weight=weight, operand=9, side=side), np.random.default_rng(side)
    found = rng.integers(-1 << weight - 1, 1 << weight - 1, (3, 5 * side))
    words = to_bus(found, rows)
    assert (rows.columns, words.shape) == (columns, (3, 5 * columns))
    assert words.max() < 1 << 18
    assert (from_bus(words & (1 << 18) - 1, rows) == found).all()
    # the first weight is in the low bits of the first column
    assert to_bus(np.eye(1, 4 * side, dtype=int)[0], rows).tolist() == [1] + [0] * (4 * columns - 1)


def test_known_answers():
    rows = Rows(count=2, words=3, lanes=2, weight=4, operand=5, shift=3)
    assert row_sums(np.array([[1, -16, 15]]), np.array([[7, -8, 1], [0, 7, 7]]), rows).tolist() == [[154, -3]]
    assert (rows.folds, rows.depth, rows.acc, rows.half) == (1, 3, 11, 4)
    assert Rows(count=3, words=3, lanes=2, weight=4, operand=5).depth == 6
    assert to_bus([1, -1, -128, 127], Rows(count=1, words=1, lanes=1, weight=8, operand=9, side=4)).tolist() == [
        0xFF01, 0x7F80]


@pytest.mark.parametrize("side", [1, 2, 16])
@pytest.mark.parametrize("words", [1, 2, 3, 4, 7, 8, 64])
def test_no_sum_overflows(words, side):
    """All products at their largest, and the largest half that there may be."""
    rows = Rows(count=1, words=words, lanes=1, weight=6, operand=5, side=side)
    rows = Rows(count=1, words=words, lanes=1, weight=6, operand=5, shift=rows.acc - 1, side=side)
    most = int(row_sums(np.full((1, words * side), -16), np.full((1, words * side), -32), rows)[0, 0])
    assert most < 1 << rows.acc - 1


def test_rows_of_a_dense_layer():
    one = Dense(inputs=6, outputs=7, lanes=3, activation="linear", operand=QFormat(0, 5), weight=QFormat(1, 6),
                state=QFormat(3, 4), lead=QFormat(1, 4), lag=QFormat(0, 4), rate=QFormat(1, 4))
    rows = dense_rows(one)
    # the constant one of a bias takes an operand of Q1.5
    assert rows == Rows(count=7, words=7, lanes=3, weight=8, operand=7, shift=7)
    assert (rows.folds, rows.acc) == (one.folds, one.acc_bits)


GOOD = {"count": 4, "words": 4, "lanes": 2, "weight": 8, "operand": 8}


@pytest.mark.parametrize(("wrong", "message"), [
    ({"count": 0}, r"rows: count must be an integer in 1..65536, not 0"), ({"words": 1.0}, "words must be an integer"),
    ({"weight": 19}, r"weight must be an integer in 1..18, not 19"), ({"operand": True}, "operand must be an integer"),
    ({"lanes": 5}, r"lanes must be an integer in 1..4, not 5"),
    ({"count": 9, "lanes": 5}, r"lanes must be an integer in 1..4, not 5"),
    ({"shift": 19}, "a shift by 19 leaves nothing of sums of 19 bits"), ({"shift": -1}, "shift must be an integer"),
    ({"side": 3}, r"side must be one of 1, 2, 4, 8, 16, not 3"), ({"side": 2.0}, "side must be one of"),
    ({"halves": 0}, r"halves must be an integer in 1..2, not 0"),
    ({"held": 7}, r"held must be an integer in 8..16384, not 7"), ({"held": True}, "held must be an integer"),
    ({"held": 9000, "side": 4}, "a lane would hold 18000 words, 16384 at most: more lanes"),
    ({"count": 5000, "lanes": 1}, "a lane would hold 20000 words, 16384 at most: more lanes")], ids=str)
def test_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Rows(**(GOOD | wrong))


def test_the_deepest_lane():
    assert Rows(**(GOOD | {"count": 4096, "lanes": 1})).depth == 16384
