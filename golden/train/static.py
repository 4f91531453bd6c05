"""The float reference of golden.tasks' mnist1d: fixed lags and, above them, a momentary network that Adam teaches.

The front, LagNet, is four linear layers of ten neurons, each passing on what it gets with its own lag; it learns
nothing, so that what it makes of a sequence (from rest) is made once and kept. The layers 10-60-60-10 above have
tau_m = tau_r and gamma = 0, which leaves of rates.gle_step, with every layer reading the values of the tick before:

    r = phi(W r_pre + b)    eps = phi' o eb    eb of the layer below = W^T eps    dW = eps r_pre^T,  db = eps

and eps = onehot - softmax(r) on top. Adam moves the weights at every tick from ANSWER_FROM on.
"""

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from golden.data import ANSWER_FROM, mnist1d
from golden.tasks import MNIST_CLASSES, MNIST_DT, mnist1d_net, mnist1d_start
from golden.train.rates import Adam, Layer, accuracy

EPOCHS, BATCH = 60, 100
RATE, RATE_END = 1e-3, 1e-6         # of Adam, on a half cosine
AVERAGE, CLIP = 0.9997, 15.99       # words of Q4.13 hold less than 16
FRONT, TAUS = 4, np.round(np.linspace(MNIST_DT, 1.8, 10), 2)
#: ticks before the first step that matter to it: the top error that reaches the first layer comes from an input that
#: took three ticks up and two down; earlier ones, and what the batch before left, are forgotten
MEMORY = 5


def front() -> list[Layer]:
    """The layers that stay as they are."""
    tau_m = torch.tensor(TAUS, dtype=torch.float32)
    return [Layer(torch.eye(10) if n else torch.ones(10, 1), 0 * tau_m, tau_m, 0 * tau_m + MNIST_DT, "linear")
            for n in range(FRONT)]


def new_layers(seed: int) -> list[Layer]:
    """The layers that learn, as mnist1d_start draws them."""
    net, found = mnist1d_net(), []
    for layer, p in list(zip(net.layers, mnist1d_start(net, seed), strict=True))[FRONT:]:
        weight, bias = (torch.tensor(words * layer.weight.lsb, dtype=torch.float32) for words in (p.weight, p.bias))
        tau = torch.full_like(bias, MNIST_DT) / float(p.lag[0] * layer.lag.lsb)
        found.append(Layer(weight, bias, tau, tau, layer.activation))
    return found


def features(x: Tensor, ticks: slice = slice(None)) -> Tensor:
    """What the first plastic layer reads at some ticks of sequences x (n, ticks): (ticks, n, 10 and a one)."""
    leak = torch.tensor(MNIST_DT / TAUS, dtype=x.dtype)
    r, kept = x.new_zeros(FRONT, len(x), len(leak)), range(x.shape[1])[ticks]
    found = x.new_ones(len(kept), len(x), len(leak) + 1)
    for tick, now in enumerate(x.T):
        if tick in kept:
            found[kept.index(tick), :, :-1] = r[-1]
        # tau_r = dt: what a layer sends is its membrane
        r = r.lerp(torch.cat([now[:, None].expand_as(r[:1]), r[:-1]]), leak)
    return found


