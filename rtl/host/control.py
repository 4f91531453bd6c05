"""Control: what answers on the bus. Registers, the image loader, and the words in and out of the network.

Address map: golden.regmap. An image is written into the half of every bank that is not in force, and put in force
between two ticks only when all its words came and their CRC-32 is right. A core may have one half only.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import crc, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from golden.description import Description
from golden.image import bank_count, parameter_words
from golden.regmap import (
    BANK_SHIFT,
    ERRORS,
    FIRST_BIT,
    INPUT,
    LEARN_BIT,
    MAGIC,
    MAX_HALVINGS,
    OUTPUT,
    REGISTERS,
    TEACH_BIT,
    VERSION,
)
from rtl.host.bus import BusSignature
from rtl.host.core import CoreInfo
from rtl.pipeline import ADDR_BITS, BANK_BITS, WORD_BITS, ParameterBus, later

_COUNTERS = ("ticks", "busy_cycles", "stall_cycles")


class Control(wiring.Component):
    """Bus slave for one network.

    An access takes 4 cycles (12 for a parameter word, whose CRC is byte-serial), longer while the input is full.
    Decoded strobes and read values pass a register: nets from here reach across the chip.
    Reading the output when there is none gives 0. Errors are sticky flags (golden.regmap.ERRORS).

    Parameters: net; i, o, layouts of the words of the network's streams; info of its core. Where that has one half of
    the banks only, there are no parameters from `load_begin` on until an image is in force.
    Members: bus; i, o streams of the network; params; half and want_half; tick, busy, stall; for a network that learns
    those of its core.
    """

    def __init__(self, net: Description, info: CoreInfo, *, i, o):
        self.net, self.info, self._learns = net, info, info.learns
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
        super().__init__(members | {
            "bus": In(BusSignature()), "i": Out(stream.Signature(i)), "o": In(stream.Signature(o)),
            "params": Out(ParameterBus()), "want_half": Out(1), "half": In(1),
            "tick": In(1), "busy": In(1), "stall": In(1), "lost": In(2 * len(net.layers)),
        })

    def elaborate(self, platform):
        m = Module()
        self._m, self._writes, self._flags = m, {}, {name: Signal(name=f"set_{name}") for name in ERRORS}
        self._values = {name: Const(value, 32) for name, value in self.constants.items()}
        bus = self.bus
        self._addr, self._data = Signal(32, reset_less=True), Signal(32, reset_less=True)
        is_write = Signal(reset_less=True)
        for name, register in REGISTERS.items():
            if "w" in register.access and name not in self.constants:
                self._writes[name] = Signal(name=f"write_{name}")
                m.d.sync += self._writes[name].eq(0)
        self._loader()
        self._counters()
        self._keep("lost", self.lost[:32])
        if self._learns:
            self._learning()
        self._registers(is_write)
        count = self._parameter_bytes()
        m.d.comb += [self.i.p.x.eq(self._data), self.i.p.first.eq(self._data[FIRST_BIT])]
        if self._learns:
            m.d.comb += [self.i.p.learn.eq(self._data[LEARN_BIT]), self.i.p.teach.eq(self._data[TEACH_BIT])]
        with m.FSM():
            with m.State("idle"):
                m.d.sync += [self._addr.eq(bus.addr), self._data.eq(bus.w_data), is_write.eq(bus.write)]
                with m.If(bus.read | bus.write):
                    m.next = "decode"
            with m.State("decode"):
                m.d.sync += [bus.r_data.eq(0), bus.error.eq(0)]
                with m.If(self._addr[31]):
                    m.next = "parameter"
                with m.Elif(self._addr[8:31] == 0):
                    m.next = "register"
                with m.Elif((self._addr == INPUT) & is_write):
                    m.next = "input"
                with m.Elif((self._addr == OUTPUT) & ~is_write):
                    m.next = "output"
                with m.Else():
                    m.next = "nowhere"
            self._register_state(is_write)
            self._parameter_state(is_write, count)
            self._stream_states()
            with m.State("nowhere"):
                m.d.comb += self._flags["address"].eq(1)
                m.d.sync += bus.error.eq(1)
                m.next = "answer"
            with m.State("answer"):
                m.d.comb += bus.ack.eq(1)
                m.next = "release"
            with m.State("release"):
                m.next = "idle"
        return m

    def _registers(self, is_write):
        """Decode of the address held: `value` and `exists` one cycle later, `strobe` to the register's write."""
        m = self._m
        self._value, self._exists = Signal(32, reset_less=True), Signal(reset_less=True)
        self._early, self._strobe = Signal(reset_less=True), Signal()
        begin = (self._addr[:8] == REGISTERS["load_begin"].offset) & is_write
        m.d.sync += [self._value.eq(0), self._exists.eq(1), self._early.eq(begin & self._settling)]
        with m.Switch(self._addr[:8]):
            for name, register in REGISTERS.items():
                with m.Case(register.offset):
                    if name in self._values:
                        m.d.sync += self._value.eq(self._values[name])
                    if name in self._writes:
                        m.d.sync += self._writes[name].eq(self._strobe)
            with m.Default():
                m.d.sync += self._exists.eq(0)

    def _register_state(self, is_write):
        m = self._m
        with m.State("register"):
            m.d.sync += self.bus.r_data.eq(self._value)
            with m.If(~self._exists):
                m.next = "nowhere"
            # a new image waits until the last one is in force
            with m.Elif(~self._early):
                m.d.comb += self._strobe.eq(is_write)
                m.next = "answer"

    def _parameter_bytes(self):
        """The parameter bus, and address and data for the CRC, a byte a cycle."""
        m, params, count = self._m, self.params, Signal(3)
        banks = bank_count(self.net)
        self._outside = Signal(reset_less=True)
        m.d.sync += [self._crc.data.eq(Cat(self._addr, self._data).word_select(count, 8)), self._crc.valid.eq(0),
                     self._outside.eq((self._addr[14:BANK_SHIFT] != 0) | (self._addr[BANK_SHIFT:31] >= banks))]
        m.d.comb += [params.bank.eq(self._addr[BANK_SHIFT:]), params.addr.eq(self._addr),
                     params.data.eq(self._data), params.half.eq(~self.half)]
        return count

    def _parameter_state(self, is_write, count):
        m = self._m
        with m.State("parameter"):
            with m.If(~is_write):
                self._ask()
            with m.Elif(self._outside):
                m.next = "nowhere"
            with m.Elif(~self._loading):
                m.d.comb += self._stray.eq(1)
                m.next = "answer"
            with m.Else():
                m.d.comb += self.params.en.eq(count == 0)
                m.d.sync += [self._crc.valid.eq(1), count.eq(count + 1)]
                with m.If(count == 7):
                    m.d.sync += self._count.eq(Mux(self._count.all(), self._count, self._count + 1))
                    m.next = "answer"

    def _ask(self):
        """Read of a word that learns: the core answers when no tick is under way."""
        m = self._m
        if not self._learns:
            m.next = "nowhere"
            return
        with m.If(self._readable & ~self._outside):
            m.d.comb += self.probe.eq(1)
            m.next = "probe"
        with m.Else():
            m.next = "nowhere"

    def _keep(self, name, events):
        """A register of sticky flags; a one clears."""
        self._values[name] = flags = Signal(len(events), name=name)
        cleared = Mux(self._writes[name], self._data, 0)[:len(events)]
        self._m.d.sync += flags.eq((flags & ~cleared) | events)

    def _learning(self):
        """Registers of learning, and which banks can be read."""
        m = self._m
        for name, signal in (("learning", self.learning), ("halvings", self.halve)):
            self._values[name] = signal
            with m.If(self._writes[name]):
                m.d.sync += signal.eq(self._data)
        self._keep("overflow", self.overflow)
        bank = self._addr[BANK_SHIFT:31]
        readable = [(bank >= each.start) & (bank < each.stop) for each in self.info.readable]
        self._readable = Signal(reset_less=True)
        m.d.sync += self._readable.eq(Cat(*readable).any())
        m.d.comb += [self.probe_bank.eq(self._addr[BANK_SHIFT:]), self.probe_addr.eq(self._addr)]

    def _stream_states(self):
        m, bus, i, o = self._m, self.bus, self.i, self.o
        with m.State("input"):
            m.d.comb += i.valid.eq(1)
            # a master that gives up takes its word back: nothing was accepted yet
            with m.If(i.ready):
                m.next = "answer"
            with m.Elif(~bus.write):
                m.next = "idle"
        if self._learns:
            with m.State("probe"):
                m.d.sync += bus.r_data.eq(self.probe_data[:WORD_BITS])
                with m.If(self.probe_valid):
                    m.next = "answer"
        word = Cat(*(o.p.y[min(n, len(o.p.y) - 1)] for n in range(18)))      # sign-extended
        with m.State("output"):
            m.d.comb += o.ready.eq(1)
            m.d.sync += bus.r_data.eq(Mux(o.valid, Cat(word, Const(0, 12), o.p.last, Const(1)), 0))
            m.next = "answer"

    def _loader(self):
        m = self._m
        expected = self.constants["parameter_words"]
        m.submodules.crc = self._crc = crc.Processor(CRC32_ISO_HDLC(data_width=8))
        self._loading, self._count, loaded = Signal(), Signal(range(expected + 2)), Signal()
        begin, commit = self._writes["load_begin"], self._writes["load_commit"]
        # the last words still hop along the lanes when the checksum comes
        hops = self.info.settle
        self._stray = Signal()
        right, settle, self._settling = Signal(), Signal(range(hops + 1)), Signal()
        complete, same = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [complete.eq(self._count == expected), same.eq(self._crc.crc == self._data)]
        m.d.comb += [self._settling.eq((settle != 0) | (self.want_half != self.half)), self._crc.start.eq(begin),
                     self._flags["load_idle"].eq(commit & ~self._loading | self._stray),
                     self._flags["load_count"].eq(commit & ~complete), self._flags["load_crc"].eq(commit & ~same),
                     right.eq(commit & self._loading & complete & same)]
        # like the weights themselves, where they are and that they were learnt outlives a reset
        want_half, learnt = Signal(name="half_wanted", reset_less=True), Signal(reset_less=True)
        m.d.comb += self.want_half.eq(want_half)
        with m.If(begin):
            m.d.sync += [self._loading.eq(1), self._count.eq(0)]
            if self.info.halves == 1:
                m.d.sync += loaded.eq(0)
        with m.Elif(commit):
            m.d.sync += self._loading.eq(0)
        with m.If(right):
            m.d.sync += settle.eq(hops)
        with m.Elif(settle != 0):
            m.d.sync += settle.eq(settle - 1)
            with m.If(settle == 1):
                m.d.sync += [want_half.eq(~self.half), loaded.eq(1)]
        if self._learns:
            with m.If(self.want_half != self.half):     # until then what was learnt is in force
                m.d.sync += learnt.eq(0)
            with m.Elif(self.moved):
                m.d.sync += learnt.eq(1)
        self._values["status"] = Cat(loaded, self._loading | self._settling, self.half, self.busy, learnt,
                                     self.running if self._learns else Const(0, 1), Const(self.info.halves == 1, 1))

    def _counters(self):
        m = self._m
        for name, event in zip(_COUNTERS, (self.tick, self.busy, self.stall), strict=True):
            event = later(m, event, 1, name=name)
            self._values[name] = counter = Signal(32, name=name)
            m.d.sync += counter.eq(Mux(self._writes[name], 0, counter + event))
        self._values["scratch"] = scratch = Signal(32)
        with m.If(self._writes["scratch"]):
            m.d.sync += scratch.eq(self._data)
        flags = Cat(*(self._flags[name] for name in ERRORS))
        self._values["errors"] = errors = Signal(len(ERRORS))
        m.d.sync += errors.eq((errors & ~Mux(self._writes["errors"], self._data, 0)[:len(ERRORS)]) | flags)
