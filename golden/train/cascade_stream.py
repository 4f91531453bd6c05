"""Cascaded networks on streams: a new frame may come at every step, while the ones before are still being refined."""

import numpy as np
import torch
from torch.nn import functional

from golden.cascade.trained import CascadeTrained
from golden.checks import check
from golden.train.cascade import BATCH, network, pixels


@torch.no_grad()
def float_stream(real: CascadeTrained, frames, cuts=(0,)) -> np.ndarray:
    """Logits (n, frames, classes) of streams of frames (n, frames, height * width * channels) of uint8, a step a frame.

    Parallel, with the delay. At the frames `cuts`, the first among them, what is left of the residuals
    of the frames before is cleared.
    """
    check(real.alpha is None, f"{real.name} smooths its residuals: streams are for those that are delayed")
    check(0 in cuts, f"the first frame comes after nothing: cuts must have 0, not {sorted(cuts)}")
    torch.set_num_threads(1)
    net = network(real)
    parts = [_part(net, real, frames[n:n + BATCH], set(cuts)) for n in range(0, len(frames), BATCH)]
    return torch.cat(parts, 1).transpose(0, 1).numpy()


def _part(net, real: CascadeTrained, frames, cuts: set) -> torch.Tensor:
    late, found, age = [0.0] * len(net.blocks), [], 0
    for t in range(frames.shape[1]):
        age = 0 if t in cuts else age + 1
        h = net.first(pixels(frames[:, t], real.shape))
        for k, block in enumerate(net.blocks, 1):
            fresh = block.branch(h, first=min(age, k - 1))
            h, late[k - 1] = functional.relu(block.across(h) + (late[k - 1] if age else 0.0)), fresh
        head = min(age, len(net.head) - 1)
        found.append(functional.linear(h.mean((2, 3)), net.head[head], net.offset[head]))
    return torch.stack(found)
