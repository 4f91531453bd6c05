"""Receiver: requests of the host link out of bytes."""

from enum import IntEnum
from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import crc, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.frames import CHAINED, FIXED, HELLO, MAX_WORDS, READ, REQUEST_SYNC, Status
from rtl.pipeline import later

INDEX_BITS, COUNT_BITS, SEQ_BITS, STATUS_BITS = 6, 7, 8, 3
CRC32 = crc.catalog.CRC32_ISO_HDLC


class Field(IntEnum):
    """The part of a request that the next byte belongs to."""

    OP = 0
    SEQ = 1
    COUNT = 2
    ADDR = 3
    DATA = 4
    CRC = 5


class Place(NamedTuple):
    """Where in a request the next byte is: byte of its word, words that are left, and the number of the word."""

    position: Signal
    left: Signal
    index: Signal


def timer(m, cycles: int, restart, *, name: str):
    """High from `cycles` cycles after the last `restart` on."""
    left = Signal(signed(cycles.bit_length() + 1), init=cycles - 1, name=name)
    with m.If(restart):
        m.d.sync += left.eq(cycles - 1)
    with m.Elif(~left[-1]):
        m.d.sync += left.eq(left - 1)
    return left[-1]


class Receiver(wiring.Component):
    """Parses requests. Bytes outside of a frame are skipped up to the next sync byte.

    A bad op or count, a wrong CRC and a frame that stops for `idle_cycles` end in `done` with a status other than OK,
    but only when the line has been quiet for `idle_cycles`: what is left of a bad frame is never taken for a new one.
    Bytes that come while a frame waits for `resume` belong to a bad frame, too.

    Parameters: idle_cycles.
    Members
      i                           bytes, taken in every cycle
      resume                      the frame was taken: look for the next one
      done, status                a frame is over, until `resume`; the fields below hold as long
      op, fixed, chained, seq, count, addr    of the request (where status is OK)
      hunting, framing            no frame is under way; bytes of one are awaited
      write_en, _index, _data     words of its payload
    LATENCY: from the last byte of a good request to `done`.
    """

    LATENCY = 4

    def __init__(self, idle_cycles: int):
        self.idle_cycles = idle_cycles
        super().__init__({
            "i": In(stream.Signature(8, always_ready=True)), "resume": In(1),
            "done": Out(1), "status": Out(STATUS_BITS), "op": Out(2), "fixed": Out(1), "chained": Out(1),
            "seq": Out(SEQ_BITS), "count": Out(COUNT_BITS), "addr": Out(32), "hunting": Out(1), "framing": Out(1),
            "write_en": Out(1), "write_index": Out(INDEX_BITS), "write_data": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        byte = Signal(8, reset_less=True)
        m.d.sync += byte.eq(self.i.payload)
        valid = later(m, self.i.valid, 1, name="valid", reset_less=False)
        m.submodules.crc = check = CRC32(8).create()
        field, missed, matched = Signal(Field), Signal(), Signal()
        m.d.sync += self.write_en.eq(0)
        at = Place(Signal(2), Signal(COUNT_BITS), Signal(INDEX_BITS))

        def drain(status):
            m.d.sync += self.status.eq(status)
            m.next = "DRAIN"

        heard = Signal()
        quiet = timer(m, self.idle_cycles, heard, name="idle_timer")
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
                        with m.Case(Field.CRC):
                            m.d.sync += at.position.eq(at.position + 1)
                            with m.If(at.position == 3):
                                m.next = "SUM"
                with m.Elif(quiet):
                    drain(Status.BAD_CRC)
            with m.State("SUM"):        # 32 bits are compared: a cycle of its own
                m.d.sync += [missed.eq(valid), matched.eq(check.match_detected)]
                m.next = "CHECK"
            with m.State("CHECK"):
                with m.If(valid):
                    m.d.sync += missed.eq(1)
                with m.If(matched):
                    m.next = "DONE"
                with m.Else():
                    drain(Status.BAD_CRC)
            with m.State("DRAIN"):
                m.d.sync += missed.eq(0)
                with m.If(quiet):
                    m.next = "DONE"
            with m.State("DONE"):
                with m.If(valid):
                    m.d.sync += missed.eq(1)
                with m.If(self.resume):
                    m.next = "HUNT"
                    with m.If(missed | valid):
                        drain(Status.BAD_CRC)
        m.d.comb += [self.done.eq(fsm.ongoing("DONE")), self.hunting.eq(fsm.ongoing("HUNT")),
                     self.framing.eq(fsm.ongoing("FRAME")),
                     heard.eq(valid | self.hunting), check.data.eq(byte), check.start.eq(self.hunting),
                     check.valid.eq(valid & fsm.ongoing("FRAME"))]
        return m

    def _header(self, m, byte, field, at, drain):
        op = byte[:2]
        with m.Case(Field.OP):
            m.d.sync += [self.op.eq(op), self.chained.eq((byte & CHAINED) != 0), self.fixed.eq((byte & FIXED) != 0),
                         field.eq(Field.SEQ)]
            with m.If((byte[2:6] != 0) | (op == 0)):
                drain(Status.BAD_FRAME)
        with m.Case(Field.SEQ):
            m.d.sync += [self.seq.eq(byte), field.eq(Field.COUNT)]
        with m.Case(Field.COUNT):
            m.d.sync += [self.count.eq(byte), at.left.eq(byte), at.index.eq(0), at.position.eq(0),
                         field.eq(Field.ADDR)]
            with m.If((byte == 0) | (byte > Mux(self.op == HELLO, 1, MAX_WORDS))):
                drain(Status.BAD_FRAME)
        with m.Case(Field.ADDR):
            m.d.sync += [self.addr.eq(Cat(self.addr[8:], byte)), at.position.eq(at.position + 1)]
            with m.If(at.position == 3):
                m.d.sync += field.eq(Mux(self.op == READ, Field.CRC, Field.DATA))

    def _payload(self, m, byte, field, at):
        with m.Case(Field.DATA):
            m.d.sync += [self.write_data.eq(Cat(self.write_data[8:], byte)), at.position.eq(at.position + 1)]
            with m.If(at.position == 3):
                m.d.sync += [self.write_en.eq(1), self.write_index.eq(at.index), at.index.eq(at.index + 1),
                             at.left.eq(at.left - 1)]
                with m.If(at.left == 1):
                    m.d.sync += field.eq(Field.CRC)
