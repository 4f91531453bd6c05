"""What becomes of the sums of gates: SpikingNeuron of a layer, LeakyOutput of the readout; one neuron a cycle.

    sum of alpha --> [sigmoid] --> [LeadLag: u to x] --------------> ut --> (> theta) --> spike, u or 0
    sum of rho   --> [sigmoid] --> [LeadLag: b to s] --> theta ------------^        +--> b

The old states, the old spike and x are read again for it, from memories of their own.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.ltc.layer import ADAPT_SHIFT
from golden.ltc.step import Leak
from rtl.fixed import exact, saturate, shape
from rtl.ltc.gates import index_bits, lane_rows
from rtl.ltc.line import ARRIVAL
from rtl.pipeline import later
from rtl.primitives import Bank, bank
from rtl.units.activation import Activation
from rtl.units.leadlag import LeadLag

#: from a sum to its gate: saturation, table
GATE = 1 + Activation.latency("sigmoid")


def leak_of(layer) -> Leak:
    """Formats of a LeadLag whose lag is a gate."""
    return Leak(layer.state, layer.gate, layer.gate)


def gate_word(m, layer, total, name: str, vendor: str):
    """The gate of a sum, GATE cycles later."""
    word = Signal(shape(layer.gate_sum), name=f"{name}_sum", reset_less=True)
    m.d.sync += exact(word, saturate(total.shift_right(layer.gate_shift), layer.gate_sum))
    m.submodules[f"{name}_table"] = unit = Activation("sigmoid", layer.gate_sum, layer.gate, vendor=vendor)
    m.d.comb += unit.i.payload.eq(word)
    return unit.o.payload


class _Rows(wiring.Component):
    """What both have in common: x and the old states of the neuron whose sums have come.

    Members
      valid, index, sums, is_fresh, side     a neuron's sums (rtl.ltc.gates)
      x_valid, pair, x                       as they form
      kept, kept_at, state                   its new states, by chain; kept_at: its number, and above it `side`
    """

    def __init__(self, layer, *, vendor: str, **members):
        self.layer, self.vendor, self.bits = layer, vendor, index_bits(layer)
        word = signed(layer.state.width)
        super().__init__(members | {
            "valid": In(1), "index": In(self.bits), "sums": In(signed(lane_rows(layer, 1).acc)).array(layer.chains),
            "is_fresh": In(1), "side": In(1), "x_valid": In(1), "pair": In(max(1, self.bits - 1)),
            "x": In(word).array(2), "kept": Out(1), "kept_at": Out(self.bits + 1),
            "state": Out(word).array(layer.chains)})

    def _row(self, m, extra: int = 0):
        """(x, old words by chain) GATE cycles behind the sums; a word has `extra` bits beside a state."""
        layer, width, vendor = self.layer, self.layer.state.width, self.vendor
        m.submodules.states = states = bank(vendor, depth=2 << self.bits, width=layer.chains * (width + extra),
                                            columns=layer.chains)
        m.submodules.xs = xs = bank(vendor, depth=1 << max(1, self.bits - 1), width=2 * width, columns=2)
        m.d.sync += [xs.write_en.eq(self.x_valid.replicate(2)), xs.write_addr.eq(self.pair),
                     xs.write_data.eq(Cat(self.x))]
        wait = GATE - Bank.LATENCY - 1
        index, side = (later(m, value, wait, name=name) for name, value in (("row", self.index), ("now", self.side)))
        m.d.comb += [states.read_addr.eq(Cat(index, ~side)), xs.read_addr.eq(index[1:])]
        odd = later(m, index[0], Bank.LATENCY, name="odd")
        fresh = later(m, self.is_fresh, wait + Bank.LATENCY, name="fresh")
        x = Signal(signed(width), name="x_row", reset_less=True)
        m.d.sync += x.eq(Mux(odd, xs.read_data[width:], xs.read_data[:width]))
        old = [Signal(width + extra, name=f"old{n}", reset_less=True) for n in range(layer.chains)]
        m.d.sync += [word.eq(Mux(fresh, 0, states.read_data.word_select(n, width + extra)))
                     for n, word in enumerate(old)]
        return x, old, states

    def _keep(self, m, latency: int):
        """`kept` and `kept_at`, so many cycles behind the sums."""
        m.d.comb += [self.kept.eq(later(m, self.valid, latency, name="kept", reset_less=False)),
                     self.kept_at.eq(later(m, Cat(self.index, self.side), latency, name="kept_at"))]


class SpikingNeuron(_Rows):
    """The neurons of a layer, golden.ltc.step.ltc_step behind its gates.

    Parameters: layer, an LtcLayer; vendor form. Members as of _Rows, and
      o      whether a neuron has spiked, KEPT - 1 cycles behind its sums (rtl.ltc.line)
    """

    #: from b to the threshold, and from there to the spike
    THETA, COMPARE = 3, 1
    #: from the sums to what is kept
    KEPT = GATE + LeadLag.LATENCY + THETA + COMPARE + 1

    def __init__(self, layer, *, vendor: str = "generic"):
        super().__init__(layer, vendor=vendor, o=Out(ARRIVAL))

    def elaborate(self, platform):
        m = Module()
        layer, width = self.layer, self.layer.state.width
        x, old, states = self._row(m, extra=1)
        units = []
        for n, name in enumerate(("membrane", "adaptation")[:layer.chains]):
            m.submodules[name] = unit = LeadLag(leak_of(layer), vendor=self.vendor, has_lead=False)
            # the first chain's word has the old spike beside its state
            target = Mux(old[0][width], layer.one, 0) if n else x
            m.d.comb += [unit.i.p.x.eq(old[n][:width].as_signed()), unit.i.p.i.eq(target),
                         unit.i.p.lag.eq(gate_word(m, layer, self.sums[n], ("alpha", "rho")[n], self.vendor))]
            units.append(unit.o.p.x)
        theta = self._threshold(m, units[1]) if layer.adaptive else Const(layer.threshold, shape(layer.state))
        membrane = later(m, units[0], self.THETA, name="ut").as_signed()
        kept = Signal.like(membrane, name="u", reset_less=True)
        # a difference and its sign: tools make slower circuits of a comparison
        below = Signal(signed(width + 1), reset_less=True)
        spike = below[-1]
        m.d.sync += [exact(below, theta - membrane), kept.eq(Mux(spike, 0, later(m, membrane, 1, name="ut_spike")))]
        words = [kept, *(later(m, unit, self.THETA + self.COMPARE + 1, name="b") for unit in units[1:])]
        m.d.comb += [self.o.spike.eq(spike),
                     self.o.valid.eq(later(m, self.valid, self.KEPT - 2, name="through", reset_less=False)),
                     *(port.eq(word) for port, word in zip(self.state, words, strict=True))]
        self._keep(m, self.KEPT)
        m.d.comb += [states.write_en.eq(self.kept.replicate(layer.chains)), states.write_addr.eq(self.kept_at),
                     states.write_data.eq(Cat(*(Cat(word[:width], bit) for word, bit in zip(
                         words, (later(m, spike, 1, name="spiked"), Const(0, 1)), strict=False))))]
        return m

    def _threshold(self, m, b):
        """b0 + round(115 b / 64): 115 is 128 - 1 - 12, so there is no multiplier."""
        layer, bits = self.layer, len(b)
        most, less = (Signal(signed(bits + extra), name=name, reset_less=True)
                      for name, extra in (("most", 8), ("less", 4)))
        rise = Signal(signed(bits + 9), reset_less=True)
        theta = Signal(shape(layer.state), name="theta", reset_less=True)
        # the half of the rounding lies where 128 b has zeros
        m.d.sync += [exact(most, Cat(Const(1 << ADAPT_SHIFT - 1, 7), b).as_signed() - b),
                     exact(less, (b << 3) + (b << 2)), exact(rise, most - less),
                     # b lies between 0 and 1, for which the description has room
                     theta.eq(rise.shift_right(ADAPT_SHIFT) + layer.threshold)]
        return theta


class LeakyOutput(_Rows):
    """The outputs of the readout, golden.ltc.step.readout_step behind its gate. Members as of _Rows; `kept` is y."""

    KEPT = GATE + LeadLag.LATENCY

    def __init__(self, layer, *, vendor: str = "generic"):
        super().__init__(layer, vendor=vendor)

    def elaborate(self, platform):
        m = Module()
        layer = self.layer
        z, old, states = self._row(m)
        m.submodules.output = unit = LeadLag(leak_of(layer), vendor=self.vendor, has_lead=False)
        m.d.comb += [unit.i.p.x.eq(old[0].as_signed()), unit.i.p.i.eq(z),
                     unit.i.p.lag.eq(gate_word(m, layer, self.sums[0], "gate", self.vendor)),
                     self.state[0].eq(unit.o.p.x)]
        self._keep(m, self.KEPT)
        m.d.comb += [states.write_en.eq(self.kept), states.write_addr.eq(self.kept_at),
                     states.write_data.eq(self.state[0])]
        return m
