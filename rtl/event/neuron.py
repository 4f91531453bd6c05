"""Neurons of a lane: golden.event.engine.neuron_step, one neuron a cycle.

    cycle 0       addresses of sum, state and parameters
    2             sum, membrane, current; factors
    2 + FACTOR    what decay leaves of both
    + 1           membrane not below its floor; current with what has come
    + 2           what goes into the membrane
    + 3           the new membrane
    + 4           whether it fires; the membrane after that
    + 5           state on its way back, `fired`

What no population has is not there. The membrane of one that does not fire leaves beside `fired`.
"""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.event.layout import fields
from golden.fixed import QFormat
from rtl.event.layouts import COLUMN, bits, plan
from rtl.fixed import round_shift, saturate
from rtl.pipeline import ParameterBus, later
from rtl.primitives import bank, multiplier
from rtl.vendor.generic import Multiplier


def columns(net) -> list[str]:
    """Columns of the memory of a lane: what is loaded, then membrane and current, and what fired if it must be kept."""
    found = [*fields(net), "v"]
    if any(each.current is not None for each in net.populations):
        found.append("c")
    if not _late_in_v(net) and any(each.reset == "late" for each in net.populations):
        found.append("late")
    return found


def _late_in_v(net) -> bool:
    """Whether a bit is left beside the membrane."""
    return max(each.state for each in net.populations) < COLUMN


def membrane_member(net) -> dict:
    """A membrane out of a lane, where there are neurons that do not fire."""
    return {} if net.spikes_alone else {"membrane": Out(signed(COLUMN))}


def factor_cycles(net) -> int:
    """Cycles of a multiplication, where one decays by more than a flag."""
    has = any((each.leak or 0) > 0 or (each.current_leak or 0) > 0 for each in net.populations)
    return Multiplier.LATENCY if has else 0


