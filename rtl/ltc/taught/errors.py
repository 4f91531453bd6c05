"""Errors of a tick from the outputs down to the sums: the circuit of golden.ltc.learn.backward.

outputs   dy --> gate's error q --> lanes of the readout --columns--> dz --> the same lanes --columns--> ds
neurons   ds --> du --> da, dr --> lanes of both gates --columns--> dx --> the same lanes
"""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.ltc.layer import ADAPT_SHIFT
from rtl.fixed import exact, round_shift, saturate, shape
from rtl.ltc.taught.neurons import kept_layout, times_adapt
from rtl.pipeline import later
from rtl.primitives import Bank, Multiplier, bank, multiplier

#: of `product`: multiplier, its register, rounding
PRODUCT = Multiplier.LATENCY + 2


def product(m, a, b, shift: int, fmt, *, name: str, vendor: str):
    """sat(round(a b / 2**shift)) in `fmt`, PRODUCT cycles later; fmt None: all bits."""
    m.submodules[f"{name}_multiplier"] = mul = multiplier(vendor, a_width=len(a), b_width=len(b))
    full = Signal(signed(len(mul.p)), name=f"{name}_product", reset_less=True)
    rounded = round_shift(full, shift)
    word = Signal(signed(len(rounded)) if fmt is None else shape(fmt), name=name, reset_less=True)
    m.d.comb += [mul.a.eq(a), mul.b.eq(b)]
    m.d.sync += [full.eq(mul.p), exact(word, rounded if fmt is None else saturate(rounded, fmt))]
    return word


def slope(m, gate, bits: int, *, name: str):
    """Gate (1 - gate), 2 bits as fraction, SLOPE cycles later: two partial products in adders."""
    rest = Signal(signed(bits + 2), name=f"{name}_rest", reset_less=True)
    now, half = Signal(signed(bits + 1), name=f"{name}_now", reset_less=True), bits // 2
    low, high = (Signal(signed(2 * bits + 3), name=f"{name}_{part}", reset_less=True) for part in ("low", "high"))
    found = Signal(signed(2 * bits), name=name, reset_less=True)
    m.d.sync += [rest.eq((1 << bits) - gate), now.eq(gate), low.eq(rest * now[:half]), high.eq(rest * now[half:bits]),
                 found.eq(low + (high << half))]
    return found


SLOPE = 3


def at_end(word, fmt):
    """Whether an error word is at an end of its format."""
    return (word == fmt.min) | (word == fmt.max)


class GateError(wiring.Component):
    """The error of a gate's sum: error times difference times gate (1 - gate), rounded twice; one a cycle.

    Parameters: layer; fmt of errors; vendor form. Members: error, difference, gate; o, LATENCY cycles later.
    """

    LATENCY = 2 * PRODUCT

    def __init__(self, layer, fmt, *, vendor: str = "generic"):
        self.layer, self.fmt, self.vendor = layer, fmt, vendor
        super().__init__({"error": In(shape(fmt)), "difference": In(signed(layer.state.width + 1)),
                          "gate": In(shape(layer.gate)), "o": Out(shape(fmt))})

    def elaborate(self, platform):
        m = Module()
        bits = self.layer.gate.frac_bits
        part = product(m, self.error, self.difference, self.layer.state.frac_bits, self.fmt, name="part",
                       vendor=self.vendor)
        steep = later(m, slope(m, self.gate, bits, name="slope"), PRODUCT - SLOPE, name="steep").as_signed()
        m.d.comb += self.o.eq(product(m, part, steep, 2 * bits, self.fmt, name="scaled", vendor=self.vendor))
        return m


def _index(m, restart, valid, count: int, *, name: str):
    """Number of what is valid, from `restart` on."""
    index = Signal(range(max(2, count)), name=name)
    with m.If(restart):
        m.d.sync += index.eq(0)
    with m.Elif(valid):
        m.d.sync += index.eq(index + 1)
    return index


