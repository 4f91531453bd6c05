"""HostLink: frames of the host link (firmware/protocol.py) in, accesses to the bus, frames out.

    i -> [Receiver] -> [Responder] -op, count, addr-> [BusMaster] -status, words-> [Responder] -> [Sender] -> o
             |                                         ^       |                                   ^
             +--> words --> [ memory: requests | responses ] --+------------> words ---------------+

A frame is gathered whole and its CRC checked before the bus sees anything. While a request is done and its response
goes out the next one comes in; `i` never stalls. The memory has two requests, the one under way and the one that comes
in, and the words of the last two responses, of numbers that are even and odd, in case they are asked for again.
"""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.frames import HELLO, MAX_WORDS, WINDOW, Status
from rtl.host.bus import BusSignature
from rtl.host.master import BusMaster
from rtl.host.receiver import COUNT_BITS, SEQ_BITS, STATUS_BITS, Receiver
from rtl.host.sender import HEAD, OldHost, Sender
from rtl.primitives import bank


def _check_cycles(name, cycles):
    if not isinstance(cycles, int) or cycles < 1:
        raise ValueError(f"{name} must be a positive number of clock cycles, not {cycles!r}")


class Responder(wiring.Component):
    """Decides what becomes of a request: it is done, answered again, or refused.

    The next one in turn is done, unless it is chained to one that was not done whole. One of the last WINDOW is
    answered as before and not done again. Any other is refused, and before the first hello all are.

    Members
      valid; status, op, fixed, chained, seq    a frame of the Receiver; taken, for one cycle, when it may go
      filling                                   half of the memory of requests that the Receiver writes; the request
                                                under way has the other one
      start, op_held, fixed_held                to the BusMaster, with `taken`; it takes count and address by itself
      done, done_status, words                  what it did
      ready, send; head, reply_seq              to the Sender
      hello, slot                               where its words are: in the request of a hello, or in a response
      keep                                      half of the memory of responses that the BusMaster writes
      forget                                    who has spoken so far goes: the next one has to say hello
    """

    def __init__(self):
        super().__init__({
            "valid": In(1), "status": In(STATUS_BITS), "op": In(2), "fixed": In(1), "chained": In(1),
            "seq": In(SEQ_BITS), "taken": Out(1), "filling": Out(1),
            "start": Out(1), "op_held": Out(2), "fixed_held": Out(1),
            "done": In(1), "done_status": In(STATUS_BITS), "words": In(COUNT_BITS),
            "ready": In(1), "send": Out(1), "head": Out(HEAD), "reply_seq": Out(SEQ_BITS),
            "hello": Out(1), "slot": Out(1), "keep": Out(1), "forget": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        turn, seq, refusal = Signal(SEQ_BITS), Signal(SEQ_BITS), Signal(STATUS_BITS)
        # of the last responses: whether they are there, and what they said
        known, kept = Signal(WINDOW), Array(Signal(HEAD, name=f"kept{n}") for n in range(WINDOW))
        met, whole, behind = Signal(), Signal(), Signal(SEQ_BITS)
        is_next, is_known = Signal(), Signal()
        m.d.comb += [behind.eq(turn - self.seq), self.keep.eq(seq[0]),
                     self.reply_seq.eq(Mux(refusal == Status.OK, seq, turn))]
        # a frame waits for longer than a cycle after the last change of what is compared
        m.d.sync += [is_next.eq(behind == 0),
                     is_known.eq(((behind == 1) | (behind == 2)) & known.bit_select(self.seq[0], 1))]

        def done(number, status, words, op, fixed):
            m.d.sync += [whole.eq(status == Status.OK), turn.eq(turn + 1), known.bit_select(number[0], 1).eq(1)]
            into = kept[number[0]]
            m.d.sync += [into.op.eq(op), into.status.eq(status), into.fixed.eq(fixed), into.count.eq(words)]

        def take(refused):
            m.d.sync += [self.taken.eq(1), seq.eq(self.seq), self.op_held.eq(self.op), self.fixed_held.eq(self.fixed),
                         refusal.eq(refused), self.filling.eq(~self.filling)]
            m.next = "SEND"

        # registers: Receiver and BusMaster are far away
        m.d.sync += [self.taken.eq(0), self.start.eq(0)]
        with m.FSM():
            with m.State("IDLE"), m.If(self.valid):
                m.d.sync += self.hello.eq(0)
                with m.If(self.status != Status.OK):
                    take(self.status)
                with m.Elif(self.op == HELLO):
                    take(Status.OK)
                    m.d.sync += [self.hello.eq(1), turn.eq(self.seq + 1), known.eq(0), met.eq(1), whole.eq(1)]
                with m.Elif(~met):
                    take(Status.STRANGER)
                # its half of the memory may still be on its way out
                with m.Elif(is_next & ~self.ready & (self.slot == self.seq[0])):
                    m.next = "IDLE"
                with m.Elif(is_next):
                    take(Status.OK)
                    with m.If(self.chained & ~whole):
                        done(self.seq, Status.SKIPPED, 0, self.op, self.fixed)
                    with m.Else():
                        m.d.sync += self.start.eq(1)
                        m.next = "DO"
                with m.Else():
                    take(Mux(is_known, Status.OK, Status.SEQUENCE))
            with m.State("DO"), m.If(self.done):
                done(seq, self.done_status, self.words, self.op_held, self.fixed_held)
                m.next = "SEND"
            with m.State("SEND"), m.If(self.ready):
                m.d.comb += self.send.eq(1)
                m.d.sync += self.slot.eq(Mux(self.hello, ~self.filling, seq[0]))
                m.next = "IDLE"
                with m.If(self.hello):
                    m.next = "HELLO"
            with m.State("HELLO"), m.If(self.ready):     # its word is in the request
                m.next = "IDLE"
        self._say(m, refusal, kept[seq[0]], met)
        return m

    def _say(self, m, refusal, kept, met):
        """What the response says before its words; and who has said hello is forgotten where that is asked for."""
        with m.If(self.forget):
            m.d.sync += met.eq(0)
        head = self.head
        with m.If(refusal != Status.OK):
            m.d.comb += head.status.eq(refusal)
        with m.Elif(self.hello):
            m.d.comb += [head.op.eq(HELLO), head.count.eq(1)]
        with m.Else():
            m.d.comb += head.eq(kept)


class HostLink(wiring.Component):
    """Host frames to bus accesses; see the module for its parts. Reset drops the frames in flight and the numbers.

    Parameters: idle_cycles, the silence that ends a frame which has not come to its end, longer than any pause that the
    host's side makes within a frame (USB: some ms); ack_cycles, how long an access may take before it counts as busy,
    more than a tick, since a full input waits for the next; vendor form of the memory.
    Members: i, o, bytes from and to the host (`i` never stalls); bus, master; framing, bytes of a request are awaited;
    answered, for one cycle: a response is out, with `status`; forget, whose numbers these were.
    """

    def __init__(self, *, idle_cycles: int, ack_cycles: int, vendor: str = "generic"):
        _check_cycles("idle_cycles", idle_cycles)
        _check_cycles("ack_cycles", ack_cycles)
        self.vendor = vendor
        self.receiver, self.responder = Receiver(idle_cycles), Responder()
        self.master, self.sender, self.old = BusMaster(ack_cycles), Sender(), OldHost()
        super().__init__({"i": In(stream.Signature(8, always_ready=True)), "o": Out(stream.Signature(8)),
                          "bus": Out(BusSignature()), "framing": Out(1), "answered": Out(1), "status": Out(Status),
                          "forget": In(1)})

    def elaborate(self, platform):
        m = Module()
        receiver, responder, master, sender, old = (self.receiver, self.responder, self.master, self.sender, self.old)
        m.submodules.receiver, m.submodules.responder, m.submodules.master = receiver, responder, master
        m.submodules.sender, m.submodules.old = sender, old
        wiring.connect(m, wiring.flipped(self.i), receiver.i)
        wiring.connect(m, master.bus, wiring.flipped(self.bus))
        m.d.comb += [getattr(responder, name).eq(getattr(receiver, name))
                     for name in ("status", "op", "fixed", "chained", "seq")]
        m.d.comb += [
            responder.valid.eq(receiver.done), receiver.resume.eq(responder.taken),
            master.start.eq(responder.start), master.count.eq(receiver.count), master.addr.eq(receiver.addr),
            master.op.eq(responder.op_held), master.fixed.eq(responder.fixed_held),
            responder.done.eq(master.done), responder.done_status.eq(master.status), responder.words.eq(master.words),
            responder.ready.eq(sender.ready), sender.start.eq(responder.send), sender.head.eq(responder.head),
            sender.seq.eq(responder.reply_seq),
            old.i.valid.eq(self.i.valid), old.i.payload.eq(self.i.payload), old.listen.eq(receiver.hunting),
            old.ready.eq(sender.ready & ~sender.o.valid & ~responder.send), old.o.ready.eq(self.o.ready),
            sender.o.ready.eq(self.o.ready & ~old.busy), self.o.valid.eq(sender.o.valid | old.busy),
            self.o.payload.eq(Mux(old.busy, old.o.payload, sender.o.payload)),
        ]
        self._memory(m)
        rests = Signal(init=1)
        m.d.sync += rests.eq(sender.ready)
        m.d.comb += [self.framing.eq(receiver.framing), responder.forget.eq(self.forget),
                     self.answered.eq(sender.ready & ~rests), self.status.eq(responder.head.status)]
        return m

    def _memory(self, m):
        """Requests below, responses above: whoever has to be in time goes first."""
        receiver, responder, master, sender = self.receiver, self.responder, self.master, self.sender
        m.submodules.memory = memory = bank(self.vendor, depth=2 * WINDOW * MAX_WORDS, width=32)
        of_request, of_response = Const(0, 1), Const(1, 1)
        m.d.comb += [
            memory.write_en.eq(receiver.write_en | master.write_en), master.write_taken.eq(receiver.write_en),
            memory.write_addr.eq(Mux(receiver.write_en, Cat(receiver.write_index, responder.filling, of_request),
                                     Cat(master.write_index, responder.keep, of_response))),
            memory.write_data.eq(Mux(receiver.write_en, receiver.write_data, master.write_data)),
            memory.read_addr.eq(Mux(sender.read_en, Cat(sender.read_index, responder.slot, ~responder.hello),
                                    Cat(master.read_index, ~responder.filling, of_request))),
            master.read_taken.eq(sender.read_en), master.read_data.eq(memory.read_data),
            sender.read_data.eq(memory.read_data),
        ]
