"""Answers that wait until they are read: a queue in block RAM, of which only registers face the outside."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.pipeline import later
from rtl.primitives import Bank, bank

#: words that have left the block RAM
QUEUE = 6


class AnswerQueue(wiring.Component):
    """A queue of `depth` words of a shape; a word can be read a few cycles after it has come.

    Parameters: shape; depth, 3 or more; vendor. Members: i, o.
    """

    def __init__(self, shape, *, depth: int, vendor: str):
        self.shape, self.depth, self.vendor = shape, depth, vendor
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        i, o, depth = self.i, self.o, self.depth
        width = len(i.payload.as_value())
        m.submodules.store = store = bank(self.vendor, depth=depth, width=width)
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=width, depth=QUEUE)
        free, there = Signal(range(depth + 1), init=depth), Signal(range(depth + 1))
        room = Signal(range(QUEUE + 1), init=QUEUE)
        put, get, left = Signal(), Signal(), Signal()
        m.d.comb += [put.eq(i.valid & i.ready), get.eq((there != 0) & (room != 0)),
                     store.write_en.eq(put), store.write_data.eq(i.payload),
                     queue.w_en.eq(later(m, get, Bank.LATENCY, name="got", reset_less=False)),
                     queue.w_data.eq(store.read_data), o.valid.eq(queue.r_rdy), o.payload.eq(queue.r_data),
                     queue.r_en.eq(o.ready)]
        # of two places one may be taken in this very cycle; who reads is far away: its places are free a cycle later
        m.d.sync += [left.eq(o.valid & o.ready), i.ready.eq(free > 1), free.eq(free - put + left),
                     there.eq(there + put - get), room.eq(room - get + left)]
        for address, step in ((store.write_addr, put), (store.read_addr, get)):
            at = Signal(range(depth))
            m.d.comb += address.eq(at)
            with m.If(step):
                m.d.sync += at.eq(Mux(at == depth - 1, 0, at + 1))
        return m
