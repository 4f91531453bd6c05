"""The walk through convolutions: every address in order, no tap on padding, in as many cycles as golden counts."""

import pytest
from amaranth.hdl import ResetInserter, Signal
from cascades import LAYERS, small

from golden.cascade.layer import Block, Engine, Head, Stem
from golden.cascade.network import CascadeNetwork
from rtl.cascade.walk import Pixels, Program, Taps, Walk
from sim.pysim import run, stalls

FLAT = (Stem(height=1, width=1, inputs=8, outputs=4, kernel=1), Block(height=1, width=1, inputs=4, outputs=4, kernel=1),
        Block(height=1, width=1, inputs=4, outputs=6, kernel=1), Head(inputs=6, outputs=2, pixels=1, shift=4))
#: a run of taps is a word
COLUMN = (Stem(height=4, width=1, inputs=2, outputs=2), Block(height=4, width=1, inputs=2, outputs=2),
          Head(inputs=2, outputs=2, pixels=4, shift=4))
PROGRAMS = {
    "stretched": (LAYERS, Engine(layers=(1, 2), lanes=4, side=2), 1),
    "a column": (COLUMN, Engine(layers=(0, 1), lanes=2, side=2), 0),
    "one of several": (LAYERS, Engine(layers=(1, 2), lanes=2, side=2), 1), "stem": (LAYERS, Engine(
        layers=(0,), lanes=3, side=2), 0),
    "all": (LAYERS, Engine(layers=(0, 1, 2), lanes=4, side=1), 0), "a lane": (LAYERS, Engine(layers=(1,)), 1),
    "wide": (LAYERS, Engine(layers=(1,), lanes=4, side=4), 1), "flat": (FLAT, Engine(layers=(0, 1, 2), lanes=3), 0),
    "flat, a word": (FLAT, Engine(layers=(1,), lanes=1, side=4), 1)}


def program(name: str) -> Program:
    layers, unit, _ = PROGRAMS[name]
    rest = [Engine(layers=(n,)) for n in range(len(layers) - 1) if n not in unit.layers]
    net = CascadeNetwork(name="n", steps=1, pre=0, post=8, layers=layers, engines=(unit, *rest))
    return Program(unit, tuple(net.program(unit)))


def words(plan: Program, number: int) -> list[tuple[list[tuple[int, int]], int]]:
    """Of each pixel of a task, all folds of a row: addresses (weight, map), and the last input row that it reads."""
    unit, conv, found = plan.unit, plan.tasks[number].conv, []
    groups, pad = unit.groups(conv), conv.kernel // 2
    for y in range(conv.out_height):
        for fold in range(unit.folds(conv)):
            first = plan.starts[number] + fold * conv.taps * groups
            for x in range(conv.out_width):
                taps = [(i * conv.kernel + j, y * conv.stride + i - pad, x * conv.stride + j - pad)
                        for i in range(conv.kernel) for j in range(conv.kernel)]
                real = [tap for tap in taps if 0 <= tap[1] < conv.height and 0 <= tap[2] < conv.width]
                found.append(([(first + tap * groups + g, (row * conv.width + column) * groups + g)
                               for tap, row, column in real for g in range(groups)], real[-1][1]))
    return found


async def issue(ctx, dut, tasks, until=None):
    """Start the tasks, each as soon as the last is idle, and all rows are there."""
    ctx.set(dut.arrived, 64)
    for number in tasks:
        while not ctx.get(dut.idle):
            await ctx.tick()
        ctx.set(dut.task if until is None else until, number)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)


@pytest.mark.parametrize("name", PROGRAMS)
def test_walk(name):
    """Twice through the program: addresses, first and last of a pixel; no cycle between convolutions is lost."""
    plan = program(name)
    dut, tasks = Walk(plan), [*range(len(plan.tasks))] * 2
    wanted = [(number, pixel) for number in tasks for pixel, _ in words(plan, number)]
    seen = []

    async def start(ctx):
        await issue(ctx, dut, tasks, dut.task_in)

    async def watch(ctx):
        done = 0
        while done < len(wanted):
            _, _, *now = await ctx.tick().sample(dut.busy, dut.first, dut.last, dut.task, dut.weight, dut.map)
            seen.append(now)
            done += now[2]
    cycles = sum(plan.unit.cycles(plan.tasks[number].conv) for number in tasks)
    run(dut, start, watch, cycles=4 * cycles + 200)
    begin = next(n for n, now in enumerate(seen) if now[0])
    assert begin == Walk.LATENCY
    assert [now[3:] for now in seen if now[0]] == [[number, *word] for number, pixel in wanted for word in pixel]
    firsts = [n for n, now in enumerate(seen) if now[1]]
    lasts = [n for n, now in enumerate(seen) if now[2]]
    lengths = [last - first + 1 for first, last in zip(firsts, lasts, strict=True)]
    assert lengths == [max(plan.unit.lanes, len(pixel)) for _, pixel in wanted]
    # the next convolution begins while pixels of the last one wait in the queue, if they are long enough
    lost, short = len(seen) - begin - cycles, [number for number in tasks if all(
        len(pixel) <= 3 >= plan.unit.lanes for pixel, _ in words(plan, number))]
    assert -4 * len(short) <= lost <= 2 * len(short), "a cycle between two pixels is lost, or golden counts others"


