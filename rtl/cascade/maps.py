"""Maps in block RAM: written a value at a time, read as many channels as an engine takes at once."""

from amaranth.hdl import Module, Mux
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
        m.submodules.store = store = bank(self.vendor, depth=self.words, width=self.side * ACTIVATION_BITS,
                                          columns=self.side)
        column = self.write_addr[:self.low]
        m.d.comb += [store.write_en.eq(Mux(self.write_en, 1 << column, 0)),
                     store.write_addr.eq(self.write_addr[self.low:]),
                     store.write_data.eq(self.write_data.replicate(self.side)),
                     store.read_addr.eq(self.read_addr), self.read_data.eq(store.read_data)]
        return m
