"""DelayLine against golden.units.delay: delays that change from tick to tick, fresh sequences, words in any order."""

import random

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from golden.fixed import QFormat, wrap
from golden.units.delay import delay_line, delay_read, delay_write
from sim.drivers import PATTERNS, Stream, cycles, settings, start

TICKS = 40


async def _read(dut, order, latency, width):
    """The words at the indices `order`, one address a cycle."""
    found = []
    for n in range(len(order) + latency):
        dut.read_index.value = order[min(n, len(order) - 1)]
        await ReadOnly()
        if n >= latency:
            found.append(wrap(int(dut.read_data.value), width))
        await cycles(dut)
    return found


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pattern=PATTERNS)
async def equals_golden(dut, pattern):
    """What tick n reads is the message of tick n - 1 - delay (n - delay where `ahead`)."""
    s, rng = settings(), random.Random(f"delay {pattern}")
    size, depth, ahead, fmt = s["size"], s["depth"], s["ahead"], QFormat.parse(s["fmt"])
    source, line = Stream(dut, "i"), delay_line(np.zeros(size, np.int64), depth)
    await start(dut)
    for tick in range(TICKS):
        fresh, delay = tick == 0 or rng.random() < 0.1, rng.randint(0, depth)
        message = [rng.randint(fmt.min, fmt.max) for _ in range(size)]
        payloads = [word & ((1 << fmt.width) - 1) for word in message]
        if fresh:
            line = delay_line(np.zeros(size, np.int64), depth)
        if ahead:
            await source.send(payloads, pattern=pattern, seed=str(tick))
            line = delay_write(line, np.array(message))
        dut.start.value, dut.fresh.value, dut.delay.value = 1, int(fresh), delay
        await cycles(dut)
        dut.start.value = dut.fresh.value = 0
        order = rng.sample(range(size), size)
        # the newest message of the next tick may come in while this one is read
        arriving = None if ahead else cocotb.start_soon(source.send(payloads, pattern=pattern, seed=str(tick)))
        found = await _read(dut, order, s["latency"], fmt.width)
        if arriving is not None:
            await arriving
        expected = delay_read(line, delay)[order].tolist()
        assert found == expected, f"tick {tick}, delay {delay}, words {order}: {found}, expected {expected}"
        if not ahead:
            line = delay_write(line, np.array(message))
