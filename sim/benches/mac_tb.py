"""MacLanes against golden.units.rows: weights by the parameter bus, rows without a gap, order and latency of sums."""

import random

import cocotb
from cocotb.triggers import ReadOnly

from golden.fixed import wrap
from golden.units.rows import Rows
from sim.drivers import cycles, load_parameters, settings, start
from sim.vectors import row_problem, row_times, row_writes


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
    rows = Rows(**settings()["rows"])
    weight, vectors = row_problem(rows, f"mac {half}")
    await start(dut)
    await load_parameters(dut, row_writes(rows, settings()["first_bank"], weight), half=half, settle=rows.lanes + 5)
    driver = cocotb.start_soon(_walk(dut, rows, half, vectors))
    expected = row_times(rows, weight, vectors, settings()["latency"])
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
