"""SoftmaxError: what the teacher says of the outputs of a tick, the circuit of golden.ltc.learn.output_error."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.fixed import QFormat
from golden.units.softmax import EXP, RECIPROCAL_BITS, difference_format
from rtl.fixed import exact, round_shift, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Bank, Multiplier, bank, multiplier
from rtl.units.activation import Activation

#: the sum of exponentials is at least 1.0: so many steps of the division give nothing
SKIPPED = EXP.frac_bits - 1


class SoftmaxError(wiring.Component):
    """Onehot - softmax y, a word an output, in order, after the last of them came.

    The largest is known with the last word; a pass for exponentials, kept, and their sum; its reciprocal by long
    division, a bit a cycle; a pass for the errors.

    Parameters: outputs; fmt of y; error, format of the errors; vendor form.
    Members: start, a tick begins; valid, y; label and mute (there is no teacher), all the while; o_valid, o.
    """

    def __init__(self, outputs: int, fmt: QFormat, error: QFormat, *, vendor: str = "generic"):
        self.outputs, self.fmt, self.error, self.vendor = outputs, fmt, error, vendor
        super().__init__({
            "start": In(1), "valid": In(1), "y": In(shape(fmt)), "label": In(12), "mute": In(1),
            "o_valid": Out(1), "o": Out(shape(error))})

    @staticmethod
    def latency(outputs: int) -> int:
        """Cycles from the last y to the first error."""
        exponentials = 1 + Bank.LATENCY + 1 + Activation.latency("exp") + outputs
        divided = 1 + (RECIPROCAL_BITS - SKIPPED) + 1
        return exponentials + divided + Bank.LATENCY + Multiplier.LATENCY + 4

    @staticmethod
    def banks(outputs: int, fmt: QFormat) -> list[tuple[int, int]]:
        """Depth and width of every memory."""
        return [(max(2, outputs), fmt.width), (max(2, outputs), EXP.width),
                *Activation.banks("exp", difference_format(fmt), EXP)]

    def _counter(self, m, go, name):
        """(active, index): the outputs one by one, from the cycle after `go`; whether it is the last."""
        active, index = Signal(name=f"{name}_active"), Signal(range(max(2, self.outputs)), name=f"{name}_index")
        last = index == self.outputs - 1
        with m.If(go):
            m.d.sync += [active.eq(1), index.eq(0)]
        with m.Elif(active):
            m.d.sync += [active.eq(~last), index.eq(Mux(last, 0, index + 1))]
        return active, index, active & last

    def _store(self, m, name, width, valid, data):
        """A bank of a word an output, written in order from `start` on."""
        m.submodules[name] = store = bank(self.vendor, depth=max(2, self.outputs), width=width)
        write = Signal(range(max(2, self.outputs)), name=f"{name}_write")
        with m.If(self.start):
            m.d.sync += write.eq(0)
        with m.Elif(valid):
            m.d.sync += write.eq(write + 1)
        m.d.comb += [store.write_en.eq(valid), store.write_addr.eq(write), store.write_data.eq(data)]
        return store, valid & (write == self.outputs - 1)

    def elaborate(self, platform):
        m = Module()
        ys, complete = self._store(m, "ys", self.fmt.width, self.valid, self.y)
        greatest = Signal(shape(self.fmt))
        with m.If(self.start):
            m.d.sync += greatest.eq(self.fmt.min)
        with m.Elif(self.valid & (self.y > greatest)):
            m.d.sync += greatest.eq(self.y)
        active, index, end = self._counter(m, complete, "exp")
        m.d.comb += ys.read_addr.eq(index)
        below, latency = difference_format(self.fmt), Bank.LATENCY + 1
        z = Signal(shape(below), reset_less=True)
        m.d.sync += exact(z, ys.read_data.as_signed() - greatest)
        m.submodules.exp = exp = Activation("exp", below, EXP, vendor=self.vendor)
        m.d.comb += [exp.i.payload.eq(z),
                     exp.i.valid.eq(later(m, active, latency, name="exp_read", reset_less=False))]
        kept, _ = self._store(m, "kept", EXP.width, exp.o.valid, exp.o.payload)
        total = Signal(unsigned(EXP.frac_bits + self.outputs.bit_length() + 1))
        with m.If(self.start):
            m.d.sync += total.eq(0)
        with m.Elif(exp.o.valid):
            m.d.sync += total.eq(total + exp.o.payload.as_unsigned())
        summed = later(m, end, latency + exp.LATENCY + 1, name="exp_end", reset_less=False)
        reciprocal, divided = self._divide(m, total, summed)
        self._errors(m, kept, reciprocal, divided)
        return m

    def _divide(self, m, total, go):
        """floor(2**RECIPROCAL_BITS / total) by long division, and a pulse when it is there."""
        steps = RECIPROCAL_BITS - SKIPPED
        rest, quotient = Signal(len(total) + 1, reset_less=True), Signal(steps, reset_less=True)
        left, divided = Signal(range(steps + 1)), Signal()
        shifted = Cat(Const(0, 1), rest)
        fits = shifted >= total
        m.d.sync += divided.eq(left == 1)
        with m.If(go):
            m.d.sync += [left.eq(steps), rest.eq(1 << SKIPPED), quotient.eq(0)]
        with m.Elif(left != 0):
            m.d.sync += [left.eq(left - 1), quotient.eq(Cat(fits, quotient)),
                         rest.eq(Mux(fits, shifted - total, shifted))]
        return quotient, divided

    def _errors(self, m, kept, reciprocal, divided):
        active, index, _ = self._counter(m, divided, "error")
        m.submodules.p_multiplier = mul = multiplier(self.vendor, a_width=EXP.width, b_width=len(reciprocal) + 1)
        product, p = Signal(signed(len(mul.p)), reset_less=True), Signal(signed(EXP.width + 1), reset_less=True)
        latency = Bank.LATENCY + Multiplier.LATENCY
        right = later(m, index == self.label, latency + 2, name="right")
        difference = Signal(signed(EXP.width + 2), reset_less=True)
        m.d.comb += [kept.read_addr.eq(index), mul.a.eq(kept.read_data.as_signed()),
                     mul.b.eq(Cat(reciprocal, Const(0, 1)).as_signed())]
        # p is at most 1 by a hair, as the reciprocal is rounded down
        m.d.sync += [product.eq(mul.p), p.eq(round_shift(product, RECIPROCAL_BITS - EXP.frac_bits)),
                     exact(difference, Mux(right, 1 << EXP.frac_bits, 0) - p)]
        word = Signal(shape(self.error), name="word", reset_less=True)
        shift = EXP.frac_bits - self.error.frac_bits
        m.d.sync += exact(word, saturate(round_shift(difference, shift), self.error))
        m.d.comb += [self.o.eq(Mux(self.mute, 0, word)),
                     self.o_valid.eq(later(m, active, latency + 4, name="active", reset_less=False))]
