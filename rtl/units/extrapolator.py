"""Extrapolator: what a message will be when it arrives, the circuit of extrapolate and nlms_step in golden.

    words --> [history] --> x_j --> x taps, sum --> y, or x_0 where y does not fit --> predictions
                  |                   ^ [taps] <----------------------------+
                  +---> x_j of D ticks ago --> x taps, sum --> e ---> x e / |x|^2 + noise     where taps learn

One word of the history a cycle, element after element, x_0 first: the multiplier of a sum is never idle. What is
predicted in a tick is the message of the tick before, and nobody waits for it: a prediction is read a tick later at the
earliest. Steps of taps come WRITE cycles and a word a tap behind, in the same order.
"""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.units.extrapolator import Predictor, Way, step_bits
from golden.units.plasticity import BITS
from rtl.fixed import exact, saturate, shape
from rtl.pipeline import ADDR_BITS, WORD_BITS, ParameterBus, hop, join, later
from rtl.primitives import Bank, Multiplier, bank, multiplier
from rtl.units.delay import DelayLine
from rtl.units.plasticity import leap

#: first address of the history, from the cycle after `start` on
FIRST = 1
#: from an address of the history to its word, and to its product in the sum
WORD = Bank.LATENCY + 1
SUM = WORD + Multiplier.LATENCY + 1
#: from the address of a tap to its write, less one for each tap
WRITE = SUM + 8


