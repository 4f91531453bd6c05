"""Training of delays: spiking networks whose weights stay as drawn ([DELAY] arXiv 2306.06237), and their controls.

Pixels spike at most once, brighter ones earlier, channels of a sequence in every tick, and the class is the output that
spikes first; events.py has the gradients. The quick form ("leaky": integrators that spike once a sample, cross-entropy
of a soft first spike) is the default, [DELAY]'s own form is form="psp", loss="van_rossum": alpha functions, a
refractory kernel, a target train. golden.spiking.recipe has the settings.
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
from golden.data.dataset import DataSet, Samples
from golden.data.sets import written
from golden.spiking.engine import Answers, decide
from golden.spiking.network import SpikingNetwork
from golden.spiking.recipe import SpikingRecipe
from golden.spiking.trained import SpikingTrained
from golden.train.draw import Layer, clip, describe, draw, jittered, spikes_of
from golden.train.events import arrive, neurons, once, response

#: what `report` is given while it learns, as a text
SHOWN = "loss {:.3f}"


def arrivals(net: SpikingNetwork, layers, spikes: Tensor, *, slope=None, keep: list | None = None) -> Tensor:
    """What arrives at the outputs; of hidden spikes only those count that `keep`, (n, 1, neurons) a layer, leaves."""
    ticks = net.ticks
    for n, (layer, (delay, weight)) in enumerate(zip(net.layers, layers, strict=True)):
        came = arrive(spikes, delay.T, weight.T, ticks=ticks if spikes.ndim == 2 else None)
        if n < len(net.layers) - 1:
            once_only = layer.refractory >= ticks
            spikes = once(came, layer, slope=slope or 1.0) if once_only else neurons(came, layer, slope=slope)[0]
            spikes = spikes if keep is None else spikes * keep[n]
    return came


@torch.no_grad()
def float_run(trained: SpikingTrained, x, lengths=None, *, batch: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Spikes and membranes of the outputs, (n, ticks, outputs): real membranes and weights, integer delays."""
    net, found = trained.net, []
    layers = [Layer(torch.from_numpy(delay.T.astype(np.float32)), torch.from_numpy(weight.T.astype(np.float32)))
              for delay, weight in zip(trained.delays, _weights(trained), strict=True)]
    for n in range(0, len(x), batch):
        chunk = Samples(x[n:n + batch], None, None if lengths is None else lengths[n:n + batch])
        came, last = arrivals(net, layers, spikes_of(net, chunk)), net.layers[-1]
        if net.decision == "potential":
            membranes = torch.einsum("nm,bmo->bno", response(last.order, last.leak, net.ticks), came)
            found.append((torch.zeros_like(membranes), membranes))
        else:
            found.append(neurons(came, last))
    spikes, membranes = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return spikes > 0, membranes


def float_answers(trained: SpikingTrained, x, lengths=None) -> Answers:
    """What the float model answers to images (n, pixels) or sequences, decided as in golden.spiking.engine."""
    return decide(*float_run(trained, x, lengths))


def _weights(trained: SpikingTrained):
    for layer, weight in zip(trained.net.layers, trained.weights, strict=True):
        yield layer.weight.matrix(layer.inputs, layer.outputs) if weight is None else weight


def count_labels(spikes: np.ndarray) -> np.ndarray:
    """The decision of [DELAY]: who spikes first; if several do, who spikes most (of all outputs); -1 if none does."""
    first = np.where(spikes.any(1), spikes.argmax(1), spikes.shape[1])
    earliest = first.min(1)
    tied = (first == earliest[:, None]).sum(1) > 1
    label = np.where(tied, spikes.sum(1).argmax(1), first.argmin(1))
    return np.where(earliest < spikes.shape[1], label, -1)


