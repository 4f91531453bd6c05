"""What is proved of the two ends of the bus: what its master promises, and what Control makes of a request then."""

from amaranth.hdl import Assert, Assume, Cat, Mux, Signal
from inside import Inside

from golden.frames import READ, WRITE, Status
from golden.regmap import AWAITED, INPUT, OUTPUT, REGISTERS
from rtl.host.control import Control
from rtl.host.master import BusMaster
from rtl.systems import core_of


class Requests:
    """The rules of a master, `claim`ed of a bus, and what has become of the request of late.

    wants    a request is out; out: it was in the last cycle; last: what it was, also behind its end
    age      for how many cycles it has been out; gone: for how many it has not, since the last one
    acked    the last one was acknowledged; in the cycle of that not yet

    A request is out for ack_cycles and one cycle more, at least, before it is withdrawn, and then there is none for
    GRACE cycles.
    """

    def __init__(self, m, bus, ack_cycles: int, claim):
        self.wants, self.out, self.acked = (Signal(name=name) for name in ("wants", "out", "acked"))
        self.most, self.rest = ack_cycles + 1, BusMaster.GRACE + 1       # where the counters stop
        self.age, self.gone = Signal(range(self.most + 1)), Signal(range(self.rest + 1), init=self.rest)
        now = Cat(bus.read, bus.write, bus.addr, bus.w_data)
        self.last, just, in_time = Signal(len(now), name="last"), Signal(name="just_acked"), Signal(name="in_time")
        m.d.comb += self.wants.eq(bus.read | bus.write)
        m.d.sync += [self.out.eq(self.wants), just.eq(self.wants & bus.ack),
                     self.age.eq(Mux(self.wants, Mux(self.age == self.most, self.age, self.age + 1), 0)),
                     self.gone.eq(Mux(self.wants, 0, Mux(self.gone == self.rest, self.gone, self.gone + 1))),
                     self.acked.eq(self.acked & (self.out | ~self.wants) |
                                   bus.ack & (self.wants | (self.gone != self.rest)))]
        with m.If(self.wants):
            m.d.sync += [self.last.eq(now), in_time.eq(bus.ack)]
        m.d.comb += [claim(~(bus.read & bus.write)), claim(~self.wants | ~just),
                     claim(~(self.out & self.wants) | (self.last == now)),
                     claim(~self.out | self.wants | just | (self.age == self.most)),
                     claim(~self.wants | self.out | in_time | (self.gone >= BusMaster.GRACE))]
        # how these registers stand to one another, which induction has to be told
        m.d.comb += [Assert(self.out == (self.age != 0)), Assert(self.out == (self.gone == 0)),
                     Assert(self.age <= self.most), Assert(self.gone <= self.rest), Assert(~in_time | self.acked),
                     Assert(~self.out | (just == self.acked) & (just == in_time))]


class Master(Inside):
    """BusMaster keeps the rules, and says BUSY of a request only when it cannot be acknowledged any more."""

    def claims(self, m):
        own, states = self.own, self.states
        bus = Requests(m, self.unit.bus, self.unit.ack_cycles, Assert)
        withdrawn, timer, grace = states.are("WITHDRAWN"), own["ack_timer"], own["grace_timer"]
        m.d.comb += [Assume((self.unit.op == READ) | (self.unit.op == WRITE)), Assert(states.exist()),
                     Assert(bus.wants == states.are("REQUEST")), Assert(~bus.wants | (bus.age < bus.most)),
                     Assert(~bus.wants | (timer == self.unit.ack_cycles - 1 - bus.age)),
                     Assert(~states.are("ANSWERED") | bus.acked),
                     Assert(~self.unit.done | (bus.acked == (self.unit.status != Status.BUSY))),
                     Assert(bus.wants | bus.out | withdrawn | bus.acked | (bus.gone == bus.rest)),
                     Assert(~withdrawn | ~bus.acked & (grace == self.unit.GRACE - 1 - bus.gone))]


def control_of(module, net, **options):
    """The Control of a network; module: where that is taken from."""
    core = core_of(net, vendor="generic")
    return module.Control(net, core.info, i=core.i.payload.shape(), o=core.o.payload.shape(), **options)


