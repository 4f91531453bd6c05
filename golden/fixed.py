"""Fixed-point semantics, written once: formats, rounding, saturation, quantisation.

Everything here works on Python ints, numpy int64 arrays and torch int64 tensors alike, and only uses operations that
a circuit has (`+ - * >> <<`, comparison, clip). `rtl/fixed.py` holds the same names over Amaranth values.
Source of the conventions: docs/numbers.md.
"""

import math
import re
from dataclasses import dataclass

import numpy as np

from golden.files import reals

#: Largest accumulator that `exact_matmul` carries without loss (mantissa of an IEEE double).
MATMUL_BITS = 53
#: Widest factor of a product that one multiplier of an FPGA makes.
MULTIPLIER_BITS = 18


@dataclass(frozen=True, order=True)
class QFormat:
    """Signed two's complement word with `int_bits` integer and `frac_bits` fraction bits beside the sign.

    `QFormat(5, 11)` is written `Q5.11`, is 17 bits wide and holds [-32, 32) in steps of 2**-11.
    """

    int_bits: int
    frac_bits: int

    def __post_init__(self):
        for name in ("int_bits", "frac_bits"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{name} must be an integer, not {value!r}")
        if self.frac_bits < 0:
            raise ValueError(f"frac_bits must not be negative, not {self.frac_bits}")
        if not 2 <= self.width <= 64:
            raise ValueError(f"Q{self.int_bits}.{self.frac_bits} is {self.width} bits wide, "
                             f"a format has 2 to 64")

    @property
    def width(self) -> int:
        return 1 + self.int_bits + self.frac_bits

    @property
    def min(self) -> int:
        return -(1 << (self.width - 1))

    @property
    def max(self) -> int:
        return (1 << (self.width - 1)) - 1

    @property
    def lsb(self) -> float:
        return 2.0 ** -self.frac_bits

    def __str__(self) -> str:
        return f"Q{self.int_bits}.{self.frac_bits}"

    @classmethod
    def parse(cls, text: str) -> "QFormat":
        """`Q5.11` -> QFormat(5, 11)."""
        match = re.fullmatch(r"Q(-?\d{1,2})\.(\d{1,2})", text) if isinstance(text, str) else None
        if not match:
            raise ValueError(f"a format is written like Q5.11, not {text!r}")
        return cls(int(match[1]), int(match[2]))


def clip(x, low: int, high: int):
    """Clip to [low, high]; the one place where ints and arrays differ."""
    return min(max(x, low), high) if isinstance(x, int) else x.clip(low, high)


def saturate(x, fmt: QFormat):
    """Clip integer `x` to the range of `fmt`: [-2**(w-1), 2**(w-1) - 1]."""
    return clip(x, fmt.min, fmt.max)


def wrap(x, width: int):
    """Two's complement wrap-around to `width` bits."""
    half = 1 << (width - 1)
    return ((x + half) & ((1 << width) - 1)) - half


def round_shift(x, n: int):
    """floor((x + 2**(n-1)) / 2**n): nearest, ties up. `n <= 0` shifts left, which is exact."""
    if n <= 0:
        return x << -n
    return (x + (1 << (n - 1))) >> n


def convert(x, source: QFormat, target: QFormat):
    """Re-express words of `source` in `target`: round to nearest, then saturate."""
    return saturate(round_shift(x, source.frac_bits - target.frac_bits), target)


def acc_width(terms: int, a: QFormat, b: QFormat) -> int:
    """Width of an accumulator that cannot overflow for `terms` products of an `a` word and a `b` word."""
    return a.width + b.width + math.ceil(math.log2(terms)) if terms > 1 else a.width + b.width


def exact_matmul(x, w):
    """X @ w.T over int64 words, exactly: (batch, in) x (out, in) -> (batch, out).

    Runs through doubles because integer matrix products are 20 times slower in numpy; every product and partial sum
    is an integer below 2**53, which the description guarantees (`MATMUL_BITS`).
    """
    if isinstance(x, np.ndarray):
        return (x.astype(np.float64) @ w.T.astype(np.float64)).astype(np.int64)
    return (x.double() @ w.T.double()).long()


def quantize(values, fmt: QFormat, *, name: str = "value", clip_range: bool = False) -> np.ndarray:
    """Real numbers -> int64 words of `fmt`, nearest, ties up.

    Raises ValueError for what is no real number (complex, bool), for NaN, infinity and (unless `clip_range`) for what
    `fmt` cannot hold, naming the element.
    """
    values = reals(name, values)
    limit = 2.0 ** (fmt.width + 1)
    words = np.floor(np.clip(values * 2.0 ** fmt.frac_bits, -limit, limit) + 0.5).astype(np.int64)
    if clip_range:
        return saturate(words, fmt)
    outside = (words < fmt.min) | (words > fmt.max)
    if outside.any():
        where = np.argwhere(outside)[0].tolist()
        raise ValueError(f"{name}{where} is {values[tuple(where)]:g}, outside of {fmt} "
                         f"[{fmt.min * fmt.lsb:g}, {fmt.max * fmt.lsb:g}]")
    return words


def dequantize(words, fmt: QFormat) -> np.ndarray:
    """Words of `fmt` -> float64."""
    return np.asarray(words, dtype=np.float64) * fmt.lsb