class StaticStack:
    """The quick form of rates.gle_step for layers in - n - n - out (tanh, tanh, linear) with tau_m = tau_r.

    Arrays are (batch, neuron), those of the output (class, batch): as the products and the softmax are quickest. Every
    input has one more neuron, the constant 1, whose outgoing weights are the biases; its slope is 0. `flat` holds all
    weights, `gradient` the last step's: what a maximiser would add, summed over the batch.

    Parameters: layers, the three; batch.
    """

    def __init__(self, layers: list[Layer], batch: int):
        self.like, width = layers, len(layers[0].bias)
        self.flat = torch.cat([torch.cat([a.weight, a.bias[:, None]], 1).flatten() for a in layers])
        self.gradient, new = torch.zeros_like(self.flat), self.flat.new_zeros
        self.w, self.g = self._split(self.flat), self._split(self.gradient)
        self.h, self.eb, self.eps = new(3, 2, batch, width + 1)
        self.h[..., width] = 1
        self.y, self.error = new(2, len(layers[-1].bias), batch)
        # what is used at every step, cut once
        self.inner, self.eps_t = self.h[..., :width], [eps[:, :width].T for eps in self.eps]
        self.w_t = [w.T for w in self.w]

    def _split(self, flat: Tensor) -> list[Tensor]:
        shapes = [(len(a.bias), a.weight.shape[1] + 1) for a in self.like]
        return [part.view(shape) for part, shape in zip(flat.split([o * i for o, i in shapes]), shapes, strict=True)]

    def step(self, x: Tensor, target: Tensor, learn: bool = True) -> None:
        """Take one step of x (batch, inputs and a one) with one-hot target (class, batch); `learn` asks for gradients."""
        h, eb, eps, error, (lower, upper), (_, w_upper, w_top) = self.h, self.eb, self.eps, self.error, self.h, self.w
        torch.sub(target, torch.softmax(self.y, 0), out=error)
        torch.mul(eb, h, out=eps)
        torch.addcmul(eb, eps, h, value=-1, out=eps)        # eb (1 - tanh^2), and 0 for the constant
        if learn:
            torch.mm(self.eps_t[0], x, out=self.g[0])
            torch.mm(self.eps_t[1], lower, out=self.g[1])
            torch.mm(error, upper, out=self.g[2])
        torch.mm(self.eps_t[1].T, w_upper, out=eb[0])
        torch.mm(error.T, w_top, out=eb[1])
        # from the top, so that every layer reads what the one below sent before
        torch.mm(w_top, upper.T, out=self.y)
        torch.mm(lower, self.w_t[1], out=self.inner[1])
        torch.mm(x, self.w_t[0], out=self.inner[0])
        self.inner.tanh_()

    def layers(self, flat: Tensor | None = None) -> list[Layer]:
        """Return copies of the layers, with the weights of `flat` where given."""
        return [old._replace(weight=w[:, :-1].clone(), bias=w[:, -1].clone())
                for old, w in zip(self.like, self._split(self.flat if flat is None else flat), strict=True)]


@torch.no_grad()
def fit(x, y, *, seed: int, epochs: int, progress: Callable | None = None) -> StaticStack:
    """Learn sequences x (n, ticks) of classes y (n,); progress(epoch, share that was right meanwhile) after each."""
    torch.set_num_threads(1)        # the products are too small for a second one
    skip = ANSWER_FROM - MEMORY
    seen = features(torch.from_numpy(x), slice(skip, None))
    targets = torch.eye(MNIST_CLASSES)[torch.from_numpy(y)]
    stack, batches = StaticStack(new_layers(seed), BATCH), len(x) // BATCH
    adam, generator = Adam(stack.flat, AVERAGE, CLIP), torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        right, order = 0, torch.randperm(len(x), generator=generator)
        for k, chosen in enumerate(order[:batches * BATCH].split(BATCH)):
            done = (epoch * batches + k) / (epochs * batches)
            rate = RATE_END + (RATE - RATE_END) * (1 + math.cos(math.pi * done)) / 2
            target = targets[chosen].T.contiguous()
            total = torch.zeros_like(target)
            for tick, now in enumerate(seen.index_select(1, chosen), skip):
                learn = tick >= ANSWER_FROM
                stack.step(now, target, learn)
                if learn:
                    adam.step(stack.gradient, rate, BATCH)
                    total += stack.y
            right += (total.argmax(0) == target.argmax(0)).sum().item()
        if progress is not None:
            progress(epoch + 1, right / (batches * BATCH))
    stack.average = adam.average
    return stack
