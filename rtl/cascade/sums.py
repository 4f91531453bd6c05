"""What becomes of the sums of an engine: scale and bias, clipped words, and where they go (golden.cascade.engine).

    sum --> [shift, saturate] --> [x scale] --> [+ bias, shift, clip] --> word      address: pixel, channel
                                  [bank]--^  [bank]--^

Sums come lane after lane, pixel after pixel, fold after fold, convolution after convolution, as the walk has issued
them; counters follow them here.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import In, Out

from golden.cascade.engine import LIMITS, SUM
from golden.cascade.layer import BIAS_FRACTION, MAX_MAP, RESIDUAL_BITS, SCALE_BITS
from golden.cascade.layout import affine_words, rows_of
from rtl.cascade.walk import Program, bits
from rtl.fixed import exact, round_shift, saturate
from rtl.pipeline import ParameterBus, hop, join, later
from rtl.primitives import Bank, Multiplier, bank, has_multipliers, multiplier
from rtl.vendor.logic import SerialMultiplier

#: convolutions whose sums are not all there while a later one is issued
QUEUE = 4


def least_gap(program: Program) -> int:
    """Cycles between two sums that leave an engine, at least."""
    if program.unit.lanes > 1:
        return 1
    return min(high * wide * program.unit.groups(task.conv) for task in program.tasks
               for _, high, _ in task.conv.rows for _, wide, _ in task.conv.columns)


class Affine(wiring.Component):
    """y = clip(round_shift(s scale + bias 2**(post - 4), post)), s = sat(round_shift(sum, pre)); one a cycle.

    Parameters: net; width of a sum; words of the banks of scales and biases; bank0, number of the first of the two;
    vendor; gap, cycles from sum to sum at least: in parts without multipliers a wide one makes the product serial.
    Members: sum, address of its scale and bias; LATENCY cycles later `activation` and `residual`, y clipped as one and
    as the other; valid, with a sum, where the product is serial; params, params_out.
    """

    #: from a sum to its factors, and from its product to its word
    _BEFORE, _BEHIND = Bank.LATENCY + 1, 2

    def __init__(self, net, *, width: int, words: int, bank0: int, vendor: str, gap: int = 1):
        self.net, self.width, self.words, self.bank0, self.vendor = net, width, words, bank0, vendor
        self.serial = not has_multipliers(vendor) and self.may_be_serial(gap)
        self.LATENCY = self.latency(self.serial)
        super().__init__({
            "sum": In(signed(width)), "address": In(range(max(2, words))), "activation": Out(8),
            "residual": Out(signed(RESIDUAL_BITS)), "params": In(ParameterBus()), "params_out": Out(ParameterBus())}
            | ({"valid": In(1)} if self.serial else {}))

    @classmethod
    def latency(cls, serial: bool = False) -> int:
        """Cycles from a sum to its word."""
        product = SerialMultiplier.latency(SUM.width) if serial else Multiplier.LATENCY
        return cls._BEFORE + product + cls._BEHIND

    @classmethod
    def may_be_serial(cls, gap: int) -> bool:
        """Whether the next place comes when the word of the last one is there: places are kept, not handed on."""
        return gap >= cls.latency(serial=True) - 1

    def elaborate(self, platform):
        m = Module()
        net = self.net
        bus = hop(m, self.params, name="params_q")
        join(m, self.params_out, bus)
        m.submodules.store = store = bank(self.vendor, depth=self.words, width=2 * SCALE_BITS, columns=2)
        hits = Signal(2, reset_less=True)
        m.d.sync += hits.eq(Cat(bus.en & (bus.bank == self.bank0 + n) for n in range(2)))
        m.d.comb += [store.read_addr.eq(self.address), store.write_en.eq(hits),
                     store.write_addr.eq(later(m, bus.addr, 1, name="addr")),
                     store.write_data.eq(later(m, bus.data, 1, name="data").replicate(2))]
        scale, bias = (later(m, store.read_data.word_select(n, SCALE_BITS).as_signed(), 1, name=name)
                       for n, name in enumerate(("scale", "bias")))
        s = Signal(signed(SUM.width), reset_less=True)
        m.d.sync += exact(s, saturate(round_shift(self.sum, net.pre), SUM))
        mul, bias = self._product(m, scale, later(m, s, Bank.LATENCY, name="s"), bias)
        total = Signal(signed(max(len(mul.p), SCALE_BITS + net.post - BIAS_FRACTION) + 2), reset_less=True)
        m.d.sync += total.eq(mul.p + (bias << net.post - BIAS_FRACTION) + (1 << net.post - 1))
        rounded = total.shift_right(net.post)
        for name, target in (("activation", self.activation), ("residual", self.residual)):
            m.d.sync += target.eq(clipped(rounded, *LIMITS[name]))
        return m

    def _product(self, m, scale, s, bias):
        """What multiplies, and the bias for its product."""
        sizes = {"a_width": SCALE_BITS, "b_width": SUM.width}
        m.submodules.multiplier = mul = SerialMultiplier(**sizes) if self.serial else multiplier(self.vendor, **sizes)
        m.d.comb += [mul.a.eq(scale), mul.b.eq(s)]
        if not self.serial:
            return mul, later(m, bias, Multiplier.LATENCY, name="bias_for")
        kept = Signal.like(bias, name="bias_for", reset_less=True)
        m.d.comb += mul.start.eq(later(m, self.valid, self._BEFORE, name="valid", reset_less=False))
        with m.If(mul.start):
            m.d.sync += kept.eq(bias)
        return mul, kept


def clipped(x, low: int, high: int):
    """X in low..high: 0 or -2**n and 2**n - 1."""
    width = high.bit_length()
    top = x[width:]
    fits = ~top.any() if low == 0 else (~top.any() | top.all())
    limit = Mux(x[-1], Const(low, signed(width + 1)), Const(high, signed(width + 1)))
    return Mux(fits, x[:width + 1].as_signed(), limit)


def place_layout(program: Program) -> data.StructLayout:
    """Where a word goes: its task; value `address` of the map; with it a row of the map, or all of it, is there."""
    return data.StructLayout({"valid": 1, "task": unsigned(bits([len(program.tasks) - 1])),
                              "address": unsigned((MAX_MAP - 1).bit_length()), "row": 1, "whole": 1})


class Places(wiring.Component):
    """Follows the sums: what each is of.

    Parameters: net, program.
    Members
      begin, task, row    a convolution begins to be issued; row of its scales
      room                whether another one may begin
      valid               a sum is there
      scale               address of its scale, in the same cycle
      place               a cycle later
    """

    def __init__(self, net, program: Program):
        self.net, self.program = net, program
        self.words = affine_words(net, program.unit)
        super().__init__({
            "begin": In(1), "task": In(range(max(2, len(program.tasks)))), "row": In(4), "room": Out(1),
            "valid": In(1), "scale": Out(range(max(2, self.words))), "place": Out(place_layout(program))})

    def elaborate(self, platform):
        m = Module()
        program, unit, choose = self.program, self.program.unit, self.program.choose
        convs = [task.conv for task in program.tasks]
        # what is under way, read as soon as it is known: constants of a convolution pass a register
        entry = data.StructLayout({"task": unsigned(len(self.task)), "row": unsigned(4)})
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=entry.size, depth=QUEUE)
        told = Signal(entry)
        m.d.comb += [told.task.eq(self.task), told.row.eq(self.row), queue.w_data.eq(told), queue.w_en.eq(self.begin),
                     self.room.eq(queue.w_rdy)]
        head = data.View(entry, queue.r_data)
        now = {name: Signal(unsigned(n), name=f"now_{name}") for name, n in (
            ("task", len(self.task)), ("scale", len(self.scale)), ("lanes", 10), ("outputs", 10), ("width", 7),
            ("height", 7), ("folds", 10))}
        loaded, lane, fold = Signal(), Signal(10), Signal(10)
        x, y, channel, pixel = Signal(7), Signal(7), Signal(10), Signal((MAX_MAP - 1).bit_length() + 1)
        starts, at = [], 0
        for task in program.tasks:
            starts.append(at)
            at += rows_of(self.net, task) * task.conv.outputs
        offset = Signal(range(max(2, self.words)))      # of the row of scales
        with m.Switch(head.task):
            for n, task in enumerate(program.tasks):
                with m.Case(n):
                    with m.Switch(head.row):
                        for row in range(rows_of(self.net, task)):
                            with m.Case(row):
                                m.d.comb += offset.eq(starts[n] + row * task.conv.outputs)
        ends = {name: Signal(name=f"end_{name}") for name in ("lane", "channel", "x", "y", "fold")}
        m.d.comb += [ends["lane"].eq(lane == unit.lanes - 1), ends["channel"].eq(channel == now["outputs"])]
        # with two lanes or more, x, y and fold stand still for two cycles: what they say may come from registers
        slow = unit.lanes > 1
        said = {"x": x == now["width"], "y": y == now["height"], "fold": fold == now["folds"]}
        late = {name: Signal(name=f"was_end_{name}") for name in said}
        m.d.sync += [late[name].eq(value) for name, value in said.items()]
        m.d.comb += [ends[name].eq(late[name] if slow else value) for name, value in said.items()]
        done = Signal()
        m.d.comb += [done.eq(self.valid & ends["lane"] & ends["x"] & ends["y"] & ends["fold"]),
                     queue.r_en.eq((~loaded | done) & queue.r_rdy), self.scale.eq(now["scale"] + channel)]
        begins = self._advance(m, ends, lane, fold, x, y, channel, pixel, now)
        with m.If(done):
            m.d.sync += loaded.eq(0)
        with m.If(queue.r_en):
            m.d.sync += [now["task"].eq(head.task), now["scale"].eq(offset), loaded.eq(1),
                         now["outputs"].eq(choose(head.task, [conv.outputs - 1 for conv in convs])),
                         now["width"].eq(choose(head.task, [conv.out_width - 1 for conv in convs])),
                         now["height"].eq(choose(head.task, [conv.out_height - 1 for conv in convs])),
                         now["folds"].eq(choose(head.task, [unit.folds(conv) - 1 for conv in convs])),
                         *(each.eq(0) for each in (lane, fold, x, y, channel, pixel, *begins))]
        past = Signal()         # lanes beyond the last channel
        m.d.comb += past.eq(channel > now["outputs"])
        place, pixel_ends = self.place, Signal()
        m.d.sync += [place.valid.eq(self.valid & ~past), place.task.eq(now["task"]),
                     place.address.eq(pixel + channel), pixel_ends.eq(self.valid & ends["channel"])]
        m.d.comb += [place.row.eq(pixel_ends & late["x"]), place.whole.eq(place.row & late["y"])]
        return m

    def _advance(self, m, ends, lane, fold, x, y, channel, pixel, now):
        first, row = Signal(10, name="first_channel"), Signal.like(pixel, name="first_pixel")
        with m.If(self.valid):
            m.d.sync += [lane.eq(lane + 1), channel.eq(channel + 1)]
            with m.If(ends["lane"]):
                m.d.sync += [lane.eq(0), channel.eq(first), x.eq(x + 1), pixel.eq(pixel + now["outputs"] + 1)]
                with m.If(ends["x"]):
                    m.d.sync += [x.eq(0), pixel.eq(row), fold.eq(fold + 1),
                                 first.eq(first + self.program.unit.lanes),
                                 channel.eq(first + self.program.unit.lanes)]
                    with m.If(ends["fold"]):
                        m.d.sync += [fold.eq(0), first.eq(0), channel.eq(0), y.eq(y + 1),
                                     pixel.eq(pixel + now["outputs"] + 1), row.eq(pixel + now["outputs"] + 1)]
                        with m.If(ends["y"]):
                            m.d.sync += row.eq(0)
        # sums that a short reset has left in the lanes count, too: all begins anew with a convolution
        return first, row
