"""Spiking networks before training: their description, delays and weights as drawn, and thresholds that fit data."""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from golden.data.dataset import DataSet, Samples
from golden.fixed import QFormat
from golden.spiking.codes import LatencyCode, level_code
from golden.spiking.engine import encode
from golden.spiking.layer import Kick, SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.recipe import SpikingRecipe
from golden.train.events import arrive, once, response
from golden.units.weights import Ternary

#: training samples on which thresholds are chosen, and the share of outputs that reach theirs
PROBED, OUTPUTS_FIRE = 200, 0.1
#: fraction bits of a membrane whose format is chosen, and how far it may go beyond what it was seen to reach
STATE_FRACTION, ROOM = 6, 2.0
STATE = QFormat(7, 6)


class Layer(NamedTuple):
    """Delays and weights of a layer while they learn, (inputs, outputs) as events.cpp has them."""

    delay: Tensor
    weight: Tensor


def describe(recipe: SpikingRecipe, data: DataSet, *, seed: int = 0) -> SpikingNetwork:
    """The network that a recipe means for a data set; what it leaves open is chosen on training samples."""
    code = LatencyCode(bins=recipe.bins, dark=recipe.dark)
    if data.form == "sequence":
        samples = data.load("train")
        code = level_code(samples.x, samples.lengths, recipe.levels)
    sizes = (data.inputs if data.form == "image" else code.lines, *recipe.hidden, data.classes)
    if recipe.thresholds is not None:
        return _network(recipe, code, sizes, recipe.thresholds, recipe.state or STATE, seed)
    return _probed(recipe, data, code, sizes, seed)


def _shares(recipe: SpikingRecipe) -> tuple:
    return recipe.shares or ((7, 7),) * len(recipe.hidden) + ((8, 8),)


def _network(recipe: SpikingRecipe, code, sizes, thresholds, state: QFormat, seed: int) -> SpikingNetwork:
    trains = recipe.loss == "van_rossum"        # outputs spike on, so that they have a train to compare
    order, count = 1 + (recipe.form == "psp"), len(thresholds)
    seeds = np.random.default_rng([seed, 2306]).integers(1 << 32, size=count).tolist()
    if recipe.stores:
        state = replace(state, frac_bits=max(state.frac_bits, recipe.stored.frac_bits))
    layers = []
    for n, (theta, share) in enumerate(zip(thresholds, _shares(recipe), strict=True)):
        kick = round(2 * math.e * theta / state.lsb)        # from -2 theta n exp(1 - n)
        layers.append(SpikingLayer(
            inputs=sizes[n], outputs=sizes[n + 1], delay_bits=recipe.delay_bits, state=state, leak=recipe.leak,
            order=order, threshold=max(1, round(theta / state.lsb)),
            weight=recipe.stored if recipe.stores else Ternary(plus=share[0], minus=share[1], seed=seeds[n]),
            refractory=0 if trains and (order == 2 or n == count - 1) else 255,
            kick=Kick(word=kick, leak=(1, 3)) if trains and order == 2 else None))
    return SpikingNetwork(name=recipe.name, ticks=recipe.ticks, layers=tuple(layers), code=code,
                          decision="potential" if recipe.loss == "potential" else "first_spike")


@torch.no_grad()
def _probed(recipe: SpikingRecipe, data: DataSet, code, sizes, seed: int) -> SpikingNetwork:
    """Thresholds that `fires` of the hidden membranes reach, and a tenth of the outputs, with delays as drawn.

    A membrane's format holds ROOM times the largest value that any was seen to reach.
    """
    samples, thresholds, most = data.load("train"), [], 1.0
    chosen = np.random.default_rng(seed).permutation(len(samples.y))[:PROBED]
    first = _network(recipe, code, sizes, [1.0] * (len(sizes) - 1), QFormat(11, STATE_FRACTION), seed)
    spikes = spikes_of(first, Samples(*(None if part is None else part[chosen] for part in samples)))
    for n, (layer, (delay, weight)) in enumerate(zip(first.layers, draw(first, recipe, seed), strict=True)):
        came = arrive(spikes, delay.T, weight.T, ticks=recipe.ticks if spikes.ndim == 2 else None)
        peak = torch.einsum("nm,bmo->bno", response(1, recipe.leak, recipe.ticks), came).amax(1)
        reached = np.quantile(peak.numpy(), 1 - (recipe.fires if n < len(recipe.hidden) else OUTPUTS_FIRE))
        thresholds.append(max(1.0, float(reached)))
        most = max(most, peak.abs().max().item(), 2 * thresholds[-1])
        spikes = once(came, replace(layer, threshold=round(thresholds[-1] / layer.state.lsb)), slope=1.0)
    bits = math.ceil(math.log2(ROOM * most))
    return _network(recipe, code, sizes, thresholds, recipe.state or QFormat(bits, STATE_FRACTION), seed)


def draw(net: SpikingNetwork, recipe: SpikingRecipe, seed: int) -> list[Layer]:
    """Delays and weights before training."""
    generator, layers, (low, high) = torch.Generator().manual_seed(seed), [], recipe.delays
    for n, (layer, (plus, minus)) in enumerate(zip(net.layers, _shares(recipe), strict=True)):
        shape = (layer.inputs, layer.outputs)
        delay = torch.rand(shape, generator=generator) * (high - low) + low
        if recipe.mode == "equal" and n < len(net.layers) - 1:
            delay.zero_()
        if layer.regenerates:
            weight = torch.from_numpy(layer.weight.matrix(*shape)).float().T.contiguous()
        else:       # with mean and mean square of the ternary ones, and words already
            mean, square = (plus - minus) / 16, (plus + minus) / 16
            weight = torch.randn(shape, generator=generator) * math.sqrt(square - mean ** 2) + mean
            weight = clip((weight / layer.weight.lsb).round() * layer.weight.lsb, layer.weight)
        layers.append(Layer(delay, weight))
    return layers


def clip(weight: Tensor, fmt: QFormat) -> Tensor:
    """Weights within what their format holds, in place."""
    return weight.clamp_(fmt.min * fmt.lsb, fmt.max * fmt.lsb)


def spikes_of(net: SpikingNetwork, samples: Samples) -> Tensor:
    """Of images the tick in which each pixel spikes (n, pixels), of sequences spikes (n, ticks, lines)."""
    if samples.lengths is None:
        return ticks_of(net, samples.x)
    return torch.from_numpy(encode(net.code, net.ticks, samples.x, samples.lengths)).float()


def ticks_of(net: SpikingNetwork, pixels) -> Tensor:
    """The tick in which each pixel spikes, int16 (images, pixels), -1 for never: encode of golden.spiking in short."""
    spikes = encode(net.code, net.ticks, np.arange(256, dtype=np.uint8)[None])[0]
    table = np.where(spikes.any(0), spikes.argmax(0), -1).astype(np.int16)
    return torch.from_numpy(table[np.asarray(pixels)])


def jittered(net: SpikingNetwork, pixels: Tensor, by: float, generator) -> Tensor:
    """`ticks_of` with spikes moved by up to `by` ticks, each by a part of its own, before they are cut to ticks."""
    code = net.code
    exact = (255 - pixels.float()) * code.bins / 255 + (2 * torch.rand(pixels.shape, generator=generator) - 1) * by
    when = exact.floor().clamp_(0, code.bins - 1).to(torch.int16)
    return when.masked_fill_(pixels < max(code.dark, 1), -1)
