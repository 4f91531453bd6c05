"""The spikes of the last ticks, a bit each: written word by word, read in passes that hand on what is in them."""

from typing import NamedTuple

from amaranth.hdl import Array, Cat, Const, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.event.geometry import WORD, raster_words
from rtl.event.finder import Finder, waiting
from rtl.event.layouts import Kind, bits, plan, source_layout
from rtl.pipeline import later
from rtl.primitives import bank


class Sizes(NamedTuple):
    """Words of the history: of a tick, that are kept of ticks, and the bits of their numbers."""

    words: int
    ticks: int


def sizes(net) -> Sizes:
    """Lines are kept only where a visit comes back to them."""
    g = plan(net).g
    return Sizes(g.history[-1] if keeps_lines(net) else g.history[-2], 1 << net.delay_bits if g.visits > 1 else 1)


def keeps_lines(net) -> bool:
    """Whether synapses of lines are visited again."""
    return plan(net).g.visits > 1 and any(item.kind != Kind.DIRECT for item in plan(net).items[-1])


class History(wiring.Component):
    """Keeps words of spikes, and reads them in a pass: every word of a population, or of a tick some ticks ago.

    What a pass finds goes to `o`, a spike at a time, and words that are looked at to `raster`. A pass reads a word a
    cycle, as long as few of them wait.

    Parameters: net; vendor.
    Members
      write, write_word, write_bits   a word of spikes of `tick`
      tick                            number of the tick that is computed
      start, begin, end, visit        begin a pass over words begin..end of the tick visit << fine ago
      o                               spikes
      raster_en, raster               words of passes of visit 0 that are looked at; raster_room, for ROOM of them
      busy                            a pass is read
      idle                            neither that, nor does anything of one wait
    """

    QUEUE = 16
    #: words that may come when room is seen to end
    ROOM = 5

    def __init__(self, net, *, vendor: str):
        self.net, self.vendor = net, vendor
        word = unsigned(bits(sizes(net).words + 1))
        super().__init__({
            "write": In(1), "write_word": In(word), "write_bits": In(WORD), "tick": In(net.delay_bits),
            "start": In(1), "begin": In(word), "end": In(word), "visit": In(bits(plan(net).g.visits)),
            "o": Out(stream.Signature(source_layout(net))), "raster_room": In(1), "raster_en": Out(1),
            "raster": Out(WORD), "busy": Out(1), "idle": Out(1)})

    def elaborate(self, platform):
        m = Module()
        net, g, size = self.net, plan(self.net).g, sizes(self.net)
        m.submodules.words = words = bank(self.vendor, depth=size.words * size.ticks, width=WORD)
        here, end, visit, running = Signal.like(self.begin), Signal.like(self.end), Signal.like(self.visit), Signal()
        ago = Signal(net.delay_bits)
        m.d.comb += [ago.eq(self.tick - Cat(Const(0, g.fine), visit)), words.read_addr.eq(self._place(here, ago)),
                     words.write_addr.eq(self._place(self.write_word, self.tick)),
                     words.write_data.eq(self.write_bits), words.write_en.eq(self.write)]
        tag = data.StructLayout({"region": unsigned(bits(len(g.history) - 1)), "word": unsigned(bits(max(
            b - a for a, b in zip(g.history, g.history[1:], strict=False)))), "visit": unsigned(bits(g.visits))})
        queue = waiting(m, width=WORD + tag.size, depth=self.QUEUE)
        m.submodules.finder = finder = Finder(WORD, tag)
        room, step = Signal(), Signal()
        m.d.sync += room.eq((queue.level < self.QUEUE - 6) & self.raster_room)
        m.d.comb += step.eq(running & room)
        with m.If(self.start):
            m.d.sync += [here.eq(self.begin), end.eq(self.end), visit.eq(self.visit), running.eq(1)]
        with m.Elif(step):
            m.d.sync += [here.eq(here + 1), running.eq(here + 1 != end)]
        asked = [later(m, step, n, name=f"step{n}", reset_less=False) for n in (1, 2, 3)]
        came, at, age = asked[-1], later(m, here, 3, name="at"), later(m, visit, 3, name="age")
        now = Signal(tag)
        m.d.comb += now.visit.eq(age)
        self._region(m, at, now)
        found, sends = (later(m, words.read_data, 1, name="found"),
                        self._among(now.region, [bool(each) for each in plan(net).items]))
        m.d.comb += [queue.w_data.eq(Cat(found, now)), queue.w_en.eq(came & found.any() & sends),
                     self.raster.eq(found), self.raster_en.eq(came & (age == 0) & self._among(at, self._shown()))]
        m.d.comb += [finder.i.valid.eq(queue.r_rdy), queue.r_en.eq(finder.i.ready), finder.i.payload.eq(queue.r_data),
                     finder.o.ready.eq(self.o.ready), self.o.valid.eq(finder.o.valid),
                     self.o.p.region.eq(finder.o.p.tag.region), self.o.p.visit.eq(finder.o.p.tag.visit),
                     self.o.p.index.eq(Cat(finder.o.p.index, finder.o.p.tag.word)),
                     self.busy.eq(self.start | running),
                     self.idle.eq(~(self.busy | Cat(asked).any() | queue.r_rdy | (queue.level != 0)) & finder.idle)]
        if "value" in self.o.payload.shape().members:
            m.d.comb += self.o.p.value.eq(1)
        return m

    def _place(self, word, tick):
        """Address of a word of a tick."""
        return Cat(tick, word) if sizes(self.net).ticks > 1 else word

    def _region(self, m, at, now):
        """The population, or the lines, that a word of the history is of, and its number there."""
        starts = plan(self.net).g.history[:-1]
        m.d.comb += now.word.eq(at)
        for n, start in enumerate(starts[1:], 1):
            with m.If(at >= start):
                m.d.comb += [now.region.eq(n), now.word.eq(at - start)]

    def _shown(self) -> list[bool]:
        """Which words of the history are looked at."""
        net, g, chosen = self.net, plan(self.net).g, raster_words(self.net)
        return [each.fires and (n, k) in chosen for n, each in enumerate(net.populations)
                for k in range(g.history[n + 1] - g.history[n])]

    @staticmethod
    def _among(number, chosen: list[bool]):
        """Whether a number is one of those that are chosen."""
        return Const(1) if all(chosen) else Array(map(int, chosen))[number]


