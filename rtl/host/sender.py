"""Sender: responses of the host link as bytes; OldHost: what a host of version 1 is told."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.frames import OLD_ANSWER, OLD_REQUEST, RESPONSE_SYNC, WRITE
from rtl.host.receiver import COUNT_BITS, CRC32, INDEX_BITS, SEQ_BITS, STATUS_BITS
from rtl.primitives import Bank

#: what a response says before its words
HEAD = data.StructLayout({"op": 2, "status": STATUS_BITS, "fixed": 1, "count": COUNT_BITS})


class Sender(wiring.Component):
    """Sends a response: sync byte, head, number, count, the words of the payload, CRC.

    Members
      ready                     nothing is being sent
      start; head, seq          what to send, in the cycle of `start`, where it is ready
      read_en, _index, _data    words; data Bank.LATENCY cycles after `read_en`, which is for one cycle
      o                         bytes
    """

    def __init__(self):
        super().__init__({
            "ready": Out(1), "start": In(1), "head": In(HEAD), "seq": In(SEQ_BITS),
            "read_en": Out(1), "read_index": Out(INDEX_BITS), "read_data": In(32), "o": Out(stream.Signature(8)),
        })

    def elaborate(self, platform):
        m = Module()
        o, check = self.o, CRC32(8).create()
        m.submodules.crc = check
        room, summed, head, seq = Signal(), Signal(), Signal(HEAD), Signal(SEQ_BITS)
        word, position, begun = Signal(32, reset_less=True), Signal(2), Signal(COUNT_BITS)
        fetched, left = Signal(range(Bank.LATENCY + 1)), Signal()
        m.d.comb += [room.eq(~o.valid | o.ready), check.data.eq(o.payload), check.valid.eq(summed),
                     self.read_index.eq(begun), left.eq((head.op != WRITE) & (begun != head.count))]
        # the CRC takes a byte from the output register, a cycle after it was put there: in NEXT
        m.d.sync += [summed.eq(0), self.read_en.eq(0)]
        with m.If(o.ready):
            m.d.sync += o.valid.eq(0)

        def state(name, byte, then, *, add=True):
            with m.State(name), m.If(room):
                m.d.sync += [o.payload.eq(byte), o.valid.eq(1), summed.eq(add)]
                m.next = then
                if name in ("DATA", "CRC"):
                    m.d.sync += position.eq(position + 1)
                    with m.If(position != 3):
                        m.next = name

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [check.start.eq(1), self.ready.eq(1)]
                m.d.sync += [begun.eq(0), head.eq(self.head), seq.eq(self.seq)]
                with m.If(self.start):
                    m.next = "SYNC"
            state("SYNC", RESPONSE_SYNC, "HEAD", add=False)
            state("HEAD", Cat(head.op, Const(0, 2), head.status, head.fixed), "SEQ")
            state("SEQ", seq, "COUNT")
            state("COUNT", head.count, "NEXT")
            with m.State("FETCH"):
                m.d.sync += fetched.eq(fetched + 1)
                with m.If(fetched == Bank.LATENCY):
                    m.d.sync += [fetched.eq(0), word.eq(self.read_data), begun.eq(begun + 1)]
                    m.next = "DATA"
            state("DATA", word.word_select(position, 8), "NEXT")
            with m.State("NEXT"):
                m.next = "CRC"
                with m.If(left):
                    m.d.sync += self.read_en.eq(1)
                    m.next = "FETCH"
            state("CRC", check.crc.word_select(position, 8), "FLUSH", add=False)
            with m.State("FLUSH"):
                with m.If(o.ready):
                    m.next = "IDLE"
        return m


class OldHost(wiring.Component):
    """Answers the first request of a host of version 1, so that it says what is wrong instead of waiting.

    Members
      i         bytes, taken in every cycle; only those that come while `listen`
      ready     `o` may be taken: nothing else is being sent on it
      o         the bytes of golden.frames.OLD_ANSWER; busy, while they are being sent
    """

    def __init__(self):
        super().__init__({"i": In(stream.Signature(8, always_ready=True)), "listen": In(1), "ready": In(1),
                          "busy": Out(1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        heard, said = Signal(range(len(OLD_REQUEST) + 1)), Signal(range(len(OLD_ANSWER)))
        o, begun = self.o, Signal()
        m.d.comb += [begun.eq(heard == len(OLD_REQUEST)), self.busy.eq(o.valid),
                     o.payload.eq(Array(OLD_ANSWER)[said])]
        with m.If(begun & self.ready & ~o.valid):
            m.d.sync += [o.valid.eq(1), said.eq(0), heard.eq(0)]
        with m.Elif(~self.listen):
            m.d.sync += heard.eq(0)
        with m.Elif(self.i.valid & ~begun):
            right = self.i.payload == Array(OLD_REQUEST)[heard]
            m.d.sync += heard.eq(Mux(right, heard + 1, self.i.payload == OLD_REQUEST[0]))
        with m.If(o.valid & o.ready):
            m.d.sync += said.eq(said + 1)
            with m.If(said == len(OLD_ANSWER) - 1):
                m.d.sync += o.valid.eq(0)
        return m
