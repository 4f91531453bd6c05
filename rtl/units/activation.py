"""Activation: the circuit of golden.units.activation.activation_step and derivative_step."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.fixed import QFormat
from golden.units.activation import is_tabulated, table
from rtl.fixed import exact, round_shift, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Bank, bank


class Activation(wiring.Component):
    """phi of a stream of state words, one a cycle; `<name>_derivative` gives phi'.

    Tabulated functions: table (block RAM, two cycles); register; two partial products; product; interpolation;
    (softplus: max(x, 0)); saturation. The others take two cycles. Never stalls. Reset drops what is in flight.

    Parameters: name (a key of golden.units.activation.ACTIVATIONS, or that with `_derivative`), formats of input and
    output.
    """

    def __init__(self, name: str, state: QFormat, out: QFormat, *, vendor: str = "generic"):
        self.name, self.state, self.out, self.vendor = name, state, out, vendor
        self.table = table(name, state, out)
        self.LATENCY = self.latency(name)
        super().__init__({"i": In(stream.Signature(shape(state), always_ready=True)),
                          "o": Out(stream.Signature(shape(out), always_ready=True))})

    @staticmethod
    def latency(name: str) -> int:
        """LATENCY of the function `name`."""
        return Bank.LATENCY + 5 + (name == "softplus") if is_tabulated(name) else 2

    @staticmethod
    def banks(name: str, state: QFormat, out: QFormat) -> list[tuple[int, int]]:
        """Depth and width of the table, if there is one."""
        tab = table(name, state, out)
        return [] if tab is None else [(len(tab.left), sum(_widths(tab)))]

    def elaborate(self, platform):
        m = Module()
        result = Signal(shape(self.out), reset_less=True)
        value = self._plain(m) if self.table is None else self._tabulated(m)
        m.d.sync += exact(result, saturate(value, self.out))
        m.d.comb += [self.o.payload.eq(result),
                     self.o.valid.eq(later(m, self.i.valid, self.LATENCY, name="valid", reset_less=False))]
        return m

    def _plain(self, m):
        x, one, name = self.i.payload, 1 << self.state.frac_bits, self.name.removesuffix("_derivative")
        shift = self.state.frac_bits - self.out.frac_bits
        negative, above = x[-1], x >= one
        if self.name.endswith("_derivative"):
            active = {"linear": Const(1), "relu": ~negative, "hard_sigmoid": ~negative & ~above}[name]
            clipped, shift = Mux(active, Const(1 << self.out.frac_bits, signed(self.out.frac_bits + 2)), 0), 0
        elif name == "hard_sigmoid":
            clipped = Mux(negative, 0, Mux(above, one, x))
        else:
            clipped = Mux(negative & (name == "relu"), 0, x)
        rounded = round_shift(clipped.as_signed(), shift)
        value = Signal(signed(len(rounded)), reset_less=True)
        m.d.sync += exact(value, rounded)
        return value

    def _tabulated(self, m):
        tab, x = self.table, self.i.payload
        left_bits, rise_bits = _widths(tab)
        rows = [left % (1 << left_bits) | (rise % (1 << rise_bits)) << left_bits
                for left, rise in zip(tab.left, tab.rise, strict=True)]
        # segment 0 is at the most negative input: reading by two's complement swaps the halves
        rows = rows[len(rows) // 2:] + rows[:len(rows) // 2]
        m.submodules.table = rom = bank(self.vendor, depth=len(rows), width=left_bits + rise_bits, init=rows,
                                        writable=False)
        m.d.comb += rom.read_addr.eq(x[tab.t:])
        # what follows the table: registers, two partial products, their sum, interpolation
        left = later(m, rom.read_data[:left_bits].as_signed(), 3, name="left")
        rise = later(m, rom.read_data[left_bits:].as_signed(), 1, name="rise")
        offset = later(m, x[:tab.t], Bank.LATENCY + 1, name="offset")
        product = self._product(m, rise, offset, tab.t)
        outside = later(m, Cat(x < -tab.limit, x >= tab.limit), Bank.LATENCY + 3, name="outside")
        inside = Signal(signed(max(left_bits, len(product) - tab.t) + 2), reset_less=True)
        m.d.sync += exact(inside, Mux(outside[0], tab.low, Mux(outside[1], tab.high,
                                                              left + round_shift(product, tab.t))))
        if self.name != "softplus":
            return inside
        extra = round_shift(Mux(x[-1], 0, x).as_signed(), self.state.frac_bits - self.out.frac_bits)
        extra = later(m, extra, Bank.LATENCY + 4, name="extra")
        value = Signal(signed(max(len(inside), len(extra)) + 1), reset_less=True)
        m.d.sync += exact(value, inside + extra)
        return value

    @staticmethod
    def _product(m, rise, offset, bits):
        """Rise * offset in two cycles of fabric: the multipliers are for lanes, and a table needs a few bits only."""
        half = bits // 2
        parts = []
        for n, part in enumerate((offset[:half], offset[half:])):
            factor = Cat(part, Const(0)).as_signed()
            parts.append(Signal(signed(len(rise) + len(factor)), name=f"part{n}", reset_less=True))
            m.d.sync += exact(parts[n], rise * factor)
        product = Signal(signed(len(rise) + bits + 2), name="product", reset_less=True)
        m.d.sync += exact(product, (parts[0] + (parts[1] << half))[:len(product)].as_signed())
        return product


def _widths(tab) -> tuple[int, int]:
    """Bits of a segment's left edge and of its rise."""
    edges = (*tab.left, tab.low, tab.high)
    return (max(max(edges), -min(edges) - 1).bit_length() + 1,
            max(max(max(r, -r - 1) for r in tab.rise).bit_length() + 1, 2))
