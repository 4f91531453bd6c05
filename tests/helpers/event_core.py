"""EventCore in Amaranth's simulator, driven by its streams."""

import numpy as np

from golden.image import build_image
from golden.regmap import BANK_SHIFT, FIRST_BIT, WORD_MASK
from rtl.event.core import EventCore
from sim.pysim import load, receive, run, send


def image_writes(net, params) -> list[tuple[int, int, int]]:
    """(bank, word, data) of every write of the image."""
    return [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(data))
            for addr, data in build_image(net, params).pairs]


def run_core(net, params, x, *, pattern: str = "none", sink_pattern: str | None = None, cycles: int = 200_000,
             vendor: str = "generic"):
    """Outputs as `net.run` has them, of sequences one behind the other; and the cycle in which each tick was done."""
    core, out, done = EventCore(net, vendor=vendor), [], []
    units = net.units(x)
    words = [{"x": int(word) & WORD_MASK, "first": int(word) >> FIRST_BIT} for word in units.words]

    async def drive(ctx):
        await load(ctx, core.params, image_writes(net, params), half=0, settle=core.info.settle)
        await send(ctx, core.i, words, pattern=pattern)

    async def sink(ctx):
        out.extend(await receive(ctx, core.o, len(units.ends) * units.answers,
                                 pattern=pattern if sink_pattern is None else sink_pattern))

    async def watch(ctx):
        cycle = 0
        async for _, _, tick in ctx.tick().sample(core.tick):
            cycle += 1
            if tick:
                done.append(cycle)
            if len(done) == len(units.ends):
                break

    run(core, drive, sink, watch, cycles=cycles)
    lasts = [word.last for word in out]
    assert lasts == [k == units.answers - 1 for k in range(units.answers)] * len(units.ends), "words marked as last"
    return net.outputs_of([word.y for word in out], x), np.array(done)
