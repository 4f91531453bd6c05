"""Activation functions of membrane words, and their derivatives, exactly as the circuit computes them.

Smooth functions are read off a table over [-2**m, 2**m). It holds, for each of 2**n segments, the value at the left
edge and the rise to the right edge; the circuit interpolates between them, and takes `low` or `high` outside:

    T(x) = left + round_shift(rise * offset, t)        x = segment * 2**t + offset

softplus x is max(x, 0) + T with T = log(1 + exp(-|x|)); softplus' is the sigmoid. Linear, ReLU and hard sigmoid (clamp
to [0, 1], [LE] arXiv 2110.14549) need no table.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from golden.fixed import QFormat, clip, convert, round_shift, saturate

ACTIVATIONS = ("linear", "tanh", "sigmoid", "softplus", "hard_sigmoid", "relu")


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


#: function, its limits at minus and plus infinity, log2 of where it is taken to have reached them
_TABLES = {
    "tanh": (math.tanh, -1.0, 1.0, 3),
    "sigmoid": (_sigmoid, 0.0, 1.0, 4),
    "softplus": (lambda x: math.log1p(math.exp(-abs(x))), 0.0, 0.0, 4),
    "exp": (lambda x: math.exp(min(x, 0.0)), 0.0, 1.0, 4),      # of what is not positive (softmax)
    "tanh_derivative": (lambda x: 1.0 - math.tanh(x) ** 2, 0.0, 0.0, 3),
    "sigmoid_derivative": (lambda x: _sigmoid(x) * _sigmoid(-x), 0.0, 0.0, 4),
    "softplus_derivative": (_sigmoid, 0.0, 1.0, 4),
}
#: a block RAM of 18 kbit holds 1024 words
_LOG_SEGMENTS = 10


@dataclass(frozen=True)
class Table:
    """left, rise: a word a segment, from -2**m upwards; t: offset bits; low, high: values outside of the table."""

    left: tuple[int, ...]
    rise: tuple[int, ...]
    t: int
    low: int
    high: int

    @property
    def limit(self) -> int:
        """The first word beyond the table; -limit is the first in it."""
        return len(self.left) << self.t >> 1


def is_tabulated(name: str) -> bool:
    """Whether function `name` is read off a table."""
    return name in _TABLES


@lru_cache
def table(name: str, state: QFormat, out: QFormat) -> Table | None:
    """The table of function `name` for inputs in `state` and outputs in `out`; None where none is needed."""
    if not is_tabulated(name):
        return None
    function, low, high, m = _TABLES[name]
    m = min(m, state.int_bits)
    n = min(_LOG_SEGMENTS, m + 1 + state.frac_bits)
    t = m + 1 + state.frac_bits - n

    def word(value):
        return math.floor(value * 2.0 ** out.frac_bits + 0.5)
    half = 1 << n >> 1
    edges = [word(function((k << t) * state.lsb)) for k in range(-half, half + 1)]
    return Table(left=tuple(edges[:-1]), rise=tuple(b - a for a, b in zip(edges, edges[1:], strict=False)), t=t,
                 low=word(low), high=word(high))


def _lookup(tab: Table, x):
    segments = len(tab.left)
    index = clip((x >> tab.t) + (segments >> 1), 0, segments - 1)
    offset = x & ((1 << tab.t) - 1)
    left, rise = np.array(tab.left), np.array(tab.rise)
    if hasattr(x, "new_tensor"):
        left, rise = x.new_tensor(tab.left), x.new_tensor(tab.rise)
    inside = left[index] + round_shift(rise[index] * offset, tab.t)
    below, above = (x < -tab.limit) * 1, (x >= tab.limit) * 1
    return inside * (1 - below - above) + tab.low * below + tab.high * above


def _evaluate(name: str, x, state: QFormat, out: QFormat):
    value = _lookup(table(name, state, out), x)
    if name == "softplus":
        value = value + round_shift(x * (x >= 0), state.frac_bits - out.frac_bits)
    return saturate(value, out)


def activation_step(x, name: str, state: QFormat, out: QFormat):
    """phi(x): words of `state` -> words of `out`, any shape."""
    if name == "linear":
        return convert(x, state, out)
    if name == "relu":
        return convert(clip(x, 0, state.max), state, out)
    if name == "hard_sigmoid":
        return convert(clip(x, 0, 1 << state.frac_bits), state, out)
    return _evaluate(name, x, state, out)


def derivative_step(x, name: str, state: QFormat, out: QFormat):
    """phi'(x): words of `state` -> words of `out`. At a corner the right-hand slope, but 0 at the clamp's 1."""
    if name in ("linear", "relu", "hard_sigmoid"):
        active = x * 0 + 1
        if name != "linear":
            active = (x >= 0) * 1
        if name == "hard_sigmoid":
            active = active * (x < 1 << state.frac_bits)
        return saturate(active << out.frac_bits, out)
    return _evaluate(f"{name}_derivative", x, state, out)
