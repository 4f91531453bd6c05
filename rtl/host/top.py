"""Tops: a network behind a bus, and the same behind a serial line."""

from typing import NamedTuple

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden.description import Description
from golden.flash import Boot
from golden.image import parameter_words
from golden.keeper import Slots
from rtl.host.bus import BusSignature
from rtl.host.control import Control
from rtl.host.flash import FlashReader
from rtl.host.gate import Gate
from rtl.host.keeper import Keeper
from rtl.host.link import HostLink
from rtl.host.mender import Mender
from rtl.host.player import FramePlayer
from rtl.host.rom import FrameRom
from rtl.host.scrub import scrub_members
from rtl.host.uart import UartRx, UartTx
from rtl.systems import core_of

#: cycles by which a read of a word that learns may take longer than a core's patience, at most
PROBE = 32
#: members of Control that a top has where it scrubs; the last two are inputs
SCRUBBING = ("flipped", "differs", "crc", "committed", "pause", "mended")


class NetworkTop(wiring.Component):
    """A core and Control: everything that does not depend on how the host is reached.

    Parameters: net; core, that of its kind by default; vendor form of that; boots, whether frames are played to it at
    power-up; scrubs, whether its parameters are held against their checksum (rtl.host.scrub).
    Members: bus, as slave (golden.regmap); busy, a tick is under way; with `boots` and with `scrubs` those of Control.
    """

    def __init__(self, net: Description, *, core=None, vendor: str = "generic", boots: bool = False,
                 scrubs: bool = False, **members):
        self.net, self.boots = net, boots
        if boots:
            members |= {"boot": In(Boot), "errors": Out(1)}
        self.core = core_of(net, vendor=vendor, scrubs=scrubs) if core is None else core
        if self.core.info.scrubs:
            members |= {name: scrub_members()[name] for name in SCRUBBING}
        super().__init__(members | {"bus": In(BusSignature()), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = self.core
        layouts = {"i": core.i.payload.shape(), "o": core.o.payload.shape()}
        m.submodules.control = control = Control(self.net, core.info, boots=self.boots, **layouts)
        if self.boots:
            m.d.comb += [control.boot.eq(self.boot), self.errors.eq(control.errors)]
        connect(m, flipped(self.bus), control.bus)
        connect(m, control.i, core.i)
        connect(m, core.o, control.o)
        connect(m, control.params, core.params)
        told, said = ("want_half",), ("half", "tick", "busy", "stall", "lost")
        if core.info.learns:
            told += ("learning", "halve", "probe", "probe_bank", "probe_addr")
            said += ("probe_valid", "probe_data", "moved", "running", "overflow")
        if core.info.drain:
            told += ("hold",)
        if core.info.scrubs:
            told += ("read", "read_bank", "read_addr")
            said += ("read_valid", "read_data")
            m.d.comb += [getattr(self, name).eq(getattr(control, name)) for name in SCRUBBING[:-2]]
            m.d.comb += [getattr(control, name).eq(getattr(self, name)) for name in SCRUBBING[-2:]]
        m.d.comb += [self.busy.eq(core.busy),
                     *(getattr(core, name).eq(getattr(control, name)) for name in told),
                     *(getattr(control, name).eq(getattr(core, name)) for name in said)]
        return m


class Flash(NamedTuple):
    """A flash that frames are played from at power-up: see rtl.host.flash.FlashReader.

    slots: where what is learnt is kept (rtl.host.keeper.Keeper), None for a design that forgets it.
    """

    address: int
    half: int
    slots: Slots | None = None


class Rom(NamedTuple):
    """Frames in the bitstream, which are played at power-up as those of a flash are: see rtl.host.rom.FrameRom."""

    content: bytes
    slots: None = None


class SerialTop(wiring.Component):
    """NetworkTop at the end of a serial line (firmware/protocol.py), 8N1.

    Parameters: net; divisor, clock cycles a bit; vendor form; idle_cycles and ack_cycles of rtl.host.link.HostLink, by
    default the time of 64 and of 16 bytes on the line; flash, where frames are played from it at power-up, or from a
    Rom: bytes of the line are dropped until they came to their end, and responses to them go out on it; scrubs, whether
    parameters are held against their checksum, and with a flash put in force again from there where that has changed.
    Members: rx, tx, the line; busy, a tick is under way (for a light); with `scrubs` flipped, for another, until the
    register `scrub_flips` is written; with `flash` refused, for another light: it holds what is not for this device, or
    damaged; of a flash, not of a Rom, its pins cs (high: selected), clk, copi and cipo.
    """

    def __init__(self, net: Description, *, divisor: int, vendor: str = "generic", idle_cycles: int | None = None,
                 ack_cycles: int | None = None, flash: Flash | Rom | None = None, scrubs: bool = False):
        if isinstance(flash, Rom) and scrubs:
            raise ValueError("frames in the bitstream are played once: nothing is mended from there")
        if flash is not None and flash.slots is not None and net.teacher is None:
            raise ValueError(f"{net.name} has no teacher and no plastic layer: there is nothing to keep")
        self.net, self.divisor, self.vendor, self.flash, self.scrubs = net, divisor, vendor, flash, scrubs
        byte = 10 * divisor
        self.idle_cycles = 64 * byte if idle_cycles is None else idle_cycles
        self.top = NetworkTop(net, vendor=vendor, boots=flash is not None, scrubs=scrubs)
        info = self.top.core.info
        # a word that learns is read between two ticks
        access = Control.PARAMETER_ACCESS + (info.patience + PROBE if info.learns else 0)
        if ack_cycles is not None and ack_cycles < access:
            raise ValueError(f"ack_cycles must be at least {access}, which an access may take, not {ack_cycles}")
        # a tick may be waited for
        self.ack_cycles = 16 * byte + info.patience if ack_cycles is None else ack_cycles
        self._has_pins = isinstance(flash, Flash)
        pins = {} if not self._has_pins else {"cs": Out(1), "clk": Out(1), "copi": Out(1), "cipo": In(1)}
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "busy": Out(1)}
                         | {f"flash_{name}": pin for name, pin in pins.items()}
                         | ({"refused": Out(1)} if flash is not None else {}) | ({"flipped": Out(1)} if scrubs else {}))

    def elaborate(self, platform):
        m = Module()
        m.submodules.top = top = self.top
        m.submodules.link = link = HostLink(idle_cycles=self.idle_cycles, ack_cycles=self.ack_cycles,
                                              vendor=self.vendor)
        m.submodules.rx, m.submodules.tx = rx, tx = UartRx(self.divisor), UartTx(self.divisor)
        m.d.comb += [rx.rx.eq(self.rx), self.tx.eq(tx.tx), rx.o.ready.eq(1), self.busy.eq(top.busy)]
        given = rx.o if self.flash is None else self._played(m, link, rx.o)
        m.d.comb += [link.i.valid.eq(given.valid), link.i.payload.eq(given.payload)]
        connect(m, link.o, tx.i)
        if self.scrubs:
            m.d.comb += self.flipped.eq(top.flipped)
        if self.scrubs and self.flash is not None:
            self._mended(m, link)
        elif self.flash is None or self.flash.slots is None:
            connect(m, link.bus, top.bus)
        else:
            self._kept(m, link)
        return m

    def _played(self, m, link, line):
        """What the link is given: bytes of the flash, and those of the line when they came to their end."""
        top, pins = self.top, ("cs", "clk", "copi")
        flash = FlashReader(address=self.flash.address, half=self.flash.half) if self._has_pins else \
            FrameRom(self.flash.content)
        if self.scrubs:
            m.submodules.mender = mender = Mender(parameter_words(self.net))
            m.submodules.flash = ResetInserter(mender.restart)(flash)
        else:
            m.submodules.flash = flash
        m.submodules.player = player = FramePlayer(self.net.fingerprint)
        if self.scrubs:
            _shared(m, flash, player, mender)
        else:
            connect(m, flash.o, player.i)
        if self._has_pins:
            m.d.comb += flash.cipo.eq(self.flash_cipo)
            if self.flash.slots is None:
                m.d.comb += [getattr(self, f"flash_{name}").eq(getattr(flash, name)) for name in pins]
        wanted = player.active | mender.active if self.scrubs else player.active
        m.d.comb += [flash.start.eq(wanted), player.errors.eq(top.errors),
                     *(getattr(player, name).eq(getattr(link, name)) for name in ("framing", "answered", "status")),
                     top.boot.eq(player.state), self.refused.eq(player.state == Boot.REFUSED)]
        # a host that knew the device before its power went does not know the numbers of these frames
        played = Signal()
        m.d.sync += played.eq(player.active)
        m.d.comb += link.forget.eq(played & ~player.active)
        given = stream.Signature(8).create(path=("given",))
        m.d.comb += [given.valid.eq(Mux(player.active, player.o.valid, line.valid)),
                     given.payload.eq(Mux(player.active, player.o.payload, line.payload))]
        return given

    def _mended(self, m, link):
        """What mends shares the bus with the link."""
        top, player, mender = self.top, m.submodules.player, m.submodules.mender
        m.submodules.gate = gate = Gate(keeps=False)
        connect(m, link.bus, gate.host)
        connect(m, mender.bus, gate.own)
        connect(m, gate.bus, top.bus)
        # what was played was put in force, and a host has begun to load nothing else since
        played = Signal()
        with m.If(top.committed & player.active):
            m.d.sync += played.eq(1)
        m.d.comb += [gate.playing.eq(player.active), mender.start.eq(top.differs), mender.crc.eq(top.crc),
                     mender.allowed.eq(played & ~gate.another & ~player.active), top.pause.eq(mender.active),
                     top.mended.eq(top.committed & mender.active)]

    def _kept(self, m, link):
        """The processor shares the bus with the link, and has the flash when the frames came to their end."""
        top, player, reader = self.top, m.submodules.player, m.submodules.flash
        m.submodules.gate = gate = Gate()
        m.submodules.keeper = keeper = Keeper(readable=top.core.info.readable, image=self.flash.address,
                                              slots=self.flash.slots, half=self.flash.half)
        connect(m, link.bus, gate.host)
        connect(m, keeper.bus, gate.own)
        connect(m, gate.bus, top.bus)
        m.d.comb += [*(getattr(gate, name).eq(getattr(keeper, name)) for name in ("shut", "kept", "taken")),
                     *(getattr(keeper, name).eq(getattr(gate, name)) for name in ("asked", "another", "every")),
                     gate.playing.eq(player.active), keeper.boot.eq(player.state), keeper.cipo.eq(self.flash_cipo),
                     self.flash_cs.eq(Mux(player.active, reader.cs, keeper.select)),
                     self.flash_clk.eq(Mux(player.active, reader.clk, keeper.clk)),
                     self.flash_copi.eq(Mux(player.active, reader.copi, keeper.copi))]


def _shared(m, flash, player, mender) -> None:
    """Bytes of the flash for what plays it, or for what mends."""
    for each, mine in ((player, ~mender.active), (mender, mender.active)):
        m.d.comb += [each.i.valid.eq(flash.o.valid & mine), each.i.payload.eq(flash.o.payload)]
    m.d.comb += flash.o.ready.eq(Mux(mender.active, mender.i.ready, player.i.ready))
