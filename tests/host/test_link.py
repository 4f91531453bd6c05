# amaranth: UnusedElaboratable=no
"""HostLink and UART in the simulator: good frames, every kind of bad one, faults of the bus, and the whole way."""

import random
from collections import deque

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator
from device import respond

from firmware import protocol
from firmware.board import Board
from firmware.protocol import READ, WRITE, Request, Response, Status, decode_response, encode_request, encode_response
from firmware.transport import Transport
from golden.fixed import QFormat
from golden.image import build_image
from golden.rate import engine
from golden.rate.engine import random_params
from golden.rate.layer import Dense
from golden.rate.network import Network
from rtl.host import link as rtl_link
from rtl.host.link import BusMaster, HostLink
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


def exchange(frames, *, device=None, pattern="none", gap=0, delays=None, quiet=None):
    """Send each of `frames` (bytes) as soon as the last one's response is complete; the responses' bytes.

    A frame whose response is None in `quiet` gets none: the line rests instead.
    """
    dut, device, answers = HostLink(idle_cycles=IDLE, ack_cycles=ACK), device or Memory(), []

    async def drive(ctx):
        pauses = stalls(pattern, "drive")
        for n, frame in enumerate(frames):
            for byte in frame:
                while next(pauses):
                    await ctx.tick()
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
                ctx.set(dut.i.valid, 0)
                for _ in range(gap):
                    await ctx.tick()
            if quiet and n in quiet:
                await ctx.tick().repeat(2 * IDLE)
                answers.append(b"")
            else:
                answers.append(await response(ctx))
        await silent(ctx)

    async def response(ctx):
        data = bytes(await receive(ctx, dut.o, 3, pattern=pattern))
        words = data[2] if data[1] & 0xF == READ else 0
        return data + bytes(await receive(ctx, dut.o, 4 * words + 2, pattern=pattern))

    async def silent(ctx):
        """What is not a response must not be on the line."""
        for _ in range(2 * IDLE):
            assert not ctx.get(dut.o.valid), "a byte behind the last response"
            await ctx.tick()

    limit = 500 + 4 * sum(map(len, frames)) * (gap + 2) + len(frames) * (64 * 30 + 8 * IDLE + 64 * ACK)
    simulate(dut, drive, device=device, bus=dut.bus, delays=delays, cycles=limit)
    return answers, device


def words(count):
    return [RNG.getrandbits(32) for _ in range(count)]


def write(addr, data, fixed=False):
    return encode_request(Request(op=WRITE, addr=addr, count=len(data), data=data, fixed=fixed))


def read(addr, count=1, fixed=False):
    return encode_request(Request(op=READ, addr=addr, count=count, fixed=fixed))


