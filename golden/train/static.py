"""The float reference of MNIST-1D on the chip: fixed lags and, above them, a momentary network that Adam teaches.

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

from golden.data.mnist1d import ANSWER_FROM, Split, mnist1d
from golden.tasks.learning import MNIST_CLASSES, MNIST_DT, mnist1d_net, mnist1d_start
from golden.train.rates import Adam, Layer, accuracy

EPOCHS, BATCH = 60, 100
RATE, RATE_END = 1e-3, 1e-6         # of Adam, on a half cosine
FRONT, TAUS = 4, np.round(np.linspace(MNIST_DT, 1.8, 10), 2)
#: ticks that the first step looks back: to the error of the first layer that is the input's way up, three ticks, and
#: the way down again, two. What was before, the end of the last batch too, is forgotten, so those ticks are left out.
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


def features(x: Tensor, first: int = 0) -> Tensor:
    """What the front sends of sequences x (n, ticks), read from tick `first` on: (ticks, n, 10 and a one)."""
    leak = torch.tensor(MNIST_DT / TAUS, dtype=x.dtype)
    r = x.new_zeros(FRONT, len(x), len(leak))
    found = x.new_ones(x.shape[1] - first, len(x), len(leak) + 1)
    for tick, now in enumerate(x.T, -first):
        if tick >= 0:
            found[tick, :, :-1] = r[-1]
        # tau_r = dt: what a neuron sends is its membrane
        r = r.lerp(torch.cat([now[:, None].expand_as(r[0])[None], r[:-1]]), leak)
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
        self.y, self.error = new(2, len(layers[-1].bias), batch)
        # what is used at every step, cut once
        self.one, self.inner, self.eps_in = self.h[..., width], self.h[..., :width], self.eps[..., :width]
        self.one.fill_(1)
        self.eps_t, self.h_t, self.w_t = (list(map(torch.t, a)) for a in (self.eps_in, self.h, self.w))

    def _split(self, flat: Tensor) -> list[Tensor]:
        shapes = [(len(a.bias), a.weight.shape[1] + 1) for a in self.like]
        return [part.view(shape) for part, shape in zip(flat.split([o * i for o, i in shapes]), shapes, strict=True)]

    def step(self, x: Tensor, target: Tensor, learn: bool = True) -> None:
        """Take one step of x (batch, inputs and a one) with one-hot target (class, batch); `learn`: make gradients."""
        h, eb, eps, error, w = self.h, self.eb, self.eps, self.error, self.w
        torch.sub(target, torch.softmax(self.y, 0), out=error)
        torch.mul(eb, h, out=eps)
        torch.addcmul(eb, eps, h, value=-1, out=eps)        # eb (1 - tanh^2), and 0 for the constant
        if learn:
            torch.mm(self.eps_t[0], x, out=self.g[0])
            torch.mm(self.eps_t[1], h[0], out=self.g[1])
            torch.mm(error, h[1], out=self.g[2])
        torch.mm(self.eps_in[1], w[1], out=eb[0])
        torch.mm(error.T, w[2], out=eb[1])
        # from the top, so that every layer reads what the one below sent before
        torch.mm(w[2], self.h_t[1], out=self.y)
        torch.mm(h[0], self.w_t[1], out=self.inner[1])
        torch.mm(x, self.w_t[0], out=self.inner[0])
        h.tanh_()               # half the time of that of all neurons but the constant
        self.one.fill_(1)

    def layers(self) -> list[Layer]:
        """Return copies of the layers as they are now."""
        return [old._replace(weight=w[:, :-1].clone(), bias=w[:, -1].clone())
                for old, w in zip(self.like, self.w, strict=True)]


@torch.inference_mode()
def fit(data: Split, *, seed: int, epochs: int, progress: Callable | None = None) -> list[Layer]:
    """Return all layers, after learning data; progress(epoch, share that was right meanwhile) follows each epoch."""
    torch.set_num_threads(1)        # the products are too small for a second one
    skip, batches = ANSWER_FROM - MEMORY, len(data.y) // BATCH
    x, targets = features(torch.from_numpy(data.x), skip), torch.eye(MNIST_CLASSES)[torch.from_numpy(data.y)]
    stack, generator = StaticStack(new_layers(seed), BATCH), torch.Generator().manual_seed(seed)
    adam = Adam(stack.flat, average=0.0, clip=math.inf)
    for epoch in range(epochs):
        right, order = 0, torch.randperm(len(targets), generator=generator)
        for k, chosen in enumerate(order[:batches * BATCH].split(BATCH)):
            done = (epoch * batches + k) / (epochs * batches)
            rate = RATE_END + (RATE - RATE_END) * (1 + math.cos(math.pi * done)) / 2
            target = targets[chosen].T.contiguous()
            total = torch.zeros_like(target)
            for tick, now in enumerate(x.index_select(1, chosen), skip):
                stack.step(now, target, learn := tick >= ANSWER_FROM)
                if learn:
                    adam.step(stack.gradient, rate, BATCH)
                    total += stack.y
            right += (total.argmax(0) == target.argmax(0)).sum().item()
        if progress is not None:
            progress(epoch + 1, right / (batches * BATCH))
    return [*front(), *stack.layers()]


def train_static(seed: int = 0, epochs: int = EPOCHS, hold_out: bool = False, progress: Callable | None = None) -> dict:
    """Train from the weights that mnist1d_start draws, and return the accuracy, on sequences that start from rest.

    It is that on the test set after all 4000 training sequences; with `hold_out` that on 800 of them after the other
    3200, and the test set is not read.
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, not {epochs}")
    began, split = time.process_time(), "held_out" if hold_out else "test"
    layers = fit(mnist1d("fit" if hold_out else "train"), seed=seed, epochs=epochs, progress=progress)
    seconds = time.process_time() - began
    return {"accuracy": accuracy(layers, mnist1d(split), dt=MNIST_DT, answer_from=ANSWER_FROM), "split": split,
            "seed": seed, "epochs": epochs, "cpu_s": round(seconds, 1)}