@pytest.mark.parametrize("name", ["one of several", "wide"])
def test_pixels_wait_for_rows(name):
    """None is made before all rows that it reads are there, and each as soon as they are; an output that is stalled."""
    plan = program(name)
    dut, number = Pixels(plan), len(plan.tasks) - 1
    conv, wanted, made = plan.tasks[number].conv, words(plan, number), []
    pauses = stalls("random", name)

    async def bench(ctx):
        ctx.set(dut.task, number)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        held = None
        for cycle in range(500):
            arrived = cycle // 20
            ctx.set(dut.arrived, min(arrived, conv.height))
            ready = not next(pauses)
            ctx.set(dut.o.ready, ready)
            _, _, valid, payload, idle = await ctx.tick().sample(dut.o.valid, dut.o.payload, dut.idle)
            assert held is None or valid and held == payload, "a pixel that was stalled has changed"
            held = payload if valid and not ready else None
            if valid and ready:
                pixel, last_row = wanted[len(made)]
                assert last_row < arrived, f"pixel {len(made)} before row {last_row} was there"
                assert (payload.task, payload.weight, payload.map) == (number, *pixel[0])
                rows = {word // (conv.width * plan.unit.groups(conv)) for _, word in pixel}
                assert (payload.runs, payload.words) == (len(rows) - 1, len(pixel) // len(rows) - 1)
                made.append(cycle)
            if len(made) == len(wanted):
                assert idle
                return
    run(dut, bench, cycles=600)
    assert len(made) == len(wanted)


@pytest.mark.parametrize("after", [5, 23, 60])
def test_reset_in_mid_stream(after):
    """Nothing of what was under way is left: no word, and no end of a pixel."""
    plan = program("one of several")
    dut, button = Walk(plan), Signal()
    wanted, seen = words(plan, 1), []

    async def bench(ctx):
        await issue(ctx, dut, [3], dut.task_in)
        await ctx.tick().repeat(after)
        ctx.set(button, 1)
        await ctx.tick()
        ctx.set(button, 0)
        assert ctx.get(dut.idle)
        await issue(ctx, dut, [1], dut.task_in)
        while sum(now[2] for now in seen) < len(wanted):
            _, _, *now = await ctx.tick().sample(dut.busy, dut.first, dut.last, dut.task, dut.weight, dut.map)
            seen.append(now)
    run(ResetInserter(button)(dut), bench, cycles=500)
    assert [now[3:] for now in seen if now[0]] == [[1, *word] for pixel, _ in wanted for word in pixel]
    assert sum(now[1] for now in seen) == len(wanted)


def test_taps_wait_for_pixels():
    """Between pixels that come late nothing is first, last or busy; LATENCY from a pixel to its first address."""
    plan = program("one of several")
    dut, number, seen = Taps(plan), 3, []
    pixels = words(plan, number)[:5]
    layout = dut.i.payload.shape()
    assert set(layout.members) == {"task", "weight", "map", "runs", "words"}

    async def bench(ctx):
        for pixel, _ in pixels:
            rows = sorted({weight // (3 * 2) for weight, _ in pixel})
            ctx.set(dut.i.payload, {"task": number, "weight": pixel[0][0], "map": pixel[0][1], "runs": len(rows) - 1,
                                    "words": len(pixel) // len(rows) - 1})
            ctx.set(dut.i.valid, 1)
            assert ctx.get(dut.i.ready)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            now = []
            for _ in range(len(pixel) + 9):
                now.append([ctx.get(port) for port in (dut.busy, dut.first, dut.last, dut.weight, dut.map)])
                await ctx.tick()
            seen.append(now)
    run(dut, bench, cycles=300)
    for (pixel, _), now in zip(pixels, seen, strict=True):
        at = Taps.LATENCY - 1
        assert [one[3:] for one in now[at:at + len(pixel)]] == [list(word) for word in pixel]
        for which, cycles in ((0, range(at, at + len(pixel))), (1, [at]), (2, [at + len(pixel) - 1])):
            assert [n for n, one in enumerate(now) if one[which]] == list(cycles)


def test_program():
    plan = program("one of several")
    assert [task[:2] for task in plan.tasks] == [(2, "shortcut"), (1, "first"), (1, "second"), (2, "first"),
                                                 (2, "second")]
    # 3 folds of 2 groups; 2 folds of 9 taps, twice; 3 folds
    assert plan.starts == [0, 6, 42, 78, 132, 213]
    assert plan.map_words == 12
    rows, columns = plan.runs[3]
    assert rows == [(6, 1, 0, 1), (0, 1, 4, 2)]
    assert columns == [(2, 3, 0)]
    assert small().engines[1] == plan.unit
