"""Columns: W^T eps from the sums over the rows of a fold to the error words of the layer below."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.fixed import QFormat
from golden.rate.layer import Dense
from rtl.fixed import exact, round_shift, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Bank, bank


class Columns(wiring.Component):
    """Add up what the lanes send for each fold; with the last fold the error of an input is complete and leaves.

    Words come at most every second cycle: bias first (dropped), then the inputs in order, fold after fold.

    Parameters: layer, whose weights they are; fmt and shift, of the errors of the layer below; vendor form.
    Members: early, LEAD cycles before `value` is there; o, LATENCY cycles after `early`.
    """

    LEAD = Bank.LATENCY + 1
    LATENCY = LEAD + 3

    def __init__(self, layer: Dense, fmt: QFormat, shift: int, *, vendor: str = "generic"):
        self.layer, self.fmt, self.shift, self.vendor = layer, fmt, shift, vendor
        super().__init__({"early": In(1), "value": In(signed(layer.back_bits)),
                          "o": Out(stream.Signature(shape(fmt), always_ready=True))})

    @staticmethod
    def banks(layer: Dense) -> list[tuple[int, int]]:
        """Depth and width of the sums that wait for further folds."""
        return [(layer.inputs, layer.back_bits)] if layer.folds > 1 else []

    def elaborate(self, platform):
        m = Module()
        layer = self.layer
        position, fold = Signal(range(layer.inputs + 1)), Signal(range(max(2, layer.folds)))
        end = position == layer.inputs
        with m.If(self.early):
            m.d.sync += position.eq(Mux(end, 0, position + 1))
            with m.If(end):
                m.d.sync += fold.eq(Mux(fold == layer.folds - 1, 0, fold + 1))
        counts = self.early & (position != 0)
        complete = later(m, counts & (fold == layer.folds - 1), self.LEAD + 1, name="complete", reset_less=False)
        total, word = Signal(signed(layer.back_bits), reset_less=True), Signal(shape(self.fmt), reset_less=True)
        rounded = Signal(signed(layer.back_bits + 1), reset_less=True)
        before, store = self._before(m, position, fold, counts)
        m.d.sync += [total.eq(before + self.value),      # never wraps: back_bits
                     rounded.eq(round_shift(total, self.shift)), exact(word, saturate(rounded, self.fmt))]
        if store is not None:
            m.d.comb += store.write_data.eq(total)
        m.d.comb += [self.o.payload.eq(word), self.o.valid.eq(later(m, complete, 2, name="out", reset_less=False))]
        return m

    def _before(self, m, position, fold, counts):
        """The sum over the folds so far, with `value`, and the bank that keeps it where there are several."""
        layer = self.layer
        if layer.folds == 1:
            return 0, None
        m.submodules.store = store = bank(self.vendor, depth=layer.inputs, width=layer.back_bits)
        index = Signal(store.addr_bits)
        m.d.comb += [index.eq(position - 1), store.read_addr.eq(index),
                     store.write_en.eq(later(m, counts, self.LEAD + 1, name="counts", reset_less=False)),
                     store.write_addr.eq(later(m, index, self.LEAD + 1, name="index"))]
        data = later(m, store.read_data, 1, name="data").as_signed()
        return Mux(later(m, fold == 0, self.LEAD, name="empty"), 0, data).as_signed(), store
