"""The quick form of rates.gle_step: all layers of a chain at once, in place, in three batched products."""

import torch
from torch import Tensor

from golden.train.rates import PHI, Layer

#: activations that are 0 at 0, so that silent neurons stay silent
QUIET = ("linear", "tanh", "relu", "hard_sigmoid")


class Stack:
    """A chain of layers that learns.

    Arrays are (layer, neuron, batch), every layer padded to the widest and one more. That last neuron is the constant 1
    whose outgoing weights are the biases; its slope is 0, so no error enters it and its inputs get no gradient. Inputs
    and narrower layers are padded with silent neurons, which get none either.

    Parameters: layers; batch, dt, beta; loss, "cross_entropy" or "squared_error"; prospective, else the errors are
    instantaneous. `flat` holds all weights, `gradient` the last step's: what a maximiser would add, summed over the
    batch.
    """

    def __init__(self, layers: list[Layer], batch: int, *, dt: float, beta: float = 1.0, loss: str = "cross_entropy",
                 prospective: bool = True):
        self.inputs = layers[0].weight.shape[1]
        n, width = len(layers), max(self.inputs, *(len(layer.bias) for layer in layers))
        self.like, self.width, self.beta, self.loss, self.batch = layers, width, beta, loss, batch
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
        # layers side by side with the same activation, as first, end, name
        self.runs = []
        for i, layer in enumerate(layers):
            first = self.runs.pop()[0] if self.runs and self.runs[-1][2] == layer.phi else i
            self.runs.append((first, i + 1, layer.phi))
        self.slope = self.live.clone()      # at rest
        for first, end, phi in self.runs:
            self.slope[first:end] *= PHI[phi][1](new(1))
        self.reset()

    def reset(self) -> None:
        """Put every state to rest."""
        for state in (self.u, self.v, self.e, self.r):
            state.zero_()
        self.r[:-1, self.width] = 1
        self.rp.copy_(self.slope)

    def forget(self, which: Tensor) -> None:
        """Put the state of some sequences, bool (batch,), to rest."""
        for state in (self.u, self.v, self.e, self.r):
            state[..., which] = 0
        self.r[:-1, self.width] = 1
        self.rp[..., which] = self.slope[..., which]

    def step(self, x: Tensor, target: Tensor) -> None:
        """Take one step of x (inputs, batch) with target (outputs, batch), one-hot for classes."""
        u, v, e, eps, s, r, tmp = self.u, self.v, self.e, self.eps, self.s, self.r, self.tmp
        r[0, :self.inputs] = x
        sent = r[-1, :self.outputs]
        torch.sub(target, torch.softmax(sent, 0) if self.loss == "cross_entropy" else sent, out=e[-1, :self.outputs])
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
        for first, end, phi in self.runs:
            self._send(ubar[first:end], r[first + 1:end + 1], self.rp[first:end], self.live[first:end], phi)
        r[1:-1, self.width] = 1

    def _send(self, ubar: Tensor, r: Tensor, rp: Tensor, live: Tensor, phi: str) -> None:
        """Rates r and slopes rp of some layers; what is linear keeps its slope."""
        if phi == "linear":
            r.copy_(ubar)
        elif phi == "tanh":
            torch.tanh(ubar, out=r)
            torch.addcmul(self.one, r, r, value=-1, out=rp)
            rp[:, self.width] = 0
        else:
            act, slope = PHI[phi]
            r.copy_(act(ubar))
            if phi not in QUIET:
                r.mul_(live)
            torch.mul(slope(ubar), live, out=rp)

    def layers(self, flat: Tensor | None = None) -> list[Layer]:
        """Return unpadded copies of the layers, with the weights of `flat` where given."""
        w = (self.flat if flat is None else flat).view_as(self.w)
        return [old._replace(weight=w[i, :len(old.bias), :old.weight.shape[1]].clone(),
                             bias=w[i, :len(old.bias), self.width].clone())
                for i, old in enumerate(self.like)]
