"""Training of cascaded residual networks, parallel or serial, with TD(lambda) or on the last step (arXiv 2102.09808).

golden.train.cascade_net has the network and the loss, golden.cascade.recipe the settings. Pixels are 0..255 over 256,
so that the padding of a convolution is black.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from golden import description
from golden.cascade.recipe import SCHEMES, CascadeRecipe
from golden.cascade.trained import Block, CascadeTrained, Conv
from golden.data.dataset import DataSet, Samples
from golden.data.sets import written
from golden.train.cascade_net import Cascade, td_loss

#: what `report` is given while it learns, as a text
SHOWN = "loss {:.3f}"
#: training images on which ranges are looked for, and the share of values that lies in them
PROBED, WITHIN = 1000, 0.9999
BATCH = 250     # images at a time where nothing learns


def pixels(samples, shape) -> Tensor:
    """Images (n, height * width * channels) of uint8 -> float32 (n, channels, height, width), 0 to 255/256."""
    x = torch.from_numpy(np.array(samples)).reshape(-1, *shape).permute(0, 3, 1, 2)
    return x.to(torch.float32, memory_format=torch.channels_last) / 256


def fit(recipe: CascadeRecipe, data: DataSet, *, seed: int = 0, hold_out: bool = False,
        report: Callable | None = None) -> CascadeTrained:
    """Train the network of a recipe on a data set, and return it with its figures as `training`.

    With `hold_out` it learns the samples of "fit", and `held_out_accuracy` (of the last step; `_steps`: of every step)
    is that of the float model on "held_out": every choice goes by it. Otherwise it learns "train", and `float_accuracy`
    is that on the test set, read once, at the end. After each epoch report(epoch, mean loss) is called.
    """
    torch.set_num_threads(1)
    began, split = time.process_time(), "fit" if hold_out else "train"
    learnt = data.load(split)
    net = learn(recipe, data, learnt, seed=seed, report=report)
    figures = {"train_cpu_s": round(time.process_time() - began, 1), "epochs": recipe.epochs, "seed": seed}
    trained = _kept(net, recipe, data, pixels(learnt.x[:PROBED], recipe.shape(data)))
    figures |= written(data, split, recipe.read_as) | {"loss": recipe.loss, "scheme": recipe.scheme}
    figures |= {"lambda": recipe.lambda_} if recipe.loss == "td" else {}
    figures |= _score(trained, data, hold_out)
    return replace(trained, training=recipe.made_by(seed, hold_out) | figures)


def learn(recipe: CascadeRecipe, data: DataSet, learnt: Samples, *, seed: int = 0,
          report: Callable | None = None) -> Cascade:
    """The network of a recipe after its epochs on the samples `learnt` of a data set, ready to answer."""
    generator = torch.Generator().manual_seed(seed)
    net = drawn(recipe, data, generator)
    images, labels = _bytes(learnt, recipe.shape(data)), torch.from_numpy(learnt.y)
    batch = min(recipe.batch, len(labels))
    batches, step, optimiser = len(labels) // batch, 0, _optimiser(net, recipe)
    for epoch in range(recipe.epochs):
        total, order = 0.0, torch.randperm(len(labels), generator=generator)
        for chosen in order[:batches * batch].split(batch):
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate * _done(step, recipe.epochs * batches, recipe.warm)
            loss = _loss(net, _shown(images[chosen], recipe, generator), labels[chosen], recipe)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
            total += loss.item()
        if report:
            report(epoch + 1, total / batches)
    return net.eval()


def drawn(recipe: CascadeRecipe, data: DataSet, generator: torch.Generator) -> Cascade:
    """The network of a recipe before it has learnt; convolutions are fastest on maps with channels last in memory."""
    net = Cascade(shape=recipe.shape(data), channels=recipe.channels, strides=recipe.strides, kernel=recipe.kernel,
                  classes=data.classes, heads=len(recipe.channels) if recipe.heads == "step" else 1, norm=recipe.norm,
                  alpha=recipe.alpha if recipe.delay == "smooth" else None)
    return net.started(generator).to(memory_format=torch.channels_last)


def _optimiser(net: Cascade, recipe: CascadeRecipe) -> torch.optim.SGD:
    weights = [p for p in net.parameters() if p.ndim > 2]     # (heads, classes, channels) and convolutions
    others = [p for p in net.parameters() if p.ndim <= 2]
    return torch.optim.SGD([{"params": weights, "weight_decay": recipe.decay}, {"params": others}], lr=recipe.rate,
                           momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def _done(step: int, steps: int, warm: int) -> float:
    """Share of the full rate: a rise, and a half cosine."""
    return (1 + math.cos(math.pi * step / steps)) / 2 * min(1, (step + 1) / warm)


def _loss(net: Cascade, x: Tensor, label: Tensor, recipe: CascadeRecipe) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
        logits = net.final(x) if recipe.loss == "last" else net(x, recipe.scheme)
    if recipe.loss == "last":
        return functional.cross_entropy(logits.float(), label)
    return td_loss(logits.float(), label, recipe.lambda_, recipe.since)


def _bytes(samples: Samples, shape) -> Tensor:
    return torch.from_numpy(samples.x).reshape(-1, *shape).permute(0, 3, 1, 2)


def _shown(x: Tensor, recipe: CascadeRecipe, generator: torch.Generator) -> Tensor:
    """Chosen images (n, channels, height, width) of bytes as they are learnt from: mirrored, moved, noisy."""
    n, _, height, width = x.shape
    if recipe.flip:
        x = torch.where(torch.rand(n, 1, 1, 1, generator=generator) < 0.5, x.flip(3), x)
    if by := recipe.shift:
        x, at = functional.pad(x, (by,) * 4), torch.randint(2 * by + 1, (2, n, 1), generator=generator)
        rows, columns = at[0] + torch.arange(height), at[1] + torch.arange(width)
        x = x[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)
    x = x.to(torch.float32, memory_format=torch.channels_last) / 256
    return x + recipe.noise * torch.randn(x.shape, generator=generator) if recipe.noise else x


# ---- the trained file

@torch.no_grad()
def _kept(net: Cascade, recipe: CascadeRecipe, data: DataSet, probe: Tensor) -> CascadeTrained:
    """What a file holds of a network: weights, norms as affine pairs, and ranges on some training images."""
    def conv(module, norm):
        scale, bias = norm.folded()
        return Conv(module.weight.numpy(), scale.numpy(), bias.numpy())
    stem = conv(net.stem, net.norm)
    blocks = tuple(
        Block(conv(block.conv1, block.norm1), conv(block.conv2, block.norm2),
              block.across.weight[:, :, 0, 0].numpy() if isinstance(block.across, torch.nn.Conv2d) else None)
        for block in net.blocks)
    return CascadeTrained(
        name=recipe.name, shape=recipe.shape(data), channels=recipe.channels, strides=recipe.strides,
        kernel=recipe.kernel, scheme=recipe.scheme, engines=recipe.engines, alpha=net.alpha,
        stem=Conv(stem.weight, stem.scale[0], stem.bias[0]), blocks=blocks, head=net.head.numpy(),
        offset=net.offset.numpy(), ranges=_ranges(net, probe), training={})


def _ranges(net: Cascade, x: Tensor) -> np.ndarray:
    """Values that all but few stay within in both schemes: of maps between blocks, then of the hidden map of each."""
    def most(values: Tensor) -> float:
        return float(np.quantile(values.numpy(), WITHIN))
    found = np.zeros((2, len(net.blocks) + 1))
    for row, scheme in enumerate(SCHEMES if net.alpha is None else SCHEMES[:1]):
        h, steps = net.first(x), 1
        found[row, 0] = most(h)
        for k, block in enumerate(net.blocks, 1):
            found[row, k] = most(block.hidden(h, steps))
            h, steps = net.after(k, h, steps, scheme)
            found[row, 0] = max(found[row, 0], most(h))
    return found.max(0).astype(np.float32)


@torch.no_grad()
def network(real: CascadeTrained) -> Cascade:
    """The float model of a trained network."""
    rows = max(block.conv1.scale.shape[0] for block in real.blocks)
    net = Cascade(shape=real.shape, channels=real.channels, strides=real.strides, kernel=real.kernel,
                  classes=real.head.shape[1], heads=len(real.head), norm="step" if rows > 1 else "shared",
                  alpha=real.alpha, eps=0.0).eval()

    def put(module, norm, kept):
        module.weight.copy_(torch.from_numpy(kept.weight))
        norm.scale.copy_(torch.from_numpy(kept.scale))
        norm.bias.copy_(torch.from_numpy(kept.bias))
    put(net.stem, net.norm, real.stem)
    for block, kept in zip(net.blocks, real.blocks, strict=True):
        put(block.conv1, block.norm1, kept.conv1)
        put(block.conv2, block.norm2, kept.conv2)
        if kept.shortcut is not None:
            block.across.weight.copy_(torch.from_numpy(kept.shortcut[:, :, None, None]))
    net.head.copy_(torch.from_numpy(real.head))
    net.offset.copy_(torch.from_numpy(real.offset))
    return net.to(memory_format=torch.channels_last)


@torch.no_grad()
def float_steps(real: CascadeTrained, x, scheme: str | None = None) -> np.ndarray:
    """Logits (n, steps, classes) of images (n, height * width * channels) of uint8; scheme: the trained one's."""
    torch.set_num_threads(1)
    net, scheme = network(real), scheme or real.scheme
    parts = [net(pixels(x[n:n + BATCH], real.shape), scheme) for n in range(0, len(x), BATCH)]
    return torch.cat(parts, 1).transpose(0, 1).numpy()


def _score(trained: CascadeTrained, data: DataSet, hold_out: bool) -> dict:
    """Accuracy of the float model by step, the test set read once."""
    asked, kind = data.load("held_out" if hold_out else "test"), "held_out" if hold_out else "float"
    right = (float_steps(trained, asked.x).argmax(2) == asked.y[:, None]).mean(0)
    return {f"{kind}_accuracy": float(right[-1]), f"{kind}_accuracy_steps": [round(float(r), 4) for r in right]}


def answers(real: CascadeTrained, samples, since: int = 0, lengths=None) -> description.Answers:
    """What the float model says in its last step of images (n, height * width * channels)."""
    logits = float_steps(real, samples)[:, -1]
    return description.Answers(logits.argmax(1), logits)
