"""Control by itself, with the core played: what an access takes, images, words in and out, flags, reading back."""

import zlib

import numpy as np
import pytest
from amaranth.hdl import signed
from amaranth.lib import data
from cases import random_network
from device import learner

from golden.image import build_image, parameter_words
from golden.rate import engine
from golden.regmap import (
    BANK_SHIFT,
    ERRORS,
    FIRST_BIT,
    INPUT,
    LAST_BIT,
    OUTPUT,
    REGISTERS,
    VALID_BIT,
    parameter_address,
)
from rtl.host.control import Control
from rtl.host.core import CoreInfo, ranges
from sim.pysim import run

NET = random_network("control 4", largest=3)
PARAMS = engine.random_params(NET, np.random.default_rng(1))
IN = data.StructLayout({"x": signed(18), "first": 1, "learn": 1, "teach": 1})
OUT = data.StructLayout({"y": signed(9), "last": 1})
SETTLE = 11


def made(net=NET, **info) -> Control:
    constants = {"cycles_per_tick": 77, "output_ticks": 4}
    return Control(net, CoreInfo(constants=constants, settle=SETTLE, patience=9, **info), i=IN, o=OUT)


class Master:
    """A master of the bus; what the parameter bus said."""

    def __init__(self, ctx, dut):
        self.ctx, self.dut, self.params, self.cycles = ctx, dut, [], 0

    async def tick(self):
        """A cycle."""
        params = self.dut.params
        if self.ctx.get(params.en):
            self.params.append(tuple(self.ctx.get(getattr(params, name)) for name in ("bank", "addr", "half", "data")))
        await self.ctx.tick()

    async def access(self, addr: int, word: int | None = None) -> tuple[int, bool, int]:
        """The word read, whether it was an error, and the cycles that it took."""
        bus, ctx, cycles = self.dut.bus, self.ctx, 1
        for member, value in ((bus.addr, addr), (bus.w_data, word or 0), (bus.read, word is None),
                              (bus.write, word is not None)):
            ctx.set(member, value)
        while not ctx.get(bus.ack):
            await self.tick()
            cycles += 1
            assert cycles < 100, f"nobody answers at 0x{addr:x}"
        found = ctx.get(bus.r_data), bool(ctx.get(bus.error)), cycles
        ctx.set(bus.read, 0)
        ctx.set(bus.write, 0)
        await self.tick()
        await self.tick()
        return found

    async def get(self, name):
        return (await self.access(REGISTERS[name].offset))[0]

    async def set(self, name, value):
        return await self.access(REGISTERS[name].offset, value)


def play(dut, body, cycles=6000):
    done = []

    async def bench(ctx):
        await body(Master(ctx, dut), ctx)
        done.append(True)
    run(dut, bench, cycles=cycles)
    assert done


def test_accesses():
    """4 cycles; registers that the caller knows, those that hold a word, addresses that there are not."""
    dut = made()

    async def body(master, ctx):
        assert await master.access(REGISTERS["cycles_per_tick"].offset) == (77, False, Control.ACCESS)
        assert await master.get("fingerprint_low") == int(NET.fingerprint[8:], 16)
        assert await master.set("scratch", 0xDEADBEEF) == (0, False, Control.ACCESS)
        assert await master.get("scratch") == 0xDEADBEEF
        for addr in (0xFC, 0x7000, REGISTERS["scratch"].offset | 1 << 8):
            assert (await master.access(addr))[1], f"0x{addr:x}"
        assert await master.get("errors") == 1 << list(ERRORS).index("address")
        await master.set("errors", 0xFFFFFFFF)
        assert await master.get("errors") == 0
        # events are counted, and flags stay
        for _ in range(3):
            ctx.set(dut.tick, 1)
            ctx.set(dut.lost, 1)
            await ctx.tick()
            ctx.set(dut.tick, 0)
            ctx.set(dut.lost, 0)
            await ctx.tick()
        assert (await master.get("ticks"), await master.get("lost")) == (3, 1)
        await master.set("lost", 1)
        assert await master.get("lost") == 0
    play(dut, body)


@pytest.mark.parametrize("halves", [1, 2])
def test_an_image(halves):
    """Every word once, into the half that is not in force, 12 cycles each; in force `settle` cycles after its CRC."""
    dut, pairs = made(halves=halves), build_image(NET, PARAMS).pairs

    async def body(master, ctx):
        for wrong in (True, False):
            master.params.clear()
            await master.set("load_begin", 1)
            for addr, word in pairs.tolist():
                assert await master.access(addr, word) == (0, False, Control.PARAMETER_ACCESS)
            assert master.params == [(addr >> BANK_SHIFT & 0xFFF, addr & 0x3FFF, 1, word)
                                     for addr, word in pairs.tolist()]
            assert ctx.get(dut.want_half) == 0
            await master.set("load_commit", zlib.crc32(pairs.tobytes()) ^ wrong)
            errors = await master.get("errors")
            assert errors == wrong << list(ERRORS).index("load_crc")
            await master.set("errors", errors)
            await ctx.tick().repeat(SETTLE)
            assert ctx.get(dut.want_half) == (not wrong)
        assert await master.get("status") & 3 == 3, "loaded, and not yet in force"
        ctx.set(dut.half, 1)
        assert await master.get("status") & 3 == 1
        # another one writes the other half; a word outside of an image is an error
        master.params.clear()
        assert (await master.access(int(pairs[0, 0]), 5))[1] is False
        assert not master.params
        assert await master.get("errors") == 1 << list(ERRORS).index("load_idle")
        await master.set("load_begin", 1)
        assert await master.get("status") & 1 == (halves == 2), "two halves keep what is in force"
        await master.access(int(pairs[0, 0]), 5)
        assert [half for _, _, half, _ in master.params] == [0]
    assert len(pairs) == parameter_words(NET)
    play(dut, body, cycles=40 * len(pairs) + 1000)


