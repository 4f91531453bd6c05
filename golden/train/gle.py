"""Float training of the [GLE] (arXiv 2403.16933) networks on MNIST-1D; rates.py has the equations.

Errors are prospective, the loss is cross-entropy at every step, and the weights move at every step.
The answer to a sequence is the class with the largest output summed over its steps from ANSWER_FROM on.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn import functional

from golden.data.mnist1d import ANSWER_FROM, mnist1d
from golden.files import check_writable
from golden.rate.trained import FloatLayer, FloatNetwork
from golden.train.rates import Adam, Layer, accuracy, evaluate_float

# Settings, chosen with hold_out=True on the 800 sequences kept back (learning from the other 3200), 15k. Before the
# refit of the read-out, with answers from all steps / from step ANSWER_FROM on (seed):
#   20 epochs at 1e-3: 91.3 / 92.8 % (0), 92.6 / 94.3 % (1), 90.8 / 93.1 % (2); at 2e-3: 87.3 / 88.3 % (1);
#   40 epochs at 5e-4: 91.3 / 94.3 % (0); 80 at 5e-4: 92.0 / 94.1 % (1); 80 at 3e-4: 87.8 / 92.0 % (0);
#   165 epochs at 1e-3: 91.8 / 94.0 % (0), 90.3 / 95.4 % (1); 130 of all 4000 sequences: 87 / 89 % (0);
#   teaching tapered at both ends over 72 steps, 20 epochs: 89.1 / 92.5 % (1); weights decaying by 1e-3 a batch:
#   91.8 / 93.1 % (0); at rest before each sequence, 40 epochs: 85.6 % (0).
# After it: 40 epochs at 1e-3 with readout_decay 1e-6: 97.1 % (0), 97.1 % (1), 97.3 % (2); 20 epochs with 1e-4, 1e-5,
# 1e-6: 93.9, 96.0, 97.1 % (0).
# Before the refit, what was learnt and what was held out score alike, so nothing is augmented.


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One network and its training; groups are (neurons, tau_m, tau_r) of every hidden layer."""

    groups: tuple[tuple[int, float, float], ...]
    hidden: int = 6                 # layers; the first is linear, the others tanh
    outputs: int = 10
    tau_out: float = 1.2            # tau_m = tau_r: the read-out does not lag
    dt: float = 0.2
    beta: float = 1.0
    batch: int = 100
    epochs: int = 40                # Adam moves the weights at every step, as in the paper,
    rate: float = 1e-3              # ... on a half cosine from rate to rate_end,
    rate_end: float = 1e-6
    average: float = 0.9997         # ... and the averaged weights (decay per step) are the result
    clip: float = 16.0              # bound of weights and biases while they are learnt,
    limit: float = 15.99            # ... and of the result: words of Q4.9 hold less than 16
    readout_decay: float = 1e-6     # of the last fit of the read-out,
    readout_bound: float = 31.9     # ... whose outputs stay within Q5.8

    @property
    def width(self) -> int:
        return sum(n for n, _, _ in self.groups)


SETTINGS = {
    "gle-mnist1d": Settings(groups=((18, 0.6, 0.2), (18, 1.2, 0.2), (17, 1.2, 1.2))),
    "gle-mnist1d-42k": Settings(groups=((30, 0.6, 0.2), (30, 1.2, 0.2), (30, 1.2, 1.2))),
}


def new_layers(s: Settings, generator: torch.Generator) -> list[Layer]:
    """Draw weights and biases uniformly from +-1/sqrt(inputs)."""
    taus = torch.tensor([(tau_m, tau_r) for n, tau_m, tau_r in s.groups for _ in range(n)]).T
    layers = []
    for i in range(s.hidden + 1):
        last = i == s.hidden
        tau_m, tau_r = torch.full((2, s.outputs), s.tau_out) if last else taus
        into = s.width if i else 1
        draw = torch.rand(len(tau_m), into + 1, generator=generator) * 2 - 1
        draw /= math.sqrt(into)
        layers.append(Layer(draw[:, :-1].clone(), draw[:, -1].clone(), tau_m, tau_r,
                            "linear" if i == 0 or last else "tanh"))
    return layers


