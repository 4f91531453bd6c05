"""MacLanes against golden.units.rows: weights by the parameter bus, rows without a gap, order and latency of sums."""

import random

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from golden.fixed import wrap
from golden.units.rows import Rows, row_sums
from sim.drivers import cycles, load_parameters, settings, start

VECTORS = 6


def bank_writes(rows, first_bank, weight):
    """(bank, word, data) of all rows: row j in lane j mod lanes, fold j // lanes; rows that do not exist hold zero."""
    for row in range(rows.folds * rows.lanes):
        words = map(int, weight[row]) if row < rows.count else [0] * rows.words
        for k, word in enumerate(words):
            yield first_bank + row % rows.lanes, row // rows.lanes * rows.words + k, word


async def _walk(dut, rows, half, vectors):
    """Drive addresses, flags and operands of one pass over all folds a vector."""
    offset, total = settings()["operand_offset"], rows.depth * len(vectors)
    bits = max(1, (rows.depth - 1).bit_length())
    for n in range(total + offset):
        position, place = n % rows.depth, n % rows.words
        dut.addr.value = position | half << bits
        dut.first.value, dut.last.value = int(place == 0), int(n < total and place == rows.words - 1)
        if n >= offset:
            word = int(vectors[(n - offset) // rows.depth][(n - offset) % rows.words])
            dut.operand.value = word & ((1 << rows.operand) - 1)
        await cycles(dut)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(half=(0, 1))
async def equals_exact_sums(dut, half):
    """Lane after lane, fold after fold, LATENCY cycles after a row's last word."""
    rows, rng = Rows(**settings()["rows"]), np.random.default_rng(1 + half)
    low, high = -1 << rows.weight - 1, (1 << rows.weight - 1) - 1
    weight = rng.choice([low, high], (rows.count, rows.words)) if half else \
        rng.integers(low, high + 1, (rows.count, rows.words))
    low, high = -1 << rows.operand - 1, 1 << rows.operand - 1
    vectors = rng.integers(low, high, (VECTORS, rows.words))
    vectors[0] = low
    await start(dut)
    await load_parameters(dut, bank_writes(rows, settings()["first_bank"], weight), half=half, settle=rows.lanes + 5)
    sums = row_sums(vectors, weight, rows)
    driver, expected = cocotb.start_soon(_walk(dut, rows, half, vectors)), {}
    for n in range(VECTORS):
        for row in range(rows.folds * rows.lanes):
            when = n * rows.depth + (row // rows.lanes + 1) * rows.words - 1 + row % rows.lanes + settings()["latency"]
            expected[when] = int(sums[n, row]) if row < rows.count else rows.half
    for cycle in range(max(expected) + 2):
        await ReadOnly()
        valid = dut.valid.value == 1
        assert valid == (cycle in expected), f"cycle {cycle}: valid is {valid}"
        if valid:
            found = wrap(int(dut.sum.value), rows.acc)
            assert found == expected[cycle], f"cycle {cycle}: sum {found}, expected {expected[cycle]}"
        await cycles(dut)
    await driver


@cocotb.test(timeout_time=100, timeout_unit="us")
async def parameters_pass_on(dut):
    """What is written to a bank of another unit leaves on params_out, `lanes` cycles later."""
    rows, rng = Rows(**settings()["rows"]), random.Random("params")
    await start(dut)
    word = rng.getrandbits(18)
    await load_parameters(dut, [(settings()["first_bank"] + rows.lanes, 5, word)], half=1, settle=rows.lanes - 1)
    await ReadOnly()
    assert dut.params_out_en.value == 1
    assert int(dut.params_out_bank.value) == settings()["first_bank"] + rows.lanes
    assert int(dut.params_out_data.value) == word
