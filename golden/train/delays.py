"""Training of delays: spiking networks whose weights stay as drawn ([DELAY] arXiv 2306.06237), and their controls.

Every line spikes at most once, brighter ones earlier, and the class is the output that spikes first; events.py has the
gradients. The quick form ("leaky": integrators that spike once an image, cross-entropy of a soft first spike) is the
default, [DELAY]'s own form is form="psp", loss="van_rossum": alpha functions, a refractory kernel, a target train.
Modes: "delays", only delays learn; "random", those of the hidden layers stay as drawn; "equal", they are all 0;
"weights", weights learn and no delay does; "both" ([DCLS] arXiv 2306.17670).
"""

import math
import shlex
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn import functional

from golden.checks import check
from golden.data.images import CLASSES, images, pixel_count
from golden.files import check_writable
from golden.fixed import QFormat
from golden.spiking.engine import Answers, decide, encode
from golden.spiking.network import Kick, LatencyCode, SpikingLayer, SpikingNetwork
from golden.spiking.trained import SpikingTrained
from golden.train.events import arrive, neurons, once, response
from golden.units.weights import Ternary

MODES = ("delays", "random", "equal", "weights", "both")
FORMS, LOSSES, WEIGHTS = ("leaky", "psp"), ("first_spike", "potential", "van_rossum"), ("ternary", "real")
COLUMNS = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One network and its training; pairs are of the hidden layer and of the outputs."""

    data: str
    hidden: int
    ticks: int = 16
    bins: int = 6                   # input spikes come in ticks 0..bins - 1
    dark: int = 8                   # ... of pixels of at least this level
    delay_bits: int = 4
    delays: tuple[float, float] = (0.0, 15.0)                   # drawn uniformly between these
    shares: tuple[tuple[int, int], ...] = ((4, 4), (8, 8))      # sixteenths of the weights that are +1 and -1
    thresholds: tuple[float, float] = (10.0, 20.0)              # a weight is 1
    leak: tuple[int, ...] = (4,)
    state: QFormat = QFormat(7, 6)
    stored: QFormat = QFormat(2, 5)                             # of weights that no seed gives
    epochs: int = 12
    batch: int = 128
    rate: float = 0.4               # Adam's, of delays, in ticks; on a half cosine down to 1/200 of it
    weight_rate: float = 0.01       # ... and of weights
    amsgrad: bool = False
    slope: float | None = 2.0       # of the surrogate; None: that of [DELAY]
    sharp: float = 0.7              # loss "first_spike": of the threshold's sigmoid,
    share: float = 0.25             # ... of the softmax among the outputs,
    margin: float = 1.0             # ... whose threshold is so much above that of the network
    left: float = 0.6               # ... and what it counts of the probability that none spikes by the last tick
    warm: int = 100                 # batches in which the rate rises
    jitter: float = 0.0             # input spikes come up to so much of a tick earlier or later while the net learns
    drop: float = 0.0               # share of hidden neurons that stay silent for an image
    target: int = 10                # loss "van_rossum": the class spikes in so many ticks


SETTINGS = {
    "delays-fashion-256": Settings(data="fashion-mnist", hidden=256, shares=((7, 7), (8, 8)), thresholds=(13.0, 20.0),
                                   epochs=24, jitter=0.6, drop=0.1, target=6),
    "delays-fashion-800": Settings(data="fashion-mnist", hidden=800, ticks=24, bins=10, shares=((7, 7), (8, 8)),
                                   thresholds=(9.0, 39.0), margin=2.8, epochs=10, sharp=0.53, share=0.16, left=0.7,
                                   jitter=1.0, drop=0.05, state=QFormat(8, 6), target=6),
    "delays-mnist": Settings(data="mnist-10k", hidden=256, shares=((7, 7), (8, 8)), thresholds=(13.0, 20.0), epochs=60,
                             jitter=0.6, drop=0.1),
    "delays-digits": Settings(data="digits", hidden=48, shares=((8, 8), (8, 8)), thresholds=(3.0, 8.0), sharp=1.0,
                              share=0.6, left=0.8, drop=0.1, jitter=0.5, state=QFormat(4, 6), epochs=80, batch=32,
                              rate=0.8, warm=20),
}
#: what form="psp" changes: 10 ticks, tau 10, theta 10 for weights of 10 (papers.md 6.1: theta * tau / 10 e here)
PSP = {"ticks": 10, "bins": 3, "dark": 1, "delays": (0.0, 4.0), "shares": ((3, 2), (3, 8)), "leak": (4, 5),
       "thresholds": (10 / math.e, 10 / math.e), "state": QFormat(9, 6), "amsgrad": True, "rate": 0.1, "batch": 32,
       "slope": None, "drop": 0.0}


class Layer(NamedTuple):
    """Delays and weights of a layer while they learn, (inputs, outputs) as events.cpp has them."""

    delay: Tensor
    weight: Tensor


def describe(name: str, s: Settings, *, seed: int = 0, form: str = "leaky", loss: str = "first_spike",
             stored: bool = False) -> SpikingNetwork:
    """The network that settings mean; `stored`, its weights do not come from seeds."""
    trains = loss == "van_rossum"       # outputs spike on, so that they have a train to compare
    order, seeds = 1 + (form == "psp"), np.random.default_rng([seed, 2306]).integers(1 << 32, size=2).tolist()
    state = replace(s.state, frac_bits=max(s.state.frac_bits, s.stored.frac_bits)) if stored else s.state
    layers, sizes = [], (pixel_count(s.data), s.hidden, CLASSES)
    for n, (theta, share) in enumerate(zip(s.thresholds, s.shares, strict=True)):
        kick = round(2 * math.e * theta / state.lsb)        # from -2 theta n exp(1 - n)
        layers.append(SpikingLayer(
            inputs=sizes[n], outputs=sizes[n + 1], delay_bits=s.delay_bits, state=state, leak=s.leak, order=order,
            weight=s.stored if stored else Ternary(plus=share[0], minus=share[1], seed=seeds[n]),
            threshold=max(1, round(theta / state.lsb)), refractory=0 if trains and (order == 2 or n) else 255,
            kick=Kick(word=kick, leak=(1, 3)) if trains and order == 2 else None))
    return SpikingNetwork(name=name, ticks=s.ticks, layers=tuple(layers), code=LatencyCode(bins=s.bins, dark=s.dark),
                          decision="potential" if loss == "potential" else "first_spike")


def draw(net: SpikingNetwork, s: Settings, mode: str, seed: int) -> list[Layer]:
    """Delays and weights before training."""
    generator, layers = torch.Generator().manual_seed(seed), []
    for n, layer in enumerate(net.layers):
        shape, (plus, minus) = (layer.inputs, layer.outputs), s.shares[n]
        delay = torch.rand(shape, generator=generator) * (s.delays[1] - s.delays[0]) + s.delays[0]
        if mode == "equal" and n < len(net.layers) - 1:
            delay.zero_()
        if layer.regenerates:
            weight = torch.from_numpy(layer.weight.matrix(*shape)).float().T.contiguous()
        else:       # with mean and mean square of the ternary ones, and words already
            mean, square = (plus - minus) / 16, (plus + minus) / 16
            weight = torch.randn(shape, generator=generator) * math.sqrt(square - mean ** 2) + mean
            weight = _clip((weight / layer.weight.lsb).round() * layer.weight.lsb, layer.weight)
        layers.append(Layer(delay, weight))
    return layers


def _clip(weight: Tensor, fmt: QFormat) -> Tensor:
    return weight.clamp_(fmt.min * fmt.lsb, fmt.max * fmt.lsb)


def ticks_of(net: SpikingNetwork, pixels) -> Tensor:
    """The tick in which each pixel spikes, int16 (images, pixels), -1 for never: encode of golden.spiking in short."""
    spikes = encode(net.code, net.ticks, np.arange(256, dtype=np.uint8)[None])[0]
    table = np.where(spikes.any(0), spikes.argmax(0), -1).astype(np.int16)
    return torch.from_numpy(table[np.asarray(pixels)])


def jittered(net: SpikingNetwork, pixels: Tensor, by: float, generator) -> Tensor:
    """`ticks_of` with spikes moved by up to `by` ticks, each by a part of its own, before they are cut to ticks."""
    code = net.code
    exact = (255 - pixels.float()) * code.bins / 255 + (2 * torch.rand(pixels.shape, generator=generator) - 1) * by
    when = exact.floor().clamp_(0, code.bins - 1).to(torch.int16)
    return when.masked_fill_(pixels < max(code.dark, 1), -1)


def arrivals(net: SpikingNetwork, layers, when: Tensor, *, slope=None, keep: Tensor | None = None) -> Tensor:
    """What arrives at the outputs; of hidden spikes only those count that `keep` (images, 1, neurons) leaves."""
    spikes, ticks = when, net.ticks
    for n, (layer, (delay, weight)) in enumerate(zip(net.layers, layers, strict=True)):
        came = arrive(spikes, delay.T, weight.T, ticks=None if n else ticks)
        if n < len(net.layers) - 1:
            once_only = layer.refractory >= ticks
            spikes = once(came, layer, slope=slope or 1.0) if once_only else neurons(came, layer, slope=slope)[0]
            spikes = spikes if keep is None else spikes * keep
    return came


@torch.no_grad()
def float_run(trained: SpikingTrained, pixels, *, batch: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Spikes and membranes of the outputs, (images, ticks, outputs): real membranes and weights, integer delays."""
    net, found = trained.net, []
    layers = [Layer(torch.from_numpy(delay.T.astype(np.float32)), torch.from_numpy(weight.T.astype(np.float32)))
              for delay, weight in zip(trained.delays, _weights(trained), strict=True)]
    for chunk in ticks_of(net, pixels).split(batch):
        came, last = arrivals(net, layers, chunk), net.layers[-1]
        if net.decision == "potential":
            x = torch.einsum("nm,bmo->bno", response(last.order, last.leak, net.ticks), came)
            found.append((torch.zeros_like(x), x))
        else:
            found.append(neurons(came, last))
    spikes, x = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return spikes > 0, x


