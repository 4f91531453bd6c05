"""Control: what answers on the bus. Registers, the image loader, and the words in and out of the network.

Address map: golden.regmap. An image is written into the half of every bank that is not in force, and put in force
between two ticks only when all its words came and their CRC-32 is right. A core may have one half only.
"""

from functools import reduce
from operator import or_
from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.description import Description
from golden.flash import Boot
from golden.image import bank_count, parameter_words
from golden.regmap import (
    AWAITED,
    BANK_SHIFT,
    BOOT_REGISTERS,
    ERRORS,
    FIRST_BIT,
    INPUT,
    KEEPER_REGISTERS,
    LEARN_BIT,
    MAGIC,
    MAX_HALVINGS,
    OUTPUT,
    REGISTERS,
    SCRUB_REGISTERS,
    TEACH_BIT,
    VERSION,
)
from rtl.host.bus import BusSignature
from rtl.host.core import CoreInfo
from rtl.host.image import loader, waits
from rtl.host.scrub import scrub, scrub_members
from rtl.pipeline import ADDR_BITS, BANK_BITS, WORD_BITS, ParameterBus, later

_COUNTERS = ("ticks", "busy_cycles", "stall_cycles")


def registers_of(*, boots: bool, scrubs: bool) -> dict:
    """Registers of designs that play frames at power-up, that scrub, or not; those of rtl.host.gate are not here."""
    absent = KEEPER_REGISTERS + (() if boots else BOOT_REGISTERS) + (() if scrubs else SCRUB_REGISTERS)
    return {name: register for name, register in REGISTERS.items() if name not in absent}


class Held(NamedTuple):
    """The access under way."""

    addr: Signal
    data: Signal
    write: Signal


class File(NamedTuple):
    """Registers by name: what they hold, what strobes a write; and what sets an error's flag."""

    values: dict
    writes: dict
    flags: dict


class Decoded(NamedTuple):
    """Of the register addressed: what it holds; whether it is there, and has to wait; to be set for a write."""

    value: Signal
    exists: Signal
    early: Signal
    strobe: Signal


def _awaited_state(m, held, bus, o, busy):
    """A read waits for an output word; a write throws them away until the network rests."""
    with m.State("awaited"):
        m.d.comb += o.ready.eq(held.write)
        with m.If(o.valid & ~held.write):
            m.next = "output"
        with m.Elif(~(bus.read | bus.write)):
            m.next = "idle"
        with m.Elif(held.write & ~o.valid & ~busy):
            m.next = "answer"