def loss_of(came: Tensor, label: Tensor, net: SpikingNetwork, s: SpikingRecipe) -> Tensor:
    """Mean loss of what arrives at the outputs (n, ticks, outputs).

    "first_spike": cross-entropy of a race. In each tick the image ends with probability sigmoid(sharp * (m - theta))
    where m is a soft maximum of the membranes, in the last tick with some that is left; then the class is drawn by a
    softmax of the membranes. "potential": cross-entropy of the membranes of the last tick. "van_rossum": half the
    squared distance of the output trains from the target, both behind the neuron's kernel.
    """
    last, images_ = net.layers[-1], torch.arange(len(label))
    kernel = response(last.order, last.leak, net.ticks)
    if s.loss == "van_rossum":
        target = torch.zeros_like(came)
        target[images_, :s.target, label] = 1
        off = neurons(came, last, slope=s.step_slope)[0] - target
        return torch.einsum("nm,bmo->bno", kernel / kernel.max(), off).square().sum() / (2 * len(label))
    x = torch.einsum("nm,bmo->bno", kernel, came)
    if s.loss == "potential":
        return functional.cross_entropy(x[:, -1] * s.share, label)
    over = s.sharp * ((s.share * x).logsumexp(2) / s.share - last.threshold * last.state.lsb - s.margin)
    ends, goes_on = functional.logsigmoid(over), functional.logsigmoid(-over)
    final = torch.logaddexp(ends[:, -1:], goes_on[:, -1:] + math.log(s.left))
    ends = torch.cat([ends[:, :-1], final], 1) + goes_on.cumsum(1) - goes_on
    chosen = (s.share * x).log_softmax(2)[images_, :, label]
    return -(ends + chosen).logsumexp(1).mean()


def fit(recipe: SpikingRecipe, data: DataSet, *, seed: int = 0, hold_out: bool = False,
        report: Callable | None = None) -> SpikingTrained:
    """Train the network of a recipe on a data set, and return it with its figures as `training`.

    With `hold_out` it learns the samples of "fit", and `held_out_accuracy` is that of the float model on "held_out":
    every choice goes by it. Otherwise it learns "train", and `float_accuracy` is that on the test set, read once, at
    the end. After each epoch report(epoch, mean loss) is called.
    """
    torch.set_num_threads(1)
    began, generator = time.process_time(), torch.Generator().manual_seed(seed)
    split = "fit" if hold_out else "train"
    learnt, learns_weights = data.load(split), recipe.mode in ("weights", "both")
    net = describe(recipe, data, seed=seed)
    layers, loss = draw(net, recipe, seed), recipe.for_threshold(net.layers[-1].threshold * net.layers[-1].state.lsb)
    learning = [layer.delay for n, layer in enumerate(layers) if recipe.mode in ("delays", "both") or
                (n == len(layers) - 1 and recipe.mode != "weights")]
    groups = [{"params": learning, "lr": recipe.rate}] if learning else []
    groups += [{"params": [layer.weight for layer in layers], "lr": recipe.weight_rate}] if learns_weights else []
    for group in groups:
        for tensor in group["params"]:
            tensor.requires_grad_()
    adam = torch.optim.Adam(groups, eps=1e-12, amsgrad=recipe.amsgrad, fused=True)
    shown, labels, step = Shown(net, learnt, recipe, generator), torch.from_numpy(learnt.y), 0
    batch = min(recipe.batch, len(labels))
    batches, full = len(labels) // batch, [group["lr"] for group in groups]
    for epoch in range(recipe.epochs):
        total, order = 0.0, torch.randperm(len(labels), generator=generator)
        for chosen in order[:batches * batch].split(batch):
            keep = [torch.rand(len(chosen), 1, neurons_, generator=generator) >= recipe.drop
                    for neurons_ in recipe.hidden] if recipe.drop else None
            came = arrivals(net, layers, shown(chosen), slope=recipe.step_slope, keep=keep)
            value = loss_of(came, labels[chosen], net, loss)
            adam.zero_grad()
            value.backward()
            done = max(0.005, (1 + math.cos(math.pi * step / (recipe.epochs * batches))) / 2)
            step += 1
            for group, rate in zip(adam.param_groups, full, strict=True):
                group["lr"] = rate * done * min(1, step / recipe.warm)
            adam.step()
            _bound(net, layers, learns_weights)
            total += value.item()
        if report:
            report(epoch + 1, total / batches)
    trained = SpikingTrained(
        net=net, training={}, delays=tuple((layer.delay.detach() + 0.5).floor().numpy().T for layer in layers),
        weights=tuple(None if described.regenerates else layer.weight.detach().numpy().T
                      for described, layer in zip(net.layers, layers, strict=True)))
    figures = {"train_cpu_s": round(time.process_time() - began, 1), "epochs": recipe.epochs, "seed": seed}
    figures |= written(data, split, recipe.read_as)
    figures |= {"mode": recipe.mode, "form": recipe.form, "loss": recipe.loss,
                "weights": "real" if recipe.stores else "ternary"} | _score(trained, data, hold_out, recipe.loss)
    return replace(trained, training=recipe.made_by(seed, hold_out) | figures)


