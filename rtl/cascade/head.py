"""The head: mean over the pixels, logits, and whether the answer is given; golden.cascade.engine.head_step and exits.

values --> [pool: a sum a channel] --> [MacLanes] --> logits --> margin, softmax --> verdict
+--> output words
"""

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.cascade import words
from golden.cascade.engine import SUM, logit_format
from golden.cascade.layer import HEAD_BITS
from golden.units.rows import Rows
from golden.units.softmax import EXP, difference_format
from rtl.cascade.joint import Counter, value_layout
from rtl.fixed import saturate, shape
from rtl.pipeline import ParameterBus, later
from rtl.units.activation import Activation
from rtl.units.mac import MacLanes


def head_rows(head) -> Rows:
    """The rows of the head's lane: a bias, the weight of 2**shift, then the weights."""
    return Rows(count=head.outputs, words=head.inputs + 1, lanes=1, weight=HEAD_BITS,
                operand=max(head.pool_bits, head.shift + 1) + 1, shift=head.shift, halves=1)


def pass_layout(net) -> data.StructLayout:
    """What the head is told of a step: its number, that of the last, blocks that work, rule and threshold."""
    return data.StructLayout({"step": 4, "last": 4, "blocks": len(net.blocks), "rule": 2, "threshold": 18})


def output_layout() -> data.StructLayout:
    """An output word (golden.cascade.words); `last` of a frame."""
    return data.StructLayout({"y": signed(18), "last": unsigned(1)})


class Judged(NamedTuple):
    """Of a step.

    Its last value comes; that came a cycle ago; a logit comes; index of that read; its exp is asked for; all are
    summed; the frame ends.
    """

    begin: Signal
    started: Signal
    valid: Signal
    index: Signal
    logit: Signal
    asked: Signal
    done: Signal
    ends: Signal


