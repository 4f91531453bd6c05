"""Multipliers of LUTs, for parts that have none: partial products side by side, or one after the other."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.vendor import generic

#: bits of a factor that are multiplied at a time: few enough for the clock, more of them cost flip-flops
PART = 6
#: bits that are multiplied in a cycle where there is time
DIGIT = 2


class Multiplier(generic.Multiplier):
    """Factor a times parts of factor b, then their sum, each behind a register.

    Tools make one deep array of adders of a whole product, which halves the clock.
    """

    def elaborate(self, platform):
        m = Module()
        a, b = Signal.like(self.a, reset_less=True), Signal.like(self.b, reset_less=True)
        m.d.sync += [a.eq(self.a), b.eq(self.b)]
        total = 0
        for low in range(0, self.b_width, PART):
            part = b[low:low + PART]
            if low + PART >= self.b_width:
                part = part.as_signed()     # the sign is in the last one
            product = Signal(signed(self.a_width + len(part) + 1), name=f"part{low}", reset_less=True)
            m.d.sync += product.eq(a * part)
            total += product << low
        m.d.sync += self.p.eq(total)
        return m


class SerialMultiplier(wiring.Component):
    """p = a b, two bits of b a cycle: a seventh of the LUTs of a Multiplier of 18 x 18 bits.

    Members: start, with factors a and b, signed; LATENCY cycles later p, which stays until the cycle behind the next
    start. Two starts lie LATENCY cycles apart at least.
    """

    def __init__(self, *, a_width: int, b_width: int):
        self.a_width, self.b_width = a_width, b_width
        self.LATENCY = self.latency(b_width)
        super().__init__({"start": In(1), "a": In(signed(a_width)), "b": In(signed(b_width)),
                          "p": Out(signed(a_width + b_width))})

    @staticmethod
    def latency(b_width: int) -> int:
        """LATENCY for a factor b of so many bits."""
        return 1 + -(-b_width // DIGIT)

    def elaborate(self, platform):
        m = Module()
        digits = self.LATENCY - 1
        a, left = Signal.like(self.a, reset_less=True), Signal(range(digits + 1))
        # what is left of b, below what there is of the product; what is added up above it
        low, high = Signal(DIGIT * digits, reset_less=True), Signal(signed(self.a_width + 1), reset_less=True)
        total, minus = Signal(signed(self.a_width + 3)), left == 1      # the sign of b is in its last digit
        twice = Mux(low[1], a << 1, 0) ^ minus.replicate(self.a_width + 1).as_signed()
        m.d.comb += [total.eq(high + Mux(low[0], a, 0) + twice + minus), self.p.eq(Cat(low, high))]
        with m.If(self.start):
            m.d.sync += [a.eq(self.a), low.eq(self.b), high.eq(0), left.eq(digits)]
        with m.Elif(left != 0):
            m.d.sync += [low.eq(Cat(low[DIGIT:], total[:DIGIT])), high.eq(total >> DIGIT), left.eq(left - 1)]
        return m
