"""LeadLag against golden.units.leadlag: corners of every format, random words, latency, reset in mid-stream."""

import cocotb
import numpy as np

from golden.units.leadlag import leadlag_step
from sim.drivers import PATTERNS, Stream, cycles, layer_setting, pack, settings, start, unpack
from sim.vectors import draw

FIELDS = ("x", "i", "lead", "lag")


def _formats(layer):
    return {"x": layer.state, "i": layer.state, "lead": layer.lead, "lag": layer.lag}


def _vectors(layer):
    return draw(_formats(layer).values(), 800, "leadlag")


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pattern=PATTERNS)
async def equals_golden(dut, pattern):
    """Every transfer, in order, LATENCY cycles later."""
    layer = layer_setting()
    widths = [fmt.width for fmt in _formats(layer).values()]
    vectors = _vectors(layer)
    await start(dut)
    sink = cocotb.start_soon(Stream(dut, "o").receive(len(vectors)))
    sent = await Stream(dut, "i").send([pack(v, widths) for v in vectors], pattern=pattern)
    found, times = await sink
    x, i, lead, lag = np.array(vectors).T
    expected = leadlag_step(x, i, lead, lag, layer)
    got = np.array([unpack(word, [layer.state.width] * 2) for word in found])
    wrong = np.flatnonzero((got[:, 0] != expected.x) | (got[:, 1] != expected.y))
    for n in wrong[:1]:
        fields = dict(zip(FIELDS, vectors[n], strict=True))
        raise AssertionError(f"transfer {n}, {fields}: {got[n]}, expected {expected.x[n]}, {expected.y[n]}")
    assert {t - s for s, t in zip(sent, times, strict=True)} == {settings()["latency"]}


@cocotb.test(timeout_time=100, timeout_unit="us")
async def reset_drops_what_is_in_flight(dut):
    """After a reset nothing comes out until something new went in."""
    await start(dut)
    await Stream(dut, "i").send([0, 1, 2])
    dut.rst.value = 1
    await cycles(dut)
    dut.rst.value = 0
    for _ in range(2 * settings()["latency"]):
        assert dut.o_valid.value == 0
        await cycles(dut)
