"""Flips in the memories of a network of spiking neurons: what a run gives with them, by the integer model.

parameters   words of the image, as far as they are synapses of a neuron, but for the seeds, which are no memory
membranes    a word a neuron, decayed already, as the circuit keeps it (golden.spiking.engine: order 1)
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from golden.checks import check
from golden.faults import Flip, Memory, at, turned
from golden.spiking import words
from golden.spiking.engine import NeuronState, Run, arrivals, decay, decide, neuron_step, rest
from golden.spiking.layer import SpikingLayer
from golden.spiking.network import SpikingNetwork


def stored_bits(net: SpikingNetwork) -> np.ndarray:
    """Bits of each word of an image that belong to a synapse (words,); of seeds none."""
    found = []
    for layer in net.layers:
        for first, end in zip(layer.bank_first, layer.bank_first[1:], strict=False):
            # in the last fold lanes may have no neuron
            there = [min(end, max(first, layer.outputs - fold * layer.lanes)) - first for fold in range(layer.folds)]
            found += np.repeat(np.array(there) * layer.synapse_bits, layer.inputs).tolist()
    seeds = len(net.layout()[-1].words)
    return np.array([*found, *[0] * seeds])


def memories(net: SpikingNetwork) -> list[Memory]:
    """What of a network can flip; ValueError for alpha functions, whose state the circuit keeps in another form."""
    check(all(layer.order == 1 for layer in net.layers),
          f"{net.name}: flips are drawn for leaky integrators (order 1), not for alpha functions")
    return [Memory("parameters", -1, stored_bits(net)),
            *(Memory("membranes", n, np.full(layer.outputs, layer.state.width)) for n, layer in enumerate(net.layers))]


def run(net: SpikingNetwork, params, x, flips: Sequence[Flip]) -> np.ndarray:
    """`SpikingNetwork.run` with flips: x (images, ticks, inputs) bool -> (images,) words.

    A flip of a parameter is seen by spikes that are sent in its tick and later. All images see the same flips.
    """
    spikes, versions = np.asarray(x, bool), _versions(net, params, flips)
    for n, layer in enumerate(net.layers):
        spiking = net.decision == "first_spike" or n < len(net.layers) - 1
        came, state, steps = _arrivals(net, n, versions, spikes), rest(layer, len(spikes)), []
        for tick in range(net.ticks):
            own = [flip for flip in at(flips, tick, "membranes") if flip.layer == n]
            state, fired, potential = _step(state, came[:, tick], layer, own, spiking)
            steps.append((fired, potential))
        spikes = np.stack([fired for fired, _ in steps], 1)
    potential = np.stack([each for _, each in steps], 1)
    return words.answer_words(Run(decide(spikes, potential), (), potential).answers)


def _versions(net, params, flips) -> list[tuple[int, tuple]]:
    """(tick, params) from which tick on parameters hold."""
    bits, found = stored_bits(net), [(0, params)]
    image = np.concatenate(net.pack(params)).astype(np.int64)
    for tick in sorted({flip.tick for flip in flips if flip.part == "parameters"}):
        for flip in at(flips, tick, "parameters"):
            check(flip.bit < bits[flip.word], f"word {flip.word} has {bits[flip.word]} bits, no bit {flip.bit}")
            image[flip.word] ^= 1 << flip.bit
        found.append((tick, net.unpack(image)))
    return found


def _arrivals(net, n: int, versions, spikes) -> np.ndarray:
    """What arrives in each tick: spikes by the synapses that hold when they are sent."""
    total, ends = 0, [tick for tick, _ in versions[1:]] + [net.ticks]
    for (start, params), end in zip(versions, ends, strict=True):
        sent = np.zeros_like(spikes)
        sent[:, start:end] = spikes[:, start:end]
        if sent.any():
            total = total + arrivals(net.layers[n], params[n], sent)
    return np.zeros((len(spikes), net.ticks, net.layers[n].outputs), np.int64) + total


def _step(state: NeuronState, came, layer: SpikingLayer, flips: Sequence[Flip], spiking: bool):
    """A step of the neurons, with flips of what is left of their membranes."""
    if not flips:
        return neuron_step(state, came, layer, spiking=spiking)
    left = decay(state.u, layer.leak)
    for flip in flips:
        left[:, flip.word] = turned(left[:, flip.word], flip.bit, layer.state.width)
    return neuron_step(state._replace(u=left), came, replace(layer, leak=()), spiking=spiking)
