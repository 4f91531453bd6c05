"""Spiking neurons behind delayed synapses, in integers: the specification of rtl/spiking/lanes.py.

    a_j[n]  = sum over synapses i -> j and spikes of i at t of w_ji [t + d_ji = n]        arrivals
    order 1:  x = sat(decay(u) + a)                        leaky integrator
    order 2:  q' = sat(decay(q + p)), p' = sat(decay(p) + a), x = q'                      alpha function (SLAYER's PSP)
    spike where x >= threshold; then u (q, p) = 0 and arrivals of `refractory` ticks are lost
    with a kick:  r_q' = sat(decay_r(r_q + r_p)), x = sat(q' - r_q'), r_p' = sat(decay_r(r_p) + kick * spike), no reset

with decay(x) = x - sum over k of (x >> k). A layer's spikes of tick n reach the layer above in tick n + d. Source:
[DELAY] arXiv 2306.06237; with decay(x) = exp(-1/tau) x, q is its kernel (n/tau) exp(1 - n/tau) but for
the factor e/tau, which the threshold takes; its refractory kernel is the same function with tau = 1.
"""

from typing import NamedTuple

import numpy as np

from golden.checks import check
from golden.description import Description
from golden.files import reals
from golden.fixed import saturate
from golden.spiking.codes import LatencyCode, LevelCode
from golden.spiking.layer import SpikingLayer
from golden.units.weights import Ternary


class Synapses(NamedTuple):
    """What a layer is loaded with: delay (outputs, inputs) in ticks; weight (outputs, inputs), None from a seed."""

    delay: np.ndarray
    weight: np.ndarray | None = None


class NeuronState(NamedTuple):
    """Of a layer, (images, neurons): membrane u (order 2: q, p), refractory ticks left, kernel r_q, r_p."""

    u: np.ndarray
    p: np.ndarray
    rest: np.ndarray
    r_q: np.ndarray
    r_p: np.ndarray


class Answers(NamedTuple):
    """Of each image: label; tick of the decision; fired, whether an output spiked (False: the last tick decided)."""

    label: np.ndarray
    tick: np.ndarray
    fired: np.ndarray


class Run(NamedTuple):
    """Answers, spikes of every layer (images, ticks, neurons) bool, membranes of the last layer (same shape)."""

    answers: Answers
    spikes: tuple[np.ndarray, ...]
    potential: np.ndarray


def decay(x, leak):
    """What is left of x: x - (x >> k) - ..., each shift floors."""
    y = x
    for k in leak:
        y = y - (x >> k)
    return y


def rest(layer: SpikingLayer, images: int) -> NeuronState:
    """The state that every image starts from."""
    zero = np.zeros((images, layer.outputs), np.int64)
    return NeuronState(zero, zero, zero, zero, zero)


def neuron_step(state: NeuronState, arrived, layer: SpikingLayer, *, spiking: bool = True):
    """One tick: arrived (images, neurons), words of the weights -> (state, spikes bool, x).

    Neurons that are not `spiking` only carry their membrane.
    """
    fmt, arrived, silent = layer.state, arrived << layer.shift, state.rest > 0
    if layer.order == 1:
        u, p = saturate(decay(state.u, layer.leak) + arrived, fmt), state.p
    else:
        u = saturate(decay(state.u + state.p, layer.leak), fmt)
        p = np.where(silent, 0, saturate(decay(state.p, layer.leak) + arrived, fmt))
    x = u = np.where(silent, 0, u)
    r_q, r_p = state.r_q, state.r_p
    if layer.kick is not None:
        r_q = saturate(decay(r_q + r_p, layer.kick.leak), fmt)
        x = saturate(u - r_q, fmt)
    fired = (x >= layer.threshold) & spiking
    if layer.kick is not None:
        r_p = saturate(decay(r_p, layer.kick.leak) + layer.kick.word * fired, fmt)
    else:
        u, p = np.where(fired, 0, u), np.where(fired, 0, p)
    left = np.where(fired, layer.refractory, np.maximum(state.rest - 1, 0))
    return NeuronState(u, p, left, r_q, r_p), fired, x


def weights(layer: SpikingLayer, synapses: Synapses) -> np.ndarray:
    """Weights in words, (outputs, inputs)."""
    if isinstance(layer.weight, Ternary):
        return layer.weight.matrix(layer.inputs, layer.outputs)
    return synapses.weight


