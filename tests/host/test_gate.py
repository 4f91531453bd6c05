"""Gate, Ports and SpiShifter on their own, in Amaranth's simulator; what the processor's program is made of."""

import importlib.util
import random
import zlib

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from firmware.riscv import build, header
from golden import keeper
from golden.flash import Boot
from golden.keeper import ASKED_ANOTHER, ASKED_SAVE, MEMORY, PORTS, Kept, Saved, Slots, State
from golden.programs import BuildError, ToolError
from golden.regmap import INPUT, REGISTERS, parameter_address
from rtl.host.gate import FORGOTTEN, Gate
from rtl.host.keeper import Ports
from rtl.host.link import BusMaster
from rtl.host.shifter import SpiShifter
from sim.pysim import run


async def access(ctx, bus, addr, data=None, *, limit=200):
    """Word read and error flag of an access; None where nobody acknowledges it for `limit` cycles."""
    strobe = bus.read if data is None else bus.write
    ctx.set(bus.addr, addr)
    ctx.set(bus.w_data, data or 0)
    ctx.set(strobe, 1)
    for _ in range(limit):
        *_, ack, word, error = await ctx.tick().sample(bus.ack, bus.r_data, bus.error)
        if ack:
            break
    ctx.set(strobe, 0)
    await ctx.tick()
    return (word, error) if ack else None


def play(dut, *benches, log, rng, cycles):
    """Run masters at a gate before a device whose words are made of addresses; (write, addr, data) goes to `log`."""
    left = list(benches)

    def counted(bench):
        async def body(ctx):
            await bench(ctx)
            left.remove(bench)
        return body

    async def device(ctx):
        while left:
            await ctx.tick()
            if not ctx.get(dut.bus.read | dut.bus.write):
                continue
            entry = (ctx.get(dut.bus.write), ctx.get(dut.bus.addr), ctx.get(dut.bus.w_data))
            for _ in range(rng.randrange(6)):
                await ctx.tick()
                assert (ctx.get(dut.bus.write), ctx.get(dut.bus.addr), ctx.get(dut.bus.w_data)) == entry
            log.append(entry)
            ctx.set(dut.bus.ack, 1)
            ctx.set(dut.bus.r_data, entry[1] ^ 0x55)
            ctx.set(dut.bus.error, entry[1] & 1)
            await ctx.tick()
            ctx.set(dut.bus.ack, 0)
            await ctx.tick()

    run(dut, *map(counted, benches), device, cycles=cycles)


def test_two_masters():
    """Each gets its own words, in its own order, and none is done twice."""
    dut, log, rng = Gate(), [], random.Random("masters")
    sent = {}

    def master(bus, base):
        sent[base] = []

        async def bench(ctx):
            for n in range(40):
                await ctx.tick().repeat(1 + rng.randrange(9))
                data = rng.choice([None, n])
                assert await access(ctx, bus, base + n, data) == ((base + n) ^ 0x55, n & 1)
                sent[base].append((data is not None, base + n, data or 0))
        return bench

    play(dut, master(dut.host, 0x1000), master(dut.own, 0x2000), log=log, rng=rng, cycles=4000)
    for base, found in sent.items():
        assert [entry for entry in log if entry[1] & ~0xFFF == base] == found


@pytest.mark.parametrize("late", [None, 1, BusMaster.GRACE])
def test_what_the_host_withdraws(late):
    """Whoever comes next waits until the device must have forgotten it; a late acknowledgement is the host's."""
    dut, waited = Gate(), []

    async def host(ctx):
        assert await access(ctx, dut.host, INPUT, 3, limit=20) is None
        # the access has let a cycle pass
        ctx.set(dut.own.read, 1)
        ctx.set(dut.own.addr, 77)
        ctx.set(dut.host.read, 1)
        ctx.set(dut.host.addr, REGISTERS["kept"].offset)
        for n in range(1, FORGOTTEN + 4):
            ctx.set(dut.bus.ack, n == late)
            ctx.set(dut.bus.error, n == late)
            assert not ctx.get(dut.bus.write)
            if n == late:
                assert (ctx.get(dut.host.ack), ctx.get(dut.host.error), ctx.get(dut.own.ack)) == (1, 1, 0)
            elif ctx.get(dut.host.ack):
                waited.append(n)
                break
            assert not ctx.get(dut.bus.read)
            await ctx.tick()
        ctx.set(dut.host.read, 0)
        await ctx.tick().repeat(2)
        assert (ctx.get(dut.bus.read), ctx.get(dut.bus.addr)) == (1, 77)

    run(dut, host, cycles=300)
    assert waited == [late + 2 if late else FORGOTTEN + 2]
    assert FORGOTTEN > BusMaster.GRACE


