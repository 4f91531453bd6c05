"""Extrapolators: the sender of a message predicts what it will be when it arrives, D ticks later ([PM]).

A predictor sees the last words of one element of a message, x_j = m[n - j s] with a spacing of s ticks, and nothing
else. Everything here is derived: of [PM] (arXiv 2407.05494) only the two forms and that they are local are known.

    linear        y = x_0 + h (x_0 - x_1)                                  h = D / s; without a spacing s = D, h = 1
    second order  y = x_0 + h (x_0 - x_1) + h (h + 1)/2 (x_0 - 2 x_1 + x_2)           exact for parabolas
    fir           y = sum_j a_j x_j, taps of each element of its own; they may learn by NLMS
    neural        y = x_0 + V tanh(W x + b) + c, one small network for all elements, or one each

All but the last are one sum of products; linear and second order without a spacing take no multiplier. With D = 0
nothing is predicted. A prediction that its message's format does not hold is not sent: the message itself is.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from golden.checks import check, is_int
from golden.fixed import MULTIPLIER_BITS, QFormat, acc_width, round_shift, saturate
from golden.units.activation import activation_step
from golden.units.delay import delay_line, delay_read, delay_write
from golden.units.plasticity import BITS, spread

KINDS = ("linear", "second_order", "fir", "neural")
MAX_TAPS, MAX_HIDDEN, MAX_HISTORY = 16, 16, 2047
#: membrane and rate of the hidden units of a neural predictor
HIDDEN_STATE, HIDDEN_RATE = QFormat(3, 12), QFormat(1, 14)


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """What predicts the elements of a message.

    Parameters
    ----------
      kind      one of KINDS
      history   the oldest word, in ticks before the newest, that the circuit can look at
      spacing   ticks between the words x_j, loaded at run time; None, for linear and second order: as many as the
                delay
      taps      number of words x_j that a fir or a neural predictor sees
      gain      format of taps, and of the weights of a neural predictor
      rate      a fir learns with steps of mu = 2**-rate; None: its taps stay
      quiet     bits of |x|^2, in words, below which steps become no larger
      hidden    hidden units of a neural predictor
      shared    whether all elements share one neural predictor
      scale     a neural predictor sees and gives words 2**scale times as large
    """

    kind: str
    history: int
    spacing: int | None = None
    taps: int = 8
    gain: QFormat = QFormat(3, 14)
    rate: int | None = None
    quiet: int = 8
    hidden: int = 8
    shared: bool = True
    scale: int = 0

    def __post_init__(self):
        me = "predictor"
        check(self.kind in KINDS, f"{me}: kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        check(is_int(self.history, 1, MAX_HISTORY),
               f"{me}: history must be an integer in 1..{MAX_HISTORY}, not {self.history!r}")
        check(self.spacing is None and not self.has_taps or is_int(self.spacing, 1, MAX_HISTORY),
               f"{me}: spacing must be an integer in 1..{MAX_HISTORY}, not {self.spacing!r}")
        check(is_int(self.taps, 1, MAX_TAPS), f"{me}: taps must be an integer in 1..{MAX_TAPS}, not {self.taps!r}")
        check(isinstance(self.gain, QFormat) and self.gain.width <= MULTIPLIER_BITS and self.gain.int_bits >= 1
               and self.gain.frac_bits >= 1,
               f"{me}: gain must be a QFormat with a fraction that holds 1.0 in {MULTIPLIER_BITS} bits, "
               f"not {self.gain!r}")
        check(self.rate is None or self.kind == "fir" and is_int(self.rate, 0, 24),
               f"{me}: rate must be an integer in 0..24 for a fir or None, not {self.rate!r}")
        check(is_int(self.quiet, 1, 32), f"{me}: quiet must be an integer in 1..32, not {self.quiet!r}")
        check(self.rate is None or step_bits(self) <= 24,
               f"{me}: steps of 2**-{self.rate} of |x|^2 of {self.quiet} bits do not fit: a larger rate or quiet")
        check(is_int(self.hidden, 1, MAX_HIDDEN),
               f"{me}: hidden must be an integer in 1..{MAX_HIDDEN}, not {self.hidden!r}")
        check(isinstance(self.shared, bool), f"{me}: shared must be true or false, not {self.shared!r}")
        check(is_int(self.scale, 0, 16), f"{me}: scale must be an integer in 0..16, not {self.scale!r}")

    @property
    def has_taps(self) -> bool:
        """Whether it sees `taps` words, and not 2 or 3."""
        return self.kind in ("fir", "neural")

    @property
    def words(self) -> int:
        """Number of words x_j."""
        return self.taps if self.has_taps else 2 + (self.kind == "second_order")

    @property
    def learns(self) -> bool:
        return self.rate is not None

    @property
    def coefficients(self) -> int:
        """Trained words of a predictor of one element: taps, or W with b first by hidden unit, then c and V."""
        if self.kind == "neural":
            return (self.taps + 2) * self.hidden + 1
        return self.taps if self.kind == "fir" else 0

    def rows(self, size: int) -> int:
        """How many predictors there are for a message of `size` elements."""
        return 1 if self.kind == "neural" and self.shared else size

    def check(self, delay: int) -> None:
        """ValueError where the words that a prediction over `delay` ticks needs are older than the history."""
        if not delay:
            return
        oldest = (self.words - 1) * (self.spacing or delay) + (delay if self.learns else 0)
        check(oldest <= self.history, f"predictor: a delay of {delay} with {self.words} words "
               f"{self.spacing or delay} apart looks back {oldest} ticks, its history has {self.history}")
        if not self.has_taps and self.spacing:
            self.fixed_taps(delay)

    def fixed_taps(self, delay: int) -> tuple[int, ...]:
        """Taps of linear and second order, in words of `gain`; in whole numbers where there is no spacing."""
        if self.spacing is None:
            return (2, -1) if self.kind == "linear" else (3, -3, 1)
        one, s = 1 << self.gain.frac_bits, self.spacing
        h, c = (2 * delay * one + s) // (2 * s), (delay * (delay + s) * one + s * s) // (2 * s * s)
        found = (one + h, -h) if self.kind == "linear" else (one + h + c, -h - 2 * c, c)
        check(all(self.gain.min <= a <= self.gain.max for a in found),
               f"predictor: a delay of {delay} over a baseline of {s} takes a gain of "
               f"{max(map(abs, found)) / one:.4g}, {self.gain} holds less than {1 << self.gain.int_bits}")
        return found

    @property
    def fixed_bits(self) -> int:
        """Fraction bits of `fixed_taps`."""
        return 0 if self.spacing is None else self.gain.frac_bits


class Way(NamedTuple):
    """The way of a message from layer to layer: `size` words of `fmt`, `delay` ticks, and what it was built for.

    depth, the longest delay; predictor; least, the shortest delay, which the circuit relies on.
    """

    size: int
    fmt: QFormat
    delay: int
    depth: int
    predictor: Predictor | None
    least: int = 0

    def check(self) -> None:
        """ValueError where the delay or the message does not suit the predictor."""
        p = self.predictor
        if p is None:
            return
        p.check(self.delay)
        check(self.depth >= 1, "predictor: the message is never late, max_delay is 0")
        check(self.fmt.width < MULTIPLIER_BITS,
               f"predictor: a message of {self.fmt} leaves no room for the bit that a difference adds "
               f"({MULTIPLIER_BITS - 1} bits at most)")
        check(p.kind != "neural" or p.scale <= self.fmt.frac_bits,
               f"predictor: scale {p.scale} is beyond the fraction of {self.fmt}")

    def acc_bits(self) -> int:
        """Sum of all products of a prediction, with the rounding constant."""
        p = self.predictor
        if p.kind != "neural" and p.spacing is None:
            return self.fmt.width + 3
        return acc_width(p.words + 1, p.gain, self.fmt)


class Predicted(NamedTuple):
    """A line with a predictor: predictions under way and messages so far, (batch, size) words each, newest first."""

    sent: tuple
    history: tuple


def line(like, way: Way):
    """An empty line for messages shaped as `like` (batch, size)."""
    if way.predictor is None:
        return delay_line(like, way.depth)
    return Predicted((like * 0,) * way.depth, delay_line(like, way.predictor.history))


def read(line, way: Way):
    """The message that arrives in this tick."""
    if way.predictor is None:
        return delay_read(line, way.delay)
    return line.sent[way.delay - 1] if way.delay else line.history[0]


def write(line, message, way: Way, taps=None):
    """The line one tick later with `message` the newest, and which predictions (batch, size) were not sent.

    The predictor works on the messages of ticks before this one, with the taps of this tick.
    """
    if way.predictor is None:
        return delay_write(line, message), False
    sent, wrong = extrapolate(line.history, taps, way) if way.delay else (line.history[0], False)
    return Predicted((sent, *line.sent[:-1]), delay_write(line.history, message)), wrong


def regressors(history: tuple, p: Predictor, delay: int, then: int = 0) -> list:
    """The words x_j, as they were `then` ticks ago: history as golden.units.delay.delay_line, newest first."""
    return [history[j * (p.spacing or delay) + then] for j in range(p.words)]


def extrapolate(history: tuple, taps, way: Way):
    """Messages (batch, size) as they will be way.delay >= 1 ticks later, and which predictions were not sent.

    history: the messages so far, newest first; taps (rows, coefficients) words, None for linear and second order.
    """
    p, x = way.predictor, regressors(history, way.predictor, way.delay)
    if p.kind == "neural":
        y, wrong = x[0] + _neural(x, taps.T, way), False
    elif p.kind == "fir":
        y, wrong = _fir(x, taps.T, p.gain.frac_bits), is_lost(taps, p)
    else:
        y, wrong = _fir(x, p.fixed_taps(way.delay), p.fixed_bits), False
    wrong = wrong | (y < way.fmt.min) | (y > way.fmt.max)
    return x[0] + (y - x[0]) * (wrong == 0), wrong


def _fir(x: list, taps, bits: int):
    return round_shift(sum(a * word for a, word in zip(taps, x, strict=True)), bits)


def _neural(x: list, taps, way: Way):
    """V tanh(W x + b) + c, in words of the message; taps (coefficients, rows)."""
    p = way.predictor
    frac, weight, total = way.fmt.frac_bits - p.scale, p.gain.frac_bits, 0
    for h in range(p.hidden):
        first = h * (p.taps + 1)
        z = sum(taps[first + 1 + j] * word for j, word in enumerate(x)) + (taps[first] << frac)
        z = saturate(round_shift(z, weight + frac - HIDDEN_STATE.frac_bits), HIDDEN_STATE)
        total = total + taps[p.hidden * (p.taps + 1) + 1 + h] * activation_step(z, "tanh", HIDDEN_STATE, HIDDEN_RATE)
    total = total + (taps[p.hidden * (p.taps + 1)] << HIDDEN_RATE.frac_bits)
    return round_shift(total, weight + HIDDEN_RATE.frac_bits - frac)


def is_lost(taps, p: Predictor):
    """Which elements have a tap at an end of its format: they have diverged (size,)."""
    return ((taps == p.gain.min) | (taps == p.gain.max)).any(1)


def identity(p: Predictor, size: int) -> np.ndarray:
    """Taps that a fir starts from: what it predicts is the newest word."""
    return np.tile(np.array([1 << p.gain.frac_bits] + [0] * (p.taps - 1), np.int64), (size, 1))


def nlms_step(history: tuple, taps, noise, way: Way):
    """Taps of the next tick: normalised least mean squares on the prediction that was due, made with today's taps.

        e = m[n] - sat(sum_j a_j x_j)        x_j = m[n - D - j s]
        a_j <- sat(a_j + floor(e x_j 2**(f - rate) / 2**L + noise))       2**(L-1) <= |x|^2 < 2**L, L >= quiet

    with f the fraction bits of a tap and noise in [0, 1) by a number of the register (size, taps), as in
    golden.units.plasticity. Elements that have diverged (`is_lost`) start again.
    history: (1, size) words each, newest first.
    """
    p, f = way.predictor, way.predictor.gain.frac_bits
    x = [words[0] for words in regressors(history, p, way.delay, way.delay)]
    e = history[0][0] - saturate(_fir(x, taps.T, f), way.fmt)
    x = np.stack(x, 1)
    bits = np.maximum(bit_length((x * x).sum(1)), p.quiet)
    up = step_bits(p)
    scaled = e[:, None] * x << max(up, 0) >> max(-up, 0)
    moved = saturate(taps + ((scaled >> (bits - p.quiet)[:, None]) + spread(noise, BITS) >> BITS), p.gain)
    return np.where(is_lost(taps, p)[:, None], identity(p, way.size), moved)


def step_bits(p: Predictor) -> int:
    """Bits by which e x_j is shifted up before the size of x is, with BITS bits below the last of a tap."""
    return BITS + p.gain.frac_bits - p.rate - p.quiet


def bit_length(x):
    """Number of bits of words >= 0, an array of integers below 2**62."""
    return sum((x >> n != 0) * 1 for n in range(62))


def memory(way: Way) -> dict[str, int]:
    """What a predictor takes for one element: words of history and taps, multiplies a tick."""
    p = way.predictor
    if p is None:
        return {"history_words": 0, "coefficients": 0, "multiplies": 0}
    coefficients = 0 if p.spacing is None else p.words
    multiplies = coefficients
    if p.kind == "neural":
        coefficients, multiplies = p.coefficients, (p.taps + 1) * p.hidden
    if p.learns:
        multiplies = 4 * p.taps         # both predictions, |x|^2, the step
    return {"history_words": p.history + 1, "coefficients": coefficients, "multiplies": multiplies}
