"""Float training of [GLE] (arXiv 2403.16933) networks from a recipe (golden.rate.recipe); rates.py has the equations.

Errors are prospective, the outputs are held to the class or target at every step, and the weights move at every step.
The answer to a sequence is the class with the largest output summed over its steps from the data's answer_from on, or
the mean of the outputs over them.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from golden.data.dataset import DataSet, Samples
from golden.data.sets import written
from golden.description import Answers
from golden.rate.recipe import RateRecipe
from golden.rate.trained import FloatLayer, FloatNetwork
from golden.rate.widths import choose
from golden.train.rates import Adam, Layer, accuracy, evaluate_float, squared_loss
from golden.train.stack import Stack

#: what `report` is given while it learns, as a text
SHOWN = "{:.3f} while learning"

# Settings of gle-mnist1d, chosen with hold_out=True on the 800 sequences kept back (learning from the other 3200), 15k.
# Before the refit of the read-out, with answers from all steps / from step 36 on (seed):
#   20 epochs at 1e-3: 91.3 / 92.8 % (0), 92.6 / 94.3 % (1), 90.8 / 93.1 % (2); at 2e-3: 87.3 / 88.3 % (1);
#   40 epochs at 5e-4: 91.3 / 94.3 % (0); 80 at 5e-4: 92.0 / 94.1 % (1); 80 at 3e-4: 87.8 / 92.0 % (0);
#   165 epochs at 1e-3: 91.8 / 94.0 % (0), 90.3 / 95.4 % (1); 130 of all 4000 sequences: 87 / 89 % (0);
#   teaching tapered at both ends over 72 steps, 20 epochs: 89.1 / 92.5 % (1); weights decaying by 1e-3 a batch:
#   91.8 / 93.1 % (0); at rest before each sequence, 40 epochs: 85.6 % (0).
# After it: 40 epochs at 1e-3 with readout_decay 1e-6: 97.1 % (0), 97.1 % (1), 97.3 % (2); 20 epochs with 1e-4, 1e-5,
# 1e-6: 93.9, 96.0, 97.1 % (0).
# Before the refit, what was learnt and what was held out score alike, so nothing is augmented.


def new_layers(recipe: RateRecipe, inputs: int, outputs: int, generator: torch.Generator) -> list[Layer]:
    """Draw weights and biases uniformly from +-1/sqrt(inputs)."""
    layers, into = [], inputs
    for hidden in [*recipe.chain(), None]:
        if hidden is None:
            (tau_m, tau_r), phi = torch.full((2, outputs), recipe.tau_out), recipe.activation_out
        else:
            (tau_m, tau_r), phi = torch.tensor(hidden.taus, dtype=torch.float32), hidden.activation
        draw = torch.rand(len(tau_m), into + 1, generator=generator) * 2 - 1
        draw /= math.sqrt(into)
        layers.append(Layer(draw[:, :-1].clone(), draw[:, -1].clone(), tau_m, tau_r, phi))
        into = len(tau_m)
    return layers


@torch.no_grad()
def fit(recipe: RateRecipe, data: DataSet, *, seed: int = 0, hold_out: bool = False,
        report: Callable | None = None) -> FloatNetwork:
    """Train the network of a recipe on a data set, and return it with its figures as `training`.

    It learns all training sequences, and `float_accuracy` (or `float_mse`) is that on the test set, which is read once,
    at the end. With `hold_out` it learns "fit", and `held_out_accuracy` is that on "held_out": every choice goes by it,
    and the test set is not read. After each epoch report(epoch, accuracy (or squared error) while learning, stack,
    layers of averaged weights) is called.
    """
    torch.set_num_threads(1)        # the products are too small for a second one
    began, generator = time.process_time(), torch.Generator().manual_seed(seed)
    learnt = data.load("fit" if hold_out else "train")
    mean, deviation = _scale(learnt) if recipe.scale else (None, None)
    learn = _scaled(learnt, mean, deviation)
    stack = Stack(new_layers(recipe, data.inputs, data.outputs, generator), min(recipe.batch, len(learn.x)),
                  dt=recipe.dt, beta=recipe.beta, loss=recipe.loss_for(data))
    adam = Adam(stack.flat, recipe.average, recipe.clip)
    x, y = torch.from_numpy(learn.x), targets(learn, data)
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(x), generator=generator)
        figure = _learn(stack, adam, Stream(x, y, learn.lengths, order, stack.batch), recipe, epoch, data.answer_from)
        if report:
            report(epoch + 1, figure, stack, stack.layers(adam.average))
    layers = stack.layers(adam.average.clamp(-recipe.limit, recipe.limit))
    found = [layers]
    if recipe.refit:
        found.append(refit_readout(layers, learn, dt=recipe.dt, decay=recipe.readout_decay, bound=recipe.readout_bound,
                                   answer_from=data.answer_from))
    split, kind = ("held_out", "held_out") if hold_out else ("test", "float")
    asked = _scaled(data.load(split), mean, deviation)
    measure, name = (squared_loss, "mse") if data.classes is None else (accuracy, "accuracy")
    values = [measure(each, asked, dt=recipe.dt, answer_from=data.answer_from) for each in found]
    figures = {"parameters": sum(layer.weight.numel() + layer.bias.numel() for layer in layers),
               f"{kind}_{name}": values[-1]}
    figures |= {f"{kind}_{name}_before_refit": values[0]} if recipe.refit else {}
    figures |= {"train_cpu_s": round(time.process_time() - began, 1), "epochs": recipe.epochs, "seed": seed}
    figures |= written(data, "fit" if hold_out else "train", recipe.read_as)
    net = network(recipe, found[-1], recipe.made_by(seed, hold_out) | figures, mean, deviation)
    return net if recipe.formats == "shared" else _in_words(net, learnt, recipe, data.answer_from)


def _in_words(net: FloatNetwork, learnt: Samples, recipe: RateRecipe, answer_from: int) -> FloatNetwork:
    """The network with formats of its own; `word_loss` says what they cost on samples that it has learnt."""
    found, cost = choose(net, learnt, answer_from, bits=recipe.bits, points=recipe.points)
    return replace(found, training=net.training | {"word_loss": round(cost.loss, 4)})


def network(recipe: RateRecipe, layers: list[Layer], training: dict, mean=None, deviation=None) -> FloatNetwork:
    """The layers as a FloatNetwork."""
    return FloatNetwork(name=recipe.name, dt=recipe.dt, training=training, mean=mean, deviation=deviation, layers=tuple(
        FloatLayer(weight=layer.weight.numpy(), bias=layer.bias.numpy(), tau_m=layer.tau_m.numpy(),
                   tau_r=layer.tau_r.numpy(), activation=layer.phi) for layer in layers))


def targets(samples: Samples, data: DataSet) -> Tensor:
    """What the outputs are held to, (n, outputs): one-hot classes, or the targets."""
    y = torch.from_numpy(samples.y)
    return y if data.classes is None else functional.one_hot(y, data.classes).float()


def _scale(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of every channel; that of a channel which never moves counts as 1."""
    inside = samples.x[np.arange(samples.x.shape[1]) < samples.lengths[:, None]].astype(np.float64)
    deviation = inside.std(0)
    return inside.mean(0), np.where(deviation > 0, deviation, 1.0)


