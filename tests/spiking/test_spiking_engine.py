"""SpikingEngine, Serializer and Decision by themselves, against golden.spiking.engine."""

import random
from collections import deque

import numpy as np
import pytest
from spikes import expected_tokens

from golden.fixed import QFormat
from golden.image import build_image
from golden.regmap import BANK_SHIFT
from golden.spiking.engine import arrivals, decide, neuron_step, random_synapses, rest
from golden.spiking.layer import GROUP, SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.units.weights import Ternary
from rtl.spiking.engine import QUEUE, Decision, Serializer, SpikingEngine, Token
from sim.pysim import load, receive, run, send

TICKS, IMAGES = 5, 4


def layer(inputs: int, outputs: int, lanes: int, **fields) -> SpikingLayer:
    return SpikingLayer(**({"inputs": inputs, "outputs": outputs, "lanes": lanes, "weight": QFormat(2, 1),
                            "delay_bits": 2, "state": QFormat(4, 2), "leak": (2,), "threshold": 5} | fields))


def golden(one, synapses, spikes):
    """Spikes and membranes (images, ticks, outputs) of a layer."""
    came, state, found = arrivals(one, synapses, spikes), rest(one, len(spikes)), []
    for tick in range(spikes.shape[1]):
        state, fired, x = neuron_step(state, came[:, tick], one)
        found.append((fired, x))
    return tuple(np.stack(each, 1) for each in zip(*found, strict=True))


@pytest.mark.parametrize(("one", "pattern"), [
    (layer(3, 5, 2), "random"), (layer(4, 4, 4, order=2, refractory=1), "none"),
    (layer(2, 11, 8, weight=Ternary(plus=8, minus=4, seed=5), threshold=3), "bursts"),
    (layer(2, GROUP + 3, GROUP + 3), "none")], ids=["folds", "order 2", "seed", "two groups"])
def test_engine(one, pattern):
    """Tokens in, an update a fold and tick out; an image that is decided leaves no update."""
    net, rng = SpikingNetwork(name="n", ticks=TICKS, layers=(one, layer(one.outputs, 1, 1))), np.random.default_rng(1)
    params, spikes = random_synapses(net, rng), rng.random((IMAGES, TICKS, one.inputs)) < 0.5
    fired, x = golden(one, params[0], spikes)
    assert fired.any()
    dut, got, times = SpikingEngine(one, vendor="generic", bank0=0, spiking=True), [], {"issued": [], "came": []}
    pairs = [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(word))
             for addr, word in build_image(net, params).pairs]
    # the third image is decided before it begins
    decided, want = 2, []
    for image in set(range(IMAGES)) - {decided}:
        want += [(fold, fired[image, tick, fold * one.lanes:][:one.lanes].tolist(), fold == one.folds - 1)
                 for tick in range(TICKS) for fold in range(one.folds)] + ["image"]
    want[2 * (TICKS * one.folds + 1):2 * (TICKS * one.folds + 1)] = ["image"]
    tokens = [{"kind": kind, "source": line or 0} for kind, line in expected_tokens(spikes)]
    ended = []

    async def drive(ctx):
        ctx.set(dut.seed, one.weight.seed if one.regenerates else 0)
        ctx.set(dut.decided, 1)
        ctx.set(dut.number, decided)
        await load(ctx, dut.params, pairs, half=1, settle=8)
        await send(ctx, dut.i, tokens, pattern=pattern)
        await ctx.tick().repeat(dut.latency + 2 + (one.folds << one.delay_bits))
        ended.append(True)

    async def room(ctx):
        pauses = random.Random("room")
        while not ended:
            ctx.set(dut.room, pauses.random() < 0.7)
            await ctx.tick()

    async def watch(ctx):
        cycle = 0
        while not ended:
            *_, issued, update, image, fold, bits, last = await ctx.tick().sample(
                dut.issued, dut.update, dut.image, dut.fold, dut.fired, dut.last)
            cycle += 1
            times["issued"] += [cycle] * issued
            times["came"] += [cycle] * (update or image)
            if image:
                got.append("image")
            if update:
                neurons = min(one.lanes, one.outputs - fold * one.lanes)
                assert bits >> neurons == 0, "a neuron that there is not has fired"
                got.append((fold, [bool(bits >> n & 1) for n in range(neurons)], bool(last)))
    run(dut, drive, room, watch, cycles=len(pairs) + 60 * len(tokens) + 600)
    assert got == want
    assert [b - a for a, b in zip(times["issued"], times["came"], strict=True)] == [dut.latency] * len(want)