class Stack:
    """The quick form of rates.gle_step for 1 - hidden layers of one width - outputs.

    All layers work at once, in place, in three batched products. Arrays are (layer, neuron, batch),
    every layer padded to the widest and one more. That last neuron is the constant 1 whose outgoing
    weights are the biases; its slope is 0, so no error enters it and its inputs get no gradient.
    Input (its neuron 0) and read-out are padded with silent neurons, which get none either.

    Parameters: layers, as new_layers makes them; batch, dt, beta; prospective, else the errors are
    instantaneous. `flat` holds all weights, `gradient` the last step's: what a maximiser would add,
    summed over the batch.
    """

    def __init__(self, layers: list[Layer], batch: int, *, dt: float, beta: float = 1.0,
                 prospective: bool = True):
        n, width = len(layers), max(len(layer.bias) for layer in layers)
        self.like, self.width, self.beta = layers, width, beta
        self.outputs = len(layers[-1].bias)
        p, new = width + 1, layers[0].weight.new_zeros
        self.flat = new(n * p * p)
        self.w, self.gradient = self.flat.view(n, p, p), new(n, p, p)
        self.am, self.ar, self.kappa, self.live = (new(n, p, batch) for _ in range(4))
        self.kappa += 1
        for i, layer in enumerate(layers):
            out, into = layer.weight.shape
            self.w[i, :out, :into], self.w[i, :out, width] = layer.weight, layer.bias
            self.am[i, :out] = dt / layer.tau_m[:, None]
            self.ar[i, :out] = dt / layer.tau_r[:, None]
            self.kappa[i, :out] = (layer.tau_r / layer.tau_m)[:, None]
            self.live[i, :out] = 1
        # A lead of 1 makes the prospective error v + 1 * (e - v): the instantaneous one.
        self.lead = 1 / self.kappa if prospective else torch.ones_like(self.kappa)
        self.u, self.v, self.e, self.eps, self.s, self.tmp, self.rp = new(7, n, p, batch)
        self.r, self.one = new(n + 1, p, batch), new(()) + 1
        self.reset()

    def reset(self) -> None:
        """Put every state to rest."""
        for state in (self.u, self.v, self.e, self.r):
            state.zero_()
        self.r[:-1, self.width] = 1
        self.rp.copy_(self.live)

    def step(self, x: Tensor, target: Tensor) -> None:
        """Take one step of x (batch,) with one-hot target (class, batch)."""
        u, v, e, eps, s, r, tmp = self.u, self.v, self.e, self.eps, self.s, self.r, self.tmp
        r[0, 0] = x
        torch.sub(target, torch.softmax(r[-1, :self.outputs], 0), out=e[-1, :self.outputs])
        if self.beta != 1:
            e[-1].mul_(self.beta)
        e.mul_(self.rp)
        f = torch.sub(e, v, out=tmp)
        torch.addcmul(v, self.lead, f, out=eps)
        v.addcmul_(self.ar, f)
        torch.bmm(eps, r[:-1].mT, out=self.gradient)
        torch.bmm(self.w[1:].mT, eps[1:], out=e[:-1])
        torch.bmm(self.w, r[:-1], out=s)
        d = s.sub_(u)
        ubar = torch.addcmul(u, self.kappa, d, out=tmp)
        u.addcmul_(self.am, d)
        r[1], r[-1] = ubar[0], ubar[-1]
        torch.tanh(ubar[1:-1], out=r[2:-1])
        r[1:-1, self.width] = 1
        torch.addcmul(self.one, r[2:-1], r[2:-1], value=-1, out=self.rp[1:-1])

    def layers(self, flat: Tensor | None = None) -> list[Layer]:
        """Return unpadded copies of the layers, with the weights of `flat` where given."""
        w = (self.flat if flat is None else flat).view_as(self.w)
        return [old._replace(weight=w[i, :len(old.bias), :old.weight.shape[1]].clone(),
                             bias=w[i, :len(old.bias), self.width].clone())
                for i, old in enumerate(self.like)]


