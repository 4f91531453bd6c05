"""Liquid-time-constant spiking networks (arXiv 2112.11231) in torch, to be read and differentiated by autograd.

A layer at tick t, with the spikes s of tick t - 1, in[t] its real input or the spikes of the layer below at tick t:

    x = Wx in[t] + Wr s + bx
    a = sigmoid(Wm [u; x] + bm)         gate of the membrane
    r = sigmoid(Wb [b; x] + bb)         gate of the adaptation, 1 - rho: the weights are those of rho with their signs
                                        turned, as the circuit has them
    b <- b + r (s - b)                  of the spikes before
    theta = b0 + 1.8 b                  adaptive; else theta = b0, and there is neither b nor r
    ut = u + a (x - u),  s <- ut > theta,  u <- 0 where it spiked, else ut

and the readout: z = Wo s + bo, a_o = sigmoid(Wg [z; y] + bg), y <- y + a_o (z - y). A sequence starts from u = s = b =
y = 0. The derivative of s by ut - theta is the surrogate below. Shapes: (batch, neuron), weights (out, in).

Gates may be "full"; "diagonal", where a neuron's gate sees its own u (or b) and x alone; or "constant", a number a
neuron, learnt: with an adaptive threshold that is the adaptive LIF neuron, with a fixed one the LIF neuron.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

GATES, THRESHOLDS = ("full", "diagonal", "constant"), ("adaptive", "fixed")
#: of theta = b0 + ADAPT b; the paper's 1.8 in 64ths, as the circuit has it
ADAPT = 115 / 64
#: share of a layer's variance that is kept by its running statistics, a step
KEPT = 0.9


def normal(z: Tensor, mean: float, deviation: float) -> Tensor:
    """Density of a normal distribution."""
    return torch.exp(((z - mean) / deviation) ** 2 * -0.5) * (1 / (deviation * math.sqrt(2 * math.pi)))


def surrogate(z: Tensor) -> Tensor:
    """What stands for the derivative of a spike by z = ut - theta: a peak of 0.73, slightly below 0 beside it."""
    return 0.5 * (1.15 * normal(z, 0, 0.3) - 0.15 * (normal(z, 0.3, 1.8) + normal(z, -0.3, 1.8)))


class Spike(torch.autograd.Function):
    """1 where z > 0, else 0; backwards times `surrogate`."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return (z > 0).to(z.dtype)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * surrogate(ctx.saved_tensors[0])


class StepNorm(nn.Module):
    """Batch norm of x whose statistics all ticks share: an affine map behind training, so it folds into weights."""

    def __init__(self, size: int):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        """X (batch, neuron) with running statistics, which it moves while training; gradients pass by them."""
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(x.mean(0), 1 - KEPT)
                self.variance.lerp_(x.var(0), 1 - KEPT)
        factor, offset = self.folded()
        return x * factor + offset

    def folded(self) -> tuple[Tensor, Tensor]:
        """Factor and offset a neuron."""
        factor = self.scale / (self.variance + 1e-5).sqrt()
        return factor, self.shift - self.mean.clone() * factor      # the next tick moves it in place