def _scaled(samples: Samples, mean, deviation) -> Samples:
    if mean is None:
        return samples
    return samples._replace(x=((samples.x - mean) / deviation).astype(np.float32))


class Stream:
    """Sequences side by side in `batch` rows, each row one behind the other: what a network sees in an epoch.

    It ends with the shortest row. Row b has the sequences order[b], order[b + batch], ...
    """

    def __init__(self, x: Tensor, y: Tensor, lengths: np.ndarray, order: Tensor, batch: int):
        self.y, self.rounds = y, len(order) // batch
        rows = order[:self.rounds * batch].view(self.rounds, batch).numpy()
        long = lengths[rows]
        self.ticks = int(long.sum(0).min())
        which, tick = np.empty((2, self.ticks, batch), np.int64)
        for b in range(batch):
            places = np.repeat(np.arange(self.rounds), long[:, b])[:self.ticks]
            which[:, b], first = rows[places, b], (long[:, b].cumsum() - long[:, b])[places]
            tick[:, b] = np.arange(self.ticks) - first
        self.which, self.tick = which, tick
        #: by tick: rows in which a sequence starts, rows in which one ends, the number of row 0's sequence
        self.starts, self.ends = tick == 0, tick == lengths[which] - 1
        self.round = (self.starts[:, 0].cumsum() - 1).tolist()
        self.x = x[torch.from_numpy(which), torch.from_numpy(tick)].mT.contiguous()


def _learn(stack: Stack, adam: Adam, stream: Stream, recipe: RateRecipe, epoch: int, answer_from: int) -> float:
    """One epoch: the share of sequences that were right meanwhile, or the mean squared error of their answers."""
    gradient, classes = stack.gradient.view(-1), stack.loss == "cross_entropy"
    counts = stream.tick >= answer_from
    starts, ends, some, every = (part.tolist() for part in (stream.starts.any(1), stream.ends.any(1), counts.any(1),
                                                            counts.all(1)))
    target = total = torch.zeros(stack.outputs, stack.batch)
    total, figure, finished = total.clone(), 0.0, 0
    for tick, now in enumerate(stream.x):
        if starts[tick]:
            target = stream.y[torch.from_numpy(stream.which[tick])].T.contiguous()
            if recipe.rest:
                stack.forget(torch.from_numpy(stream.starts[tick]))
            done = (epoch * stream.rounds + stream.round[tick]) / (recipe.epochs * stream.rounds)
            rate = recipe.rate_end + (recipe.rate - recipe.rate_end) * (1 + math.cos(math.pi * done)) / 2
        stack.step(now, target)         # without `rest` the state runs on from the sequence before
        adam.step(gradient, rate, stack.batch)
        if some[tick]:
            sent = stack.r[-1, :stack.outputs]
            total += sent if every[tick] else sent * torch.from_numpy(counts[tick])
        if ends[tick]:
            over = torch.from_numpy(stream.ends[tick])
            if classes:
                figure += (total.argmax(0) == target.argmax(0))[over].sum().item()
            else:
                steps = torch.from_numpy(stream.tick[tick] + 1 - answer_from).clamp_min(1)
                figure += (total / steps - target).square().mean(0)[over].sum().item()
            finished += int(over.sum())
            total[:, over] = 0
    return figure / finished


