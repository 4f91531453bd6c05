"""Control on the bus: registers, images that must not come into force, words in and out, error flags."""

import zlib

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from cases import random_input, random_learner, random_network
from device import learner, learner_params
from learning import Vector, golden_run

from firmware.protocol import HELLO, READ, Request, Response, Status, encode_request, encode_response
from golden.image import build_image, learning_addresses
from golden.rate import engine
from golden.regmap import (
    BOOT_REGISTERS,
    ERRORS,
    FIRST_BIT,
    INPUT,
    KEEPER_REGISTERS,
    LAST_BIT,
    MAGIC,
    OUTPUT,
    REGISTERS,
    SCRUB_REGISTERS,
    VALID_BIT,
    parameter_address,
)
from rtl.host.control import Control
from rtl.host.core import CoreInfo
from rtl.host.top import PROBE, NetworkTop, SerialTop
from rtl.rate.core import drain_cycles
from rtl.rate.schedule import cycles_per_tick
from sim.pysim import run

NET = random_network("control 4", largest=3)
RNG = np.random.default_rng(4)
OLD, NEW = engine.random_params(NET, RNG), engine.random_params(NET, RNG)
X = random_input(NET, RNG, 6)


class Host:
    """The host's side of the bus; `button`, what resets the device."""

    def __init__(self, ctx, bus, button=None):
        self.ctx, self.bus, self.button = ctx, bus, button

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

    async def reset(self, cycles=100):
        """As a board does, for longer than any pipeline."""
        self.ctx.set(self.button, 1)
        await self.ctx.tick().repeat(cycles)
        self.ctx.set(self.button, 0)

    async def write_image(self, pairs):
        await self.set("load_begin", 1)
        for addr, data in pairs:
            await self.access(int(addr), int(data))

    async def load(self, pairs, crc=None):
        await self.write_image(pairs)
        await self.set("load_commit", zlib.crc32(np.asarray(pairs, "<u4").tobytes()) if crc is None else crc)
        while await self.get("status") & 2:
            pass

    async def infer(self, x):
        words = np.array(x) & 0x3FFFF
        words[0, 0] |= 1 << FIRST_BIT
        return await self.stream(words, NET.outputs)

    async def stream(self, vectors, outputs):
        out = []
        for vector in vectors:
            for word in vector:
                await self.access(INPUT, int(word))
            for k in range(outputs):
                word = 0
                while not word >> VALID_BIT & 1:
                    word, _ = await self.access(OUTPUT)
                assert word >> LAST_BIT & 1 == (k == outputs - 1)
                out.append((word & 0x1FFFF) - (word & 0x20000))
        return np.array(out).reshape(len(vectors), outputs)

    async def learnt(self):
        """Every word that learns."""
        return [(await self.access(int(addr)))[0] for addr in learning_addresses(LEARNER)]


def check(bench, cycles=4_000):
    top = NetworkTop(NET)

    async def body(ctx):
        await bench(Host(ctx, top.bus))
    run(top, body, cycles=cycles)


def want(params):
    return engine.run(NET, params, X[None])[0]


def test_registers():
    async def bench(host):
        some = (*BOOT_REGISTERS, *KEEPER_REGISTERS, *SCRUB_REGISTERS)
        got = {name: await host.get(name) for name in REGISTERS if name not in some}
        assert got["magic"] == MAGIC
        assert f"{got['fingerprint_high']:08x}{got['fingerprint_low']:08x}" == NET.fingerprint
        assert got["shape"] == NET.inputs | NET.outputs << 16
        assert got["cycles_per_tick"] == cycles_per_tick(NET)
        assert got["parameter_words"] == len(build_image(NET, OLD))
        await host.set("scratch", 0xDEADBEEF)
        assert await host.get("scratch") == 0xDEADBEEF
        assert await host.get("errors") == 0
        for name in some:       # this design has none of them
            await host.get(name)
            assert await host.get("errors") == 1 << ERRORS["address"]
            await host.set("errors", 1 << ERRORS["address"])
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


# ---- a reset of a device that learns

LEARNER = learner()
PARAMS = learner_params(LEARNER)
#: bits of `status`
LOADED, HALF, LEARNT, RUNNING = 1, 4, 16, 32


def learner_vectors(ticks):
    """Vectors as golden takes them, and their words with all flags: of both streams in turn."""
    rng, fmt, rate = np.random.default_rng(8), LEARNER.layers[0].operand, LEARNER.layers[-1].rate
    x = rng.integers(fmt.min, fmt.max + 1, (ticks, LEARNER.streams, LEARNER.inputs))
    target = rng.integers(rate.min, rate.max + 1, (ticks, LEARNER.streams, LEARNER.targets))
    vectors = [Vector(x=x[t, s], target=target[t, s], first=t == s == 0) for t, s in np.ndindex(x.shape[:2])]
    return vectors, LEARNER.learning_units(x, target, first=True).words.reshape(len(vectors), -1)


def test_registers_of_a_learner():
    """A tick that learns is longer."""
    async def body(ctx):
        host = Host(ctx, top.bus)
        assert await host.get("cycles_per_tick") == cycles_per_tick(LEARNER)
        assert await host.get("learn_cycles") == cycles_per_tick(LEARNER, learning=True)
    assert cycles_per_tick(LEARNER, learning=True) > cycles_per_tick(LEARNER)
    top = NetworkTop(LEARNER)
    run(top, body, cycles=1000)


