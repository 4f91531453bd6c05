"""Mender: the image in the flash, put in force again while the network runs."""

from contextlib import contextmanager
from typing import NamedTuple

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.flash import HEADER
from golden.frames import CHAINED, READ, REQUEST_SYNC
from golden.regmap import REGISTERS
from rtl.host.bus import BusSignature

#: of a frame, behind its sync byte: op, number, count, address; and its CRC
_HEAD, _CRC = 7, 4


class _Registers(NamedTuple):
    """Bytes counted; words left in a frame; parameters written; a frame's head; a word, its address; to be written."""

    count: Signal
    left: Signal
    done: Signal
    head: Signal
    word: Signal
    addr: Signal
    write: Signal


class Mender(wiring.Component):
    """Reads the frames that the device played at power-up, and writes the parameters among them to the bus.

    Frames' own checksums are not looked at: the image is committed with the checksum of the one in force, so nothing
    else can come into force. A mend that fails leaves what was there (of two halves) and a flag in `errors`.

    Parameters: words of an image.
    Members
      start      the image in force is damaged
      allowed    it is that of the flash, and the host has begun no other; where this falls a mend ends
      crc        its checksum
      restart    for one cycle: the flash is to be read from its first byte on
      i          bytes of the flash
      bus        the device
      active     a mend is under way
    """

    def __init__(self, words: int):
        self.words = words
        super().__init__({"start": In(1), "allowed": In(1), "crc": In(32), "restart": Out(1),
                          "i": In(stream.Signature(8)), "bus": Out(BusSignature()), "active": Out(1)})

    def elaborate(self, platform):
        m = Module()
        r = _Registers(Signal(range(HEADER + 1)), Signal(8), Signal(range(self.words + 1)), Signal(8 * _HEAD),
                       Signal(32), Signal(32), Signal())
        m.d.comb += [self.bus.write.eq(r.write & self.allowed), self.active.eq(1)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.active.eq(0)
                m.d.sync += [r.count.eq(0), r.done.eq(0)]
                with m.If(self.start & self.allowed):
                    m.d.comb += self.restart.eq(1)
                    m.next = "HEADER"
            with self._state(m, "HEADER"), self._take(m, r, HEADER):
                m.next = "BEGIN"
            with self._state(m, "BEGIN"), self._put(m, r, REGISTERS["load_begin"].offset, 1):
                m.next = "SYNC"
            with self._state(m, "SYNC"), self._take(m, r, 1):
                m.next = "HEAD"
                # the end of the frames, or no frame: the image was not whole
                with m.If(self.i.payload != REQUEST_SYNC):
                    m.next = "IDLE"
            self._frame(m, r)
            with self._state(m, "COMMIT"), self._put(m, r, REGISTERS["load_commit"].offset, self.crc):
                m.next = "SETTLE"
            # the commit has an effect some cycles later: until then the checksum of the damaged words is no news
            with self._state(m, "SETTLE"):
                m.d.sync += r.count.eq(r.count + 1)
                with m.If(r.count == HEADER - 1):
                    m.next = "IDLE"
        return m

    def _frame(self, m, r):
        """What follows the sync byte of a frame: its words, of which parameters go to the bus."""
        op, words = r.head[:8], r.head[16:24]

        def next_word():
            m.d.sync += [r.left.eq(r.left - 1), r.addr.eq(r.addr + 1)]
            m.next = "WORD"
            with m.If(r.left == 1):
                m.next = "CRC"

        with self._state(m, "HEAD"), self._take(m, r, _HEAD, r.head):
            m.next = "LOOK"
        with self._state(m, "LOOK"):
            m.d.sync += [r.left.eq(words), r.addr.eq(r.head[24:])]
            m.next = "WORD"
            with m.If((op & (CHAINED - 1)) == READ):
                m.next = "CRC"
        with self._state(m, "WORD"), self._take(m, r, 4, r.word):
            m.next = "WRITE"
            with m.If(~r.addr[31]):       # to a register, or a sample
                next_word()
        with self._state(m, "WRITE"), self._put(m, r, r.addr, r.word):
            m.d.sync += r.done.eq(r.done + 1)
            next_word()
            with m.If(r.done == self.words - 1):
                m.next = "COMMIT"
        with self._state(m, "CRC"), self._take(m, r, _CRC):
            m.next = "SYNC"

    @contextmanager
    def _state(self, m, name: str):
        """A state that is left where a mend is not allowed any more."""
        with m.State(name):
            yield
            with m.If(~self.allowed):
                m.next = "IDLE"

    @contextmanager
    def _take(self, m, r, number: int, into=None):
        """So many bytes, each on top of `into`; what happens with the last of them."""
        m.d.comb += self.i.ready.eq(1)
        with m.If(self.i.valid):
            m.d.sync += r.count.eq(r.count + 1)
            if into is not None:
                m.d.sync += into.eq(Cat(into[8:], self.i.payload))
            with m.If(r.count == number - 1):
                m.d.sync += r.count.eq(0)
                yield

    @contextmanager
    def _put(self, m, r, address, value):
        """A write to the bus; what happens when that is done."""
        m.d.comb += [r.write.eq(1), self.bus.addr.eq(address), self.bus.w_data.eq(value)]
        with m.If(self.bus.ack):
            yield