def test_shut():
    """Input words of the host wait, nothing else does; words that are played from the flash do not."""
    dut, log, rng = Gate(), [], random.Random("shut")

    async def host(ctx):
        ctx.set(dut.shut, 1)
        assert await access(ctx, dut.host, INPUT, 1, limit=50) is None
        assert await access(ctx, dut.host, INPUT) == (INPUT ^ 0x55, 0)
        assert await access(ctx, dut.host, INPUT | 1 << 31, 2) == ((INPUT | 1 << 31) ^ 0x55, 0)
        assert await access(ctx, dut.host, INPUT + 2, 2) == ((INPUT + 2) ^ 0x55, 0)
        assert await access(ctx, dut.own, INPUT, 3) == (INPUT ^ 0x55, 0)
        ctx.set(dut.playing, 1)
        assert await access(ctx, dut.host, INPUT, 4) == (INPUT ^ 0x55, 0)
        ctx.set(dut.playing, 0)
        ctx.set(dut.shut, 0)
        assert await access(ctx, dut.host, INPUT, 5) == (INPUT ^ 0x55, 0)

    play(dut, host, log=log, rng=rng, cycles=600)
    assert [data for write, addr, data in log if write and addr == INPUT] == [3, 4, 5]


def test_registers_of_the_gate():
    dut, log, rng = Gate(), [], random.Random("gate")
    at = {name: register.offset for name, register in REGISTERS.items()}

    async def host(ctx):
        ctx.set(dut.kept, 0x00000921)
        assert await access(ctx, dut.host, at["kept"]) == (0x921, 0)
        assert await access(ctx, dut.host, at["save_every"], 0xDEADBEEF) == (0, 0)
        assert await access(ctx, dut.host, at["save_every"]) == (0xDEADBEEF, 0)
        assert ctx.get(dut.every) == 0xDEADBEEF
        assert not ctx.get(dut.asked)
        await access(ctx, dut.host, at["kept"], 7)
        assert not ctx.get(dut.asked)
        await access(ctx, dut.host, at["save"], 0)
        assert ctx.get(dut.asked)
        assert State.of((await access(ctx, dut.host, at["kept"]))[0]) == State(Kept.NOTHING, Saved.SAVING, 9)
        ctx.set(dut.taken, 1)
        await ctx.tick()
        ctx.set(dut.taken, 0)
        await ctx.tick()
        assert not ctx.get(dut.asked)
        assert await access(ctx, dut.host, at["kept"]) == (0x921, 0)
        assert not log
        ctx.set(dut.playing, 1)
        await access(ctx, dut.host, at["load_begin"], 1)
        ctx.set(dut.playing, 0)
        await access(ctx, dut.own, at["load_begin"], 1)
        await access(ctx, dut.host, at["load_begin"])
        assert not ctx.get(dut.another)
        await access(ctx, dut.host, at["load_begin"], 0)
        assert ctx.get(dut.another)

    play(dut, host, log=log, rng=rng, cycles=600)
    assert len(log) == 4


@pytest.mark.parametrize("half", [2, 5])
def test_shifter(half):
    dut, rng = SpiShifter(half), random.Random("shifter")
    sent, came = [rng.randrange(256) for _ in range(4)], [rng.randrange(256) for _ in range(4)]
    got, seen, cycles = [], [], []

    async def flash(ctx):
        for byte in came:
            bits = 0
            for n in range(8):
                ctx.set(dut.cipo, byte >> (7 - n) & 1)
                await ctx.tick().until(dut.clk)
                bits = bits << 1 | ctx.get(dut.copi)
                await ctx.tick().until(~dut.clk)
            seen.append(bits)

    async def bench(ctx):
        for byte in sent:
            ctx.set(dut.sent, byte)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            count = 0
            while not ctx.get(dut.done):
                await ctx.tick()
                count += 1
            cycles.append(count)
            await ctx.tick().repeat(3)
            got.append(ctx.get(dut.got))
            assert not ctx.get(dut.clk)

    run(dut, bench, flash, cycles=2000)
    assert (seen, got, set(cycles)) == (sent, came, {16 * half})
    with pytest.raises(ValueError, match="takes 2 cycles or more, not 1"):
        SpiShifter(1)


