"""PredictedLine: a delay line whose messages are predicted where they leave: golden.units.extrapolator."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.units.extrapolator import Way
from rtl.fixed import shape
from rtl.pipeline import join, later
from rtl.units.delay import DelayLine
from rtl.units.extrapolator import Extrapolator
from rtl.units.neural import NeuralExtrapolator


class PredictedLine(wiring.Component):
    """A DelayLine with an Extrapolator in front: what is read are predictions of what was sent `delay` ticks later.

    With a delay of 0 it is the message itself; `wait`: cycles that its words come late, where no delay is that short.
    Members: those of DelayLine, but `delay` in ticks of a stream, and those
    of Extrapolator.
    """

    LATENCY = DelayLine.LATENCY

    def __init__(self, way: Way, *, streams: int = 1, wait: int = 0, vendor: str = "generic", **options):
        self.way, self.streams, self.wait, self.vendor = way, streams, wait, vendor
        self.predictor = predictor(way)(way, streams=streams, vendor=vendor, **options)
        self.index_bits = self.predictor.index_bits
        super().__init__({name: member for name, member in self.predictor.signature.members.items() if name != "o"} | {
            "read_index": In(self.index_bits), "read_data": Out(shape(way.fmt))})

    @staticmethod
    def banks(way: Way, streams: int) -> list[tuple[int, int]]:
        """Depth and width of every memory."""
        lines = PredictedLine._lines(way, streams).values()
        return predictor(way).banks(way, streams) + [bank for depth in lines
                                                     for bank in DelayLine.banks(way.size, way.fmt, depth)]

    @staticmethod
    def _lines(way: Way, streams: int) -> dict[str, int]:
        """Depths of the lines: of predictions, and of messages where there may be no delay."""
        return {"sent": way.depth * streams - 1} | ({} if way.least else {"newest": streams - 1})

    def elaborate(self, platform):
        m = Module()
        m.submodules.predictor = unit = self.predictor
        shift, lines = self.streams.bit_length() - 1, {}
        for name, depth in self._lines(self.way, self.streams).items():
            m.submodules[name] = lines[name] = line = DelayLine(size=self.way.size, fmt=self.way.fmt, depth=depth,
                                                                vendor=self.vendor)
            m.d.comb += [line.start.eq(self.start), line.fresh.eq(self.fresh), line.read_index.eq(self.read_index)]
        wiring.connect(m, unit.o, lines["sent"].i)
        m.d.comb += [unit.i.valid.eq(self.i.valid), unit.i.payload.eq(self.i.payload),
                     lines["sent"].delay.eq((self.delay << shift) - 1), self.read_data.eq(lines["sent"].read_data)]
        if "newest" in lines:
            wiring.connect(m, wiring.flipped(self.i), lines["newest"].i)
            late = Signal(name="is_late")       # a register: the choice is made in front of multipliers
            with m.If(self.start):
                m.d.sync += late.eq(self.delay != 0)
            with m.If(~late):
                m.d.comb += self.read_data.eq(lines["newest"].read_data)
            m.d.comb += lines["newest"].delay.eq(self.streams - 1)
        join(m, unit.params, self.params)
        join(m, self.params_out, unit.params_out)
        for name, member in unit.signature.members.items():
            if name in ("i", "o", "params", "params_out", "fixed"):
                continue
            inner, outer = getattr(unit, name), getattr(self, name)
            m.d.comb += inner.eq(self._late(m, name, outer)) if member.flow == In else outer.eq(inner)
        m.d.comb += [inner.eq(self._late(m, f"fixed{n}", outer))
                     for n, (inner, outer) in enumerate(zip(unit.fixed, self.fixed, strict=True))]
        return m

    def _late(self, m, name, signal):
        """What a tick starts with, and the words that are in force in it, when the predictor starts."""
        if name.startswith("probe") or name == "reseed":
            return signal
        return later(m, signal, self.wait, name=f"waited_{name}", reset_less=name != "start")


def predictor(way: Way) -> type[Extrapolator]:
    """The component that predicts a message."""
    return NeuralExtrapolator if way.predictor.kind == "neural" else Extrapolator
