"""Where the circuit of a network of rate neurons keeps what golden.rate.faults flips."""

import numpy as np

from golden.faults import Flip
from golden.rate.layout import bank_layout
from golden.rate.network import Network
from golden.units.dense import dense_rows
from rtl.rate.rows import row_bits
from rtl.units.delay import DelayLine
from rtl.units.mac import bank_bits


def place(net: Network, flip: Flip, *, half: int, ticks: int) -> tuple[str, int]:
    """Memory of the core and its word; half, the one in force; ticks that the device has begun since it was made."""
    if flip.part == "parameters":
        return _parameter(net, flip.word, half)
    layer = net.layers[flip.layer]
    if flip.part == "membranes":
        return f"layer{flip.layer}.membranes.memory", flip.word
    age, index = divmod(flip.word, layer.inputs)
    slot_bits, index_bits = DelayLine.ring_bits(layer.inputs, layer.max_delay)
    slot = (ticks - 1 - age) % (1 << slot_bits)
    return f"layer{flip.layer}.line.ring.memory", slot << index_bits | index


def _parameter(net: Network, word: int, half: int) -> tuple[str, int]:
    ends = np.cumsum([len(bank.words) for bank in net.layout()])
    n = int(np.searchsorted(ends, word, "right"))
    bank = net.layout()[n]
    address = bank.words[word - int(ends[n]) + len(bank.words)]
    for number, (layer, banks) in enumerate(zip(net.layers, bank_layout(net), strict=True)):
        half_bit = half if layer.halves == 2 else 0
        if bank.number in range(banks.lanes, banks.lanes + layer.lanes):
            return (f"layer{number}.lanes.bank{bank.number - banks.lanes}.memory",
                    half_bit << bank_bits(dense_rows(layer)) | address)
        for name, constant in banks.constants.items():
            if bank.number == constant:
                return f"layer{number}.{name}_bank.memory", half_bit << row_bits(layer) | address
    raise ValueError(f"{net.name}: word {word} of the image is in no memory")


def ticks_of(net: Network, x) -> list[np.ndarray]:
    """The input words of each tick of one sequence (ticks, inputs)."""
    units = net.units(np.asarray(x)[None])
    return np.split(units.words, units.ends[:-1])
