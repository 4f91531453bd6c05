"""A NetworkCore that learns in Amaranth's simulator, and golden beside it."""

import math
from typing import NamedTuple

import numpy as np
from core import image_writes

from golden.rate import learn
from golden.rate.layout import bank_layout, learnt_banks
from golden.rate.network import Network
from rtl.rate.core import NetworkCore
from rtl.rate.schedule import cycles_per_tick
from sim.pysim import load, receive, run, send


class Vector(NamedTuple):
    """One tick of one stream: words of input and target, flags; first: all streams begin anew."""

    x: np.ndarray
    target: np.ndarray
    first: bool = False
    learn: bool = True
    teach: bool = True


class Flags(NamedTuple):
    """By layer, as golden.rate.learn.LearnState has them."""

    overflow: tuple
    lost: tuple


def random_vectors(net: Network, rng: np.random.Generator, ticks: int, *, gates: bool = True) -> list[Vector]:
    """`ticks` of every stream, two sequences, now and then without teacher or learning."""
    fmt, found = net.layers[0].operand, []
    rate = net.layers[-1].rate
    for n in range(ticks * net.streams):
        target = rng.integers(rate.min, rate.max + 1, net.outputs)
        if net.teacher.loss == "cross_entropy":
            target = rng.integers(0, net.outputs + 1, 1)
        found.append(Vector(x=rng.integers(fmt.min, fmt.max + 1, net.inputs), target=target,
                            first=n in (0, ticks * 2 // 3 * net.streams),
                            learn=not gates or bool(rng.random() < 0.8), teach=not gates or bool(rng.random() < 0.8)))
    return found


def golden_run(net: Network, params, vectors, halve: int = 0):
    """Rates (ticks, outputs) and the state at the end."""
    state, noise, rates, fresh = learn.start(net, params), learn.registers(net), [], 0
    stream = -1
    for vector in vectors:
        stream = 0 if vector.first else (stream + 1) % net.streams
        fresh = net.streams if vector.first else fresh
        state, out = learn.learn_tick(state, stream, vector.x, vector.target, net, first=fresh > 0, learn=vector.learn,
                                      teach=vector.teach, halve=halve, noise=noise)
        fresh -= 1
        rates.append(out.rate)
    return np.array(rates), state


def circuit_run(net: Network, params, vectors, *, halve: int = 0, pattern: str = "none", vendor: str = "generic"):
    """Rates, the words that learn as they are read back (by bank and word), Flags by layer, gaps between ticks."""
    core, out, back, starts, flags = NetworkCore(net, vendor=vendor), [], {}, [], [0, 0]
    done, taken = [], []

    async def drive(ctx):
        await load(ctx, core.params, image_writes(net, params), half=1, settle=net.lanes + 5 * len(net.layers) + 5)
        ctx.set(core.want_half, 1)
        ctx.set(core.learning, 1)
        ctx.set(core.halve, halve)
        await ctx.tick().repeat(4)
        words = []
        for vector in vectors:
            for k, word in enumerate((*vector.x, *vector.target)):
                words.append({"x": int(word), "first": int(vector.first and k == 0), "learn": int(vector.learn),
                              "teach": int(vector.teach)})
        await send(ctx, core.i, words, pattern=pattern)
        async for _ in ctx.tick():
            if taken:
                break
        for bank, word in readable(net):
            ctx.set(core.probe_bank, bank)
            ctx.set(core.probe_addr, word)
            ctx.set(core.probe, 1)
            await ctx.tick()
            ctx.set(core.probe, 0)
            *_, back[bank, word] = await ctx.tick().sample(core.probe_data).until(core.probe_valid)
        done.append(True)

    async def sink(ctx):
        out.extend(await receive(ctx, core.o, len(vectors) * net.outputs, pattern=pattern))
        taken.append(True)

    async def watch(ctx):
        cycle = 0
        async for _, _, tick, overflow, lost in ctx.tick().sample(core.tick, core.overflow, core.lost):
            cycle += 1
            flags[:] = flags[0] | overflow, flags[1] | lost
            if tick:
                starts.append(cycle)
            if done and len(starts) >= len(vectors):
                break

    period = cycles_per_tick(net, learning=True)
    budget = 2000 + net.parameters * 3 + (len(vectors) + 5) * (period + 8 * (net.inputs + net.targets + net.outputs))
    budget += len(readable(net)) * 300
    run(core, drive, sink, watch, cycles=budget)
    rates = np.array([p.y for p in out]).reshape(len(vectors), net.outputs)
    layers = range(len(net.layers))
    found = Flags(tuple(bool(flags[0] >> n & 1) for n in layers),
                  tuple((bool(flags[1] >> 2 * n & 1), bool(flags[1] >> 2 * n + 1 & 1)) for n in layers))
    return rates, back, found, np.diff(starts)


def readable(net: Network) -> list[tuple[int, int]]:
    """(bank, word) of everything that learns."""
    found = []
    for layer, banks in zip(net.layers, bank_layout(net), strict=True):
        if layer.plastic is None:
            continue
        for row in range(layer.outputs):
            fold, lane = divmod(row, layer.lanes)
            found += [(banks.lanes + lane, fold * (layer.inputs + 1) + k) for k in range(layer.inputs + 1)]
        for name in ("lag", "tau") if layer.plastic.tau is not None else ():
            found += [(banks.constants[name], row) for row in range(layer.outputs)]
        for name, bank in banks.taps.items():
            if bank in learnt_banks(layer, banks):
                found += [(bank, word) for word in range(math.prod(layer.shape(name)))]
    return found


def learnt_words(net: Network, params) -> dict:
    """What golden holds at the addresses of `readable`."""
    found = {}
    for layer, banks, p in zip(net.layers, bank_layout(net), params, strict=True):
        if layer.plastic is None:
            continue
        for row in range(layer.outputs):
            fold, lane = divmod(row, layer.lanes)
            for k, word in enumerate((p.bias[row], *p.weight[row])):
                found[banks.lanes + lane, fold * (layer.inputs + 1) + k] = int(word)
            for name in ("lag", "tau") if layer.plastic.tau is not None else ():
                found[banks.constants[name], row] = int(getattr(p, name)[row])
        for name, bank in banks.taps.items():
            if bank in learnt_banks(layer, banks):
                found |= {(bank, word): int(value) for word, value in enumerate(getattr(p, name).ravel())}
    return found
