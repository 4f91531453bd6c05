"""Pair: a network on two boards with a cable each way, as one circuit for a simulator."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.rate.network import Network
from rtl.host.bus import BusSignature
from rtl.host.cable import Cable
from rtl.rate.half import HalfTop, cut_ways, held_messages


class Pair(wiring.Component):
    """Two HalfTops and two Cables of one length.

    Parameters: net; cut, the first layer of the upper board; max_latency and cycles_per_word of the cables; vendor
    form.
    Members: lower, upper, the buses (golden.regmap); latency of both cables, while nothing is under way; overrun: a
    cable has lost a word, which cannot be.
    """

    def __init__(self, net: Network, *, cut: int = 1, max_latency: int = 0, cycles_per_word: int = 1,
                 vendor: str = "generic"):
        self.net, self.cut, self.vendor = net, cut, vendor
        self.max_latency, self.cycles_per_word = max_latency, cycles_per_word
        cut_ways(net, cut)
        super().__init__({"lower": In(BusSignature()), "upper": In(BusSignature()),
                          "latency": In(range(max_latency + 1)), "overrun": Out(1)})

    def elaborate(self, platform):
        m = Module()
        boards = {}
        for name, upper in (("lower", False), ("upper", True)):
            m.submodules[name] = boards[name] = board = HalfTop(self.net, cut=self.cut, upper=upper,
                                                                vendor=self.vendor)
            wiring.connect(m, wiring.flipped(getattr(self, name)), board.bus)
        overrun = []
        for way, sender, receiver in zip(cut_ways(self.net, self.cut), ("lower", "upper"), ("upper", "lower"),
                                         strict=True):
            m.submodules[f"from_{sender}"] = cable = Cable(
                width=way.fmt.width, depth=way.size * held_messages(self.net, self.cut),
                cycles_per_word=self.cycles_per_word, max_latency=self.max_latency)
            sent, received = boards[sender].o_far, boards[receiver].i_far
            m.d.comb += [cable.i.valid.eq(sent.valid), cable.i.payload.eq(sent.payload),
                         received.valid.eq(cable.o.valid), received.payload.eq(cable.o.payload),
                         cable.latency.eq(self.latency)]
            overrun.append(cable.overrun)
        m.d.comb += self.overrun.eq(overrun[0] | overrun[1])
        return m