class Extrapolator(wiring.Component):
    """The predictor of one message, of any kind.

    Parameters: way, of the message; streams that take turns; bank of its taps on the parameter bus; seed, a state of
    the noise register where taps learn; vendor form.
    Members
      i, o          words of the message in order, and of its predictions a tick later; never stall
      start, fresh  a tick begins; all messages from before count as zero
      errors, learn  with start: a tick in which errors run, and taps move
      half, reseed  as of a PlasticLayer
      delay, spacing, fixed   words of golden.image.timing
      params, params_out      parameter bus
      lost          a prediction was not sent
      probe (en, addr), probe_data    reads a tap in force while no tick runs, PROBE_LATENCY cycles later
    """

    PROBE_LATENCY = Bank.LATENCY + 1

    def __init__(self, way: Way, *, streams: int = 1, bank: int = 0, seed: int = 1, vendor: str = "generic"):
        self.way, self.streams, self.bank, self.seed, self.vendor = way, streams, bank, seed, vendor
        self.depth = self.ring_depth(way, streams)
        self.slot_bits, self.index_bits = DelayLine.ring_bits(way.size, self.depth)
        message = stream.Signature(shape(way.fmt), always_ready=True)
        super().__init__({
            "i": In(message), "o": Out(message), "start": In(1), "fresh": In(1), "errors": In(1), "learn": In(1),
            "half": In(1), "reseed": In(1), "delay": In(range(way.depth + 1)),
            "spacing": In(range(way.predictor.history + 1)),
            "fixed": In(shape(way.predictor.gain)).array(way.predictor.words),
            "params": In(ParameterBus()), "params_out": Out(ParameterBus()), "lost": Out(1),
            "probe": In(1), "probe_addr": In(ADDR_BITS), "probe_data": Out(signed(WORD_BITS)),
        })

    # ---- the schedule; cycle 0 is the one after `start`

    @staticmethod
    def ring_depth(way: Way, streams: int) -> int:
        """Ticks of the network that the oldest word of the history is old."""
        return (way.predictor.history + 1) * streams - 1

    #: cycles from an element's last address to its prediction, before it is judged
    DONE = SUM
    #: whether the words of an element begin with a one, for a bias
    BIAS = 0

    @staticmethod
    def passes(p: Predictor) -> int:
        """How often the words of an element are read."""
        return 1

    @classmethod
    def period(cls, way: Way, *, learning: bool) -> int:
        """Cycles that one tick needs before the next: all words have left, all taps are written."""
        p = way.predictor
        last = FIRST + way.size * cls.passes(p) * (p.words + cls.BIAS) - 1
        return last + max(cls.DONE + 2, WRITE + p.words if learning and p.learns else 0) + 1

    @classmethod
    def banks(cls, way: Way, streams: int) -> list[tuple[int, int]]:
        """Depth and width of every memory."""
        p, taps = way.predictor, tap_depth(way)
        copies = 4 if p.kind == "neural" else 2
        found = DelayLine.banks(way.size, way.fmt, cls.ring_depth(way, streams)) * (1 + p.learns)
        return found + ([(max(taps, 2), p.gain.width)] * copies if taps else [])

    @staticmethod
    def multipliers(p: Predictor) -> int:
        """Multipliers that a predictor takes."""
        if p.kind == "neural":
            return 2
        return 4 if p.learns else int(p.has_taps or p.spacing is not None)

    # ---- the circuit

    def elaborate(self, platform):
        m = Module()
        self._walk = walk = self._make_walk(m)
        x = self._ring(m, "now")
        self._tap = tap = self._taps(m)
        # the newest word of an element; held while its taps go by
        newest = Signal(shape(self.way.fmt), reset_less=True)
        with m.If(later(m, walk["newest"], WORD, name="first_word")):
            m.d.sync += newest.eq(x)
        # it stays for WORD + 1 cycles after the element's last address, and is delayed to when it is added, and sent
        self._added = later(m, newest, self.DONE - WORD - 2, name="added").as_signed()
        self._newest = later(m, self._added, 2, name="newest").as_signed()
        off = self._diverged(m)
        self._send(m, self._predict(m, x, tap), off)
        if self.way.predictor.learns:
            self._learn(m, self._ring(m, "then"), tap, off)
        return m

    def _make_walk(self, m):
        """Element and word of each cycle, where in the ring it is, and whether there has been one yet (left >= 0)."""
        way, shift, passes = self.way, self.streams.bit_length() - 1, self.passes(self.way.predictor)
        words = way.predictor.words + self.BIAS
        ages = range(-2 * (self.depth + 2), self.depth + 3)
        age, tick_slot = Signal(range(self.depth + 2)), Signal(self.slot_bits)
        newest, seen = Signal(self.slot_bits, reset_less=True), Signal(range(self.depth + 2), reset_less=True)
        begin, flags = Signal(), Signal(3, name="tick_flags")
        now = Mux(self.fresh, 0, age)
        m.d.sync += begin.eq(self.start)
        with m.If(self.start):
            m.d.sync += [tick_slot.eq(tick_slot + 1), age.eq(Mux(now == self.depth + 1, now, now + 1)),
                         newest.eq(tick_slot - 1), seen.eq(now),
                         flags.eq(Cat(self.errors, self.errors & self.learn & (self.delay != 0), self.delay != 0))]
        # ages in ticks of the network: streams take turns
        step, late = self.spacing << shift, (self.delay + 1) << shift
        base = {"now": newest - (self.streams - 1), "now_left": seen - self.streams}
        if way.predictor.learns:
            base |= {"then": newest - late + 1, "then_left": seen - late}
        walk, kept = ({name: Signal(ages if "left" in name else self.slot_bits, name=f"{kind}_{name}", reset_less=True)
                       for name in base} for kind in ("walk", "first"))
        active, index, word = Signal(name="walking"), Signal(self.index_bits), Signal(range(max(2, words)))
        turn, end = Signal(range(max(2, passes))), word == words - 1
        last = end & (turn == passes - 1)
        with m.If(begin):
            m.d.sync += [active.eq(1), index.eq(0), word.eq(0), turn.eq(0),
                         *(target[name].eq(value) for name, value in base.items() for target in (walk, kept))]
        with m.Elif(active):
            m.d.sync += [word.eq(Mux(end, 0, word + 1)),
                         *(signal.eq(Mux(end, kept[name], Mux(word < self.BIAS, signal, signal - step)))
                           for name, signal in walk.items())]
            with m.If(end):
                m.d.sync += turn.eq(Mux(last, 0, turn + 1))
            with m.If(last):
                m.d.sync += [index.eq(index + 1), active.eq(index != way.size - 1)]
        return walk | {"index": index, "word": word, "first": word == 0, "end": active & end, "last": active & last,
                       "valid": active, "newest": active & (turn == 0) & (word == self.BIAS),
                       "draw": active & flags[0], "move": active & flags[1], "late": flags[2]}

    def _ring(self, m, name):
        """Words of the history, WORD cycles after their address."""
        (depth, width), = DelayLine.banks(self.way.size, self.way.fmt, self.depth)
        m.submodules[f"{name}_ring"] = ring = bank(self.vendor, depth=depth, width=width)
        index, slot = Signal(self.index_bits, name=f"{name}_index"), Signal(self.slot_bits, name=f"{name}_slot")
        with m.If(self.i.valid):
            m.d.sync += index.eq(index + 1)
            with m.If(index == self.way.size - 1):
                m.d.sync += [index.eq(0), slot.eq(slot + 1)]
        known = later(m, self._walk[f"{name}_left"] >= 0, Bank.LATENCY, name=f"{name}_known")
        word = Signal(shape(self.way.fmt), name=f"{name}_word", reset_less=True)
        m.d.comb += [ring.write_en.eq(self.i.valid), ring.write_addr.eq(Cat(index, slot)),
                     ring.write_data.eq(self.i.payload),
                     ring.read_addr.eq(Cat(self._walk["index"], self._walk[name]))]
        m.d.sync += word.eq(Mux(known, ring.read_data, 0).as_signed())
        return word

    def _taps(self, m):
        """The tap of each cycle, when its word is there; None where taps are whole numbers."""
        p, walk = self.way.predictor, self._walk
        bus = hop(m, self.params, name="params_q")
        join(m, self.params_out, bus)
        if not p.has_taps:
            return None if p.spacing is None else \
                later(m, Array(list(self.fixed))[walk["word"]], WORD, name="tap").as_signed()
        self._address = address = Signal(range(max(2, tap_depth(self.way))), name="tap_address", reset_less=True)
        # V and c of a neural predictor stand behind what the walk reads
        jump = 1 + p.coefficients - self.passes(p) * (p.words + self.BIAS)
        with m.If(walk["valid"]):
            m.d.sync += address.eq(address + Mux(walk["last"], jump, 1))
        with m.If(self.start | walk["last"] & (p.rows(self.way.size) == 1)):
            m.d.sync += address.eq(0)
        hit = bus.en & (bus.bank == self.bank)
        self._loaded = later(m, Cat(hit, bus.half, bus.addr[:len(address)], bus.data[:p.gain.width]), 1, name="loaded")
        tap, self._tap_banks = self._tap_bank(m, "tap", Mux(self.probe, self.probe_addr, address))
        m.d.comb += self.probe_data.eq(tap)
        return tap

    def _tap_bank(self, m, name, address):
        """A memory of the taps for each half: one takes what is learnt while the other is loaded."""
        gain, found = self.way.predictor.gain, []
        for half in range(2):
            m.submodules[f"{name}_bank{half}"] = store = bank(self.vendor, depth=max(2, tap_depth(self.way)),
                                                              width=gain.width)
            m.d.comb += [store.read_addr.eq(address), store.write_en.eq(self._loaded[0] & (self._loaded[1] == half)),
                         Cat(store.write_addr, store.write_data).eq(self._loaded[2:])]
            found.append(store)
        tap = Signal(shape(gain), name=name, reset_less=True)
        m.d.sync += tap.eq(Mux(self.half, found[1].read_data, found[0].read_data).as_signed())
        return tap, found

    def _predict(self, m, x, tap):
        """The prediction of an element, DONE cycles after its last address."""
        return self._sum(m, "now", x, tap)

    def _sum(self, m, name, x, tap):
        """Sum of the products of an element, rounded, SUM cycles after its last address."""
        way, p, walk = self.way, self.way.predictor, self._walk
        if tap is None:
            word = later(m, walk["word"], WORD, name=f"{name}_which")
            product = Signal(signed(way.fmt.width + 3), name=f"{name}_whole")
            m.d.comb += product.eq(Array([x * a for a in p.fixed_taps(1)])[word])
            product = later(m, product, Multiplier.LATENCY, name=f"{name}_product").as_signed()
        else:
            product = self._multiply(m, name, x, tap)
        bits = p.fixed_bits if tap is None else p.gain.frac_bits
        acc = Signal(signed(way.acc_bits()), name=f"{name}_sum", reset_less=True)
        first = later(m, walk["first"], SUM - 1, name=f"{name}_first")
        m.d.sync += acc.eq(Mux(first, 1 << bits >> 1, acc) + product)     # never wraps: acc_bits
        return acc.shift_right(bits)

    def _multiply(self, m, name, a, b):
        m.submodules[f"{name}_multiplier"] = mul = multiplier(self.vendor, a_width=len(a), b_width=len(b))
        m.d.comb += [mul.a.eq(a), mul.b.eq(b)]
        return mul.p

    def _send(self, m, y, off):
        """Predictions; the newest word where one does not fit, where the element has diverged, and without a delay."""
        fmt, late = self.way.fmt, self._walk["late"]
        done = later(m, self._walk["last"], self.DONE, name="done", reset_less=False)
        inside, word, sent = Signal(reset_less=True), Signal(shape(fmt), reset_less=True), Signal(
            shape(fmt), name="sent", reset_less=True)
        m.d.sync += [inside.eq((y >= fmt.min) & (y <= fmt.max) & ~off & late), word.eq(y),
                     sent.eq(Mux(inside, word, self._newest))]
        judged = later(m, done, 1, name="judged", reset_less=False)
        m.d.sync += [self.o.valid.eq(judged), self.lost.eq(judged & ~inside & late)]
        m.d.comb += self.o.payload.eq(sent)

    def _diverged(self, m):
        """Whether a tap of an element is at an end of its format, from the cycle on in which its sum is there."""
        p, walk = self.way.predictor, self._walk
        if p.kind != "fir":
            return Const(0)
        so_far, off = Signal(reset_less=True), Signal(name="off", reset_less=True)
        found = (self._tap == p.gain.min) | (self._tap == p.gain.max) | (
            so_far & ~later(m, walk["first"], WORD, name="first_tap"))
        m.d.sync += so_far.eq(found)
        with m.If(later(m, walk["last"], WORD, name="last_tap")):
            m.d.sync += off.eq(found)
        return later(m, off, SUM - WORD - 1, name="off")

    def _learn(self, m, x, tap, off):
        """Steps of the taps on what they saw when they predicted the newest word."""
        way, p, walk = self.way, self.way.predictor, self._walk
        y = self._sum(m, "then", x, tap)
        power, most = self._power(m, x)
        done = later(m, walk["last"], SUM, name="then_done")
        seen, e = Signal(shape(way.fmt), name="seen", reset_less=True), Signal(
            signed(way.fmt.width + 1), name="e", reset_less=True)
        bits, right = Signal(range(most + 1), reset_less=True), Signal(range(most - p.quiet + 1), reset_less=True)
        with m.If(done):
            m.d.sync += [exact(seen, saturate(y, way.fmt)), bits.eq(_bit_length(power))]
        with m.If(later(m, done, 1, name="e_due")):
            m.d.sync += [e.eq(self._newest - seen),
                         right.eq(Mux(bits > p.quiet, bits - p.quiet, 0))]
        # e is there SUM + 2 cycles after the last address of an element, and stays for as many cycles as it has taps
        wait = p.words - 1 + SUM + 2
        product = self._multiply(m, "step", later(m, x, wait - WORD, name="then_x").as_signed(), e)
        up = step_bits(p)
        product = Cat(Const(0, up), product).as_signed() if up > 0 else product.shift_right(-up)
        coarse, fine = Signal.like(product, reset_less=True), Signal.like(product, reset_less=True)
        right = later(m, right, Multiplier.LATENCY, name="right")
        noise, draw = Signal(BITS, init=self.seed), later(m, walk["draw"], wait + Multiplier.LATENCY + 2, name="draw",
                                                          reset_less=False)
        with m.If(self.reseed):
            m.d.sync += noise.eq(self.seed)
        with m.Elif(draw):
            m.d.sync += noise.eq(leap(noise))
        step = Signal(signed(max(len(product), BITS + 1) - BITS + 2), name="step", reset_less=True)
        new = Signal(shape(p.gain), name="new_tap", reset_less=True)
        age = wait + Multiplier.LATENCY + 3         # of a tap when its step is there
        identity = Mux(later(m, walk["first"], age, name="new_first"), 1 << p.gain.frac_bits, 0)
        m.d.sync += [
            fine.eq(product >> right[:3]), coarse.eq(fine >> (later(m, right, 1, name="right_q")[3:] << 3)),
            exact(step, (coarse + noise).shift_right(BITS)),
            new.eq(Mux(later(m, off, age - SUM - p.words + 1, name="new_off"), identity,
                       saturate(later(m, tap, age - WORD, name="old_tap").as_signed() + step, p.gain)))]
        keep = later(m, walk["move"], age + 1, name="keep", reset_less=False)
        address = later(m, self._address, age + 1, name="new_address")
        for half, store in enumerate(self._tap_banks):
            with m.If(keep & (self.half == half)):
                m.d.comb += [store.write_en.eq(1), store.write_addr.eq(address), store.write_data.eq(new)]

    def _power(self, m, x):
        """|x|^2 of an element, SUM cycles after its last address, and its largest bit length."""
        square = self._multiply(m, "power", x, x)
        most = (self.way.predictor.words << 2 * (self.way.fmt.width - 1)).bit_length()
        power = Signal(max(most, self.way.predictor.quiet), reset_less=True)
        m.d.sync += power.eq(Mux(later(m, self._walk["first"], SUM - 1, name="power_first"), 0, power) + square)
        return power, len(power)


def tap_depth(way: Way) -> int:
    """Words of a memory with the taps of a message; 0: it has none."""
    p = way.predictor
    return p.rows(way.size) * p.coefficients


def _bit_length(value):
    """Number of bits of a value >= 0."""
    found = Const(0)
    for n, bit in enumerate(value, 1):
        found = Mux(bit, n, found)
    return found
