"""OutputError: what the teacher sends into the last layer, the circuit of golden.rate.loss.output_error."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.fixed import QFormat
from golden.rate.network import Network
from golden.units.softmax import EXP, RECIPROCAL_BITS, difference_format
from rtl.fixed import exact, round_shift, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Bank, Multiplier, bank, multiplier
from rtl.units.activation import Activation
from rtl.units.delay import DelayLine

#: of the reciprocal of a sum of exponentials, which is at least 1.0
QUOTIENT_BITS = RECIPROCAL_BITS - EXP.frac_bits + 1
#: a label among the target words
LABEL = QFormat(12, 0)


def target_format(net: Network) -> QFormat:
    """Format of a target word."""
    return net.layers[-1].rate if net.teacher.loss == "squared_error" else LABEL


class OutputError(wiring.Component):
    """Output of tick n - 1 against the target of tick n: an error word an output, in order, after `start`.

    squared error: lines read, difference, rounding and saturation: a word a cycle from `latency` on.
    cross-entropy: one pass over the outputs for their maximum, one right behind it for exp (kept) and its sum, the
    reciprocal of the sum by long division, one bit a cycle, and one pass for the errors, which reads ahead of its end.

    Parameters: net, with a teacher; vendor form.
    Members
      rate, target   words of the network's output and of the teacher, as they come
      start, restart, teach   open a tick in which errors run; restart: what streams sent before counts as zero
      mute           the error is zero (no teacher in this tick, or its stream is at its first)
      o              error words
    """

    def __init__(self, net: Network, *, vendor: str = "generic"):
        self.net, self.vendor = net, vendor
        layer = net.layers[-1]
        super().__init__({
            "rate": In(stream.Signature(shape(layer.rate), always_ready=True)),
            "target": In(stream.Signature(shape(target_format(net)), always_ready=True)),
            "tick": In(1), "restart": In(1), "start": In(1), "mute": In(1),
            "o": Out(stream.Signature(shape(layer.plastic.error), always_ready=True)),
        })

    @staticmethod
    def latency(net: Network) -> int:
        """Cycles from `start` to the first word on `o`."""
        if net.teacher.loss == "squared_error":
            return 1 + DelayLine.LATENCY + 3
        total = 2 * net.outputs + DelayLine.LATENCY + 1 + Activation.latency("exp")
        return total + (QUOTIENT_BITS + 1) + Multiplier.LATENCY + 5

    @staticmethod
    def banks(net: Network) -> list[tuple[int, int]]:
        """Depth and width of every memory."""
        layer = net.layers[-1]
        found = [*DelayLine.banks(net.outputs, layer.rate, net.streams - 1),
                 *DelayLine.banks(net.targets, target_format(net), 0)]
        if net.teacher.loss == "cross_entropy":
            found += [*Activation.banks("exp", difference_format(layer.rate), EXP), (net.outputs, EXP.width)]
        return found

    @staticmethod
    def multipliers(net: Network) -> int:
        """Multipliers that the loss takes."""
        return int(net.teacher.loss == "cross_entropy")

    def elaborate(self, platform):
        m = Module()
        net, layer = self.net, self.net.layers[-1]
        m.submodules.rates = rates = DelayLine(size=net.outputs, fmt=layer.rate, depth=net.streams - 1,
                                               vendor=self.vendor)
        m.submodules.targets = targets = DelayLine(size=net.targets, fmt=target_format(net), depth=0, ahead=True,
                                                   vendor=self.vendor)
        wiring.connect(m, wiring.flipped(self.rate), rates.i)
        wiring.connect(m, wiring.flipped(self.target), targets.i)
        # the rates' line turns in every tick of the network, the targets' line only where targets come
        m.d.comb += [rates.start.eq(self.tick), rates.fresh.eq(self.restart), rates.delay.eq(net.streams - 1),
                     targets.start.eq(self.start), targets.fresh.eq(0), targets.delay.eq(0)]
        self._walk(m, rates, targets)
        return m

    def _walk(self, m, rates, targets):
        if self.net.teacher.loss == "squared_error":
            self._squared(m, rates, targets)
        else:
            self._cross_entropy(m, rates, targets)

    def _counter(self, m, go, name):
        """(active, index): the outputs one by one, from the cycle after `go`."""
        active, index = Signal(name=f"{name}_active"), Signal(range(max(2, self.net.outputs)), name=f"{name}_index")
        last = index == self.net.outputs - 1
        with m.If(go):
            m.d.sync += [active.eq(1), index.eq(0)]
        with m.Elif(active):
            m.d.sync += [active.eq(~last), index.eq(Mux(last, 0, index + 1))]
        return active, index, active & last

    def _send(self, m, difference, frac_bits, valid):
        """Scale a difference to error words and send it, two registers."""
        error = self.net.layers[-1].plastic.error
        shift = frac_bits + self.net.teacher.beta - error.frac_bits
        rounded = round_shift(difference, shift)
        scaled, word = Signal(signed(len(rounded)), reset_less=True), Signal(shape(error), reset_less=True)
        m.d.sync += [scaled.eq(Mux(self.mute, 0, rounded)), exact(word, saturate(scaled, error))]
        m.d.comb += [self.o.payload.eq(word), self.o.valid.eq(later(m, valid, 2, name="sent", reset_less=False))]

    def _squared(self, m, rates, targets):
        layer = self.net.layers[-1]
        active, index, _ = self._counter(m, self.start, "pass")
        m.d.comb += [rates.read_index.eq(index), targets.read_index.eq(index)]
        difference = Signal(signed(layer.rate.width + 1), reset_less=True)
        m.d.sync += exact(difference, targets.read_data - rates.read_data)
        valid = later(m, active, DelayLine.LATENCY + 1, name="read", reset_less=False)
        self._send(m, difference, layer.rate.frac_bits, valid)

    def _cross_entropy(self, m, rates, targets):
        fmt, outputs = self.net.layers[-1].rate, self.net.outputs
        # pass 1: the maximum, which is there when the first word of pass 2 is
        first, index1, end1 = self._counter(m, self.start, "max")
        read1 = later(m, first, DelayLine.LATENCY, name="read1", reset_less=False)
        greatest = Signal(shape(fmt), init=fmt.min)
        with m.If(self.start):
            m.d.sync += greatest.eq(fmt.min)
        with m.Elif(read1 & (rates.read_data > greatest)):
            m.d.sync += greatest.eq(rates.read_data)
        # pass 2: exp of what lies below it, kept, and the sum
        second, index2, end2 = self._counter(m, end1, "exp")
        m.d.comb += [rates.read_index.eq(Mux(second, index2, index1)), targets.read_index.eq(0)]
        below = difference_format(fmt)
        z = Signal(shape(below), reset_less=True)
        m.d.sync += exact(z, rates.read_data - greatest)
        m.submodules.exp = exp = Activation("exp", below, EXP, vendor=self.vendor)
        m.d.comb += [exp.i.payload.eq(z),
                     exp.i.valid.eq(later(m, second, DelayLine.LATENCY + 1, name="read2", reset_less=False))]
        end2 = later(m, end2, DelayLine.LATENCY + 1 + exp.LATENCY, name="end2", reset_less=False)
        m.submodules.kept = kept = bank(self.vendor, depth=max(2, outputs), width=EXP.width)
        write = Signal(range(max(2, outputs)))
        total = Signal(unsigned(EXP.frac_bits + outputs.bit_length() + 1))
        with m.If(self.start):
            m.d.sync += [total.eq(0), write.eq(0)]
        with m.Elif(exp.o.valid):
            m.d.sync += [total.eq(total + exp.o.payload.as_unsigned()), write.eq(write + 1)]
        m.d.comb += [kept.write_en.eq(exp.o.valid), kept.write_addr.eq(write),
                     kept.write_data.eq(exp.o.payload)]
        reciprocal, soon = self._divide(m, total, end2)
        # pass 3: the errors; the first word that was kept meets the whole reciprocal
        third, index3, _ = self._counter(m, soon, "error")
        m.submodules.p_multiplier = mul = multiplier(self.vendor, a_width=EXP.width, b_width=len(reciprocal) + 1)
        p = Signal(signed(EXP.width + 1), reset_less=True)
        product = Signal(signed(len(mul.p)), reset_less=True)
        latency = Bank.LATENCY + Multiplier.LATENCY
        right = later(m, index3 == targets.read_data, latency + 2, name="right")
        difference = Signal(signed(EXP.width + 2), reset_less=True)
        m.d.comb += [kept.read_addr.eq(index3), mul.a.eq(kept.read_data.as_signed()),
                     mul.b.eq(Cat(reciprocal, Const(0, 1)).as_signed())]
        # p is at most 1 by a hair, as the reciprocal is rounded down
        m.d.sync += [product.eq(mul.p), p.eq(round_shift(product, RECIPROCAL_BITS - EXP.frac_bits)),
                     exact(difference, Mux(right, 1 << EXP.frac_bits, 0) - p)]
        valid = later(m, third, latency + 3, name="third", reset_less=False)
        self._send(m, difference, EXP.frac_bits, valid)

    def _divide(self, m, total, go):
        """floor(2**RECIPROCAL_BITS / total) by long division, and a pulse Bank.LATENCY + 1 cycles before it is there.

        The sum is at least 1.0: the first EXP.frac_bits - 1 steps would find nothing, and are left out. It may still
        grow by its last word in the cycle of `go`.
        """
        rest = Signal(len(total) + 1, reset_less=True)
        quotient = Signal(QUOTIENT_BITS, reset_less=True)
        left = Signal(range(QUOTIENT_BITS + 1))
        shifted = Cat(Const(0, 1), rest)
        fits = shifted >= total
        with m.If(go):
            m.d.sync += [left.eq(QUOTIENT_BITS), rest.eq(1 << EXP.frac_bits - 1)]
        with m.Elif(left != 0):
            m.d.sync += [left.eq(left - 1), quotient.eq(Cat(fits, quotient)),
                         rest.eq(Mux(fits, shifted - total, shifted))]
        return quotient, left == Bank.LATENCY + 1
