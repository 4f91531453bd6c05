"""Tops: a network behind a bus, and the same behind a serial line."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden.description import Description
from rtl.host.bus import BusSignature
from rtl.host.control import Control
from rtl.host.link import HostLink
from rtl.host.uart import UartRx, UartTx
from rtl.systems import circuit


class NetworkTop(wiring.Component):
    """A core and Control: everything that does not depend on how the host is reached.

    Parameters: net; core, that of its kind by default; vendor form of that.
    Members: bus, as slave (golden.regmap); busy, a tick is under way.
    """

    def __init__(self, net: Description, *, core=None, vendor: str = "generic", **members):
        self.net = net
        self.core = circuit(net).core(net, vendor=vendor) if core is None else core
        super().__init__(members | {"bus": In(BusSignature()), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = self.core
        layouts = {"i": core.i.payload.shape(), "o": core.o.payload.shape()}
        m.submodules.control = control = Control(self.net, core.info, **layouts)
        connect(m, flipped(self.bus), control.bus)
        connect(m, control.i, core.i)
        connect(m, core.o, control.o)
        connect(m, control.params, core.params)
        told, said = ("want_half",), ("half", "tick", "busy", "stall", "lost")
        if core.info.learns:
            told += ("learning", "halve", "probe", "probe_bank", "probe_addr")
            said += ("probe_valid", "probe_data", "moved", "running", "overflow")
        m.d.comb += [self.busy.eq(core.busy),
                     *(getattr(core, name).eq(getattr(control, name)) for name in told),
                     *(getattr(control, name).eq(getattr(core, name)) for name in said)]
        return m


class SerialTop(wiring.Component):
    """NetworkTop at the end of a serial line (firmware/protocol.py), 8N1.

    Parameters: net; divisor, clock cycles a bit; vendor form; idle_cycles and ack_cycles of rtl.host.link.HostLink, by
    default the time of 64 and of 16 bytes on the line.
    Members: rx, tx, the line; busy, a tick is under way (for a light).
    """

    def __init__(self, net: Description, *, divisor: int, vendor: str = "generic", idle_cycles: int | None = None,
                 ack_cycles: int | None = None):
        self.net, self.divisor, self.vendor = net, divisor, vendor
        byte = 10 * divisor
        self.idle_cycles = 64 * byte if idle_cycles is None else idle_cycles
        self.top = NetworkTop(net, vendor=vendor)
        # a tick may be waited for
        self.ack_cycles = 16 * byte + self.top.core.info.patience if ack_cycles is None else ack_cycles
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.top = top = self.top
        m.submodules.link = link = HostLink(idle_cycles=self.idle_cycles, ack_cycles=self.ack_cycles,
                                              vendor=self.vendor)
        m.submodules.rx, m.submodules.tx = rx, tx = UartRx(self.divisor), UartTx(self.divisor)
        m.d.comb += [rx.rx.eq(self.rx), self.tx.eq(tx.tx), rx.o.ready.eq(1), self.busy.eq(top.busy),
                     link.i.valid.eq(rx.o.valid), link.i.payload.eq(rx.o.payload)]
        connect(m, link.o, tx.i)
        connect(m, link.bus, top.bus)
        return m