def float_answers(trained: SpikingTrained, pixels) -> Answers:
    """What the float model answers to images (images, pixels) of uint8, decided as in golden.spiking.engine."""
    return decide(*float_run(trained, pixels))


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


def loss_of(came: Tensor, label: Tensor, net: SpikingNetwork, s: Settings, loss: str) -> Tensor:
    """Mean loss of what arrives at the outputs (images, ticks, outputs).

    "first_spike": cross-entropy of a race. In each tick the image ends with probability sigmoid(sharp * (m - theta))
    where m is a soft maximum of the membranes, in the last tick with some that is left; then the class is drawn by a
    softmax of the membranes. "potential": cross-entropy of the membranes of the last tick. "van_rossum": half the
    squared distance of the output trains from the target, both behind the neuron's kernel.
    """
    last, images_ = net.layers[-1], torch.arange(len(label))
    kernel = response(last.order, last.leak, net.ticks)
    if loss == "van_rossum":
        target = torch.zeros_like(came)
        target[images_, :s.target, label] = 1
        off = neurons(came, last, slope=s.slope)[0] - target
        return torch.einsum("nm,bmo->bno", kernel / kernel.max(), off).square().sum() / (2 * len(label))
    x = torch.einsum("nm,bmo->bno", kernel, came)
    if loss == "potential":
        return functional.cross_entropy(x[:, -1] * s.share, label)
    over = s.sharp * ((s.share * x).logsumexp(2) / s.share - last.threshold * last.state.lsb - s.margin)
    ends, goes_on = functional.logsigmoid(over), functional.logsigmoid(-over)
    final = torch.logaddexp(ends[:, -1:], goes_on[:, -1:] + math.log(s.left))
    ends = torch.cat([ends[:, :-1], final], 1) + goes_on.cumsum(1) - goes_on
    chosen = (s.share * x).log_softmax(2)[images_, :, label]
    return -(ends + chosen).logsumexp(1).mean()


