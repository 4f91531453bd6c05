"""Former: what makes x, the input of a layer's neurons, out of spikes and real inputs; golden.ltc.step.sum_step.

    own spikes   --> [queue] --+--> row, add --> [SpikeSums] --> (+) --> round, saturate --> x, two neurons a cycle
    those below  --> [queue] --+                                  |
    real inputs' products ------------------------> [memory] -----+

Every neuron takes its turn, whether it has spiked or not, so nothing here takes longer for more spikes. Own spikes are
those of the last tick, which does not count where a sequence begins: its rows are left out, or cleared away.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.fixed import exact, saturate
from rtl.ltc.line import ARRIVAL, SpikeLine
from rtl.ltc.sums import SpikeSums, Table
from rtl.pipeline import ParameterBus, join, later
from rtl.primitives import Bank, bank


def table_of(layer, *, slots: int, halves: int) -> Table:
    """The table of a layer's, or of the readout's, spike rows."""
    return Table(size=layer.outputs, rows=layer.spike_lines - 1, weight=layer.spike_weight.width, slots=slots,
                 halves=halves)


def own_rows(layer) -> int:
    """Rows of a layer's own spikes: the readout has none."""
    return layer.spike_lines - 1 - below_rows(layer)


def below_rows(layer) -> int:
    """Rows of the spikes of the layer below."""
    return 0 if layer.dense else layer.inputs


