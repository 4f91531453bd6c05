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

from golden.units.extrapolator import Predictor, Way
from rtl.fixed import shape
from rtl.pipeline import ADDR_BITS, WORD_BITS, ParameterBus, hop, join, later
from rtl.primitives import Bank, bank
from rtl.units.delay import DelayLine
from rtl.units.history import history_walk, ring_depth
from rtl.units.nlms import SUM, WORD, WRITE, Taps, learn_taps, weighted_sum

#: first address of the history, from the cycle after `start` on
FIRST = 1


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
        self.depth = ring_depth(way, streams)
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
        found = DelayLine.banks(way.size, way.fmt, ring_depth(way, streams)) * (1 + p.learns)
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
        way, p = self.way, self.way.predictor
        walk = history_walk(m, way, self, streams=self.streams, passes=self.passes(p), bias=self.BIAS)
        x = self._ring(m, "now", walk)
        taps = self._taps(m, walk)
        # the newest word of an element; held while its taps go by
        newest = Signal(shape(way.fmt), reset_less=True)
        with m.If(later(m, walk.newest, WORD, name="first_word")):
            m.d.sync += newest.eq(x)
        # it stays for WORD + 1 cycles after the element's last address, and is delayed to when it is added, and sent
        added = later(m, newest, self.DONE - WORD - 2, name="added").as_signed()
        newest = later(m, added, 2, name="newest").as_signed()
        off = self._diverged(m, walk, taps.tap)
        self._send(m, walk, self._predict(m, walk, x, taps, added), off, newest)
        if p.learns:
            learn_taps(m, way, walk, self._ring(m, "then", walk), taps, newest=newest, off=off, half=self.half,
                       reseed=self.reseed, seed=self.seed, vendor=self.vendor)
        return m

    def _ring(self, m, name, walk):
        """Words of the history, WORD cycles after their address."""
        (depth, width), = DelayLine.banks(self.way.size, self.way.fmt, self.depth)
        m.submodules[f"{name}_ring"] = ring = bank(self.vendor, depth=depth, width=width)
        at, left = walk.rings[name]
        index, slot = Signal(self.index_bits, name=f"{name}_index"), Signal(self.slot_bits, name=f"{name}_slot")
        with m.If(self.i.valid):
            m.d.sync += index.eq(index + 1)
            with m.If(index == self.way.size - 1):
                m.d.sync += [index.eq(0), slot.eq(slot + 1)]
        known = later(m, left >= 0, Bank.LATENCY, name=f"{name}_known")
        word = Signal(shape(self.way.fmt), name=f"{name}_word", reset_less=True)
        m.d.comb += [ring.write_en.eq(self.i.valid), ring.write_addr.eq(Cat(index, slot)),
                     ring.write_data.eq(self.i.payload), ring.read_addr.eq(Cat(walk.index, at))]
        m.d.sync += word.eq(Mux(known, ring.read_data, 0).as_signed())
        return word

    def _taps(self, m, walk) -> Taps:
        p = self.way.predictor
        bus = hop(m, self.params, name="params_q")
        join(m, self.params_out, bus)
        if not p.has_taps:
            return Taps(None if p.spacing is None else
                        later(m, Array(list(self.fixed))[walk.word], WORD, name="tap").as_signed())
        address = Signal(range(max(2, tap_depth(self.way))), name="tap_address", reset_less=True)
        # V and c of a neural predictor stand behind what the walk reads
        jump = 1 + p.coefficients - self.passes(p) * (p.words + self.BIAS)
        with m.If(walk.valid):
            m.d.sync += address.eq(address + Mux(walk.last, jump, 1))
        with m.If(self.start | walk.last & (p.rows(self.way.size) == 1)):
            m.d.sync += address.eq(0)
        hit = bus.en & (bus.bank == self.bank)
        loaded = later(m, Cat(hit, bus.half, bus.addr[:len(address)], bus.data[:p.gain.width]), 1, name="loaded")
        tap, banks = self._tap_bank(m, "tap", Mux(self.probe, self.probe_addr, address), loaded)
        m.d.comb += self.probe_data.eq(tap)
        return Taps(tap, address, loaded, banks)

    def _tap_bank(self, m, name, address, loaded):
        """A memory of the taps for each half: one takes what is learnt while the other is loaded."""
        gain, found = self.way.predictor.gain, []
        for half in range(2):
            m.submodules[f"{name}_bank{half}"] = store = bank(self.vendor, depth=max(2, tap_depth(self.way)),
                                                              width=gain.width)
            m.d.comb += [store.read_addr.eq(address), store.write_en.eq(loaded[0] & (loaded[1] == half)),
                         Cat(store.write_addr, store.write_data).eq(loaded[2:])]
            found.append(store)
        tap = Signal(shape(gain), name=name, reset_less=True)
        m.d.sync += tap.eq(Mux(self.half, found[1].read_data, found[0].read_data).as_signed())
        return tap, tuple(found)

    def _predict(self, m, walk, x, taps, added):
        """The prediction of an element, DONE cycles after its last address, when its newest word is `added`."""
        return weighted_sum(m, "now", self.way, walk, x, taps.tap, vendor=self.vendor)

    def _send(self, m, walk, y, off, newest):
        """Predictions; the newest word where one does not fit, where the element has diverged, and without a delay."""
        fmt, late = self.way.fmt, walk.late
        done = later(m, walk.last, self.DONE, name="done", reset_less=False)
        inside, word, sent = Signal(reset_less=True), Signal(shape(fmt), reset_less=True), Signal(
            shape(fmt), name="sent", reset_less=True)
        m.d.sync += [inside.eq((y >= fmt.min) & (y <= fmt.max) & ~off & late), word.eq(y),
                     sent.eq(Mux(inside, word, newest))]
        judged = later(m, done, 1, name="judged", reset_less=False)
        m.d.sync += [self.o.valid.eq(judged), self.lost.eq(judged & ~inside & late)]
        m.d.comb += self.o.payload.eq(sent)

    def _diverged(self, m, walk, tap):
        """Whether a tap of an element is at an end of its format, from the cycle on in which its sum is there."""
        p = self.way.predictor
        if p.kind != "fir":
            return Const(0)
        so_far, off = Signal(reset_less=True), Signal(name="off", reset_less=True)
        found = (tap == p.gain.min) | (tap == p.gain.max) | (
            so_far & ~later(m, walk.first, WORD, name="first_tap"))
        m.d.sync += so_far.eq(found)
        with m.If(later(m, walk.last, WORD, name="last_tap")):
            m.d.sync += off.eq(found)
        return later(m, off, SUM - WORD - 1, name="off")


def tap_depth(way: Way) -> int:
    """Words of a memory with the taps of a message; 0: it has none."""
    p = way.predictor
    return p.rows(way.size) * p.coefficients
