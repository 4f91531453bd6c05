"""Plasticity against golden.units.plasticity: corners, random words, latency, the register after a reset."""

import cocotb
import numpy as np

from golden.fixed import QFormat, wrap
from golden.units.plasticity import Noise, plasticity_step
from sim.drivers import PATTERNS, Stream, cycles, pack, settings, start
from sim.vectors import draw


def _formats():
    return [QFormat.parse(settings()[name]) for name in ("weight", "error", "rate")]


def _vectors(count):
    return draw(_formats(), count, "plasticity")


async def _compare(dut, vectors, pattern="none"):
    formats, get = _formats(), settings()
    sink = cocotb.start_soon(Stream(dut, "o").receive(len(vectors)))
    widths = formats[0].width, formats[1].width + formats[2].width
    sent = await Stream(dut, "i").send([pack((w, eps * r), widths) for w, eps, r in vectors], pattern=pattern)
    found, times = await sink
    noise = Noise(get["seed"])[np.arange(len(vectors))]
    want = plasticity_step(*np.array(vectors).T, noise, get["shift"], formats[0])
    for n, (word, expected) in enumerate(zip(found, want, strict=True)):
        got = wrap(word, formats[0].width)
        assert got == expected, f"transfer {n}, (w, eps, r) = {vectors[n]}: {got}, expected {expected}"
    assert {t - s for s, t in zip(sent, times, strict=True)} == {get["latency"]}


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pattern=PATTERNS)
async def equals_golden(dut, pattern):
    """Every weight, in order, LATENCY cycles later; gaps take no number of the register."""
    await start(dut)
    await _compare(dut, _vectors(1000), pattern)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_goes_back_to_the_seed(dut):
    """After a reset nothing of before comes out, and the noise begins anew."""
    await start(dut)
    await Stream(dut, "i").send([1, 2, 3])
    dut.rst.value = 1
    await cycles(dut, 2)
    dut.rst.value = 0
    for _ in range(2 * settings()["latency"]):
        assert dut.o_valid.value == 0
        await cycles(dut)
    await _compare(dut, _vectors(100))
