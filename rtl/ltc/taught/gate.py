"""GateUnit: a gate's sum to the gate, and what leaks at its pace; the circuit of golden.ltc.step.gate_step and leak."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.ltc.step import Leak
from rtl.fixed import exact, round_shift, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Bank
from rtl.units.activation import Activation
from rtl.units.leadlag import LeadLag


class GateUnit(wiring.Component):
    """sigmoid(sat(round(sum))), and old + gate (i - old); one neuron a cycle.

    Parameters: layer, a layer of golden.ltc.layer; bits of a sum; vendor form.
    Members: valid and sum; old and i, in state, Bank.LATENCY cycles later; o_valid, new, gate and difference i - old,
    LATENCY cycles after `valid`.
    """

    LATENCY = 1 + Activation.latency("sigmoid") + LeadLag.LATENCY

    def __init__(self, layer, bits: int, *, vendor: str = "generic"):
        self.layer, self.vendor = layer, vendor
        state = shape(layer.state)
        super().__init__({
            "valid": In(1), "sum": In(signed(bits)), "old": In(state), "i": In(state), "o_valid": Out(1),
            "new": Out(state), "gate": Out(shape(layer.gate)), "difference": Out(signed(layer.state.width + 1))})

    @staticmethod
    def banks(layer) -> list[tuple[int, int]]:
        """Depth and width of its table."""
        return Activation.banks("sigmoid", layer.gate_sum, layer.gate)

    def elaborate(self, platform):
        m = Module()
        layer = self.layer
        m.submodules.sigmoid = sigmoid = Activation("sigmoid", layer.gate_sum, layer.gate, vendor=self.vendor)
        m.submodules.leak = leak = LeadLag(Leak(layer.state, layer.gate, layer.gate), vendor=self.vendor,
                                           has_lead=False)
        total = Signal(shape(layer.gate_sum), reset_less=True)
        m.d.sync += exact(total, saturate(round_shift(self.sum, layer.gate_shift), layer.gate_sum))
        m.d.comb += [sigmoid.i.payload.eq(total),
                     sigmoid.i.valid.eq(later(m, self.valid, 1, name="valid", reset_less=False))]
        # the words wait for the gate
        wait = 1 + sigmoid.LATENCY - Bank.LATENCY
        old, i = (later(m, word, wait, name=name).as_signed() for word, name in ((self.old, "old"), (self.i, "i")))
        gate = sigmoid.o.payload
        difference = Signal(signed(layer.state.width + 1), name="d", reset_less=True)
        m.d.sync += exact(difference, i - old)
        m.d.comb += [
            leak.i.valid.eq(sigmoid.o.valid), leak.i.p.x.eq(old), leak.i.p.i.eq(i), leak.i.p.lag.eq(gate),
            self.o_valid.eq(leak.o.valid), self.new.eq(leak.o.p.x),
            self.gate.eq(later(m, gate, leak.LATENCY, name="gate").as_signed()),
            self.difference.eq(later(m, difference, leak.LATENCY - 1, name="difference").as_signed())]
        return m
