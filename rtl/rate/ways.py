"""How messages and errors come into a layer: by a delay line, predicted at their sender, or from another board."""

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from golden.units.extrapolator import Way
from rtl.pipeline import join
from rtl.units.delay import DelayLine
from rtl.units.predicted import PredictedLine


class FarLine(wiring.Component):
    """A DelayLine whose messages come from another board, at any time.

    Parameters: way; others, the longest delay of the way back, by which the other board may be ahead; vendor form. What
    predicts is over there.
    Members: those of DelayLine, and `there`: the message that the next tick reads has come, or counts as zero.
    """

    LATENCY = DelayLine.LATENCY

    def __init__(self, way: Way, *, others: int, vendor: str = "generic"):
        self.way, self.others = way, others
        # room for D + D' + 2 messages: while tick k reads that of tick k - D - 1, that of k + D' may be coming in
        self.line = DelayLine(size=way.size, fmt=way.fmt, depth=way.depth + others, vendor=vendor,
                              ahead=way.predictor is not None)
        self.index_bits = self.line.index_bits
        super().__init__(dict(self.line.signature.members) | {"there": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.line = line = self.line
        for name in ("start", "fresh", "delay", "read_index"):
            m.d.comb += getattr(line, name).eq(getattr(self, name))
        m.d.comb += self.read_data.eq(line.read_data)
        wiring.connect(m, wiring.flipped(self.i), line.i)
        index, whole = Signal(range(max(2, self.way.size)), name="arriving"), Signal()
        lead = Signal(range(-self.way.depth - 2, self.others + 3))     # messages that came less ticks that began
        m.d.comb += whole.eq(self.i.valid & (index == self.way.size - 1))
        with m.If(self.i.valid):
            m.d.sync += index.eq(Mux(whole, 0, index + 1))
        m.d.sync += [lead.eq(lead + whole - self.start), self.there.eq(lead + self.delay + (not line.ahead) > 0)]
        return m


class ErrorsIn(NamedTuple):
    """How errors come from the layer above: their way, its banks of times and of taps, the seed of taps that learn.

    wait: what their predictor waits for its words (rtl.rate.schedule.wait).
    """

    way: Way
    times: int
    taps: int
    seed: int
    wait: int = 0


class Far(NamedTuple):
    """What of a layer comes from another board: 0 its messages, 1 errors from above; others as of a FarLine."""

    which: int
    others: int


def arrive(m, name: str, way: Way, bus, half, *, times: int, which: int = 0, taps: int = 0, seed: int = 1,
           wait: int = 0, streams: int = 1, ahead: bool = False, far: Far | None = None, lost,
           vendor: str = "generic"):
    """Make the line of a way as submodule `name`, with the delay that is loaded: the line, and the bus behind it.

    times, taps: numbers of the banks of its times and taps on `bus`; which: 0 for messages, 1 for errors; lost, what is
    driven where a predictor is before the line; the rest as of a PredictedLine or a DelayLine.
    """
    found = loaded_times(m, bus, half, times, way, which)
    if far is not None and far.which == which:
        m.submodules[name] = line = FarLine(way, others=far.others, vendor=vendor)
        m.d.comb += line.delay.eq(found["delay"])
        return line, bus
    if way.predictor is None:
        m.submodules[name] = line = DelayLine(size=way.size, fmt=way.fmt, ahead=ahead, vendor=vendor,
                                              depth=longest(way.depth, streams, ahead))
        # a tick of a stream is as many ticks as there are streams, a power of two: those in between are ones
        turns = Const(0 if ahead else streams - 1, streams.bit_length() - 1)
        m.d.comb += line.delay.eq(Cat(turns, found["delay"]))
        return line, bus
    m.submodules[name] = line = PredictedLine(way, streams=streams, bank=taps, vendor=vendor, seed=seed, wait=wait)
    m.d.comb += [line.delay.eq(found["delay"]), line.spacing.eq(found["spacing"]), line.half.eq(half),
                 *(target.eq(word) for target, word in zip(line.fixed, found["fixed"], strict=False)),
                 lost.eq(line.lost)]
    join(m, line.params, bus)
    return line, line.params_out


def loaded_times(m, bus, half, number: int, way: Way, which: int) -> dict:
    """Words of golden.image.timing in force for a way: which is 0 for messages, 1 for errors; `number` of the bank."""
    def word(address, bits):
        halves = [Signal(bits, name=f"time{address}_{n}") for n in range(2)]
        for n, signal in enumerate(halves):
            with m.If(bus.en & (bus.bank == number) & (bus.half == n) & (bus.addr == address)):
                m.d.sync += signal.eq(bus.data)
        return Mux(half, halves[1], halves[0])
    found, p = {"delay": word(which, way.depth.bit_length()) if way.depth else Const(0, 1)}, way.predictor
    if p is not None:
        found["spacing"] = word(2 + which, p.history.bit_length())
        fixed = p.words if not p.has_taps and p.spacing else 0
        found["fixed"] = [word(4 + 4 * which + j, p.gain.width).as_signed() for j in range(fixed)]
    return found


def longest(delay: int, streams: int, ahead: bool) -> int:
    """Ticks of the network that a message of `delay` ticks of its stream is old when it is read, beyond the newest."""
    return delay * streams if ahead else (delay + 1) * streams - 1


def line_banks(way: Way, streams: int, ahead: bool) -> list[tuple[int, int]]:
    """Depth and width of the memories of a line."""
    if way.predictor is not None:
        return PredictedLine.banks(way, streams)
    return DelayLine.banks(way.size, way.fmt, longest(way.depth, streams, ahead))
