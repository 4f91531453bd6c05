"""BusMaster: the accesses of a request on the bus."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.frames import READ, WRITE, Status
from rtl.host.bus import BusSignature
from rtl.host.receiver import COUNT_BITS, INDEX_BITS, STATUS_BITS, timer
from rtl.primitives import Bank


class BusMaster(wiring.Component):
    """Makes the accesses of a request one by one, up to the first that fails.

    A request that nobody acknowledges for `ack_cycles` is withdrawn: BUSY. A slave that has seen it may still
    acknowledge within GRACE cycles, which counts as done; after that it must have forgotten the request.

    Parameters: ack_cycles.
    Members
      start; count, addr                the request, in the cycle of `start`
      op, fixed                         held until `done`
      read_index, read_data             words to write; data Bank.LATENCY cycles after the index
      write_en, _index, _data           words read
      read_taken, write_taken           somebody else has that port of the memory in this cycle; write at most in one
                                        cycle of two
      done, status, words               for one cycle: over; status and the number of words done hold until `start`
      bus                               registered requests
    Throughput: a word every CYCLES_PER_WORD cycles on a bus that acknowledges in the cycle of the request.
    """

    GRACE = 4
    CYCLES_PER_WORD = Bank.LATENCY + 3

    def __init__(self, ack_cycles: int):
        self.ack_cycles = ack_cycles
        super().__init__({
            "start": In(1), "op": In(2), "fixed": In(1), "count": In(COUNT_BITS), "addr": In(32),
            "read_index": Out(INDEX_BITS), "read_data": In(32), "read_taken": In(1),
            "write_en": Out(1), "write_index": Out(INDEX_BITS), "write_data": Out(32), "write_taken": In(1),
            "done": Out(1), "status": Out(STATUS_BITS), "words": Out(COUNT_BITS), "bus": Out(BusSignature()),
        })

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        left, last = Signal(COUNT_BITS), Signal()
        m.d.comb += self.read_index.eq(self.words)
        # `last` comes a cycle late, which is early enough: `left` rests while a request is out
        m.d.sync += [last.eq(left == 1), self.done.eq(0), self.write_en.eq(self.write_en & self.write_taken)]

        def end(status):
            m.d.sync += [self.done.eq(1), self.status.eq(status)]
            m.next = "IDLE"

        # addresses are added up while the request is out, the way from the Responder before that
        fixed, following = Signal(), Signal(32, reset_less=True)
        m.d.sync += [fixed.eq(self.fixed), following.eq(bus.addr + ~fixed)]
        # what comes over the bus is a long way from here: it is looked at a cycle later
        error = Signal(reset_less=True)

        def acknowledged():
            m.d.sync += [error.eq(bus.error), self.write_data.eq(bus.r_data)]
            m.next = "ANSWERED"

        requested = bus.read | bus.write
        late = timer(m, self.ack_cycles, ~requested, name="ack_timer")
        forgotten = timer(m, self.GRACE, requested, name="grace_timer")
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [self.words.eq(0), left.eq(self.count), bus.addr.eq(self.addr)]
                    m.next = "FETCH"
            self._fetch(m)
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
            with m.State("ANSWERED"):
                with m.If(error):
                    end(Status.ADDRESS)
                with m.Else():
                    m.d.sync += [self.words.eq(self.words + 1), left.eq(left - 1), self.write_en.eq(self.op == READ),
                                 self.write_index.eq(self.words), bus.addr.eq(following)]
                    m.next = "FETCH"
                    with m.If(last):
                        end(Status.OK)
            with m.State("WITHDRAWN"):
                with m.If(bus.ack):
                    acknowledged()
                with m.Elif(forgotten):
                    end(Status.BUSY)
        return m

    def _fetch(self, m):
        """The word of the index that has just changed comes Bank.LATENCY cycles after one in which we have the port."""
        fetched, taken = Signal(range(Bank.LATENCY)), Signal()
        m.d.sync += taken.eq(self.read_taken)
        with m.State("FETCH"):
            with m.If((fetched == 1) & taken):      # the cycle before was another's: this one is the first
                m.d.sync += fetched.eq(1)
            with m.Elif(fetched == Bank.LATENCY - 1):
                m.d.sync += fetched.eq(0)
                m.next = "LOAD"
            with m.Else():
                m.d.sync += fetched.eq(fetched + 1)
