"""Activation against golden.units.activation: every word of the state, or corners and random words of a wide one."""

import cocotb
import numpy as np

from golden.fixed import QFormat, wrap
from golden.units.activation import activation_step, derivative_step
from sim.drivers import PATTERNS, Stream, settings, start
from sim.vectors import sweep


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pattern=PATTERNS)
async def equals_golden(dut, pattern):
    """Every word, in order, LATENCY cycles later."""
    name, state, out = settings()["name"], QFormat.parse(settings()["state"]), QFormat.parse(settings()["out"])
    words = sweep(state, 2000, "activation")
    await start(dut)
    sink = cocotb.start_soon(Stream(dut, "o").receive(len(words)))
    sent = await Stream(dut, "i").send([w & ((1 << state.width) - 1) for w in words], pattern=pattern)
    found, times = await sink
    step = derivative_step if name.endswith("_derivative") else activation_step
    expected = step(np.array(words), name.removesuffix("_derivative"), state, out)
    for word, got, want in zip(words, found, expected, strict=True):
        assert wrap(got, out.width) == want, f"{name}({word}) is {wrap(got, out.width)}, expected {want}"
    assert {t - s for s, t in zip(sent, times, strict=True)} == {settings()["latency"]}
