"""A host link in the simulator: its requests, a bus of a small memory behind it."""

import random

from amaranth.sim import Simulator

from firmware.protocol import (
    HELLO,
    READ,
    WRITE,
    Request,
    encode_request,
)
from rtl.host.link import HostLink
from sim.engine import Engine
from sim.pysim import PERIOD, receive, stalls

IDLE, ACK = 40, 24
RNG = random.Random("link")


class Memory:
    """Words below 256; 256 and above do not exist; address 255 never answers. Keeps a log of all accesses."""

    def __init__(self):
        self.words, self.log = {}, []

    def read(self, addr):
        """See Device."""
        self.log.append(("read", addr))
        return self.words.get(addr, addr * 0x01010101) if addr < 255 else None if addr > 255 else False

    def write(self, addr, word):
        """See Device."""
        self.log.append(("write", addr, word))
        if addr < 255:
            self.words[addr] = word
        return addr < 255 or (None if addr > 255 else False)


def serve(bus, device, delays):
    """Bus slave: acknowledge a request `next(delays)` cycles after it was seen, never where `device` says False."""
    async def bench(ctx):
        while True:
            *_, read, write, addr, data = await ctx.tick().sample(bus.read, bus.write, bus.addr, bus.w_data)
            assert not (read and write)
            if not read and not write:
                continue
            for n in range(next(delays)):
                _, _, held, *same = await ctx.tick().sample(bus.read if read else bus.write, bus.addr, bus.w_data)
                assert held, f"request dropped after {n} cycles"
                assert same == [addr, data]
            result = device.read(addr) if read else device.write(addr, data)
            if result is not False:
                ctx.set(bus.ack, 1)
                ctx.set(bus.error, result is None)
                ctx.set(bus.r_data, int(result or 0))
                await ctx.tick()
                ctx.set(bus.ack, 0)
            while ctx.get(bus.read | bus.write):
                await ctx.tick()
    return bench


def constant(n):
    while True:
        yield n


def simulate(top, *benches, device=None, bus=None, delays=None, cycles):
    """Run `benches` to their end with a slave on the bus; AssertionError if that takes over `cycles`."""
    async def limit(ctx):
        for _ in range(cycles):
            await ctx.tick()
        raise AssertionError(f"a bench still waits after {cycles} cycles")

    simulator = Simulator(top, engine=Engine)
    simulator.add_clock(PERIOD)
    for bench in benches:
        simulator.add_testbench(bench)
    for bench in (serve(bus, device, delays or constant(0)), limit):
        simulator.add_testbench(bench, background=True)
    simulator.run()


def exchange(frames, *, device=None, pattern="none", gap=0, delays=None, quiet=(), hello=True):
    """Send each of `frames` (bytes) as soon as the last one's response is complete; the responses' bytes.

    A hello of number 255 goes before them, and its response is left out. Frames of the numbers `quiet` get no response:
    the line rests instead.
    """
    dut, device, answers = HostLink(idle_cycles=IDLE, ack_cycles=ACK), device or Memory(), []
    greeting = [encode_request(Request(op=HELLO, addr=0, count=1, data=(1,), seq=255))] if hello else []

    async def drive(ctx):
        pauses = stalls(pattern, "drive")
        for n, frame in enumerate(greeting + frames, -len(greeting)):
            for byte in frame:
                while next(pauses):
                    await ctx.tick()
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
                ctx.set(dut.i.valid, 0)
                for _ in range(gap):
                    await ctx.tick()
            if n in quiet:
                await ctx.tick().repeat(2 * IDLE)
                answers.append(b"")
            else:
                answers.append(await response(ctx))
        await silent(ctx)

    async def response(ctx):
        data = bytes(await receive(ctx, dut.o, 4, pattern=pattern))
        words = data[3] if data[1] & 0xF in (READ, HELLO) else 0
        return data + bytes(await receive(ctx, dut.o, 4 * words + 4, pattern=pattern))

    async def silent(ctx):
        """What is not a response must not be on the line."""
        for _ in range(2 * IDLE):
            assert not ctx.get(dut.o.valid), "a byte behind the last response"
            await ctx.tick()

    limit = 900 + 6 * sum(map(len, frames)) * (gap + 2) + len(frames) * (64 * 44 + 8 * IDLE + 64 * ACK)
    simulate(dut, drive, device=device, bus=dut.bus, delays=delays, cycles=limit)
    return answers[len(greeting):], device


def words(count):
    return [RNG.getrandbits(32) for _ in range(count)]


def write(addr, data, fixed=False, seq=0, **options):
    return encode_request(Request(op=WRITE, addr=addr, count=len(data), data=data, fixed=fixed, seq=seq, **options))


def read(addr, count=1, fixed=False, seq=0, **options):
    return encode_request(Request(op=READ, addr=addr, count=count, fixed=fixed, seq=seq, **options))


def simulate_with(dut, drive, sink, memory):
    """The sink runs as long as `drive`."""
    simulator = Simulator(dut, engine=Engine)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(drive)
    for bench in (sink, serve(dut.bus, memory, constant(0))):
        simulator.add_testbench(bench, background=True)
    simulator.run()


GOOD = write(3, [1, 2])