@torch.no_grad()
def train(name: str, *, seed: int = 0, epochs: int | None = None, hold_out: bool = False,
          out: str | Path | None = None, progress: bool = True, settings: Settings | None = None,
          report: Callable | None = None) -> dict:
    """Train the network `name`, write it to `out` where given, and return its figures.

    It learns all 4000 training sequences, and `float_accuracy` is that on the test set, which is read
    once, at the end. With `hold_out` it learns 3200 of them, and `held_out_accuracy` is that on the
    other 800: every choice goes by it, and the test set is not read. After each epoch
    report(epoch, accuracy while learning, stack, layers of averaged weights) is called.
    """
    if name not in SETTINGS:
        raise ValueError(f"no network {name!r} to train here: there is {', '.join(SETTINGS)}")
    s = settings or SETTINGS[name]
    s = s if epochs is None else replace(s, epochs=epochs)
    if s.epochs < 1:
        raise ValueError(f"epochs must be at least 1, not {s.epochs}")
    if out is not None:
        check_writable(out)
    torch.set_num_threads(1)        # the products are too small for a second one
    began, generator = time.process_time(), torch.Generator().manual_seed(seed)
    data = "fit" if hold_out else "train"
    learn = mnist1d(data)
    x, y = torch.from_numpy(learn.x), functional.one_hot(torch.from_numpy(learn.y)).float()
    stack = Stack(new_layers(s, generator), s.batch, dt=s.dt, beta=s.beta)
    adam = Adam(stack.flat, s.average, s.clip)
    batches = len(x) // s.batch
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
               TimeRemainingColumn())
    with Progress(*columns, disable=not progress) as bar:
        task = bar.add_task(name, total=s.epochs * batches)
        for epoch in range(s.epochs):
            right, order = 0, torch.randperm(len(x), generator=generator)
            for k, chosen in enumerate(order[:batches * s.batch].split(s.batch)):
                done = (epoch * batches + k) / (s.epochs * batches)
                rate = s.rate_end + (s.rate - s.rate_end) * (1 + math.cos(math.pi * done)) / 2
                right += _learn(stack, adam, x[chosen], y[chosen], rate)
                bar.advance(task)
            share = right / (batches * s.batch)
            bar.update(task, description=f"{name} {epoch + 1}/{s.epochs}, {share:.1%} while learning")
            if report:
                report(epoch + 1, share, stack, stack.layers(adam.average))
    learnt = stack.layers(adam.average.clamp(-s.limit, s.limit))
    layers = refit_readout(learnt, learn, dt=s.dt, decay=s.readout_decay, bound=s.readout_bound)
    kind, split = ("held_out_accuracy", "held_out") if hold_out else ("float_accuracy", "test")
    asked = mnist1d(split)
    figures = {
        "parameters": sum(layer.weight.numel() + layer.bias.numel() for layer in layers),
        kind: accuracy(layers, asked, dt=s.dt, answer_from=ANSWER_FROM),
        f"{kind}_before_refit": accuracy(learnt, asked, dt=s.dt, answer_from=ANSWER_FROM),
        "train_cpu_s": round(time.process_time() - began, 1),
        "epochs": s.epochs, "seed": seed, "data": f"mnist1d {data}",
    }
    if out is not None:
        save(name, layers, figures, s, out)
    return figures


def _learn(stack: Stack, adam: Adam, x: Tensor, y: Tensor, rate: float) -> int:
    """One batch, x (batch, ticks), y one-hot (batch, class): returns how many were right meanwhile."""
    target, gradient = y.T.contiguous(), stack.gradient.view(-1)
    total = torch.zeros_like(target)
    for tick, now in enumerate(x.T.contiguous()):
        stack.step(now, target)         # the state runs on from the sequence before
        adam.step(gradient, rate, len(x))
        if tick >= ANSWER_FROM:
            total += stack.r[-1, :len(target)]
    return (total.argmax(0) == target.argmax(0)).sum().item()


@torch.enable_grad()
def refit_readout(layers: list[Layer], data, *, dt: float, decay: float, bound: float) -> list[Layer]:
    """Return the layers with a read-out fitted to what is asked of it: the class, from the outputs' sum.

    While the layers learn, the teacher asks for the class at every step, as if a few steps could tell. The answer is
    the largest sum, and that is linear in the summed rates of the last hidden layer: multinomial logistic regression
    (convex: from wherever it starts it ends in the same place), with `decay` times the squared weights. Softmax does
    not see what all outputs have in common, nor the answer their scale: both are chosen so that no rates within +-1
    make an output beyond `bound`. The read-out must not lag (tau_m = tau_r).
    """
    last, steps = layers[-1], data.x.shape[1] - ANSWER_FROM
    if steps < 1:
        raise ValueError(f"sequences of {data.x.shape[1]} ticks: answers count from tick {ANSWER_FROM} on")
    if not torch.equal(last.tau_m, last.tau_r) or last.phi != "linear":
        raise ValueError("a read-out to be refitted must be linear, with tau_m = tau_r")
    # its messages are a step old
    rates = evaluate_float(layers[:-1], data.x[:, :-1], dt=dt, answer_from=ANSWER_FROM - 1)[1].double() / steps
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


def save(name: str, layers: list[Layer], figures: dict, s: Settings, out: str | Path) -> None:
    """Write a FloatNetwork, whole or not at all, with its figures and how it was made."""
    FloatNetwork(name=name, dt=s.dt, training=made_by(name, s, figures) | figures, layers=tuple(
        FloatLayer(weight=layer.weight.numpy(), bias=layer.bias.numpy(), tau_m=layer.tau_m.numpy(),
                   tau_r=layer.tau_r.numpy(), activation=layer.phi) for layer in layers)).save(out)


def made_by(name: str, s: Settings, figures: dict) -> dict:
    """The command that makes a network; where no command has its settings, those."""
    if name not in SETTINGS or s != replace(SETTINGS[name], epochs=s.epochs):
        return {"settings": asdict(s)}
    held = " --hold-out" if figures["data"].endswith("fit") else ""
    return {"command": f"leadlag train {name} --seed {figures['seed']} --epochs {s.epochs}{held}"}
