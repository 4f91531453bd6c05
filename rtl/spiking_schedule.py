"""Lanes of spiking networks: as many as a part has room for, and what they cost."""

from golden.spiking_network import SpikingLayer, SpikingNetwork
from golden.weights import BLOCK
from rtl.vendor.ecp5 import Bank

#: rough LUTs of the core beside its lanes, and of a lane: its neurons and weights, and each 4-bit column of 16 words
#: of its accumulators and states
LUT_LAYER, LUT_LANE, LUT_COLUMN = 600, 70, 9
#: shares of block RAMs and LUTs that are planned with: what is fuller hardly routes
BRAM_SHARE, LUT_SHARE = 0.9, 0.6


def block_rams(layer: SpikingLayer) -> int:
    """Block RAMs of 18 kbit for the synapses of a layer."""
    return sum(Bank.blocks(layer.bank_depth, (end - first) * layer.synapse_bits)
               for first, end in zip(layer.bank_first, layer.bank_first[1:], strict=False))


def luts(layer: SpikingLayer) -> int:
    """Rough number of LUTs of a layer."""
    ring = -(-(layer.folds << layer.delay_bits) // 16) * -(-layer.sum_bits // 4)
    state = 0 if layer.folds == 1 else -(-(layer.state.width * layer.order + 1) // 4)
    return LUT_LAYER + layer.lanes * (LUT_LANE + LUT_COLUMN * (ring + state))


def fold_spiking(net: SpikingNetwork, bram: int, lut4: int) -> SpikingNetwork:
    """The lanes that give the fewest folds within a share of `bram` block RAMs and `lut4` LUTs; the last layer has one.

    ValueError where no number of lanes fits.
    """
    for folds in range(1, max(layer.outputs for layer in net.layers) + 1):
        try:
            found = net.with_lanes([*(_lanes(layer, folds) for layer in net.layers[:-1]), net.outputs])
        except ValueError:
            continue        # a bank too deep, or too many folds for a layer
        if (sum(map(block_rams, found.layers)) <= BRAM_SHARE * bram
                and sum(map(luts, found.layers)) <= LUT_SHARE * lut4):
            return found
    raise ValueError(f"{net.name} has {net.synapses} synapses: there is no number of lanes with which they fit {bram} "
                     f"block RAMs and {lut4} LUTs")


def _lanes(layer, folds):
    lanes = -(-layer.outputs // folds)
    return min(layer.outputs, -(-lanes // BLOCK) * BLOCK) if layer.regenerates and folds > 1 else lanes
