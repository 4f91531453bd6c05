"""ErrorUnit against golden.rate.learn.error_step: ticks of a stream, slopes of the tick before, latency, overflow."""

import random

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from golden.fixed import round_shift, wrap
from golden.rate.learn import error_step
from golden.units.dense import DenseParams
from golden.units.leadlag import at_rest
from sim.drivers import PATTERNS, Stream, cycles, layer_setting, settings, start

TICKS = 16


async def _constants(dut, words, width):
    """What the layer's banks give two cycles after `row`."""
    rows = [0, 0]
    while True:
        await ReadOnly()
        rows.append(int(dut.row.value))
        await cycles(dut)
        for name, values in words.items():
            getattr(dut, name).value = values[rows[-2] % len(values)] & ((1 << width[name]) - 1)


async def _watch(dut, seen):
    while True:
        await ReadOnly()
        seen[0] |= dut.overflow.value == 1
        await cycles(dut)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(pattern=PATTERNS)
async def equals_golden(dut, pattern):
    """Every eps of every tick, in order, LATENCY cycles after its eb; whether a word was at an end of its format."""
    layer, rng, get = layer_setting(), random.Random(f"error {pattern}"), settings()
    own, size, mask = layer.plastic, layer.outputs, (1 << layer.plastic.error.width) - 1
    formats = {name: layer.format(name) for name in get["constants"]}
    words = {name: [rng.randint(0, fmt.max) for _ in range(size)] for name, fmt in formats.items()}
    params = DenseParams(weight=None, bias=None, **{name: np.array(each) for name, each in words.items()})
    slope, v, seen = np.zeros(size, np.int64), np.full(size, at_rest(own)), [False]
    await start(dut)
    for n in range(size):
        dut.slope_en.value, dut.slope_addr.value, dut.slope_data.value = 1, n, 0
        await cycles(dut)
    dut.slope_en.value = 0
    cocotb.start_soon(_constants(dut, words, {name: fmt.width for name, fmt in formats.items()}))
    cocotb.start_soon(_watch(dut, seen))
    for tick in range(TICKS):
        fresh = tick in (0, 9)
        eb = [rng.randint(own.error.min, own.error.max) >> rng.randrange(0, 8) for _ in range(size)]
        eps, v = error_step(np.full(size, at_rest(own)) if fresh else v,
                            round_shift(np.array(eb) * slope, own.slope.frac_bits), params, own)
        seen[0], dut.fresh.value = False, int(fresh)
        sink = cocotb.start_soon(Stream(dut, "o").receive(size))
        sent = await Stream(dut, "i").send([word & mask for word in eb], pattern=pattern, seed=str(tick))
        found, times = await sink
        assert [wrap(word, own.error.width) for word in found] == eps.tolist(), f"tick {tick}"
        assert {b - a for a, b in zip(sent, times, strict=True)} == {get["latency"]}, f"tick {tick}"
        await cycles(dut, 12)
        ends = {own.error.min, own.error.max}
        assert seen[0] == bool(ends.intersection(eb) or ends.intersection(eps.tolist())), f"tick {tick}"
        slope = np.array([rng.randint(0, 1 << own.slope.frac_bits) for _ in range(size)])
        for n, word in enumerate(slope.tolist()):
            dut.slope_en.value, dut.slope_addr.value, dut.slope_data.value = 1, n, word
            await cycles(dut)
        dut.slope_en.value = 0
