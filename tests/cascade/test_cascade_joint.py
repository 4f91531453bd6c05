"""Map, Outbox, Decision and Joint by themselves: a model of an engine beside them, values against golden."""

import random
from collections import deque

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal

from golden.cascade.engine import LIMITS, join_step, works
from golden.cascade.layer import RESIDUAL_FRACTION, Block
from rtl.cascade.joint import QUEUE, SHORT_QUEUE, Decision, Joint, Outbox
from rtl.cascade.maps import Map
from sim.pysim import receive, run, send, stalls

PLAIN = Block(height=3, width=2, inputs=4, outputs=4)
CHANGES = Block(height=3, width=4, inputs=4, outputs=6, stride=2)
WIDER = Block(height=1, width=1, inputs=1, outputs=2, kernel=1)


@pytest.mark.parametrize("side", [1, 2, 4, 8])
@pytest.mark.parametrize("values", [1, 7, 16, 24])
def test_map(values, side):
    """Values in any order; words of `side` of them LATENCY cycles later, one a cycle."""
    rng = random.Random(values)
    dut, held = Map(values=values, side=side, vendor="generic"), [rng.randrange(256) for _ in range(values)]
    order = [n % values for n in range(values, 2 * values)]
    rng.shuffle(order)

    async def bench(ctx):
        for n in order:
            ctx.set(dut.write_en, 1)
            ctx.set(dut.write_addr, n)
            ctx.set(dut.write_data, held[n])
            await ctx.tick()
        ctx.set(dut.write_en, 0)
        ctx.set(dut.write_data, 255)
        asked = [rng.randrange(-(-values // side)) for _ in range(20)]
        for cycle in range(len(asked) + Map.LATENCY):
            if cycle >= Map.LATENCY:
                word = asked[cycle - Map.LATENCY]
                found = [ctx.get(dut.read_data) >> 8 * n & 255 for n in range(side)]
                wanted = held[word * side:(word + 1) * side]
                assert found[:len(wanted)] == wanted
            ctx.set(dut.read_addr, asked[min(cycle, len(asked) - 1)])
            await ctx.tick()
    run(dut, bench, cycles=100)


@pytest.mark.parametrize(("pattern", "pixels"), [("none", 9), ("random", 9), ("bursts", 9), ("random", 1)])
def test_outbox(pattern, pixels):
    """As many as have room are reserved, each comes some cycles later: none is lost, and the order stays."""
    dut, pauses, way = Outbox(pixels), stalls("random", "outbox"), deque([None] * 4)
    wanted = [{"h": n % 256, "first": n % 7 == 0, "new": n % 2, "cut": n % 3 == 0, "serial": n % 5 == 0}
              for n in range(150)]
    got, full = [], []

    async def fill(ctx):
        count = reserved = 0
        while count < len(wanted):
            reserve = reserved < len(wanted) and ctx.get(dut.room) and not next(pauses)
            full.append(not ctx.get(dut.room))
            ctx.set(dut.reserve, reserve)
            way.append(reserved if reserve else None)
            reserved += bool(reserve)
            comes = way.popleft()
            ctx.set(dut.i_valid, comes is not None)
            if comes is not None:
                ctx.set(dut.i, wanted[comes])
                count += 1
            await ctx.tick()
        ctx.set(dut.i_valid, 0)

    async def take(ctx):
        got.extend(await receive(ctx, dut.o, len(wanted), pattern=pattern, seed="take"))
        assert ctx.get(dut.room)
    run(dut, fill, take, cycles=2000)
    assert [one.h for one in got] == [one["h"] for one in wanted]
    assert [(one.first, one.new, one.cut, one.serial) for one in got] == [
        tuple(map(int, (one["first"], one["new"], one["cut"], one["serial"]))) for one in wanted]
    assert any(full) == (pattern == "bursts" or pixels == 1)


@pytest.mark.parametrize(("pixels", "depth"), [(2, QUEUE), (1, SHORT_QUEUE)])
def test_a_full_outbox(pixels, depth):
    dut = Outbox(pixels)

    async def bench(ctx):
        ctx.set(dut.reserve, 1)
        for _ in range(depth):
            assert ctx.get(dut.room)
            await ctx.tick()
        assert not ctx.get(dut.room)
    run(dut, bench, cycles=50)


def told(rng, steps: int):
    """(new, cut, serial) of steps of random frames, the first of which forgets."""
    found = []
    while len(found) < steps:
        serial, cut = rng.random() < 0.4, not found or rng.random() < 0.3
        found += [(t == 0, cut and t == 0, serial) for t in range(rng.choice((1, 1, 2, 3, 6)))]
    return found[:steps]


def decisions(number: int, rows: int, steps):
    """works, shorts, empty, row of each step, as golden.cascade.engine.step has them."""
    since, age, empty = [False] * (number + 1), 0, True
    for new, cut, serial in steps:
        if cut:
            since, age, empty = [False] * (number + 1), 0, True
        since = [new, *since[:-1]]
        work = works(number, since, serial)
        yield work, any(since), empty, min(age, rows - 1)
        age, empty = age + 1, empty and not work


@pytest.mark.parametrize("number", [1, 2, 3, 12])
@pytest.mark.parametrize("shared", [True, False])
def test_decision(number, shared):
    rng, rows = random.Random(number), 1 if shared else number
    dut, steps = Decision(number, rows), told(rng, 120)

    async def bench(ctx):
        for n, (step, wanted) in enumerate(zip(steps, decisions(number, rows, steps), strict=True)):
            for pin, value in zip((dut.first, dut.new, dut.cut, dut.serial), (1, *step), strict=True):
                ctx.set(pin, value)
            for cycle in range(rng.choice((1, 2, 5))):
                found = [ctx.get(pin) for pin in (dut.works, dut.shorts, dut.empty)]
                assert found == list(wanted[:3]), f"step {n}, cycle {cycle}"
                await ctx.tick()
                assert ctx.get(dut.row) == wanted[3], f"step {n}"
                # what else is on its way says nothing
                for pin, value in zip((dut.first, dut.new, dut.cut, dut.serial), (0, 1, 1, 1), strict=True):
                    ctx.set(pin, value)
    run(dut, bench, cycles=500)


class Partner:
    """An engine that does what a joint wants, slowly, with random words, and checks what it reads."""

    def __init__(self, dut, number: int, rows: int, side: int, steps, inputs, rng):
        self.dut, self.side, self.rng = dut, side, rng
        self.block, self.steps, self.inputs = dut.block, steps, inputs
        high, wide, channels = dut.block.out
        size = (len(steps), high, wide, channels)
        draw = np.random.default_rng(number)
        self.hidden, self.residual, self.sum = draw.integers(0, 256, size), draw.integers(-2048, 2048, size), \
            draw.integers(-2048, 2048, size)
        self.plan = list(decisions(number, rows, steps))

    def outputs(self):
        """Values of every step, golden's."""
        left, short = np.zeros(self.block.out, int), None
        for n, (work, shorts, empty, _) in enumerate(self.plan):
            if self.block.shortcut is None:
                identity = self.inputs[n] << RESIDUAL_FRACTION
            else:
                short = self.sum[n] if shorts else short
                identity = short
            yield join_step(identity, np.where(empty, 0, left))
            if work:
                left = self.residual[n]

    async def bench(self, ctx):
        """The steps in which there is work, one after the other, shortcuts first."""
        dut, has_short = self.dut, self.block.shortcut is not None
        for n, (work, shorts, _, row) in enumerate(self.plan):
            if has_short and shorts:
                await self._begin(ctx, dut.want_short, dut.taken_short)
                await self._read_input(ctx, n)
                await self._write(ctx, dut.sum, self.sum[n], n)
            if work:
                await self._begin(ctx, dut.want, dut.taken)
                assert ctx.get(dut.row) == row, f"step {n}"
                # an engine that others wait for must not wait for rows
                assert dut.alone or has_short or ctx.get(dut.arrived) == self.block.height, f"step {n}"
                await self._read_input(ctx, n)
                await self._write(ctx, dut.hidden, self.hidden[n], n)
                # the hidden map may be read where its rows are there, residuals change behind that
                for y in range(self.block.out[0]):
                    while ctx.get(dut.inner) <= y:
                        await ctx.tick()
                await self._read(ctx, dut.inner_addr, dut.inner_data, self.hidden[n], n)
                await self._write(ctx, dut.residual, self.residual[n], n)

    async def _begin(self, ctx, want, taken):
        while not ctx.get(want) or self.rng.random() < 0.5:
            await ctx.tick()
        ctx.set(taken, 1)
        await ctx.tick()
        ctx.set(taken, 0)

    async def _read_input(self, ctx, n):
        while ctx.get(self.dut.arrived) < self.block.height:
            await ctx.tick()
        await self._read(ctx, self.dut.read_addr, self.dut.read_data, self.inputs[n], n)

    async def _read(self, ctx, address, data, values, n):
        values = values.ravel()
        for word in range(-(-len(values) // self.side)):
            ctx.set(address, word)
            await ctx.tick().repeat(Joint.LATENCY)
            wanted = values[word * self.side:(word + 1) * self.side].tolist()
            assert [ctx.get(data) >> 8 * k & 255 for k in range(len(wanted))] == wanted, f"step {n}, word {word}"

    async def _write(self, ctx, port, values, n):
        """Pixel by pixel, channel by channel."""
        high, wide, channels = values.shape
        for address, value in enumerate(values.ravel()):
            y, x, channel = address // (wide * channels), address // channels % wide, address % channels
            row = (x, channel) == (wide - 1, channels - 1)
            for name, now in (("en", 1), ("address", address), ("data", int(value) & (1 << len(port.data)) - 1),
                              ("row", row), ("whole", row and y == high - 1)):
                ctx.set(getattr(port, name), now)
            await ctx.tick()
            for name in ("en", "row", "whole"):
                ctx.set(getattr(port, name), 0)
            if self.rng.random() < 0.2:
                await ctx.tick().repeat(self.rng.choice((1, 30)))


def values_of(steps, inputs):
    """Payloads of i: what a step is told with comes with its first value, and says nothing in others."""
    for step, values in zip(steps, inputs, strict=True):
        new, cut, serial = map(int, step)
        for n, value in enumerate(values.ravel()):
            own = {"new": new, "cut": cut, "serial": serial} if n == 0 else {"new": 1, "cut": 1, "serial": 1 - serial}
            yield {"h": int(value), "first": int(n == 0), **own}


@pytest.mark.parametrize(("block", "side", "number", "rows"), [
    (PLAIN, 4, 1, 1), (PLAIN, 1, 3, 3), (CHANGES, 2, 2, 1), (CHANGES, 4, 3, 3), (WIDER, 1, 2, 2)],
    ids=["plain", "plain, third", "changes", "changes, third", "one pixel"])
@pytest.mark.parametrize(("into", "out", "alone"), [("none", "none", True), ("random", "bursts", False),
                                                    ("bursts", "random", True)])
def test_joint(block, side, number, rows, into, out, alone):
    """Every value of every step, whoever is slow: maps are not overwritten while they are read."""
    rng = random.Random(f"{number} {into}")
    steps = told(rng, 7)
    # an input that has not changed is the same
    inputs = np.random.default_rng(number).integers(0, 256, (len(steps), block.height, block.width, block.inputs))
    dut = Joint(block, number=number, rows=rows, side=side, alone=alone, vendor="generic")
    partner = Partner(dut, number, rows, side, steps, inputs, rng)
    wanted, got = np.array(list(partner.outputs())), []

    async def source(ctx):
        await send(ctx, dut.i, values_of(steps, inputs), pattern=into)

    async def sink(ctx):
        got.extend(await receive(ctx, dut.o, wanted.size, pattern=out))
    run(dut, source, sink, partner.bench, cycles=20_000)
    low, high = LIMITS["activation"]
    assert [one.h for one in got] == wanted.ravel().tolist()
    assert {low, high} <= set(wanted.ravel()) or block is WIDER
    each = wanted[0].size
    assert [n for n, one in enumerate(got) if one.first] == list(range(0, wanted.size, each))
    assert [(one.new, one.cut, one.serial) for one in got[::each]] == [tuple(map(int, step)) for step in steps]


@pytest.mark.parametrize("block", [PLAIN, CHANGES], ids=["plain", "changes"])
def test_reset_in_mid_stream(block):
    """Whatever was under way: the next frame is the first."""
    rng, button = random.Random(1), Signal()
    steps = [(True, True, False), (False, False, False), (False, False, False)]
    inputs = np.random.default_rng(1).integers(0, 256, (3, block.height, block.width, block.inputs))
    dut = Joint(block, number=1, rows=1, side=2, alone=True, vendor="generic")
    partner = Partner(dut, 1, 1, 2, steps, inputs, rng)
    wanted, got = np.array(list(partner.outputs())), []

    async def bench(ctx):
        for payload in list(values_of(steps, inputs))[:block.inputs * 3]:
            ctx.set(dut.i.payload, payload)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.hidden.en, 1)
        await ctx.tick().repeat(3)
        ctx.set(dut.hidden.en, 0)
        ctx.set(button, 1)
        await ctx.tick()
        ctx.set(button, 0)
        done.append(True)
        await send(ctx, dut.i, values_of(steps, inputs))

    done = []

    async def sink(ctx):
        while not done:
            await ctx.tick()
        got.extend(await receive(ctx, dut.o, wanted.size))

    async def engine(ctx):
        while not done:
            await ctx.tick()
        await partner.bench(ctx)
    run(ResetInserter(button)(dut), bench, sink, engine, cycles=5000)
    assert [one.h for one in got] == wanted.ravel().tolist()
