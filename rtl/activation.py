"""Activation: the circuit of golden.activation.activation_step and derivative_step."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.activation import is_tabulated, table
from golden.fixed import QFormat
from rtl.fixed import exact, round_shift, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Bank, bank


class Activation(wiring.Component):
    """phi of a stream of state words, one a cycle; `<name>_derivative` gives phi'.

    Tabulated functions: magnitude; table (block RAM, two cycles); rise times offset; interpolation; symmetry;
    saturation. The others take two cycles. Never stalls. Reset drops what is in flight.

    Parameters: name (a key of golden.network.ACTIVATIONS, or that with `_derivative`), formats of input and output.
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
        return 1 + Bank.LATENCY + 4 if is_tabulated(name) else 2

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
        tab, x, one = self.table, self.i.payload, 1 << self.out.frac_bits
        left_bits = max(max(tab.left).bit_length(), tab.end.bit_length(), 1)
        rise_bits = max(max(abs(r) for r in tab.rise).bit_length() + 1, 2)
        rows = [left | (rise % (1 << rise_bits)) << left_bits for left, rise in
                zip(tab.left, tab.rise, strict=True)]
        m.submodules.table = rom = bank(self.vendor, depth=len(rows), width=left_bits + rise_bits, init=rows,
                                        writable=False)
        # magnitude: |min| needs the extra bit
        magnitude = Signal(self.state.width, reset_less=True)
        m.d.sync += magnitude.eq(Mux(x[-1], -x, x))
        m.d.comb += rom.read_addr.eq(magnitude >> tab.t)
        offset = later(m, magnitude[:tab.t], Bank.LATENCY, name="offset")
        beyond = later(m, magnitude >= tab.limit, Bank.LATENCY + 1, name="beyond")
        # rise times offset: a few bits each, left to the fabric (the multipliers are for lanes)
        left = Signal(left_bits, reset_less=True)
        rise = rom.read_data[left_bits:].as_signed()
        product = Signal(signed(rise_bits + tab.t + 1), reset_less=True)
        m.d.sync += [left.eq(rom.read_data[:left_bits]), product.eq(rise * Cat(offset, Const(0)).as_signed())]
        inside = Signal(signed(left_bits + 2), reset_less=True)
        m.d.sync += inside.eq(Mux(beyond, tab.end, left + round_shift(product, tab.t)))
        sign = later(m, x[-1], Bank.LATENCY + 3, name="sign")
        if tab.symmetry == "residual":
            extra = round_shift(Mux(x[-1], 0, x).as_signed(), self.state.frac_bits - self.out.frac_bits)
            kept = Signal(signed(len(extra)), reset_less=True)
            m.d.sync += exact(kept, extra)
            value = inside + later(m, kept, Bank.LATENCY + 2, name="kept")
        else:
            value = {"odd": Mux(sign, -inside, inside), "even": inside,
                     "complement": Mux(sign, one - inside, inside)}[tab.symmetry]
        folded = Signal(signed(len(value)), reset_less=True)
        m.d.sync += folded.eq(value)
        return folded