class Head(wiring.Component):
    """Pool, logits and verdict of each step, in turn.

    Parameters: net; bank0; vendor.
    Members
      i               values of the last block
      told            stream of what each step is told with
      o               output words; ready has to come some time
      verdict, ends   a step is judged: whether its frame ends with it
      params, params_out
    """

    def __init__(self, net, *, bank0: int, vendor: str):
        self.net, self.vendor = net, vendor
        self.lane = MacLanes(head_rows(net.head), vendor=vendor, first_bank=bank0)
        super().__init__({
            "i": In(stream.Signature(value_layout())), "told": In(stream.Signature(pass_layout(net))),
            "o": Out(stream.Signature(output_layout())), "verdict": Out(1), "ends": Out(1),
            "params": In(ParameterBus()), "params_out": Out(ParameterBus())})

    def elaborate(self, platform):
        m = Module()
        head, lane = self.net.head, self.lane
        m.submodules.lane = lane
        wiring.connect(m, wiring.flipped(self.params), lane.params)
        wiring.connect(m, lane.params_out, wiring.flipped(self.params_out))
        taken, index = Signal(), Signal(range(head.outputs + 1))
        place = Counter(m, "in", self.net.layers[-2].out, taken)
        begin = Signal()
        m.d.comb += [begin.eq(taken & place.end), taken.eq(self.i.valid & self.i.ready)]
        pooled = self._pool(m, taken, place)
        started = later(m, begin, 1, name="started", reset_less=False)
        valid, logit = self._logits(m, pooled, later(m, started, 1, name="begin", reset_less=False))
        m.submodules.kept = kept = memory.Memory(shape=signed(SUM.width), depth=max(2, head.outputs), init=[])
        write, read = kept.write_port(), kept.read_port(domain="comb")
        m.d.comb += [write.en.eq(valid), write.addr.eq(index), write.data.eq(logit), read.addr.eq(index)]
        best, second = self._largest(m, logit, valid, started)
        asked = Signal()
        total, done = self._exponentials(m, best, read.data, asked, started)
        ends = self._ends(m, best, second, total)
        self._answer(m, Judged(begin, started, valid, index, read.data, asked, done, ends))
        return m

    @staticmethod
    def _largest(m, logit, valid, started):
        """The two largest logits, two cycles behind the last one; logits are two cycles apart at least."""
        best, second = (Signal(signed(SUM.width), name=name) for name in ("best", "second"))
        above, between = Signal(), Signal()
        m.d.sync += [above.eq(logit > best), between.eq(logit > second)]
        was, there = later(m, logit, 1, name="logit"), later(m, valid, 1, name="logit_there", reset_less=False)
        with m.If(started):
            m.d.sync += [best.eq(SUM.min), second.eq(SUM.min)]
        with m.If(there):
            with m.If(above):
                m.d.sync += [best.eq(was), second.eq(best)]
            with m.Elif(between):
                m.d.sync += second.eq(was)
        return best, second

    def _pool(self, m, taken, place):
        """Sums over the pixels, read by channel; a value is in them three cycles after it has come."""
        head = self.net.head
        m.submodules.pool = pool = memory.Memory(shape=unsigned(head.pool_bits), depth=max(2, head.inputs), init=[])
        write, old, read = pool.write_port(), pool.read_port(domain="comb"), pool.read_port(domain="comb")
        channel, fresh = Signal(range(max(2, head.inputs))), Signal(init=1)
        came, value, ends = (later(m, of, 1, name=name, reset_less=name != "came") for name, of in (
            ("came", taken), ("value", self.i.p.h), ("ends", place.end)))
        with m.If(came):
            m.d.sync += channel.eq(Mux(channel == head.inputs - 1, 0, channel + 1))
            with m.If(channel == head.inputs - 1):
                m.d.sync += fresh.eq(ends)
        adding, kept = later(m, came, 1, name="adding", reset_less=False), Signal(head.pool_bits, reset_less=True)
        # a sum is read again two cycles later at the soonest, but where there is one channel only
        before = old.data if head.inputs > 1 else Mux(adding, write.data, old.data)
        m.d.sync += kept.eq(Mux(fresh, 0, before))
        m.d.comb += [old.addr.eq(channel), write.addr.eq(later(m, channel, 1, name="channel")), write.en.eq(adding),
                     write.data.eq(kept + later(m, value, 1, name="adds"))]
        return read

    def _logits(self, m, pooled, begin):
        """A row a class: the bias, then channels."""
        head, lane = self.net.head, self.lane
        walking, word, row = Signal(), Signal(range(head.inputs + 1)), Signal(range(head.outputs))
        last = word == head.inputs
        m.d.comb += [lane.first.eq(walking & (word == 0)), lane.last.eq(walking & last)]
        address = Signal.like(lane.addr)
        m.d.comb += lane.addr.eq(address)
        with m.If(begin):
            m.d.sync += [walking.eq(1), word.eq(0), row.eq(0), address.eq(0)]
        with m.Elif(walking):
            m.d.sync += [word.eq(Mux(last, 0, word + 1)), address.eq(address + 1)]
            with m.If(last):
                m.d.sync += row.eq(row + 1)
                with m.If(row == head.outputs - 1):
                    m.d.sync += walking.eq(0)
        channel = later(m, Mux(word == 0, 0, word - 1), MacLanes.OPERAND_OFFSET, name="word")
        bias = later(m, word == 0, MacLanes.OPERAND_OFFSET, name="is_bias")
        m.d.comb += [pooled.addr.eq(channel), lane.operand.eq(Mux(bias, 1 << head.shift, pooled.data))]
        logit = Signal(signed(SUM.width), reset_less=True)
        m.d.sync += logit.eq(saturate(lane.sum.shift_right(head.shift), SUM))
        return later(m, lane.valid, 1, name="logit_valid", reset_less=False), logit

    def _exponentials(self, m, best, logit, asked, begin):
        """Sum of exp(logit - best), and whether all are in it."""
        difference = difference_format(logit_format(self.net.head.fraction))
        m.submodules.exp = exp = Activation("exp", difference, EXP, vendor=self.vendor)
        total, count = Signal(EXP.width + 6), Signal(range(self.net.head.outputs + 1))
        below = Signal(shape(difference))
        m.d.sync += below.eq(logit - best)
        m.d.comb += [exp.i.payload.eq(below), exp.i.valid.eq(later(m, asked, 1, name="asked", reset_less=False))]
        with m.If(begin):
            m.d.sync += [total.eq(0), count.eq(0)]
        with m.Elif(exp.o.valid):
            m.d.sync += [total.eq(total + exp.o.payload.as_unsigned()), count.eq(count + 1)]
        return total, count == self.net.head.outputs

    def _ends(self, m, best, second, total):
        """Whether the step is the last one of its frame: by number, or by its rule; two cycles behind the figures."""
        told, margin = self.told.p, Signal(signed(SUM.width + 1))
        apart, sure, ends = Signal(), Signal(), Signal()
        m.d.sync += [
            margin.eq(best - second), apart.eq(margin >= told.threshold),
            sure.eq(total <= told.threshold << EXP.frac_bits - words.INVERSE_FRACTION),
            ends.eq((told.step == told.last) | ((told.rule == words.RULES.index("margin")) & apart)
                    | ((told.rule == words.RULES.index("softmax")) & sure))]
        return ends

    def _answer(self, m, now):
        """Output words of a step; behind an exit those of the steps that are left out."""
        o, told, outputs, index = self.o, self.told, self.net.head.outputs, now.index
        filled, wait = Signal(4), Signal(range(4))
        last, word = told.p.step == told.p.last, index == outputs
        opens = Signal()
        m.d.comb += self.i.ready.eq(opens)
        m.d.sync += opens.eq(0)
        with m.FSM():
            with m.State("pool"):
                # the last value may come from far away: a cycle more before it is acted on
                m.d.sync += [index.eq(0), opens.eq(told.valid & ~now.begin & ~now.started)]
                with m.If(now.started):
                    m.next = "logits"
            with m.State("logits"):
                with m.If(now.valid):
                    m.d.sync += index.eq(Mux(index == outputs - 1, 0, index + 1))
                    with m.If(index == outputs - 1):
                        m.next = "settle"
            with m.State("settle"):         # the largest logit is known two cycles behind the last one
                m.next = "settled"
            with m.State("settled"):
                m.next = "send"
            with m.State("send"):
                m.d.comb += [o.valid.eq(1), o.p.y.eq(now.logit), now.asked.eq(o.ready)]
                m.d.sync += wait.eq(3)
                with m.If(o.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == outputs - 1):
                        m.next = "judge"
            with m.State("judge"):
                with m.If(now.done):
                    m.d.sync += wait.eq(wait - 1)
                    with m.If(wait == 0):
                        m.next = "say"
            with m.State("say"):
                m.d.comb += [o.valid.eq(1), o.p.last.eq(last), o.p.y.eq(Cat(told.p.step, 1, now.ends, told.p.blocks))]
                with m.If(o.ready):
                    m.d.comb += [self.verdict.eq(1), self.ends.eq(now.ends)]
                    m.d.sync += [filled.eq(told.p.step + 1), index.eq(0)]
                    with m.If(now.ends & ~last):
                        m.next = "fill"
                    with m.Else():
                        m.d.comb += told.ready.eq(1)
                        m.next = "pool"
            with m.State("fill"):
                m.d.comb += [o.valid.eq(1), o.p.y.eq(Mux(word, filled, 0)),
                             o.p.last.eq(word & (filled == told.p.last))]
                with m.If(o.ready):
                    m.d.sync += index.eq(Mux(word, 0, index + 1))
                    with m.If(word):
                        m.d.sync += filled.eq(filled + 1)
                    with m.If(o.p.last):
                        m.d.comb += told.ready.eq(1)
                        m.next = "pool"
