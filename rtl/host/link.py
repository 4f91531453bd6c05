"""HostLink: frames of the host link (firmware/protocol.py) in, accesses to the bus, frames out.

    i -> [Receiver] --op, count, addr--> [BusMaster] --status, done--> [Sender] -> o
              |                            ^      |                       ^
              +--> words --> [    buffer memory, 64 words    ] --> words -+

A frame is gathered whole and its CRC checked before the bus sees anything. One frame at a time: bytes that arrive
between the end of a request and the end of its response are dropped, so `i` never stalls and the host has to wait for
each response.
"""

from enum import IntEnum
from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import crc, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.frames import MAX_WORDS, READ, REQUEST_SYNC, RESPONSE_SYNC, WRITE, Status
from rtl.host.bus import BusSignature
from rtl.pipeline import later
from rtl.primitives import Bank, bank

INDEX_BITS, COUNT_BITS, STATUS_BITS = 6, 7, 3
CRC16 = crc.catalog.CRC16_IBM_3740      # also called CCITT-FALSE


class Field(IntEnum):
    """The part of a request that the next byte belongs to."""

    OP = 0
    COUNT = 1
    ADDR = 2
    DATA = 3
    CRC_LOW = 4
    CRC_HIGH = 5


class Place(NamedTuple):
    """Where in a request the next byte is: byte of its word, words that are left, and the number of the word."""

    position: Signal
    left: Signal
    index: Signal


def _timer(m, cycles: int, restart, *, name: str):
    """High from `cycles` cycles after the last `restart` on."""
    left = Signal(signed(cycles.bit_length() + 1), init=cycles - 1, name=name)
    with m.If(restart):
        m.d.sync += left.eq(cycles - 1)
    with m.Elif(~left[-1]):
        m.d.sync += left.eq(left - 1)
    return left[-1]


def _check_cycles(name, cycles):
    if not isinstance(cycles, int) or cycles < 1:
        raise ValueError(f"{name} must be a positive number of clock cycles, not {cycles!r}")