def test_words_in_and_out():
    """A word waits until the core takes it; an output is sign-extended, with its marks, and 0 where there is none."""
    dut = made()

    async def body(master, ctx):
        for taken_after in (0, 1, 30):
            bus = dut.bus
            for member, value in ((bus.addr, INPUT), (bus.w_data, 0x3FFFF & -5 | 1 << FIRST_BIT), (bus.write, 1)):
                ctx.set(member, value)
            while not ctx.get(dut.i.valid):
                await ctx.tick()
            for _ in range(taken_after):
                await ctx.tick()
                assert ctx.get(dut.i.valid)
                assert not ctx.get(bus.ack)
            assert (ctx.get(dut.i.p.x), ctx.get(dut.i.p.first)) == (-5, 1)
            ctx.set(dut.i.ready, 1)
            await ctx.tick()
            ctx.set(dut.i.ready, 0)
            assert ctx.get(bus.ack)
            ctx.set(bus.write, 0)
            await ctx.tick().repeat(3)
        assert await master.access(OUTPUT) == (0, False, Control.ACCESS)
        ctx.set(dut.o.payload, {"y": -3, "last": 1})
        ctx.set(dut.o.valid, 1)
        assert await master.access(OUTPUT) == (0x3FFFD | 1 << LAST_BIT | 1 << VALID_BIT, False, Control.ACCESS)
    play(dut, body)


def test_reading_back():
    """Banks that learn are asked of the core, others are an error."""
    net = learner()
    dut, asked = made(net, learns=True, readable=(range(2, 4), range(7, 8))), []

    async def core(ctx):
        while len(asked) < 3:
            if ctx.get(dut.probe):
                await ctx.tick().repeat(17)
                asked.append((ctx.get(dut.probe_bank), ctx.get(dut.probe_addr)))
                ctx.set(dut.probe_data, -len(asked))
                ctx.set(dut.probe_valid, 1)
                await ctx.tick()
                ctx.set(dut.probe_valid, 0)
            await ctx.tick()

    async def host(ctx):
        master = Master(ctx, dut)
        for n, bank in enumerate((2, 3, 7), 1):
            word, error, _ = await master.access(parameter_address(bank, 5))
            assert (word, error) == (0x3FFFF & -n, False)
        for bank in (1, 4, 6, 8):
            assert (await master.access(parameter_address(bank, 0)))[1], f"bank {bank}"
        await master.set("halvings", 3)
        await master.set("learning", 1)
        assert (ctx.get(dut.halve), ctx.get(dut.learning)) == (3, 1)
    run(dut, core, host, cycles=1000)
    assert asked == [(2, 5), (3, 5), (7, 5)]


def test_a_new_image_that_the_master_gives_up_is_forgotten():
    """While the last one comes into force: no acknowledge, no load, and the next request is answered as itself."""
    dut, pairs = made(), build_image(NET, PARAMS).pairs

    async def body(master, ctx):
        await master.set("load_begin", 1)
        for addr, word in pairs:
            await master.access(int(addr), int(word))
        await master.set("load_commit", zlib.crc32(pairs.astype("<u4").tobytes()))
        ctx.set(dut.bus.addr, REGISTERS["load_begin"].offset)
        ctx.set(dut.bus.write, 1)
        for _ in range(SETTLE + 9):     # the core does not take the half
            assert not ctx.get(dut.bus.ack)
            await master.tick()
        ctx.set(dut.bus.write, 0)
        for _ in range(3):
            assert not ctx.get(dut.bus.ack)
            await master.tick()
        ctx.set(dut.half, ctx.get(dut.want_half))
        assert await master.access(REGISTERS["cycles_per_tick"].offset) == (77, False, Control.ACCESS)
        assert await master.get("status") & 3 == 1, "a load has begun"
    play(dut, body)


@pytest.mark.parametrize("late", [1, 7])
def test_a_read_that_the_master_gives_up_is_forgotten(late):
    """What the core says to it is nobody's: the next read of a word that learns gets its own."""
    net = learner()
    dut = made(net, learns=True, readable=(range(2, 4),))

    async def body(master, ctx):
        async def ask(bank, cycles):
            ctx.set(dut.bus.addr, parameter_address(bank, 1))
            ctx.set(dut.bus.read, 1)
            for _ in range(cycles):
                assert not ctx.get(dut.bus.ack)
                await ctx.tick()

        async def answer(word):
            ctx.set(dut.probe_data, word)
            ctx.set(dut.probe_valid, 1)
            await ctx.tick()
            ctx.set(dut.probe_valid, 0)

        await ask(2, 12)
        ctx.set(dut.bus.read, 0)
        await ctx.tick().repeat(late)
        await ask(3, 5) if late > 1 else None
        await answer(111)
        await ask(3, 4)
        await answer(222)
        for _ in range(9):
            if ctx.get(dut.bus.ack):
                break
            await ctx.tick()
        assert ctx.get(dut.bus.ack)
        assert ctx.get(dut.bus.r_data) == 222
        ctx.set(dut.bus.read, 0)
        await ctx.tick().repeat(2)
        await ask(2, 4)
        await answer(333)
        assert ctx.get(dut.bus.ack), "not forsaken any more"
    play(dut, body)


def test_ranges_and_what_a_core_has_by_itself():
    """Numbers side by side are one range; a core that says nothing else is loaded in two halves and does not learn."""
    assert ranges([]) == ()
    assert ranges([3, 4, 5, 9, 11, 12]) == (range(3, 6), range(9, 10), range(11, 13))
    assert CoreInfo({}, 1, 2) == CoreInfo(constants={}, settle=1, patience=2, halves=2, readable=(), learns=False)
