"""Cable: a serial link between two boards, its length in clock cycles; for simulations of more than one board."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out


class Cable(wiring.Component):
    """Words go in as they come and leave in order, one every `cycles_per_word`, `latency` cycles after they were sent.

    A word takes LATENCY + cycles_per_word + latency cycles where none is before it: the memories at its two ends, the
    time on the wire bit by bit, and the length of the wire. What waits to be sent and what is under way is one memory
    with the cycle in which each word came: a word that leaves a full line late arrives as late.

    Parameters: width of a word; depth, words that are held; cycles_per_word; max_latency.
    Members: i, o, streams that never stall; latency, while nothing is under way; overrun: a word was lost for want of
    room, until reset.
    """

    LATENCY = 3

    def __init__(self, *, width: int, depth: int, cycles_per_word: int = 1, max_latency: int = 0):
        for name, value, least in (("width", width, 1), ("depth", depth, 1), ("cycles_per_word", cycles_per_word, 1),
                                   ("max_latency", max_latency, 0)):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} of a cable must be an integer, at least {least}, not {value!r}")
        self.width, self.depth = width, depth
        self.cycles_per_word, self.max_latency = cycles_per_word, max_latency
        word = stream.Signature(width, always_ready=True)
        super().__init__({"i": In(word), "o": Out(word), "latency": In(range(max_latency + 1)), "overrun": Out(1)})

    def elaborate(self, platform):
        m = Module()
        # no word is older: all that are held before it leave at their pace after the wire's length
        oldest = self.max_latency + (self.depth + 2) * self.cycles_per_word + self.LATENCY
        now, pace = Signal(oldest.bit_length()), Signal(range(self.cycles_per_word))
        m.submodules.words = words = fifo.SyncFIFOBuffered(width=self.width + len(now), depth=self.depth)
        stamp, sent, due = Signal.like(now), Signal(), Signal(range(oldest + 1))
        age = Signal.like(now)
        m.d.comb += [words.w_en.eq(self.i.valid), words.w_data.eq(Cat(self.i.payload, now)),
                     stamp.eq(words.r_data[self.width:]), age.eq(now - stamp), words.r_en.eq(sent),
                     sent.eq(words.r_rdy & (age >= due) & (pace == 0))]
        m.d.sync += [now.eq(now + 1), due.eq(self.latency + self.cycles_per_word + self.LATENCY - 1),
                     pace.eq(Mux(sent, self.cycles_per_word - 1, Mux(pace == 0, 0, pace - 1))),
                     self.o.valid.eq(sent), self.o.payload.eq(words.r_data[:self.width])]
        with m.If(self.i.valid & ~words.w_rdy):
            m.d.sync += self.overrun.eq(1)
        return m
