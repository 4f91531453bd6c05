"""The float model of [GLE] (arXiv 2403.16933), to be read: any chain of layers, one step at a time.

One step of size dt, every layer l reading the values of step n-1 (the first reads the input x[n]):

    e_in = phi'(ubar_l) o W_{l+1}^T eps_{l+1}     (top layer: phi' o error)
    f = e_in - v       eps  = v + (tau_m/tau_r) f    v += (dt/tau_r) f    prospective error
    s = W_l r_{l-1} + b_l
    d = s + gamma eps - u    ubar = u + (tau_r/tau_m) d    u += (dt/tau_m) d    membrane
    r = phi(ubar)
    dW = eps r_{l-1}^T,  db = eps,  dtau_m = -eps d / tau_m    averaged over the batch

Then the weights move, every step. Instantaneous errors are eps = e_in. Time constants are in the
units of dt. Shapes: activities (batch, neuron), weights (out, in). The quick form is gle.Stack.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

PHI = {     # name: (phi, its slope), both of the prospective membrane
    "linear": (torch.clone, torch.ones_like),
    "tanh": (torch.tanh, lambda u: 1 - torch.tanh(u) ** 2),
    "softplus": (functional.softplus, torch.sigmoid),
    "sigmoid": (torch.sigmoid, lambda u: torch.sigmoid(u) * torch.sigmoid(-u)),
    "hard_sigmoid": (lambda u: u.clamp(0, 1), lambda u: ((u >= 0) & (u < 1)).to(u.dtype)),
    "relu": (torch.relu, lambda u: (u >= 0).to(u.dtype)),
}


class Layer(NamedTuple):
    """One layer: weight (out, in); bias, tau_m, tau_r (out,); phi, a name in PHI."""

    weight: Tensor
    bias: Tensor
    tau_m: Tensor
    tau_r: Tensor
    phi: str


class State(NamedTuple):
    """Integrators u, v, published r = phi(ubar), rp = phi'(ubar): (batch, out); eb (batch, in)."""

    u: Tensor
    v: Tensor
    r: Tensor
    rp: Tensor
    eb: Tensor


class Gradient(NamedTuple):
    """Gradient of the loss, averaged over the batch: an optimiser subtracts it."""

    weight: Tensor
    bias: Tensor
    tau_m: Tensor


def initial_state(layers: list[Layer], batch: int) -> list[State]:
    """Return the state at rest: u = v = eb = 0, r = phi(0), rp = phi'(0)."""
    states = []
    for layer in layers:
        out, into = layer.weight.shape
        zero, (phi, slope) = layer.weight.new_zeros(batch, out), PHI[layer.phi]
        states.append(State(zero, zero, phi(zero), slope(zero), zero.new_zeros(batch, into)))
    return states


def cross_entropy_error(r: Tensor, target: Tensor) -> Tensor:
    """Return onehot - softmax(r), minus the gradient by the outputs r (batch, class)."""
    return target - torch.softmax(r, -1)


def squared_error(r: Tensor, target: Tensor) -> Tensor:
    """Return target - r, minus the gradient of (r - target)^2 / 2."""
    return target - r


def gle_step(layers: list[Layer], states: list[State], x: Tensor, error: Tensor | None, *,
             dt: float, gamma: float = 0.0, prospective: bool = True,
             ) -> tuple[list[State], list[Gradient]]:
    """Take one step with input x (batch, in).

    error is beta * (minus the gradient of the loss by states[-1].r): the output of the step before
    against the target of this one. None is no error.
    """
    new, gradients = [], []
    for i, (layer, old) in enumerate(zip(layers, states, strict=True)):
        r_pre = states[i - 1].r if i else x
        above = states[i + 1].eb if i + 1 < len(layers) else error
        e_in = torch.zeros_like(old.v) if above is None else above * old.rp
        kappa = layer.tau_r / layer.tau_m
        if prospective:
            f = e_in - old.v
            eps, v = old.v + f / kappa, old.v + dt / layer.tau_r * f
        else:
            eps = v = e_in
        d = r_pre @ layer.weight.T + layer.bias + gamma * eps - old.u
        ubar, u = old.u + kappa * d, old.u + dt / layer.tau_m * d
        phi, slope = PHI[layer.phi]
        new.append(State(u, v, phi(ubar), slope(ubar), eps @ layer.weight))
        gradients.append(Gradient(-eps.T @ r_pre / len(x), -eps.mean(0),
                                  (eps * d / layer.tau_m).mean(0)))
    return new, gradients