class Cell(nn.Module):
    """A layer of liquid-time-constant neurons, or of (adaptive) LIF neurons where gates are "constant".

    Parameters: dense (size, inputs), recurrent (size, size), bias (size,); gate_old and gate_x, a matrix (size, size)
    for the membrane and one for the adaptation, or a row (size,) each for diagonal gates; gate_bias (1 or 2, size).
    """

    def __init__(self, inputs: int, size: int, *, gates: str = "full", threshold: str = "adaptive", b0: float = 0.1,
                 norm: bool = False):
        super().__init__()
        self.inputs, self.size, self.gates, self.b0 = inputs, size, gates, b0
        self.adaptive = threshold == "adaptive"
        count = 1 + self.adaptive
        self.dense, self.recurrent = _drawn(size, inputs), _drawn(size, size)
        self.bias = nn.Parameter(torch.zeros(size))
        self.gate_bias = nn.Parameter(torch.zeros(count, size))
        if gates == "full":
            bound = 1 / math.sqrt(2 * size)
            self.gate_old = nn.Parameter(torch.empty(count, size, size).uniform_(-bound, bound))
            self.gate_x = nn.Parameter(torch.empty(count, size, size).uniform_(-bound, bound))
        elif gates == "diagonal":
            self.gate_old = nn.Parameter(torch.empty(count, size).uniform_(-1, 1))
            self.gate_x = nn.Parameter(torch.empty(count, size).uniform_(-1, 1))
        else:       # time constants of 2 to 20 ticks, and of 4 to 40 for what adapts
            with torch.no_grad():
                for row, (low, high) in zip(self.gate_bias, ((-3, 0), (-3.7, -1.1)), strict=False):
                    row.uniform_(low, high)
        self.norm = StepNorm(size) if norm else None

    def start(self, batch: int) -> tuple[Tensor, Tensor]:
        """The state at rest: u, and b where it adapts, (1 or 2, batch, size); spikes (batch, size)."""
        zero = self.dense.new_zeros
        return zero(len(self.gate_bias), batch, self.size), zero(batch, self.size)

    def forward(self, given: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """A tick of input (batch, inputs): spikes, and the new state."""
        old, spikes = state
        x = given @ self.dense.T + spikes @ self.recurrent.T + self.bias
        x = x if self.norm is None else self.norm(x)
        lag = torch.sigmoid(self._gate(old, x))
        towards = torch.stack([x, spikes]) if self.adaptive else x[None]
        new = old + lag * (towards - old)
        theta = self.b0 + ADAPT * new[1] if self.adaptive else self.b0
        spikes = Spike.apply(new[0] - theta)
        u = new[0] * (1 - spikes)
        return spikes, (torch.stack([u, new[1]]) if self.adaptive else u[None], spikes)

    def _gate(self, old: Tensor, x: Tensor) -> Tensor:
        bias = self.gate_bias[:, None]
        if self.gates == "full":
            return old @ self.gate_old.mT + x @ self.gate_x.mT + bias
        return self.gate_old[:, None] * old + self.gate_x[:, None] * x + bias if self.gates == "diagonal" else bias


class Lstm(nn.Module):
    """A layer of LSTM cells, a baseline: what it sends is real."""

    def __init__(self, inputs: int, size: int):
        super().__init__()
        self.inputs, self.size, self.cell = inputs, size, nn.LSTMCell(inputs, size)

    def start(self, batch: int) -> tuple[Tensor, Tensor]:
        """The state at rest, h and c (batch, size)."""
        zero = self.cell.weight_hh.new_zeros
        return zero(batch, self.size), zero(batch, self.size)

    def forward(self, given: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """A tick of input (batch, inputs): h, and the new state."""
        state = self.cell(given, state)
        return state[0], state


class Readout(nn.Module):
    """Leaky outputs with a gate of their own: weight (outputs, size), bias; gate (outputs, 2 outputs) of [z; y].

    Not `gated`, outputs are z itself; the gate's parameters are there and do nothing.
    """

    def __init__(self, size: int, outputs: int, gated: bool = True):
        super().__init__()
        self.outputs, self.gated = outputs, gated
        self.weight, self.bias = _drawn(outputs, size), nn.Parameter(torch.zeros(outputs))
        self.gate, self.gate_bias = _drawn(outputs, 2 * outputs), nn.Parameter(torch.zeros(outputs))

    def start(self, batch: int) -> Tensor:
        """Outputs at rest (batch, outputs)."""
        return self.weight.new_zeros(batch, self.outputs)

    def forward(self, sent: Tensor, y: Tensor) -> Tensor:
        """The new outputs."""
        z = sent @ self.weight.T + self.bias
        if not self.gated:
            return z
        gate = torch.sigmoid(torch.cat([z, y], 1) @ self.gate.T + self.gate_bias)
        return y + gate * (z - y)


class Network(nn.Module):
    """Layers one above the other, and a readout; a layer reads what the one below sends in the same tick.

    membrane: the readout reads u of the last layer, behind the reset, in place of spikes.
    """

    def __init__(self, layers: list[nn.Module], outputs: int, *, gated: bool = True, membrane: bool = False):
        super().__init__()
        self.layers, self.readout = nn.ModuleList(layers), Readout(layers[-1].size, outputs, gated)
        self.membrane = membrane

    def start(self, batch: int) -> list:
        """The states at rest, of each layer and of the readout."""
        return [*(layer.start(batch) for layer in self.layers), self.readout.start(batch)]

    def forward(self, x: Tensor, states: list) -> tuple[Tensor, list]:
        """Ticks (ticks, batch, inputs) from `states` on: outputs (ticks, batch, outputs), and the states behind."""
        states, found = list(states), []
        for sent in x:
            for n, layer in enumerate(self.layers):
                sent, states[n] = layer(sent, states[n])
            states[-1] = self.readout(states[-2][0][0] if self.membrane else sent, states[-1])
            found.append(states[-1])
        return torch.stack(found), states


def detached(states: list) -> list:
    """The same states, through which no gradient passes."""
    return [tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach() for state in states]


def drawn(sizes, *, seed: int, neuron: str = "ltc", gates: str = "full", threshold: str = "adaptive", b0: float = 0.1,
          norm: bool = False, gated: bool = True, membrane: bool = False) -> Network:
    """A network before it has learnt: sizes (inputs, hidden ..., outputs); neuron "ltc" or "lstm"."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        *hidden, outputs = sizes
        layers = [Lstm(inputs, size) if neuron == "lstm" else
                  Cell(inputs, size, gates=gates, threshold=threshold, b0=b0, norm=norm)
                  for inputs, size in pairwise(hidden)]
        return Network(layers, outputs, gated=gated, membrane=membrane)


def _drawn(outputs: int, inputs: int) -> nn.Parameter:
    """Uniform in +-1/sqrt(inputs)."""
    bound = 1 / math.sqrt(inputs)
    return nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
