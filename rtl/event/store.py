"""Memories that parameters are loaded into: block RAMs in pages of the shape that takes fewest of them."""

from amaranth.hdl import Array, Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.event.layout import BANK_WORDS
from rtl.event.layouts import bits
from rtl.pipeline import ParameterBus, later
from rtl.primitives import bank
from rtl.vendor.ecp5 import Bank

PAGES = (1024, 2048, 4096, 8192, 16384)


def page_words(depth: int, width: int) -> int:
    """Words of a page: the fewest block RAMs of 18 kbit, then the fewest pages."""
    pages = [page for page in PAGES if page < depth] + [depth] * (depth <= PAGES[-1])
    return min(pages, key=lambda page: (blocks(depth, width, page), -page))


def blocks(depth: int, width: int, page: int) -> int:
    """Block RAMs of a memory in pages."""
    whole, left = divmod(depth, page)
    return whole * Bank.blocks(page, width) + (Bank.blocks(left, width) if left else 0)


class Store(wiring.Component):
    """Words of a bank (or of several one after another) on the parameter bus.

    Read data come `latency` cycles after the address: 2, or 3 where there are pages.

    Parameters: depth, width; bank0, number of its first bank; vendor.
    Members: params; read_addr, read_data.
    """

    def __init__(self, *, depth: int, width: int, bank0: int, vendor: str):
        self.depth, self.width, self.bank0, self.vendor = depth, width, bank0, vendor
        self.page = page_words(depth, width)
        self.pages = -(-depth // self.page)
        self.latency = 2 + (self.pages > 1)
        super().__init__({"params": In(ParameterBus()), "read_addr": In(bits(depth)), "read_data": Out(width)})

    def elaborate(self, platform):
        m = Module()
        bus, low = self.params, bits(self.page)
        banks = -(-self.depth // BANK_WORDS)
        mine = (bus.bank >= self.bank0) & (bus.bank < self.bank0 + banks) if banks > 1 else bus.bank == self.bank0
        window = Signal(bits(banks), reset_less=True)
        m.d.sync += window.eq(bus.bank - self.bank0)
        en = later(m, bus.en & mine, 1, name="mine", reset_less=False)
        addr, data = later(m, bus.addr, 1, name="addr"), later(m, bus.data[:self.width], 2, name="write_data")
        whole = Signal(range(BANK_WORDS * banks))
        m.d.comb += whole.eq(addr if banks == 1 else Cat(addr, window))
        write_addr, found = later(m, whole[:low], 1, name="write_addr"), []
        for n in range(self.pages):
            depth = min(self.page, self.depth - n * self.page)
            m.submodules[f"page{n}"] = page = bank(self.vendor, depth=depth, width=self.width)
            here = (whole[low:bits(self.depth)] == n) if self.pages > 1 else Const(1)
            chosen = later(m, en & here, 1, name=f"chosen{n}", reset_less=False)
            m.d.comb += [page.read_addr.eq(self.read_addr[:low]), page.write_addr.eq(write_addr),
                         page.write_data.eq(data), page.write_en.eq(chosen)]
            found.append(page.read_data)
        if self.pages == 1:
            m.d.comb += self.read_data.eq(found[0])
        else:
            place = later(m, self.read_addr[low:], 2, name="page")
            m.d.sync += self.read_data.eq(Array(found)[place])
        return m
