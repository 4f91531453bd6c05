"""Tops: a network behind a bus, and the same behind a serial line."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden.image import parameter_words
from golden.rate.network import Network
from golden.spiking.network import SpikingNetwork
from rtl.host.bus import BusSignature
from rtl.host.control import Control
from rtl.host.link import HostLink
from rtl.host.uart import UartRx, UartTx
from rtl.rate.core import NetworkCore
from rtl.rate.schedule import cycles_per_tick
from rtl.spiking.core import SpikingCore


class NetworkTop(wiring.Component):
    """NetworkCore and Control: everything that does not depend on how the host is reached.

    Members: bus, as slave (golden.regmap); busy, a tick is under way.
    """

    def __init__(self, net: Network, *, vendor: str = "generic", **members):
        self.net, self.vendor = net, vendor
        super().__init__(members | {"bus": In(BusSignature()), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = self._make_core()
        layouts = {"i": core.i.payload.shape(), "o": core.o.payload.shape()}
        m.submodules.control = control = Control(self.net, **layouts, constants={
            "parameter_words": parameter_words(self.net), "cycles_per_tick": core.period,
            "output_ticks": core.output_ticks,
            **({"learn_cycles": cycles_per_tick(self.net, learning=True)} if self.net.teacher else {})},
            here=self._here(), in_place=isinstance(self.net, SpikingNetwork))
        connect(m, flipped(self.bus), control.bus)
        connect(m, control.i, core.i)
        connect(m, core.o, control.o)
        connect(m, control.params, core.params)
        m.d.comb += [self.busy.eq(core.busy), core.want_half.eq(control.want_half), control.half.eq(core.half),
                     control.tick.eq(core.tick), control.busy.eq(core.busy), control.stall.eq(core.stall),
                     control.lost.eq(core.lost)]
        if self.net.teacher is not None:
            m.d.comb += [core.learning.eq(control.learning), core.halve.eq(control.halve),
                         core.probe.eq(control.probe), core.probe_bank.eq(control.probe_bank),
                         core.probe_addr.eq(control.probe_addr), control.probe_valid.eq(core.probe_valid),
                         control.probe_data.eq(core.probe_data), control.moved.eq(core.moved),
                         control.running.eq(core.running),
                         control.overflow.eq(core.overflow)]
        return m

    def _make_core(self):
        kind = SpikingCore if isinstance(self.net, SpikingNetwork) else NetworkCore
        return kind(self.net, vendor=self.vendor)

    def _here(self) -> frozenset[int] | None:
        """Banks that learn on this board, None for all."""
        return None


class SerialTop(wiring.Component):
    """NetworkTop at the end of a serial line (firmware/protocol.py), 8N1.

    Parameters: net; divisor, clock cycles a bit; vendor form; idle_cycles and ack_cycles of rtl.host.link.HostLink, by
    default the time of 64 and of 16 bytes on the line.
    Members: rx, tx, the line; busy, a tick is under way (for a light).
    """

    def __init__(self, net: Network, *, divisor: int, vendor: str = "generic", idle_cycles: int | None = None,
                 ack_cycles: int | None = None):
        self.net, self.divisor, self.vendor = net, divisor, vendor
        byte = 10 * divisor
        self.idle_cycles = 64 * byte if idle_cycles is None else idle_cycles
        # a tick may be waited for
        patience = SpikingCore.longest_wait(net) if isinstance(net, SpikingNetwork) else \
            3 * cycles_per_tick(net, learning=net.teacher is not None)
        self.ack_cycles = 16 * byte + patience if ack_cycles is None else ack_cycles
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.top = top = NetworkTop(self.net, vendor=self.vendor)
        m.submodules.link = link = HostLink(idle_cycles=self.idle_cycles, ack_cycles=self.ack_cycles,
                                              vendor=self.vendor)
        m.submodules.rx, m.submodules.tx = rx, tx = UartRx(self.divisor), UartTx(self.divisor)
        m.d.comb += [rx.rx.eq(self.rx), self.tx.eq(tx.tx), rx.o.ready.eq(1), self.busy.eq(top.busy),
                     link.i.valid.eq(rx.o.valid), link.i.payload.eq(rx.o.payload)]
        connect(m, link.o, tx.i)
        connect(m, link.bus, top.bus)
        return m
