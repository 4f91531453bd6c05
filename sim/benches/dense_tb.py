"""DenseLayer against golden.units.dense: ticks at the least period and slower, both halves, fresh sequences."""

import random

import cocotb
import numpy as np

from golden.fixed import wrap
from golden.rate.engine import random_params
from golden.rate.network import Network
from sim.drivers import Stream, cycles, image_writes, layer_setting, load_parameters, settings, start
from sim.vectors import dense_ticks

TICKS = 12


@cocotb.test(timeout_time=3, timeout_unit="ms")
@cocotb.parametrize(half=(0, 1), jitter=(0, 25))
async def equals_golden(dut, half, jitter):
    """Every word of every tick; the message of a tick arrives while the one before it is read."""
    net, layer, rng = Network.from_json(settings()["network"]), layer_setting(), random.Random(f"dense {half} {jitter}")
    params = random_params(net, np.random.default_rng(half))
    await start(dut)
    await load_parameters(dut, image_writes(net, params), half=half, settle=net.lanes + 5)
    dut.half.value = half
    sink = cocotb.start_soon(Stream(dut, "o").receive(TICKS * layer.outputs))
    expected, source = [], Stream(dut, "i")
    for tick in dense_ticks(layer, params[0], f"dense {half} {jitter}", ticks=TICKS):
        expected += tick.rate
        dut.start.value, dut.fresh.value, dut.restart.value = 1, int(tick.fresh), int(tick.fresh)
        await cycles(dut)
        dut.start.value = dut.fresh.value = dut.restart.value = 0
        await source.send([word & ((1 << layer.operand.width) - 1) for word in tick.message])
        await cycles(dut, max(0, settings()["period"] - 1 - layer.inputs) + rng.randint(0, jitter))
    found, _ = await sink
    for n, (word, want) in enumerate(zip(found, expected, strict=True)):
        got = wrap(word, layer.rate.width)
        assert got == want, f"tick {n // layer.outputs}, neuron {n % layer.outputs}: {got}, expected {want}"
