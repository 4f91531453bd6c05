"""Plasticity: the circuit of golden.plasticity.plasticity_step, with the register that its noise comes from."""

from functools import reduce
from operator import xor

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.fixed import QFormat
from golden.plasticity import BITS, PERIOD, lfsr_leap
from rtl.fixed import exact, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Multiplier, multiplier


def leap(state: Value) -> Value:
    """The number after `state`: LEAP steps of the register are one linear map, an XOR of a few bits each."""
    columns = [lfsr_leap(1 << bit) for bit in range(BITS)]
    return Cat(reduce(xor, (state[j] for j, column in enumerate(columns) if column >> bit & 1))
               for bit in range(BITS))


def spread(noise: Value, shift: int) -> Value:
    """The register as noise of `shift` bits, as golden.plasticity.spread."""
    if shift <= BITS:
        return noise[BITS - shift:] if shift else Const(0)
    return Cat(Const(0, shift - BITS), noise)


class Plasticity(wiring.Component):
    """w + floor((eps r + noise) / 2**shift), saturated; one weight a cycle, and a number of the register each.

    Pipeline: multiplier; product register; noise and shift; sum and saturation. Never stalls. Reset drops what is in
    flight and puts the register back to its seed. Source: [GLE] dW = eta eps r, stochastic rounding.

    Parameters: formats of weight, error and rate; shift; seed, 1 to 131071; vendor form of the multiplier.
    Members: i = (w, eps, r); o, the next weight, LATENCY cycles later.
    """

    LATENCY = Multiplier.LATENCY + 3

    def __init__(self, weight: QFormat, error: QFormat, rate: QFormat, *, shift: int, seed: int,
                 vendor: str = "generic"):
        if shift < 0:
            raise ValueError(f"shift must not be negative, not {shift}")
        if not 1 <= seed <= PERIOD:
            raise ValueError(f"a seed is 1 to {PERIOD}, not {seed}")
        self.weight, self.error, self.rate = weight, error, rate
        self.shift, self.seed, self.vendor = shift, seed, vendor
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({
                "w": shape(weight), "eps": shape(error), "r": shape(rate)}), always_ready=True)),
            "o": Out(stream.Signature(shape(weight), always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.product = mul = multiplier(self.vendor, a_width=self.error.width, b_width=self.rate.width)
        product = Signal(signed(len(mul.p)), reset_less=True)
        m.d.comb += [mul.a.eq(self.i.p.eps), mul.b.eq(self.i.p.r)]
        m.d.sync += product.eq(mul.p)
        valid = later(m, self.i.valid, self.LATENCY - 2, name="valid", reset_less=False)
        noise = Signal(BITS, init=self.seed)
        with m.If(valid):
            m.d.sync += noise.eq(leap(noise))
        w = later(m, self.i.p.w, self.LATENCY - 1, name="w")
        move = Signal(signed(max(len(product), self.shift + 1) + 1 - self.shift), reset_less=True)
        total = Signal(shape(self.weight), reset_less=True)
        m.d.sync += [exact(move, (product + spread(noise, self.shift)).shift_right(self.shift)),
                     exact(total, saturate(w.as_signed() + move, self.weight))]
        m.d.comb += [self.o.payload.eq(total),
                     self.o.valid.eq(later(m, valid, 2, name="out", reset_less=False))]
        return m
