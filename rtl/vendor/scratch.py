"""Block RAM whose reader never meets its writer, and says so: tools put nothing beside it for words that are both.

A block RAM of an iCE40 does not tell what is read of a word that is being written. Where a circuit does not say that it
does not care, yosys gives every port a comparison of addresses, and registers for what is written.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from rtl.pipeline import later
from rtl.vendor import generic


class Scratch(wiring.Component):
    """Memory of `depth` words with a write port and a read port, one clock; read data LATENCY cycles after the address.

    What is read in the cycle in which the same word is written is not told. Reset does not touch the contents.

    Parameters: depth; width in bits.
    Members: write (en, addr, data); read_addr; read_data.
    """

    LATENCY = 1

    def __init__(self, *, depth: int, width: int):
        self.depth, self.width = depth, width
        bits = max(1, (depth - 1).bit_length())
        super().__init__({"read_addr": In(bits), "read_data": Out(width), "write_en": In(1), "write_addr": In(bits),
                          "write_data": In(width)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = mem = memory.Memory(shape=self.width, depth=self.depth, init=(),
                                                  attrs={"no_rw_check": 1})
        # a port that is read at once and a register, which yosys makes one of: of a port with a register it takes
        # Amaranth's word that it reads what was there before
        read, write, found = mem.read_port(domain="comb"), mem.write_port(), Signal(self.width, reset_less=True)
        m.d.comb += [read.addr.eq(self.read_addr), self.read_data.eq(found), write.en.eq(self.write_en),
                     write.addr.eq(self.write_addr), write.data.eq(self.write_data)]
        m.d.sync += found.eq(read.data)
        return m


class Bank(generic.Bank):
    """A Scratch with a register before its address."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.scratch = scratch = Scratch(depth=self.depth, width=self.width)
        m.d.comb += [scratch.read_addr.eq(later(m, self.read_addr, 1, name="addr")),
                     self.read_data.eq(scratch.read_data)]
        m.d.comb += [getattr(scratch, name).eq(getattr(self, name)) for name in ("write_en", "write_addr",
                                                                                 "write_data")]
        return m
