"""Forward propagation through time (Kag, Saligrama, ICML 2021) around any module and any optimiser of torch.

A sequence is cut into K parts. Behind each one the weights move, and no gradient passes from part to part: memory does
not grow with the sequence. A regulariser R holds the parts together; a parameter w has a companion wbar and a
multiplier lam, which live on from sequence to sequence:

    L = loss of part + R,  R = -<w, lam> + (alpha/2) |w - wbar|^2
    w' = a step of the optimiser along dL/dw, clipped to a global norm
    lam' = lam - alpha (w' - wbar)
    wbar' = (1 - beta) wbar + beta w' - (beta/alpha) lam'

With beta = 1/2 that is wbar' = w' - lam/(2 alpha), lam the multiplier before: wbar is no average of w but ahead of it.
"""

import math
from collections.abc import Iterable
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional


class Fptt:
    """An optimiser of torch with the regulariser of FPTT around it.

    Parameters: parameters, those that the optimiser moves; alpha of the regulariser, 0 for none; beta in 0..1; clip,
    largest norm of the whole gradient, R's included (None: any). wbar and lam: a tensor a parameter.
    """

    def __init__(self, parameters: Iterable[Tensor], optimiser: torch.optim.Optimizer, *, alpha: float = 0.5,
                 beta: float = 0.5, clip: float | None = 1.0):
        if not (alpha >= 0 and 0 <= beta <= 1):
            raise ValueError(f"alpha must be 0 or more and beta in 0..1, not {alpha!r} and {beta!r}")
        self.parameters, self.optimiser = [p for p in parameters if p.requires_grad], optimiser
        self.alpha, self.beta, self.clip = alpha, beta, clip
        self.wbar = [p.detach().clone() for p in self.parameters] if alpha else []
        self.lam = [torch.zeros_like(p) for p in self.parameters] if alpha else []

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters along the gradients that they hold, and wbar and lam behind them; gradients become 0."""
        w, alpha, beta = [p.detach() for p in self.parameters], self.alpha, self.beta
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        for p, gradient in zip(self.parameters, gradients, strict=True):
            p.grad = gradient
        if alpha:
            torch._foreach_add_(gradients, w, alpha=alpha)
            torch._foreach_sub_(gradients, self.wbar, alpha=alpha)
            torch._foreach_sub_(gradients, self.lam)
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimiser.step()
        if alpha:
            torch._foreach_sub_(self.lam, w, alpha=alpha)
            torch._foreach_add_(self.lam, self.wbar, alpha=alpha)
            torch._foreach_lerp_(self.wbar, w, beta)
            torch._foreach_sub_(self.wbar, self.lam, alpha=beta / alpha)
        torch._foreach_zero_(gradients)

    @contextmanager
    def averaged(self):
        """Inside, the parameters are wbar."""
        kept = [p.detach().clone() for p in self.parameters]
        try:
            self.put(self.wbar)
            yield
        finally:
            self.put(kept)

    @torch.no_grad()
    def put(self, values: Iterable[Tensor]) -> None:
        """Set the parameters; nothing where `values` is empty."""
        for p, value in zip(self.parameters, values, strict=False):
            p.copy_(value)


def flat(module: nn.Module) -> nn.Parameter:
    """One vector that holds all parameters of a module and their gradients: optimisers are quickest on few tensors.

    The module's own parameters and gradients become views of it, so that what moves one moves the other.
    """
    parameters = list(module.parameters())
    whole = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in parameters]))
    whole.grad = torch.zeros_like(whole)
    at = 0
    for p in parameters:
        part = slice(at, at := at + p.numel())
        p.data, p.grad = whole.data[part].view_as(p), whole.grad[part].view_as(p)
    return whole


def parts(lengths: Tensor, ticks: int, span: int, *, every: bool = False, ramp: bool = True) -> Tensor:
    """Weights (ticks, batch) of the cross-entropy by tick, for sequences (batch,) of `lengths` cut every `span` ticks.

    It counts in the last tick of each part and of each sequence, or in `every` one; by (t + 1)/length with `ramp`, else
    by 1. What is behind the end of a sequence does not count.
    """
    tick = torch.arange(1, ticks + 1)[:, None]
    counts = (tick <= lengths) & ((tick % span == 0) | (tick == lengths) | every)
    return counts * (tick / lengths if ramp else torch.ones(ticks, len(lengths)))


def loss(y: Tensor, label: Tensor, weight: Tensor, counts: Tensor | None = None) -> Tensor:
    """Weighted cross-entropy of outputs (ticks, batch, classes) to labels (batch,), a sequence's share of the batch.

    counts (ticks, batch): where it is 1, outputs are also held, by 1 - weight, to the class probabilities that are
    known beforehand, all alike (the auxiliary term of [FPTT], a class's share of it).
    """
    p = functional.log_softmax(y, -1)
    found = -(weight * p.gather(-1, label.expand(len(y), -1)[..., None])[..., 0]).sum()
    if counts is not None:
        found = found - ((counts - weight) * p.mean(-1)).sum() / y.shape[-1]
    return found / len(label)


def rate_at(done: float, rate: float, rate_end: float = 0.0) -> float:
    """Half a cosine from rate to rate_end over done = 0..1."""
    return rate_end + (rate - rate_end) * (1 + math.cos(math.pi * done)) / 2
