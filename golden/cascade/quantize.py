"""Real parameters of a cascaded network as words, and its description: scales from the ranges that training has noted.

A weight is a word of its output channel's scale; an activation is a word of range / 255, a residual of an eighth of it.
All real factors of a convolution meet in one scale a channel, so no format has to be a power of two, but that of the
logits.
"""

import math
from dataclasses import replace

import numpy as np

from golden.cascade.engine import LIMITS, BlockParams, HeadParams, StemParams
from golden.cascade.layer import (
    BIAS_FRACTION,
    HEAD_BITS,
    RESIDUAL_FRACTION,
    SCALE_BITS,
    WEIGHT_BITS,
    Block,
    Head,
    Stem,
)
from golden.cascade.layout import dealt
from golden.cascade.network import CascadeNetwork
from golden.checks import check
from golden.fixed import MULTIPLIER_BITS, QFormat
from golden.fixed import quantize as words_of

FULL = LIMITS["activation"][1]
#: of a pixel: 255 is a little less than 1
PIXEL = 1 / 256
_WORD = QFormat(WEIGHT_BITS - 1, 0)
_SCALE, _HEAD = QFormat(SCALE_BITS - 1, 0), QFormat(HEAD_BITS - 1, 0)
#: fraction bits of a logit
FRACTION = 8


def describe(real) -> CascadeNetwork:
    """The network of a trained one, its engines with as few lanes as hold the weights.

    ValueError for what no circuit is there for: heads a step, residuals that are smoothed.
    """
    check(len(real.head) == 1, f"{real.name} has a head a step, and a circuit one for all")
    check(real.alpha is None, f"{real.name} smooths its residuals, and a circuit delays them")
    shape, layers = tuple(real.shape), []
    for n, (channels, stride) in enumerate(zip(real.channels, real.strides, strict=True)):
        high, wide, inputs = shape
        layers.append((Block if n else Stem)(height=high, width=wide, inputs=inputs, outputs=channels,
                                             kernel=real.kernel, stride=stride))
        shape = layers[-1].out
    high, wide, channels = shape
    weight = _head_weight(real, high * wide)
    shift = _room(np.abs(weight).max(), (1 << HEAD_BITS - 1) - 1, 1, MULTIPLIER_BITS - 2)
    layers.append(Head(inputs=channels, outputs=real.classes, pixels=high * wide, shift=shift, fraction=FRACTION))
    convolutions = list(_convolutions(real))
    largest = max(np.abs(weight).reshape(len(weight), -1).sum(1).max() for _, weight, *_ in convolutions) * FULL
    pre = max(0, math.ceil(math.log2(largest + 1)) - (MULTIPLIER_BITS - 1))
    factor = max(np.abs(scale).max() for _, _, scale, _ in convolutions) * 2 ** pre
    post = _room(factor, _SCALE.max, 4, 24)
    rows = max(block.conv1.scale.shape[0] for block in real.blocks)
    net = CascadeNetwork(name=real.name, steps=real.steps, layers=tuple(layers), pre=pre, post=post,
                         norm="step" if rows > 1 else "shared", scheme=real.scheme, detector=real.detector)
    return replace(net, engines=dealt(net, real.engines))


def _room(value: float, most: int, low: int, high: int) -> int:
    """The most fraction bits with which a value stays within `most`."""
    return min(high, max(low, math.floor(math.log2(most / max(value, 1e-12)))))


def _head_weight(real, pixels: int):
    """Of a word of a sum over the pixels, in words of a logit."""
    return real.head[0] * _lsb(real, 0) / pixels * (1 << FRACTION)


def _lsb(real, n: int) -> float:
    """Of a map's word: 0, of those between blocks; n, of the hidden one of block n."""
    return float(real.ranges[n]) / FULL


def _convolutions(real):
    """Name, weights as words (outputs, kernel, kernel, inputs), real scale from a sum to a word, and bias in words."""
    between = _lsb(real, 0)
    residual = between / (1 << RESIDUAL_FRACTION)

    def one(name, weight, scale, bias, source, target):
        largest = np.abs(weight).reshape(len(weight), -1).max(1)
        step = np.where(largest > 0, largest, 1) / _WORD.max
        words = words_of(weight / step.reshape(-1, *[1] * (weight.ndim - 1)), _WORD, name=name)
        return name, words, np.atleast_2d(scale) * step * source / target, np.atleast_2d(bias) / target
    weight = real.stem.weight.transpose(0, 2, 3, 1)
    yield one("stem", weight, real.stem.scale, real.stem.bias, PIXEL, between)
    for n, block in enumerate(real.blocks, 1):
        hidden = _lsb(real, n)
        for number, conv, source, target in ((1, block.conv1, between, hidden), (2, block.conv2, hidden, residual)):
            yield one(f"blocks.{n - 1}.conv{number}", conv.weight.transpose(0, 2, 3, 1), conv.scale, conv.bias, source,
                      target)
        if block.shortcut is not None:
            yield one(f"blocks.{n - 1}.shortcut", block.shortcut[:, None, None, :], np.ones(len(block.shortcut)),
                      np.zeros(len(block.shortcut)), between, residual)


def quantize(real, net: CascadeNetwork) -> tuple:
    """Words of every layer; ValueError where a scale does not fit."""
    found = {}
    for name, words, scale, bias in _convolutions(real):
        scale = words_of(scale * 2.0 ** (net.pre + net.post), _SCALE, name=f"{name}.scale")
        # beyond its format a bias is beyond every clip, too
        found[name] = words, scale, words_of(bias * (1 << BIAS_FRACTION), _SCALE, clip_range=True)
    params = [StemParams(*found["stem"])]
    for n, block in enumerate(net.blocks):
        rows = net.affine_rows(n + 1)
        first, second = ((words, *(_rows(value, rows) for value in affine)) for words, *affine in
                         (found[f"blocks.{n}.conv1"], found[f"blocks.{n}.conv2"]))
        short = found[f"blocks.{n}.shortcut"][:2] if block.shortcut is not None else ()
        params.append(BlockParams(*first, *second, *short))
    head = _head_weight(real, net.head.pixels) * 2.0 ** net.head.shift
    bias = real.offset[0] * (1 << FRACTION)
    return (*params, HeadParams(words_of(head, _HEAD, name="head.weight", clip_range=True),
                                words_of(bias, _HEAD, name="head.bias")))


def _rows(value, rows: int):
    """A row a step, where there is one for all."""
    return np.tile(value, (rows // len(value), 1))


def inputs_of(real, samples, net: CascadeNetwork, lengths=None) -> np.ndarray:
    """Images (n, values) of 0..255 as frames."""
    check(lengths is None, f"{real.name} takes images, not sequences")
    return net.frames(np.asarray(samples).reshape(len(samples), -1))