class Former(wiring.Component):
    """Queues, the order in which rows are added, sums, rounding.

    Parameters: layer, an LtcLayer or a Readout; table; vendor form; first_bank as of SpikeSums; bits of a product of
    real inputs, and what it is too large by.
    Members
      told, fresh        the layer below begins a tick (the first layer: itself), of which `fresh` is the first
      own, below         neurons in order
      product_valid, product   real inputs of the next neuron of each chain are multiplied and summed
      live, half         sums count: what a reset has left does not; half of the parameters
      valid, pair, x     x of neurons 2 pair and 2 pair + 1
      is_fresh           with `valid`: of the tick whose x this is
      params, params_out
    """

    #: from the sums to x
    ROUND = 2

    def __init__(self, layer, table: Table, *, vendor: str = "generic", first_bank: int = 0, product_bits: int = 1,
                 excess: int = 0):
        self.layer, self.table, self.vendor = layer, table, vendor
        self.product_bits, self.excess = product_bits, excess
        self.sums = SpikeSums(table, vendor=vendor, first_bank=first_bank)
        self.own_rows, self.below_rows = own_rows(layer), below_rows(layer)
        self.half_unit = 1 << layer.sum_shift >> 1 if layer.sum_shift > 0 else 0
        super().__init__({
            "told": In(1), "fresh": In(1), "own": In(ARRIVAL), "below": In(ARRIVAL),
            "product_valid": In(1), "product": In(signed(product_bits)).array(layer.chains), "half": In(1),
            "live": In(1),
            "valid": Out(1), "pair": Out(table.pair_bits), "x": Out(signed(layer.state.width)).array(2),
            "is_fresh": Out(1), "params": In(ParameterBus()), "params_out": Out(ParameterBus())})

    def elaborate(self, platform):
        m = Module()
        sums = self.sums
        m.submodules.sums = sums
        join(m, sums.params, self.params)
        join(m, self.params_out, sums.params_out)
        m.d.comb += sums.half.eq(self.half)
        products, ready = self._products(m) if self.layer.dense else (None, Const(1))
        self._order(m, ready)
        self._round(m, products)
        return m

    def _order(self, m, ready):
        """What is added next: for the `slots` cycles that follow."""
        table, sums = self.table, self.sums
        slot, turn = Signal(range(max(2, table.slots))), Signal()
        m.d.comb += turn.eq(slot == table.slots - 1)
        m.d.sync += [slot.eq(Mux(turn, 0, slot + 1)), sums.slot.eq(slot)]
        # a reset does not touch the sums: the first thing to do is to clear them
        clear, opened, drop, fresh = Signal(init=1), Signal(), Signal(), Signal()
        lines, first = {}, {"own": 0, "below": self.own_rows}
        for name, count in (("own", self.own_rows), ("below", self.below_rows)):
            if count:
                # before the first tick there are no spikes of a last one
                m.submodules[name] = lines[name] = line = SpikeLine(count, is_there=name == "below")
                m.d.comb += line.i.eq(getattr(self, name))
        names = ("clear", "dump", *lines)
        chosen, now = ({name: Signal(name=f"{kind}_{name}") for name in names} for kind in ("choose", "now"))
        wanted = Cat(line.wanted for line in lines.values()).any()
        m.d.comb += [chosen["clear"].eq(turn & clear), chosen["dump"].eq(turn & ~clear & opened & ready & ~wanted)]
        free = turn & ~clear
        for name, line in lines.items():
            m.d.comb += [chosen[name].eq(free & line.ready & (opened if name == "below" else 1)),
                         line.take.eq(chosen[name]), line.reload.eq(chosen["dump"])]
            free &= ~line.ready
        with m.If(turn):
            m.d.sync += [now[name].eq(chosen[name]) for name in names]
        row, add = 0, 0
        for name, line in lines.items():
            spike = line.spike & ~drop if name == "own" else line.spike
            add |= now[name] & spike
            row = Mux(now[name], line.row + first[name], row)
        m.d.sync += [sums.row.eq(row), sums.add.eq(add), sums.first.eq(now["clear"]), sums.dump.eq(now["dump"])]
        self._begin(m, chosen, clear, opened, drop, fresh)

    def _begin(self, m, chosen, clear, opened, drop, fresh):
        """A tick is opened when it is told of and the sums of the last one have left."""
        waits, waits_fresh = Signal(), Signal()
        with m.If(chosen["clear"]):
            m.d.sync += clear.eq(0)
        with m.If(self.told):
            m.d.sync += [waits.eq(1), waits_fresh.eq(self.fresh)]
        with m.If(waits & ~opened):
            m.d.sync += [waits.eq(self.told), opened.eq(1), fresh.eq(waits_fresh), drop.eq(waits_fresh)]
            with m.If(waits_fresh):
                m.d.sync += clear.eq(1)
        with m.If(chosen["dump"]):
            m.d.sync += [opened.eq(0), drop.eq(0), self.is_fresh.eq(fresh)]

    def _products(self, m):
        """Memory of the products of real inputs, by pair; whether all of a tick are there."""
        layer, table = self.layer, self.table
        chains, bits = layer.chains, self.product_bits
        m.submodules.products = store = bank(self.vendor, depth=1 << table.pair_bits, width=2 * bits, columns=2)
        last = -(-layer.outputs // chains) - 1
        number, ready = Signal(range(max(2, last + 1))), Signal()
        ends = number == last
        with m.If(self.product_valid):
            m.d.sync += number.eq(Mux(ends, 0, number + 1))
        with m.If(self.product_valid & ends):
            m.d.sync += ready.eq(1)
        with m.Elif(self.sums.dump):
            m.d.sync += ready.eq(0)
        pair = number if chains == 2 else number[1:]
        columns = Const(3, 2) if chains == 2 else Cat(~number[0], number[0])
        m.d.sync += [store.write_en.eq(Mux(self.product_valid, columns, 0)), store.write_addr.eq(pair),
                     store.write_data.eq(Cat(self.product[0], self.product[-1]))]
        # the sums come ASKED cycles after their pair is asked for: a memory, and registers
        early = self.sums.ASKED - Bank.LATENCY - 2
        m.d.comb += store.read_addr.eq(later(m, self.sums.asked, early, name="product_asked"))
        words = later(m, store.read_data, 1, name="product_read")
        found = []
        for n in range(2):
            # the half for the rounding comes here: of two long sums each has a cycle
            value = (words.word_select(n, bits).as_signed() - self.excess << layer.sum_frac - layer.product_frac) + \
                self.half_unit
            found.append(Signal(value.shape(), name=f"product{n}", reset_less=True))
            m.d.sync += found[n].eq(value)
        return found, ready

    def _round(self, m, products):
        layer, sums = self.layer, self.sums
        shift, state = layer.sum_shift, layer.state
        up = layer.sum_frac - layer.spike_weight.frac_bits
        for n in range(2):
            value = (sums.sums[n] << up) + (self.half_unit if products is None else products[n])
            total, x = Signal(value.shape(), name=f"total{n}", reset_less=True), Signal.like(self.x[n], name=f"x{n}",
                                                                                          reset_less=True)
            shifted = total.shift_right(shift) if shift > 0 else total.shift_left(-shift)
            m.d.sync += [total.eq(value), exact(x, saturate(shifted, state))]
            m.d.comb += self.x[n].eq(x)
        valid = later(m, sums.valid & self.live, 1, name="total_valid", reset_less=False)
        number = Signal(self.table.pair_bits)
        last = self.table.units * self.table.slots - 1
        # a unit may have room for more pairs than there are
        m.d.sync += [self.valid.eq(valid & (number < self.table.pairs)), self.pair.eq(number)]
        with m.If(valid):
            m.d.sync += number.eq(Mux(number == last, 0, number + 1))