class Neurons(wiring.Component):
    """States and parameters of a lane's neurons, and what they do in a tick.

    Parameters: net; bank0, number of the lane's first bank; vendor.
    Members: params; en, local, population: update a neuron; arrived, came: what arrives there, two cycles later;
    zero: with `en`, its states are 0 from now on; fired, and membrane where there are neurons that do not fire,
    `latency` cycles after `en`.
    """

    def __init__(self, net, *, bank0: int, vendor: str):
        self.net, self.bank0, self.vendor = net, bank0, vendor
        self.latency = 2 + factor_cycles(net) + 5
        p = plan(net)
        super().__init__({
            "params": In(ParameterBus()), "en": In(1), "local": In(bits(p.g.depth)),
            "population": In(bits(len(net.populations))), "arrived": In(signed(net.sum_width)), "came": In(1),
            "zero": In(1), "fired": Out(1)} | membrane_member(net))

    def elaborate(self, platform):
        m = Module()
        read, write = self._memory(m)
        cycles = factor_cycles(self.net)
        who = self._populations(m)
        v, c, late = read("v"), read("c"), read("late")
        u = self._decay(m, "leak", v, read("decay"), who, "u")
        arrived = self._arrived(m, who, later(m, self.arrived, cycles, name="arrived"))
        u1 = Signal(signed(COLUMN), name="u1", reset_less=True)
        m.d.sync += u1.eq(self._floor(u, who(2 + cycles)))
        plain = self._plain(m, read, late, cycles)
        into, c2 = self._current(m, c, read("current_decay"), arrived, plain, who)
        x = self._sum(m, later(m, u1, 1, name="u"), into, who)
        zero = later(m, self.zero, 6 + cycles, name="zero")
        fired, after = self._fire(m, x, read, cycles, who, zero)
        held = None if c2 is None else later(m, Mux(zero, 0, later(m, c2, 2, name="c_held")), 1, name="c_kept")
        m.d.comb += self.fired.eq(fired)
        if not self.net.spikes_alone:
            m.d.comb += self.membrane.eq(after)
        write(after, held, fired)
        return m

    # ---- memory

    def _memory(self, m):
        """The memory of a lane: read(column) in cycle 2, None where there is none; write(v, c, fired) at the end."""
        net, names = self.net, columns(self.net)
        depth = plan(net).g.depth
        m.submodules.memory = store = bank(self.vendor, depth=depth, width=COLUMN * len(names), columns=len(names))
        enables, values = Signal(len(names)), Signal(COLUMN * len(names))
        m.d.comb += [store.read_addr.eq(self.local), store.write_en.eq(enables), store.write_data.eq(values)]
        bus = self.params
        loaded = len(fields(net))
        data, addr = later(m, bus.data, 1, name="data"), later(m, bus.addr[:bits(depth)], 1, name="addr")
        en = later(m, self.en, self.latency, name="en", reset_less=False)
        m.d.comb += store.write_addr.eq(Mux(en, later(m, self.local, self.latency, name="local"), addr))
        for n in range(loaded):
            chosen = later(m, bus.en & (bus.bank == self.bank0 + n), 1, name=f"chosen{n}", reset_less=False)
            m.d.comb += [enables[n].eq(chosen), values.word_select(n, COLUMN).eq(data)]
        def read(name):
            if name == "late":
                if not any(each.reset == "late" for each in net.populations):
                    return None
                bit = store.read_data.word_select(names.index("v"), COLUMN)[-1] if "late" not in names else \
                    store.read_data.word_select(names.index("late"), COLUMN)[0]
                return bit
            if name not in names:
                return None
            word = store.read_data.word_select(names.index(name), COLUMN).as_signed()
            if name in ("v", "c"):
                word = word[:self._width].as_signed()
            return word

        def write(v, c, fired):
            word = Cat(v[:COLUMN - 1], fired if "late" not in names and read("late") is not None else v[COLUMN - 1])
            for name, value in (("v", word), ("c", c), ("late", fired)):
                if name in names:
                    n = names.index(name)
                    m.d.comb += [enables[n].eq(en), values.word_select(n, COLUMN).eq(value)]
        return read, write

    @property
    def _width(self) -> int:
        """Bits of states."""
        return max(each.state for each in self.net.populations)

    def _populations(self, m):
        """who(cycle): the population that is there then; a choice among constants is `_choose`."""
        count = len(self.net.populations)
        found = [self.population]
        for n in range(self.latency):
            found.append(later(m, found[-1], 1, name=f"population{n}") if count > 1 else self.population)
        return lambda cycle: found[cycle]

    def _choose(self, who, values):
        """One of the values, by population; one alone where they are all the same."""
        return values[0] if all(value is values[0] for value in values) else Array(values)[who]

    # ---- steps

    def _decay(self, m, name, x, word, who, label):
        """What is left of x, in cycle 2 + FACTOR: all, none by a flag, or a factor."""
        pops, cycles = self.net.populations, factor_cycles(self.net)
        kinds = [getattr(each, name) for each in pops]
        kept = later(m, x, cycles, name=f"{label}_kept")
        if all(kind is None for kind in kinds):
            return kept
        flag = later(m, word[0], cycles, name=f"{label}_flag")
        product = None
        if any(kind for kind in kinds):
            m.submodules[f"{label}_multiplier"] = unit = multiplier(self.vendor, a_width=COLUMN, b_width=COLUMN)
            m.d.comb += [unit.a.eq(x), unit.b.eq(word)]
            product = unit.p
        made = {None: kept, 0: Mux(flag, kept, 0)} | {
            kind: round_shift(product, kind)[:COLUMN].as_signed() for kind in set(kinds) if kind}
        return self._choose(who(2 + cycles), [made[kind] for kind in kinds])

    def _floor(self, u, who):
        floors = [each.floor for each in self.net.populations]
        if all(floor is None for floor in floors):
            return u
        low = self._choose(who, [Const(each.low if each.floor is None else each.floor, signed(COLUMN))
                                 for each in self.net.populations]) if len(set(floors)) > 1 else \
            Const(floors[0], signed(COLUMN))
        return Mux(u < low, low, u)

    def _arrived(self, m, who, arrived):
        """Arrivals, shifted, in cycle 2 + FACTOR."""
        cycle = 2 + factor_cycles(self.net)
        made = {shift: arrived.shift_left(shift) for shift in {each.shift for each in self.net.populations}}
        return self._choose(who(cycle), [made[each.shift] for each in self.net.populations])

    def _plain(self, m, read, late, cycles):
        """Bias, less what is taken away late, in cycle 3 + FACTOR; None where there is neither."""
        value = None
        if (bias := read("bias")) is not None:
            value = self._where(m, bias, [each.bias for each in self.net.populations], 2)
        if late is not None:
            taken = Mux(late, read("reset"), 0)
            taken = self._where(m, taken, [each.reset == "late" for each in self.net.populations], 2)
            value = -taken if value is None else value - taken
        return None if value is None else later(m, value, cycles + 1, name="plain")

    def _where(self, m, value, wanted, cycle):
        """The value for populations that have it, else 0."""
        if all(wanted):
            return value
        who = later(m, self.population, cycle, name=f"population_at{cycle}")
        return Mux(Array(map(int, wanted))[who], value, 0)

    def _current(self, m, c, word, arrived, plain, who):
        """What goes into the membrane (cycle 4 + FACTOR), and the new current (cycle 4 + FACTOR; None without one)."""
        pops, cycles = self.net.populations, factor_cycles(self.net)
        direct = later(m, arrived, 1, name="arrived_kept")
        if all(each.current is None for each in pops):
            return self._added(m, direct, plain), None
        left = self._decay(m, "current_leak", c, word, who, "c")
        c1, old = Signal(signed(COLUMN), name="c1", reset_less=True), later(m, c, cycles + 1, name="c_old")
        m.d.sync += c1.eq(self._clip(left + arrived, who(2 + cycles)))
        made = {(None, 0): direct}
        for each in pops:
            source = c1 if each.current == "new" else old
            if each.current is not None:
                made[each.current, each.current_shift] = round_shift(source, each.current_shift)
        into = self._choose(who(3 + cycles), [made[each.current, each.current_shift] for each in pops])
        return self._added(m, into, plain), later(m, c1, 1, name="c_new")

    def _added(self, m, into, plain):
        return later(m, into if plain is None else into + plain, 1, name="into")

    def _clip(self, x, who):
        """Saturated to the state of the population."""
        made = {bits: saturate(x, QFormat(bits - 1, 0)) for bits in {each.state for each in self.net.populations}}
        return self._choose(who, [made[each.state] for each in self.net.populations])

    def _sum(self, m, u, into, who):
        """The new membrane, in cycle 5 + FACTOR."""
        x = Signal(signed(COLUMN), name="x", reset_less=True)
        m.d.sync += x.eq(self._clip(u + into, who(4 + factor_cycles(self.net))))
        return x

    def _fire(self, m, x, read, cycles, who, zero):
        """Whether it fires and the membrane behind that, in cycle 7 + FACTOR."""
        pops, at = self.net.populations, 5 + cycles
        threshold, fires = read("threshold"), Const(0)
        if threshold is not None:
            fires = x >= later(m, threshold, 3 + cycles, name="threshold")
        if threshold is not None and not self.net.spikes_alone:
            fires = fires & self._flag(who(at), [each.fires for each in pops])
        waits = [each.on_arrival for each in pops]
        if any(waits):
            came = later(m, self.came, 3 + cycles, name="came")
            fires = fires & (came | (0 if all(waits) else ~self._flag(who(at), waits)))
        fired, x6, after = Signal(), later(m, x, 1, name="x"), Signal(signed(COLUMN), reset_less=True)
        m.d.sync += fired.eq(fires)
        value = read("reset")
        held = None if value is None else later(m, value, 3 + cycles, name="reset")
        made = {"zero": Const(0, signed(COLUMN)), "late": x6}
        if "value" in {each.reset for each in pops}:
            made["value"] = later(m, held, 1, name="reset_value")
        if "subtract" in {each.reset for each in pops}:
            made["subtract"] = later(m, self._clip(x - held, who(at)), 1, name="less")
        reset = self._choose(who(at + 1), [made[each.reset] for each in pops])
        m.d.sync += after.eq(Mux(zero, 0, Mux(fired, reset, x6)))
        return later(m, fired & ~zero, 1, name="fired", reset_less=False), after

    def _flag(self, who, values):
        return Array(map(int, values))[who]
