"""What a network that runs tick by tick is given and answers, as words of input and output registers (golden.regmap).

A unit is one tick of one stream: `inputs` words, FIRST_BIT in the first of a sequence; where errors run `targets` words
follow them, and the last one carries LEARN_BIT and TEACH_BIT. Its answer: `outputs` words.
"""

import numpy as np

from golden.description import Description, Units
from golden.fixed import QFormat, wrap
from golden.regmap import FIRST_BIT, LEARN_BIT, TEACH_BIT, WORD_MASK


def units(net: Description, x) -> Units:
    """Sequences x (n, ticks, inputs) or, for every stream its own, (n, ticks, streams, inputs); each from rest."""
    x = np.asarray(x)
    fmt, each = net.layers[0].operand, (net.streams,) * (x.ndim == 4)
    if x.ndim not in (3, 4) or x.shape[2:] != (*each, net.inputs) or not x.size or x.dtype.kind not in "iu":
        raise ValueError(f"inputs are integer words of shape (n, ticks, {net.inputs}) or (n, ticks, {net.streams}, "
                         f"{net.inputs}), not {x.dtype} of shape {x.shape}")
    if x.min() < fmt.min or x.max() > fmt.max:
        raise ValueError(f"inputs hold words outside of {fmt} [{fmt.min}, {fmt.max}]")
    x = x if x.ndim == 4 else np.repeat(x[:, :, None], net.streams, 2)
    words = x.astype(np.int64) & WORD_MASK
    words[:, 0, 0, 0] |= 1 << FIRST_BIT
    return _units(words, net)


def learning_units(net: Description, x, target, taught: range, *, first: bool, learn=True, teach=True) -> Units:
    """Ticks in which errors run: x (ticks, streams, inputs) and target (ticks, streams, targets), words in `taught`.

    learn, teach: (ticks, streams) or one for all. ValueError where shapes or ranges do not fit.
    """
    if net.teacher is None:
        raise ValueError(f"{net.name} has no teacher and no plastic layer: nothing in it learns")
    x, target = np.asarray(x), np.asarray(target)
    for name, words, last in (("inputs", x, net.inputs), ("targets", target, net.targets)):
        if words.ndim != 3 or words.shape[1:] != (net.streams, last) or words.dtype.kind not in "iu" or not words.size:
            raise ValueError(f"{name} are integer words of shape (ticks, {net.streams}, {last}), not {words.dtype} of "
                             f"shape {words.shape}")
    if len(x) != len(target):
        raise ValueError(f"{len(x)} ticks of inputs, {len(target)} of targets")
    fmt = net.layers[0].operand
    for name, words, least, most in (("inputs", x, fmt.min, fmt.max), ("targets", target, taught[0], taught[-1])):
        if words.min() < least or words.max() > most:
            raise ValueError(f"{name} hold words outside of {least}..{most}")
    words = np.concatenate([x, target], 2).astype(np.int64) & WORD_MASK
    for name, flags, bit in (("learn", learn, LEARN_BIT), ("teach", teach, TEACH_BIT)):
        flags = np.asarray(flags, bool)
        if flags.shape not in ((), x.shape[:2]):
            raise ValueError(f"{name} has shape {flags.shape}, expected {x.shape[:2]} or one for all")
        words[:, :, -1] |= flags.astype(np.int64) << bit
    if first:
        words[0, 0, 0] |= 1 << FIRST_BIT
    return _units(words, net)


def _units(words, net) -> Units:
    size = words.shape[-1]
    words = words.astype(np.uint32).ravel()
    return Units(words, np.arange(size, len(words) + 1, size), net.outputs)


def outputs(net: Description, words, shape, fmt: QFormat) -> np.ndarray:
    """Output words of a device, of `fmt` -> signed words (*shape, outputs).

    shape: of all streams, or without their axis, then of stream 0.
    """
    found = wrap(np.asarray(words, np.int64), fmt.width)
    if len(shape) == 3:
        return found.reshape(*shape, net.outputs)
    return found.reshape(*shape, net.streams, net.outputs)[:, :, 0]
