"""What a layer that learns adds to the walk of its lanes: the second pass, and the eps that the lanes take for it."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.rate.layer import Dense
from golden.units.dense import dense_rows
from rtl.fixed import shape
from rtl.pipeline import later
from rtl.primitives import Bank, bank
from rtl.rate.rows import row_bits
from rtl.units.mac import bank_bits
from rtl.units.plastic_lanes import PlasticLanes


class SecondPass(wiring.Component):
    """The walk of pass 2: two cycles a weight. The next tick may start in the last of them.

    Parameters: layer; begin, the cycle of its first address, cycle 0 follows `start`.
    Members
      start, half     a tick with errors begins; the half in force
      learn           weights keep their steps, while the pass runs
      active, addr    the pass runs: the lanes read `addr`, and `bias` or `index` says which operand they take
      back, update, write, swap   as of PlasticLanes
    """

    def __init__(self, layer: Dense, begin: int, *, index_bits: int):
        self.layer, self.begin = layer, begin
        super().__init__({
            "start": In(1), "half": In(1), "learn": In(1), "active": Out(1), "bias": Out(1), "index": Out(index_bits),
            "addr": Out(bank_bits(dense_rows(layer)) + 1), "back": Out(1), "update": Out(1),
            "write": Out(1), "swap": Out(1)})

    def elaborate(self, platform):
        m = Module()
        layer, words = self.layer, dense_rows(self.layer).depth
        wait, active, odd = Signal(range(self.begin + 2)), Signal(name="running"), Signal()
        position = Signal(range(layer.inputs + 1), reset_less=True)
        index = Signal(len(self.index), reset_less=True, name="operand_index")     # position - 1, where there is one
        address, in_force = Signal(len(self.addr) - 1, reset_less=True), Signal(reset_less=True, name="in_force")
        with m.If(self.start):
            m.d.sync += [wait.eq(self.begin), position.eq(0), address.eq(0), odd.eq(0), active.eq(0),
                         in_force.eq(self.half)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
            with m.If(wait == 1):
                m.d.sync += active.eq(1)
        with m.Elif(active):
            m.d.sync += odd.eq(~odd)
            with m.If(odd):
                m.d.sync += [active.eq(address != words - 1), address.eq(address + 1),
                             position.eq(Mux(position == layer.inputs, 0, position + 1)), index.eq(position)]
        first = position == 0
        m.d.comb += [
            self.active.eq(active), self.bias.eq(first), self.index.eq(index),
            self.addr.eq(Cat(address, in_force)), self.back.eq(active & ~odd), self.update.eq(active & odd),
            self.write.eq(self.update & self.learn & (layer.plastic.bias | ~first)), self.swap.eq(self.back & first)]
        return m


class EpsBank(wiring.Component):
    """The eps of a tick by neuron.

    Members: i, as they come, in order; read_addr; read_data, Bank.LATENCY cycles later.
    """

    def __init__(self, layer: Dense, *, vendor: str = "generic"):
        self.layer, self.vendor = layer, vendor
        eps = shape(layer.plastic.error)
        super().__init__({"i": In(stream.Signature(eps, always_ready=True)), "read_addr": In(row_bits(layer)),
                          "read_data": Out(eps)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.store = store = bank(self.vendor, depth=1 << row_bits(self.layer),
                                          width=self.layer.plastic.error.width)
        write = Signal(row_bits(self.layer))
        with m.If(self.i.valid):
            m.d.sync += write.eq(Mux(write == self.layer.outputs - 1, 0, write + 1))
        m.d.comb += [store.write_en.eq(self.i.valid), store.write_addr.eq(write), store.write_data.eq(self.i.payload),
                     store.read_addr.eq(self.read_addr), self.read_data.eq(store.read_data)]
        return m


class EpsLoad(wiring.Component):
    """Sends the eps of a fold to the lanes: the first as soon as they come, others while the fold before works.

    Members
      i                     eps of the tick, in order
      start, swap           a tick with errors begins; a fold does, and the eps of the next can be sent, if there is one
      valid, lane, eps      to PlasticLanes.load_*; the first Bank.LATENCY + 2 cycles after the first eps
    """

    def __init__(self, layer: Dense, *, vendor: str = "generic"):
        self.layer, self.vendor = layer, vendor
        eps = shape(layer.plastic.error)
        super().__init__({"i": In(stream.Signature(eps, always_ready=True)), "start": In(1), "swap": In(1),
                          "valid": Out(1), "lane": Out(range(max(2, layer.lanes))), "eps": Out(eps)})

    def elaborate(self, platform):
        m = Module()
        layer = self.layer
        m.submodules.bank = store = EpsBank(layer, vendor=self.vendor)
        wiring.connect(m, wiring.flipped(self.i), store.i)
        active, waiting, behind = Signal(), Signal(), Signal()
        lane, row = Signal.like(self.lane, name="sent"), Signal(range(layer.folds * layer.lanes + 1))
        last = lane == layer.lanes - 1
        # the first fold may begin while its own eps are under way to far lanes
        wanted, free = self.swap | behind, ~active | last
        m.d.sync += behind.eq(wanted & ~free)
        with m.If(active):
            m.d.sync += [lane.eq(lane + 1), row.eq(row + 1)]
        with m.If(waiting & self.i.valid | wanted & free):
            m.d.sync += [active.eq(1), lane.eq(0)]
        with m.Elif(last):
            m.d.sync += active.eq(0)
        with m.If(self.start):
            m.d.sync += [waiting.eq(1), row.eq(0)]
        with m.Elif(self.i.valid):
            m.d.sync += waiting.eq(0)
        m.d.comb += store.read_addr.eq(row)
        # rows that the last fold does not have send nothing down
        there, number, exists = (later(m, value, Bank.LATENCY, name=name) for value, name in (
            (active, "there"), (lane, "number"), (row < layer.outputs, "exists")))
        m.d.sync += [self.valid.eq(there), self.lane.eq(number), self.eps.eq(Mux(exists, store.read_data, 0))]
        return m


def scaled(m, operand, second: SecondPass, *, halve, most: int):
    """Presynaptic words for the lanes, for the update as many bits longer as the rate is not halved.

    operand is for the second of two cycles what it was for the first; halve may be the next tick's behind the last
    update; most: `halvings`.
    """
    up, longer = Signal(range(most + 1)), Signal(len(operand) + most, name="scaled", reset_less=True)
    with m.If(second.swap):
        m.d.sync += up.eq(Mux(halve > most, 0, most - halve))
    m.d.sync += longer.eq(operand << up)
    now = later(m, second.update, PlasticLanes.OPERAND_OFFSET, name="scale")
    return Mux(now, longer.as_signed(), operand)
