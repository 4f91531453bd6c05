"""Neurons: gates, adaptation, threshold and spike of one neuron a cycle, the circuit of golden.ltc.step.ltc_step."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.ltc.layer import ADAPT, ADAPT_SHIFT
from rtl.fixed import exact, round_shift, saturate, shape
from rtl.ltc.taught.gate import GateUnit
from rtl.pipeline import later


def kept_layout(layer) -> data.StructLayout:
    """What errors need of a neuron's tick: both gates, x - u[t-1], s[t-1] - b[t-1], psi."""
    gate, difference = shape(layer.gate), signed(layer.state.width + 1)
    return data.StructLayout({"alpha": gate, "r": gate, "xu": difference, "sb": difference, "psi": shape(layer.state)})


def times_adapt(m, word, *, name: str):
    """ADAPT times a word, two cycles later, in adders."""
    assert ADAPT == 128 - 8 - 4 - 1
    plus, minus = (Signal(signed(len(word) + more), name=f"{name}_{part}", reset_less=True)
                   for more, part in ((8, "plus"), (4, "minus")))
    total = Signal(signed(len(word) + 9), name=name, reset_less=True)
    m.d.sync += [exact(plus, (word << 7) - (word << 3)), exact(minus, (word << 2) + word), exact(total, plus - minus)]
    return total


class Neurons(wiring.Component):
    """From the sums of both gates to spike, next state, and what errors need.

    Parameters: layer; bits of a sum; peak of psi, a word of the state; vendor form.
    Members: valid, alpha_sum, rho_sum; u, b, x in state and s, Bank.LATENCY cycles later; o_valid, o_spike, o_u, o_b
    and o_kept, LATENCY cycles after `valid`.
    """

    #: threshold in three cycles, difference, spike and psi
    AFTER = 6
    LATENCY = GateUnit.LATENCY + AFTER

    def __init__(self, layer, bits: int, *, peak: int, vendor: str = "generic"):
        self.layer, self.bits, self.peak, self.vendor = layer, bits, peak, vendor
        state = shape(layer.state)
        super().__init__({
            "valid": In(1), "alpha_sum": In(signed(bits)), "rho_sum": In(signed(bits)), "u": In(state), "b": In(state),
            "x": In(state), "s": In(1), "o_valid": Out(1), "o_spike": Out(1), "o_u": Out(state), "o_b": Out(state),
            "o_kept": Out(kept_layout(layer))})

    def elaborate(self, platform):
        m = Module()
        layer, state = self.layer, self.layer.state
        m.submodules.alpha = alpha = GateUnit(layer, self.bits, vendor=self.vendor)
        m.submodules.rho = rho = GateUnit(layer, self.bits, vendor=self.vendor)
        m.d.comb += [alpha.valid.eq(self.valid), alpha.sum.eq(self.alpha_sum), alpha.old.eq(self.u), alpha.i.eq(self.x),
                     rho.valid.eq(self.valid), rho.sum.eq(self.rho_sum), rho.old.eq(self.b),
                     rho.i.eq(Mux(self.s, layer.one, 0))]
        adapted = times_adapt(m, rho.new, name="adapted")
        theta = Signal(signed(len(adapted)), reset_less=True)
        m.d.sync += exact(theta, (round_shift(adapted, ADAPT_SHIFT) + layer.threshold)[:len(theta)].as_signed())
        away, distance = Signal(signed(len(theta) + 1), reset_less=True), Signal(len(theta) + 1, reset_less=True)
        ut = later(m, alpha.new, 3, name="ut").as_signed()
        spike, psi = Signal(reset_less=True), Signal(shape(state), reset_less=True)
        m.d.sync += [exact(away, ut - theta), distance.eq(Mux(away < 0, -away, away)), spike.eq(away > 0),
                     psi.eq(Mux(distance < self.peak, self.peak - distance, 0))]
        ut = later(m, ut, 2, name="ut_next").as_signed()
        kept = self.o_kept
        m.d.sync += [self.o_u.eq(Mux(spike, 0, ut)), self.o_spike.eq(spike)]
        m.d.comb += [
            self.o_valid.eq(later(m, alpha.o_valid, self.AFTER, name="valid", reset_less=False)),
            self.o_b.eq(later(m, rho.new, self.AFTER, name="b")), kept.psi.eq(psi),
            *(target.eq(later(m, value, self.AFTER, name=name)) for target, value, name in (
                (kept.alpha, alpha.gate, "alpha_gate"), (kept.r, rho.gate, "rho_gate"),
                (kept.xu, alpha.difference, "xu"), (kept.sb, rho.difference, "sb")))]
        return m


def summed(m, parts, shift: int, fmt, *, name: str):
    """sat(round(sum of `parts` / 2**shift)) in `fmt`, SUM_LATENCY cycles later."""
    wide = Signal(signed(max(map(len, parts)) + 1), name=f"{name}_sum", reset_less=True)
    word = Signal(shape(fmt), name=name, reset_less=True)
    m.d.sync += [exact(wide, sum(parts[1:], parts[0])), exact(word, saturate(round_shift(wide, shift), fmt))]
    return word


#: of `summed`
SUM_LATENCY = 2
