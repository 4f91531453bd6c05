"""What learns an LTC network as a recipe says: batches of sequences, an update behind each part (golden.train.fptt).

Where gates are full C++ makes the gradients (golden.train.ltc_compiled), or without a compiler golden.train.ltc_closed;
autograd does where a network is none that they have. The answer to a sequence is the largest output of its last tick.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from golden.data.dataset import DataSet, Samples
from golden.ltc.recipe import LtcRecipe
from golden.train import fptt, ltc_closed, ltc_compiled
from golden.train.ltc_net import Cell, Network, detached, drawn

BATCH, TICKS = 250, 8       # sequences at a time where nothing learns, and ticks that the compiled form has room for


def learn(recipe: LtcRecipe, data: DataSet, learnt: Samples, *, seed: int = 0, report: Callable | None = None,
          ahead: bool = False, **neuron) -> Network:
    """The network of a recipe after its epochs on scaled samples; ahead: with the weights wbar of FPTT.

    neuron: what `drawn` makes other layers of.
    """
    net = drawn((data.inputs, *recipe.layers, data.classes), seed=seed, b0=recipe.b0, norm=recipe.norm,
                **({"threshold": recipe.threshold} | neuron))
    generator, learner = torch.Generator().manual_seed(seed), Learner(net, recipe)
    x, y, lengths = torch.from_numpy(learnt.x), torch.from_numpy(learnt.y), torch.from_numpy(learnt.lengths)
    batch = min(recipe.batch, len(y))
    rounds = len(y) // batch
    for epoch in range(recipe.epochs):
        total, order = 0.0, torch.randperm(len(y), generator=generator)
        for n, chosen in enumerate(order[:rounds * batch].split(batch)):
            learner.rate((epoch * rounds + n) / (recipe.epochs * rounds))
            shown = _shown(x[chosen, :lengths[chosen].max()], recipe, generator)
            total += learner.sequence(shown.transpose(0, 1).contiguous(), y[chosen], lengths[chosen])
        if report:
            report(epoch + 1, total / rounds)
    learner.finish()
    if ahead:
        learner.fptt.put(learner.fptt.wbar)
    return net.eval()


def _shown(x: Tensor, recipe: LtcRecipe, generator: torch.Generator) -> Tensor:
    """Chosen sequences (n, ticks, channels) as they are learnt from: mirrored, noisy."""
    if recipe.flip:
        x = torch.where(torch.rand(len(x), 1, 1, generator=generator) < 0.5, x.flip(2), x)
    return x + recipe.noise * torch.randn(x.shape, generator=generator) if recipe.noise else x


class Learner:
    """A network that learns batches of sequences as a recipe says, an update behind each part.

    way: "compiled" (golden.train.ltc_compiled), "closed" (gradients written out by hand) or "autograd"; None: the first
    of them that is to be had. `decay` of averaged weights counts batches.
    """

    def __init__(self, net: Network, recipe: LtcRecipe, *, way: str | None = None):
        self.net, self.recipe, self.way = net, recipe, way or quickest(net)
        self.whole = fptt.flat(net)
        kinds = {"adam": lambda: torch.optim.AdamW([self.whole], recipe.rate, weight_decay=recipe.decay, fused=True),
                 "sgd": lambda: torch.optim.SGD([self.whole], recipe.rate, weight_decay=recipe.decay)}
        self.fptt = fptt.Fptt([self.whole], kinds[recipe.optimiser](), alpha=recipe.alpha, beta=recipe.beta,
                              clip=recipe.clip or None)
        self.rule, self.kept = ltc_compiled.rule_of(self.fptt, self.whole, adam=recipe.optimiser == "adam",
                                                    decay=recipe.decay)
        self.room, self.average, self.batches = None, self.whole.detach().clone(), 0

    def rate(self, done: float) -> None:
        """Set the optimiser's rate for a share of the training that is done."""
        self.rule.rate = fptt.rate_at(done, self.recipe.rate, self.recipe.rate_end)
        for group in self.fptt.optimiser.param_groups:
            group["lr"] = self.rule.rate

    def sequence(self, x: Tensor, label: Tensor, lengths: Tensor) -> float:
        """Learn sequences x (ticks, batch, channels) of classes (batch,); the mean loss of the parts."""
        ticks, span, r = len(x), self.recipe.span(len(x)), self.recipe
        weight = fptt.parts(lengths, ticks, span, every=r.every, ramp=r.ramp)
        counts = fptt.parts(lengths, ticks, span, every=r.every, ramp=False) if r.auxiliary else None
        if self.way == "compiled":
            total = self._compiled(x, label, weight, counts, span)
        else:
            states, total = self.net.start(x.shape[1]), 0.0
            for at in range(0, ticks, span):
                part = slice(at, at + span)
                value, states = self._part(x[part], label, weight[part], None if counts is None else counts[part],
                                           states)
                self.fptt.step()
                total += value
        self.batches += 1
        if r.average:       # of the first batches it is the plain mean
            self.average.lerp_(self.whole.detach(), max(1 - r.average, 1 / self.batches))
        return total * span / ticks

    def _compiled(self, x, label, weight, counts, span: int) -> float:
        if self.room is None or self.room.ticks < span or self.room.batch < x.shape[1]:
            self.room = ltc_compiled.Compiled(self.net, self.whole, span, x.shape[1])
        return self.room.learn(self.rule, x, label, weight, counts, span)

    def _part(self, x, label, weight, counts, states):
        """Loss and states of a part; gradients are in the parameters then."""
        closed = self.way == "closed"
        if closed:
            with torch.no_grad():
                y, states, trails = ltc_closed.forward(self.net, x, states)
            y.requires_grad_()
        else:
            y, states = self.net(x, detached(states))
        value = fptt.loss(y, label, weight, counts)
        value.backward()
        if closed:
            with torch.no_grad():
                ltc_closed.backward(self.net, trails, y.grad)
        return value.item(), states

    def finish(self) -> None:
        """Put the averaged weights into the network, if they are asked for."""
        if self.recipe.average:
            with torch.no_grad():
                self.whole.copy_(self.average)


def quickest(net: Network) -> str:
    """The way in which a network learns most quickly here."""
    if ltc_compiled.able(net):
        return "compiled"
    by_hand = all(isinstance(layer, Cell) and layer.gates == "full" and layer.norm is None for layer in net.layers)
    return "closed" if by_hand and net.readout.gated and not net.membrane else "autograd"


# ---- answers

@torch.no_grad()
def outputs(net: Network, x, lengths=None) -> np.ndarray:
    """Outputs (n, classes) of scaled sequences x (n, ticks, channels) in their last ticks."""
    torch.set_num_threads(1)
    x = torch.as_tensor(np.asarray(x, np.float32))
    lengths = torch.as_tensor(np.full(len(x), x.shape[1]) if lengths is None else lengths)
    room = ltc_compiled.Compiled(net, fptt.flat(net), TICKS, BATCH) if quickest(net) == "compiled" else None
    found = []
    for at in range(0, len(x), BATCH):
        long = lengths[at:at + BATCH]
        part = x[at:at + BATCH, :long.max()].transpose(0, 1).contiguous()
        y = room.run(part)[0] if room else net(part, net.start(len(long)))[0]
        found.append(y[long - 1, torch.arange(len(long))])
    return torch.cat(found).numpy()


def accuracy(net: Network, asked: Samples) -> float:
    """Share of scaled sequences whose class is answered."""
    return float((outputs(net, asked.x, asked.lengths).argmax(1) == asked.y).mean())
