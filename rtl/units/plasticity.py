"""Plasticity: the circuit of golden.units.plasticity.plasticity_step, with the register that its noise comes from."""

from functools import reduce
from operator import xor

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.fixed import QFormat
from golden.units.plasticity import BITS, PERIOD, lfsr_leap
from rtl.fixed import exact, saturate, shape
from rtl.pipeline import later


def leap(state: Value) -> Value:
    """The number after `state`: LEAP steps of the register are one linear map, an XOR of a few bits each."""
    columns = [lfsr_leap(1 << bit) for bit in range(BITS)]
    return Cat(reduce(xor, (state[j] for j, column in enumerate(columns) if column >> bit & 1))
               for bit in range(BITS))


class Plasticity(wiring.Component):
    """w + floor((product + noise) / 2**shift), saturated; one weight a cycle, and a number of the register each.

    The product eps r comes from a multiplier that has other work, too (rtl.units.plastic_lanes, rtl.rate.tau).
    Pipeline: noise and shift; sum and saturation. Never stalls. Reset drops what is in flight and puts the register
    back to its seed, as `reseed` does. Source: [GLE] dW = eta eps r, stochastic rounding.

    Parameters: weight, its format; width of a product; shift; seed, 1 to 131071.
    Members: i = (w, product); o, the next weight, LATENCY cycles later; reseed.
    """

    LATENCY = 2

    def __init__(self, weight: QFormat, width: int, *, shift: int, seed: int):
        if shift < 0:
            raise ValueError(f"shift must not be negative, not {shift}")
        if not 1 <= seed <= PERIOD:
            raise ValueError(f"a seed is 1 to {PERIOD}, not {seed}")
        self.weight, self.width, self.shift, self.seed = weight, width, shift, seed
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"w": shape(weight), "product": signed(width)}),
                                     always_ready=True)),
            "o": Out(stream.Signature(shape(weight), always_ready=True)), "reseed": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        product, shift = self.i.p.product, self.shift
        noise = Signal(BITS, init=self.seed)
        with m.If(self.reseed):
            m.d.sync += noise.eq(self.seed)
        with m.Elif(self.i.valid):
            m.d.sync += noise.eq(leap(noise))
        w = later(m, self.i.p.w, 1, name="w").as_signed()
        move = Signal(signed(max(self.width, shift + 1) + 1 - shift), reset_less=True)
        total = Signal(shape(self.weight), reset_less=True)
        m.d.sync += [exact(move, (product + _spread(noise, shift)).shift_right(shift)),
                     exact(total, saturate(w + move, self.weight))]
        m.d.comb += [self.o.payload.eq(total),
                     self.o.valid.eq(later(m, self.i.valid, self.LATENCY, name="valid", reset_less=False))]
        return m


def _spread(noise: Value, shift: int) -> Value:
    """The register as noise of `shift` bits, as golden.units.plasticity.spread."""
    if shift <= BITS:
        return noise[BITS - shift:] if shift else Const(0)
    return Cat(Const(0, shift - BITS), noise)
