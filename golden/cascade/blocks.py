"""Still images block by block: what block k sees differs in its first k steps alone, so these are one batch.

Equal to golden.cascade.engine step by step, on every bit; numpy then has a few large convolutions instead of many small
ones. [CASCADE] arXiv 2102.09808: the parallel scheme unrolled in depth instead of in time.
"""

import numpy as np

from golden.cascade.engine import branch_step, head_step, join_step, shortcut_step, stem_step
from golden.checks import check


def logits(net, params, images, steps: int | None = None, *, serial: bool = False) -> np.ndarray:
    """Words (n, steps, classes) of still images (n, values) of 0..255, each after a cut, without an exit."""
    steps = net.steps if steps is None else steps
    check(steps >= 1, f"a frame has a step at least, not {steps}")
    images = np.asarray(images, np.int64)
    x = images.reshape(len(images), net.stem.height, net.stem.width, net.stem.inputs)
    h = stem_step(x, params[0], net)[None]       # a map a step, as long as they differ
    for k, (block, own) in enumerate(zip(net.blocks, params[1:-1], strict=True), 1):
        h = _through(h, k, block, own, net, min(steps, k + 1), serial)
    found = head_step(_flat(h), params[-1], net.head).reshape(*h.shape[:2], -1)
    return found[np.minimum(np.arange(steps), len(h) - 1)].swapaxes(0, 1)


def _through(h, k: int, block, params, net, out: int, serial: bool):
    """The first `out` maps (steps, n, height, width, channels) behind block k, of those that come to it."""
    n, rows = h.shape[1], net.affine_rows(k)
    # serially a block works once, in step k - 1, when all blocks below have contributed
    first = k - 1 if serial else 0
    work = h[first:]
    identity = shortcut_step(_flat(h), params, block, net).reshape(len(h), n, *block.out)
    identity = identity[np.minimum(np.arange(out), len(h) - 1)]
    residual = np.zeros_like(identity)
    if len(work):
        row = np.repeat(np.minimum(np.arange(first, len(h)), rows - 1), n)[:, None, None]
        made = branch_step(_flat(work), params, block, row, net).reshape(len(work), n, *block.out)
        residual[first + 1:] = made[:out - first - 1]
    return join_step(identity, residual)


def _flat(h):
    """Steps and images as one batch."""
    return h.reshape(-1, *h.shape[2:])
