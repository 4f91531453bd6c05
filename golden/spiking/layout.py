"""Synapses and seeds of a spiking network -> words on the parameter bus, and back.

A layer has a bank for every `bank_lanes` lanes; word fold * inputs + i holds, side by side, delay (below) and weight of
the synapses from line i to the neuron fold * lanes + lane of each of them. Behind the banks of all layers comes one
with the seeds: words 2n and 2n + 1 are the lower and the upper half of the seed of layer n.
"""

import numpy as np

from golden.checks import check
from golden.description import Bank, Description
from golden.fixed import wrap
from golden.spiking.engine import Synapses, check_synapses
from golden.spiking.layer import SpikingLayer


def seed_bank(net: Description) -> int:
    """Number of the bank of seeds, the last one."""
    return sum(layer.banks for layer in net.layers)


def _seeded(net):
    return [n for n, layer in enumerate(net.layers) if layer.regenerates]


def banks(net: Description) -> tuple[Bank, ...]:
    """Banks of synapses, layer by layer, and the bank of seeds."""
    found = [range(layer.bank_depth) for layer in net.layers for _ in range(layer.banks)]
    found.append(tuple(2 * n + half for n in _seeded(net) for half in range(2)))
    return tuple(Bank(number, words) for number, words in enumerate(found))


def pack(net: Description, params) -> list[np.ndarray]:
    """Words of `params` (Synapses a layer) and of the seeds, by bank (int64)."""
    found = []
    for layer, synapses in zip(net.layers, params, strict=True):
        value = np.asarray(synapses.delay, np.int64)
        if not layer.regenerates:
            value = value | (np.asarray(synapses.weight, np.int64) & (1 << layer.weight_bits) - 1) << layer.delay_bits
        lanes = np.zeros((layer.folds * layer.lanes, layer.inputs), np.int64)
        lanes[:layer.outputs] = value
        lanes = lanes.reshape(layer.folds, layer.lanes, layer.inputs)
        for first, end in zip(layer.bank_first, layer.bank_first[1:], strict=False):
            shift = layer.synapse_bits * np.arange(end - first)
            found.append((lanes[:, first:end] << shift[:, None]).sum(1).ravel())
    seeds = [net.layers[n].weight.seed for n in _seeded(net)]
    return [*found, np.array([half for seed in seeds for half in (seed & 0xFFFF, seed >> 16)], np.int64)]


def unpack(net: Description, words) -> tuple[Synapses, ...]:
    """The synapses of an image's words; ValueError where seeds are not those of `net`, or bits belong to no synapse."""
    found, whole = [], np.asarray(words, np.int64)
    words = whole
    for layer in net.layers:
        part, words = np.split(words, [layer.banks * layer.bank_depth])
        found.append(_synapses(layer, part.reshape(layer.banks, layer.folds, layer.inputs)))
    for n, (low, high) in zip(_seeded(net), words.reshape(-1, 2).tolist(), strict=True):
        seed = net.layers[n].weight.seed
        check(low | high << 16 == seed, f"layer {n}: the image is for weights of seed {low | high << 16}, the "
                                        f"description has seed {seed}")
    check_synapses(net, found)
    wrong = np.flatnonzero(np.concatenate(pack(net, found)) != whole)
    if wrong.size:
        raise ValueError(f"image word {wrong[0]} is 0x{whole[wrong[0]]:x}, with bits that belong to no synapse")
    return tuple(found)


def _synapses(layer: SpikingLayer, banks):
    lanes = np.zeros((layer.folds, layer.lanes, layer.inputs), np.int64)
    for bank, first, end in zip(banks, layer.bank_first, layer.bank_first[1:], strict=False):
        shift = layer.synapse_bits * np.arange(end - first)
        lanes[:, first:end] = bank[:, None] >> shift[:, None] & (1 << layer.synapse_bits) - 1
    value = lanes.reshape(-1, layer.inputs)[:layer.outputs]
    delay = value & layer.max_delay
    return Synapses(delay, None if layer.regenerates else wrap(value >> layer.delay_bits, layer.weight_bits))
