"""Rows of weights times a vector, spread over lanes: what rtl.units.mac works through, of whatever the weights are.

    sum_j = 2**(shift - 1) + sum over k of w_jk x_k        row j in lane j mod lanes, fold j // lanes

A bias is the weight of a constant one. The half is there for who shifts a sum right by `shift` bits: it then rounds.
"""

from dataclasses import dataclass

from golden.checks import check, is_int
from golden.fixed import MATMUL_BITS, MULTIPLIER_BITS, exact_matmul

#: rows, and words of a vector
MAX_NEURONS = 4096
#: words of one half of a lane's bank that the address map reaches (golden.regmap)
MAX_LANE_WORDS = 1 << 14


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A matrix by rows.

    Parameters: count of rows; words, weights a row; lanes, at most `words`, since they hand over their sums one a
    cycle; weight and operand, bits of the two factors, signed; shift, bits that a sum has beyond what is made of it.
    ValueError where a sum could pass 53 bits, or a lane hold more than 16384 words.
    """

    count: int
    words: int
    lanes: int
    weight: int
    operand: int
    shift: int = 0

    def __post_init__(self):
        for name, low, high in (("count", 1, 1 << 16), ("words", 1, MAX_LANE_WORDS), ("weight", 1, MULTIPLIER_BITS),
                                ("operand", 1, MULTIPLIER_BITS), ("shift", 0, MATMUL_BITS - 1)):
            value = getattr(self, name)
            check(is_int(value, low, high), f"rows: {name} must be an integer in {low}..{high}, not {value!r}")
        most = min(self.count, self.words)
        check(is_int(self.lanes, 1, most), f"rows: lanes must be an integer in 1..{most}, not {self.lanes!r}")
        check(self.acc <= MATMUL_BITS, f"rows: sums of {self.acc} bits, {MATMUL_BITS} at most")
        check(self.shift < self.acc, f"rows: a shift by {self.shift} leaves nothing of sums of {self.acc} bits")
        check(self.depth <= MAX_LANE_WORDS,
              f"rows: a lane would hold {self.depth} words, {MAX_LANE_WORDS} at most: more lanes")

    @property
    def folds(self) -> int:
        """Rows that a lane works through, one after the other."""
        return -(-self.count // self.lanes)

    @property
    def depth(self) -> int:
        """Words that a lane holds; row j begins at fold * words."""
        return self.folds * self.words

    @property
    def acc(self) -> int:
        """Bits of a sum: `words` products and the half never overflow it."""
        return self.weight + self.operand + self.words.bit_length()

    @property
    def half(self) -> int:
        """What a sum begins with."""
        return 1 << self.shift >> 1


def row_sums(x, weight, rows: Rows):
    """Sums of all rows: x (batch, words), weight (count, words) -> (batch, count), exact."""
    return exact_matmul(x, weight) + rows.half
