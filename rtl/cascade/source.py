"""The source: frames come in, the stem is made once a frame, and its map passes through all blocks at every step."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.cascade import words
from golden.cascade.layer import ACTIVATION_BITS, MAX_SIDE
from rtl.cascade.detector import Detector
from rtl.cascade.head import pass_layout
from rtl.cascade.joint import Counter, Outbox, Write, value_layout
from rtl.cascade.maps import Map
from rtl.pipeline import later
from rtl.primitives import Bank, bank


def header_layout() -> data.StructLayout:
    """The header of a frame (golden.cascade.words)."""
    return data.StructLayout({"steps": 4, "cut": 1, "serial": 1, "rule": 2, "threshold": 18})


class Source(wiring.Component):
    """Image and stem map, and the steps of a frame.

    A frame may come in while the one before is still refined; its stem is made when that one's last step has passed.
    Where the network has a detector, a frame is also a cut if it differs much from the one before, or if that one was
    cut short or is not known.

    Parameters: net; side of the stem's engine; vendor.
    Members
      i                     words of frames
      o                     values of the stem's map, step after step
      read_addr, read_data  words of the image for the engine; hidden, words of the stem's map from it
      want, taken, arrived, row    as those of a Joint; inner, inner_addr are not used
      told                  of each step, to the head; verdict, ends from there
      tick, begins, drops   a step begins; a frame comes; one that has come in part is dropped
    """

    def __init__(self, net, *, side: int, vendor: str):
        self.net, self.vendor = net, vendor
        self.image = Map(values=net.inputs, side=side, vendor=vendor)
        super().__init__({
            "i": In(stream.Signature(unsigned(18))), "o": Out(stream.Signature(value_layout())),
            "read_addr": In(self.image.read_addr.shape()), "read_data": Out(self.image.read_data.shape()),
            "hidden": In(Write(ACTIVATION_BITS)), "want": Out(1), "taken": In(1),
            "arrived": Out(range(MAX_SIDE + 1)), "row": Out(4), "told": Out(stream.Signature(pass_layout(net))),
            "verdict": In(1), "ends": In(1), "tick": Out(1), "begins": Out(1),
            "drops": Out(1)})

    def elaborate(self, platform):
        m = Module()
        whole, begun = Signal(), Signal()       # the stem's map is there; its first row is
        rows = Signal(range(MAX_SIDE + 1))
        # the engine may lie far away
        en = later(m, self.hidden.en, 1, name="made", reset_less=False)
        row, all_rows, address, word = (later(m, of, 1, name=name) for name, of in (
            ("made_row", self.hidden.row), ("made_all", self.hidden.whole), ("made_address", self.hidden.address),
            ("made_word", self.hidden.data)))
        m.d.comb += [whole.eq(en & all_rows), begun.eq(en & row & (rows == 0))]
        with m.If(self.taken):
            m.d.sync += rows.eq(0)
        with m.Elif(en & row):
            m.d.sync += rows.eq(rows + 1)
        coming, complete, differs = self._frames(m, whole)
        active = Signal()       # steps of a frame are still to pass
        wanted = Signal()
        m.d.comb += [self.want.eq(wanted), self.arrived.eq(MAX_SIDE)]
        m.d.sync += wanted.eq(complete & ~active & ~self.taken & ~wanted | wanted & ~self.taken)
        with m.If(self.taken):
            m.d.sync += active.eq(1)
        now = Signal(header_layout())
        with m.If(begun):
            m.d.sync += now.eq(coming)
            if self.net.detector is not None:
                m.d.sync += now.cut.eq(coming.cut | differs)
        m.submodules.map = store = bank(self.vendor, depth=self._values, width=ACTIVATION_BITS)
        m.d.comb += [store.write_en.eq(en), store.write_addr.eq(address), store.write_data.eq(word)]
        over = self._steps(m, now, begun, rows, store)
        with m.If(over):
            m.d.sync += active.eq(0)
        return m

    @property
    def _values(self) -> int:
        high, wide, channels = self.net.stem.out
        return high * wide * channels

    def _frames(self, m, whole):
        """Words into header and image; complete until the stem has been made of it; whether the frame is another one.

        The first row of the stem takes longer than the detector.
        """
        coming, complete = Signal(header_layout()), Signal()
        index, taken = Signal(range(self.net.inputs + words.HEADER_WORDS)), Signal()
        address = Signal(range(max(2, self.net.inputs)))
        m.submodules.image = image = self.image
        is_value, cut_short = index >= words.HEADER_WORDS, self.i.payload[words.END_BIT]
        writes, differs = self._image(m, taken & is_value, address, complete, whole)
        m.d.comb += [taken.eq(self.i.valid & self.i.ready), self.i.ready.eq(~complete),
                     self.begins.eq(taken & (index == 0) & ~cut_short),
                     self.drops.eq(taken & (index != 0) & cut_short), *writes, self.read_data.eq(image.read_data)]
        with m.If(taken):
            m.d.sync += [index.eq(index + 1), address.eq(Mux(is_value, address + 1, 0))]
            with m.If(index == 0):
                m.d.sync += Cat(coming.steps, coming.cut, coming.serial, coming.rule).eq(self.i.payload)
            with m.If(index == 1):
                m.d.sync += coming.threshold.eq(self.i.payload)
            with m.If(index == self.net.inputs + words.HEADER_WORDS - 1):
                m.d.sync += [index.eq(0), complete.eq(1)]
            with m.If(cut_short):
                m.d.sync += [index.eq(0), complete.eq(0)]
        with m.If(whole):
            m.d.sync += complete.eq(0)
        return coming, complete, differs

    def _image(self, m, en, address, complete, whole):
        """Statements that put a value into the image, past the detector if there is one; whether that sees a cut.

        While words come nothing else reads the image: the stem is made of complete ones.
        """
        image = self.image
        if self.net.detector is None:
            return [image.write_en.eq(en), image.write_addr.eq(address), image.write_data.eq(self.i.payload),
                    image.read_addr.eq(self.read_addr)], None
        m.submodules.detector = unit = Detector(image, values=self.net.inputs, threshold=self.net.detector)
        unknown = Signal(init=1)        # what the image holds is no whole frame
        writes = [unit.clear.eq(self.begins), unit.en.eq(en), unit.address.eq(address),
                  unit.value.eq(self.i.payload), unit.read_data.eq(image.read_data), image.write_en.eq(unit.write_en),
                  image.write_addr.eq(unit.write_addr), image.write_data.eq(unit.write_data),
                  image.read_addr.eq(Mux(complete, self.read_addr, unit.read_addr))]
        with m.If(self.drops):
            m.d.sync += unknown.eq(1)
        with m.If(whole):
            m.d.sync += unknown.eq(0)
        return writes, unit.differs | unknown

    def _steps(self, m, now, begun, rows, store):
        """Send the stem's map once a step; the frame is over when its last one has passed, or when it is judged so.

        The first step follows the stem row after row.
        """
        net = self.net
        m.submodules.outbox = outbox = Outbox(net.stem.main[0].pixels)
        wiring.connect(m, outbox.o, wiring.flipped(self.o))
        layout = pass_layout(net)
        m.submodules.told = told = fifo.SyncFIFOBuffered(width=layout.size, depth=4)
        step, send, passed, over, begin = Signal(4), Signal(), Signal(), Signal(), Signal()
        unjudged = Signal(3)        # steps of which no verdict has come: the last one's, when there is one
        m.d.sync += unjudged.eq(unjudged + begin - self.verdict)
        place, may = Counter(m, "out", net.stem.out, send), Signal()
        # known a cycle late, so nothing is sent in the cycle behind a row's last value
        m.d.sync += [may.eq((rows > place.y) & ~(send & place.row)), passed.eq(send & place.end)]
        # a header of no steps, which golden refuses, is one of 16: a frame ends whatever it says
        last, since = step == (now.steps - 1)[:4], Signal(len(net.blocks))
        blocks, entry = self._blocks(m, now, step, since), Signal(layout)
        m.d.comb += [entry.step.eq(step), entry.last.eq(now.steps - 1), entry.blocks.eq(blocks),
                     entry.rule.eq(now.rule), entry.threshold.eq(now.threshold), told.w_data.eq(entry),
                     told.w_en.eq(begin), self.told.valid.eq(told.r_rdy), self.told.payload.eq(told.r_data),
                     told.r_en.eq(self.told.ready), self.tick.eq(begin), outbox.reserve.eq(send),
                     store.read_addr.eq(place.address)]
        with m.FSM():
            with m.State("rest"):
                m.d.sync += step.eq(0)
                with m.If(begun):
                    m.next = "begin"
            with m.State("begin"):
                m.d.comb += begin.eq(told.w_rdy)
                with m.If(begin):
                    m.d.sync += since.eq(Cat(step == 0, Mux(now.cut & (step == 0), 0, since)))
                    m.next = "pass"
            with m.State("pass"):
                m.d.comb += send.eq(outbox.room & may)
                with m.If(passed):
                    with m.If(last):
                        m.d.comb += over.eq(1)
                        m.next = "rest"
                    with m.Elif(now.rule == words.RULES.index("never")):
                        m.d.sync += step.eq(step + 1)
                        m.next = "begin"
                    with m.Else():
                        m.next = "judge"
            with m.State("judge"):
                with m.If(self.verdict & (unjudged == 1)):
                    m.d.sync += step.eq(step + 1)
                    m.d.comb += over.eq(self.ends)
                    with m.If(self.ends):
                        m.next = "rest"
                    with m.Else():
                        m.next = "begin"
        value = Signal(value_layout())
        m.d.comb += [value.first.eq(place.address == 0), value.new.eq(step == 0), value.cut.eq(now.cut & (step == 0)),
                     value.serial.eq(now.serial)]
        value = data.View(value_layout(), later(m, value, Bank.LATENCY, name="value"))
        m.d.comb += [outbox.i.eq(value), outbox.i.h.eq(store.read_data),
                     outbox.i_valid.eq(later(m, send, Bank.LATENCY, name="sent", reset_less=False))]
        return over

    def _blocks(self, m, now, step, since):
        """The blocks that work in the step that begins (golden.cascade.engine.works)."""
        size = len(self.net.blocks)
        after = Cat(step == 0, Mux(now.cut & (step == 0), 0, since))[:size]
        return Cat(Mux(now.serial, after[k], after[:k + 1].any()) for k in range(size))
