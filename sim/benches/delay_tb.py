"""DelayLine against golden.units.delay: delays that change from tick to tick, fresh sequences, words in any order."""

import cocotb
from cocotb.triggers import ReadOnly

from golden.fixed import QFormat, wrap
from sim.drivers import PATTERNS, Stream, cycles, settings, start
from sim.vectors import delay_ticks


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
    s = settings()
    size, ahead, fmt = s["size"], s["ahead"], QFormat.parse(s["fmt"])
    source = Stream(dut, "i")
    await start(dut)
    for n, tick in enumerate(delay_ticks(size, fmt, s["depth"], f"delay {pattern}", ahead=ahead)):
        payloads = [word & ((1 << fmt.width) - 1) for word in tick.message]
        if ahead:
            await source.send(payloads, pattern=pattern, seed=str(n))
        dut.start.value, dut.fresh.value, dut.delay.value = 1, int(tick.fresh), tick.delay
        await cycles(dut)
        dut.start.value = dut.fresh.value = 0
        # the newest message of the next tick may come in while this one is read
        arriving = None if ahead else cocotb.start_soon(source.send(payloads, pattern=pattern, seed=str(n)))
        found = await _read(dut, tick.order, s["latency"], fmt.width)
        if arriving is not None:
            await arriving
        assert found == tick.expected, f"tick {n}, delay {tick.delay}, words {tick.order}: {found}, not {tick.expected}"
