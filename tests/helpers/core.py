"""NetworkCore in Amaranth's simulator, driven by its streams."""

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import memory

from golden.image import build_image
from golden.rate.network import Network
from golden.regmap import BANK_SHIFT
from rtl.rate.core import NetworkCore
from rtl.rate.schedule import cycles_per_tick
from sim.pysim import load, receive, run, send


def image_writes(net: Network, params) -> list[tuple[int, int, int]]:
    """(bank, word, data) of every write of the image."""
    return [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(data))
            for addr, data in build_image(net, params).pairs]


def run_core(net: Network, params, sequences, *, pattern: str = "none", vendor: str = "generic"):
    """Words out for `sequences`, a list of (ticks, inputs); also the cycles between ticks."""
    core = NetworkCore(net, vendor=vendor)
    ticks, starts = sum(map(len, sequences)), []
    out = []

    async def drive(ctx):
        await load(ctx, core.params, image_writes(net, params), half=1, settle=net.lanes + 5 * len(net.layers) + 5)
        ctx.set(core.want_half, 1)
        await ctx.tick().repeat(2)
        words = [{"x": int(word), "first": int(tick == 0 and k == 0)} for x in sequences
                 for tick, vector in enumerate(x) for k, word in enumerate(vector)]
        await send(ctx, core.i, words, pattern=pattern)

    async def sink(ctx):
        out.extend(await receive(ctx, core.o, ticks * net.outputs, pattern=pattern))

    async def watch(ctx):
        cycle = 0
        async for _, _, tick in ctx.tick().sample(core.tick):
            cycle += 1
            if tick:
                starts.append(cycle)
            if len(starts) == ticks:
                break

    words = net.parameters + sum(2 * layer.outputs + 1 for layer in net.layers)
    budget = words + 2 * net.lanes + 200 + (ticks + 5) * (cycles_per_tick(net) + 8 * (net.inputs + net.outputs))
    run(core, drive, sink, watch, cycles=budget)
    assert [p.last for p in out] == [k == net.outputs - 1 for k in range(net.outputs)] * ticks
    return np.array([p.y for p in out]).reshape(ticks, net.outputs), np.diff(starts)


def strict_bank(bank, platform):
    """Bank.elaborate that gives nonsense where a word is read in the cycle in which it is written.

    The contract of Bank leaves that read open, and so do block RAMs: schedules must keep the two apart.
    """
    m, collision, each = Module(), Signal(bank.columns), bank.width // bank.columns
    m.submodules.memory = store = memory.Memory(shape=bank.width, depth=bank.depth, init=bank.init)
    read = store.read_port(domain="sync")
    m.d.comb += [read.addr.eq(bank.read_addr), read.en.eq(1)]
    m.d.sync += bank.read_data.eq(read.data ^ Cat(one.replicate(each) for one in collision))
    if bank.writable:
        write = store.write_port(granularity=each if bank.columns > 1 else None)
        m.d.comb += [write.en.eq(bank.write_en), write.addr.eq(bank.write_addr), write.data.eq(bank.write_data)]
        m.d.sync += collision.eq(Mux(bank.write_addr == bank.read_addr, bank.write_en, 0))
    return m
