"""Output errors: what the teacher sends into the last layer, target minus output (papers.md 2.2).

squared error    e = (target - r) / 2**beta
cross-entropy    e = (onehot - p) / 2**beta,  p = exp(r - max r) / sum exp(r - max r)

The exponential only sees what is not positive, so it is bounded by 1; it is read off the table "exp" of
golden.units.activation, 0 below -16. The division is one reciprocal a tick and a product an output:

    E = exp, 15 fraction bits ;  q = floor(2**31 / sum E) ;  p = round_shift(E q, 16), 15 fraction bits
"""

import numpy as np

from golden.fixed import QFormat, round_shift, saturate
from golden.units.activation import activation_step

#: fraction bits of exp and of p
EXP = QFormat(1, 15)
RECIPROCAL_BITS = 31


def squared_error(rate, target, rate_format: QFormat, error: QFormat, beta: int):
    """Words (batch, outputs) of `rate_format` -> words of `error`."""
    return saturate(round_shift(target - rate, rate_format.frac_bits + beta - error.frac_bits), error)


def difference_format(rate_format: QFormat) -> QFormat:
    """Format of r - max r, which takes a bit more than r."""
    return QFormat(rate_format.int_bits + 1, rate_format.frac_bits)


def softmax(rate, rate_format: QFormat):
    """P of (batch, n) words of `rate_format`, in words with 15 fraction bits.

    A probability is wrong by less than n 2**-15 + 2**-14, 3.7e-4 of ten: exp by its rounding, 2**-15, and by its chord
    over segments of 1/32, which is relative, 2**-13, of which a quarter at most is left in p; the reciprocal and the
    last rounding cost another 2**-15. Below -16 exp counts as 0, far below its last place.
    """
    z = rate - rate.max(-1)[..., None]
    e = activation_step(z, "exp", difference_format(rate_format), EXP)
    q = (1 << RECIPROCAL_BITS) // e.sum(-1)[..., None]
    return round_shift(e * q, RECIPROCAL_BITS - EXP.frac_bits)


def cross_entropy_error(rate, label, rate_format: QFormat, error: QFormat, beta: int):
    """Words (batch, outputs) and labels (batch,) -> words of `error`; a label that is no output is no onehot."""
    p = softmax(rate, rate_format)
    onehot = (label[..., None] == np.arange(p.shape[-1])) * (1 << EXP.frac_bits)
    return saturate(round_shift(onehot - p, EXP.frac_bits + beta - error.frac_bits), error)


def output_error(rate, target, net):
    """What the teacher of `net` sends for outputs (batch, outputs) and targets (batch, net.targets)."""
    layer, teacher = net.layers[-1], net.teacher
    formats = (layer.rate, layer.plastic.error, teacher.beta)
    if teacher.loss == "squared_error":
        return squared_error(rate, target, *formats)
    return cross_entropy_error(rate, target[..., 0], *formats)
