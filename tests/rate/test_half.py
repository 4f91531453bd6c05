"""FarLine and HalfTop by themselves: messages that come at any time, and each board with the other one played."""

import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module, Signal

from golden.fixed import QFormat, wrap
from golden.image import build_image
from golden.rate import engine
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from golden.regmap import INPUT, OUTPUT, REGISTERS, VALID_BIT
from golden.units.delay import delay_line, delay_read, delay_write
from golden.units.extrapolator import Predictor, Way
from rtl.pipeline import ParameterBus
from rtl.rate.half import HalfTop
from rtl.rate.schedule import cycles_per_tick
from rtl.rate.ways import FarLine, loaded_times
from sim.pysim import run

FMT = QFormat(2, 5)


@pytest.mark.parametrize(("size", "depth", "others", "p"), [
    (1, 0, 0, None), (3, 2, 1, None), (4, 3, 5, None), (1, 1, 0, Predictor(kind="linear", history=1)),
    (3, 3, 2, Predictor(kind="linear", history=3))], ids=lambda v: getattr(v, "kind", v))
def test_far_line(size, depth, others, p):
    """A tick can start when its message is there and not before; the other board may be `others` ticks ahead."""
    rng, ticks = random.Random(f"far {size} {depth} {others}"), 30
    dut, ahead = FarLine(Way(size, FMT, depth, depth, p), others=others), p is not None
    messages = [[rng.randint(FMT.min, FMT.max) for _ in range(size)] for _ in range(ticks)]
    arrived, begun, waits = [0], [0], []

    async def far(ctx):
        for n, message in enumerate(messages):
            while n > max(begun[0] - 1, 0) + others:
                await ctx.tick()
            await ctx.tick().repeat(rng.choice((1, 1, 2, 150)))
            for word in message:
                ctx.set(dut.i.valid, 1)
                ctx.set(dut.i.payload, word)
                await ctx.tick()
                ctx.set(dut.i.valid, 0)
            arrived[0] = n + 1

    async def near(ctx):
        line = delay_line(np.zeros(size, np.int64), depth)
        ctx.set(dut.delay, depth)
        await ctx.tick().repeat(3)
        for n in range(ticks):
            # what comes predicted has been sent a tick sooner
            needs, waited = n - depth + ahead, 0
            while not ctx.get(dut.there):
                await ctx.tick()
                waited += 1
                assert waited < 1000, f"tick {n} never starts: {arrived[0]} messages have come"
            waits.append(waited)
            assert arrived[0] >= needs, f"tick {n} would have started without its message"
            if ahead:
                line = delay_write(line, np.array(messages[n]))
            ctx.set(dut.start, 1)
            ctx.set(dut.fresh, n == 0)
            await ctx.tick()
            begun[0] = n + 1
            ctx.set(dut.start, 0)
            want = delay_read(line, depth)
            for k in rng.sample(range(size), size):
                ctx.set(dut.read_index, k)
                await ctx.tick().repeat(dut.LATENCY)
                assert ctx.get(dut.read_data) == want[k], f"tick {n}, word {k}"
            if not ahead:
                line = delay_write(line, np.array(messages[n]))
            await ctx.tick().repeat(rng.choice((1, 3)))
    run(dut, far, near, cycles=ticks * (size * 6 + 150))
    assert max(waits) > 3, "no tick had to wait"


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("p", [
    None, Predictor(kind="linear", history=7), Predictor(kind="linear", history=7, spacing=2),
    Predictor(kind="second_order", history=7, spacing=2), Predictor(kind="fir", history=7, spacing=2, taps=3)],
    ids=lambda p: getattr(p, "kind", p))
def test_words_of_the_delays_of_a_way(p, which):
    """Those of the half in force, each at its address (golden.rate.layout.timing), and no others."""
    m, bus, half = Module(), ParameterBus().create(), Signal()
    found = loaded_times(m, bus, half, 5, Way(3, FMT, 2, 3, p), which)
    fixed = 0 if p is None or p.has_taps or not p.spacing else p.words
    addresses = {"delay": which, **({} if p is None else {"spacing": 2 + which})}
    addresses |= {n: 4 + 4 * which + n for n in range(fixed)}
    m.d.sync += Signal().eq(0)
    assert len(found.get("fixed", [])) == fixed
    assert found.keys() == ({"delay"} if p is None else {"delay", "spacing", "fixed"})

    async def bench(ctx):
        for half_of in (0, 1):
            for bank in (4, 6, 5):
                # all addresses that there are, and of other banks
                for addr in range(12):
                    for name, value in (("en", 1), ("bank", bank), ("half", half_of), ("addr", addr),
                                        ("data", addr % 4 if addr < 4 else 30 * bank + 3 * addr + half_of)):
                        ctx.set(getattr(bus, name), value)
                    await ctx.tick()
            ctx.set(bus.en, 0)
        for half_of in (0, 1):
            ctx.set(half, half_of)
            await ctx.tick()
            got = {name: ctx.get(found["fixed"][name] if isinstance(name, int) else found[name]) for name in addresses}
            assert got == {name: addr if addr < 4 else 150 + 3 * addr + half_of for name, addr in addresses.items()}
    run(m, bench, cycles=200)


