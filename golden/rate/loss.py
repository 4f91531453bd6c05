"""Output errors: what the teacher sends into the last layer, target minus output ([GLE] arXiv 2403.16933).

squared error    e = (target - r) / 2**beta
cross-entropy    e = (onehot - p) / 2**beta,  p = exp(r - max r) / sum exp(r - max r)

The softmax is that of golden.units.softmax.
"""

import numpy as np

from golden.fixed import QFormat, round_shift, saturate
from golden.units.softmax import EXP, softmax


def squared_error(rate, target, rate_format: QFormat, error: QFormat, beta: int):
    """Words (batch, outputs) of `rate_format` -> words of `error`."""
    return saturate(round_shift(target - rate, rate_format.frac_bits + beta - error.frac_bits), error)


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
