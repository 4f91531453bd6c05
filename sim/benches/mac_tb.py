"""MacLanes against exact sums: weights over the parameter bus, rows without a gap, order and latency of the sums."""

import random

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from golden.fixed import exact_matmul, wrap
from sim.drivers import cycles, layer_setting, load_parameters, settings, start

VECTORS = 6


def bank_writes(layer, first_bank, weight, bias):
    """(bank, word, data) of all rows: row j in lane j mod lanes, fold j // lanes; rows that do not exist hold zero."""
    walk = layer.inputs + 1
    for row in range(layer.folds * layer.lanes):
        words = [int(bias[row]), *map(int, weight[row])] if row < layer.outputs else [0] * walk
        for k, word in enumerate(words):
            yield first_bank + row % layer.lanes, row // layer.lanes * walk + k, word


async def _walk(dut, layer, half, vectors):
    """Drive addresses, flags and operands of one pass over all folds a vector."""
    walk, offset, passes = layer.inputs + 1, settings()["operand_offset"], layer.folds * (layer.inputs + 1)
    total, one = passes * len(vectors), 1 << layer.operand.frac_bits
    bits = max(1, (passes - 1).bit_length())
    for n in range(total + offset):
        position = n % passes
        dut.addr.value = position | half << bits
        dut.first.value, dut.last.value = int(position % walk == 0), int(n < total and position % walk == walk - 1)
        if n >= offset:
            vector, place = vectors[(n - offset) // passes], (n - offset) % walk
            word = one if place == 0 else int(vector[place - 1])
            dut.operand.value = word & ((1 << layer.multiplicand.width) - 1)
        await cycles(dut)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(half=(0, 1))
async def equals_exact_sums(dut, half):
    """Sums of products plus half a unit, lane after lane, fold after fold, LATENCY cycles after a row's last word."""
    layer, rng = layer_setting(), np.random.default_rng(1 + half)
    shape = (layer.outputs, layer.inputs)
    weight = rng.choice([layer.weight.min, layer.weight.max], shape) if half else \
        rng.integers(layer.weight.min, layer.weight.max + 1, shape)
    bias = rng.integers(layer.weight.min, layer.weight.max + 1, layer.outputs)
    vectors = rng.integers(layer.operand.min, layer.operand.max + 1, (VECTORS, layer.inputs))
    vectors[0] = layer.operand.min
    await start(dut)
    await load_parameters(dut, bank_writes(layer, settings()["first_bank"], weight, bias), half=half,
                          settle=layer.lanes + 5)
    rounding = 1 << (layer.shift - 1) if layer.shift else 0
    sums = exact_matmul(vectors, weight) + (bias << layer.operand.frac_bits) + rounding
    driver = cocotb.start_soon(_walk(dut, layer, half, vectors))
    walk, rows = layer.inputs + 1, layer.folds * layer.lanes
    expected = {}
    for n in range(VECTORS):
        for row in range(rows):
            when = (n * layer.folds + row // layer.lanes + 1) * walk - 1 + row % layer.lanes + settings()["latency"]
            expected[when] = int(sums[n, row]) if row < layer.outputs else rounding
    for cycle in range(max(expected) + 2):
        await ReadOnly()
        valid = dut.valid.value == 1
        assert valid == (cycle in expected), f"cycle {cycle}: valid is {valid}"
        if valid:
            found = wrap(int(dut.sum.value), layer.acc_bits)
            assert found == expected[cycle], f"cycle {cycle}: sum {found}, expected {expected[cycle]}"
        await cycles(dut)
    await driver


@cocotb.test(timeout_time=100, timeout_unit="us")
async def parameters_pass_on(dut):
    """What is written to a bank of another unit leaves on params_out, `lanes` cycles later."""
    layer, rng = layer_setting(), random.Random("params")
    await start(dut)
    word = rng.getrandbits(18)
    await load_parameters(dut, [(settings()["first_bank"] + layer.lanes, 5, word)], half=1, settle=layer.lanes - 1)
    await ReadOnly()
    assert dut.params_out_en.value == 1
    assert int(dut.params_out_bank.value) == settings()["first_bank"] + layer.lanes
    assert int(dut.params_out_data.value) == word
