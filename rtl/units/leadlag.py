"""LeadLag: the circuit of golden.units.leadlag.leadlag_step."""

from amaranth.hdl import Cat, Const, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.units.leadlag import integrator
from rtl.fixed import exact, round_shift, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Multiplier, multiplier


class LeadLag(wiring.Component):
    """d = i - seen; y = sat(seen + round(lead d)); x_next = sat(x + round(lag d)), one transfer a cycle.

    Pipeline: difference; multiplier; product register; sum; saturation. Never stalls. Reset drops what is in flight.
    `seen` is the state x without its guard bits, which cost nothing here but width.
    Source: [GLE] membrane with prospective rate, factorised (arXiv 2403.16933).

    Parameters: unit, a Dense or a Plastic, whose state, lead, lag and guard apply; vendor form of the two multipliers;
    has_lead: where nothing looks ahead there is neither `lead` nor y, and no multiplier for them.
    Members: i = (x, i, lead, lag); o = (x, y, step), LATENCY cycles later; step is round(lag d), by what x moved.
    """

    LATENCY = 1 + Multiplier.LATENCY + 1 + 1 + 1

    def __init__(self, unit, *, vendor: str = "generic", has_lead: bool = True):
        self.unit, self.vendor, self.has_lead = unit, vendor, has_lead
        state, x = shape(unit.state), shape(integrator(unit))
        step = signed(unit.state.width + 1 + unit.lag.width - unit.lag.frac_bits + unit.guard + 1)
        super().__init__({
            "i": In(stream.Signature(data.StructLayout(
                {"x": x, "i": state} | ({"lead": shape(unit.lead)} if has_lead else {}) | {"lag": shape(unit.lag)}),
                always_ready=True)),
            "o": Out(stream.Signature(data.StructLayout(
                {"x": x} | ({"y": state} if has_lead else {}) | {"step": step}), always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        p, i = self.unit, self.i.p
        seen = i.x[p.guard:].as_signed()
        x, d = Signal(shape(integrator(p)), reset_less=True), Signal(signed(p.state.width + 1), reset_less=True)
        m.d.sync += [x.eq(i.x), exact(d, i.i - seen)]
        x = later(m, x, Multiplier.LATENCY + 1, name="x").as_signed()
        outputs = {}
        halves = [("lag", p.lag, x, integrator(p), p.lag.frac_bits - p.guard)]
        if self.has_lead:
            halves.insert(0, ("lead", p.lead, x[p.guard:].as_signed(), p.state, p.lead.frac_bits))
        for name, fmt, old, target, shift in halves:
            m.submodules[f"{name}_multiplier"] = mul = multiplier(
                self.vendor, a_width=p.state.width + 1, b_width=fmt.width)
            factor, product = Signal(shape(fmt), name=name, reset_less=True), Signal.like(mul.p, reset_less=True)
            # x in the product's last place, with the rounding half in the bits that the shift leaves free
            scaled = Cat(Const(1 << (shift - 1), shift), old).as_signed()
            total = Signal(signed(max(len(mul.p), len(scaled)) + 1), name=f"{name}_sum", reset_less=True)
            outputs[name] = Signal(shape(target), name=f"{name}_out", reset_less=True)
            m.d.comb += [mul.a.eq(d), mul.b.eq(factor)]
            m.d.sync += [factor.eq(i[name]), product.eq(mul.p), exact(total, product + scaled),
                         exact(outputs[name], saturate(total.shift_right(shift), target))]
        step = later(m, round_shift(product, shift), 2, name="step").as_signed()
        m.d.comb += [*([self.o.p.y.eq(outputs["lead"])] if self.has_lead else []),
                     self.o.p.x.eq(outputs["lag"]), self.o.p.step.eq(step),
                     self.o.valid.eq(later(m, self.i.valid, self.LATENCY, name="valid", reset_less=False))]
        return m
