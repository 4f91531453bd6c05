"""Where the circuit of a network of spiking neurons keeps what golden.spiking.faults flips."""

import numpy as np

from golden.faults import Flip
from golden.spiking.layer import GROUP, SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import TICK_BIT


def place(net: SpikingNetwork, flip: Flip, *, half: int = 0, ticks: int = 0) -> tuple[str, int]:
    """Memory of the core and its word."""
    if flip.part == "membranes":
        layer = net.layers[flip.layer]
        fold, lane = divmod(flip.word, layer.lanes)
        # one neuron a lane has a register
        name = "state" if layer.folds > 1 else "$signal"
        return f"layer{flip.layer}.group{lane // GROUP}.lane{lane % GROUP}.neuron.{name}", fold
    word = flip.word
    for n, layer in enumerate(net.layers):
        if word < layer.banks * layer.bank_depth:
            bank, address = divmod(word, layer.bank_depth)
            return f"layer{n}.{_bank(layer, bank)}.memory", address
        word -= layer.banks * layer.bank_depth
    raise ValueError(f"{net.name}: word {flip.word} of the image is in no memory")


def _bank(layer: SpikingLayer, bank: int) -> str:
    """Name of bank `bank` of a layer: its group, and its number in that."""
    group = layer.bank_first[bank] // GROUP
    first = next(n for n, lane in enumerate(layer.bank_first) if lane // GROUP == group)
    return f"group{group}.bank{bank - first}"


def ticks_of(net: SpikingNetwork, x) -> list[np.ndarray]:
    """The input words of each tick of one image (ticks, inputs); the end of the image with the last."""
    words = net.units(np.asarray(x)[None]).words
    ends = np.flatnonzero(words >> TICK_BIT & 1)[:net.ticks - 1] + 1
    return np.split(words, ends)
