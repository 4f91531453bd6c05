"""An event-driven network as a circuit: words in, spikes to lanes as jobs, words out.

words -> [Control] -- events --> [Expander] -- jobs --> [Lane] x lanes -- fired --> [Updates] -> [History]
passes of the history ^-------- spikes of this tick and of those a visit ago --------'
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.event.geometry import WORD, raster_words
from golden.event.network import EventNetwork
from rtl.event.control import Control, Updates
from rtl.event.expander import Expander
from rtl.event.history import History, Recall
from rtl.event.lane import Lane
from rtl.event.layouts import COLUMN, plan
from rtl.host.core import CoreInfo, settle_cycles
from rtl.pipeline import ParameterBus, hop, join

#: words of answers that wait, at least
ANSWERS = 512


def output_ticks(net) -> int:
    """Ticks whose answers may wait."""
    return max(1, (ANSWERS - 8) // len(raster_words(net)))


def answer_bits(net) -> int:
    """Bits of an answer: spikes of a word, or a membrane."""
    return WORD if net.spikes_alone else COLUMN


def recalls(net) -> bool:
    """Whether values of lines are kept for later visits."""
    p = plan(net)
    return p.multiplies and p.g.visits > 1


class EventCore(wiring.Component):
    """All of an event-driven network (golden.event.words has its words).

    The first word of a sequence clears what is under way. Parameters are loaded in place, between ticks.

    Members: i, o; params; half follows want_half; busy, a tick has begun or answers wait; tick, stall, events; lost, 0.
    """

    def __init__(self, net: EventNetwork, *, vendor: str = "generic"):
        self.net, self.vendor = net, vendor
        words = data.StructLayout({"x": unsigned(18), "first": unsigned(1)})
        answers = data.StructLayout({"y": signed(18), "last": unsigned(1)})
        super().__init__({
            "i": In(stream.Signature(words)), "o": Out(stream.Signature(answers)), "params": In(ParameterBus()),
            "want_half": In(1), "half": Out(1), "busy": Out(1), "tick": Out(1), "stall": Out(1),
            "lost": Out(2 * len(net.layers))})
        # a tick takes as long as there are spikes
        self.info = CoreInfo(constants={"cycles_per_tick": 0, "output_ticks": self.output_ticks}, halves=1,
                             settle=settle_cycles(net), patience=self.longest_wait(net))

    @property
    def output_ticks(self) -> int:
        """Ticks whose answers may wait."""
        return output_ticks(self.net)

    @staticmethod
    def longest_wait(net) -> int:
        """Cycles for which an input word may be held: a tick in which everything fires, and clearing."""
        g = plan(net).g
        return 2 * g.dense + 2 * g.listed + 16 * (net.neurons + net.lines) * g.visits + (g.depth << g.fine) + 4096

    def elaborate(self, platform):
        m = Module()
        net = self.net
        m.submodules.control = control = Control(net)
        m.submodules.expander = expander = Expander(net, vendor=self.vendor)
        m.submodules.history = history = History(net, vendor=self.vendor)
        params = hop(m, self.params, name="params")
        join(m, expander.params, params)
        lanes = []
        for n in range(net.folded):
            m.submodules[f"lane{n}"] = lane = Lane(net, n, vendor=self.vendor)
            join(m, lane.i_params, params)
            params = lane.o_params
            lanes.append(lane)
        m.submodules.updates = updates = Updates(net, lanes[0].latency)
        m.d.sync += self.half.eq(self.want_half)
        m.d.comb += [control.i.valid.eq(self.i.valid), control.i.payload.eq(self.i.payload),
                     self.i.ready.eq(control.i.ready)]
        self._lanes(m, control, expander, updates, lanes)
        idle = self._spikes(m, control, expander, history)
        self._history(m, control, history, updates)
        self._answers(m, control, history, updates)
        m.d.comb += control.quiet.eq(Cat(idle, expander.idle, history.idle, updates.idle,
                                         *(lane.idle for lane in lanes)).all())
        return m

    def _lanes(self, m, control, expander, updates, lanes):
        """A job goes to all lanes at once."""
        free = Cat(lane.i.ready for lane in lanes).all()
        m.d.comb += [expander.o.ready.eq(free), updates.start.eq(control.start), updates.clear.eq(control.clear),
                     updates.population.eq(control.population), updates.now.eq(control.tick),
                     updates.fired.eq(Cat(lane.fired for lane in lanes))]
        for lane in lanes:
            m.d.comb += [lane.i.valid.eq(expander.o.valid & free), lane.i.payload.eq(expander.o.payload),
                         lane.now.eq(control.tick), lane.update.eq(updates.update)]
        if not self.net.spikes_alone:
            m.d.comb += [each.eq(lane.membrane) for each, lane in zip(updates.membranes, lanes, strict=True)]

    def _spikes(self, m, control, expander, history):
        """Events of lines, then spikes that passes find; whether none of them is kept on its way."""
        spikes, idle = history.o, 1
        if recalls(self.net):
            m.submodules.recall = recall = Recall(self.net, vendor=self.vendor)
            wiring.connect(m, history.o, recall.i)
            m.d.comb += [recall.tick.eq(control.tick), recall.write.eq(control.event),
                         recall.write_line.eq(control.spike.p.index), recall.write_value.eq(control.spike.p.value)]
            spikes, idle = recall.o, recall.idle
        own = control.spike.valid
        m.d.comb += [expander.i.valid.eq(own | spikes.valid), control.spike.ready.eq(expander.i.ready),
                     spikes.ready.eq(expander.i.ready & ~own),
                     expander.i.payload.eq(Mux(own, control.spike.payload, spikes.payload))]
        return idle

    @staticmethod
    def _history(m, control, history, updates):
        m.d.comb += [
            history.write.eq(updates.write | control.line_write), history.tick.eq(control.tick),
            history.write_word.eq(Mux(updates.write, updates.write_word, control.line_word)),
            history.write_bits.eq(Mux(updates.write, updates.write_bits, control.line_bits)),
            history.start.eq(control.pass_start), history.begin.eq(control.pass_begin),
            history.end.eq(control.pass_end), history.visit.eq(control.pass_visit), control.pass_busy.eq(history.busy)]

    def _answers(self, m, control, history, updates):
        """Words that are looked at, in a queue."""
        net, count, en, word = self.net, len(raster_words(self.net)), history.raster_en, history.raster
        if not net.spikes_alone:
            en, word = en | updates.shown_en, Mux(updates.shown_en, updates.shown, word)
        m.submodules.answers = queue = fifo.SyncFIFOBuffered(width=answer_bits(net) + 1, depth=max(ANSWERS, count + 8))
        number = Signal(range(count + 1))
        last = number == count - 1
        m.d.sync += history.raster_room.eq(queue.level < queue.depth - History.ROOM - 2)
        if not net.spikes_alone:
            most = max(each.size for each in net.populations if not each.fires)
            m.d.sync += control.room.eq(queue.level < queue.depth - most - 2)
        m.d.comb += [queue.w_en.eq(en), queue.w_data.eq(Cat(word, last)),
                     queue.r_en.eq(~self.o.valid | self.o.ready)]
        with m.If(queue.r_en):      # what comes out of a block RAM has a register behind it
            m.d.sync += [self.o.valid.eq(queue.r_rdy), self.o.p.y.eq(queue.r_data[:-1]),
                         self.o.p.last.eq(queue.r_data[-1])]
        with m.If(en):
            m.d.sync += number.eq(Mux(last, 0, number + 1))
        waits = self.o.valid | queue.r_rdy | (queue.level != 0)
        m.d.sync += [self.busy.eq(control.inside | control.running | self.i.valid | waits),
                     self.tick.eq(control.done), self.stall.eq(self.i.valid & ~self.i.ready)]
