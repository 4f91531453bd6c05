"""NeuralExtrapolator: a predictor with hidden units, the circuit of golden.units.extrapolator for kind "neural"."""

from amaranth.hdl import Const, Mux, Signal, signed

from golden.units.extrapolator import HIDDEN_RATE, HIDDEN_STATE, Predictor
from rtl.fixed import exact, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Multiplier
from rtl.units.activation import Activation
from rtl.units.extrapolator import Extrapolator, tap_depth
from rtl.units.nlms import SUM, WORD, multiply


class NeuralExtrapolator(Extrapolator):
    """An Extrapolator with hidden units: the words of an element go by once for each, with a one for the bias in front.

    bias, x_j --> x W, sum --> tanh --> x V, sum, with c --> + x_0
    """

    BIAS = 1
    #: from the last address of a pass to its hidden unit's rate
    RATE = SUM + 1 + Activation.latency("tanh")
    DONE = RATE + Multiplier.LATENCY + 3

    @staticmethod
    def passes(p: Predictor) -> int:
        """One for each hidden unit."""
        return p.hidden

    @classmethod
    def banks(cls, way, streams: int) -> list[tuple[int, int]]:
        return super().banks(way, streams) + Activation.banks("tanh", HIDDEN_STATE, HIDDEN_RATE)

    def _predict(self, m, walk, x, taps, added):
        p, fmt = self.way.predictor, self.way.fmt
        frac = fmt.frac_bits - p.scale
        one = Const(1 << frac, signed(frac + 2))
        word = Mux(later(m, walk.first, WORD, name="is_bias"), one, x)
        product = multiply(m, "now", word, taps.tap, vendor=self.vendor)
        z = Signal(signed(len(product) + (p.words + 2).bit_length()), name="z", reset_less=True)
        shift = p.gain.frac_bits + frac - HIDDEN_STATE.frac_bits
        first = later(m, walk.first, SUM - 1, name="z_first")
        m.d.sync += z.eq(Mux(first, _half(shift), z) + product)
        m.submodules.tanh = tanh = Activation("tanh", HIDDEN_STATE, HIDDEN_RATE, vendor=self.vendor)
        membrane = Signal(shape(HIDDEN_STATE), reset_less=True)
        m.d.sync += exact(membrane, saturate(_shifted(z, shift), HIDDEN_STATE))
        m.d.comb += [tanh.i.payload.eq(membrane),
                     tanh.i.valid.eq(later(m, walk.end, SUM + 1, name="z_end", reset_less=False))]
        return self._output(m, walk, taps, added, tanh.o, frac)

    def _output(self, m, walk, taps, added, rate, frac):
        """x_0 + V rate + c: V in the cycle of a rate, c in the one after the first."""
        p = self.way.predictor
        event = later(m, walk.end, self.RATE - WORD, name="unit", reset_less=False)
        unit, base = Signal(range(max(2, p.hidden))), Signal(range(max(2, tap_depth(self.way))))
        after = later(m, event, 1, name="unit_after", reset_less=False)
        last = unit == p.hidden - 1
        with m.If(after):
            m.d.sync += unit.eq(Mux(last, 0, unit + 1))
        with m.If(after & last & (p.rows(self.way.size) > 1)):
            m.d.sync += base.eq(base + p.coefficients)
        with m.If(self.start):
            m.d.sync += base.eq(0)
        behind = base + p.hidden * (p.taps + 1)
        tap, _ = self._tap_bank(m, "out_tap", Mux(event, behind + 1 + unit, behind), taps.loaded)
        product = multiply(m, "out", Mux(rate.valid, rate.payload, 1 << HIDDEN_RATE.frac_bits), tap, vendor=self.vendor)
        shift = p.gain.frac_bits + HIDDEN_RATE.frac_bits - frac
        starts, adds = (later(m, value, WORD + Multiplier.LATENCY, name=name) for value, name in (
            (event & (unit == 0), "out_first"), (event | after & (unit == 0), "out_add")))
        total = Signal(signed(len(product) + (p.hidden + 2).bit_length()), name="total", reset_less=True)
        with m.If(adds):
            m.d.sync += total.eq(Mux(starts, _half(shift), total) + product)
        rest = _shifted(total, shift)
        y = Signal(signed(max(len(rest), self.way.fmt.width) + 1), name="y", reset_less=True)
        m.d.sync += y.eq(rest + added)
        return y


def _half(shift: int) -> int:
    return 1 << shift - 1 if shift > 0 else 0


def _shifted(value, shift: int):
    """The rest of a round_shift when half is in the value."""
    return value.shift_right(shift) if shift > 0 else value.shift_left(-shift)
