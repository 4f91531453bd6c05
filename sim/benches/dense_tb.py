"""DenseLayer against golden.units.dense: ticks at the least period and slower, both halves, fresh sequences."""

import random

import cocotb
import numpy as np

from golden.fixed import wrap
from golden.rate.engine import random_params
from golden.rate.network import Network
from golden.units.delay import delay_line, delay_read, delay_write
from golden.units.dense import dense_step
from sim.drivers import Stream, cycles, image_writes, layer_setting, load_parameters, settings, start

TICKS = 12


@cocotb.test(timeout_time=3, timeout_unit="ms")
@cocotb.parametrize(half=(0, 1), jitter=(0, 25))
async def equals_golden(dut, half, jitter):
    """Every word of every tick; the message of a tick arrives while the one before it is read."""
    net, layer, rng = Network.from_json(settings()["network"]), layer_setting(), random.Random(f"dense {half} {jitter}")
    numbers = np.random.default_rng(half)
    params = random_params(net, numbers)
    await start(dut)
    await load_parameters(dut, image_writes(net, params), half=half, settle=net.lanes + 5)
    dut.half.value = half
    x = numbers.integers(layer.operand.min, layer.operand.max + 1, (TICKS, layer.inputs))
    sink = cocotb.start_soon(Stream(dut, "o").receive(TICKS * layer.outputs))
    expected, source = [], Stream(dut, "i")
    for tick in range(TICKS):
        fresh = tick == 0 or rng.random() < 0.2
        if fresh:
            u = np.zeros((1, layer.outputs), np.int64)
            line = delay_line(np.zeros((1, layer.inputs), np.int64), layer.max_delay)
        out = dense_step(u, delay_read(line, layer.delay), params[0], layer)
        expected += out.rate[0].tolist()
        u, line = out.u, delay_write(line, x[tick:tick + 1])
        dut.start.value, dut.fresh.value, dut.restart.value = 1, int(fresh), int(fresh)
        await cycles(dut)
        dut.start.value = dut.fresh.value = dut.restart.value = 0
        await source.send([int(word) & ((1 << layer.operand.width) - 1) for word in x[tick]])
        await cycles(dut, max(0, settings()["period"] - 1 - layer.inputs) + rng.randint(0, jitter))
    found, _ = await sink
    for n, (word, want) in enumerate(zip(found, expected, strict=True)):
        got = wrap(word, layer.rate.width)
        assert got == want, f"tick {n // layer.outputs}, neuron {n % layer.outputs}: {got}, expected {want}"
