"""Images put in force while ticks overlap: every tick uses one half whole, weights, constants and delays alike."""

import random
from dataclasses import replace

import numpy as np
import pytest
from cases import random_input
from core import image_writes, strict_bank

from golden.fixed import QFormat
from golden.rate import engine
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.units.dense import DenseParams
from rtl.rate.core import NetworkCore
from rtl.rate.schedule import cycles_per_tick
from sim.pysim import load, receive, run, send

TICKS, IMAGES = 24, 4


def network(*layers) -> Network:
    """Layers (inputs, outputs, lanes, max_delay) of tanh neurons."""
    fmt = QFormat(1, 8)
    return Network(name="commit", dt=1.0, layers=tuple(
        Dense(inputs=i, outputs=o, activation="tanh", operand=fmt, weight=QFormat(1, 9), state=QFormat(3, 9),
              lead=QFormat(1, 8), lag=QFormat(0, 8), rate=fmt, lanes=lanes, max_delay=depth)
        for i, o, lanes, depth in layers))


NETS = {"3-9-9-2": network((3, 9, 4, 2), (9, 9, 9, 6), (9, 2, 2, 3)), "2-17-5": network((2, 17, 3, 6), (17, 5, 5, 1)),
        "12-30-3": network((12, 30, 13, 2), (30, 3, 1, 2))}


def small_params(net, rng) -> tuple[DenseParams, ...]:
    """Weights of a tenth of the range, so that little saturates and every word matters."""
    return tuple(p._replace(weight=p.weight // 10, bias=p.bias // 10) for p in engine.random_params(net, rng))


@pytest.mark.parametrize("name", NETS)
def test_images_in_mid_stream(name, monkeypatch):
    monkeypatch.setattr("rtl.primitives.Bank.elaborate", strict_bank)
    net, rng, words = NETS[name], random.Random(name), np.random.default_rng(len(name))
    nets = [replace(net, layers=tuple(replace(x, delay=rng.randint(0, x.max_delay)) for x in net.layers))
            for _ in range(IMAGES)]
    params = [small_params(net, words) for _ in range(IMAGES)]
    x = random_input(net, words, TICKS)
    # a sequence may start with any word of a vector
    fresh = {tick: rng.randrange(net.inputs) for tick in (0, rng.randrange(1, TICKS), rng.randrange(1, TICKS))}
    core, out, halves, loaded = NetworkCore(net), [], [], []

    async def host(ctx):
        for k in range(IMAGES):
            half = 1 - k % 2
            await load(ctx, core.params, image_writes(nets[k], params[k]), half=half, settle=net.lanes + 20)
            ctx.set(core.want_half, half)
            while ctx.get(core.half) != half:
                await ctx.tick()
            loaded.append(k)
            await ctx.tick().repeat(1 + rng.randrange(3 * core.period))

    async def source(ctx):
        while not loaded:
            await ctx.tick()
        await send(ctx, core.i, [{"x": int(word), "first": int(fresh.get(tick) == k)}
                                 for tick, vector in enumerate(x) for k, word in enumerate(vector)])

    async def sink(ctx):
        out.extend(await receive(ctx, core.o, TICKS * net.outputs))

    async def watch(ctx):
        while len(halves) < TICKS:
            *_, tick, half = await ctx.tick().sample(core.tick, core.half)
            if tick:
                halves.append(half)
    writes = sum(len(image_writes(n, p)) for n, p in zip(nets, params, strict=True))
    run(core, host, source, sink, watch, cycles=2 * writes + (TICKS + 4 * IMAGES + 9) * (cycles_per_tick(net) + 90))
    versions = np.cumsum(np.diff(halves, prepend=1) != 0)
    assert len(set(versions)) > 1, "no image came into force while ticks ran"
    state = engine.reset(net, 1)
    for tick in range(TICKS):
        state = engine.reset(net, 1) if tick in fresh else state
        version = versions[tick]
        state, outs = engine.network_step(state, x[tick][None], params[version], nets[version])
        got = [word.y for word in out[tick * net.outputs:(tick + 1) * net.outputs]]
        assert got == outs[-1].rate[0].tolist(), f"tick {tick} under image {version}"
