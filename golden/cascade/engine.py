"""The cascade in integers: every block reads what the step before has left of it, then all residuals change.

    h_0 = conv_0(x) ;  h_k = clip(round_shift(s_k + R_k, e), 0, 255) ;  s_k = h_{k-1} << e, or its shortcut
    R_k' = conv2(conv1(h_{k-1})) where block k works in this step            [CASCADE] arXiv 2102.09808, e = 3

    conv(x) = clip(round_shift(s scale + bias 2**(post - 4), post)) ;  s = sat18(round_shift(sum of w x, pre))

A block works only where its input may have changed: k steps from a new frame on in block k. In a serial frame it works
once, k - 1 steps behind the frame, when all blocks below contribute.
"""

from typing import NamedTuple

import numpy as np

from golden.cascade import words
from golden.cascade.layer import (
    ACTIVATION_BITS,
    BIAS_FRACTION,
    RESIDUAL_BITS,
    RESIDUAL_FRACTION,
    Block,
    Convolution,
    Head,
)
from golden.fixed import MULTIPLIER_BITS, QFormat, clip, exact_matmul, round_shift, saturate
from golden.units.activation import activation_step
from golden.units.softmax import EXP, difference_format

#: frames that golden runs at once, where each begins anew
CHUNK = 50
SUM = QFormat(MULTIPLIER_BITS - 1, 0)
#: what a convolution makes: activations, or a residual
LIMITS = {"activation": (0, (1 << ACTIVATION_BITS) - 1),
          "residual": (-(1 << RESIDUAL_BITS - 1), (1 << RESIDUAL_BITS - 1) - 1)}


class StemParams(NamedTuple):
    """Words of a stem: weight (outputs, kernel, kernel, inputs); scale and bias (1, outputs)."""

    weight: np.ndarray
    scale: np.ndarray
    bias: np.ndarray


class BlockParams(NamedTuple):
    """Words of a block: weights (outputs, kernel, kernel, inputs), scales and biases (rows, outputs).

    shortcut (outputs, 1, 1, inputs) with its scale (1, outputs), or None.
    """

    weight1: np.ndarray
    scale1: np.ndarray
    bias1: np.ndarray
    weight2: np.ndarray
    scale2: np.ndarray
    bias2: np.ndarray
    shortcut: np.ndarray | None = None
    shortcut_scale: np.ndarray | None = None


class HeadParams(NamedTuple):
    """Words of the head: weight (classes, channels), bias (classes,)."""

    weight: np.ndarray
    bias: np.ndarray


def affine(total, scale, bias, net, limits):
    """Words of a map from sums (..., outputs) of a convolution; scale and bias (outputs,)."""
    s = saturate(round_shift(total, net.pre), SUM)
    return clip(round_shift(s * scale + (bias << net.post - BIAS_FRACTION), net.post), *limits)


def convolve(x, weight, conv: Convolution):
    """Sums of x (n, height, width, inputs): (n, out_height, out_width, outputs)."""
    n, pad = len(x), conv.kernel // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    taps = [padded[:, i:i + conv.height:conv.stride, j:j + conv.width:conv.stride]
            for i in range(conv.kernel) for j in range(conv.kernel)]
    patches = np.concatenate(taps, -1).reshape(n * conv.pixels, -1)
    found = exact_matmul(patches, weight.reshape(conv.outputs, -1))
    return found.reshape(n, conv.out_height, conv.out_width, conv.outputs)


def stem_step(x, params: StemParams, net):
    """h_0 of x (n, height, width, inputs)."""
    total = convolve(x, params.weight, net.stem.main[0])
    return affine(total, params.scale[0], params.bias[0], net, LIMITS["activation"])


def branch_step(h, params: BlockParams, block: Block, row: int, net):
    """R of h (n, height, width, inputs): row `row` of the block's scales and biases; or rows (n, 1, 1)."""
    first, second = block.main
    inner = affine(convolve(h, params.weight1, first), params.scale1[row], params.bias1[row], net,
                   LIMITS["activation"])
    return affine(convolve(inner, params.weight2, second), params.scale2[row], params.bias2[row], net,
                  LIMITS["residual"])


def shortcut_step(h, params: BlockParams, block: Block, net):
    """The identity of h in words of a residual."""
    if block.shortcut is None:
        return h << RESIDUAL_FRACTION
    return affine(convolve(h, params.shortcut, block.shortcut), params.shortcut_scale[0], 0, net, LIMITS["residual"])


def join_step(identity, residual):
    """h_k of the identity and the residual of the step before."""
    return clip(round_shift(identity + residual, RESIDUAL_FRACTION), *LIMITS["activation"])


def head_step(h, params: HeadParams, head: Head):
    """Logits (n, classes) of h (n, height, width, channels)."""
    pooled = h.sum((1, 2))
    return saturate(round_shift(exact_matmul(pooled, params.weight) + (params.bias << head.shift), head.shift), SUM)


def certainty(logits, rule: str, fraction: int):
    """What a rule looks at, of logits (n, classes): how far the two largest are apart; or 1 / the largest softmax."""
    if rule == "margin":
        best = np.sort(logits, -1)
        return best[:, -1] - best[:, -2]
    fmt = logit_format(fraction)
    below = saturate(logits - logits.max(-1)[:, None], difference_format(fmt))
    return activation_step(below, "exp", difference_format(fmt), EXP).sum(-1)


def passes(certainty, rule: str, threshold: int):
    """Whether a certainty is enough for the threshold word."""
    return certainty >= threshold if rule == "margin" else \
        certainty <= threshold << EXP.frac_bits - words.INVERSE_FRACTION


