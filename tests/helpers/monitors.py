"""Components for proofs: a unit with all its inputs free, and what must hold of it."""

from amaranth.hdl import Assert, Assume, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.fixed import QFormat


class Around(wiring.Component):
    """A unit whose inputs are inputs of this one; subclasses say in `claims` what they assert and assume."""

    def __init__(self, unit, **free):
        self.unit = unit
        super().__init__({"_".join(map(str, path)): In(member.shape) for path, member, _ in
                          unit.signature.flatten(unit) if member.flow == In} | free)

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = self.unit
        self.join(m)
        self.claims(m)
        return m

    def join(self, m) -> None:
        """Inputs of the unit are those of this component."""
        for path, member, value in self.unit.signature.flatten(self.unit):
            if member.flow == In:
                m.d.comb += value.eq(getattr(self, "_".join(map(str, path))))

    def claims(self, m) -> None:
        raise NotImplementedError

    def streams(self, flow):
        """Interfaces of the unit's streams that may wait, by direction."""
        for name, member in self.unit.signature.members.items():
            if member.is_signature and isinstance(member.signature, stream.Signature) and member.flow == flow and \
                    not member.signature.always_ready:
                yield name, getattr(self.unit, name)


class Holds(Around):
    """The rule of streams: a word that is offered stays as it is until it is taken, if words that come in do so."""

    def claims(self, m):
        for flow, claim in ((Out, Assert), (In, Assume)):
            for name, port in self.streams(flow):
                waits, before = Signal(name=f"{name}_waits"), Signal.like(Cat(port.payload), name=f"{name}_before")
                m.d.sync += [waits.eq(port.valid & ~port.ready), before.eq(Cat(port.payload))]
                m.d.comb += claim(~waits | port.valid & (Cat(port.payload) == before))


class RecallHolds(Holds):
    """The same of event.history.Recall: a tick does not end while a spike waits, and lines are visited again only."""

    def claims(self, m):
        super().claims(m)
        unit, waits, tick = self.unit, Signal(), Signal.like(self.unit.tick)
        m.d.sync += [waits.eq(unit.i.valid & ~unit.i.ready), tick.eq(unit.tick)]
        m.d.comb += [Assume(~waits | (tick == unit.tick)),
                     Assume(~unit.i.valid | (unit.i.p.visit != 0) & (unit.i.p.index < unit.net.lines))]


class _Numbers(wiring.Component):
    """Words x of any value, one of each width, and what is claimed of each."""

    def __init__(self, fixed, widths, options):
        self.fixed, self.options = fixed, options
        super().__init__({f"x{width}": In(width) for width in widths})

    def elaborate(self, platform):
        m = Module()
        for x in (getattr(self, name).as_signed() for name in self.signature.members):
            for option in self.options:
                m.d.comb += [Assert(claim) for claim in self.claims(x, option)]
        return m


class Rounds(_Numbers):
    """y = round_shift(x, n): y 2**n <= x + 2**(n - 1) < (y + 1) 2**n."""

    def claims(self, x, n: int):
        rest = x - (self.fixed.round_shift(x, n) << n) + (1 << n - 1)
        return [(rest >= 0) & (rest < 1 << n)]


class Saturates(_Numbers):
    """y = saturate(x): x where its format holds it, else the end that is nearer."""

    def claims(self, x, fmt: str):
        fmt = QFormat.parse(fmt)
        y = self.fixed.saturate(x, fmt)
        return [(y >= fmt.min) & (y <= fmt.max), (x < fmt.min) | (x > fmt.max) | (y == x),
                (x <= fmt.max) | (y == fmt.max), (x >= fmt.min) | (y == fmt.min)]
