"""Words of bits to the numbers of those that are set, one a cycle; and the queue in which words wait for that."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.event.layouts import bits


def waiting(m, *, width: int, depth: int):
    """A short queue, in LUT RAM where there is some."""
    m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=width, depth=depth)
    return queue


class Finder(wiring.Component):
    """A word in, the numbers of its bits out, the lowest first; words without bits are not given to it.

    Latency 1; the next word follows without a gap.

    Parameters: size of a word; tag, shape of what goes with it.
    Members: i (bits, tag); o (index, tag); idle, nothing is in it.
    """

    def __init__(self, size: int, tag):
        self.size = size
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"bits": unsigned(size), "tag": tag}))),
            "o": Out(stream.Signature(data.StructLayout({"index": unsigned(bits(size)), "tag": tag}))), "idle": Out(1)})

    def elaborate(self, platform):
        m = Module()
        i, o = self.i, self.o
        left, valid, rest = Signal(self.size, reset_less=True), Signal(), Signal(self.size)
        tag = Signal.like(i.p.tag, reset_less=True)
        m.d.comb += [rest.eq(left & (left - 1)), o.valid.eq(valid), o.p.tag.eq(tag), self.idle.eq(~valid),
                     i.ready.eq(~valid | (o.ready & (rest == 0)))]
        for n in reversed(range(self.size)):
            with m.If(left[n]):
                m.d.comb += o.p.index.eq(n)
        with m.If(i.ready):
            m.d.sync += [valid.eq(i.valid), left.eq(i.p.bits), tag.eq(i.p.tag)]
        with m.Elif(o.ready):
            m.d.sync += left.eq(rest)
        return m