@pytest.mark.parametrize("pattern", ["none", "random", "bursts"])
@pytest.mark.parametrize(("outputs", "lanes", "delay"), [(5, 2, 1), (20, 20, 6), (40, 20, 9), (1, 1, 3)])
def test_serializer(outputs, lanes, delay, pattern):
    """All spikes of a tick in order, then its end; vectors come as fast as there is room, `delay` cycles later."""
    one, rng = layer(3, outputs, lanes), np.random.default_rng(2)
    rate = rng.choice([0.0, 0.1, 0.9], (IMAGES, TICKS, 1))
    spikes = rng.random((IMAGES, TICKS, outputs)) < rate
    dut, want, got = Serializer(one), expected_tokens(spikes), []

    async def drive(ctx):
        plan, burst, coming, cycle = deque(), deque(), deque(), 0
        for image in spikes:
            plan += [[(sum(int(bit) << n for n, bit in enumerate(tick[fold * lanes:][:lanes])), fold,
                       fold == one.folds - 1) for fold in range(one.folds)] for tick in image] + [["image"]]
        while plan or burst or coming:
            if plan and not burst and ctx.get(dut.room):
                burst += plan.popleft()
            ctx.set(dut.issued, bool(burst))
            if burst:
                coming.append((cycle + delay, burst.popleft()))
            now = coming.popleft()[1] if coming and coming[0][0] == cycle else None
            ctx.set(dut.image, now == "image")
            ctx.set(dut.update, now not in (None, "image"))
            if now not in (None, "image"):
                for name, value in zip(("fired", "fold", "last"), now, strict=True):
                    ctx.set(getattr(dut, name), value)
            await ctx.tick()
            cycle += 1
        ctx.set(dut.update, 0)
        ctx.set(dut.image, 0)

    async def sink(ctx):
        got.extend(await receive(ctx, dut.o, len(want), pattern=pattern))
    run(dut, drive, sink, cycles=40 * len(want) + 2000)
    assert [(token.kind, token.source if token.kind == Token.SPIKE else None) for token in got] == want


def test_serializer_latency_and_room():
    """From an update to its first token where nothing waits; QUEUE vectors may wait, then there is no room."""
    dut, found = Serializer(layer(3, 20, 20)), []

    async def bench(ctx):
        await ctx.tick().repeat(3)
        ctx.set(dut.fired, 1 << 17)
        ctx.set(dut.last, 1)
        ctx.set(dut.update, 1)
        ctx.set(dut.issued, 1)
        for cycle in range(40):
            if ctx.get(dut.o.valid):
                found.append(cycle)
            await ctx.tick()
            ctx.set(dut.update, 0)
            ctx.set(dut.issued, 0)
        assert ctx.get(dut.room)
        ctx.set(dut.issued, 1)
        await ctx.tick().repeat(QUEUE)
        ctx.set(dut.issued, 0)
        await ctx.tick().repeat(2)
        assert not ctx.get(dut.room)
    run(dut, bench, cycles=100)
    assert found[0] == Serializer.LATENCY


@pytest.mark.parametrize("stop_early", [True, False])
@pytest.mark.parametrize(("outputs", "gap"), [(1, 0), (3, 1), (10, 2), (32, 0)])
def test_decision(outputs, gap, stop_early):
    """Label and tick of every image, latency outputs and some cycles; whether more of it is needed."""
    one, rng = layer(3, outputs, outputs), np.random.default_rng(outputs)
    spikes = rng.random((8, TICKS, outputs)) < rng.choice([0, 0.4 / outputs, 0.9], (8, 1, 1))
    # few values: several membranes are the largest
    x = rng.integers(-2, 3, spikes.shape)
    want, dut, got, begins, comes = decide(spikes, x), Decision(one, stop_early=stop_early), [], [], []
    cycle, ended = [0], []

    async def step(ctx):
        await ctx.tick()
        cycle[0] += 1
        for member in (dut.update, dut.image):
            ctx.set(member, 0)

    async def drive(ctx):
        for image in range(len(spikes)):
            assert ctx.get(dut.number) == image
            done = False
            for tick in range(TICKS):
                assert ctx.get(dut.decided) == (done and stop_early), f"image {image}, tick {tick}"
                ctx.set(dut.update, 1)
                ctx.set(dut.fired, sum(int(bit) << n for n, bit in enumerate(spikes[image, tick])))
                for n in range(outputs):
                    ctx.set(dut.x[n], int(x[image, tick, n]))
                begins.extend([cycle[0]] * int(spikes[image, tick].any() and not done))
                done |= spikes[image, tick].any()
                await step(ctx)
                for _ in range(gap):
                    await step(ctx)
            ctx.set(dut.image, 1)
            begins.extend([cycle[0]] * int(not done))
            for _ in range(Decision.rest(one)):
                await step(ctx)
        for _ in range(outputs + 10):
            await step(ctx)
        ended.append(True)

    async def sink(ctx):
        ctx.set(dut.o.ready, 1)
        while not ended:
            if ctx.get(dut.o.valid):
                comes.append(cycle[0])
                got.append(ctx.get(dut.o.payload))
            await ctx.tick()
    run(dut, drive, sink, cycles=len(spikes) * (TICKS * (gap + 1) + outputs + 8) + outputs + 60)
    assert [(a.label, a.tick, bool(a.fired)) for a in got] == list(zip(*(v.tolist() for v in want), strict=True))
    assert [b - a for a, b in zip(begins, comes, strict=True)] == [Decision.latency(one)] * len(spikes)
    assert {True, False} == set(want.fired.tolist())
