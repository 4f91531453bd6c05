"""Control: what answers on the bus. Registers, the image loader, and the words in and out of the network.

Address map: golden.regmap. An image is written into the half of every bank that is not in force, and put in force
between two ticks only when all its words came and their CRC-32 is right.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import crc, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from golden.network import Network
from golden.regmap import BANK_SHIFT, ERRORS, FIRST_BIT, INPUT, MAGIC, OUTPUT, REGISTERS, VERSION
from rtl.bus import BusSignature
from rtl.network import input_layout, output_layout
from rtl.pipeline import ParameterBus

_COUNTERS = ("ticks", "busy_cycles", "stall_cycles")


class Control(wiring.Component):
    """Bus slave for one network.

    An access takes 4 cycles (12 for a parameter word, whose CRC is byte-serial), longer while the input is full.
    Reading the output when there is none gives 0. Errors are sticky flags (golden.regmap.ERRORS).

    Parameters: net; constants, the values of the read-only registers that the caller knows (by name).
    Members: bus; i, o streams of the network; params; half and want_half; tick, busy, stall.
    """

    def __init__(self, net: Network, *, constants: dict[str, int]):
        self.net = net
        fingerprint = int(net.fingerprint, 16)
        self.constants = {"magic": MAGIC, "version": VERSION, "fingerprint_low": fingerprint & 0xFFFFFFFF,
                          "fingerprint_high": fingerprint >> 32, "shape": net.inputs | net.outputs << 16} | constants
        super().__init__({
            "bus": In(BusSignature()),
            "i": Out(stream.Signature(input_layout(net))), "o": In(stream.Signature(output_layout(net))),
            "params": Out(ParameterBus()), "want_half": Out(1), "half": In(1),
            "tick": In(1), "busy": In(1), "stall": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        self._m, self._writes, self._flags = m, {}, {name: Signal(name=f"set_{name}") for name in ERRORS}
        self._values = {name: Const(value, 32) for name, value in self.constants.items()}
        bus = self.bus
        self._addr, self._data = Signal(32, reset_less=True), Signal(32, reset_less=True)
        is_write = Signal(reset_less=True)
        for name, register in REGISTERS.items():
            if "w" in register.access:
                self._writes[name] = Signal(name=f"write_{name}")
        self._loader()
        self._counters()
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
            self._parameter_state(is_write)
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

    def _register_state(self, is_write):
        m, bus = self._m, self.bus
        with m.State("register"):
            m.next = "answer"
            too_early = (self._addr[:8] == REGISTERS["load_begin"].offset) & is_write & self._settling
            with m.Switch(self._addr[:8]):
                for name, register in REGISTERS.items():
                    with m.Case(register.offset):
                        if name in self._values:
                            m.d.sync += bus.r_data.eq(self._values[name])
                        if name in self._writes:
                            m.d.comb += self._writes[name].eq(is_write)
                with m.Default():
                    m.next = "nowhere"
            with m.If(too_early):
                m.next = "register"

    def _parameter_state(self, is_write):
        """Write the word to its bank and feed address and data to the CRC, a byte a cycle."""
        m, params = self._m, self.params
        count = Signal(3)
        m.d.comb += [params.bank.eq(self._addr[BANK_SHIFT:]), params.addr.eq(self._addr),
                     params.data.eq(self._data), params.half.eq(~self.half),
                     self._crc.data.eq(Cat(self._addr, self._data).word_select(count, 8))]
        with m.State("parameter"):
            with m.If(~is_write | (self._addr[14:BANK_SHIFT] != 0) | (self._addr[28:31] != 0)):
                m.next = "nowhere"
            with m.Elif(~self._loading):
                m.d.comb += self._flags["load_idle"].eq(1)
                m.next = "answer"
            with m.Else():
                m.d.comb += [params.en.eq(count == 0), self._crc.valid.eq(1)]
                m.d.sync += count.eq(count + 1)
                with m.If(count == 7):
                    m.d.sync += self._count.eq(Mux(self._count.all(), self._count, self._count + 1))
                    m.next = "answer"

    def _stream_states(self):
        m, bus, i, o = self._m, self.bus, self.i, self.o
        m.d.comb += [i.p.x.eq(self._data), i.p.first.eq(self._data[FIRST_BIT])]
        with m.State("input"):
            m.d.comb += i.valid.eq(1)
            # a master that gives up takes its word back: nothing was accepted yet
            with m.If(i.ready):
                m.next = "answer"
            with m.Elif(~bus.write):
                m.next = "idle"
        word = Signal(18)
        m.d.comb += word.eq(o.p.y.as_signed())
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
        hops = self.net.lanes + 2 * len(self.net.layers) + 4
        right, settle, self._settling = Signal(), Signal(range(hops + 1)), Signal()
        m.d.comb += [self._settling.eq((settle != 0) | (self.want_half != self.half)), self._crc.start.eq(begin),
                     self._flags["load_count"].eq(commit & (self._count != expected)),
                     self._flags["load_crc"].eq(commit & (self._crc.crc != self._data)),
                     right.eq(commit & self._loading & (self._count == expected) & (self._crc.crc == self._data))]
        with m.If(begin):
            m.d.sync += [self._loading.eq(1), self._count.eq(0)]
        with m.Elif(commit):
            m.d.sync += self._loading.eq(0)
        with m.If(right):
            m.d.sync += settle.eq(hops)
        with m.Elif(settle != 0):
            m.d.sync += settle.eq(settle - 1)
            with m.If(settle == 1):
                m.d.sync += [self.want_half.eq(~self.half), loaded.eq(1)]
        self._values["status"] = Cat(loaded, self._loading | self._settling, self.half, self.busy)

    def _counters(self):
        m = self._m
        for name, event in zip(_COUNTERS, (self.tick, self.busy, self.stall), strict=True):
            self._values[name] = counter = Signal(32, name=name)
            m.d.sync += counter.eq(Mux(self._writes[name], 0, counter + event))
        self._values["scratch"] = scratch = Signal(32)
        with m.If(self._writes["scratch"]):
            m.d.sync += scratch.eq(self._data)
        flags = Cat(*(self._flags[name] for name in ERRORS))
        self._values["errors"] = errors = Signal(len(ERRORS))
        m.d.sync += errors.eq((errors & ~Mux(self._writes["errors"], self._data, 0)[:len(ERRORS)]) | flags)