class Control(wiring.Component):
    """Bus slave for one network.

    An access takes ACCESS cycles (PARAMETER_ACCESS for a parameter word, whose CRC is byte-serial), longer while the
    input is full, while an image comes into force, and while a tick runs that learns. A master that withdraws a request
    after PARAMETER_ACCESS cycles or later is not answered any more but in the next two cycles, and nothing is done.
    Decoded strobes and read values pass a register: nets from here reach across the chip.
    Reading the output when there is none gives 0. Errors are sticky flags (golden.regmap.ERRORS).

    Parameters: net; i, o, layouts of the words of the network's streams; info of its core. Where that has one half of
    the banks only, there are no parameters from `load_begin` on until an image is in force.
    Members: bus; i, o streams of the network; params; half and want_half; tick, busy, stall; hold, where the core has
    it: then load_begin waits until no tick reads parameters; for a network that learns those of its core; with `boots`,
    what plays frames at power-up: its state, and whether an error is flagged; those of scrub_members.
    """

    ACCESS, PARAMETER_ACCESS = 5, 12
    #: registers whose values are chosen from at a time
    GROUP = 8

    def __init__(self, net: Description, info: CoreInfo, *, i, o, boots: bool = False):
        self.net, self.info, self._learns, self._boots = net, info, info.learns, boots
        self._here = registers_of(boots=boots, scrubs=info.scrubs)
        fingerprint = int(net.fingerprint, 16)
        self.constants = {"magic": MAGIC, "version": VERSION, "fingerprint_low": fingerprint & 0xFFFFFFFF,
                          "fingerprint_high": fingerprint >> 32, "shape": net.inputs | net.outputs << 16,
                          "teacher": net.targets | net.streams << 16, "learn_cycles": 0,
                          "parameter_words": parameter_words(net)} | info.constants
        if not self._learns:
            self.constants |= {"teacher": 0, "learning": 0, "halvings": 0, "overflow": 0}
        members = {} if not self._learns else {
            "learning": Out(1), "halve": Out(range(MAX_HALVINGS + 1)), "moved": In(1), "running": In(1),
            "overflow": In(len(net.layers)),
            "probe": Out(1), "probe_bank": Out(BANK_BITS), "probe_addr": Out(ADDR_BITS), "probe_valid": In(1),
            "probe_data": In(signed(WORD_BITS))}
        if boots:
            members |= {"boot": In(Boot), "errors": Out(1)}
        members |= {"hold": Out(1)} if info.drain else {}
        members |= scrub_members() if info.scrubs else {}
        super().__init__(members | {
            "bus": In(BusSignature()), "i": Out(stream.Signature(i)), "o": In(stream.Signature(o)),
            "params": Out(ParameterBus()), "want_half": Out(1), "half": In(1),
            "tick": In(1), "busy": In(1), "stall": In(1), "lost": In(2 * len(net.layers)),
        })

    def elaborate(self, platform):
        m = Module()
        file = File({}, {}, {name: Signal(name=f"set_{name}") for name in ERRORS})
        file.values.update({name: Const(value, 32) for name, value in self.constants.items()})
        bus = self.bus
        addr, data, is_write = Signal(32, reset_less=True), Signal(32, reset_less=True), Signal(reset_less=True)
        held = Held(addr, data, is_write)
        for name, register in self._here.items():
            if "w" in register.access and name not in self.constants:
                file.writes[name] = Signal(name=f"write_{name}")
                m.d.sync += file.writes[name].eq(0)
        load = loader(m, self, held, file)
        self._counters(m, held, file)
        self._keep(m, held, file, "lost", self.lost[:32])
        if self.info.scrubs:
            scrub(m, self, held, file, load)
        readable = self._learning(m, held, file) if self._learns else None
        decoded = self._registers(m, held, file, load)
        count, outside = self._parameter_bytes(m, held, load)
        m.d.comb += [self.i.p.x.eq(data), self.i.p.first.eq(data[FIRST_BIT])]
        if self._learns:
            m.d.comb += [self.i.p.learn.eq(data[LEARN_BIT]), self.i.p.teach.eq(data[TEACH_BIT])]
        places = {"register": addr[8:] == 0, "input": (addr == INPUT) & is_write,
                  "output": (addr == OUTPUT) & ~is_write}
        if self._boots:
            places["awaited"] = addr == AWAITED
        found = {name: Signal(name=f"is_{name}", reset_less=True) for name in places}
        m.d.sync += [found[name].eq(is_there) for name, is_there in places.items()]
        with m.FSM():
            with m.State("idle"):
                m.d.sync += [addr.eq(bus.addr), data.eq(bus.w_data), is_write.eq(bus.write)]
                with m.If(bus.read | bus.write):
                    m.next = "decode"
            with m.State("decode"):     # 32 bits are compared: a cycle of its own
                m.d.sync += [bus.r_data.eq(0), bus.error.eq(0)]
                m.next = "go"
            with m.State("go"):
                with m.If(addr[31]):
                    m.next = "parameter"
                for name in places:
                    with m.Elif(found[name]):
                        m.next = name
                with m.Else():
                    m.next = "nowhere"
            self._register_state(m, held, decoded)
            self._parameter_state(m, held, load, count, outside, readable)
            self._stream_states(m, held, load)
            with m.State("nowhere"):
                m.d.comb += file.flags["address"].eq(1)
                m.d.sync += bus.error.eq(1)
                m.next = "answer"
            with m.State("answer"):
                m.d.comb += bus.ack.eq(1)
                m.next = "release"
            with m.State("release"):
                m.next = "idle"
        return m

    def _registers(self, m, held, file, load):
        """Decode of the address held: `value` and `exists` two cycles later, `strobe` to the register's write."""
        found = Decoded(Signal(32, reset_less=True), Signal(reset_less=True), Signal(reset_less=True), Signal())
        begin = (held.addr[:8] == REGISTERS["load_begin"].offset) & held.write
        m.d.sync += found.early.eq(begin & waits(m, self, load))
        if self.info.drain:
            m.d.sync += self.hold.eq(load.loading | load.settling | begin)
        here, groups = list(self._here.items()), []
        for start in range(0, len(here), self.GROUP):
            value, exists = (Signal(bits, name=f"{name}{start}", reset_less=True)
                             for name, bits in (("value", 32), ("exists", 1)))
            groups.append((value, exists))
            m.d.sync += [value.eq(0), exists.eq(0)]
            with m.Switch(held.addr[:8]):
                for name, register in here[start:start + self.GROUP]:
                    with m.Case(register.offset):
                        m.d.sync += exists.eq(1)
                        if name in file.values:
                            m.d.sync += value.eq(file.values[name])
                        if name in file.writes:
                            m.d.sync += file.writes[name].eq(found.strobe)
        values, known = zip(*groups, strict=True)
        m.d.sync += [found.value.eq(reduce(or_, values)), found.exists.eq(Cat(*known).any())]
        return found

    def _register_state(self, m, held, decoded):
        with m.State("register"):
            m.d.sync += self.bus.r_data.eq(decoded.value)
            with m.If(~decoded.exists):
                m.next = "nowhere"
            # a new image waits until the last one is in force, or until the master gives up
            with m.Elif(~decoded.early):
                m.d.comb += decoded.strobe.eq(held.write)
                m.next = "answer"
            with m.Elif(~self.bus.write):
                m.next = "idle"

    def _parameter_bytes(self, m, held, load):
        """The parameter bus, and address and data for the CRC, a byte a cycle."""
        params, count = self.params, Signal(3, name="count")
        banks = bank_count(self.net)
        outside = Signal(reset_less=True, name="_outside")
        m.d.sync += [load.crc.data.eq(Cat(held.addr, held.data).word_select(count, 8)), load.crc.valid.eq(0),
                     outside.eq((held.addr[14:BANK_SHIFT] != 0) | (held.addr[BANK_SHIFT:31] >= banks))]
        m.d.comb += [params.bank.eq(held.addr[BANK_SHIFT:]), params.addr.eq(held.addr),
                     params.data.eq(held.data), params.half.eq(~self.half)]
        return count, outside

    def _parameter_state(self, m, held, load, count, outside, readable):
        with m.State("parameter"):
            with m.If(~held.write):
                self._ask(m, outside, readable)
            with m.Elif(outside):
                m.next = "nowhere"
            with m.Elif(~load.loading):
                m.d.comb += load.stray.eq(1)
                m.next = "answer"
            with m.Else():
                m.d.comb += self.params.en.eq(count == 0)
                m.d.sync += [load.crc.valid.eq(1), count.eq(count + 1)]
                with m.If(count == 7):
                    m.d.sync += load.count.eq(Mux(load.count.all(), load.count, load.count + 1))
                    m.next = "answer"

    def _ask(self, m, outside, readable):
        """Read of a word that learns: the core answers when no tick is under way."""
        if not self._learns:
            m.next = "nowhere"
            return
        with m.If(readable & ~outside):
            m.d.comb += self.probe.eq(1)
            m.next = "probe"
        with m.Else():
            m.next = "nowhere"

    def _keep(self, m, held, file, name, events):
        """A register of sticky flags; a one clears."""
        file.values[name] = flags = Signal(len(events), name=name)
        cleared = Mux(file.writes[name], held.data, 0)[:len(events)]
        m.d.sync += flags.eq((flags & ~cleared) | events)

    def _learning(self, m, held, file):
        """Registers of learning, and whether the bank of the address held can be read."""
        for name, signal in (("learning", self.learning), ("halvings", self.halve)):
            file.values[name] = signal
            with m.If(file.writes[name]):
                m.d.sync += signal.eq(held.data)
        self._keep(m, held, file, "overflow", self.overflow)
        bank = held.addr[BANK_SHIFT:31]
        readable = Signal(reset_less=True, name="_readable")
        m.d.sync += readable.eq(Cat(*((bank >= each.start) & (bank < each.stop) for each in self.info.readable)).any())
        m.d.comb += [self.probe_bank.eq(held.addr[BANK_SHIFT:]), self.probe_addr.eq(held.addr)]
        return readable

    def _stream_states(self, m, held, load):
        bus, i, o = self.bus, self.i, self.o
        with m.State("input"):
            # frames from the flash cannot ask whether the image before them is in force
            m.d.comb += i.valid.eq(~load.settling if self._boots else 1)
            # a master that gives up takes its word back: nothing was accepted yet
            with m.If(i.ready & i.valid):
                m.next = "answer"
            with m.Elif(~bus.write):
                m.next = "idle"
        if self._learns:
            # the core answers what it was asked for even when the master has given up: nobody else must get that
            forsaken = Signal()
            with m.State("probe"):
                m.d.sync += [bus.r_data.eq(self.probe_data[:WORD_BITS]), forsaken.eq(forsaken | ~bus.read)]
                with m.If(self.probe_valid):
                    m.d.sync += forsaken.eq(0)
                    m.next = "answer"
                    with m.If(forsaken | ~bus.read):
                        m.next = "idle"
        word = Cat(*(o.p.y[min(n, len(o.p.y) - 1)] for n in range(18)))      # sign-extended
        with m.State("output"):
            m.d.comb += o.ready.eq(1)
            m.d.sync += bus.r_data.eq(Mux(o.valid, Cat(word, Const(0, 12), o.p.last, Const(1)), 0))
            m.next = "answer"
        if self._boots:
            _awaited_state(m, held, bus, o, self.busy)

    def _counters(self, m, held, file):
        for name, event in zip(_COUNTERS, (self.tick, self.busy, self.stall), strict=True):
            event = later(m, event, 1, name=name)
            file.values[name] = counter = Signal(32, name=name)
            m.d.sync += counter.eq(Mux(file.writes[name], 0, counter + event))
        file.values["scratch"] = scratch = Signal(32)
        with m.If(file.writes["scratch"]):
            m.d.sync += scratch.eq(held.data)
        flags = Cat(*(file.flags[name] for name in ERRORS))
        file.values["errors"] = errors = Signal(len(ERRORS))
        if self._boots:
            file.values["boot"] = self.boot
            m.d.comb += self.errors.eq(errors.any())
        m.d.sync += errors.eq((errors & ~Mux(file.writes["errors"], held.data, 0)[:len(ERRORS)]) | flags)
