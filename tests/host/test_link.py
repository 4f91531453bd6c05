# amaranth: UnusedElaboratable=no
"""HostLink and UART in the simulator: good frames, every kind of bad one, faults of the bus, and the whole way."""

import random
from collections import deque

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator
from device import Responder

from firmware import protocol
from firmware.board import Board
from firmware.protocol import (
    HELLO,
    READ,
    WRITE,
    Request,
    Response,
    Status,
    decode_response,
    encode_request,
    encode_response,
)
from firmware.transport import Transport
from golden.fixed import QFormat
from golden.frames import OLD_ANSWER, OLD_REQUEST
from golden.image import build_image
from golden.rate import engine
from golden.rate.engine import random_params
from golden.rate.layer import Dense
from golden.rate.network import Network
from rtl.host.link import HostLink
from rtl.host.link import Responder as Circuit
from rtl.host.master import BusMaster
from rtl.host.receiver import CRC32
from rtl.host.top import NetworkTop
from rtl.host.uart import UartRx, UartTx
from sim.engine import Engine
from sim.pysim import PERIOD, receive, run, stalls

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


def flip(frame, bit):
    frame = bytearray(frame)
    frame[bit // 8] ^= 1 << bit % 8
    return bytes(frame)


def test_same_checksum():
    assert CRC32(8).compute(b"leadlag") == protocol.crc32(b"leadlag")


@pytest.mark.parametrize("pattern", ["none", "random", "bursts"])
def test_write_then_read(pattern):
    data = words(64)
    sent = [write(7, data), read(7, 64, seq=1), write(9, data[:3], fixed=True, seq=2), read(9, seq=3),
            read(8, 5, fixed=True, seq=4)]
    answers, memory = exchange(sent, pattern=pattern if pattern != "bursts" else "none",
                               gap=5 if pattern == "bursts" else 0)
    found = [decode_response(answer) for answer in answers]
    assert found == [Response(status=Status.OK, op=WRITE, count=64),
                     Response(status=Status.OK, op=READ, count=64, data=data, seq=1),
                     Response(status=Status.OK, op=WRITE, count=3, fixed=True, seq=2),
                     Response(status=Status.OK, op=READ, count=1, data=data[2:3], seq=3),
                     Response(status=Status.OK, op=READ, count=5, data=[data[1]] * 5, fixed=True, seq=4)]
    assert memory.log[:64] == [("write", 7 + n, word) for n, word in enumerate(data)]
    assert memory.log[128:131] == [("write", 9, word) for word in data[:3]]


GOOD = write(3, [1, 2])
BAD = {
    **{f"crc {n}": (flip(GOOD, 8 * len(GOOD) - n), Status.BAD_CRC) for n in (1, 9, 17, 32)},
    "payload": (flip(GOOD, 110), Status.BAD_CRC),
    "address": (flip(GOOD, 40), Status.BAD_CRC),
    "fixed": (flip(GOOD, 15), Status.BAD_CRC),
    "chained": (flip(GOOD, 14), Status.BAD_CRC),
    "number": (flip(GOOD, 16), Status.BAD_CRC),
    "read for write": (b"\xc5\1" + GOOD[2:], Status.BAD_CRC),
    "op 0": (b"\xc5\0" + GOOD[2:], Status.BAD_FRAME),
    "op 6": (b"\xc5\6" + GOOD[2:], Status.BAD_FRAME),
    "op 0x22": (b"\xc5\x22" + GOOD[2:], Status.BAD_FRAME),
    "hello of two": (b"\xc5\3" + GOOD[2:], Status.BAD_FRAME),
    "count 0": (b"\xc5\2\0\0" + GOOD[4:], Status.BAD_FRAME),
    "count 1": (b"\xc5\2\0\1" + GOOD[4:], Status.BAD_CRC),
    "count 3": (b"\xc5\2\0\3" + GOOD[4:], Status.BAD_CRC),
    "count 65": (b"\xc5\2\0\x41" + GOOD[4:], Status.BAD_FRAME),
    "count 129": (b"\xc5\2\0\x81" + GOOD[4:], Status.BAD_FRAME),
    **{f"first {n} bytes": (GOOD[:n], Status.BAD_CRC) for n in (1, 2, 3, 4, 7, 9, len(GOOD) - 1)},
    "bad frame with a good one behind": (flip(GOOD, 110) + GOOD, Status.BAD_CRC),
}


@pytest.mark.parametrize("batch", range(3))
def test_bad_frames(batch):
    """Each is refused without an access to the bus, and the next good one is answered."""
    chosen = list(BAD.items())[batch::3]
    frames = [frame for n, (_, (bad, _)) in enumerate(chosen) for frame in (bad, read(batch, seq=n))]
    answers, memory = exchange(frames)
    for n, (name, (_, status)) in enumerate(chosen):
        assert answers[2 * n] == encode_response(Response(status=status, seq=n)), name
        assert decode_response(answers[2 * n + 1]).status == Status.OK, name
    assert memory.log == [("read", batch)] * len(chosen)


@pytest.mark.parametrize(("bad", "status"), [(flip(GOOD, 110), Status.BAD_CRC), (b"\xc5\2\0\x41", Status.BAD_FRAME)])
def test_rest_of_a_bad_frame(bad, status):
    """What follows a bad frame without a pause is never taken for a frame, and the response waits for its end."""
    dut, memory, out = HostLink(idle_cycles=IDLE, ack_cycles=ACK), Memory(), []
    data = bad + bytes(30) + GOOD

    async def drive(ctx):
        for byte in data:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            assert not ctx.get(dut.o.valid)
        ctx.set(dut.i.valid, 0)

    async def sink(ctx):
        out.extend(await receive(ctx, dut.o, 8))
        ctx.set(dut.o.ready, 1)
        for _ in range(2 * IDLE):
            await ctx.tick()
            assert not ctx.get(dut.o.valid)

    simulate(dut, drive, sink, device=memory, bus=dut.bus, cycles=1000)
    assert bytes(out) == encode_response(Response(status=status))
    assert memory.log == []


def test_garbage():
    """Bytes that are no frame are skipped, with a good frame right behind them or after a while."""
    noise = bytes(b for b in RNG.randbytes(50) if b != protocol.REQUEST_SYNC)
    answers, memory = exchange([noise + GOOD, noise, write(5, [3], seq=1)], quiet={1})
    assert [bool(answer) for answer in answers] == [True, False, True]
    assert memory.log == [("write", 3, 1), ("write", 4, 2), ("write", 5, 3)]


def test_numbers():
    """Done once, answered as often as asked for; what is neither next nor one of the last two is refused."""
    data = words(3)
    frames = [write(7, data), write(7, [9]), read(8, 2, seq=1), write(7, data), read(8, 2, seq=1), read(8, 2, seq=1),
              write(8, [0], seq=2), read(8, 2, seq=1), write(7, data), read(8, seq=4), read(8, seq=3)]
    answers, memory = exchange(frames)
    first, second = Response(status=Status.OK, op=WRITE, count=3), Response(status=Status.OK, op=READ, count=2,
                                                                           data=data[1:], seq=1)
    refused = Response(status=Status.SEQUENCE, seq=3)
    assert [decode_response(answer) for answer in answers] == [
        first, first, second, first, second, second, Response(status=Status.OK, op=WRITE, count=1, seq=2), second,
        refused, refused, Response(status=Status.OK, op=READ, count=1, data=[0], seq=3)]
    assert [entry[:2] for entry in memory.log] == [
        *(("write", 7 + n) for n in range(3)), ("read", 8), ("read", 9), ("write", 8), ("read", 8)]


def test_hello():
    """Before the first all are refused; each begins the numbers anew, is done again, and what was kept is forgotten."""
    def hello(word, seq):
        return encode_request(Request(op=HELLO, addr=5, count=1, data=(word,), seq=seq))
    frames = [read(1), hello(77, 9), read(1, seq=10), hello(78, 9), read(2, seq=9), read(3, seq=10), read(2, seq=9),
              hello(79, 255), read(4), read(3, seq=255)]
    answers, memory = exchange(frames, hello=False)
    stranger, sequence = (Response(status=status, seq=turn) for status, turn in ((Status.STRANGER, 0),
                                                                                (Status.SEQUENCE, 10)))
    found = [decode_response(answer) for answer in answers]
    assert found[0] == stranger
    assert [found[n].data[0] for n in (1, 3, 7)] == [77, 78, 79]
    assert {(found[n].op, found[n].status, found[n].count, found[n].seq) for n in (1, 3)} == {(HELLO, 0, 1, 9)}
    assert found[4] == sequence
    assert [response.status for response in found] == [7, 0, 0, 0, 5, 0, 5, 0, 0, 5]
    assert memory.log == [("read", 1), ("read", 3), ("read", 4)]


def test_chained():
    """Requests that are chained to one that was not done whole are skipped, up to one that is not chained."""
    frames = [read(1, chained=True), read(254, 3, seq=1), read(2, seq=2, chained=True), read(2, seq=2),
              write(3, [1], fixed=True, seq=3, chained=True), read(4, seq=4), read(5, seq=5, chained=True),
              write(256, [1], seq=6), read(6, seq=7, chained=True), write(256, [1], seq=6)]
    answers, memory = exchange(frames)
    found = [decode_response(answer) for answer in answers]
    assert [response.status for response in found] == [0, 4, 6, 6, 6, 0, 0, 3, 6, 3]
    assert found[2] == found[3] == Response(status=Status.SKIPPED, op=READ, seq=2)
    assert found[4] == Response(status=Status.SKIPPED, op=WRITE, fixed=True, seq=3)
    assert [entry[1] for entry in memory.log] == [1, 254, 255, 4, 5, 256]


def test_two_under_way():
    """The second request comes while the first is done, and the third while the second's response goes out."""
    dut, memory, out = HostLink(idle_cycles=200, ack_cycles=ACK), Memory(), []
    frames = [encode_request(Request(op=HELLO, addr=0, count=1, data=(1,), seq=255)), read(0, 40), read(40, 40, seq=1),
              write(7, [5, 6], seq=2, chained=True), read(6, 4, seq=3, chained=True)]

    async def drive(ctx):
        for n, frame in enumerate(frames):
            # at most two, as hosts do
            while len(out) < (0, 12, 12, 12 + 168, 12 + 336)[n]:
                await ctx.tick()
            for byte in frame:
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
                ctx.set(dut.i.valid, 0)
                await ctx.tick().repeat(8)
        while len(out) < 12 + 2 * 168 + 8 + 24:
            await ctx.tick()

    async def sink(ctx):
        ctx.set(dut.o.ready, 1)
        while True:
            *_, valid, byte = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                out.append(byte)
            ctx.set(dut.o.ready, 0)
            await ctx.tick().repeat(9)
            ctx.set(dut.o.ready, 1)

    simulate_with(dut, drive, sink, memory)
    data, found = bytes(out), []
    for size in (12, 168, 168, 8, 24):
        found.append(decode_response(data[:size]))
        data = data[size:]
    assert [response.status for response in found] == [0] * 5
    assert found[1].data + found[2].data == tuple(n * 0x01010101 for n in range(80))
    assert found[4].data == (6 * 0x01010101, 5, 6, 9 * 0x01010101)


def simulate_with(dut, drive, sink, memory):
    """The sink runs as long as `drive`."""
    simulator = Simulator(dut, engine=Engine)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(drive)
    for bench in (sink, serve(dut.bus, memory, constant(0))):
        simulator.add_testbench(bench, background=True)
    simulator.run()


def test_a_host_of_version_1():
    """It is told the version behind noise, and the bus sees nothing; hosts of today go on."""
    dut, memory, out = HostLink(idle_cycles=IDLE, ack_cycles=ACK), Memory(), []

    async def drive(ctx):
        for byte in b"\0" + OLD_REQUEST:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        out.extend(await receive(ctx, dut.o, len(OLD_ANSWER)))
        await ctx.tick().repeat(2 * IDLE)
        assert not ctx.get(dut.o.valid)
        # in a frame it is nothing special
        for byte in read(1)[:8] + OLD_REQUEST:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        out.extend(await receive(ctx, dut.o, 8))

    simulate(dut, drive, device=memory, bus=dut.bus, cycles=1000)
    assert bytes(out) == OLD_ANSWER + encode_response(Response(status=Status.BAD_CRC))
    assert memory.log == []


@pytest.mark.parametrize("op", [READ, WRITE])
@pytest.mark.parametrize(("addr", "status"), [(254, Status.BUSY), (255, Status.BUSY), (256, Status.ADDRESS)])
def test_faults_of_the_bus(op, addr, status):
    """The words before the fault are counted, those after it are not touched."""
    frame = read(addr, 4) if op == READ else write(addr, [9, 8, 7, 6])
    answers, memory = exchange([frame, read(1, seq=1)])
    done = addr == 254
    assert decode_response(answers[0]) == Response(
        status=status, op=op, count=int(done), data=[0xFE * 0x01010101] * (done and op == READ))
    assert decode_response(answers[1]).data == (0x01010101,)
    assert len(memory.log) == 2 + done


def test_wrapping_addresses():
    answers, memory = exchange([read(0xFFFFFFFF, 2)])
    assert decode_response(answers[0]).status == Status.ADDRESS
    assert memory.log == [("read", 0xFFFFFFFF)]


@pytest.mark.parametrize(("delay", "status"), [
    (0, Status.OK), (ACK - 2, Status.OK), (ACK + BusMaster.GRACE - 1, Status.OK),
    (ACK + BusMaster.GRACE + 8, Status.BUSY),
])
def test_late_acknowledge(delay, status):
    """An acknowledge within the grace time after the request was withdrawn counts as done, a later one does not."""
    dut, out = HostLink(idle_cycles=IDLE, ack_cycles=ACK), []

    async def drive(ctx):
        hello = encode_request(Request(op=HELLO, addr=0, count=1, data=(1,), seq=255))
        for frame, size in ((hello, 12), (read(1), 12 if status == Status.OK else 8)):
            for byte in frame:
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
            ctx.set(dut.i.valid, 0)
            out[:] = await receive(ctx, dut.o, size)

    async def slave(ctx):
        await ctx.tick().until(dut.bus.read)
        for _ in range(delay):
            await ctx.tick()
        ctx.set(dut.bus.ack, 1)
        ctx.set(dut.bus.r_data, 77)
        await ctx.tick()
        ctx.set(dut.bus.ack, 0)

    run(dut, drive, slave, cycles=300)
    assert decode_response(bytes(out)) == Response(status=status, op=READ, count=int(status == Status.OK),
                                                   data=[77] * (status == Status.OK))


@pytest.mark.parametrize("seed", range(3))
def test_random_frames_equal_the_model(seed):
    """Good and damaged frames in any order: byte for byte what the Python model answers, and the same accesses."""
    rng, frames, model = random.Random(f"link {seed}"), [], Memory()
    responder, expected, last = Responder(model), [], 0
    for n in range(32):
        addr = rng.choice([rng.randrange(200), rng.randrange(190, 260)])
        count, fixed = rng.choice([1, 2, rng.randrange(1, 12)]), rng.random() < 0.3
        options = {"seq": (last + rng.choice([1, 1, 1, 1, 0, -1, 3])) % 256, "chained": rng.random() < 0.4}
        if n == 3 or rng.random() < 0.05:
            frame = encode_request(Request(op=HELLO, addr=addr, count=1, data=words(1), **options))
        elif rng.random() < 0.5:
            frame = read(addr, count, fixed, **options)
        else:
            frame = write(addr, [rng.getrandbits(32) for _ in range(count)], fixed, **options)
        damage = rng.random()
        if damage < 0.2:
            frame = flip(frame, rng.randrange(8, 8 * len(frame)))
        elif damage < 0.3:
            frame = frame[:rng.randrange(1, len(frame))]
        frames.append(frame)
        expected.append(responder.respond(frame))
        last = (responder.turn - 1) % 256
    answers, memory = exchange(frames, pattern=("none", "random", "bursts")[seed], hello=False,
                               delays=iter(lambda: rng.randrange(ACK - 3), None), gap=0)
    for n, (answer, wanted) in enumerate(zip(answers, expected, strict=True)):
        assert answer == wanted, f"frame {n}: {frames[n].hex()}"
    assert memory.log == model.log
    assert {decode_response(answer).status for answer in answers} >= {0, 1, 5, 7}


def test_responder_waits_for_what_is_on_its_way():
    """The next read would overwrite the words that are being sent for the request before the last."""
    dut = Circuit()

    async def bench(ctx):
        ctx.set(dut.ready, 1)
        async def frame(op, seq):
            for name, value in (("op", op), ("seq", seq), ("valid", 0)):
                ctx.set(getattr(dut, name), value)
            await ctx.tick().repeat(3)
            ctx.set(dut.valid, 1)

        async def started():
            await ctx.tick()
            assert ctx.get(dut.taken)
            return ctx.get(dut.start)

        async def done():
            assert await started()
            ctx.set(dut.valid, 0)
            await ctx.tick()
            ctx.set(dut.done, 1)
            await ctx.tick()
            ctx.set(dut.done, 0)

        await frame(HELLO, 255)
        assert not await started()
        ctx.set(dut.valid, 0)
        await frame(READ, 0)
        await done()
        assert ctx.get(dut.send)
        await ctx.tick()
        ctx.set(dut.ready, 0)
        await frame(READ, 1)
        await done()        # another half of the memory
        assert not ctx.get(dut.send)
        ctx.set(dut.ready, 1)
        await ctx.tick()
        ctx.set(dut.ready, 0)
        await frame(READ, 2)
        await done()
        ctx.set(dut.ready, 1)
        await ctx.tick()
        ctx.set(dut.ready, 0)
        await frame(READ, 1)        # again: it is answered as soon as that is possible
        assert not await started()
        ctx.set(dut.valid, 0)
        ctx.set(dut.ready, 1)
        assert ctx.get(dut.send)
        assert ctx.get(dut.head.op) == READ
        await ctx.tick()
        ctx.set(dut.ready, 0)
        await frame(READ, 3)
        for _ in range(5):
            assert not ctx.get(dut.taken), "its words are being sent"
            await ctx.tick()
        ctx.set(dut.ready, 1)
        assert await started()
    run(dut, bench, cycles=100)


def test_parameters():
    for idle, ack, name in ((0, 1, "idle_cycles"), (1, 0, "ack_cycles"), (1.5, 1, "idle_cycles")):
        with pytest.raises(ValueError, match=f"{name} must be a positive number of clock cycles"):
            HostLink(idle_cycles=idle, ack_cycles=ack)
    for part in (UartRx, UartTx):
        with pytest.raises(ValueError, match=r"divisor must be an integer from 4 on \(clock cycles a bit\), not 3"):
            part(3)


# ---- UART


@pytest.mark.parametrize("divisor", [4, 5, 7, 16])
def test_uart_loop(divisor):
    """Sender into receiver: every byte comes back, one every 10 bits and a cycle; the latency is as stated."""
    m, tx, rx = Module(), UartTx(divisor), UartRx(divisor)
    m.submodules.tx, m.submodules.rx = tx, rx
    m.d.comb += rx.rx.eq(tx.tx)
    data, out, times = [0x00, 0xFF, 0x55, 0xA5, 0x01, 0x80, *RNG.randbytes(6)], [], {}

    async def drive(ctx):
        for byte in data:
            ctx.set(tx.i.payload, byte)
            ctx.set(tx.i.valid, 1)
            await ctx.tick().until(tx.i.ready)
        ctx.set(tx.i.valid, 0)

    async def sink(ctx):
        ctx.set(rx.o.ready, 1)
        cycle = 0
        while len(out) < len(data):
            *_, line, valid, byte = await ctx.tick().sample(tx.tx, rx.o.valid, rx.o.payload)
            if not line:
                times.setdefault("edge", cycle)
            if valid:
                times.setdefault("first", cycle)
                times["last"] = cycle
                out.append(byte)
            cycle += 1

    run(m, drive, sink, cycles=(len(data) + 2) * (10 * divisor + 1))
    assert out == data
    assert times["first"] - times["edge"] == rx.LATENCY
    assert times["last"] - times["first"] == (len(data) - 1) * (10 * divisor + 1)


def line_bench(rx, pieces, expected, *, ready=True):
    """Put (level, cycles) on the line; the bytes that come out must be `expected`."""
    out = []

    async def drive(ctx):
        ctx.set(rx.o.ready, ready)
        for level, cycles in pieces:
            ctx.set(rx.rx, level)
            for _ in range(cycles):
                *_, valid, byte = await ctx.tick().sample(rx.o.valid, rx.o.payload)
                if valid and ready:
                    out.append(byte)
        if not ready:
            out.append(ctx.get(rx.o.payload))

    run(rx, drive, cycles=sum(cycles for _, cycles in pieces) + 10)
    assert out == expected


def bits(byte, divisor, stop=1):
    return [(0, divisor), *((byte >> n & 1, divisor) for n in range(8)), (stop, divisor)]


@pytest.mark.parametrize(("name", "pieces", "expected"), [
    ("framing error, then a good byte", [*bits(0x33, 8, stop=0), (1, 8), *bits(0x44, 8), (1, 20)], [0x44]),
    ("break of 30 bits", [(0, 240), (1, 8), *bits(0x44, 8), (1, 20)], [0x44]),
    ("glitch of a quarter bit", [(0, 2), (1, 20), *bits(0x44, 8), (1, 20)], [0x44]),
    ("line low at the start", [(0, 200), (1, 20), *bits(0x44, 8), (1, 20)], [0x44]),
    ("sender slow by 4 %", [*bits(0x35, 25)] * 3 + [(1, 40)], [0x35] * 3),
    ("sender fast by 4 %", [*bits(0xCA, 23)] * 3 + [(1, 40)], [0xCA] * 3),
])
def test_uart_lines(name, pieces, expected):
    line_bench(UartRx(24 if "sender" in name else 8), [(1, 5), *pieces], expected)


def test_uart_overrun():
    """A byte that was not taken stays; the next one is dropped."""
    line_bench(UartRx(8), [(1, 5), *bits(0x11, 8), *bits(0x22, 8), (1, 20)], [0x11], ready=False)


# ---- the whole way


class SimLine(Transport):
    """The bytes of a simulated HostLink; reads step the simulation and give up when it has been silent for long."""

    SILENCE = 6 * IDLE + 4 * ACK

    def __init__(self, top, i, o, *benches, gap=2):
        self.out, self.waiting = deque(), deque()
        self.now, self.simulator = 0, Simulator(top, engine=Engine)
        self.simulator.add_clock(PERIOD)

        async def send(ctx):
            while True:
                byte = self.out[0] if self.out else None
                ctx.set(i.valid, byte is not None)
                ctx.set(i.payload, byte or 0)
                *_, taken = await ctx.tick().sample(i.ready)
                if taken and byte is not None:
                    self.out.popleft()
                    ctx.set(i.valid, 0)
                    if gap:
                        await ctx.tick().repeat(gap)

        async def receive(ctx):
            ctx.set(o.ready, 1)
            async for *_, valid, byte in ctx.tick().sample(o.valid, o.payload):
                if valid:
                    self.waiting.append(byte)

        for bench in (send, receive, *benches):
            self.simulator.add_testbench(bench, background=True)

    def write(self, data):
        """See Transport."""
        self.out.extend(data)

    def read(self, n, timeout):
        """See Transport."""
        silent, before = 0, len(self.waiting)
        while len(self.waiting) < n and silent < self.SILENCE:
            self.now += 8
            self.simulator.run_until(self.now * PERIOD)
            silent = 0 if self.out or len(self.waiting) != before else silent + 8
            before = len(self.waiting)
        return bytes(self.waiting.popleft() for _ in range(min(n, len(self.waiting))))

    def close(self):
        """See Transport."""


class UartTop(wiring.Component):
    """A host's UART, the board's UART and HostLink, and the bus."""

    def __init__(self, divisor):
        self.link, self.divisor = HostLink(idle_cycles=30 * divisor, ack_cycles=ACK), divisor
        self.host_tx, self.host_rx = UartTx(divisor), UartRx(divisor)
        super().__init__({})

    def elaborate(self, platform):
        """The board hears the host's line and the host the board's."""
        m = Module()
        m.submodules.link, m.submodules.host_tx, m.submodules.host_rx = self.link, self.host_tx, self.host_rx
        m.submodules.rx, m.submodules.tx = rx, tx = UartRx(self.divisor), UartTx(self.divisor)
        wiring.connect(m, rx.o, self.link.i)
        wiring.connect(m, self.link.o, tx.i)
        m.d.comb += [rx.rx.eq(self.host_tx.tx), self.host_rx.rx.eq(tx.tx)]
        return m


def test_board_over_uart():
    top, memory = UartTop(4), Memory()
    line = SimLine(top, top.host_tx.i, top.host_rx.o, serve(top.link.bus, memory, constant(1)), gap=0)
    host, data = Board(line), words(5)
    host.write(20, data)
    assert host.read(20, 5) == data
    line.write(flip(GOOD, 110))
    assert decode_response(line.read(8, 1)).status == Status.BAD_CRC
    assert host.read(22, 2, fixed=True) == data[2:3] * 2


def test_board_runs_a_network():
    """Board, HostLink, NetworkTop: identify, load and run equal golden; a wrong commit leaves the old parameters."""
    fields = {"activation": "tanh", "operand": QFormat(0, 15), "weight": QFormat(2, 15), "state": QFormat(4, 12),
              "lead": QFormat(5, 12), "lag": QFormat(0, 17), "rate": QFormat(0, 15), "max_delay": 1}
    net = Network(name="test", dt=1.0, layers=(Dense(inputs=2, outputs=3, lanes=2, delay=1, **fields),
                                               Dense(inputs=3, outputs=2, **fields)))
    link, top, m = HostLink(idle_cycles=IDLE, ack_cycles=100), NetworkTop(net), Module()
    m.submodules.link, m.submodules.top = link, top
    wiring.connect(m, link.bus, top.bus)
    host = Board(SimLine(m, link.i, link.o), net)
    host.transport.SILENCE = 1000      # reading 64 words takes about as many cycles
    params = random_params(net, np.random.default_rng(3))
    image = build_image(net, params)
    identity = host.identify()
    assert (identity.fingerprint, identity.parameter_words) == (net.fingerprint, len(image))
    host.load(image)
    x = np.random.default_rng(4).integers(-1 << 15, 1 << 15, (6, 2))
    expected = engine.run(net, params, x[None])[0]
    assert np.array_equal(host.run(x[None])[0], expected)
    # a commit with a wrong checksum changes nothing
    host.set("load_begin", 1)
    host.write(int(image.pairs[0, 0]), [1, 2, 3])
    host.set("load_commit", 0)
    assert host.get("errors") & 3 == 3
    # half an input vector of a run cut short
    host.write(0x100, [5] * 3, fixed=True)
    host._aligned = False
    assert np.array_equal(host.run(x[None])[0], expected)
