"""BlockWeights against golden.units.weights: a line and a fold a cycle, of a network's own seed."""

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from golden.units.weights import BLOCK, Ternary, source_word
from sim.drivers import cycles, settings, start

LINES = 60


@cocotb.test(timeout_time=100, timeout_unit="us")
async def equals_golden(dut):
    """The weights of a block of neurons, LATENCY cycles after the word of the line."""
    get, rng = settings(), np.random.default_rng(1)
    weight, blocks = Ternary(**get["weight"]), get["blocks"]
    lines, folds = rng.integers(0, 512, LINES), rng.integers(0, len(blocks), LINES)
    words, matrix = source_word(weight.seed, lines), weight.matrix(512, (max(blocks) + 1) * BLOCK)
    assert {-1, 0, 1} == set(matrix.ravel().tolist())
    await start(dut)
    for cycle in range(LINES + get["latency"]):
        if cycle < LINES:
            dut.word.value, dut.fold.value = int(words[cycle]), int(folds[cycle])
        await ReadOnly()
        n = cycle - get["latency"]
        if n >= 0:
            plus, minus = int(dut.plus.value), int(dut.minus.value)
            found = [(plus >> k & 1) - (minus >> k & 1) for k in range(BLOCK)]
            assert found == matrix[blocks[folds[n]] * BLOCK:][:BLOCK, lines[n]].tolist(), f"line {lines[n]}"
        await cycles(dut)
