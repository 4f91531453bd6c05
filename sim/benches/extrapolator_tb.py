"""PredictedLine against golden.units.extrapolator: what is read in each tick, taps that learn, and the flag."""

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from golden.fixed import QFormat, wrap
from golden.rate.plastic import parse
from golden.units.extrapolator import Predictor, Way
from sim.drivers import cycles, settings, start
from sim.vectors import line_ticks


async def _load(dut, s, way, taps):
    """Taps and times into the half that comes into force."""
    for n, word in enumerate([] if taps is None else taps.ravel().tolist()):
        dut.params_en.value, dut.params_bank.value, dut.params_half.value = 1, s["bank"], 1
        dut.params_addr.value, dut.params_data.value = n, word & 0x3FFFF
        await cycles(dut)
    dut.params_en.value, dut.half.value = 0, 1
    dut.delay.value, dut.spacing.value = way.delay, way.predictor.spacing or way.delay
    fixed = way.predictor.fixed_taps(way.delay) if not way.predictor.has_taps and way.predictor.spacing else ()
    for n, word in enumerate(fixed):
        getattr(dut, f"fixed_{n}").value = word & ((1 << way.predictor.gain.width) - 1)
    await cycles(dut, 4)


async def _tick(dut, s, way, message, flags):
    """Open a tick, read the line, send the message of the tick: the words read, and whether one was not sent."""
    for name, value in ({"start": 1} | flags).items():
        getattr(dut, name).value = int(value)
    await cycles(dut)
    dut.start.value = 0
    found, lost = [], False
    for cycle in range(s["period"]):
        at = cycle - s["period"] + way.size
        dut.read_index.value, dut.i_valid.value = min(cycle, way.size - 1), int(at >= 0)
        dut.i_payload.value = int(message[max(at, 0)]) & ((1 << way.fmt.width) - 1)
        await ReadOnly()
        lost |= bool(dut.lost.value)
        if s["latency"] <= cycle < s["latency"] + way.size:
            found.append(wrap(int(dut.read_data.value), way.fmt.width))
        await cycles(dut)
    dut.i_valid.value = 0
    return found, lost


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def equals_golden(dut):
    """Smooth messages with jumps, a sequence that begins anew in the middle, ticks in which taps stay."""
    s = settings()
    way = Way(s["size"], QFormat.parse(s["fmt"]), s["delay"], s["depth"], parse(Predictor, s["predictor"]))
    taps, flags, seen = np.array(s["taps"]) if s["taps"] else None, False, False
    await start(dut)
    await _load(dut, s, way, taps)
    for n, tick in enumerate(line_ticks(way, taps, s["seed"], "extrapolator")):
        found, lost = await _tick(dut, s, way, tick.message, {"fresh": tick.fresh, "errors": 1, "learn": tick.learn})
        seen |= lost
        assert found == tick.read, f"tick {n}: {found}, expected {tick.read}"
        flags |= any(tick.lost)
    assert seen == flags, "the flag says something else than golden"
