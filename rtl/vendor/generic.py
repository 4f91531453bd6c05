"""Block RAM and multiplier with all their registers on: the generic forms, which any tool understands."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out


class Bank(wiring.Component):
    """Memory of `depth` words with a write port and a read port, one clock.

    Read data appear LATENCY cycles after the address (address register, output register) and keep coming every cycle.
    What is read of a word that is being written is not told: schedules keep the two apart. Reset does not touch the
    contents.

    Parameters: depth; width in bits; init, the words at configuration (a ROM when `writable` is False); columns of a
    word, of equal width, each with a bit of `write_en` of its own.
    Members: write (en, addr, data); read_addr; read_data.
    """

    LATENCY = 2

    def __init__(self, *, depth: int, width: int, init=(), writable: bool = True, columns: int = 1):
        if depth < 1 or width < 1:
            raise ValueError(f"a bank needs a word and a bit, not {depth} x {width}")
        if columns < 1 or width % columns:
            raise ValueError(f"{width} bits are not {columns} columns of equal width")
        if columns > 1 and not writable:
            raise ValueError("a bank that is not written has no columns")
        self.depth, self.width, self.init, self.writable = depth, width, list(init), writable
        self.columns = columns
        self.addr_bits = max(1, (depth - 1).bit_length())
        members = {"read_addr": In(self.addr_bits), "read_data": Out(width)}
        if writable:
            members |= {"write_en": In(columns), "write_addr": In(self.addr_bits), "write_data": In(width)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = mem = memory.Memory(shape=self.width, depth=self.depth, init=self.init)
        read = mem.read_port(domain="sync")
        m.d.comb += [read.addr.eq(self.read_addr), read.en.eq(1)]
        m.d.sync += self.read_data.eq(read.data)
        if self.writable:
            write = mem.write_port(granularity=self.width // self.columns if self.columns > 1 else None)
            m.d.comb += [write.en.eq(self.write_en), write.addr.eq(self.write_addr),
                         write.data.eq(self.write_data)]
        return m


class Multiplier(wiring.Component):
    """Signed product `p = a * b`, LATENCY cycles later (input, pipeline and output register), one a cycle.

    Members: a, b signed factors of `a_width`, `b_width` bits; p signed product, full width.
    """

    LATENCY = 3

    def __init__(self, *, a_width: int, b_width: int):
        self.a_width, self.b_width = a_width, b_width
        super().__init__({"a": In(signed(a_width)), "b": In(signed(b_width)),
                          "p": Out(signed(a_width + b_width))})

    def elaborate(self, platform):
        m = Module()
        a, b = Signal.like(self.a, reset_less=True), Signal.like(self.b, reset_less=True)
        product = Signal.like(self.p, reset_less=True)
        m.d.sync += [a.eq(self.a), b.eq(self.b), product.eq(a * b), self.p.eq(product)]
        return m


class Accumulator(wiring.Component):
    """Sum of what has come since `first`: `sum <= (start if first else sum) + x`. It wraps.

    Parameters: width in bits; x_width, at most as many; start, which `first` begins with, a power of two or zero.
    Members: first; x, signed; sum, signed.
    """

    def __init__(self, *, width: int, x_width: int, start: int = 0):
        if not 1 <= x_width <= width:
            raise ValueError(f"an accumulator of {width} bits takes words of 1 to {width} bits, not {x_width}")
        if start & (start - 1) or not 0 <= start < 1 << width:
            raise ValueError(f"an accumulator of {width} bits begins with a power of two or zero, not {start}")
        self.width, self.x_width, self.start = width, x_width, start
        super().__init__({"first": In(1), "x": In(signed(x_width)), "sum": Out(signed(width))})

    def elaborate(self, platform):
        m = Module()
        total = Signal(signed(self.width), reset_less=True)
        m.d.sync += total.eq(Mux(self.first, self.start, total) + self.x)
        m.d.comb += self.sum.eq(total)
        return m
