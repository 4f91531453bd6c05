"""Joints: where a block meets its neighbours. The identity passes through all of them in one step.

    h of the block below --+--> [input map] --> engine         a word is a value: row after row, channels innermost
                           |
                           +--> + <-- [residual] <-- engine    (where the shape changes: [sums] <-- engine, then out)
                                |
                                +--> h of the block above

A step passes as a stream of values. What the engine reads is overwritten only when it has read it, and a residual is
used only where it is whole, row after row: so the next step begins to pass while the last one is still convolved.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.cascade.layer import ACTIVATION_BITS, MAX_MAP, MAX_SIDE, RESIDUAL_BITS, RESIDUAL_FRACTION, Block
from rtl.cascade.maps import Map
from rtl.cascade.sums import clipped
from rtl.fixed import round_shift
from rtl.pipeline import later
from rtl.primitives import Bank, bank

#: values on the way between two blocks; maps of one pixel pass in no time through a queue that needs no block RAM
QUEUE, SHORT_QUEUE = 16, 4


def value_layout() -> data.StructLayout:
    """A value on its way, h; with the first one of a step what the step is told with (golden.cascade.words)."""
    return data.StructLayout({"h": unsigned(ACTIVATION_BITS), "first": 1, "new": 1, "cut": 1, "serial": 1})


class Write(wiring.Signature):
    """A word that an engine has made: value `address` of a map; with it a row of the map is there, or all of it."""

    def __init__(self, width: int):
        super().__init__({"en": Out(1), "address": Out((MAX_MAP - 1).bit_length()), "data": Out(width), "row": Out(1),
                          "whole": Out(1)})


class Counter:
    """Where a stream of values is in a map: address, row y; `row` with the last value of a row, `end` with the last."""

    def __init__(self, m, name: str, shape: tuple[int, int, int], en):
        high, wide, channels = shape
        channel, x = Signal(range(max(2, channels)), name=f"{name}_c"), Signal(range(max(2, wide)), name=f"{name}_x")
        self.y = Signal(range(max(2, high)), name=f"{name}_y")
        self.address = Signal(range(max(2, high * wide * channels)), name=f"{name}_address")
        self.row, self.end = Signal(name=f"{name}_row"), Signal(name=f"{name}_end")
        pixel = channel == channels - 1
        m.d.comb += [self.row.eq(pixel & (x == wide - 1)), self.end.eq(self.row & (self.y == high - 1))]
        with m.If(en):
            m.d.sync += [self.address.eq(Mux(self.end, 0, self.address + 1)),
                         channel.eq(Mux(pixel, 0, channel + 1))]
            with m.If(pixel):
                m.d.sync += x.eq(Mux(self.row, 0, x + 1))
            with m.If(self.row):
                m.d.sync += self.y.eq(Mux(self.end, 0, self.y + 1))


class Outbox(wiring.Component):
    """Values that leave through a queue, for who knows a few cycles before that one will come.

    Parameters: pixels of the map whose values they are.
    Members: reserve, a value will come; room, whether one may, which is known a cycle late; i_valid, i; o.
    """

    def __init__(self, pixels: int):
        self.depth = self.size(pixels)
        super().__init__({"reserve": In(1), "room": Out(1, init=1), "i_valid": In(1), "i": In(value_layout()),
                          "o": Out(stream.Signature(value_layout()))})

    @staticmethod
    def size(pixels: int) -> int:
        """Values that it holds."""
        return QUEUE if pixels > 1 else SHORT_QUEUE

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=value_layout().size, depth=self.depth)
        free = Signal(range(self.depth + 1), init=self.depth)
        # of two places one may be taken in this very cycle
        m.d.sync += [free.eq(free + (self.o.valid & self.o.ready) - self.reserve), self.room.eq(free > 1)]
        m.d.comb += [self.o.valid.eq(queue.r_rdy), self.o.payload.eq(queue.r_data),
                     queue.r_en.eq(self.o.ready), queue.w_en.eq(self.i_valid), queue.w_data.eq(self.i)]
        return m


class Decision(wiring.Component):
    """What a block does in a step, decided with its first value; golden.cascade.engine.works.

    Parameters: number of the block, 1..; rows of its scales.
    Members: first, new, cut, serial, with the first value; works, shorts (its shortcut has to be made anew) and empty
    (its residual counts as zero), as of this step from that cycle on; row of its scales, a cycle later.
    """

    def __init__(self, number: int, rows: int):
        self.number, self.rows = number, rows
        super().__init__({"first": In(1), "new": In(1), "cut": In(1), "serial": In(1), "works": Out(1),
                          "shorts": Out(1), "empty": Out(1), "row": Out(4)})

    def elaborate(self, platform):
        m = Module()
        k = self.number
        since, since_next = Signal(k + 1), Signal(k + 1)
        was, empty, worked, shorted = Signal(range(max(2, self.rows))), Signal(init=1), Signal(), Signal()
        m.d.comb += [since_next.eq(Cat(self.new, Mux(self.cut, 0, since))), self.works.eq(worked),
                     self.shorts.eq(shorted), self.empty.eq(empty), self.row.eq(was)]
        with m.If(self.first):
            m.d.comb += [self.works.eq(Mux(self.serial, since_next[k - 1], since_next[:k].any())),
                         self.shorts.eq(since_next.any()), self.empty.eq(self.cut | (empty & ~worked))]
            m.d.sync += [since.eq(since_next), worked.eq(self.works), shorted.eq(self.shorts), empty.eq(self.empty),
                         was.eq(Mux(self.cut, 0, Mux(was == self.rows - 1, was, was + 1)))]
        return m


class Joint(wiring.Component):
    """One block's joint, with its maps.

    Parameters: block; number, 1..; rows of its scales; side of its engine; alone, whether the engine serves no other
    layer: then it may begin while the step still passes; vendor.
    Members
      i, o                     values of the block below, and for the block above
      read_addr, inner_addr    words of the input map and of the hidden map; data LATENCY cycles later
      hidden, residual, sum    words that the engine has made (sum: of the shortcut, as a residual)
      want, want_short         the block has work for its engine; taken, taken_short: it begins
      row                      of its scales
      arrived, inner           rows of the input map and of the hidden map that may be read
    """

    LATENCY = Map.LATENCY

    def __init__(self, block: Block, *, number: int, rows: int, side: int, alone: bool, vendor: str):
        self.block, self.alone, self.vendor = block, alone, vendor
        high, wide, channels = block.out
        self.values = high * wide * channels
        self.map = Map(values=block.height * block.width * block.inputs, side=side, vendor=vendor)
        self.inner_map = Map(values=self.values, side=side, vendor=vendor)
        self.decision = Decision(number, rows)
        super().__init__({
            "i": In(stream.Signature(value_layout())), "o": Out(stream.Signature(value_layout())),
            "read_addr": In(self.map.read_addr.shape()), "read_data": Out(self.map.read_data.shape()),
            "inner_addr": In(self.inner_map.read_addr.shape()), "inner_data": Out(self.inner_map.read_data.shape()),
            "hidden": In(Write(ACTIVATION_BITS)), "residual": In(Write(RESIDUAL_BITS)), "sum": In(Write(RESIDUAL_BITS)),
            "want": Out(1), "want_short": Out(1), "taken": In(1), "taken_short": In(1), "row": Out(4),
            "arrived": Out(range(MAX_SIDE + 1)), "inner": Out(range(MAX_SIDE + 1))})

    def elaborate(self, platform):
        m = Module()
        block, i, told = self.block, self.i, self.decision
        high, wide, _ = block.out
        m.submodules.map, m.submodules.inner_map, m.submodules.decision = self.map, self.inner_map, told
        m.submodules.residual = residual = bank(self.vendor, depth=self.values, width=RESIDUAL_BITS)
        m.submodules.outbox = outbox = Outbox(high * wide)
        wiring.connect(m, outbox.o, wiring.flipped(self.o))
        taken, first = Signal(), Signal()
        place = Counter(m, "in", (block.height, block.width, block.inputs), taken)
        m.d.comb += [taken.eq(i.valid & i.ready), first.eq(taken & i.p.first), told.first.eq(first),
                     told.new.eq(i.p.new), told.cut.eq(i.p.cut), told.serial.eq(i.p.serial), self.row.eq(told.row)]
        self._maps(m, taken, place)
        m.d.comb += [residual.write_en.eq(self.residual.en), residual.write_addr.eq(self.residual.address),
                     residual.write_data.eq(self.residual.data)]
        reading = self._reading(m, first)
        inner = self._rows(m, "inner", self.taken, self.hidden.en & self.hidden.row)
        if block.shortcut is None:
            released = self._identity(m, outbox, taken, first, place, residual, reading)
            m.d.comb += self.inner.eq(Mux(released, inner, 0))
        else:
            # the engine has made the shortcut, with all residuals, before it begins the first convolution
            self._shortcut(m, outbox, taken, first, place, residual, reading)
            m.d.comb += self.inner.eq(inner)
        return m

    def _rows(self, m, name, clear, row, init=0):
        """A count of rows."""
        count = Signal(range(MAX_SIDE + 1), name=f"{name}_rows", init=init)
        with m.If(clear):
            m.d.sync += count.eq(row)
        with m.Elif(row):
            m.d.sync += count.eq(count + 1)
        return count

    def _maps(self, m, taken, place):
        """What comes is written, and can be read row after row."""
        m.d.sync += [
            self.map.write_en.eq(taken), self.map.write_addr.eq(place.address), self.map.write_data.eq(self.i.p.h)]
        m.d.comb += [
            self.map.read_addr.eq(self.read_addr), self.read_data.eq(self.map.read_data),
            self.inner_map.write_en.eq(self.hidden.en), self.inner_map.write_addr.eq(self.hidden.address),
            self.inner_map.write_data.eq(self.hidden.data), self.inner_map.read_addr.eq(self.inner_addr),
            self.inner_data.eq(self.inner_map.read_data),
            self.arrived.eq(self._rows(m, "in", taken & self.i.p.first, taken & place.row))]

    def _reading(self, m, first):
        """Whether an engine has still to read the input map."""
        main, short = Signal(name="reads"), Signal(name="reads_short")
        with m.If(self.hidden.en & self.hidden.whole):
            m.d.sync += main.eq(0)
        with m.If(self.sum.en & self.sum.whole):
            m.d.sync += short.eq(0)
        with m.If(first):
            m.d.sync += [main.eq(self.decision.works), short.eq(self.decision.shorts if self.block.shortcut else 0)]
        return main | short

    def _wanted(self, m, name, ask, taken):
        want = Signal(name=name)
        with m.If(ask):
            m.d.sync += want.eq(1)
        with m.Elif(taken):
            m.d.sync += want.eq(0)
        return want

    def _identity(self, m, outbox, taken, first, place, residual, reading):
        """A value, the residual of the step before, their sum; whether the block's residuals may change."""
        i, told, end = self.i, self.decision, Signal()
        m.d.comb += end.eq(taken & place.end)
        whole = self._rows(m, "residual", end & told.works, self.residual.en & self.residual.row,
                           init=self.block.out[0])
        inside, may = Signal(), Signal()
        with m.If(taken):
            m.d.sync += inside.eq(~place.end)
        # known a cycle late, so nothing comes in the cycle behind a row's last value
        m.d.sync += may.eq((whole > place.y) & (inside | ~reading) & ~(taken & place.row))
        m.d.comb += [i.ready.eq(outbox.room & may), outbox.reserve.eq(taken), residual.read_addr.eq(place.address)]
        # residuals change when the step that reads them has passed, which may be before or after the engine has begun
        passed, released = Signal(init=1), Signal()
        with m.If(first):
            m.d.sync += passed.eq(0)
        with m.If(self.taken):
            m.d.sync += released.eq(passed)
        with m.If(end):
            m.d.sync += [passed.eq(1), released.eq(1)]
        asks = first & told.works if self.alone else end & told.works
        m.d.comb += self.want.eq(self._wanted(m, "wanted", asks, self.taken))
        value = later(m, i.payload, Bank.LATENCY, name="value")
        empty = later(m, told.empty, Bank.LATENCY, name="empty")
        value = data.View(value_layout(), value)
        identity = value.h << RESIDUAL_FRACTION
        self._join(m, outbox, later(m, taken, Bank.LATENCY, name="taken", reset_less=False), value, identity,
                   Mux(empty, 0, residual.read_data.as_signed()))
        return released

    @staticmethod
    def _join(m, outbox, valid, value, identity, residual):
        """golden.cascade.engine.join_step, into the outbox."""
        total = round_shift(identity + residual, RESIDUAL_FRACTION)
        out, there = Signal(value_layout(), reset_less=True), Signal()
        m.d.sync += [out.eq(value), out.h.eq(clipped(total, 0, (1 << ACTIVATION_BITS) - 1)), there.eq(valid)]
        m.d.comb += [outbox.i.eq(out), outbox.i_valid.eq(there)]

    def _shortcut(self, m, outbox, taken, first, place, residual, reading):
        """Sums of shortcut and residual are made where the engine makes the shortcut, then sent in order."""
        i, told = self.i, self.decision
        m.submodules.sums = sums = bank(self.vendor, depth=self.values, width=ACTIVATION_BITS)
        m.d.comb += residual.read_addr.eq(self.sum.address)
        total, made = Signal(signed(RESIDUAL_BITS + 1)), Signal(ACTIVATION_BITS)
        m.d.sync += [total.eq(later(m, self.sum.data.as_signed(), Bank.LATENCY, name="short")
                              + Mux(told.empty, 0, residual.read_data.as_signed())),
                     made.eq(clipped(round_shift(total, RESIDUAL_FRACTION), 0, (1 << ACTIVATION_BITS) - 1))]
        address = later(m, self.sum.address, Bank.LATENCY + 2, name="sum_address")
        en = later(m, self.sum.en, Bank.LATENCY + 2, name="sum_en", reset_less=False)
        row = later(m, self.sum.en & self.sum.row, Bank.LATENCY + 2, name="sum_row", reset_less=False)
        m.d.comb += [sums.write_en.eq(en), sums.write_addr.eq(address), sums.write_data.eq(made)]
        whole = self._rows(m, "sums", first & told.shorts, row, init=self.block.out[0])
        sending, send = Signal(), Signal()
        out = Counter(m, "out", self.block.out, send)
        inside, may, may_send = Signal(), Signal(), Signal()
        begin = Signal(value_layout())
        with m.If(send & out.end):
            m.d.sync += sending.eq(0)
        with m.If(first):
            m.d.sync += [sending.eq(1), begin.eq(i.payload)]
        with m.If(taken):
            m.d.sync += inside.eq(~place.end)
        # known a cycle late, as above
        m.d.sync += [may.eq((inside | ~(reading | sending)) & ~(taken & place.row)),
                     may_send.eq(sending & (whole > out.y) & ~(send & out.row))]
        m.d.comb += [i.ready.eq(may), send.eq(may_send & outbox.room), outbox.reserve.eq(send),
                     sums.read_addr.eq(out.address)]
        value = Signal(value_layout())
        m.d.comb += [value.eq(begin), value.first.eq(out.address == 0)]
        value = data.View(value_layout(), later(m, value, Bank.LATENCY, name="value"))
        m.d.comb += [outbox.i.eq(value), outbox.i.h.eq(sums.read_data),
                     outbox.i_valid.eq(later(m, send, Bank.LATENCY, name="sent", reset_less=False)),
                     self.want_short.eq(self._wanted(m, "wanted_short", first & told.shorts, self.taken_short)),
                     self.want.eq(self._wanted(m, "wanted", first & told.works, self.taken))]