def exits(logits, rule: str, threshold: int, fraction: int):
    """Whether the rule ends a frame at logits (n, classes)."""
    if rule == "never":
        return np.zeros(len(logits), bool)
    return passes(certainty(logits, rule, fraction), rule, threshold)


def logit_format(fraction: int) -> QFormat:
    """Format of a logit."""
    return QFormat(MULTIPLIER_BITS - 1 - fraction, fraction)


def works(block: int, since: list[bool], serial: bool) -> bool:
    """Whether block 1.. works: since[d], a new frame came d steps ago."""
    return since[block - 1] if serial else any(since[:block])


class Memory:
    """What n frames side by side leave from step to step: residuals, steps since the last cut and the last frame."""

    def __init__(self, net, n: int):
        self.residuals = [np.zeros((n, *block.out), np.int64) for block in net.blocks]
        self.age = 0
        self.since = [False] * (len(net.blocks) + 1)


def step(net, params, memory: Memory, h, serial: bool, new: bool):
    """One step of h_0: logits, and a bit for each block that has worked."""
    memory.since = [new, *memory.since[:-1]]
    worked = 0
    for k, (block, own) in enumerate(zip(net.blocks, params[1:-1], strict=True), 1):
        out = join_step(shortcut_step(h, own, block, net), memory.residuals[k - 1])
        if works(k, memory.since, serial):
            row = min(memory.age, net.affine_rows(k) - 1)
            memory.residuals[k - 1] = branch_step(h, own, block, row, net)
            worked |= 1 << k - 1
        h = out
    memory.age += 1
    return head_step(h, params[-1], net.head), worked


def differs(frames, before, detector: int | None):
    """Whether frames (..., 2 + values) differ from those before them: |x - x'|, summed over the values, > detector."""
    if detector is None:
        return np.zeros(frames.shape[:-1], bool)
    return np.abs(frames[..., words.HEADER_WORDS:] - before[..., words.HEADER_WORDS:]).sum(-1) > detector


def cuts_of(net, frames):
    """Whether each of the frames (n, 2 + values) begins anew: the first, by its header, by the detector."""
    found = (frames[:, 0] >> words.CUT_BIT & 1).astype(bool)
    found[1:] |= differs(frames[1:], frames[:-1], net.detector)
    return found


def run(net, params, frames, progress=None) -> np.ndarray:
    """Outputs (n, steps, classes + 1) of frames (n, 2 + values), in order; see CascadeNetwork.run."""
    heads, cuts = frames[:, :words.HEADER_WORDS], cuts_of(net, frames)
    found, start = [], 0
    memory = None
    while start < len(frames):
        end = start + 1
        # frames that begin anew, and before others that do, run side by side
        while end < len(frames) and end - start < CHUNK and cuts[end] and cuts[start] and \
                (heads[end] == heads[start]).all() and (end + 1 == len(frames) or cuts[end + 1]):
            end += 1
        memory = Memory(net, end - start) if cuts[start] else memory
        found.append(refine(net, params, frames[start:end], memory))
        if progress is not None:
            progress(end - start)
        start = end
    return np.concatenate(found)


def refine(net, params, frames, memory: Memory) -> np.ndarray:
    """Outputs of frames side by side, all with the same header, from what earlier ones have left in `memory`."""
    told, n = words.header(frames[0, :2]), len(frames)
    x = frames[:, words.HEADER_WORDS:].reshape(n, net.stem.height, net.stem.width, net.stem.inputs)
    h = stem_step(x, params[0], net)
    out = np.zeros((n, told.steps, net.outputs + 1), np.int64)
    going = np.ones(n, bool)
    for t in range(told.steps):
        logits, worked = step(net, params, memory, h, told.serial, t == 0)
        ends = exits(logits, told.rule, told.threshold, net.head.fraction) | (t == told.steps - 1)
        out[going, t, :-1] = logits[going]
        out[:, t, -1] = t | going << words.COMPUTED_BIT | (going & ends) << words.EXIT_BIT | \
            np.where(going, worked, 0) << words.BLOCKS_BIT
        going &= ~ends
        if not going.any():
            out[:, t + 1:, -1] = np.arange(t + 1, told.steps)
            break
    return out


def random_params(net, seed: int = 0) -> tuple:
    """Parameters that use all of their formats, with scales that keep maps alive; for tests."""
    rng = np.random.default_rng(seed)
    found = []
    for n, layer in enumerate(net.layers[:-1]):
        rows, tensors = net.affine_rows(n), {}
        for number, conv in enumerate(layer.main, 1):
            suffix = str(number) if n else ""
            tensors["weight" + suffix] = _weights(rng, (conv.outputs, conv.kernel, conv.kernel, conv.inputs))
            tensors["scale" + suffix] = _scales(rng, conv, net, (rows, conv.outputs), 1 + 7 * (number == 2))
            tensors["bias" + suffix] = rng.integers(-2000, 4000, (rows, conv.outputs))
        if layer.shortcut is not None:
            tensors["shortcut"] = _weights(rng, (layer.outputs, 1, 1, layer.inputs))
            tensors["shortcut_scale"] = _scales(rng, layer.shortcut, net, (1, layer.outputs), 8)
        found.append((BlockParams if n else StemParams)(**tensors))
    head = net.head
    return (*found, HeadParams(rng.integers(-2048, 2048, (head.outputs, head.inputs)),
                               rng.integers(-2048, 2048, head.outputs)))


def _weights(rng, shape):
    return rng.integers(-128, 128, shape)


def _scales(rng, conv: Convolution, net, shape, wide: int):
    """Of either sign, so that sums of random weights fill what comes out."""
    typical = 74 * 100 * np.sqrt(conv.taps * conv.inputs) / (1 << net.pre)
    size = min(100_000, int((1 << net.post) * 100 * wide / max(1, typical)))
    return rng.integers(-size, size + 1, shape)