class ReadoutErrors(wiring.Component):
    """q of the readout's gates from dy, and dz of its sums from the columns of q.

    Parameters: readout; fmt of errors; weight_bits, fraction bits of the weights; column_bits; vendor form.
    Members: restart, a tick begins; valid, y and z - y[t-1] and gate of an output as it is made (`kept`); dy_valid,
    dy; q_valid, q, Q_LATENCY later; column_valid, column, of q; dz_valid, dz, DZ_LATENCY later; overflow.
    """

    Q_LATENCY = Bank.LATENCY + GateError.LATENCY
    DZ_LATENCY = Bank.LATENCY + 2

    def __init__(self, readout, fmt, *, weight_bits: int, column_bits: int, vendor: str = "generic"):
        self.readout, self.fmt, self.weight_bits, self.vendor = readout, fmt, weight_bits, vendor
        self.kept_layout = data.StructLayout({"difference": signed(readout.state.width + 1),
                                              "gate": shape(readout.gate)})
        word = shape(fmt)
        super().__init__({
            "restart": In(1), "valid": In(1), "kept": In(self.kept_layout), "dy_valid": In(1), "dy": In(word),
            "q_valid": Out(1), "q": Out(word), "column_valid": In(1), "column": In(signed(column_bits)),
            "dz_valid": Out(1), "dz": Out(word), "overflow": Out(1)})

    def elaborate(self, platform):
        m = Module()
        readout, fmt, count = self.readout, self.fmt, self.readout.outputs
        gates = readout.gate.frac_bits
        m.submodules.store = store = bank(self.vendor, depth=max(2, count), width=self.kept_layout.size)
        m.d.comb += [store.write_en.eq(self.valid), store.write_data.eq(self.kept),
                     store.write_addr.eq(_index(m, self.restart, self.valid, count, name="made")),
                     store.read_addr.eq(_index(m, self.restart, self.dy_valid, count, name="asked"))]
        kept = data.View(self.kept_layout, store.read_data)
        dy = later(m, self.dy, Bank.LATENCY, name="dy").as_signed()
        m.submodules.gate_error = gate = GateError(readout, fmt, vendor=self.vendor)
        m.d.comb += [gate.error.eq(dy), gate.difference.eq(kept.difference), gate.gate.eq(kept.gate),
                     self.q.eq(gate.o),
                     self.q_valid.eq(later(m, self.dy_valid, self.Q_LATENCY, name="q_valid", reset_less=False))]
        passed = product(m, dy, kept.gate, gates, None, name="passed", vendor=self.vendor)
        m.submodules.passed_store = bypass = bank(self.vendor, depth=max(2, count), width=len(passed))
        there = later(m, self.dy_valid, Bank.LATENCY + PRODUCT, name="there", reset_less=False)
        m.d.comb += [bypass.write_en.eq(there), bypass.write_data.eq(passed),
                     bypass.write_addr.eq(_index(m, self.restart, there, count, name="passed_index")),
                     bypass.read_addr.eq(_index(m, self.restart, self.column_valid, count, name="column_index"))]
        column = later(m, round_shift(self.column, self.weight_bits), Bank.LATENCY, name="column").as_signed()
        total = Signal(signed(max(len(column), len(passed)) + 1), reset_less=True)
        word = Signal(shape(fmt), reset_less=True)
        m.d.sync += [exact(total, column + bypass.read_data.as_signed()), exact(word, saturate(total, fmt))]
        m.d.comb += [self.dz.eq(word), self.dz_valid.eq(later(m, self.column_valid, self.DZ_LATENCY, name="dz_valid",
                                                             reset_less=False))]
        m.d.sync += self.overflow.eq(self.q_valid & at_end(self.q, fmt) | self.dz_valid & at_end(self.dz, fmt))
        return m


