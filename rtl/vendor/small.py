"""Banks of few words in LUT RAM, for parts with few block RAMs: read at once, between two registers."""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory

from rtl.pipeline import later
from rtl.vendor import generic

#: up to so many words a bank is LUT RAM, in forms that have it
WORDS = 64


def is_small(depth: int, columns: int = 1) -> bool:
    """Whether a bank of `depth` words is LUT RAM: what is written by columns is not."""
    return depth <= WORDS and columns == 1


class Bank(generic.Bank):
    """A generic Bank whose address register stands before a memory that is read at once.

    A word is written a cycle later, too, so that a read of it gives what a block RAM gives.
    """

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = mem = memory.Memory(shape=self.width, depth=self.depth, init=self.init)
        read, addr = mem.read_port(domain="comb"), Signal.like(self.read_addr, reset_less=True)
        m.d.sync += [addr.eq(self.read_addr), self.read_data.eq(read.data)]
        m.d.comb += read.addr.eq(addr)
        if self.writable:
            write = mem.write_port()
            for name in ("en", "addr", "data"):
                m.d.comb += getattr(write, name).eq(later(m, getattr(self, f"write_{name}"), 1, name=name))
        return m
