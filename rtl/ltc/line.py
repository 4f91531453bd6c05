"""SpikeLine: neurons that are through wait in order until their rows are added; their spikes lie in LUT RAM."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

#: a neuron is through in the next cycle: `spike`, which comes then, says whether it has spiked
ARRIVAL = data.StructLayout({"valid": 1, "spike": 1})


class SpikeLine(wiring.Component):
    """The rows of one source of spikes, of `count` neurons.

    Parameters: count; is_there, whether all neurons have rows to be added before the first tick.
    Members
      i            neurons in order, those of a tick and up to as many of the next one
      reload       all rows are wanted again, from the first on
      wanted       some rows are still to be added in this tick; ready: the next of them can be
      take         it is; a cycle later, until the next one is taken: `row`, its number, and `spike`
    """

    def __init__(self, count: int, *, is_there: bool):
        self.count, self.is_there = count, is_there
        self.bits = max(1, (count - 1).bit_length())
        super().__init__({"i": In(ARRIVAL), "reload": In(1), "wanted": Out(1, init=int(is_there)), "ready": Out(1),
                          "take": In(1), "row": Out(self.bits), "spike": Out(1)})

    def elaborate(self, platform):
        m = Module()
        last = self.count - 1
        m.submodules.spikes = store = memory.Memory(shape=1, depth=2 << self.bits, init=[])
        write, read = store.write_port(), store.read_port(domain="comb")
        into, at = (Signal(self.bits, name=name) for name in ("into", "at"))
        into_side, at_side = Signal(), Signal()
        waiting, waits, comes = Signal(range(2 * self.count + 1)), Signal(), Signal()
        m.d.comb += [write.en.eq(comes), write.data.eq(self.i.spike), write.addr.eq(Cat(into, into_side)),
                     read.addr.eq(Cat(at, at_side)), self.ready.eq(self.wanted & waits)]
        m.d.sync += [comes.eq(self.i.valid), waiting.eq(waiting + comes - self.take),
                     # what is written now can be read in the next cycle
                     waits.eq(comes | (waiting > 1) | (waits & ~self.take))]
        for each, index, side in ((comes, into, into_side), (self.take, at, at_side)):
            with m.If(each):
                m.d.sync += [index.eq(Mux(index == last, 0, index + 1)), side.eq(side ^ (index == last))]
        with m.If(self.take):
            m.d.sync += [self.row.eq(at), self.spike.eq(read.data), self.wanted.eq(at != last)]
        with m.If(self.reload):
            m.d.sync += self.wanted.eq(1)
        return m