class Answers(Inside):
    """Control, on a bus whose master keeps the rules: a request is acknowledged once, and nothing is done for another.

    What is done for a request is a write to a register, a parameter word sent, an input word taken, an output word
    given, a flag set. A request that is withdrawn has had none of these, and will not have one, unless it is
    acknowledged before the master looks away. Control rests when the next one comes.

    patience: cycles from `probe` to `probe_valid` at most, in a network that learns. The master waits for longer.
    """

    #: cycles behind its end in which a request may still be acknowledged: fewer than the master waits
    AFTER = 2

    def __init__(self, module, net, *, patience: int = 0, free=None, **options):
        self.patience, self.ack_cycles = patience, max(Control.PARAMETER_ACCESS, patience + 2)
        super().__init__(control_of(module, net, **options), module=module, spies=("Held",), **free or {})

    def claims(self, m):
        unit, own, states = self.unit, self.own, self.states
        bus = Requests(m, unit.bus, self.ack_cycles, Assume)
        act, did, begins = Signal(name="act"), Signal(name="did"), Signal(name="begins")
        self.strobes = {name.removeprefix("write_"): each for name, each in own.items() if name.startswith("write_")}
        flags = [own[f"set_{name}"] for name in ("address", "load_idle")]
        streams = unit.i.valid & unit.i.ready, unit.o.valid & unit.o.ready & bus.last[0]
        m.d.comb += [act.eq(Cat(*self.strobes.values(), *flags, unit.params.en, *streams).any()),
                     begins.eq(bus.wants & ~bus.out)]
        m.d.sync += did.eq(act | did & ~begins)
        heard = bus.wants | (bus.gone <= self.AFTER)
        m.d.comb += [Assert(~unit.bus.ack | heard & ~begins & ~bus.acked), Assert(~act | heard & ~begins),
                     Assert(~did | bus.acked | bus.out | (bus.gone <= self.AFTER)),
                     Assert(~begins | states.are("idle"))]
        self._steps(m, bus, did)
        if unit.info.learns:
            self._probe(m, bus)

    def _steps(self, m, bus, did):
        """Where Control is in a request, for how long it has been out then, and what was done for it."""
        own, are = self.own, self.states.are
        held, count = self.told["Held"], own["count"]
        waiting, done = are("register", "input", "awaited"), are("answer", "release")
        m.d.comb += [
            Assert(self.states.exist()),
            Assert(are("idle", "release") | (Cat(held.write, held.addr, held.data) == bus.last[1:])),
            Assert(are("idle", "release") | ~bus.acked), Assert(~are("release") | bus.acked),
            Assert(~are("idle") | ~bus.out & (~did | bus.acked)),
            Assert(~are("decode") | (bus.age == 1)), Assert(~are("go") | (bus.age == 2)),
            Assert(~are("parameter") | (bus.age == 3 + count)),
            Assert(are("parameter") | (count == 0)), Assert(~waiting | (bus.age >= 3)),
            Assert(~are("nowhere") | (bus.age == 3) | (bus.age == 4)),
            Assert(~are("output") | (bus.age >= 3) | (bus.gone == 1)),
            Assert(~are("answer") | bus.out | (bus.gone <= self.AFTER)),
            Assert(~did | done | are("idle") | are("parameter") & (count != 0)),
            Assert(~self.unit.bus.error | done | are("idle", "decode")),
            Assert(~are("register") | (held.addr[8:] == 0)), Assert(~are("parameter") | held.addr[31]),
            Assert(~are("input") | held.write & (held.addr == INPUT)),
            Assert(~are("output") | ~held.write), Assert(~are("awaited") | (held.addr == AWAITED)),
            *(Assert(~are("go") | (own[f"is_{name}"] == is_there)) for name, is_there in self._places(held)),
            *(Assert(~strobe | are("answer") & held.write & (held.addr == REGISTERS[name].offset))
              for name, strobe in self.strobes.items())]

    def _places(self, held):
        """What Control notes of an address while it decodes it."""
        yield from (("register", held.addr[8:] == 0), ("input", (held.addr == INPUT) & held.write),
                    ("output", (held.addr == OUTPUT) & ~held.write))
        if "is_awaited" in self.own:
            yield "awaited", held.addr == AWAITED

    def _probe(self, m, bus):
        """What is asked of the core is answered, once, while the master waits for it."""
        asks, waits = self.states.are("probe"), Signal(range(self.patience + 1), name="probe_waits")
        answered = self.unit.probe_valid
        m.d.sync += waits.eq(Mux(self.unit.probe | asks & ~answered, waits + 1, 0))
        m.d.comb += [Assume(answered <= asks), Assume(~asks | answered | (waits < self.patience)),
                     Assert(~asks | (bus.age == 3 + waits) & (waits != 0)), Assert(asks | (waits == 0)),
                     Assert(~self.own["forsaken"])]
