"""MacLanes: sums of rows against golden.units.rows, one a cycle in lane order, for any number of lanes and widths."""

import random

import numpy as np
import pytest

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.units.dense import dense_rows
from golden.units.rows import Rows, row_sums
from rtl.units.mac import MacLanes
from sim.pysim import load, run


def drawn(bits, rng) -> int:
    low, high = -1 << bits - 1, (1 << bits - 1) - 1
    return rng.choice([low, high, rng.randint(low, high)])


@pytest.mark.parametrize("rows", [
    Rows(count=1, words=2, lanes=1, weight=8, operand=7, shift=7),
    Rows(count=2, words=2, lanes=2, weight=8, operand=7), Rows(count=5, words=5, lanes=3, weight=8, operand=7, shift=1),
    Rows(count=8, words=8, lanes=8, weight=5, operand=18),
    Rows(count=19, words=10, lanes=10, weight=18, operand=3, shift=16),
    Rows(count=12, words=4, lanes=1, weight=2, operand=2), Rows(count=1, words=1, lanes=1, weight=1, operand=1),
    Rows(count=40, words=41, lanes=33, weight=8, operand=7, shift=7)], ids=lambda r: f"{r.count}x{r.words} {r.lanes}")
def test_rtl_equals_golden(rows):
    rng, words, lanes = random.Random(str(rows)), rows.words, rows.lanes
    weight = np.array([[drawn(rows.weight, rng) for _ in range(words)] for _ in range(rows.count)])
    x = [drawn(rows.operand, rng) for _ in range(words)]
    dut, got = MacLanes(rows, first_bank=7), []
    pairs = [(7 + row % lanes, row // lanes * words + k, int(word)) for row in range(rows.folds * lanes)
             for k, word in enumerate(weight[row] if row < rows.count else [0] * words)]

    async def bench(ctx):
        await load(ctx, dut.params, pairs, half=1, settle=lanes + 2)
        for cycle in range(rows.depth + dut.LATENCY + lanes):
            ctx.set(dut.addr, (cycle if cycle < rows.depth else 0) | 1 << (len(dut.addr) - 1))
            ctx.set(dut.first, cycle % words == 0)
            ctx.set(dut.last, cycle < rows.depth and cycle % words == words - 1)
            ctx.set(dut.operand, x[(cycle - dut.OPERAND_OFFSET) % words])
            if ctx.get(dut.valid):
                got.append((cycle, ctx.get(dut.sum)))
            await ctx.tick()
    run(dut, bench, cycles=len(pairs) + 3 * rows.depth + 200)
    sums = [*row_sums(np.array([x]), weight, rows)[0].tolist(), *[rows.half] * (rows.folds * lanes - rows.count)]
    assert got == [((row // lanes + 1) * words - 1 + dut.LATENCY + row % lanes, total)
                   for row, total in enumerate(sums)]


def test_known_answers():
    rows = Rows(count=2, words=3, lanes=2, weight=4, operand=5, shift=3)
    assert row_sums(np.array([[1, -16, 15]]), np.array([[7, -8, 1], [0, 7, 7]]), rows).tolist() == [[154, -3]]
    assert (rows.folds, rows.depth, rows.acc, rows.half) == (1, 3, 11, 4)
    assert Rows(count=3, words=3, lanes=2, weight=4, operand=5).depth == 6


@pytest.mark.parametrize("words", [1, 2, 3, 4, 7, 8, 64])
def test_no_sum_overflows(words):
    """All products at their largest, and the largest half that there may be."""
    rows = Rows(count=1, words=words, lanes=1, weight=6, operand=5, shift=0)
    rows = Rows(count=1, words=words, lanes=1, weight=6, operand=5, shift=rows.acc - 1)
    most = int(row_sums(np.full((1, words), -16), np.full((1, words), -32), rows)[0, 0])
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
    ({"count": 5000, "lanes": 1}, "a lane would hold 20000 words, 16384 at most: more lanes")], ids=str)
def test_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Rows(**(GOOD | wrong))


def test_the_deepest_lane():
    assert Rows(**(GOOD | {"count": 4096, "lanes": 1})).depth == 16384
