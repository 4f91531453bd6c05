"""MacLanes against golden.units.rows: weights by the parameter bus, rows with and without gaps, order of the sums."""

import random

import cocotb
from cocotb.triggers import ReadOnly

from golden.fixed import wrap
from golden.units.rows import Rows, to_bus
from sim.drivers import cycles, load_parameters, settings, start
from sim.vectors import RowStep, row_problem, row_times, row_walk, row_writes


async def _walk(dut, rows, half, steps):
    """Drive addresses and flags, and behind them the operands."""
    offset, bits = settings()["operand_offset"], max(1, (rows.depth - 1).bit_length())
    pins = [dut.operand] if rows.side == 1 else [getattr(dut, f"operand_{k}") for k in range(rows.side)]
    for n in range(len(steps) + offset):
        step = steps[min(n, len(steps) - 1)]
        dut.addr.value = step.addr | (half << bits if rows.halves == 2 else 0)
        dut.first.value, dut.last.value = int(step.first), int(step.last and n < len(steps))
        for pin, word in zip(pins, steps[max(n - offset, 0)].factors, strict=True):
            pin.value = int(word) & ((1 << rows.operand) - 1)
        await cycles(dut)


async def _run(dut, rows, half, writes, steps, expected):
    await start(dut)
    await load_parameters(dut, writes, half=half, settle=rows.lanes + 5)
    driver = cocotb.start_soon(_walk(dut, rows, half, steps))
    for cycle in range(max(expected) + 2):
        await ReadOnly()
        valid = dut.valid.value == 1
        assert valid == (cycle in expected), f"cycle {cycle}: valid is {valid}"
        if valid:
            found = wrap(int(dut.sum.value), rows.acc)
            assert found == expected[cycle], f"cycle {cycle}: sum {found}, expected {expected[cycle]}"
        await cycles(dut)
    await driver


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(half=(0, 1))
async def equals_exact_sums(dut, half):
    """Lane after lane, fold after fold, LATENCY cycles after a row's last word."""
    rows = Rows(**settings()["rows"])
    weight, vectors = row_problem(rows, f"mac {half}")
    steps = [RowStep(fold * rows.words + k, k == 0, k == rows.words - 1, x[k * rows.side:(k + 1) * rows.side])
             for x in vectors for fold in range(rows.folds) for k in range(rows.words)]
    await _run(dut, rows, half, row_writes(rows, settings()["first_bank"], weight), steps,
               row_times(rows, weight, vectors, settings()["latency"]))


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def rows_of_any_length(dut):
    """Each at addresses of its own, with idle cycles between and within them."""
    rows = Rows(**settings()["rows"])
    held, steps, expected = row_walk(rows, "mac walk", latency=settings()["latency"])
    writes = [(settings()["first_bank"] + lane, k, int(word)) for lane, weights in enumerate(held)
              for k, word in enumerate(to_bus(weights, rows))]
    await _run(dut, rows, 1, writes, steps, expected)


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
