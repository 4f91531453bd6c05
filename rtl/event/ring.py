"""Sums of what arrives in the next ticks at each neuron of a lane: a read, an addition and a write a cycle."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.pipeline import later
from rtl.primitives import bank


class Ring(wiring.Component):
    """Adds a weight to a sum, or reads a sum and clears it; an operation a cycle.

    The sum that was read is there LATENCY cycles after the operation. One that was written up to three operations ago
    is still on its way into the block RAM, and is taken from there.

    Parameters: depth; width of a sum; arrivals, whether a bit of each word says that something came; vendor.
    Members: en, addr, weight, zero (clear instead of adding); sum, came, of what was read.
    """

    LATENCY = 2
    #: cycles from an operation to the one before which its sum is in the block RAM
    BEHIND = 5

    def __init__(self, *, depth: int, width: int, weight: int, arrivals: bool, vendor: str):
        self.depth, self.width, self.arrivals, self.vendor = depth, width, arrivals, vendor
        super().__init__({"en": In(1), "addr": In(max(1, (depth - 1).bit_length())), "weight": In(signed(weight)),
                          "zero": In(1), "sum": Out(signed(width)), "came": Out(1)})

    def elaborate(self, platform):
        m = Module()
        word = self.width + self.arrivals
        m.submodules.sums = sums = bank(self.vendor, depth=self.depth, width=word)
        addr = [self.addr]
        en = [self.en]
        for n in range(1, 5):
            addr.append(later(m, addr[-1], 1, name=f"addr{n}"))
            en.append(later(m, en[-1], 1, name=f"en{n}", reset_less=False))
        weight, zero = later(m, self.weight, 2, name="weight"), later(m, self.zero, 2, name="zero")
        new, old, older = (Signal(word, name=name, reset_less=True) for name in ("new", "old", "older"))
        # seen from the cycle behind the address, where the operations before it are 1, 2 and 3 further on
        same = [later(m, en[n] & (addr[1] == addr[n]), 1, name=f"same{n}", reset_less=False) for n in (2, 3, 4)]
        held = Signal(word)
        m.d.comb += held.eq(Mux(same[0], new, Mux(same[1], old, Mux(same[2], older, sums.read_data))))
        total = Signal(signed(self.width))
        m.d.comb += total.eq(held[:self.width].as_signed() + weight.as_signed())
        added = Cat(total, Const(1)) if self.arrivals else total
        m.d.sync += [new.eq(Mux(zero, 0, added)), old.eq(new), older.eq(old)]
        m.d.comb += [sums.read_addr.eq(self.addr), sums.write_addr.eq(addr[3]), sums.write_data.eq(new),
                     sums.write_en.eq(en[3]), self.sum.eq(sums.read_data[:self.width].as_signed()),
                     self.came.eq(sums.read_data[-1] if self.arrivals else 1)]
        return m
