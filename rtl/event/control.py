"""What happens when in an event engine: words in, spikes to jobs, updates, words out."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.event.geometry import WORD
from golden.event.words import EVENT, KIND_SHIFT, TICK, VALUE
from rtl.event.history import keeps_lines, sizes
from rtl.event.layouts import COLUMN, bits, plan, source_layout, update_layout
from rtl.pipeline import later

#: bits of the place in a word
WORD_SHIFT = WORD.bit_length() - 1


class Updates(wiring.Component):
    """Passes over the neurons of a population, or over all sums to clear them.

    Parameters: net; latency from `update` to `fired`.
    Members
      start, population   update all neurons of a population
      clear               clear the sums of every slot, and all states
      now                 slot of this tick
      update, fired       to all lanes, and from them
      membranes           from them, where neurons do not fire; shown_en, shown: one after another, as answers
      write, write_word, write_bits   a word of the history
      idle                            nothing is under way
    """

    def __init__(self, net, latency: int):
        self.net, self.latency = net, latency
        word = unsigned(bits(sizes(net).words + 1))
        super().__init__({
            "start": In(1), "population": In(bits(len(net.populations))), "clear": In(1), "now": In(plan(net).g.fine),
            "update": Out(update_layout(net)), "fired": In(net.folded), "write": Out(1), "write_word": Out(word),
            "write_bits": Out(WORD), "idle": Out(1)} | ({} if net.spikes_alone else {
                "membranes": In(signed(COLUMN)).array(net.folded), "shown_en": Out(1), "shown": Out(COLUMN)}))

    def elaborate(self, platform):
        m = Module()
        net, g, lanes = self.net, plan(self.net).g, self.net.folded
        words = [-(-each.size // WORD) for each in net.populations]
        step = Signal(range(max(max(words) * WORD // lanes, g.depth << g.fine) + 1))
        running, clearing = Signal(), Signal()
        population = Signal.like(self.population)

        def of(values):
            return Array(values)[population] if len(set(values)) > 1 else values[0]

        steps, there = of([n * WORD // lanes for n in words]), of([-(-each.size // lanes) for each in net.populations])
        last = Signal()
        goes = self._paced(m, running, clearing, of)
        m.d.comb += last.eq(step == Mux(clearing, (g.depth << g.fine) - 1, steps - 1))
        with m.If(self.start | self.clear):
            m.d.sync += [running.eq(1), clearing.eq(self.clear), population.eq(self.population), step.eq(0)]
        with m.Elif(goes):
            m.d.sync += [step.eq(step + 1), running.eq(~last)]
        u, valid = Signal(update_layout(net)), Signal()
        m.d.comb += [valid.eq(goes & (clearing | (step < there)))]
        m.d.sync += [u.en.eq(valid), u.neuron.eq(valid), u.zero.eq(clearing), u.population.eq(population),
                     u.slot.eq(Mux(clearing, step[:g.fine], self.now)),
                     u.local.eq(Mux(clearing, step >> g.fine, of(list(g.offset)) + step))]
        begins = self.start | self.clear
        m.d.comb += [self.update.eq(u), self.idle.eq(~(begins | running | u.en | self._gather(
            m, goes, ~clearing, step, population, of)))]
        return m

    def _paced(self, m, running, clearing, of):
        """When a step is made: in every cycle, or as fast as membranes leave one after another."""
        net, lanes = self.net, self.net.folded
        if net.spikes_alone or lanes == 1:
            return running
        turn, goes = Signal(range(lanes)), Signal()
        m.d.sync += turn.eq(Mux(running, turn + 1, 0))
        m.d.comb += goes.eq(running & (clearing | of([int(each.fires) for each in net.populations]) | turn.all()))
        return goes

    def _gather(self, m, running, updating, step, population, of):
        """Spikes of all lanes to words of the history; whether some are on their way."""
        net, g, lanes = self.net, plan(self.net).g, self.net.folded
        cycles = 1 + self.latency
        flow = [running]
        for n in range(cycles):
            flow.append(later(m, flow[-1], 1, name=f"flow{n}", reset_less=False))
        at = Signal.like(step)
        came = flow[-1] & updating
        with m.If(self.start):
            m.d.sync += at.eq(0)
        with m.Elif(came):
            m.d.sync += at.eq(at + 1)
        # neurons beyond the last one do not fire
        size = of([each.size for each in net.populations])
        number = [Cat(Const(lane, bits(lanes)), at) if lanes > 1 else at for lane in range(lanes)]
        fired = Cat(fires & (each < size) for fires, each in zip(self.fired, number, strict=True))
        gathered = Signal(WORD, reset_less=True)
        every = WORD // lanes
        full = came & (at[:bits(every)] == every - 1)
        with m.If(came):
            m.d.sync += gathered.eq(Cat(gathered[lanes:], fired))
        m.d.sync += [self.write.eq(full), self.write_word.eq(of(list(g.history[:-2])) + (at >> bits(every)))]
        m.d.comb += self.write_bits.eq(gathered)
        under_way = Cat(flow).any() | self.write
        if net.spikes_alone:
            return under_way
        return under_way | self._show(m, came, Cat(each < size for each in number), of)

    def _show(self, m, came, there, of):
        """Membranes of all lanes, one after another; whether some wait."""
        held, waits = Signal(COLUMN * self.net.folded, reset_less=True), Signal(self.net.folded)
        m.d.sync += [held.eq(held >> COLUMN), waits.eq(waits >> 1)]
        with m.If(came & (of([int(each.fires) for each in self.net.populations]) == 0)):
            m.d.sync += [held.eq(Cat(self.membranes)), waits.eq(there)]
        m.d.comb += [self.shown.eq(held[:COLUMN]), self.shown_en.eq(waits[0])]
        return waits.any()


class Control(wiring.Component):
    """Takes words, and leads passes of the history and updates, tick by tick.

    Of a tick: events as they come; at the word that ends it, spikes that are visited again, the eldest first; then of
    each population an update, and a pass of its spikes. Updates begin when nothing of what was before is under way.

    Parameters: net.
    Members
      i, spike                        words in; events of lines out
      quiet                           no spike, job or update is under way
      tick, inside                    its number; words of it have come
      running, done                   it is computed; for one cycle: it is over
      start, population, clear        as Updates has them
      pass_start, .._begin, .._end, .._visit, .._busy    a pass of the history, that is read until not busy
      line_write, .._word, .._bits    a word of the history of lines
      event                           for one cycle: an event of a line is taken
      room                            where neurons do not fire: for the membranes of a population as answers
    """

    #: cycles for which all must be quiet: signals of that come late
    STILL = 4

    def __init__(self, net):
        self.net = net
        word, g = unsigned(bits(sizes(net).words + 1)), plan(net).g
        words = data.StructLayout({"x": unsigned(18), "first": unsigned(1)})
        super().__init__({
            "i": In(stream.Signature(words)), "spike": Out(stream.Signature(source_layout(net))), "quiet": In(1),
            "tick": Out(net.delay_bits), "inside": Out(1), "running": Out(1), "done": Out(1),
            "start": Out(1), "clear": Out(1), "population": Out(bits(len(net.populations))),
            "pass_start": Out(1), "pass_begin": Out(word), "pass_end": Out(word), "pass_visit": Out(bits(g.visits)),
            "pass_busy": In(1), "line_write": Out(1), "line_word": Out(word), "line_bits": Out(WORD), "event": Out(1)}
            | ({} if net.spikes_alone else {"room": In(1)}))

    def elaborate(self, platform):
        m = Module()
        net, g, i, population, visit = self.net, plan(self.net).g, self.i, self.population, self.pass_visit
        cleared, begin, value, calm = Signal(), Signal(init=1), Signal(signed(WORD), init=1), Signal()
        still = Signal(range(self.STILL + 1))
        # visits that there has been a tick for, and ticks that count towards the next one
        age, ticks = Signal.like(visit), Signal(g.fine)
        flush, flushed, here = self._lines(m)
        m.d.comb += [calm.eq(still == self.STILL), self.running.eq(1), self._passes()]
        m.d.sync += still.eq(Mux(self.quiet, Mux(calm, still, still + 1), 0))

        def go(state):
            m.d.sync += still.eq(0)
            m.next = state
        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.running.eq(0)
                with m.If(i.valid & ((i.p.first & ~cleared) | begin)):
                    m.d.comb += self.clear.eq(calm)
                    with m.If(calm):
                        m.d.sync += [self.tick.eq(0), age.eq(0), ticks.eq(0), value.eq(1),
                                     self.inside.eq(0), cleared.eq(1), begin.eq(0)]
                        go("clear")
                with m.Elif(i.valid):
                    self._word(m, value, flush, here, go)
                    with m.If(i.ready):
                        m.d.sync += cleared.eq(0)
            with m.State("clear"):
                with m.If(calm):
                    go("idle")
            with m.State("lines"):
                m.d.comb += flush.eq(1)
                with m.If(flushed):
                    m.d.sync += visit.eq(age)
                    go("visits")
            with m.State("visits"):
                with m.If(visit != 0):
                    m.d.comb += self.pass_start.eq(1)
                    go("visiting")
                with m.Elif(calm if net.spikes_alone else calm & self.room):
                    m.d.comb += self.start.eq(1)
                    go("update")
            with m.State("visiting"):
                with m.If(~self.pass_busy):
                    m.d.sync += visit.eq(visit - 1)
                    go("visits")
            with m.State("update"):
                with m.If(calm):
                    m.d.comb += self.pass_start.eq(1)
                    go("spikes")
            with m.State("spikes"):
                m.d.comb += self.done.eq(calm & (population == len(net.populations) - 1))
                with m.If(calm):
                    m.d.sync += population.eq(population + 1)
                    go("visits")
                with m.If(self.done):
                    m.d.sync += [population.eq(0), value.eq(1)]
                    go("idle")
        self._count(m, ticks, age)
        return m

    def _count(self, m, ticks, age):
        """The end of a tick; and whether there has been one for another visit."""
        with m.If(self.done):
            m.d.sync += [self.tick.eq(self.tick + 1), ticks.eq(ticks + 1), self.inside.eq(0)]
            with m.If(ticks.all() & (age != plan(self.net).g.visits - 1)):
                m.d.sync += age.eq(age + 1)

    def _word(self, m, value, flush, here, go):
        """A word, in whose place `here` is where it is an event."""
        i, spike = self.i, self.spike
        with m.Switch(i.p.x[KIND_SHIFT:]):
            with m.Case(EVENT):
                m.d.comb += [spike.valid.eq(here), flush.eq(~here), i.ready.eq(here & spike.ready),
                             self.event.eq(i.ready)]
                m.d.sync += self.inside.eq(1)
            with m.Case(VALUE):
                m.d.comb += i.ready.eq(1)
                m.d.sync += [value.eq(i.p.x[:WORD].as_signed()), self.inside.eq(1)]
            with m.Default():       # the end of a tick, or what is cut short
                m.d.comb += i.ready.eq(1)
                with m.If((i.p.x[KIND_SHIFT:] == TICK) | self.inside):
                    go("lines")
        m.d.comb += [spike.p.region.eq(len(self.net.populations)), spike.p.index.eq(i.p.x[:bits(self.net.lines)])]
        if "value" in spike.payload.shape().members:
            m.d.comb += spike.p.value.eq(value)

    def _lines(self, m):
        """Events as words of the history, where visits come back to them: flush, all flushed, an event has its word."""
        net, g, line = self.net, plan(self.net).g, self.i.p.x[:bits(self.net.lines)]
        flush, flushed, here = Signal(), Signal(), Signal()
        if not keeps_lines(net):
            m.d.comb += [flushed.eq(1), here.eq(1)]
            return flush, flushed, here
        words = g.history[-1] - g.history[-2]
        at, gathered = Signal(bits(words)), Signal(WORD)
        place, number = line[:WORD_SHIFT], line[WORD_SHIFT:]
        m.d.comb += [here.eq(at == number if words > 1 else 1), flushed.eq(flush & (at == words - 1)),
                     self.line_write.eq(flush), self.line_bits.eq(gathered), self.line_word.eq(at + g.history[-2])]
        with m.If(flush):
            m.d.sync += [gathered.eq(0), at.eq(Mux(flushed, 0, at + 1))]
        with m.Elif(self.event):
            m.d.sync += gathered.eq(gathered | 1 << place)
        with m.If(self.clear):
            m.d.sync += [gathered.eq(0), at.eq(0)]
        return flush, flushed, here

    def _passes(self):
        """A pass is over all words, or over those of a population."""
        net, g = self.net, plan(self.net).g
        begins, ends = Array(g.history[:-2])[self.population], Array(g.history[1:-1])[self.population]
        old = self.pass_visit != 0
        return [self.pass_begin.eq(Mux(old, 0, begins)), self.pass_end.eq(Mux(old, sizes(net).words, ends))]
