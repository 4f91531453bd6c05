"""The serial line: its receiver and sender, a board and a network behind them."""

from collections import deque

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator
from device import flip
from links import ACK, GOOD, IDLE, RNG, Memory, constant, serve, words

from firmware.board import Board
from firmware.protocol import (
    Status,
    decode_response,
)
from firmware.transport import Transport
from golden.fixed import QFormat
from golden.image import build_image
from golden.rate import engine
from golden.rate.engine import random_params
from golden.rate.layer import Dense
from golden.rate.network import Network
from rtl.host.link import HostLink
from rtl.host.top import NetworkTop
from rtl.host.uart import UartRx, UartTx
from sim.engine import Engine
from sim.pysim import PERIOD, run


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
