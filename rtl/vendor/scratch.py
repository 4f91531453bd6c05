"""Block RAM whose reader never meets its writer: the generic form, and SB_RAM40_4K instantiated.

A block RAM of an iCE40 does not tell what is read of a word that is being written. For a memory that is inferred from a
circuit in which that is told, yosys adds a comparison of addresses to every port, and registers for what is written:
about three logic cells a bit. What is here does not need them. Pins: Lattice FPGA-TN-02002 (memory usage guide).
"""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from rtl.pipeline import later
from rtl.vendor import generic

#: words of a SB_RAM40_4K by mode, and the pins of its data
SHAPES = ((256, tuple(range(16))), (512, tuple(range(0, 16, 2))), (1024, (1, 5, 9, 13)), (2048, (3, 11)))
ADDR_BITS = 11


def blocks(depth: int, width: int) -> int:
    """Number of SB_RAM40_4K for so many words; 0 where they are left to yosys: no block has so many words."""
    return next((-(-width // len(pins)) for words, pins in SHAPES if depth <= words), 0)


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
        m.submodules.memory = mem = memory.Memory(shape=self.width, depth=self.depth, init=())
        read, write = mem.read_port(), mem.write_port()
        m.d.comb += [read.addr.eq(self.read_addr), self.read_data.eq(read.data), write.en.eq(self.write_en),
                     write.addr.eq(self.write_addr), write.data.eq(self.write_data)]
        return m


class Ice40Scratch(Scratch):
    """SB_RAM40_4K side by side, of the widest shape that has the words."""

    def elaborate(self, platform):
        if not blocks(self.depth, self.width):
            return super().elaborate(platform)
        def wide(addr):
            return Cat(addr, Const(0, ADDR_BITS - len(addr)))
        m = Module()
        mode, pins = next((mode, pins) for mode, (words, pins) in enumerate(SHAPES) if self.depth <= words)
        for n, low in enumerate(range(0, self.width, len(pins))):
            bits = self.write_data[low:low + len(pins)]
            data, found = [Const(0)] * 16, Signal(16, name=f"found{n}")
            for pin, bit in zip(pins, bits, strict=False):
                data[pin] = bit
            m.d.comb += self.read_data[low:low + len(pins)].eq(Cat(found[pin] for pin in pins))
            m.submodules[f"block{n}"] = Instance(
                "SB_RAM40_4K", p_READ_MODE=Const(mode, 2), p_WRITE_MODE=Const(mode, 2), o_RDATA=found,
                i_RCLK=ClockSignal(), i_RCLKE=Const(1), i_RE=Const(1), i_RADDR=wide(self.read_addr),
                i_WCLK=ClockSignal(), i_WCLKE=Const(1), i_WE=self.write_en, i_MASK=Const(0, 16),
                i_WADDR=wide(self.write_addr), i_WDATA=Cat(data))
        return m


class Bank(generic.Bank):
    """A scratch memory with a register before its address."""

    def __init__(self, scratch, *, depth: int, width: int):
        self.scratch = scratch(depth=depth, width=width)
        super().__init__(depth=depth, width=width)

    def elaborate(self, platform):
        m = Module()
        m.submodules.scratch = scratch = self.scratch
        m.d.comb += [scratch.read_addr.eq(later(m, self.read_addr, 1, name="addr")),
                     self.read_data.eq(scratch.read_data)]
        m.d.comb += [getattr(scratch, name).eq(getattr(self, name)) for name in ("write_en", "write_addr",
                                                                                 "write_data")]
        return m
