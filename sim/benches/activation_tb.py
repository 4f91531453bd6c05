"""Activation against golden.units.activation: every word of the state, or corners and random words of a wide one."""

import random

import cocotb
import numpy as np

from golden.fixed import QFormat, wrap
from golden.units.activation import activation_step, derivative_step
from sim.drivers import PATTERNS, Stream, settings, start

LIMIT = 2000


def _words(fmt):
    if fmt.width <= 10:
        return list(range(fmt.min, fmt.max + 1))
    rng = random.Random("activation")
    one = 1 << fmt.frac_bits
    near = [c + d for c in (fmt.min, -one, 0, one, fmt.max) for d in range(-20, 21)]
    return [w for w in near if fmt.min <= w <= fmt.max] + [rng.randint(fmt.min, fmt.max) for _ in range(LIMIT)]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pattern=PATTERNS)
async def equals_golden(dut, pattern):
    """Every word, in order, LATENCY cycles later."""
    name, state, out = settings()["name"], QFormat.parse(settings()["state"]), QFormat.parse(settings()["out"])
    words = _words(state)
    await start(dut)
    sink = cocotb.start_soon(Stream(dut, "o").receive(len(words)))
    sent = await Stream(dut, "i").send([w & ((1 << state.width) - 1) for w in words], pattern=pattern)
    found, times = await sink
    step = derivative_step if name.endswith("_derivative") else activation_step
    expected = step(np.array(words), name.removesuffix("_derivative"), state, out)
    for word, got, want in zip(words, found, expected, strict=True):
        assert wrap(got, out.width) == want, f"{name}({word}) is {wrap(got, out.width)}, expected {want}"
    assert {t - s for s, t in zip(sent, times, strict=True)} == {settings()["latency"]}
