"""A liquid-time-constant network as a circuit: its layers as engines that all work at once, each a tick behind.

x --> [input vector] --> SpikingLayer 0 --spikes--> SpikingLayer 1 --> ... --> ReadoutLayer --> [queue] --> y
start, fresh ------^     | a tick later ------^
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.ltc.layout import bank_starts
from rtl.fixed import shape
from rtl.host.core import CoreInfo
from rtl.ltc.former import table_of
from rtl.ltc.gates import lane_rows
from rtl.ltc.layer import ReadoutLayer, SpikingLayer
from rtl.ltc.schedule import HOPS, latency, pause, plan
from rtl.ltc.sums import SpikeSums
from rtl.pipeline import ParameterBus, join, later
from rtl.primitives import bank
from rtl.units.mac import MacLanes


def input_layout(net) -> data.StructLayout:
    """A word of the input vector; `first` marks the first word of a sequence."""
    return data.StructLayout({"x": shape(net.layers[0].operand), "first": unsigned(1)})


def output_layout(net) -> data.StructLayout:
    """A word of the output vector; `last` marks the last of a tick."""
    return data.StructLayout({"y": shape(net.readout.state), "last": unsigned(1)})


def output_ticks(net) -> int:
    """Ticks whose outputs wait until they are read: no fewer than are under way, or they would stall one another."""
    under_way = -(-latency(net) // plan(net)[0]) + 1
    return max(4, 64 // net.outputs, under_way)


def tables(net) -> list:
    """The table of spike rows of each layer, the readout last."""
    return [table_of(layer, slots=slots, halves=net.halves)
            for layer, slots in zip(net.layers, plan(net)[1], strict=True)]


def settle_cycles(net) -> int:
    """Words hop from lane to lane, from layer to layer, and along the spike rows."""
    return sum(layer.lanes + 2 for layer in net.layers) + max(SpikeSums.settle(table) for table in tables(net)) + 4


def drain_cycles(net) -> int:
    """Cycles after which nothing is left in lanes and adders of what was under way at a reset."""
    lanes = max(lane_rows(layer, 1).lanes + MacLanes.latency(lane_rows(layer, 1)) for layer in net.layers)
    adders = max(table.units * table.slots + SpikeSums.latency(table) for table in tables(net))
    return lanes + adders + 8


class LtcCore(wiring.Component):
    """All of a network; an input vector a tick, an output vector a tick.

    A tick starts when its input vector is complete, the output queue has room and the last tick is `cycles_per_tick`
    old. Nothing stalls inside.

    The first tick behind a reset or behind a new image begins a sequence, with a mark or without.

    Parameters: net; vendor form. Members as rtl.host.core says; lost is never set.
    """

    def __init__(self, net, *, vendor: str = "generic"):
        self.net, self.vendor = net, vendor
        self.period, slots = plan(net)
        banks = bank_starts(net)
        self.engines = [SpikingLayer(layer, slots=slots[n], halves=net.halves, first_bank=banks[n],
                                     pause=pause(layer, slots[n]), vendor=vendor)
                        for n, layer in enumerate(net.hidden)]
        self.readout = ReadoutLayer(net.readout, slots=slots[-1], halves=net.halves, first_bank=banks[-2],
                                    vendor=vendor)
        self.output_ticks = output_ticks(net)
        self.info = CoreInfo(
            constants={"cycles_per_tick": self.period, "output_ticks": self.output_ticks}, halves=net.halves,
            settle=settle_cycles(net), patience=3 * self.period + latency(net) + drain_cycles(net))
        super().__init__({
            "i": In(stream.Signature(input_layout(net))), "o": Out(stream.Signature(output_layout(net))),
            "params": In(ParameterBus()), "want_half": In(1), "half": Out(1), "tick": Out(1), "stall": Out(1),
            "busy": Out(1), "lost": Out(2 * len(net.layers))})

    def elaborate(self, platform):
        m = Module()
        go, live = Signal(), Signal()
        drain = Signal(range(drain_cycles(self.net)), init=drain_cycles(self.net) - 1)
        m.d.sync += live.eq(drain == 0)
        with m.If(drain != 0):
            m.d.sync += drain.eq(drain - 1)
        complete, first = self._input_vector(m, go)
        anew = Signal(init=1)
        room, under_way = self._output_queue(m, go)
        wait, due = Signal(range(self.period)), Signal(init=1)      # due: wait is 0
        ready = complete & live & self._half(m, go, under_way, anew)
        m.d.comb += [go.eq(ready & room & due), self.stall.eq(due & ready & ~room)]
        m.d.sync += [wait.eq(Mux(go, self.period - 1, Mux(due, 0, wait - 1))), due.eq((wait <= 1) & ~go),
                     self.tick.eq(go), self.busy.eq(under_way | go)]
        fresh = Signal()
        with m.If(go):
            m.d.sync += fresh.eq(first | anew)
        self._layers(m, fresh, live)
        return m

    def _half(self, m, go, under_way, anew):
        """The half in force; whether a tick may start: not while another one is wanted.

        anew: the next tick begins a sequence, whatever its input says, since rows of spikes that are added already are
        those of the image before.
        """
        # outlives a reset, as the parameters do
        half, same = Signal(reset_less=True), Signal(init=1, name="same_half")
        m.d.comb += self.half.eq(half)
        m.d.sync += same.eq(half == self.want_half)
        with m.If(go):
            m.d.sync += anew.eq(0)
        with m.If(~under_way & ~go & ~same):
            m.d.sync += [half.eq(self.want_half), anew.eq(1)]
        return same

    def _input_vector(self, m, go):
        """Two vectors, one that fills and one that the first layer walks; whether one is complete, and fresh."""
        net, i, layer = self.net, self.i, self.engines[0]
        bits = len(layer.input_index)
        m.submodules.vectors = store = bank(self.vendor, depth=2 << bits, width=net.layers[0].operand.width)
        index, side, complete, first = Signal(range(max(2, net.inputs))), Signal(), Signal(), Signal()
        taken = Signal()
        end = index == net.inputs - 1
        m.d.comb += [taken.eq(i.valid & i.ready), i.ready.eq(~complete), layer.input.eq(store.read_data.as_signed()),
                     store.read_addr.eq(Cat(layer.input_index, ~side))]
        m.d.comb += [store.write_en.eq(later(m, taken, HOPS, name="taken", reset_less=False)),
                     store.write_addr.eq(later(m, Cat(index[:bits], side), HOPS, name="taken_at")),
                     store.write_data.eq(later(m, i.p.x, HOPS, name="taken_word"))]
        with m.If(go):
            m.d.sync += [complete.eq(0), first.eq(0), side.eq(~side)]
        with m.If(taken):
            m.d.sync += [index.eq(Mux(end, 0, index + 1)), complete.eq(end), first.eq(first | i.p.first)]
        return complete, first

    def _output_queue(self, m, go):
        """Whether there is room for the outputs of one more tick; whether those of one are still to come."""
        size, layout, unit = self.net.outputs, output_layout(self.net), self.readout
        m.submodules.outputs = queue = fifo.SyncFIFOBuffered(width=layout.size, depth=self.output_ticks * size)
        word, index = Signal(layout), Signal(range(max(2, size)))
        room = Signal(range(self.output_ticks + 1), init=self.output_ticks)
        left = Signal(range(self.output_ticks + 1))
        valid = later(m, unit.valid, HOPS + 1, name="y_valid", reset_less=False)
        taken, done = self.o.valid & self.o.ready & self.o.p.last, valid & word.last
        m.d.comb += [queue.w_en.eq(valid), queue.w_data.eq(word), self.o.valid.eq(queue.r_rdy),
                     self.o.payload.eq(queue.r_data), queue.r_en.eq(self.o.ready & self.o.valid),
                     word.y.eq(later(m, unit.y, HOPS + 1, name="y")), word.last.eq(index == size - 1)]
        m.d.sync += [room.eq(room + taken - go), left.eq(left + go - done)]
        with m.If(valid):
            m.d.sync += index.eq(Mux(word.last, 0, index + 1))
        has_room, under_way = Signal(init=1), Signal()
        # a cycle late: from tick to tick there are many
        m.d.sync += [has_room.eq(room != 0), under_way.eq(left != 0)]
        return has_room, under_way | (left != 0)

    def _layers(self, m, fresh, live):
        """Each layer begins a tick when the layer below has begun the next one, or could have."""
        params, below = self.params, None
        half = later(m, self.half, HOPS, name="half_in_force")
        live = later(m, live, HOPS, name="live", reset_less=False)
        start, fresh = self._far(m, "start", self.tick), self._far(m, "fresh", fresh)
        told, told_fresh = start, fresh
        for n, unit in enumerate((*self.engines, self.readout)):
            m.submodules["readout" if unit is self.readout else f"layer{n}"] = unit
            join(m, unit.params, params)
            params = unit.params_out
            m.d.comb += [unit.told.eq(told), unit.told_fresh.eq(told_fresh), unit.live.eq(live), unit.half.eq(half)]
            if below is not None:
                m.d.comb += [unit.below.valid.eq(self._far(m, f"valid{n}", below.o.valid)),
                             unit.below.spike.eq(self._far(m, f"spike{n}", below.o.spike))]
            below = unit
            if unit is self.readout:
                break
            m.d.comb += [unit.start.eq(start), unit.fresh.eq(fresh)]
            told, told_fresh = self._far(m, f"told{n}", start), self._far(m, f"told_fresh{n}", fresh)
            start, fresh = self._a_tick_later(m, n, start, fresh)

    @staticmethod
    def _far(m, name: str, value):
        """What goes from one end of a die to the other."""
        return later(m, value, HOPS, name=name, reset_less=False)

    def _a_tick_later(self, m, n: int, start, fresh):
        """`start` and `fresh`, `period` cycles later: no two are closer to each other."""
        left, then = Signal(range(self.period), name=f"left{n}"), Signal(name=f"start{n + 1}")
        kept, now = Signal(name=f"kept_fresh{n}"), Signal(name=f"fresh{n + 1}")
        ends = left == 1
        m.d.sync += then.eq(ends)
        with m.If(ends):
            m.d.sync += now.eq(kept)
        with m.If(start):
            m.d.sync += [left.eq(self.period - 1 - HOPS), kept.eq(fresh)]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return self._far(m, f"start_far{n}", then), self._far(m, f"fresh_far{n}", now)