def test_line_and_patience_of_a_board():
    """Both lines rest high; an access is waited for as long as 16 bytes and three ticks take."""
    top = SerialTop(NET, divisor=8)
    assert (len(top.rx), len(top.tx), len(top.busy)) == (1, 1, 1)
    assert (top.rx.init, top.tx.init) == (1, 1)
    assert (top.idle_cycles, top.ack_cycles) == (64 * 80, 16 * 80 + 3 * cycles_per_tick(NET))
    assert SerialTop(NET, divisor=8, ack_cycles=12).ack_cycles == 12
    with pytest.raises(ValueError, match="ack_cycles must be at least 12, which an access may take, not 11"):
        SerialTop(NET, divisor=8, ack_cycles=11)


def test_what_a_core_need_not_say():
    """Two halves; nothing is read back, learns, is held or is scrubbed."""
    assert CoreInfo(constants={}, settle=5, patience=6) == ({}, 5, 6, 2, (), False, 0, False)


def test_patience_with_a_network_that_learns():
    """A word that learns is read between two ticks: a host that gives up before would hear of it too late."""
    least = Control.PARAMETER_ACCESS + NetworkTop(LEARNER).core.info.patience + PROBE
    assert SerialTop(LEARNER, divisor=1).ack_cycles >= least
    assert SerialTop(LEARNER, divisor=8, ack_cycles=least).ack_cycles == least
    with pytest.raises(ValueError, match=f"ack_cycles must be at least {least}, which an access may take, not 12"):
        SerialTop(LEARNER, divisor=8, ack_cycles=12)
    for n in range(12):     # a tick has to end, what it leaves to drain, and the word to come by the way of the sums
        net = random_learner(f"probe {n}")
        takes = cycles_per_tick(net, learning=True) + drain_cycles(net) + 20
        assert takes <= NetworkTop(net).core.info.patience + PROBE


def test_bytes_through_the_pins():
    """A request bit by bit, and the bits of its response."""
    top, got = SerialTop(NET, divisor=4), []
    request = encode_request(Request(op=HELLO, addr=0, count=1, data=(1,), seq=6))
    request += encode_request(Request(op=READ, addr=REGISTERS["magic"].offset, count=1, seq=7))
    want = encode_response(Response(status=Status.OK, op=HELLO, count=1, data=(1,), seq=6))
    want += encode_response(Response(status=Status.OK, op=READ, count=1, data=(MAGIC,), seq=7))

    async def host(ctx):
        await ctx.tick().repeat(20)
        for byte in request:
            for bit in (0, *(byte >> n & 1 for n in range(8)), 1):
                ctx.set(top.rx, bit)
                await ctx.tick().repeat(4)

    async def line(ctx):
        while len(got) < len(want):
            await ctx.tick().until(~top.tx)
            await ctx.tick().repeat(5)      # the middle of the first bit
            byte = 0
            for n in range(8):
                byte |= ctx.get(top.tx) << n
                await ctx.tick().repeat(4)
            assert ctx.get(top.tx), "no stop bit"
            got.append(byte)
    run(top, host, line, cycles=2500)
    assert bytes(got) == want


@pytest.mark.parametrize("when", ["half 0", "half 1", "load", "commit", "read", "tick", "vector"])
def test_what_was_learnt_outlives_a_reset(when):
    """Status says so, the words are those of golden, and the device can be loaded again and learns."""
    top, button, done = NetworkTop(LEARNER), Signal(), []
    image, (vectors, words) = build_image(LEARNER, PARAMS), learner_vectors(3)
    rates, state = golden_run(LEARNER, PARAMS, vectors)
    want = read_words(state.params)

    async def interrupt(host):
        if when in ("load", "commit"):
            pairs = build_image(LEARNER, learner_params(LEARNER, 9)).pairs
            await host.write_image(pairs if when == "commit" else pairs[:30])
            if when == "commit":
                await host.set("load_commit", zlib.crc32(pairs.tobytes()))
        elif when == "read":
            host.ctx.set(host.bus.addr, int(learning_addresses(LEARNER)[3]))
            host.ctx.set(host.bus.read, 1)
            await host.ctx.tick().repeat(20)
            host.ctx.set(host.bus.read, 0)
        elif when in ("tick", "vector"):
            for word in words[1] if when == "tick" else words[1, :3]:
                await host.access(INPUT, int(word))
            await host.ctx.tick().repeat(cycles_per_tick(LEARNER, learning=True) * 2 // 3)

    async def bench(ctx):
        host = Host(ctx, top.bus, button)
        for _ in range(2 if when == "half 0" else 1):
            await host.load(image.pairs)
        assert await host.get("status") == LOADED | HALF * (when != "half 0")
        await host.set("learning", 1)
        assert (await host.stream(words, LEARNER.outputs) == rates).all()
        before = await host.get("status")
        assert before & (LOADED | LEARNT | RUNNING) == LOADED | LEARNT | RUNNING
        if when.startswith("half"):
            assert await host.learnt() == want
        await interrupt(host)
        await host.reset()
        assert await host.get("status") == LEARNT | before & HALF
        assert [await host.get(name) for name in ("learning", "halvings", "overflow", "ticks")] == [0] * 4
        found = await host.learnt()
        if when == "tick":      # it got as far as it got
            assert found not in (want, read_words(golden_run(LEARNER, PARAMS, [*vectors, vectors[1]])[1].params))
        else:
            assert found == want
        await host.load(image.pairs)
        assert await host.get("status") == LOADED | HALF & ~before
        await host.set("learning", 1)
        assert (await host.stream(words, LEARNER.outputs) == rates).all()
        done.append(True)
    run(ResetInserter(button)(top), bench, cycles=8_000 if when.startswith("half") else 5_500)
    assert done


def read_words(params):
    """The words that learn, as the bus gives them."""
    words = dict(build_image(LEARNER, params).pairs.tolist())
    return [words[addr] for addr in learning_addresses(LEARNER).tolist()]
