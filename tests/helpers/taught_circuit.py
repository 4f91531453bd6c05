"""A TaughtCore in Amaranth's simulator: ticks of all streams, and the weights read back."""

from typing import NamedTuple

import numpy as np
from core import strict_bank

from golden.image import build_image
from golden.ltc import learn
from golden.ltc.teacher import FRESH_BIT
from golden.regmap import BANK_SHIFT
from rtl.ltc.taught.core import TaughtCore
from rtl.vendor.generic import Bank
from sim.pysim import load, receive, run, send


class Lesson(NamedTuple):
    """Of all streams (ticks, streams): x (.., inputs), labels, and flags; halve, of all ticks; errors run or not."""

    x: np.ndarray
    label: np.ndarray
    fresh: np.ndarray
    learn: np.ndarray
    teach: np.ndarray
    halve: int = 0
    errors: bool = True


def drawn(net, rng, ticks: int, **changed) -> Lesson:
    """Random ticks; the first of every stream begins a sequence."""
    shape, fmt = (ticks, net.streams), net.layers[0].operand
    x = rng.integers(-6000, 6000, (*shape, net.inputs)).clip(fmt.min, fmt.max)
    fresh, on, teach = (rng.random(shape) < share for share in (0.2, 0.8, 0.8))
    fresh[0] = True
    return Lesson(x, rng.integers(0, net.outputs, shape), fresh, on, teach, **changed)


def golden(net, params, lesson: Lesson):
    """Outputs (ticks * streams, outputs) and the last state."""
    state, noise, found = learn.start(net, params), learn.registers(net), []
    for t in range(len(lesson.x)):
        for k in range(net.streams):
            flags = {"fresh": bool(lesson.fresh[t, k]), "learn": bool(lesson.learn[t, k]),
                     "teach": bool(lesson.teach[t, k])} if lesson.errors else \
                {"fresh": t == 0, "learn": False, "teach": False}
            state, out = learn.learn_tick(state, k, lesson.x[t, k], int(lesson.label[t, k]), net, halve=lesson.halve,
                                          noise=noise, **flags)
            found.append(out.y)
    return np.array(found), state


def words_of(net, lesson: Lesson) -> list[dict]:
    """Payloads of the input, the first of which begins all streams anew."""
    found = []
    for t in range(len(lesson.x)):
        for k in range(net.streams):
            target = int(lesson.label[t, k]) | int(lesson.fresh[t, k]) << FRESH_BIT
            for word in (*lesson.x[t, k], *([target] if lesson.errors else [])):
                found.append({"x": int(word), "first": int(not found), "learn": int(lesson.learn[t, k]),
                              "teach": int(lesson.teach[t, k])})
    return found


class Played(NamedTuple):
    """Outputs; weights read back by (bank, word); cycles between ticks; overflow, bits by layer."""

    y: np.ndarray
    weights: dict
    gaps: np.ndarray
    overflow: int


def circuit(net, params, lesson: Lesson, *, pattern: str = "none", probes: int = 1, strict: bool = True,
            monkeypatch=None) -> Played:
    """Run a lesson; `probes` words of every bank are read back. strict: memories as tests.helpers.core has them."""
    if strict:
        monkeypatch.setattr(Bank, "elaborate", strict_bank)
    core, got, back, starts, over, done = TaughtCore(net), [], {}, [], [], []
    count = lesson.label.size * net.outputs

    async def drive(ctx):
        writes = [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(data))
                  for addr, data in build_image(net, params).pairs]
        await load(ctx, core.params, writes, half=0, settle=core.info.settle)
        for port, value in ((core.want_half, 1), (core.learning, int(lesson.errors)), (core.halve, lesson.halve)):
            ctx.set(port, value)
        await send(ctx, core.i, words_of(net, lesson), pattern=pattern)
        while not done:
            await ctx.tick()
        for bank in net.layout() if lesson.errors else ():
            for word in bank.words[-probes:]:
                ctx.set(core.probe_bank, bank.number)
                ctx.set(core.probe_addr, word)
                ctx.set(core.probe, 1)
                await ctx.tick()
                ctx.set(core.probe, 0)
                while not ctx.get(core.probe_valid):
                    await ctx.tick()
                back[bank.number, word] = ctx.get(core.probe_data)
        done.append(True)

    async def sink(ctx):
        got.extend(await receive(ctx, core.o, count, pattern=pattern))
        done.append(True)

    async def watch(ctx):
        cycle = 0
        async for _, _, tick, overflow in ctx.tick().sample(core.tick, core.overflow):
            cycle += 1
            over.append(overflow)
            if tick:
                starts.append(cycle)
            if len(done) == 2:
                break

    run(core, drive, sink, watch, cycles=200_000)
    assert [p.last for p in got] == [k == net.outputs - 1 for k in range(net.outputs)] * lesson.label.size
    return Played(np.array([p.y for p in got]).reshape(-1, net.outputs), back, np.diff(starts),
                  int(np.bitwise_or.reduce(over)))