class Echo(wiring.Component):
    """Ports whose flash gives back what it is sent."""

    def __init__(self):
        self.ports = Ports(readable=(range(2, 3), range(5, 9)), image=0x1234, slots=Slots(0x80000, 0x3000), half=2)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ports = ports = self.ports
        m.d.comb += ports.cipo.eq(ports.copi)
        return m


def test_ports():
    dut = Echo()
    ports = dut.ports

    async def bench(ctx):
        async def port(name, data=None):
            ctx.set(ports.port, list(PORTS).index(name))
            ctx.set(ports.write, data is not None)
            ctx.set(ports.w_data, data or 0)
            ctx.set(ports.access, 1)
            found = await ctx.tick().sample(ports.r_data).until(ports.ack)
            ctx.set(ports.access, 0)
            await ctx.tick()
            return found[0]

        assert ctx.get(ports.shut)
        await port("shut", 0)
        assert not ctx.get(ports.shut)
        assert [await port(name) for name in ("image", "slots", "slot_bytes")] == [0x1234, 0x80000, 0x3000]
        for byte in (0xA6, 0x01):
            await port("select", 1)
            await port("byte", byte)
            assert (await port("byte"), ctx.get(ports.select)) == (byte, 1)
        await port("select", 0)
        assert not ctx.get(ports.select)
        for words in ((0x12345678, 0xFFFFFFFF, 7), (1,)):
            await port("crc_start", 1)
            for word in words:
                await port("crc", word)
            assert await port("crc") == zlib.crc32(b"".join(word.to_bytes(4, "little") for word in words))
        for bank in range(12):
            await port("learns", parameter_address(bank, 3))
            assert await port("learns") == (bank == 2 or 5 <= bank < 9), bank
        await port("learns", 2 << 16 | 3)
        assert not await port("learns")
        await port("kept", 0xCAFE0123)
        assert ctx.get(ports.kept) == 0xCAFE0123
        ctx.set(ports.asked, 1)
        assert await port("asked") == ASKED_SAVE
        ctx.set(ports.another, 1)
        ctx.set(ports.asked, 0)
        assert await port("asked") == ASKED_ANOTHER
        ctx.set(ports.every, 99)
        ctx.set(ports.boot, Boot.REFUSED)
        assert (await port("every"), await port("boot")) == (99, Boot.REFUSED)

    run(dut, bench, cycles=3000)


# ---- the program

def test_the_header_is_that_of_the_tables():
    assert build.MAP.read_text(encoding="utf-8") == header.header()


def test_the_program_is_that_of_the_source():
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed: pip install -e '.[firmware]'")
    assert build.HEX.read_text(encoding="utf-8") == keeper.program_text(build.compile_program())


def test_the_program_fits_and_is_what_the_processor_knows():
    """RV32I without the instructions for control registers, which this SERV has none of; the stack at its end."""
    words = keeper.program()
    assert 4 * len(words) + keeper.PAGE + build.STACK <= MEMORY
    assert f"stack = {MEMORY};" in (build.HERE / "link.ld").read_text(encoding="utf-8")
    # from the jump to `main` on all are instructions: there are no constants beside them
    known = {0x37, 0x17, 0x6F, 0x67, 0x63, 0x03, 0x23, 0x13, 0x33}
    assert {word & 0x7F for word in words if word} <= known
    assert not [word for word in words if word & 0x7F == 0x33 and word >> 25 not in (0, 0x20)]


@pytest.mark.parametrize("room", [0, 4])
def test_a_program_leaves_room_for_its_stack(monkeypatch, room):
    """A compiler in the place of the real one, whose program has `room` bytes more than there is space."""
    size = MEMORY - keeper.PAGE - build.STACK + room
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(build, "run", lambda *_, cwd, **__: (cwd / "keeper.bin").write_bytes(bytes(size - 1)))
    if not room:
        assert build.compile_program() == (0,) * (size // 4)
        return
    with pytest.raises(BuildError, match=f"^the program takes {size} bytes, with a page and {build.STACK} of stack"):
        build.compile_program()


def test_without_the_compiler(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="^the C compiler for the processor is missing: pip install ziglang==0.17.1$"):
        build.compile_program()
    assert build.main() == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(ToolError, match="^SERV, the processor of .* is missing: pip install pythondata-cpu-serv$"):
        keeper.processor()