def train(name: str, *, seed: int = 0, epochs: int | None = None, hold_out: bool = False, mode: str = "delays",
          form: str = "leaky", loss: str = "first_spike", weights: str = "ternary", folder: str | Path | None = None,
          out: str | Path | None = None, progress: bool = True, settings: Settings | None = None,
          report: Callable | None = None) -> dict:
    """Train the network `name`, write it to `out` where given, and return its figures.

    With `hold_out` it learns the images of "fit", and `held_out_accuracy` is that of the float model on "held_out":
    every choice goes by it. Otherwise it learns "train", and `float_accuracy` is that on the test set, read once, at
    the end. weights: "ternary" from seeds, or "real" stored ones, as always where weights learn. `settings` take the
    place of all of SETTINGS and PSP. After each epoch report(epoch, mean loss) is called.
    """
    for what, value, known in (("network", name, SETTINGS), ("mode", mode, MODES), ("form", form, FORMS),
                               ("loss", loss, LOSSES), ("weights", weights, WEIGHTS)):
        check(value in known, f"no {what} {value!r} to train here: there is {', '.join(known)}")
    s = settings or replace(SETTINGS[name], **(PSP if form == "psp" else {}))
    s = s if epochs is None else replace(s, epochs=epochs)
    check(s.epochs >= 1, f"epochs must be at least 1, not {s.epochs}")
    if out is not None:
        check_writable(out)
    torch.set_num_threads(1)
    began, generator = time.process_time(), torch.Generator().manual_seed(seed)
    learnt = images(s.data, "fit" if hold_out else "train", folder=folder)
    learns_weights = mode in ("weights", "both")
    net = describe(name, s, seed=seed, form=form, loss=loss, stored=learns_weights or weights == "real")
    layers = draw(net, s, mode, seed)
    learning = [layer.delay for n, layer in enumerate(layers) if mode in ("delays", "both") or
                (n == len(layers) - 1 and mode != "weights")]
    groups = [{"params": learning, "lr": s.rate}] if learning else []
    groups += [{"params": [layer.weight for layer in layers], "lr": s.weight_rate}] if learns_weights else []
    for group in groups:
        for tensor in group["params"]:
            tensor.requires_grad_()
    adam = torch.optim.Adam(groups, eps=1e-12, amsgrad=s.amsgrad, fused=True)
    pixels, labels, step = torch.from_numpy(learnt.x), torch.from_numpy(learnt.y), 0
    when = ticks_of(net, learnt.x)
    batches, full = len(when) // s.batch, [group["lr"] for group in groups]
    with Progress(*COLUMNS, disable=not progress) as bar:
        task = bar.add_task(name, total=s.epochs * batches)
        for epoch in range(s.epochs):
            total, order = 0.0, torch.randperm(len(when), generator=generator)
            for chosen in order[:batches * s.batch].split(s.batch):
                keep = torch.rand(len(chosen), 1, s.hidden, generator=generator) >= s.drop if s.drop else None
                shown = jittered(net, pixels[chosen], s.jitter, generator) if s.jitter else when[chosen]
                came = arrivals(net, layers, shown, slope=s.slope, keep=keep)
                value = loss_of(came, labels[chosen], net, s, loss)
                adam.zero_grad()
                value.backward()
                done = max(0.005, (1 + math.cos(math.pi * step / (s.epochs * batches))) / 2)
                step += 1
                for group, rate in zip(adam.param_groups, full, strict=True):
                    group["lr"] = rate * done * min(1, step / s.warm)
                adam.step()
                with torch.no_grad():
                    for layer, (delay, weight) in zip(net.layers, layers, strict=True):
                        delay.clamp_(0, layer.max_delay)
                        if learns_weights:
                            _clip(weight, layer.weight)
                total += value.item()
                bar.advance(task)
            bar.update(task, description=f"{name} {epoch + 1}/{s.epochs}, loss {total / batches:.3f}")
            if report:
                report(epoch + 1, total / batches)
    trained = SpikingTrained(
        net=net, training={}, delays=tuple((layer.delay.detach() + 0.5).floor().numpy().T for layer in layers),
        weights=tuple(None if described.regenerates else layer.weight.detach().numpy().T
                      for described, layer in zip(net.layers, layers, strict=True)))
    figures = {"train_cpu_s": round(time.process_time() - began, 1), "epochs": s.epochs, "seed": seed,
               "data": f"{s.data} {'fit' if hold_out else 'train'}", "mode": mode, "form": form, "loss": loss,
               "weights": "real" if learns_weights else weights} | _score(trained, s, hold_out, folder, loss)
    if out is not None:
        replace(trained, training=made_by(name, s, figures, folder) | figures).save(out)
    return figures


