"""ConvolutionEngine with maps of the test, and CascadeCore: words against golden, and the cycles that they take."""

import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from cascades import LAYERS, drawn, small, some_frames

from golden.cascade import engine, words
from golden.cascade.layer import Block, Engine, Head
from golden.fixed import wrap
from golden.image import build_image
from golden.regmap import BANK_SHIFT
from rtl.cascade.core import CascadeCore, step_cycles
from rtl.cascade.engine import ConvolutionEngine, jobs
from rtl.cascade.joint import Joint
from rtl.cascade.walk import Program
from rtl.units.mac import MacLanes
from sim.pysim import load, receive, run, send

TALL = tuple(Engine(layers=(n,), lanes=lanes, side=2) for n, lanes in enumerate((3, 4, 5)))


def writes(net, params):
    """(bank, word, data) of an image."""
    return [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(data))
            for addr, data in build_image(net, params).pairs]


def made(net, params, task, x, row):
    """Both words (activation, residual) of a task's convolution of x (height, width, inputs), by address."""
    own, names = params[task.layer], {"first": "1", "second": "2"}
    if task.role == "shortcut":
        weight, scale, bias = own.shortcut, own.shortcut_scale[0], np.zeros_like(own.shortcut_scale[0])
    else:
        suffix = names[task.role] if task.layer else ""
        weight, scale, bias = (getattr(own, f"{name}{suffix}") for name in ("weight", "scale", "bias"))
        scale, bias = scale[row], bias[row]
    total = engine.convolve(x[None], weight, task.conv)[0]
    return np.stack([engine.affine(total, scale, bias, net, engine.LIMITS[kind]).ravel()
                     for kind in ("activation", "residual")], 1)


@pytest.mark.parametrize(("engines", "number", "norm"), [
    (small().engines, 0, "shared"), (small().engines, 1, "step"), (TALL, 2, "step"),
    ((Engine(layers=(0, 1, 2), lanes=4, side=1),), 0, "shared")], ids=["stem", "two blocks", "block", "all"])
def test_engine(engines, number, norm):
    """Jobs that are wanted at odd times, the most urgent first; every word at its place, and what is said of rows."""
    net = small(engines=engines, norm=norm)
    unit, params, rng = net.engines[number], engine.random_params(net, 4), random.Random(number)
    bank0 = sum(other.lanes + 2 for other in engines[:number])
    dut = ConvolutionEngine(net, unit, bank0=bank0, vendor="generic")
    tasks, found, order, wanted = dut.program.tasks, {}, [], []
    maps = [np.random.default_rng(n).integers(0, 256, (task.conv.height, task.conv.width, task.conv.inputs))
            for n, task in enumerate(tasks)]
    rows = [rng.randrange(net.affine_rows(task.layer)) if task.role != "shortcut" else 0 for task in tasks]
    for n, task in enumerate(tasks):
        if task.role == "second":
            rows[n] = rows[n - 1]
    asked = [rng.randrange(len(dut.jobs)) for _ in range(5)]

    def word(task, address):
        values = maps[task].ravel()[address * unit.side:(address + 1) * unit.side]
        return sum(int(value) << 8 * k for k, value in enumerate(values))

    async def drive(ctx):
        await load(ctx, dut.params, writes(net, params), half=0, settle=unit.lanes + 8)
        ctx.set(dut.arrived, 64)
        waiting, wants, operands, idle = list(asked), set(), [0] * MacLanes.OPERAND_OFFSET, 0
        while waiting or wants or idle < 60:
            if waiting and waiting[0] not in wants and rng.random() < 0.05:
                wants.add(waiting.pop(0))
            ctx.set(dut.want, sum(1 << job for job in wants))
            ctx.set(dut.row, rows[min(ctx.get(dut.issuing), len(tasks) - 1)])
            ctx.set(dut.operand, operands.pop(0))
            busy = ctx.get(dut.busy)
            operands.append(word(ctx.get(dut.task), ctx.get(dut.map_addr)) if busy else 0)
            idle = 0 if busy or wants else idle + 1
            taken = ctx.get(dut.taken)
            if taken:
                job = taken.bit_length() - 1
                assert taken == 1 << min(wants), "the most urgent one begins"
                wants.remove(job)
                order.append(job)
            place = {name: ctx.get(getattr(dut.place, name)) for name in ("valid", "task", "address", "row", "whole")}
            if place["valid"]:
                found.setdefault(place["task"], []).append((place["address"], ctx.get(dut.activation), ctx.get(
                    dut.residual), place["row"], place["whole"]))
            await ctx.tick()
    run(dut, drive, cycles=12_000)
    assert sorted(order) == sorted(asked)
    for job in range(len(dut.jobs)):
        first, count = dut.jobs[job]
        for n in range(first, first + count):
            conv, each = tasks[n].conv, order.count(job)
            wanted = made(net, params, tasks[n], maps[n], rows[n])
            got = found.get(n, [])
            assert len(got) == len(wanted) * each, f"task {n}"
            for address, *both, row, whole in got:
                assert both == wanted[address].tolist(), f"task {n}, value {address}"
                last = address % (conv.out_width * conv.outputs) == conv.out_width * conv.outputs - 1
                assert (row, whole) == (last, address == len(wanted) - 1)