class Receiver(wiring.Component):
    """Parses requests. Bytes outside of a frame are skipped up to the next sync byte.

    A bad op or count, a wrong CRC and a frame that stops for `idle_cycles` end in `done` with a status other than OK,
    but only when the line has been quiet for `idle_cycles`: what is left of a bad frame is never taken for a new one.

    Parameters: idle_cycles.
    Members
      i                           bytes, taken in every cycle
      resume                      look for the next frame; until then bytes are dropped
      done, status                for one cycle: a frame is over; the fields below hold until `resume`
      op, fixed, count, addr      of the request (where status is OK)
      write_en, _index, _data     words of its payload
      listening                   bytes are looked at
    LATENCY: from the last byte of a good request to `done`.
    """

    LATENCY = 2

    def __init__(self, idle_cycles: int):
        self.idle_cycles = idle_cycles
        super().__init__({
            "i": In(stream.Signature(8, always_ready=True)), "resume": In(1),
            "done": Out(1), "status": Out(STATUS_BITS), "op": Out(2), "fixed": Out(1), "count": Out(COUNT_BITS),
            "addr": Out(32), "write_en": Out(1), "write_index": Out(INDEX_BITS), "write_data": Out(32),
            "listening": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        byte = Signal(8, reset_less=True)
        m.d.sync += byte.eq(self.i.payload)
        valid = later(m, self.i.valid, 1, name="valid", reset_less=False)
        m.submodules.crc = check = CRC16(8).create()
        field = Signal(Field)
        m.d.sync += [self.done.eq(0), self.write_en.eq(0)]
        at = Place(Signal(2), Signal(COUNT_BITS), Signal(INDEX_BITS))

        def drain(status):
            m.d.sync += self.status.eq(status)
            m.next = "DRAIN"

        heard = Signal()
        quiet = _timer(m, self.idle_cycles, heard, name="idle_timer")
        with m.FSM() as fsm:
            with m.State("HUNT"):
                m.d.sync += [field.eq(Field.OP), self.status.eq(Status.OK)]
                with m.If(valid & (byte == REQUEST_SYNC)):
                    m.next = "FRAME"
            with m.State("FRAME"):
                with m.If(valid):
                    with m.Switch(field):
                        self._header(m, byte, field, at, drain)
                        self._payload(m, byte, field, at)
                        self._checksum(m, byte, field, check.crc, drain)
                with m.Elif(quiet):
                    drain(Status.BAD_CRC)
            with m.State("DRAIN"):
                with m.If(quiet):
                    m.d.sync += self.done.eq(1)
                    m.next = "HOLD"
            with m.State("HOLD"):
                with m.If(self.resume):
                    m.next = "HUNT"
        m.d.comb += [self.listening.eq(fsm.ongoing("HUNT") | fsm.ongoing("FRAME")),
                     heard.eq(valid | fsm.ongoing("HUNT")), check.data.eq(byte), check.start.eq(fsm.ongoing("HUNT")),
                     check.valid.eq(valid & fsm.ongoing("FRAME") & (field < Field.CRC_LOW))]
        return m

    def _header(self, m, byte, field, at, drain):
        with m.Case(Field.OP):
            m.d.sync += [self.op.eq(byte[:2]), self.fixed.eq(byte[7]), field.eq(Field.COUNT)]
            with m.If((byte[2:7] != 0) | (byte[:2] == 0) | (byte[:2] == 3)):
                drain(Status.BAD_FRAME)
        with m.Case(Field.COUNT):
            m.d.sync += [self.count.eq(byte), at.left.eq(byte), at.index.eq(0), at.position.eq(0),
                         field.eq(Field.ADDR)]
            with m.If((byte == 0) | (byte > MAX_WORDS)):
                drain(Status.BAD_FRAME)
        with m.Case(Field.ADDR):
            m.d.sync += [self.addr.eq(Cat(self.addr[8:], byte)), at.position.eq(at.position + 1)]
            with m.If(at.position == 3):
                m.d.sync += field.eq(Mux(self.op == WRITE, Field.DATA, Field.CRC_LOW))

    def _payload(self, m, byte, field, at):
        with m.Case(Field.DATA):
            m.d.sync += [self.write_data.eq(Cat(self.write_data[8:], byte)), at.position.eq(at.position + 1)]
            with m.If(at.position == 3):
                m.d.sync += [self.write_en.eq(1), self.write_index.eq(at.index), at.index.eq(at.index + 1),
                             at.left.eq(at.left - 1)]
                with m.If(at.left == 1):
                    m.d.sync += field.eq(Field.CRC_LOW)

    def _checksum(self, m, byte, field, computed, drain):
        low_right = Signal()
        with m.Case(Field.CRC_LOW):
            m.d.sync += [low_right.eq(byte == computed[:8]), field.eq(Field.CRC_HIGH)]
        with m.Case(Field.CRC_HIGH):
            with m.If(low_right & (byte == computed[8:])):
                m.d.sync += self.done.eq(1)
                m.next = "HOLD"
            with m.Else():
                drain(Status.BAD_CRC)


class BusMaster(wiring.Component):
    """Makes the accesses of a request one by one, up to the first that fails.

    A request that nobody acknowledges for `ack_cycles` is withdrawn: BUSY. A slave that has seen it may still
    acknowledge within GRACE cycles, which counts as done; after that it must have forgotten the request.

    Parameters: ack_cycles.
    Members
      start; op, fixed, count, addr     the request, held until `done`
      read_index, read_data             words to write; data Bank.LATENCY cycles after the index
      write_en, _index, _data           words read
      done, status, words               for one cycle: over; status and the number of words done hold until `start`
      bus                               registered requests
    Throughput: a word every CYCLES_PER_WORD cycles on a bus that acknowledges in the cycle of the request.
    """

    GRACE = 4
    CYCLES_PER_WORD = Bank.LATENCY + 2

    def __init__(self, ack_cycles: int):
        self.ack_cycles = ack_cycles
        super().__init__({
            "start": In(1), "op": In(2), "fixed": In(1), "count": In(COUNT_BITS), "addr": In(32),
            "read_index": Out(INDEX_BITS), "read_data": In(32),
            "write_en": Out(1), "write_index": Out(INDEX_BITS), "write_data": Out(32),
            "done": Out(1), "status": Out(STATUS_BITS), "words": Out(COUNT_BITS), "bus": Out(BusSignature()),
        })

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        left, last = Signal(COUNT_BITS), Signal()
        m.d.comb += self.read_index.eq(self.words)
        # `last` comes a cycle late, which is early enough: `left` rests while a request is out
        m.d.sync += [last.eq(left == 1), self.done.eq(0), self.write_en.eq(0), self.write_data.eq(bus.r_data),
                     self.write_index.eq(self.words)]

        def end(status):
            m.d.sync += [self.done.eq(1), self.status.eq(status)]
            m.next = "IDLE"

        def acknowledged():
            with m.If(bus.error):
                end(Status.ADDRESS)
            with m.Else():
                m.d.sync += [self.words.eq(self.words + 1), left.eq(left - 1), self.write_en.eq(self.op == READ),
                             bus.addr.eq(bus.addr + ~self.fixed)]
                m.next = "FETCH"
                with m.If(last):
                    end(Status.OK)

        requested, fetched = bus.read | bus.write, Signal(range(Bank.LATENCY))
        late = _timer(m, self.ack_cycles, ~requested, name="ack_timer")
        forgotten = _timer(m, self.GRACE, requested, name="grace_timer")
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [self.words.eq(0), left.eq(self.count), bus.addr.eq(self.addr)]
                    m.next = "FETCH"
            with m.State("FETCH"):      # the word of the index that has just changed comes Bank.LATENCY later
                m.d.sync += fetched.eq(fetched + 1)
                with m.If(fetched == Bank.LATENCY - 1):
                    m.d.sync += fetched.eq(0)
                    m.next = "LOAD"
            with m.State("LOAD"):
                m.d.sync += [bus.w_data.eq(self.read_data),
                             bus.read.eq(self.op == READ), bus.write.eq(self.op == WRITE)]
                m.next = "REQUEST"
            with m.State("REQUEST"):
                with m.If(bus.ack | late):
                    m.d.sync += [bus.read.eq(0), bus.write.eq(0)]
                with m.If(bus.ack):
                    acknowledged()
                with m.Elif(late):
                    m.next = "WITHDRAWN"
            with m.State("WITHDRAWN"):
                with m.If(bus.ack):
                    acknowledged()
                with m.Elif(forgotten):
                    end(Status.BUSY)
        return m


class Sender(wiring.Component):
    """Sends a response: sync byte, head, count, the words of the payload, CRC.

    Members
      start; head, count, payload   what to send, held until `done`; `payload` says whether words follow
      read_index, read_data         words; data Bank.LATENCY cycles (at most 3) after the index
      o                             bytes
      done                          for one cycle: the last byte has been taken
    """

    def __init__(self):
        super().__init__({
            "start": In(1), "head": In(8), "count": In(COUNT_BITS), "payload": In(1),
            "read_index": Out(INDEX_BITS), "read_data": In(32), "o": Out(stream.Signature(8)), "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        o, check = self.o, CRC16(8).create()
        m.submodules.crc = check
        room, summed = Signal(), Signal()
        word, position, begun = Signal(32, reset_less=True), Signal(2), Signal(COUNT_BITS)
        # the CRC takes a byte from the output register, a cycle after it was put there: hence the state SUM
        m.d.comb += [room.eq(~o.valid | o.ready), check.data.eq(o.payload), check.valid.eq(summed),
                     self.read_index.eq(begun)]
        m.d.sync += [summed.eq(0), self.done.eq(0)]
        with m.If(o.ready):
            m.d.sync += o.valid.eq(0)

        def state(name, byte, then, *, add=True):
            with m.State(name):
                with m.If(room):
                    m.d.sync += [o.payload.eq(byte), o.valid.eq(1), summed.eq(add)]
                    m.next = then
                    if name == "COUNT":
                        m.d.sync += word.eq(self.read_data)
                        with m.If(self.payload):
                            m.next = "DATA"
                    if name == "DATA":
                        next_word()

        def next_word():
            m.d.sync += [position.eq(position + 1), word.eq(word >> 8)]
            with m.If(position == 0):
                m.d.sync += begun.eq(begun + 1)
            with m.If(position == 3):
                m.d.sync += word.eq(self.read_data)
            with m.If((position != 3) | (begun != self.count)):
                m.next = "DATA"

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += check.start.eq(1)
                m.d.sync += [begun.eq(0), position.eq(0)]
                with m.If(self.start):
                    m.next = "SYNC"
            state("SYNC", RESPONSE_SYNC, "HEAD", add=False)
            state("HEAD", self.head, "COUNT")
            state("COUNT", self.count, "SUM")
            state("DATA", word[:8], "SUM")
            with m.State("SUM"):
                m.next = "CRC_LOW"
            state("CRC_LOW", check.crc[:8], "CRC_HIGH", add=False)
            state("CRC_HIGH", check.crc[8:], "FLUSH", add=False)
            with m.State("FLUSH"):
                with m.If(o.ready):
                    m.d.sync += self.done.eq(1)
                    m.next = "IDLE"
        return m


class HostLink(wiring.Component):
    """Host frames to bus accesses; see the module for its parts. Reset drops the frame in flight.

    Parameters: idle_cycles, the silence that ends a frame which has not come to its end, longer than any pause that the
    host's side makes within a frame (USB: some ms); ack_cycles, how long an access may take before it counts as busy,
    more than a tick, since a full input waits for the next; vendor form of the buffer.
    Members: i, o, bytes from and to the host (`i` never stalls); bus, master; listening, bytes of a request are
    awaited; answered, for one cycle: a response is out, with `status`.
    """

    def __init__(self, *, idle_cycles: int, ack_cycles: int, vendor: str = "generic"):
        _check_cycles("idle_cycles", idle_cycles)
        _check_cycles("ack_cycles", ack_cycles)
        self.vendor = vendor
        self.receiver, self.master, self.sender = Receiver(idle_cycles), BusMaster(ack_cycles), Sender()
        super().__init__({"i": In(stream.Signature(8, always_ready=True)), "o": Out(stream.Signature(8)),
                          "bus": Out(BusSignature()), "listening": Out(1), "answered": Out(1), "status": Out(Status)})

    def elaborate(self, platform):
        m = Module()
        receiver, master, sender = self.receiver, self.master, self.sender
        m.submodules.receiver, m.submodules.master, m.submodules.sender = receiver, master, sender
        wiring.connect(m, wiring.flipped(self.i), receiver.i)
        wiring.connect(m, sender.o, wiring.flipped(self.o))
        wiring.connect(m, master.bus, wiring.flipped(self.bus))
        refused, sending = Signal(), Signal()
        bad = receiver.status != Status.OK
        m.d.comb += [receiver.resume.eq(sender.done), self.answered.eq(sender.done),
                     self.listening.eq(receiver.listening),
                     self.status.eq(Mux(refused, receiver.status, master.status))]
        m.d.comb += [getattr(master, name).eq(getattr(receiver, name)) for name in ("op", "fixed", "count", "addr")]
        m.d.sync += [master.start.eq(receiver.done & ~bad), sender.start.eq(receiver.done & bad | master.done)]
        with m.If(receiver.done):
            m.d.sync += [refused.eq(bad), sending.eq(bad)]
        with m.If(master.done):
            m.d.sync += sending.eq(1)
        head = Cat(master.op, Const(0, 2), master.status, master.fixed)
        m.d.comb += [sender.head.eq(Mux(refused, Cat(Const(0, 4), receiver.status), head)),
                     sender.count.eq(Mux(refused, 0, master.words)),
                     sender.payload.eq(~refused & (master.op == READ) & (master.words != 0))]
        self._buffer(m, sending)
        return m

    def _buffer(self, m, sending):
        """The words of the request, overwritten one by one by those of the response."""
        receiver, master, sender = self.receiver, self.master, self.sender
        m.submodules.buffer = buffer = bank(self.vendor, depth=MAX_WORDS, width=32)
        m.d.comb += [
            buffer.write_en.eq(receiver.write_en | master.write_en),
            buffer.write_addr.eq(Mux(master.write_en, master.write_index, receiver.write_index)),
            buffer.write_data.eq(Mux(master.write_en, master.write_data, receiver.write_data)),
            buffer.read_addr.eq(Mux(sending, sender.read_index, master.read_index)),
            master.read_data.eq(buffer.read_data), sender.read_data.eq(buffer.read_data),
        ]