@torch.enable_grad()
def refit_readout(layers: list[Layer], data, *, dt: float, decay: float, bound: float,
                  answer_from: int = 0) -> list[Layer]:
    """Return the layers with a read-out fitted to what is asked of it: the class, from the outputs' sum, or the target.

    While the layers learn, the teacher asks for the class at every step, as if a few steps could tell. The answer is
    the largest sum, and that is linear in the summed rates of the last hidden layer: multinomial logistic regression
    (convex: from wherever it starts it ends in the same place), with `decay` times the squared weights. Softmax does
    not see what all outputs have in common, nor the answer their scale: both are chosen so that no rates within +-1
    make an output beyond `bound`. Targets: least squares, on the mean output. The read-out must not lag: tau_m = tau_r.
    """
    last, x = layers[-1], data.x
    lengths = np.full(len(x), x.shape[1]) if getattr(data, "lengths", None) is None else data.lengths
    if lengths.min() <= answer_from:
        raise ValueError(f"sequences of {lengths.min()} ticks: answers count from tick {answer_from} on")
    if not torch.equal(last.tau_m, last.tau_r) or last.phi != "linear":
        raise ValueError("a read-out to be refitted must be linear, with tau_m = tau_r")
    # its messages are a step old
    steps = torch.from_numpy(lengths - answer_from)[:, None]
    if x.shape[1] > 1:
        rates = evaluate_float(layers[:-1], x[:, :-1], dt=dt, answer_from=answer_from - 1, lengths=lengths - 1)[1]
    else:
        rates = torch.zeros(len(x), last.weight.shape[1])
    rates = rates.double() / steps
    if data.y.dtype.kind == "f":
        return [*layers[:-1], _least_squares(last, rates, torch.from_numpy(data.y).double(), decay)]
    classes = torch.from_numpy(data.y)
    weight, bias = (torch.zeros_like(t, dtype=torch.float64, requires_grad=True) for t in (last.weight, last.bias))
    solver = torch.optim.LBFGS([weight, bias], max_iter=1000, tolerance_grad=1e-6, line_search_fn="strong_wolfe")

    def loss():
        solver.zero_grad()
        value = functional.cross_entropy(rates @ weight.T + bias, classes) + decay * weight.square().sum()
        value.backward()
        return value

    solver.step(loss)
    weight, bias = weight.detach() - weight.detach().mean(0), bias.detach() - bias.detach().mean()
    scale = bound / (weight.abs().sum(1) + bias.abs()).max()
    return [*layers[:-1], last._replace(weight=(weight * scale).float(), bias=(bias * scale).float())]


def _least_squares(last: Layer, rates: Tensor, y: Tensor, decay: float) -> Layer:
    """The read-out whose mean output is nearest to the targets."""
    seen = torch.cat([rates, torch.ones(len(rates), 1, dtype=torch.float64)], 1)
    kept = torch.full((seen.shape[1],), max(decay, 1e-12), dtype=torch.float64)
    kept[-1] = 1e-12        # what all targets have in common costs nothing
    found = torch.linalg.solve(seen.T @ seen / len(seen) + kept.diag(), seen.T @ y / len(seen)).T
    return last._replace(weight=found[:, :-1].float(), bias=found[:, -1].float())


def answers(real: FloatNetwork, samples, since: int = 0, lengths=None) -> Answers:
    """What the float model says of samples (n, ticks, channels): labels, and the mean of each output.

    Outputs count from tick `since` on, up to lengths (n,).
    """
    layers = [Layer(*(torch.tensor(getattr(layer, t), dtype=torch.float32) for t in
                      ("weight", "bias", "tau_m", "tau_r")), layer.activation) for layer in real.layers]
    x = real.scaled(samples)
    label, total = evaluate_float(layers, x, dt=real.dt, answer_from=since, lengths=lengths)
    ends = np.full(len(x), x.shape[1]) if lengths is None else np.asarray(lengths)
    return Answers(label.numpy(), total.numpy() / (ends - since)[:, None])