@torch.no_grad()
def evaluate_float(layers: list[Layer], x, *, dt: float = 0.2, answer_from: int = 0,
                   lengths=None) -> tuple[Tensor, Tensor]:
    """Return classes (n,) and outputs summed over the steps (n, outputs) for sequences x (n, ticks[, channels]).

    Each sequence starts from rest; the output of a step is the one that the step has made. The first
    `answer_from` steps are not summed, nor are those from `lengths` (n,) on.
    """
    x = torch.as_tensor(x, dtype=layers[0].weight.dtype)
    if x.shape[1] <= answer_from:
        raise ValueError(f"sequences of {x.shape[1]} ticks: answers count from tick {answer_from} on")
    x = x[..., None] if x.ndim == 2 else x
    ends = None if lengths is None or min(lengths) >= x.shape[1] else torch.as_tensor(lengths)[:, None]
    u = [x.new_zeros(len(x), len(layer.bias)) for layer in layers]
    r = [torch.zeros_like(rest) for rest in u]     # what was never sent is zero, as in golden.rate.engine
    total = torch.zeros_like(u[-1])
    for tick in range(x.shape[1]):
        pre = [x[:, tick], *r[:-1]]
        for i, layer in enumerate(layers):
            d = torch.addmm(layer.bias, pre[i], layer.weight.T) - u[i]
            r[i] = PHI[layer.phi][0](torch.addcmul(u[i], layer.tau_r / layer.tau_m, d))
            u[i].addcmul_(dt / layer.tau_m, d)
        if tick >= answer_from:
            total += r[-1] if ends is None else r[-1] * (tick < ends)
    return total.argmax(1), total


def accuracy(layers: list[Layer], data, *, dt: float = 0.2, answer_from: int = 0) -> float:
    """Return the share of sequences data.x (with data.lengths, where there are any) whose class data.y is predicted."""
    classes = evaluate_float(layers, data.x, dt=dt, answer_from=answer_from, lengths=getattr(data, "lengths", None))[0]
    return (classes.numpy() == data.y).mean().item()


def squared_loss(layers: list[Layer], data, *, dt: float = 0.2, answer_from: int = 0) -> float:
    """Return the mean squared error of answers, outputs averaged over the steps that count, to data.y (n, targets)."""
    total = evaluate_float(layers, data.x, dt=dt, answer_from=answer_from, lengths=data.lengths)[1].double().numpy()
    return ((total / (data.lengths - answer_from)[:, None] - data.y) ** 2).mean().item()


class Adam:
    """Adam on one flat vector, in place, and the running average of what it visits.

    Parameters: flat, moved in place; average, decay per step of the running average; clip, the
    bound of every entry.
    """

    def __init__(self, flat: Tensor, average: float, clip: float):
        self.flat, self.keep, self.clip, self.n = flat, 1 - average, clip, 0
        self.m, self.v, self.tmp = (torch.zeros_like(flat) for _ in range(3))
        self.average = flat.clone()

    def step(self, ascent: Tensor, rate: float, batch: int = 1) -> None:
        """Move along ascent: minus the gradient, summed over the batch."""
        self.n += 1
        self.m.lerp_(ascent, 0.1)
        self.v.mul_(0.999).addcmul_(ascent, ascent, value=0.001)
        # m and v hold sums over the batch: an epsilon as many times larger makes up for it.
        # It stands inside the root, as the root of the padding's exact zeros is 20 times as slow.
        correct = math.sqrt(1 - 0.999 ** self.n)
        torch.add(self.v, (1e-8 * batch * correct) ** 2, out=self.tmp).sqrt_()
        self.flat.addcdiv_(self.m, self.tmp, value=rate * correct / (1 - 0.9 ** self.n))
        self.flat.clamp_(-self.clip, self.clip)
        self.average.lerp_(self.flat, self.keep)
