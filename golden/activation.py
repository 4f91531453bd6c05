"""Activation functions of membrane words, and their derivatives, exactly as the circuit computes them.

Smooth functions are even or odd up to a constant, so one table over |x| serves both signs. The table holds, for each
of 2**n segments, the value at its left edge and the rise to its right edge; the circuit interpolates between them:

    T(|x|) = left + round_shift(rise * offset, t)      |x| = segment * 2**t + offset,   T = end where |x| >= limit

    tanh x = +-T        sigmoid x = T, 1 - T        softplus x = max(x, 0) + T,  T = log(1 + exp(-|x|))

tanh' and sigmoid' are even (T alone), softplus' is the sigmoid. Linear, ReLU and hard sigmoid (clamp to [0, 1], [LE]
papers.md 1.2) need no table.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from golden.fixed import QFormat, clip, convert, round_shift, saturate


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


#: function over |x|, its value at infinity, log2 of where it is taken to have reached that value, symmetry
_TABLES = {
    "tanh": (math.tanh, 1.0, 3, "odd"),
    "sigmoid": (_sigmoid, 1.0, 4, "complement"),
    "softplus": (lambda x: math.log1p(math.exp(-x)), 0.0, 4, "residual"),
    "tanh_derivative": (lambda x: 1.0 - math.tanh(x) ** 2, 0.0, 3, "even"),
    "sigmoid_derivative": (lambda x: _sigmoid(x) * _sigmoid(-x), 0.0, 4, "even"),
    "softplus_derivative": (_sigmoid, 1.0, 4, "complement"),
}
_LOG_SEGMENTS = 9


@dataclass(frozen=True)
class Table:
    """left, rise: one word a segment, `frac_bits` of the output; t: offset bits; end: value from `limit` on."""

    left: tuple[int, ...]
    rise: tuple[int, ...]
    t: int
    end: int
    symmetry: str

    @property
    def limit(self) -> int:
        return len(self.left) << self.t


def is_tabulated(name: str) -> bool:
    """Whether function `name` is read off a table."""
    return name in _TABLES


@lru_cache
def table(name: str, state: QFormat, out: QFormat) -> Table | None:
    """The table of function `name` for inputs in `state` and outputs in `out`; None where none is needed."""
    if not is_tabulated(name):
        return None
    function, end, log_limit, symmetry = _TABLES[name]
    # a word of `state` never exceeds 2**int_bits: no segments beyond
    log_limit = min(log_limit, state.int_bits)
    n = min(_LOG_SEGMENTS, log_limit + state.frac_bits)
    t = log_limit + state.frac_bits - n
    edges = [math.floor(function((k << t) * state.lsb) * 2.0 ** out.frac_bits + 0.5) for k in range((1 << n) + 1)]
    # |min| of the state is the limit itself; where the state ends first, the function's value there is the end
    reached = log_limit < state.int_bits
    return Table(left=tuple(edges[:-1]), rise=tuple(b - a for a, b in zip(edges, edges[1:], strict=False)), t=t,
                 end=math.floor(end * 2.0 ** out.frac_bits + 0.5) if reached else edges[-1], symmetry=symmetry)


def _lookup(tab: Table, magnitude):
    index = clip(magnitude >> tab.t, 0, len(tab.left) - 1)
    offset = magnitude & ((1 << tab.t) - 1)
    left, rise = np.array(tab.left), np.array(tab.rise)
    if hasattr(magnitude, "new_tensor"):
        left, rise = magnitude.new_tensor(tab.left), magnitude.new_tensor(tab.rise)
    inside = left[index] + round_shift(rise[index] * offset, tab.t)
    beyond = magnitude >= tab.limit
    return inside * (1 - beyond * 1) + tab.end * (beyond * 1)


def _evaluate(name: str, x, state: QFormat, out: QFormat):
    tab = table(name, state, out)
    negative = (x < 0) * 1
    value = _lookup(tab, abs(x))
    if tab.symmetry == "odd":
        value = value * (1 - 2 * negative)
    elif tab.symmetry == "complement":
        value = value + negative * ((1 << out.frac_bits) - 2 * value)
    elif tab.symmetry == "residual":
        value = value + round_shift(x * (1 - negative), state.frac_bits - out.frac_bits)
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
