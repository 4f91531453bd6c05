"""What becomes of sums: Affine word by word against golden, Places against the order in which a walk issues pixels."""

import random

import numpy as np
import pytest
from amaranth.hdl import Const, Module, ResetInserter, Signal, signed
from cascades import small
from test_cascade_walk import PROGRAMS, program

from golden.cascade import engine
from golden.cascade.layout import affine_words, rows_of
from golden.fixed import clip
from rtl.cascade.sums import Affine, Places, clipped
from sim.pysim import load, run

ENDS = [-1 << 17, -1, 0, 1, (1 << 17) - 1]


@pytest.mark.parametrize(("pre", "post", "width"), [
    (0, 4, 18), (0, 12, 12), (3, 12, 27), (16, 24, 36), (5, 20, 30)])
def test_affine(pre, post, width):
    """A sum a cycle, at the ends and beyond: both words LATENCY cycles later."""
    net, rng = small(pre=pre, post=post), random.Random(post)
    words = 9
    scales, biases = ([rng.choice((*ENDS, rng.randint(ENDS[0], ENDS[-1]))) for _ in range(words)] for _ in range(2))
    low, high = -1 << width - 1, (1 << width - 1) - 1
    given = [(rng.choice((low, low + 1, -1, 0, 1, high, rng.randint(low, high), rng.randint(low, high) >> width // 2)),
              rng.randrange(words)) for _ in range(150)]
    dut, got = Affine(net, width=width, words=words, bank0=7, vendor="generic"), []
    pairs = [(bank, n, word & (1 << 18) - 1) for bank, held in ((7, scales), (8, biases))
             for n, word in enumerate(held)] + [(6, 0, 1), (9, 0, 1)]
    passed = []

    async def bench(ctx):
        await load(ctx, dut.params, pairs, half=0, settle=4)
        for cycle in range(len(given) + dut.LATENCY):
            total, address = given[min(cycle, len(given) - 1)]
            ctx.set(dut.sum, total)
            ctx.set(dut.address, address)
            if cycle >= dut.LATENCY:
                got.append((ctx.get(dut.activation), ctx.get(dut.residual)))
            await ctx.tick()

    async def watch(ctx):
        bus = dut.params_out
        while len(passed) < len(pairs):
            *_, en, bank, addr, data = await ctx.tick().sample(bus.en, bus.bank, bus.addr, bus.data)
            passed.extend([(bank, addr, data)] * en)
    run(dut, bench, watch, cycles=400)
    assert passed == pairs
    sums, at = (np.array(each) for each in zip(*given, strict=True))
    wanted = [engine.affine(sums, np.array(scales)[at], np.array(biases)[at], net, engine.LIMITS[kind]).tolist()
              for kind in ("activation", "residual")]
    assert got == list(zip(*wanted, strict=True))


@pytest.mark.parametrize(("low", "high"), [(0, 255), (-2048, 2047), (0, 1)])
def test_clipped(low, high):
    values = sorted({base + d for base in (low, high, 4 * low, 3 * high, -(1 << 15), 1 << 14, 0) for d in (-1, 0, 1)
                     if -1 << 15 <= base + d < 1 << 15})
    m, x, y = Module(), Signal(signed(16)), Signal(signed(16))
    m.d.comb += y.eq(clipped(x, low, high))
    m.d.sync += Signal().eq(0)      # the simulator wants a clock

    async def bench(ctx):
        for value in values:
            ctx.set(x, value)
            assert ctx.get(y) == clip(value, low, high), value
    run(m, bench, cycles=10)
    assert len(clipped(Const(0, signed(16)), low, high)) <= high.bit_length() + 1


def places(plan, net, number, row):
    """(scale, None or (task, address, row there, all there)) of every sum of a task."""
    unit, conv, start = plan.unit, plan.tasks[number].conv, 0
    for task in plan.tasks[:number]:
        start += rows_of(net, task) * task.conv.outputs
    for y in range(conv.out_height):
        for fold in range(unit.folds(conv)):
            for x in range(conv.out_width):
                for channel in range(fold * unit.lanes, (fold + 1) * unit.lanes):
                    ends = channel == conv.outputs - 1 and x == conv.out_width - 1
                    yield start + row * conv.outputs + channel, None if channel >= conv.outputs else (
                        number, (y * conv.out_width + x) * conv.outputs + channel, ends,
                        ends and y == conv.out_height - 1)


async def follow(ctx, dut, begun, sums, rng, seen):
    """Begin convolutions whenever there is room, give sums of those begun some cycles ago."""
    waiting, due, cycle, rooms = [*begun], [], 0, set()
    while waiting or due:
        room = ctx.get(dut.room)
        rooms.add(room)
        begins = bool(waiting) and room and rng.random() < 0.7
        ctx.set(dut.begin, begins)
        if begins:
            number, row = waiting.pop(0)
            ctx.set(dut.task, number)
            ctx.set(dut.row, row)
            due += [(cycle + 6, one) for one in sums(number, row)]
        valid = bool(due) and due[0][0] <= cycle and rng.random() < 0.8
        ctx.set(dut.valid, valid)
        if valid:
            scale, place = due.pop(0)[1]
            assert place is None or ctx.get(dut.scale) == scale
        await ctx.tick()
        cycle += 1
        assert ctx.get(dut.place.valid) == (valid and place is not None)
        if valid and place is not None:
            now = dut.place
            assert tuple(ctx.get(part) for part in (now.task, now.address, now.row, now.whole)) == place
            seen.append(place)
    return rooms


@pytest.mark.parametrize("norm", ["shared", "step"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_places(name, norm):
    """Each sum's scale and place, tasks in any order, begun long before their sums come."""
    layers, unit, _ = PROGRAMS[name]
    plan, rng, seen = program(name), random.Random(name), []
    net = small(layers=layers, norm=norm, engines=())
    dut = Places(net, plan)
    assert dut.words == affine_words(net, unit)
    order = [rng.randrange(len(plan.tasks)) for _ in range(7)]
    begun = [(number, rng.randrange(rows_of(net, plan.tasks[number]))) for number in order]
    rooms = []

    async def bench(ctx):
        rooms.extend(await follow(ctx, dut, begun, lambda *task: places(plan, net, *task), rng, seen))
    run(dut, bench, cycles=20_000)
    assert seen == [place for task in begun for _, place in places(plan, net, *task) if place is not None]
    assert set(rooms) == {0, 1}


def test_reset_in_mid_stream():
    """The convolution under way and those that wait are forgotten."""
    plan, net, button = program("one of several"), small(), Signal()
    dut, seen, rng = Places(net, plan), [], random.Random(1)

    async def bench(ctx):
        for number in (3, 4, 1):
            ctx.set(dut.begin, 1)
            ctx.set(dut.task, number)
            await ctx.tick()
        ctx.set(dut.begin, 0)
        await ctx.tick().repeat(4)
        ctx.set(dut.valid, 1)
        await ctx.tick().repeat(5)
        ctx.set(dut.valid, 0)
        ctx.set(button, 1)
        await ctx.tick()
        ctx.set(button, 0)
        await follow(ctx, dut, [(2, 0), (0, 0)], lambda *task: places(plan, net, *task), rng, seen)
    run(ResetInserter(button)(dut), bench, cycles=2000)
    assert seen == [place for number in (2, 0) for _, place in places(plan, net, number, 0) if place is not None]


def test_latency_is_that_of_a_multiplier_unless_it_is_serial():
    assert Affine.latency() == Affine.latency(False) < Affine.latency(True)
