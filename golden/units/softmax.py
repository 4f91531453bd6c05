"""Softmax in integers: exponentials off a table, one reciprocal, a product an output.

The exponential only sees what is not positive, so it is bounded by 1; it is read off the table "exp" of
golden.units.activation, 0 below -16:

    E = exp(y - max y), 15 fraction bits ;  q = floor(2**31 / sum E) ;  p = round_shift(E q, 16), 15 fraction bits
"""

from golden.fixed import QFormat, round_shift
from golden.units.activation import activation_step

#: fraction bits of exp and of p
EXP = QFormat(1, 15)
RECIPROCAL_BITS = 31


def difference_format(fmt: QFormat) -> QFormat:
    """Format of y - max y, which takes a bit more than y."""
    return QFormat(fmt.int_bits + 1, fmt.frac_bits)


def softmax(y, fmt: QFormat):
    """P of (batch, n) words of `fmt`, in words with 15 fraction bits.

    A probability is wrong by less than n 2**-15 + 2**-14, 3.7e-4 of ten: exp by its rounding, 2**-15, and by its chord
    over segments of 1/32, which is relative, 2**-13, of which a quarter at most is left in p; the reciprocal and the
    last rounding cost another 2**-15. Below -16 exp counts as 0, far below its last place.
    """
    z = y - y.max(-1)[..., None]
    e = activation_step(z, "exp", difference_format(fmt), EXP)
    q = (1 << RECIPROCAL_BITS) // e.sum(-1)[..., None]
    return round_shift(e * q, RECIPROCAL_BITS - EXP.frac_bits)
