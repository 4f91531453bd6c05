"""What a delay line has to give, for proofs: each word of each message, as many ticks later as was asked for."""

from amaranth.hdl import Array, Assert, Assume, Cat, Fragment, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.vendor import generic


class Registers(generic.Bank):
    """A bank whose words are registers that a proof can speak of: `words`, and `fetched`, which is read after them."""

    def elaborate(self, platform):
        m = Module()
        self.words = Array(Signal(self.width, name=f"word{n}") for n in range(1 << self.addr_bits))
        self.fetched = Signal(self.width)
        m.d.sync += [self.fetched.eq(self.words[self.read_addr]), self.read_data.eq(self.fetched)]
        with m.If(self.write_en):
            m.d.sync += self.words[self.write_addr].eq(self.write_data)
        return m


class Delayed(wiring.Component):
    """A DelayLine with free inputs, one message a tick, and one word of a message that is followed: any one, `which`.

    The definition is `history`: the followed word of the newest messages, which moves on with every tick. What a read
    gives is asserted of it; the other assertions say how the ring's registers stand to it, so that the proof goes by
    induction. module: where DelayLine is taken from.
    """

    def __init__(self, module, *, size: int, depth: int, ahead: bool, fmt):
        self.module, self.size, self.depth, self.ahead, self.fmt = module, size, depth, ahead, fmt
        unit = module.DelayLine(size=size, fmt=fmt, depth=depth, ahead=ahead)
        self.unit = unit
        super().__init__({"valid": In(1), "payload": In(signed(fmt.width)), "start": In(1), "fresh": In(1),
                          "delay": In(len(unit.delay)), "index": In(unit.index_bits), "which": In(unit.index_bits)})

    def elaborate(self, platform):
        m = Module()
        unit, made, rings = self.unit, self.module.bank, []
        self.module.bank = lambda vendor, **fields: rings.append(Registers(**fields)) or rings[0]
        try:
            m.submodules.unit = fragment = Fragment.get(unit, None)
        finally:
            self.module.bank = made
        own = {signal.name: signal for statement in fragment.statements["sync"] for signal in statement._lhs_signals()}
        m.d.comb += [unit.i.valid.eq(self.valid), unit.i.payload.eq(self.payload), unit.start.eq(self.start),
                     unit.fresh.eq(self.fresh), unit.delay.eq(self.delay), unit.read_index.eq(self.index)]
        which, began = Signal.like(self.which), Signal()
        left = Signal(range(self.size + 1), init=self.size if self.ahead else 0)
        m.d.sync += [which.eq(self.which), began.eq(1)]
        m.d.comb += [Assume(~began | (which == self.which)), Assume(self.which < self.size),
                     Assume(self.index < self.size), Assume(self.delay <= self.depth),
                     Assume(~self.valid | (left != 0)), Assume(~self.start | (left == 0)), Assert(left <= self.size)]
        opened, most = Signal(), self.depth + 1         # the first tick has begun
        history, since, delay = self._history(m, left, opened)
        m.d.comb += [Assert(since <= most), Assert(delay <= self.depth)]
        m.d.comb += Assert(own["age"] == Mux(opened, Mux(since == most, most, since + 1), 0))
        self._ring_holds(m, rings[0], own, left, history)
        self._reads_hold(m, rings[0], own, opened, history[delay + 1],
                         since >= delay + (not self.ahead), delay)
        return m

    def _history(self, m, left, opened):
        """The followed word of the coming message and of those before; the tick since `fresh`; the delay in force."""
        history = [Signal(signed(self.fmt.width), name=f"message{n}") for n in range(self.depth + 2)]
        since, delay = Signal(range(self.depth + 2)), Signal(range(self.depth + 1))
        now = Mux(self.fresh | ~opened, 0, Mux(since == self.depth + 1, since, since + 1))
        with m.If(self.start):
            m.d.sync += [*(new.eq(old) for new, old in zip(history[1:], history, strict=False)), left.eq(self.size),
                         since.eq(now), delay.eq(self.delay), opened.eq(1)]
        with m.Elif(self.valid):
            m.d.sync += left.eq(left - 1)
            with m.If(self.size - left == self.which):
                m.d.sync += history[0].eq(self.payload)
        return Array(history), since, delay

    def _ring_holds(self, m, ring, own, left, history):
        """Where the ring stands, and that it has the followed word of every message where it is read."""
        index, slot = self.unit.index_bits, self.unit.slot_bits
        comes, newest = left != 0, self._newest(own)
        m.d.comb += [Assert(ring.write_addr[index:] == (newest + ~comes)[:slot]),
                     Assert(ring.write_addr[:index] == Mux(comes, self.size - left, 0))]
        for n in range(self.depth + 2):
            word = ring.words[Cat(self.which, (newest - n)[:slot])].as_signed()
            m.d.comb += Assert((self.size - left <= self.which) & (n == 0) | (word == history[n]))

    def _newest(self, own):
        """The slot of the message that is coming, or has come last."""
        return own["tick_slot"] - (not self.ahead)

    def _reads_hold(self, m, ring, own, opened, word, known, delay):
        """Stage by stage, what a read of the followed word has met: `word`, if it is `known`."""
        slot = (self._newest(own) - 1 - delay)[:self.unit.slot_bits]
        m.d.comb += [Assert(~opened | (ring.read_addr[self.unit.index_bits:] == slot)),
                     Assert(~opened | (own["known"] == known))]
        hit = opened & (self.index == self.which)
        for n, stage in enumerate((ring.fetched, ring.read_data, self.unit.read_data)):
            was, value, there = (Signal(name=f"hit{n}"), Signal(signed(self.fmt.width), name=f"value{n}"),
                                 Signal(name=f"there{n}"))
            m.d.sync += [was.eq(hit), value.eq(word), there.eq(known)]
            hit, word, known = was, value, there
            found = Mux(there, value, 0) if n == 2 else value
            m.d.comb += Assert(~was | (stage.as_signed() == found))
            if n < 2:
                m.d.comb += Assert(~was | (own[f"known_q{n + 1}"] == there))