def arrivals(layer: SpikingLayer, synapses: Synapses, spikes) -> np.ndarray:
    """Spikes (images, ticks, inputs) -> what arrives in each tick (images, ticks, outputs), int64, in weight words."""
    images, ticks, _ = spikes.shape
    found = np.zeros((images, ticks, layer.outputs))
    matrix = weights(layer, synapses).astype(np.float64)      # exact: sums stay far below 2**53
    for d in range(min(layer.max_delay + 1, ticks)):
        chosen = np.where(synapses.delay == d, matrix, 0.0)
        sent = spikes[:, :ticks - d].reshape(-1, layer.inputs)
        busy = np.flatnonzero(sent.any(1))
        if chosen.any() and len(busy):
            came = np.zeros((len(sent), layer.outputs))
            came[busy] = sent[busy].astype(np.float64) @ chosen.T
            found[:, d:] += came.reshape(images, ticks - d, layer.outputs)
    return found.astype(np.int64)


def run(net: Description, params, spikes) -> Run:
    """Run images from rest: spikes (images, ticks, inputs) bool; params, Synapses a layer."""
    check_synapses(net, params)
    spikes = np.asarray(spikes, bool)
    check(spikes.ndim == 3 and spikes.shape[1:] == (net.ticks, net.inputs),
          f"spikes must be (images, {net.ticks}, {net.inputs}), not {spikes.shape}")
    found = []
    for n, (layer, synapses) in enumerate(zip(net.layers, params, strict=True)):
        spiking = net.decision == "first_spike" or n < len(net.layers) - 1
        came, state, steps = arrivals(layer, synapses, spikes), rest(layer, len(spikes)), []
        for tick in range(net.ticks):
            state, fired, x = neuron_step(state, came[:, tick], layer, spiking=spiking)
            steps.append((fired, x))
        spikes = np.stack([fired for fired, _ in steps], 1)
        found.append(spikes)
    potential = np.stack([x for _, x in steps], 1)
    return Run(decide(spikes, potential), tuple(found), potential)


def decide(spikes, potential) -> Answers:
    """Spikes and membranes of the outputs (images, ticks, outputs) -> the answers."""
    fired = spikes.any((1, 2))
    tick = np.where(fired, spikes.any(2).argmax(1), spikes.shape[1] - 1)
    images = np.arange(len(spikes))
    among = spikes[images, tick] | ~fired[:, None]
    value = np.where(among, potential[images, tick], np.iinfo(np.int64).min)
    return Answers(value.argmax(1), tick, fired)


def encode(code: LatencyCode | LevelCode, ticks: int, x, lengths=None) -> np.ndarray:
    """Samples -> spikes (n, ticks, lines) bool: pixels (n, pixels) of uint8, or reals (n, ticks, channels), lengths."""
    return code.encode(ticks, x, lengths)


def check_synapses(net: Description, params) -> None:
    """ValueError where shapes or ranges of `params` do not fit."""
    check(len(params) == len(net.layers), f"{net.name} has {len(net.layers)} layers, not {len(params)}")
    for n, (layer, synapses) in enumerate(zip(net.layers, params, strict=True)):
        limits = {"delay": (0, layer.max_delay)}
        check(layer.regenerates == (synapses.weight is None),
              f"layer {n}: weights come from a seed, none are loaded" if layer.regenerates else
              f"layer {n}: stored weights are missing")
        if not layer.regenerates:
            limits["weight"] = (layer.weight.min, layer.weight.max)
        for name, (low, high) in limits.items():
            words = np.asarray(getattr(synapses, name))
            check(words.shape == (layer.outputs, layer.inputs),
                  f"layer {n}: {name} has shape {words.shape}, expected {(layer.outputs, layer.inputs)}")
            check(words.dtype.kind in "iu", f"layer {n}: {name} must be integers, not {words.dtype}")
            wrong = np.argwhere((words < low) | (words > high))
            if len(wrong):
                at = wrong[0].tolist()
                raise ValueError(f"layer {n}: {name}{at} is {words[tuple(at)]}, outside of {low}..{high}")


def round_delays(layer: SpikingLayer, delays, *, name: str = "delay") -> np.ndarray:
    """Real delays in ticks -> integers, nearest; ValueError for what is negative, not finite or beyond max_delay."""
    delays = reals(name, delays)
    for wrong, what in ((delays < 0, "negative"), (np.floor(delays + 0.5) > layer.max_delay,
                         f"beyond the {layer.max_delay} ticks that {layer.delay_bits} bits hold")):
        if wrong.any():
            at = np.argwhere(wrong)[0].tolist()
            raise ValueError(f"{name}{at} is {delays[tuple(at)]:g}, {what}")
    return np.floor(delays + 0.5).astype(np.int64)


def random_synapses(net: Description, rng) -> tuple[Synapses, ...]:
    """Synapses of any value that fits."""
    found = []
    for layer in net.layers:
        shape = (layer.outputs, layer.inputs)
        delay = rng.integers(0, layer.max_delay + 1, shape)
        weight = None if layer.regenerates else rng.integers(layer.weight.min, layer.weight.max + 1, shape)
        found.append(Synapses(delay, weight))
    return tuple(found)
