"""Training of LTC networks from a recipe (golden.ltc.recipe), by FPTT or through time (arXiv 2112.11231).

golden.train.ltc_net has the network, golden.train.fptt the rule, golden.train.ltc_learner what learns. The answer to a
sequence is the largest output of its last tick.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from golden.data.dataset import DataSet, Samples
from golden.data.sets import written
from golden.description import Answers
from golden.ltc.recipe import LtcRecipe
from golden.ltc.trained import LtcTrained, RealLayer, RealReadout
from golden.ltc.widths import choose
from golden.train.ltc_learner import accuracy, learn, outputs
from golden.train.ltc_net import Network, drawn

#: what `report` is given while it learns, as a text
SHOWN = "loss {:.3f}"


class Scale(NamedTuple):
    """What samples are learnt as: (x - mean) / deviation, (channels,) each."""

    mean: np.ndarray
    deviation: np.ndarray

    def __call__(self, x) -> np.ndarray:
        return ((x - self.mean) / self.deviation).astype(np.float32)


def scale_of(recipe: LtcRecipe, samples: Samples) -> Scale:
    """The scale of a recipe on the samples that it learns."""
    channels = samples.x.shape[2]
    if not recipe.scale:
        return Scale(np.zeros(channels), np.full(channels, recipe.unit))
    inside = samples.x[np.arange(samples.x.shape[1]) < samples.lengths[:, None]].astype(np.float64)
    deviation = inside.std(0)
    return Scale(inside.mean(0), np.where(deviation > 0, deviation, 1.0))


def fit(recipe: LtcRecipe, data: DataSet, *, seed: int = 0, hold_out: bool = False,
        report: Callable | None = None) -> LtcTrained:
    """Train the network of a recipe on a data set, and return it with its figures as `training`.

    With `hold_out` it learns the samples of "fit", and `held_out_accuracy` is that on "held_out": every choice goes by
    it. Otherwise it learns "train", and `float_accuracy` is that on the test set, read once, at the end. After each
    epoch report(epoch, mean loss) is called.
    """
    torch.set_num_threads(1)        # the products are too small for a second one
    began, split = time.process_time(), "fit" if hold_out else "train"
    learnt = data.load(split)
    scale = scale_of(recipe, learnt)
    net = learn(recipe, data, learnt._replace(x=scale(learnt.x)), seed=seed, report=report)
    figures = {"train_cpu_s": round(time.process_time() - began, 1), "epochs": recipe.epochs, "seed": seed}
    asked, kind = data.load("held_out" if hold_out else "test"), "held_out" if hold_out else "float"
    figures[f"{kind}_accuracy"] = accuracy(net, asked._replace(x=scale(asked.x)))
    figures |= written(data, split, recipe.read_as)
    real = kept(net, recipe, scale, recipe.made_by(seed, hold_out) | figures)
    return real if recipe.formats == "usual" else in_words(real, learnt, recipe)


def in_words(real: LtcTrained, learnt: Samples, recipe: LtcRecipe) -> LtcTrained:
    """The network with formats of its own; `word_loss` says what they cost on samples that it has learnt."""
    found, cost = choose(real, learnt, bits=recipe.bits, points=recipe.points)
    return replace(found, training=real.training | {"word_loss": round(cost.loss, 4)})


# ---- the trained file

@torch.no_grad()
def kept(net: Network, recipe: LtcRecipe, scale: Scale, training: dict) -> LtcTrained:
    """What a file holds of a network: norms are folded into weights, and the adaptation's gate is that of rho."""
    layers = []
    for cell in net.layers:
        factor, offset = (torch.ones(cell.size), torch.zeros(cell.size)) if cell.norm is None else cell.norm.folded()
        gates = torch.cat([cell.gate_old, cell.gate_x], 2)
        layers.append(RealLayer(
            Wx=(factor[:, None] * cell.dense).numpy(), Wr=(factor[:, None] * cell.recurrent).numpy(),
            bx=(factor * cell.bias + offset).numpy(), Wm=gates[0].numpy(), bm=cell.gate_bias[0].numpy(),
            Wa=-gates[1].numpy() if cell.adaptive else None, ba=-cell.gate_bias[1].numpy() if cell.adaptive else None,
            b0=cell.b0))
    readout = net.readout
    plain = bool((scale.mean == 0).all() and (scale.deviation == 1).all())
    return LtcTrained(
        name=recipe.name, layers=tuple(layers), readout=RealReadout(
            Wo=readout.weight.numpy(), bo=readout.bias.numpy(), Wg=readout.gate.numpy(), bg=readout.gate_bias.numpy()),
        mean=None if plain else scale.mean, deviation=None if plain else scale.deviation, training=training)


@torch.no_grad()
def network(real: LtcTrained) -> Network:
    """The float model of a trained network."""
    sizes = (real.layers[0].Wx.shape[1], *(len(layer.bx) for layer in real.layers), len(real.readout.bo))
    net = drawn(sizes, seed=0, threshold="fixed" if real.layers[0].Wa is None else "adaptive", b0=real.layers[0].b0)
    for cell, layer in zip(net.layers, real.layers, strict=True):
        adaptive = layer.Wa is not None
        gates = torch.tensor(np.stack([layer.Wm, -layer.Wa] if adaptive else [layer.Wm]))
        for into, value in ((cell.dense, layer.Wx), (cell.recurrent, layer.Wr), (cell.bias, layer.bx),
                            (cell.gate_old, gates[..., :cell.size]), (cell.gate_x, gates[..., cell.size:]),
                            (cell.gate_bias, np.stack([layer.bm, -layer.ba] if adaptive else [layer.bm]))):
            into.copy_(torch.as_tensor(value))
    for name, value in zip(("weight", "bias", "gate", "gate_bias"), (real.readout.Wo, real.readout.bo, real.readout.Wg,
                                                                    real.readout.bg), strict=True):
        getattr(net.readout, name).copy_(torch.as_tensor(value))
    return net.eval()


def answers(real: LtcTrained, samples, since: int = 0, lengths=None) -> Answers:
    """What the float model says of samples (n, ticks, channels): labels, and the outputs of the last tick."""
    scale = Scale(0.0, 1.0) if real.mean is None else Scale(real.mean, real.deviation)
    found = outputs(network(real), scale(np.asarray(samples)), lengths)
    return Answers(found.argmax(1), found)