class HiddenErrors(wiring.Component):
    """da and dr of both gates from the columns of dz, and dx of the sums from the columns of da and dr.

    Parameters: layer; fmt of errors; weight_bits, fraction bits of the weights; above_bits and column_bits of columns
    from the readout and from the own lanes; vendor form.
    Members: restart; valid, kept, of a neuron as it is made; above_valid, above; d_valid, da, dr, D_LATENCY later;
    column_valid, alpha_column, rho_column; dx_valid, dx, DX_LATENCY later; overflow.
    """

    DS = 2
    #: three cycles for 1.8 du
    D_LATENCY = DS + PRODUCT + 3 + GateError.LATENCY
    DX_LATENCY = 4

    def __init__(self, layer, fmt, *, weight_bits: int, above_bits: int, column_bits: int, vendor: str = "generic"):
        self.layer, self.fmt, self.weight_bits, self.vendor = layer, fmt, weight_bits, vendor
        word, column = shape(fmt), signed(column_bits)
        super().__init__({
            "restart": In(1), "valid": In(1), "kept": In(kept_layout(layer)), "above_valid": In(1),
            "above": In(signed(above_bits)), "d_valid": Out(1), "da": Out(word), "dr": Out(word),
            "column_valid": In(1), "alpha_column": In(column), "rho_column": In(column), "dx_valid": Out(1),
            "dx": Out(word), "overflow": Out(1)})

    def elaborate(self, platform):
        m = Module()
        layer, fmt, count = self.layer, self.fmt, self.layer.outputs
        layout = kept_layout(layer)
        m.submodules.store = store = bank(self.vendor, depth=max(2, count), width=layout.size)
        m.d.comb += [store.write_en.eq(self.valid), store.write_data.eq(self.kept),
                     store.write_addr.eq(_index(m, self.restart, self.valid, count, name="made")),
                     store.read_addr.eq(_index(m, self.restart, self.above_valid, count, name="asked"))]
        rounded = Signal(signed(len(self.above) + 1), reset_less=True)
        ds = Signal(shape(fmt), reset_less=True)
        m.d.sync += [rounded.eq(round_shift(self.above, self.weight_bits)), exact(ds, saturate(rounded, fmt))]
        kept = data.View(layout, store.read_data)       # Bank.LATENCY is DS
        du = product(m, ds, kept.psi, layer.state.frac_bits, fmt, name="du", vendor=self.vendor)
        held = data.View(layout, later(m, store.read_data, PRODUCT, name="held"))
        self._gates(m, du, held)
        passed = product(m, du, held.alpha, layer.gate.frac_bits, None, name="passed", vendor=self.vendor)
        m.submodules.passed_store = bypass = bank(self.vendor, depth=max(2, count), width=len(passed))
        there = later(m, self.above_valid, self.DS + 2 * PRODUCT, name="there", reset_less=False)
        m.d.comb += [bypass.write_en.eq(there), bypass.write_data.eq(passed),
                     bypass.write_addr.eq(_index(m, self.restart, there, count, name="passed_index")),
                     bypass.read_addr.eq(_index(m, self.restart, self.column_valid, count, name="column_index"))]
        self._sums(m, bypass)
        m.d.sync += self.overflow.eq(
            later(m, self.above_valid, self.DS, name="ds_valid", reset_less=False) & at_end(ds, fmt)
            | self.d_valid & (at_end(self.da, fmt) | at_end(self.dr, fmt)) | self.dx_valid & at_end(self.dx, fmt))
        return m

    def _gates(self, m, du, kept):
        layer, fmt = self.layer, self.fmt
        adapted, dk = times_adapt(m, du, name="adapted"), Signal(shape(fmt), name="dk", reset_less=True)
        negative = Signal(signed(len(adapted) + 1), name="negative")
        m.d.comb += negative.eq(-adapted)
        m.d.sync += exact(dk, saturate(round_shift(negative, ADAPT_SHIFT), fmt))
        kept = data.View(kept.shape(), later(m, kept.as_value(), 3, name="waiting"))
        for name, error, difference, gate, target in (
                ("alpha", later(m, du, 3, name="du").as_signed(), kept.xu, kept.alpha, self.da),
                ("rho", dk, kept.sb, kept.r, self.dr)):
            m.submodules[f"{name}_error"] = unit = GateError(layer, fmt, vendor=self.vendor)
            m.d.comb += [unit.error.eq(error), unit.difference.eq(difference), unit.gate.eq(gate), target.eq(unit.o)]
        m.d.comb += self.d_valid.eq(later(m, self.above_valid, self.D_LATENCY, name="d_valid", reset_less=False))

    def _sums(self, m, bypass):
        """Dx = sat(round(alpha du) + round(columns))."""
        fmt = self.fmt
        column = Signal(signed(len(self.alpha_column) + 1), name="column", reset_less=True)
        rounded = Signal(signed(len(column) + 1), name="rounded_column", reset_less=True)
        total = Signal(signed(max(len(rounded), bypass.width) + 1), name="total", reset_less=True)
        word = Signal(shape(fmt), name="word", reset_less=True)
        m.d.sync += [exact(column, self.alpha_column + self.rho_column),
                     rounded.eq(round_shift(column, self.weight_bits)),
                     exact(total, rounded + bypass.read_data.as_signed()), exact(word, saturate(total, fmt))]
        m.d.comb += [self.dx.eq(word), self.dx_valid.eq(later(m, self.column_valid, self.DX_LATENCY, name="dx_valid",
                                                             reset_less=False))]
