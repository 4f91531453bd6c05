"""Former: what makes x, the input of a layer's neurons, out of spikes and real inputs; golden.ltc.step.sum_step.

    own spikes   --> [queue] --+--> row, add --> [SpikeSums] --> (+) --> round, saturate --> x, two neurons a cycle
    those below  --> [queue] --+                                  |
    real inputs' products ------------------------> [memory] -----+

Every neuron takes its turn, whether it has spiked or not, so nothing here takes longer for more spikes. Own spikes are
those of the last tick, which does not count where a sequence begins: its rows are left out, or cleared away.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import In, Out

from rtl.fixed import exact, saturate
from rtl.ltc.sums import SpikeSums, Table
from rtl.pipeline import ParameterBus, join, later
from rtl.primitives import Bank, bank

#: a neuron is through: whether it has spiked
ARRIVAL = data.StructLayout({"valid": 1, "spike": 1})


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

    def _queue(self, m, name: str, arrival, count: int):
        """Spikes that wait for their turn: those of a tick, and as many of the next one."""
        m.submodules[name] = queue = fifo.SyncFIFOBuffered(width=1, depth=2 * count + 2)
        m.d.comb += [queue.w_en.eq(arrival.valid), queue.w_data.eq(arrival.spike)]
        return queue

    def _order(self, m, ready):
        """What is added next: for the `slots` cycles that follow."""
        table, sums = self.table, self.sums
        slot = Signal(range(max(2, table.slots)))
        m.d.comb += sums.slot.eq(slot)
        turn = Signal()
        m.d.comb += turn.eq(slot == table.slots - 1)
        m.d.sync += slot.eq(Mux(turn, 0, slot + 1))
        # a reset does not touch the sums: the first thing to do is to clear them
        clear, opened, drop, fresh = Signal(init=1), Signal(), Signal(), Signal()
        waits, waits_fresh = Signal(), Signal()
        busy = []
        chosen = {name: Signal(name=f"choose_{name}") for name in ("clear", "dump", "own", "below")}
        row, add = Signal(table.row_bits, reset_less=True), Signal()
        with m.If(turn):
            m.d.sync += [add.eq(0), sums.first.eq(0), sums.dump.eq(0)]
        for name, count, first, arrival in (("own", self.own_rows, 0, self.own),
                                            ("below", self.below_rows, self.own_rows, self.below)):
            if not count:
                continue
            queue = self._queue(m, f"{name}_queue", arrival, count)
            # before the first tick there are no spikes of a last one
            left = Signal(range(count + 1), name=f"{name}_left", init=0 if name == "own" else count)
            wanted, at = Signal(name=f"{name}_wanted", init=name != "own"), Signal(table.row_bits, name=f"{name}_at",
                                                                                               init=first)
            busy.append(wanted)
            other = chosen["clear"] | (chosen["own"] if name == "below" else 0)
            allowed = opened if name == "below" else 1
            m.d.comb += [chosen[name].eq(turn & wanted & queue.r_rdy & allowed & ~other), queue.r_en.eq(chosen[name])]
            with m.If(chosen[name]):
                m.d.sync += [row.eq(at), add.eq(queue.r_data & (~drop if name == "own" else 1)), at.eq(at + 1),
                             left.eq(left - 1), wanted.eq(left != 1)]
            with m.If(chosen["dump"]):
                m.d.sync += [left.eq(count), wanted.eq(1), at.eq(first)]
        m.d.comb += [sums.row.eq(row), sums.add.eq(add), chosen["clear"].eq(turn & clear),
                     chosen["dump"].eq(turn & ~clear & opened & ready & ~Cat(busy).any())]
        with m.If(chosen["clear"]):
            m.d.sync += [sums.first.eq(1), clear.eq(0)]
        with m.If(self.told):
            m.d.sync += [waits.eq(1), waits_fresh.eq(self.fresh)]
        with m.If(waits & ~opened):
            m.d.sync += [waits.eq(self.told), opened.eq(1), fresh.eq(waits_fresh), drop.eq(waits_fresh),
                         clear.eq(clear | waits_fresh)]
        with m.If(chosen["dump"]):
            m.d.sync += [sums.dump.eq(1), opened.eq(0), drop.eq(0), self.is_fresh.eq(fresh)]

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
        early = self.sums.ASKED - Bank.LATENCY - 1
        m.d.comb += store.read_addr.eq(later(m, self.sums.asked, early, name="product_asked"))
        found = later(m, store.read_data, 1, name="product_read")
        return [found.word_select(n, bits).as_signed() for n in range(2)], ready

    def _round(self, m, products):
        layer, sums = self.layer, self.sums
        shift, state = layer.sum_shift, layer.state
        up = layer.sum_frac - layer.spike_weight.frac_bits
        constant = 1 << shift >> 1 if shift > 0 else 0
        if products is not None:
            constant -= self.excess << layer.sum_frac - layer.product_frac
        for n in range(2):
            value = (sums.sums[n] << up) + constant
            if products is not None:
                value += products[n] << layer.sum_frac - layer.product_frac
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
