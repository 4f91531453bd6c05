"""The add task (Hochreiter, Schmidhuber 1997): the sum of two marked numbers of a long sequence, by FPTT or BPTT.

A tick gives a number, uniform in 0..1, and a mark, which is 1 in two ticks, one of each half, and else 0. In the end
the output is to be the sum of the marked ones. Whoever always says 1 has a mean squared error of 1/6.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from golden.train import fptt, ltc_compiled
from golden.train.ltc_net import Network, detached, drawn

GUESS = 1 / 6


class Settings(NamedTuple):
    """One layer of `size` LTC neurons of fixed threshold b0, a linear readout of their u, as in the code of [FPTT].

    parts: K; 1 is backpropagation through time. The error to the sum counts at the end of each part, by (k + 1)/K.
    batches of so many new sequences; Adam, on half a cosine down to 0.
    """

    ticks: int = 1000
    parts: int = 10
    size: int = 128
    batch: int = 64
    batches: int = 1000
    rate: float = 3e-3
    alpha: float = 0.5
    b0: float = 0.5


def sequences(ticks: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """New sequences (ticks, count, 2) of numbers and marks, and their sums (count, 1)."""
    numbers, half = torch.rand(ticks, count, generator=generator), ticks // 2
    first = torch.randint(half, (1, count), generator=generator)
    second = torch.randint(half, ticks, (1, count), generator=generator)
    marks = torch.zeros(ticks, count).scatter_(0, first, 1.0).scatter_(0, second, 1.0)
    return torch.stack([numbers, marks], 2), (numbers * marks).sum(0)[:, None]


def network(settings: Settings, seed: int) -> Network:
    """The network before it has learnt; gates begin slow, with time constants of 2 ticks to all of them."""
    net = drawn((2, settings.size, 1), seed=seed, threshold="fixed", b0=settings.b0, gated=False, membrane=True)
    with torch.no_grad():
        cell, draw = net.layers[0], torch.Generator().manual_seed(seed)
        cell.gate_bias.uniform_(-math.log(settings.ticks), 0, generator=draw)
    return net


class Adder:
    """A network that learns batches of new sequences; way "compiled" or "autograd", the first where it is to be had."""

    def __init__(self, settings: Settings, seed: int = 0, way: str | None = None):
        self.settings, self.net = settings, network(settings, seed)
        self.generator, self.whole = torch.Generator().manual_seed(seed), fptt.flat(self.net)
        self.span = -(-settings.ticks // settings.parts)
        self.rule = fptt.Fptt([self.whole], torch.optim.Adam([self.whole], settings.rate, fused=True),
                              alpha=0.0 if settings.parts == 1 else settings.alpha)
        way = way or ("compiled" if ltc_compiled.able(self.net) else "autograd")
        compiled = way == "compiled"
        self.quick, self.kept = ltc_compiled.rule_of(self.rule, self.whole, adam=True, decay=0.0) if compiled else \
            (None, [])
        self.room = ltc_compiled.Compiled(self.net, self.whole, self.span, settings.batch) if compiled else None
        self.weight = fptt.parts(torch.full((settings.batch,), settings.ticks), settings.ticks, self.span).contiguous()

    def batch(self, rate: float) -> float:
        """Learn new sequences: their squared error in the last tick, before (compiled) or while they are learnt."""
        x, y = sequences(self.settings.ticks, self.settings.batch, self.generator)
        if self.room is None:
            said = _plain(self.net, self.rule, rate, x, y, self.weight, self.span)
        else:
            self.quick.rate = rate
            said = self.room.run(x)[0][-1]
            self.room.learn(self.quick, x, y, self.weight, None, self.span)
        return float((said - y).square().mean())


def learn(settings: Settings, *, seed: int = 0, report: Callable | None = None) -> tuple[Network, list[list[float]]]:
    """Learn; the network, and its curve: [batches, mean squared error in the last tick] of new sequences, 100 a run."""
    torch.set_num_threads(1)
    adder, curve, found = Adder(settings, seed), [], []
    for n in range(settings.batches):
        found.append(adder.batch(fptt.rate_at(n / settings.batches, settings.rate)))
        if (n + 1) % max(1, settings.batches // 100) == 0:
            curve.append([n + 1, sum(found) / len(found)])
            found = []
            if report:
                report(*curve[-1])
    return adder.net, curve


def once(settings: Settings, way: str) -> float:
    """The error of one batch that is learnt."""
    torch.set_num_threads(1)
    return Adder(settings, way=way).batch(settings.rate)


def _plain(net: Network, rule: fptt.Fptt, rate: float, x: Tensor, y: Tensor, weight: Tensor, span: int) -> Tensor:
    """A batch by autograd; outputs of the last tick, as they were while it was learnt."""
    states = net.start(x.shape[1])
    for group in rule.optimiser.param_groups:
        group["lr"] = rate
    for at in range(0, len(x), span):
        said, states = net(x[at:at + span], detached(states))
        ((said - y).square() * weight[at:at + span, :, None]).sum().div(len(y)).backward()
        rule.step()
    return said[-1].detach()


@torch.no_grad()
def error(net: Network, settings: Settings, *, count: int = 2000, seed: int = 1000) -> float:
    """Mean squared error in the last tick of new sequences."""
    generator, total = torch.Generator().manual_seed(seed), 0.0
    room = ltc_compiled.Compiled(net, fptt.flat(net), 8, settings.batch) if ltc_compiled.able(net) else None
    for _ in range(-(-count // settings.batch)):
        x, y = sequences(settings.ticks, settings.batch, generator)
        said = room.run(x)[0] if room else net(x, net.start(settings.batch))[0]
        total += float((said[-1] - y).square().mean())
    return total / -(-count // settings.batch)
