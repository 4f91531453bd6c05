"""LtcCore in Amaranth's simulator, driven by its streams."""

from types import SimpleNamespace

import numpy as np

from golden.image import build_image
from golden.ltc import layout
from golden.regmap import BANK_SHIFT, WORD_MASK
from rtl.ltc.core import LtcCore
from rtl.ltc.schedule import cycles_per_tick, latency
from sim.pysim import load, receive, run, send


def image_writes(net, params) -> list[tuple[int, int, int]]:
    """(bank, word, data) of every write of the image."""
    return [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(data))
            for addr, data in build_image(net, params).pairs]


def layer_writes(layer, params, first: int) -> list[tuple[int, int, int]]:
    """(bank, word, data) of one layer's parameters, its first lane in bank `first`."""
    net = SimpleNamespace(layers=[layer])
    return [(first + bank.number, word, int(data) & WORD_MASK)
            for bank, words in zip(layout.banks(net), layout.pack(net, [params]), strict=True)
            for word, data in zip(bank.words, words, strict=True)]


def words_of(sequences) -> list[dict]:
    """Input words of sequences (ticks, inputs)."""
    return [{"x": int(word), "first": int(tick == 0 and k == 0)} for x in sequences
            for tick, vector in enumerate(x) for k, word in enumerate(vector)]


def run_core(net, params, sequences, *, pattern: str = "none", core=None, images=None):
    """Words out (ticks, outputs) for `sequences`, one behind the other; and the cycles in which ticks began.

    images: parameters to load one after the other, each for one of the sequences, where there are several.
    """
    core = LtcCore(net) if core is None else core
    images = [params] if images is None else images
    parts = [sequences] if len(images) == 1 else [[x] for x in sequences]
    starts, out, writes = [], [], [image_writes(net, each) for each in images]
    ticks = [sum(map(len, part)) for part in parts]

    async def drive(ctx):
        for n, (words, part) in enumerate(zip(writes, parts, strict=True)):
            half = (n + 1) % 2
            await load(ctx, core.params, words, half=half, settle=core.info.settle)
            ctx.set(core.want_half, half)
            # what was loaded in place is there at once; else the other half is loaded while the last ticks run
            await send(ctx, core.i, words_of(part), pattern=pattern)
            while net.halves == 1 and len(out) < sum(ticks[:n + 1]) * net.outputs:
                await ctx.tick()

    async def sink(ctx):
        for count in ticks:
            out.extend(await receive(ctx, core.o, count * net.outputs, pattern=pattern))

    async def watch(ctx):
        cycle = 0
        async for _, _, tick in ctx.tick().sample(core.tick):
            cycle += 1
            if tick:
                starts.append(cycle)
            if len(starts) == sum(ticks):
                break
    budget = sum(map(len, writes)) + core.info.settle * len(writes) + 1000 + latency(net) * len(writes)
    budget += (sum(ticks) + 5) * (cycles_per_tick(net) + 8 * (net.inputs + net.outputs))
    run(core, drive, sink, watch, cycles=budget)
    assert [p.last for p in out] == [k == net.outputs - 1 for k in range(net.outputs)] * sum(ticks)
    return np.array([p.y for p in out]).reshape(-1, net.outputs), np.array(starts)