class Recall(wiring.Component):
    """Puts the value of a line to a spike that is visited again.

    Parameters: net; vendor. Members: write, write_line, write_value, of `tick`; i, o, spikes; idle.
    """

    def __init__(self, net, *, vendor: str):
        self.net, self.vendor = net, vendor
        spikes = source_layout(net)
        super().__init__({
            "write": In(1), "write_line": In(bits(net.lines)), "write_value": In(spikes["value"].shape),
            "tick": In(net.delay_bits), "i": In(stream.Signature(spikes)), "o": Out(stream.Signature(spikes)),
            "idle": Out(1)})

    def elaborate(self, platform):
        m = Module()
        net, g, i, o = self.net, plan(self.net).g, self.i, self.o
        m.submodules.values = values = bank(self.vendor, depth=net.lines << net.delay_bits, width=len(self.write_value))
        ago = Signal(net.delay_bits)
        m.d.comb += [ago.eq(self.tick - Cat(Const(0, g.fine), i.p.visit)),
                     values.read_addr.eq(Cat(ago, i.p.index[:bits(net.lines)])),
                     values.write_addr.eq(Cat(self.tick, self.write_line)), values.write_data.eq(self.write_value),
                     values.write_en.eq(self.write)]
        is_line, wait = i.p.region == len(net.populations), Signal(range(values.LATENCY + 1))
        ready = ~is_line | (wait == values.LATENCY)
        m.d.comb += [o.payload.eq(i.payload), o.valid.eq(i.valid & ready), i.ready.eq(o.ready & ready),
                     self.idle.eq(~i.valid)]
        with m.If(is_line):
            m.d.comb += o.p.value.eq(values.read_data.as_signed())
        with m.If(~i.valid | i.ready):
            m.d.sync += wait.eq(0)
        with m.Elif(~ready):
            m.d.sync += wait.eq(wait + 1)
        return m