def test_jobs():
    net = small()
    assert jobs(Program(net.engines[1], tuple(net.program(net.engines[1])))) == [(0, 1), (1, 2), (3, 2)]


# ---- the core

def taps(net, unit, task):
    """Cycles in which products of real taps are made."""
    conv = task.conv
    return unit.folds(conv) * unit.groups(conv) * sum(n for _, n, _ in conv.rows) * sum(n for _, n, _ in conv.columns)


def run_core(net, params, frames, *, patterns=("none", "none")):
    """Words out, busy cycles by engine, and the cycles in which steps began."""
    core = CascadeCore(net)
    got, working, begun, cycles = [], np.zeros(len(net.engines), int), [], [0]
    count = net.run(params, frames).size
    given = net.units(frames).words
    # the first frame is cut short, once
    words_in = [{"x": int(word), "first": 0} for word in (*given[:7], net.END, *given)]

    async def drive(ctx):
        await load(ctx, core.params, writes(net, params), half=0, settle=core.info.settle)
        await send(ctx, core.i, words_in, pattern=patterns[0])

    async def sink(ctx):
        got.extend(await receive(ctx, core.o, count, pattern=patterns[1]))
        # engines still make what the last step leaves
        quiet = 0
        while quiet < 100:
            quiet = 0 if ctx.get(core.working) else quiet + 1
            await ctx.tick()
        assert not ctx.get(core.busy)
        done.append(True)

    async def watch(ctx):
        while not done:
            *_, now, tick = await ctx.tick().sample(core.working, core.tick)
            working[:] += [now >> n & 1 for n in range(len(working))]
            cycles[0] += 1
            if tick:
                begun.append(cycles[0])
    done = []
    run(core, drive, sink, watch, cycles=60_000)
    each = frames.shape[0] and count // len(frames)
    assert [n for n, one in enumerate(got) if one.last] == list(range(each - 1, count, each))
    return net.outputs_of([one.y for one in got], frames), working, begun


#: two shortcuts, which one engine makes
DEEP = small(layers=(*LAYERS[:3], Block(height=2, width=1, inputs=6, outputs=4), Head(
    inputs=4, outputs=3, pixels=2, shift=6, fraction=12)), norm="step", engines=(
        Engine(layers=(0,), lanes=3, side=2), Engine(layers=(1, 2, 3), lanes=4, side=2)))


@pytest.mark.parametrize(("net", "patterns"), [(DEEP, ("none", "none")), (small(engines=TALL), ("none", "bursts"))],
                         ids=["two", "three"])
def test_core(net, patterns):
    """Frames of any header; engines make products of real taps alone, and only those that golden says."""
    params = engine.random_params(net, 5)
    frames = np.concatenate([some_frames(net, 2, seed=2, **mode) for mode in (
        {}, {"cut": False, "serial": False}, {"rule": "margin", "threshold": 1370})])
    frames[-1, 2:] = 0
    wanted = net.run(params, frames)
    found, working, begun = run_core(net, params, frames, patterns=patterns)
    assert (found == wanted).all()
    said = words.split(wanted)
    assert len(begun) == said.computed.sum()
    for n, unit in enumerate(net.engines):
        evaluations = [len(frames), *((said.blocks >> k & 1).sum() for k in range(len(net.blocks)))]
        shorts = shortcuts(net, frames, said)
        products = sum(taps(net, unit, task) * (shorts[task.layer] if task.role == "shortcut" else
                                                evaluations[task.layer]) for task in net.program(unit))
        assert working[n] == products, f"engine {n}"


