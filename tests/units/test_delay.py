# amaranth: UnusedElaboratable=no
"""DelayLine: golden against its definition; rtl against golden for every delay, also changed on the way."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.fixed import QFormat
from golden.units.delay import delay_line, delay_read, delay_write
from rtl.units.delay import DelayLine
from sim.pysim import run


@given(st.lists(st.integers(-9, 9), max_size=30), st.integers(0, 9), st.integers(0, 3))
def test_golden_is_its_definition(messages, delay, spare):
    line = delay_line(0, delay + spare)
    for tick, message in enumerate(messages):
        # what was written in tick n leaves in tick n + 1 + delay
        assert delay_read(line, delay) == (messages[tick - 1 - delay] if tick > delay else 0)
        line = delay_write(line, message)


def test_an_empty_line_is_empty():
    assert delay_line(7, 2) == (0, 0, 0)


def test_refuses_a_delay_beyond_its_depth():
    for delay in (-1, 4):
        with pytest.raises(ValueError, match=r"delay must be in 0..3"):
            delay_read(delay_line(0, 3), delay)


def test_a_line_is_not_ahead_unless_it_is_told():
    assert not DelayLine(size=2, fmt=QFormat(2, 5), depth=3).ahead


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize(("size", "depth"), [(1, 0), (3, 0), (1, 3), (5, 9), (4, 2)])
def test_rtl_equals_golden(size, depth, ahead):
    fmt, rng = QFormat(2, 5), random.Random(f"{size} {depth}")
    dut = DelayLine(size=size, fmt=fmt, depth=depth, ahead=ahead)
    ticks = [([rng.randint(fmt.min, fmt.max) for _ in range(size)], rng.randint(0, depth), n in (0, 11))
             for n in range(30)]

    async def write(ctx, message):
        for word in message:
            ctx.set(dut.i.payload, word)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            await ctx.tick().repeat(rng.randrange(3) + 1)

    async def bench(ctx):
        for n, (message, delay, fresh) in enumerate(ticks):
            if fresh:
                line = delay_line(0, depth + 1)
            line = delay_write(line, tuple(message))
            if ahead:
                await write(ctx, message)
            ctx.set(dut.delay, delay)
            ctx.set(dut.fresh, fresh)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            want = delay_read(line, delay + (not ahead))
            for k in rng.sample(range(size), size):
                ctx.set(dut.read_index, k)
                await ctx.tick().repeat(dut.LATENCY)
                assert ctx.get(dut.read_data) == (want[k] if want else 0), f"tick {n}, word {k}, delay {delay}"
            if not ahead:
                await write(ctx, message)
    run(dut, bench, cycles=40 * len(ticks) * (size + 1))
