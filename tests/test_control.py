"""Control on the bus: registers, images that must not come into force, words in and out, error flags."""

import zlib

import numpy as np
import pytest
from cases import random_input, random_network

from golden import engine
from golden.image import build_image
from golden.regmap import ERRORS, FIRST_BIT, INPUT, LAST_BIT, MAGIC, OUTPUT, REGISTERS, VALID_BIT, parameter_address
from rtl.schedule import cycles_per_tick
from rtl.top import NetworkTop
from sim.pysim import run

NET = random_network("control 4", largest=3)
RNG = np.random.default_rng(4)
OLD, NEW = engine.random_params(NET, RNG), engine.random_params(NET, RNG)
X = random_input(NET, RNG, 6)


class Host:
    """The host's side of the bus."""

    def __init__(self, ctx, bus):
        self.ctx, self.bus = ctx, bus

    async def access(self, addr, data=None):
        ctx, bus = self.ctx, self.bus
        ctx.set(bus.addr, addr)
        ctx.set(bus.w_data, data or 0)
        ctx.set(bus.read, data is None)
        ctx.set(bus.write, data is not None)
        word, error = await ctx.tick().sample(bus.r_data, bus.error).until(bus.ack)
        ctx.set(bus.read, 0)
        ctx.set(bus.write, 0)
        await ctx.tick()
        return word, error

    async def get(self, name):
        return (await self.access(REGISTERS[name].offset))[0]

    async def set(self, name, value):
        await self.access(REGISTERS[name].offset, value)

    async def load(self, pairs, crc=None):
        await self.set("load_begin", 1)
        for addr, data in pairs:
            await self.access(int(addr), int(data))
        await self.set("load_commit", zlib.crc32(np.asarray(pairs, "<u4").tobytes()) if crc is None else crc)
        while await self.get("status") & 2:
            pass

    async def infer(self, x):
        out = []
        for n, vector in enumerate(x):
            for k, word in enumerate(vector):
                await self.access(INPUT, int(word) & 0x3FFFF | (n == k == 0) << FIRST_BIT)
            for k in range(NET.outputs):
                word = 0
                while not word >> VALID_BIT & 1:
                    word, _ = await self.access(OUTPUT)
                assert word >> LAST_BIT & 1 == (k == NET.outputs - 1)
                out.append((word & 0x1FFFF) - (word & 0x20000))
        return np.array(out).reshape(len(x), NET.outputs)


def check(bench, cycles=60_000):
    top = NetworkTop(NET)

    async def body(ctx):
        await bench(Host(ctx, top.bus))
    run(top, body, cycles=cycles)


def want(params):
    return engine.run(NET, params, X[None])[0]


def test_registers():
    async def bench(host):
        got = {name: await host.get(name) for name in REGISTERS}
        assert got["magic"] == MAGIC
        assert f"{got['fingerprint_high']:08x}{got['fingerprint_low']:08x}" == NET.fingerprint
        assert got["shape"] == NET.inputs | NET.outputs << 16
        assert got["cycles_per_tick"] == cycles_per_tick(NET)
        assert got["parameter_words"] == len(build_image(NET, OLD))
        await host.set("scratch", 0xDEADBEEF)
        assert await host.get("scratch") == 0xDEADBEEF
        assert await host.get("errors") == 0
    check(bench)


def test_one_image_after_another():
    async def bench(host):
        await host.load(build_image(NET, OLD).pairs)
        assert (await host.infer(X) == want(OLD)).all()
        await host.load(build_image(NET, NEW).pairs)
        assert (await host.infer(X) == want(NEW)).all()
        assert await host.get("ticks") == 2 * len(X)
        assert await host.get("busy_cycles") == 2 * len(X) * cycles_per_tick(NET)
        await host.set("ticks", 0)
        assert await host.get("ticks") == 0
    check(bench)


@pytest.mark.parametrize("fault", ["crc", "flipped", "short", "long", "swapped"])
def test_a_bad_image_changes_nothing(fault):
    pairs = build_image(NET, NEW).pairs.copy()
    crc = zlib.crc32(pairs.astype("<u4").tobytes())
    flags = {"load_crc"}
    if fault == "crc":
        crc ^= 1
    elif fault == "flipped":
        pairs[len(pairs) // 2, 1] ^= 1 << 3
    elif fault == "short":
        pairs, flags = pairs[:-1], {"load_crc", "load_count"}
    elif fault == "long":
        pairs, crc, flags = np.concatenate([pairs, pairs[-1:]]), None, {"load_count"}
    else:
        pairs[[0, 1]] = pairs[[1, 0]]

    async def bench(host):
        await host.load(build_image(NET, OLD).pairs)
        await host.load(pairs, crc)
        assert await host.get("errors") == sum(1 << ERRORS[name] for name in flags)
        assert (await host.infer(X) == want(OLD)).all()
        await host.set("errors", 0xFFFFFFFF)
        assert await host.get("errors") == 0
        await host.load(build_image(NET, NEW).pairs)
        assert (await host.infer(X) == want(NEW)).all()
    check(bench)


def test_errors():
    async def bench(host):
        for addr, data in ((0x50, None), (0x50, 1), (INPUT, None), (OUTPUT, 0), (0x102, None), (0x4000_0000, None),
                           (parameter_address(0, 0), None), (0x9000_0000 | 1 << 28, 0)):
            _, error = await host.access(addr, data)
            assert error, f"address {addr:#x}"
        assert await host.get("errors") == 1 << ERRORS["address"]
        await host.set("errors", 1 << ERRORS["address"])
        await host.access(parameter_address(0, 0), 5)
        assert await host.get("errors") == 1 << ERRORS["load_idle"]
        await host.set("load_commit", 0)
        assert await host.get("status") & 3 == 0
        assert (await host.access(OUTPUT))[0] == 0
    check(bench)


def test_a_full_output_stalls_ticks_and_loses_nothing():
    async def bench(host):
        await host.load(build_image(NET, OLD).pairs)
        room = await host.get("output_ticks")
        # one tick more than there is room for waits in the input
        x = random_input(NET, RNG, room + 1)
        for n, vector in enumerate(x):
            for k, word in enumerate(vector):
                await host.access(INPUT, int(word) & 0x3FFFF | (n == k == 0) << FIRST_BIT)
        await host.ctx.tick().repeat(2 * cycles_per_tick(NET))
        assert await host.get("ticks") == room
        assert await host.get("stall_cycles") > cycles_per_tick(NET) // 2
        out = []
        while len(out) < len(x) * NET.outputs:
            word, _ = await host.access(OUTPUT)
            if word >> VALID_BIT:
                out.append((word & 0x1FFFF) - (word & 0x20000))
        assert (np.array(out).reshape(len(x), -1) == engine.run(NET, OLD, x[None])[0]).all()
    check(bench)
