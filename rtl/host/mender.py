"""Mender: the image in the flash, put in force again while the network runs."""

from contextlib import contextmanager

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.flash import HEADER
from golden.frames import FIXED, READ, REQUEST_SYNC
from golden.regmap import REGISTERS
from rtl.host.bus import BusSignature

#: of a frame, behind its sync byte: op, number, count, address; and its CRC
_HEAD, _CRC = 7, 4


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
        i, bus = self.i, self.bus
        count, left, done = Signal(range(HEADER + 1)), Signal(8), Signal(range(self.words + 1))
        head, word, write = Signal(8 * _HEAD), Signal(32), Signal()
        op, words, addr = head[:8], head[16:24], Signal(32)
        m.d.comb += [bus.write.eq(write & self.allowed), self.active.eq(1)]

        @contextmanager
        def state(name: str):
            with m.State(name):
                yield
                with m.If(~self.allowed):
                    m.next = "IDLE"

        def take(number: int, into, then):
            """So many bytes, the last of them on top of `into`."""
            m.d.comb += i.ready.eq(1)
            with m.If(i.valid):
                m.d.sync += count.eq(count + 1)
                if into is not None:
                    m.d.sync += into.eq(Cat(into[8:], i.payload))
                with m.If(count == number - 1):
                    m.d.sync += count.eq(0)
                    then()

        def put(address, value, then):
            """A write to the bus."""
            m.d.comb += [write.eq(1), bus.addr.eq(address), bus.w_data.eq(value)]
            with m.If(bus.ack):
                then()

        def go(state):
            m.next = state

        def next_word():
            m.d.sync += [left.eq(left - 1), addr.eq(addr + 1)]
            m.next = "WORD"
            with m.If(left == 1):
                m.next = "CRC"

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.active.eq(0)
                m.d.sync += [count.eq(0), done.eq(0)]
                with m.If(self.start & self.allowed):
                    m.d.comb += self.restart.eq(1)
                    m.next = "HEADER"
            with state("HEADER"):
                take(HEADER, None, lambda: go("BEGIN"))
            with state("BEGIN"):
                put(REGISTERS["load_begin"].offset, 1, lambda: go("SYNC"))
            with state("SYNC"):
                m.d.comb += i.ready.eq(1)
                with m.If(i.valid):
                    m.next = "HEAD"
                    # the end of the frames, or no frame: the image was not whole
                    with m.If(i.payload != REQUEST_SYNC):
                        m.next = "IDLE"
            with state("HEAD"):
                take(_HEAD, head, lambda: go("LOOK"))
            with state("LOOK"):
                m.d.sync += [left.eq(words), addr.eq(head[24:])]
                m.next = "WORD"
                with m.If((op & (FIXED - 1)) == READ):
                    m.next = "CRC"
            with state("WORD"):
                def word_came():
                    m.next = "WRITE"
                    with m.If(~addr[31]):       # to a register, or samples
                        next_word()
                take(4, word, word_came)
            with state("WRITE"):
                def written():
                    m.d.sync += done.eq(done + 1)
                    next_word()
                    with m.If(done == self.words - 1):
                        m.next = "COMMIT"
                put(addr, word, written)
            with state("CRC"):
                take(_CRC, None, lambda: go("SYNC"))
            with state("COMMIT"):
                put(REGISTERS["load_commit"].offset, self.crc, lambda: go("SETTLE"))
            # the commit has an effect some cycles later: until then the checksum of the damaged words is no news
            with state("SETTLE"):
                m.d.sync += count.eq(count + 1)
                with m.If(count == HEADER - 1):
                    m.next = "IDLE"
        return m
