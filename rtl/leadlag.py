"""LeadLag: the circuit of golden.leadlag.leadlag_step."""

from amaranth.hdl import Cat, Const, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.network import Dense
from rtl.fixed import exact, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Multiplier, multiplier


class LeadLag(wiring.Component):
    """d = i - x; y = sat(x + round(lead d)); x_next = sat(x + round(lag d)), one transfer a cycle.

    Pipeline: difference; multiplier; product register; sum; saturation. Never stalls. Reset drops what is in flight.
    Source: [GLE] membrane with prospective rate, factorised (papers.md 2.2).

    Parameters: layer, whose state, lead and lag formats apply; vendor form of the two multipliers.
    Members: i = (x, i, lead, lag); o = (x, y), LATENCY cycles later.
    """

    LATENCY = 1 + Multiplier.LATENCY + 1 + 1 + 1

    def __init__(self, layer: Dense, *, vendor: str = "generic"):
        self.layer, self.vendor = layer, vendor
        state = shape(layer.state)
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({
                "x": state, "i": state, "lead": shape(layer.lead), "lag": shape(layer.lag)}), always_ready=True)),
            "o": Out(stream.Signature(data.StructLayout({"x": state, "y": state}), always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        p, i = self.layer, self.i.p
        x, step = Signal(shape(p.state), reset_less=True), Signal(signed(p.state.width + 1), reset_less=True)
        m.d.sync += [x.eq(i.x), exact(step, i.i - i.x)]
        x = later(m, x, Multiplier.LATENCY + 1, name="x")
        outputs = {}
        for name, fmt in (("lead", p.lead), ("lag", p.lag)):
            m.submodules[f"{name}_multiplier"] = mul = multiplier(
                self.vendor, a_width=p.state.width + 1, b_width=fmt.width)
            factor, product = Signal(shape(fmt), name=name, reset_less=True), Signal.like(mul.p, reset_less=True)
            # x in the product's last place, with the rounding half in the bits that the shift leaves free
            scaled = Cat(Const(1 << (fmt.frac_bits - 1), fmt.frac_bits), x).as_signed()
            total = Signal(signed(max(len(mul.p), len(scaled)) + 1), name=f"{name}_sum", reset_less=True)
            outputs[name] = Signal(shape(p.state), name=f"{name}_out", reset_less=True)
            m.d.comb += [mul.a.eq(step), mul.b.eq(factor)]
            m.d.sync += [factor.eq(i[name]), product.eq(mul.p), exact(total, product + scaled),
                         exact(outputs[name], saturate(total.shift_right(fmt.frac_bits), p.state))]
        m.d.comb += [self.o.p.y.eq(outputs["lead"]), self.o.p.x.eq(outputs["lag"]),
                     self.o.valid.eq(later(m, self.i.valid, self.LATENCY, name="valid", reset_less=False))]
        return m