def network() -> Network:
    """Two layers that learn, with a tick between them."""
    rate, layers = QFormat(1, 10), []
    for n, (inputs, outputs) in enumerate(((3, 4), (4, 2))):
        late = {"delay": 1, "max_delay": 1, "error_delay": 1, "max_error_delay": 1} if n else {}
        layers.append(Dense(
            inputs=inputs, outputs=outputs, activation="linear" if n else "tanh", operand=rate, weight=QFormat(2, 11),
            state=QFormat(3, 10), lead=QFormat(1, 10), lag=QFormat(0, 12), rate=rate, lanes=2 if n else 4,
            plastic=Plastic(error=QFormat(2, 11), slope=QFormat(1, 10), rate=1, gamma=3), **late))
    return Network(name="boards", dt=1.0, layers=tuple(layers), teacher=Teacher(loss="squared_error", seed=7))


async def access(ctx, bus, addr, data=None) -> int:
    """One access of a bus master."""
    ctx.set(bus.addr, addr)
    ctx.set(bus.w_data, data or 0)
    ctx.set(bus.read if data is None else bus.write, 1)
    *_, found = await ctx.tick().sample(bus.r_data).until(bus.ack)
    ctx.set(bus.read, 0)
    ctx.set(bus.write, 0)
    await ctx.tick()
    return found


@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
def test_half_top(upper):
    """Without errors from the other side a board is the engine of its layers; its ticks wait for the other's words."""
    net, rng, ticks, sent = network(), np.random.default_rng(3), 8, []
    params = tuple(p._replace(weight=p.weight >> 1, bias=p.bias >> 2) for p in engine.random_params(net, rng))
    low, high = net.layers[0].operand.min, net.layers[0].operand.max + 1
    x, rates = rng.integers(low, high, (ticks, 3)), rng.integers(low, high, (ticks, 4))
    mine = replace(net, teacher=None, layers=tuple(replace(layer, plastic=None, error_delay=0, max_error_delay=0)
                                                   for layer in net.layers[upper:][:1 + upper]))
    # a message of the lower board is a tick old when it comes
    heard = np.concatenate([np.zeros((1, 4), np.int64), rates[:-1]]) if upper else x
    want = engine.run(mine, tuple(p._replace(error_lead=None, error_lag=None) for p in params[upper:][:1]),
                      heard[None])[0]
    dut, image = HalfTop(net, cut=1, upper=upper), build_image(net, params)
    words = net.learning_units(x[:, None], np.zeros((ticks, 1, 2), np.int64), first=True, learn=False,
                               teach=False).words.reshape(ticks, -1)
    words = words[:, 3:] | (words[:, :1] & 1 << 31) * [1, 0] if upper else words[:, :3]
    period, out = cycles_per_tick(net, learning=True), []

    async def host(ctx):
        await access(ctx, dut.bus, REGISTERS["load_begin"].offset, 1)
        for addr, word in image.pairs.tolist():
            await access(ctx, dut.bus, addr, word)
        await access(ctx, dut.bus, REGISTERS["load_commit"].offset, image.crc)
        assert await access(ctx, dut.bus, REGISTERS["errors"].offset) == 0
        for vector in words.tolist():
            for word in vector:
                await access(ctx, dut.bus, INPUT, word)
        while upper and len(out) < ticks * 2:
            if (word := await access(ctx, dut.bus, OUTPUT)) >> VALID_BIT:
                out.append(wrap(word & 0x3FFFF, 18))
        while await access(ctx, dut.bus, REGISTERS["ticks"].offset) < ticks:
            pass
        await ctx.tick().repeat(2 * period)

    async def other(ctx):
        """Slower than ticks could be: two of them need nothing from over here."""
        await ctx.tick().repeat(14 * len(image.pairs) + 300)
        for n in range(ticks):
            await ctx.tick().repeat(3 * period)
            assert len(sent) == 4 * min(n + 2, ticks), f"after {n} messages"
            for word in rates[n] if upper else [0] * 4:
                ctx.set(dut.i_far.valid, 1)
                ctx.set(dut.i_far.payload, int(word))
                await ctx.tick()
            ctx.set(dut.i_far.valid, 0)

    async def watch(ctx):
        while len(sent) < ticks * 4:
            *_, valid, word = await ctx.tick().sample(dut.o_far.valid, dut.o_far.payload)
            if valid:
                sent.append(word)
    run(dut, host, other, watch, cycles=14 * len(image.pairs) + 5 * ticks * period + 6000)
    if upper:
        assert out == want.ravel().tolist()
        assert sent == [0] * ticks * 4, "errors of a board without a teacher"
    else:
        assert sent == want.ravel().tolist()
