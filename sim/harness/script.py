"""A host as a generator of bus accesses, on Amaranth's simulator or on a compiled device.

It yields an Access, Idle or Reset and is sent back an Answer (sim.harness.bare has a core without registers).
Amaranth's simulator needs no compiler and a second for a small network, then some thousand cycles a second; a compiled
device takes some seconds, then a hundred times as many.
"""

from typing import NamedTuple

from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from sim.engine import Engine
from sim.harness.device import Device, SimulationError
from sim.pysim import PERIOD

#: cycles that a device may take for one access
PATIENCE = 20_000


class Access(NamedTuple):
    """A word to read or write; board, where there are several buses."""

    write: bool
    addr: int
    data: int = 0
    board: int = 0


class Idle(NamedTuple):
    """Cycles without an access."""

    cycles: int


class Reset(NamedTuple):
    """The button is held for so many cycles (Amaranth's simulator only)."""

    cycles: int


class Answer(NamedTuple):
    """The word read, and whether there is no such address."""

    word: int
    error: bool


def amaranth(top, host, *, buses=("bus",)) -> int:
    """Run the generator `host` against `top`, whose members `buses` are; the clock cycles that it took.

    SimulationError where the device does not answer.
    """
    reset, taken, ports = Signal(name="button"), [0], [getattr(top, name) for name in buses]

    async def access(ctx, ticks, request):
        bus = ports[request.board]
        strobe = bus.write if request.write else bus.read
        ctx.set(bus.addr, request.addr)
        ctx.set(bus.w_data, request.data)
        ctx.set(strobe, 1)
        for _ in range(PATIENCE):
            _, _, *seen = await anext(ticks)
            taken[0] += 1
            acknowledged, word, error = seen[3 * request.board:][:3]
            if acknowledged:
                break
        else:
            raise SimulationError(f"{request}: no answer in {PATIENCE} cycles")
        ctx.set(strobe, 0)
        await idle(ticks, 1)
        return Answer(word, bool(error))

    async def idle(ticks, cycles):
        for _ in range(cycles):
            await anext(ticks)
        taken[0] += cycles

    async def bench(ctx):
        answer = None
        ticks = aiter(ctx.tick().sample(*(value for bus in ports for value in (bus.ack, bus.r_data, bus.error))))
        while True:
            try:
                request = host.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(request, Access):
                answer = await access(ctx, ticks, request)
            elif isinstance(request, Idle):
                await idle(ticks, request.cycles)
            else:
                ctx.set(reset, 1)
                await idle(ticks, request.cycles)
                ctx.set(reset, 0)

    simulator = Simulator(ResetInserter(reset)(top), engine=Engine)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(bench)
    simulator.run()
    return taken[0]


def compiled(net, host) -> int:
    """The same against a compiled NetworkTop of `net`."""
    device, answer = Device(net, quick=True), None
    begin = device.cycles
    while True:
        try:
            request = host.send(answer)
        except StopIteration:
            return device.cycles - begin
        answer = None
        if isinstance(request, Idle):
            device.idle(request.cycles)
        else:
            answer = Answer(*device.access(request.write, request.addr, request.data))
