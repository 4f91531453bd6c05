"""Tops: a network behind a bus, and the same behind a serial line."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from golden.image import parameter_words
from golden.network import Network
from rtl.bus import BusSignature
from rtl.control import Control
from rtl.network import NetworkCore


class NetworkTop(wiring.Component):
    """NetworkCore and Control: everything that does not depend on how the host is reached.

    Members: bus, as slave (golden.regmap).
    """

    def __init__(self, net: Network, *, vendor: str = "generic"):
        self.net, self.vendor = net, vendor
        super().__init__({"bus": In(BusSignature())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = NetworkCore(self.net, vendor=self.vendor)
        m.submodules.control = control = Control(self.net, constants={
            "parameter_words": parameter_words(self.net), "cycles_per_tick": core.period,
            "output_ticks": core.output_ticks})
        connect(m, flipped(self.bus), control.bus)
        connect(m, control.i, core.i)
        connect(m, core.o, control.o)
        connect(m, control.params, core.params)
        m.d.comb += [core.want_half.eq(control.want_half), control.half.eq(core.half),
                     control.tick.eq(core.tick), control.busy.eq(core.busy), control.stall.eq(core.stall)]
        return m