def flip(frame, bit):
    frame = bytearray(frame)
    frame[bit // 8] ^= 1 << bit % 8
    return bytes(frame)


def test_same_checksum():
    assert rtl_link.CRC16(8).compute(b"leadlag") == protocol.crc16(b"leadlag")


@pytest.mark.parametrize("pattern", ["none", "random", "bursts"])
def test_write_then_read(pattern):
    data = words(64)
    sent = [write(7, data), read(7, 64), write(9, data[:3], fixed=True), read(9), read(8, 5, fixed=True)]
    answers, memory = exchange(sent, pattern=pattern if pattern != "bursts" else "none",
                               gap=5 if pattern == "bursts" else 0)
    found = [decode_response(answer) for answer in answers]
    assert found == [Response(status=Status.OK, op=WRITE, count=64),
                     Response(status=Status.OK, op=READ, count=64, data=data),
                     Response(status=Status.OK, op=WRITE, count=3, fixed=True),
                     Response(status=Status.OK, op=READ, count=1, data=data[2:3]),
                     Response(status=Status.OK, op=READ, count=5, data=[data[1]] * 5, fixed=True)]
    assert memory.log[:64] == [("write", 7 + n, word) for n, word in enumerate(data)]
    assert memory.log[128:131] == [("write", 9, word) for word in data[:3]]


GOOD = write(3, [1, 2])
BAD = {
    "crc low": (flip(GOOD, 8 * len(GOOD) - 16), Status.BAD_CRC),
    "crc high": (flip(GOOD, 8 * len(GOOD) - 1), Status.BAD_CRC),
    "payload": (flip(GOOD, 100), Status.BAD_CRC),
    "address": (flip(GOOD, 30), Status.BAD_CRC),
    "fixed": (flip(GOOD, 15), Status.BAD_CRC),
    "read for write": (b"\xa5\1" + GOOD[2:], Status.BAD_CRC),
    "op 0": (b"\xa5\0" + GOOD[2:], Status.BAD_FRAME),
    "op 3": (b"\xa5\3" + GOOD[2:], Status.BAD_FRAME),
    "op 6": (b"\xa5\6" + GOOD[2:], Status.BAD_FRAME),
    "op 0x42": (b"\xa5\x42" + GOOD[2:], Status.BAD_FRAME),
    "count 0": (b"\xa5\2\0" + GOOD[3:], Status.BAD_FRAME),
    "count 1": (b"\xa5\2\1" + GOOD[3:], Status.BAD_CRC),
    "count 3": (b"\xa5\2\3" + GOOD[3:], Status.BAD_CRC),
    "count 65": (b"\xa5\2\x41" + GOOD[3:], Status.BAD_FRAME),
    "count 129": (b"\xa5\2\x81" + GOOD[3:], Status.BAD_FRAME),
    **{f"first {n} bytes": (GOOD[:n], Status.BAD_CRC) for n in (1, 2, 3, 6, 8, len(GOOD) - 1)},
    "bad frame with a good one behind": (flip(GOOD, 100) + GOOD, Status.BAD_CRC),
}


@pytest.mark.parametrize("batch", range(3))
def test_bad_frames(batch):
    """Each is refused without an access to the bus, and the next good one is answered."""
    chosen = list(BAD.items())[batch::3]
    frames = [frame for _, (bad, _) in chosen for frame in (bad, read(batch))]
    answers, memory = exchange(frames)
    for n, (name, (_, status)) in enumerate(chosen):
        assert answers[2 * n] == encode_response(Response(status=status)), name
        assert decode_response(answers[2 * n + 1]).status == Status.OK, name
    assert memory.log == [("read", batch)] * len(chosen)


@pytest.mark.parametrize(("bad", "status"), [(flip(GOOD, 100), Status.BAD_CRC), (b"\xa5\2\x41", Status.BAD_FRAME)])
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
        out.extend(await receive(ctx, dut.o, 5))
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
    answers, memory = exchange([noise + GOOD, noise, GOOD], quiet={1})
    assert [bool(answer) for answer in answers] == [True, False, True]
    assert memory.log == [("write", 3, 1), ("write", 4, 2)] * 2


def test_bytes_during_a_response_are_dropped():
    """Stop and wait: what comes between request and response is lost, not executed later."""
    dut, memory, out = HostLink(idle_cycles=IDLE, ack_cycles=ACK), Memory(), []

    async def drive(ctx):
        for byte in read(1) + GOOD[:8]:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        out.extend(await receive(ctx, dut.o, 9))
        await ctx.tick().repeat(2 * IDLE)
        assert not ctx.get(dut.o.valid)

    simulate(dut, drive, device=memory, bus=dut.bus, cycles=1000)
    assert decode_response(bytes(out)).data == (0x01010101,)
    assert memory.log == [("read", 1)]


@pytest.mark.parametrize("op", [READ, WRITE])
@pytest.mark.parametrize(("addr", "status"), [(254, Status.BUSY), (255, Status.BUSY), (256, Status.ADDRESS)])
def test_faults_of_the_bus(op, addr, status):
    """The words before the fault are counted, those after it are not touched."""
    frame = read(addr, 4) if op == READ else write(addr, [9, 8, 7, 6])
    answers, memory = exchange([frame, read(1)])
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
        for byte in read(1):
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        out.extend(await receive(ctx, dut.o, 9 if status == Status.OK else 5))

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
    rng, frames = random.Random(f"link {seed}"), []
    for _ in range(25):
        addr = rng.choice([rng.randrange(200), rng.randrange(190, 260)])
        count, fixed = rng.choice([1, 2, rng.randrange(1, 12)]), rng.random() < 0.3
        frame = read(addr, count, fixed) if rng.random() < 0.5 else write(
            addr, [rng.getrandbits(32) for _ in range(count)], fixed)
        damage = rng.random()
        if damage < 0.3:
            frame = flip(frame, rng.randrange(8, 8 * len(frame)))
        elif damage < 0.4:
            frame = frame[:rng.randrange(1, len(frame))]
        frames.append(frame)
    model = Memory()
    expected = [respond(model, frame) for frame in frames]
    answers, memory = exchange(frames, pattern=("none", "random", "bursts")[seed],
                               delays=iter(lambda: rng.randrange(ACK - 3), None), gap=0)
    for n, (answer, wanted) in enumerate(zip(answers, expected, strict=True)):
        assert answer == wanted, f"frame {n}: {frames[n].hex()}"
    assert memory.log == model.log


def test_cycles_per_word():
    """On a bus that acknowledges in the cycle of the request, measured from request to request."""
    master, times = BusMaster(ACK), []
    m = Module()
    m.submodules.master = master
    m.d.comb += master.bus.ack.eq(master.bus.read)

    async def drive(ctx):
        for name, value in (("op", READ), ("count", 5), ("start", 1)):
            ctx.set(getattr(master, name), value)
        cycle, done = 0, False
        while not done:
            *_, done, requested = await ctx.tick().sample(master.done, master.bus.read)
            ctx.set(master.start, 0)
            times.extend([cycle] * requested)
            cycle += 1

    run(m, drive, cycles=100)
    assert [b - a for a, b in zip(times, times[1:], strict=False)] == [BusMaster.CYCLES_PER_WORD] * 4


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

    def __init__(self, top, i, o, *benches):
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
    line = SimLine(top, top.host_tx.i, top.host_rx.o, serve(top.link.bus, memory, constant(1)))
    host, data = Board(line), words(5)
    host.write(20, data)
    assert host.read(20, 5) == data
    line.write(flip(GOOD, 100))
    assert decode_response(line.read(5, 1)).status == Status.BAD_CRC
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