@torch.no_grad()
def _bound(net: SpikingNetwork, layers: list[Layer], weights: bool) -> None:
    """Keep delays and weights within what their words hold."""
    for layer, (delay, weight) in zip(net.layers, layers, strict=True):
        delay.clamp_(0, layer.max_delay)
        if weights:
            clip(weight, layer.weight)


class Shown:
    """Input spikes of chosen samples as they are learnt from: with jitter, or with noise on their values."""

    def __init__(self, net: SpikingNetwork, samples: Samples, recipe: SpikingRecipe, generator: torch.Generator):
        self.net, self.samples, self.recipe, self.generator = net, samples, recipe, generator
        self.noisy = recipe.noise > 0 and samples.lengths is not None
        self.moved = recipe.jitter > 0 and samples.lengths is None
        self.spikes = None if self.noisy or self.moved else spikes_of(net, samples)
        if self.noisy:
            inside = samples.x[np.arange(samples.x.shape[1]) < samples.lengths[:, None]]
            self.deviation = recipe.noise * torch.from_numpy(inside.std(0))

    def __call__(self, chosen: Tensor) -> Tensor:
        """Spikes of the samples `chosen`, as `spikes_of` has them."""
        if self.spikes is not None:
            return self.spikes[chosen]
        x = torch.from_numpy(self.samples.x[chosen.numpy()])
        if self.moved:
            return jittered(self.net, x, self.recipe.jitter, self.generator)
        x = x + torch.randn(x.shape, generator=self.generator) * self.deviation
        return spikes_of(self.net, Samples(x.numpy(), None, self.samples.lengths[chosen.numpy()]))


def _score(trained: SpikingTrained, data: DataSet, hold_out: bool, loss: str) -> dict:
    """Accuracy of the float model, the test set read once; with trains, also by the decision of [DELAY]."""
    asked, kind = data.load("held_out" if hold_out else "test"), "held_out" if hold_out else "float"
    spikes, x = float_run(trained, asked.x, asked.lengths)
    answers = decide(spikes, x)
    found = {f"{kind}_accuracy": float((answers.label == asked.y).mean()), "mean_tick": float(answers.tick.mean()),
             "unfired": float(1 - answers.fired.mean())}
    if loss == "van_rossum":
        found[f"{kind}_accuracy_by_count"] = float((count_labels(spikes) == asked.y).mean())
    return found


def answers(real: SpikingTrained, samples, since: int = 0, lengths=None) -> description.Answers:
    """What the float model says of samples (n, pixels) or (n, ticks, channels), lengths (n,)."""
    parts = [slice(n, n + 500) for n in range(0, len(samples), 500)]
    return description.Answers(np.concatenate([
        decide(*float_run(real, samples[part], None if lengths is None else lengths[part])).label for part in parts]))