def shortcuts(net, frames, said):
    """How often the shortcut of each layer is made: in the k + 1 steps from a new frame on, of block k."""
    found, since = [0] * len(net.layers), []
    for n, frame in enumerate(frames):
        if n == 0 or words.header(frame[:2]).cut:
            since = []
        for t in range(said.computed[n].sum()):
            since = [t == 0, *since]
            for k in range(1, len(net.layers) - 1):
                found[k] += any(since[:k + 1])
    return found


def test_steps_follow_one_another():
    """Frames of one step: one begins every step_cycles, and some more for what an engine waits for at its begin."""
    net = small(engines=TALL)
    params = engine.random_params(net, 1)
    frames = some_frames(net, 6, cut=False, serial=False, steps=1)
    found, _, begun = run_core(net, params, frames)
    assert (found == net.run(params, frames)).all()
    period, least = np.diff(begun)[3:], step_cycles(net)
    assert least == max(sum(unit.cycles(task.conv) for task in net.program(unit)) for unit in net.engines[1:])
    assert period.min() >= least
    assert period.max() <= least + 60


def test_a_head_may_take_longest():
    """Many classes behind a fast engine: steps follow one another as the head is ready."""
    net = small(layers=(*LAYERS[:-1], replace(LAYERS[-1], outputs=32)), engines=TALL)
    params = engine.random_params(net, 1)
    frames = some_frames(net, 11, cut=False, serial=False, steps=1)
    found, _, begun = run_core(net, params, frames)
    assert (found == net.run(params, frames)).all()
    least = step_cycles(net)
    assert least == 12 + 32 * 8 > step_cycles(small(engines=TALL))
    assert 0 <= np.diff(begun)[-1] - least <= 40


def test_reset_in_mid_frame():
    """At any time: the next frame that forgets is as any other."""
    net = drawn("reset")
    params, button = engine.random_params(net, 2), Signal()
    core, got = CascadeCore(net), []
    frames = some_frames(net, 2, cut=True, serial=False)
    wanted = net.run(params, frames)
    words_in = [{"x": int(word), "first": 0} for word in net.units(frames).words]

    async def bench(ctx):
        await load(ctx, core.params, writes(net, params), half=0, settle=core.info.settle)
        ctx.set(core.i.valid, 1)
        await ctx.tick()
        assert ctx.get(core.busy), "in the cycle behind that in which a word comes"
        ctx.set(button, 1)
        await ctx.tick()
        ctx.set(button, 0)
        for wait in (3, 60, 333):
            await send(ctx, core.i, words_in[:frames.shape[1]])
            await ctx.tick().repeat(wait)
            ctx.set(button, 1)
            await ctx.tick().repeat(2)
            ctx.set(button, 0)
            assert not ctx.get(core.o.valid)
            assert not ctx.get(core.busy)
        await send(ctx, core.i, words_in)
        got.extend(await receive(ctx, core.o, wanted.size))
    run(ResetInserter(button)(core), bench, cycles=20_000)
    assert [one.y for one in got] == [wrap(int(word), 18) for word in wanted.ravel()]


def test_what_a_core_says_of_itself():
    net = small(engines=TALL)
    core = CascadeCore(net)
    assert core.info.constants == {"cycles_per_tick": step_cycles(net), "output_ticks": 4}
    assert (core.info.halves, core.info.learns) == (1, False)
    # frames of 15 steps, each with a pass of all engines and of both maps
    assert core.info.patience > 2 * 15 * (step_cycles(net) + 2 * max(np.prod(layer.out) for layer in LAYERS[:-1]))
    assert Joint.LATENCY + 1 == MacLanes.OPERAND_OFFSET
