"""Maps in block RAM: written a value at a time, read as many channels as an engine takes at once."""

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.cascade.layer import ACTIVATION_BITS
from rtl.primitives import Bank, bank


class Map(wiring.Component):
    """Activations, channels innermost: value `address` in column address mod side of word address // side.

    Parameters: values; side, channels that are read at once, a power of two; vendor.
    Members: write_en, write_addr, write_data; read_addr of a word; read_data, `side` activations, LATENCY cycles later.
    """

    LATENCY = Bank.LATENCY

    def __init__(self, *, values: int, side: int, vendor: str):
        self.side, self.vendor = side, vendor
        self.words = -(-values // side)
        self.low = side.bit_length() - 1
        super().__init__({
            "write_en": In(1), "write_addr": In(range(max(2, self.words * side))), "write_data": In(ACTIVATION_BITS),
            "read_addr": In(range(max(2, self.words))), "read_data": Out(side * ACTIVATION_BITS)})

    def elaborate(self, platform):
        m = Module()
        parts = []
        for n in range(self.side):
            m.submodules[f"column{n}"] = store = bank(self.vendor, depth=self.words, width=ACTIVATION_BITS)
            m.d.comb += [store.write_en.eq(self.write_en & (self.write_addr[:self.low] == n)),
                         store.write_addr.eq(self.write_addr[self.low:]), store.write_data.eq(self.write_data),
                         store.read_addr.eq(self.read_addr)]
            parts.append(store.read_data)
        m.d.comb += self.read_data.eq(Cat(parts))
        return m
