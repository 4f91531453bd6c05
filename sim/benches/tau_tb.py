"""TimeConstant against golden.rate.learn.tau_step: random words and those of a unit that learns, latency, `reseed`."""

import random

import cocotb
import numpy as np

from golden.rate.learn import tau_step
from golden.rate.plastic import increment_format
from golden.units.dense import DenseParams
from golden.units.plasticity import Noise
from sim.drivers import PATTERNS, Stream, cycles, layer_setting, pack, settings, start, unpack


def _formats(layer):
    return layer.plastic.error, increment_format(layer), layer.plastic.tau, layer.lag


def _vectors(layer, count: int):
    """(eps, step, tau, lag): half of them as they are when tau_m moves by little and lag is its reciprocal."""
    rng, formats = random.Random("tau"), _formats(layer)
    tau, one = formats[2], 1 << layer.plastic.tau.frac_bits + layer.lag.frac_bits
    for n in range(count):
        word = [rng.randint(f.min, f.max) for f in formats]
        if n % 2:
            t = rng.randint(1 << tau.frac_bits, tau.max)
            word = [word[0] >> rng.randrange(formats[0].width), word[1] >> rng.randrange(12), t,
                    min(max(one // t + rng.randint(-2, 2), layer.lag.min), layer.lag.max)]
        yield word


async def _compare(dut, layer, vectors, pattern):
    widths = [fmt.width for fmt in _formats(layer)]
    sink = cocotb.start_soon(Stream(dut, "o").receive(len(vectors)))
    sent = await Stream(dut, "i").send([pack(word, widths) for word in vectors], pattern=pattern)
    found, times = await sink
    eps, step, tau, lag = np.array(vectors).T
    none = np.zeros(1, np.int64)
    want = tau_step(DenseParams(weight=none, bias=none, lead=none, lag=lag, tau=tau), layer, eps, step,
                    Noise(settings()["seed"])[np.arange(len(vectors))])
    for word, got, right in zip(vectors, found, zip(want.tau, want.lag, strict=True), strict=True):
        assert tuple(unpack(got, widths[2:])) == right, f"(eps, step, tau, lag) = {word}: not {right}"
    assert {b - a for a, b in zip(sent, times, strict=True)} == {settings()["latency"]}


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pattern=PATTERNS)
async def equals_golden(dut, pattern):
    """Both words, LATENCY cycles later; `reseed` starts the register again."""
    layer = layer_setting()
    vectors = list(_vectors(layer, 300))
    await start(dut)
    await _compare(dut, layer, vectors, pattern)
    dut.reseed.value = 1
    await cycles(dut)
    dut.reseed.value = 0
    await _compare(dut, layer, vectors[::-1], pattern)