def made_by(name: str, s: Settings, figures: dict, folder: str | Path | None = None) -> dict:
    """The command that makes a network; where no command has its settings, those."""
    known = replace(SETTINGS[name], **(PSP if figures["form"] == "psp" else {}))
    if s != replace(known, epochs=s.epochs):
        return {"settings": asdict(s)}
    flags = "".join(f" --{key} {figures[key]}" for key in ("mode", "form", "loss", "weights"))
    flags += " --hold-out" if figures["data"].endswith("fit") else ""
    flags += "" if folder is None else f" --data {shlex.quote(str(folder))}"
    return {"command": f"leadlag train {name} --seed {figures['seed']} --epochs {s.epochs}{flags}"}


def _score(trained: SpikingTrained, s: Settings, hold_out: bool, folder, loss: str) -> dict:
    """Accuracy of the float model, the test set read once; with trains, also by the decision of [DELAY]."""
    asked, kind = images(s.data, "held_out" if hold_out else "test", folder=folder), "held_out" if hold_out else "float"
    spikes, x = float_run(trained, asked.x)
    answers = decide(spikes, x)
    found = {f"{kind}_accuracy": float((answers.label == asked.y).mean()), "mean_tick": float(answers.tick.mean()),
             "unfired": float(1 - answers.fired.mean())}
    if loss == "van_rossum":
        found[f"{kind}_accuracy_by_count"] = float((count_labels(spikes) == asked.y).mean())
    return found
