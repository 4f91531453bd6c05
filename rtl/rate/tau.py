"""TimeConstant: a membrane time constant that learns, and its reciprocal: the circuit of golden.rate.learn.tau_step."""

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.rate.layer import Dense
from golden.rate.plastic import increment_format, tau_shift
from rtl.fixed import exact, round_shift, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Multiplier, multiplier
from rtl.units.plasticity import Plasticity


class TimeConstant(wiring.Component):
    """tau <- max(tau_min, tau - eps step); lag <- lag + lag (1 - tau lag), the Newton step for its reciprocal.

    One neuron a cycle, and a number of the register each. Never stalls.

    Parameters: layer; seed of the register; vendor form of the three multipliers.
    Members: i = (eps, step, tau, lag), step in golden.rate.plastic.increment_format; o = (tau, lag), LATENCY cycles
    later; reseed, the register starts again.
    """

    LATENCY = 3 * (Multiplier.LATENCY + 1) + Plasticity.LATENCY + 3

    def __init__(self, layer: Dense, *, seed: int, vendor: str = "generic"):
        self.layer, self.seed, self.vendor = layer, seed, vendor
        tau, lag = shape(layer.plastic.tau), shape(layer.lag)
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({
                "eps": shape(layer.plastic.error), "step": shape(increment_format(layer)), "tau": tau, "lag": lag}),
                always_ready=True)),
            "o": Out(stream.Signature(data.StructLayout({"tau": tau, "lag": lag}), always_ready=True)),
            "reseed": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        layer, plastic, shift = self.layer, self.layer.plastic, tau_shift(self.layer)
        # tau: product, step, clip
        product = self._product(m, "step", -self.i.p.eps, self.i.p.step)
        at = Multiplier.LATENCY + 1
        m.submodules.plasticity = plasticity = Plasticity(plastic.tau, len(product), shift=shift, seed=self.seed)
        tau, least = Signal(shape(plastic.tau), reset_less=True), plastic.tau_min << plastic.tau.frac_bits
        m.d.comb += [plasticity.reseed.eq(self.reseed), plasticity.i.p.product.eq(product),
                     plasticity.i.valid.eq(later(m, self.i.valid, at, name="product_valid", reset_less=False)),
                     plasticity.i.p.w.eq(later(m, self.i.p.tau, at, name="tau_old").as_signed())]
        total = plasticity.o.payload
        m.d.sync += tau.eq(Mux(total < least, least, total))
        at += plasticity.LATENCY + 1
        # 1 - tau lag
        lag = later(m, self.i.p.lag, at, name="lag_tau").as_signed()
        product = self._product(m, "rest", tau, lag)
        rest = Signal(shape(layer.lag), name="remainder", reset_less=True)
        one = Const(1 << layer.lag.frac_bits, signed(layer.lag.frac_bits + 2))
        m.d.sync += exact(rest, saturate(one - round_shift(product, plastic.tau.frac_bits), layer.lag))
        wait = Multiplier.LATENCY + 2
        at, lag = at + wait, later(m, lag, wait, name="lag_rest").as_signed()
        # the Newton step
        product = self._product(m, "newton", lag, rest)
        wait = Multiplier.LATENCY + 1
        lag = later(m, lag, wait, name="lag_new").as_signed()
        new, tau = Signal(shape(layer.lag), reset_less=True), later(m, tau, 2 * wait + 2, name="tau_new")
        m.d.sync += exact(new, saturate(lag + round_shift(product, layer.lag.frac_bits), layer.lag))
        m.d.comb += [self.o.p.tau.eq(tau), self.o.p.lag.eq(new),
                     self.o.valid.eq(later(m, self.i.valid, self.LATENCY, name="valid", reset_less=False))]
        return m

    def _product(self, m, name, a, b):
        m.submodules[name] = mul = multiplier(self.vendor, a_width=len(a), b_width=len(b))
        product = Signal(signed(len(mul.p)), name=f"{name}_product", reset_less=True)
        m.d.comb += [mul.a.eq(a), mul.b.eq(b)]
        m.d.sync += product.eq(mul.p)
        return product
