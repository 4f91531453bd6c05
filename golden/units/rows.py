"""Rows of weights times a vector, spread over lanes: what rtl.units.mac works through, of whatever the weights are.

    sum_j = 2**(shift - 1) + sum over k of w_jk x_k        row j in lane j mod lanes, fold j // lanes

A bias is the weight of a constant one. The half is there for who shifts a sum right by `shift` bits: it then rounds.
A lane has `side` multipliers, one or more: a word of its bank then holds `side` weights, a word of the vector `side`
factors, and a row of `words` words has words * side weights.
"""

from dataclasses import dataclass

import numpy as np

from golden.checks import check, is_int
from golden.fixed import MATMUL_BITS, MULTIPLIER_BITS, exact_matmul, wrap
from golden.regmap import WORD_BITS

#: rows, and words of a vector
MAX_NEURONS = 4096
#: words of one half of a lane's bank that the address map reaches (golden.regmap)
MAX_LANE_WORDS = 1 << 14
#: multipliers of a lane
SIDES = (1, 2, 4, 8, 16)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A matrix by rows, or several of them in the same lanes.

    Parameters: count of rows; words of the longest row; lanes, at most `words`, since they hand over their sums one a
    cycle; weight and operand, bits of the two factors, signed; shift, bits that a sum has beyond what is made of it;
    side, multipliers of a lane, one of SIDES; halves of a lane's bank, 2, or 1 where parameters are loaded in place;
    held, words that a lane holds where it holds more than these rows (several matrices).
    ValueError where a sum could pass 53 bits, or a lane take more than 16384 words of the parameter bus.
    """

    count: int
    words: int
    lanes: int
    weight: int
    operand: int
    shift: int = 0
    side: int = 1
    halves: int = 2
    held: int | None = None

    def __post_init__(self):
        for name, low, high in (("count", 1, 1 << 16), ("words", 1, MAX_LANE_WORDS), ("weight", 1, MULTIPLIER_BITS),
                                ("operand", 1, MULTIPLIER_BITS), ("shift", 0, MATMUL_BITS - 1), ("halves", 1, 2)):
            value = getattr(self, name)
            check(is_int(value, low, high), f"rows: {name} must be an integer in {low}..{high}, not {value!r}")
        check(is_int(self.side, 1, SIDES[-1]) and self.side in SIDES,
              f"rows: side must be one of {', '.join(map(str, SIDES))}, not {self.side!r}")
        most = min(self.count, self.words)
        check(is_int(self.lanes, 1, most), f"rows: lanes must be an integer in 1..{most}, not {self.lanes!r}")
        check(self.acc <= MATMUL_BITS, f"rows: sums of {self.acc} bits, {MATMUL_BITS} at most")
        check(self.shift < self.acc, f"rows: a shift by {self.shift} leaves nothing of sums of {self.acc} bits")
        least = self.folds * self.words
        check(self.held is None or is_int(self.held, least, MAX_LANE_WORDS),
              f"rows: held must be an integer in {least}..{MAX_LANE_WORDS}, not {self.held!r}")
        check(self.depth * self.columns <= MAX_LANE_WORDS,
              f"rows: a lane would hold {self.depth * self.columns} words, {MAX_LANE_WORDS} at most: more lanes")

    @property
    def folds(self) -> int:
        """Rows that a lane works through, one after the other."""
        return -(-self.count // self.lanes)

    @property
    def depth(self) -> int:
        """Words that a lane holds; row j begins at fold * words."""
        return self.folds * self.words if self.held is None else self.held

    @property
    def columns(self) -> int:
        """Words of the parameter bus that make a word of a lane's bank: column c of word n is at n * columns + c."""
        found = 1
        while self.side // found * self.weight > WORD_BITS:
            found *= 2
        return found

    @property
    def acc(self) -> int:
        """Bits of a sum: all products of a row and the half never overflow it."""
        return self.weight + self.operand + (self.words * self.side).bit_length()

    @property
    def half(self) -> int:
        """What a sum begins with."""
        return 1 << self.shift >> 1


def row_sums(x, weight, rows: Rows):
    """Sums of all rows: x (batch, words * side), weight (count, words * side) -> (batch, count), exact."""
    return exact_matmul(x, weight) + rows.half


def to_bus(weight, rows: Rows) -> np.ndarray:
    """Weights (.., n * side) as n * columns words of the parameter bus (..), the first weight in the low bits.

    Words of several weights are not negative, words of one are the weight.
    """
    together = rows.side // rows.columns
    weight = np.asarray(weight, np.int64)
    if together == 1:
        return weight
    parts = weight.reshape(*weight.shape[:-1], -1, together) & (1 << rows.weight) - 1
    return (parts << rows.weight * np.arange(together)).sum(-1)


def from_bus(words, rows: Rows) -> np.ndarray:
    """The weights of words of the parameter bus: what `to_bus` was given."""
    together = rows.side // rows.columns
    words = np.asarray(words, np.int64)
    parts = wrap(words[..., None] >> rows.weight * np.arange(together), rows.weight)
    return parts.reshape(*words.shape[:-1], -1)
