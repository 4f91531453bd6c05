"""Lanes of spiking networks: as many as a part has room for, and what they cost."""

from collections.abc import Callable
from dataclasses import dataclass

from golden.spiking.network import SpikingLayer, SpikingNetwork
from golden.units.weights import BLOCK
from rtl.spiking.engine import QUEUE, Serializer, answer_layout
from rtl.spiking.lanes import fold_bits
from rtl.vendor.ecp5 import Bank

#: ECP5: rough LUTs of the core beside its lanes, and of a lane: its neurons and weights, and each 4-bit column of 16
#: words of its accumulators and states
LUT_LAYER, LUT_LANE, LUT_COLUMN = 600, 70, 9
#: iCE40: rough logic cells (a LUT, a flip-flop or both) of the same; of a bit of the states, which are registers behind
#: a multiplexer; of a bit of accumulators that are too few for a block RAM
CELL_LAYER, CELL_LANE, CELL_STATE, CELL_RING = 650, 184, 2.1, 1.5
#: words x bits of a block RAM of an iCE40, and up to how many bits a block yosys takes registers (measured)
ICE40_SHAPES, ICE40_LEAST = ((256, 16), (512, 8), (1024, 4), (2048, 2)), 72


@dataclass(frozen=True)
class Costs:
    """What a layer takes of a family: functions of the layer and of whether it is the last one.

    `bram_share` and `lut_share` of a part are planned with: what is fuller hardly routes. `link`: LUTs of what is not
    in the layers, where they count.
    """

    block_rams: Callable[[SpikingLayer, bool], int]
    luts: Callable[[SpikingLayer, bool], int]
    bram_share: float
    lut_share: float
    link: int = 0


def block_rams(layer: SpikingLayer, blocks=Bank.blocks) -> int:
    """Block RAMs for the synapses of a layer: of 18 kbit, or as `blocks` counts them."""
    return sum(blocks(layer.bank_depth, (end - first) * layer.synapse_bits)
               for first, end in zip(layer.bank_first, layer.bank_first[1:], strict=False))


def luts(layer: SpikingLayer) -> int:
    """Rough number of LUTs of a layer of an ECP5."""
    ring = -(-(layer.folds << layer.delay_bits) // 16) * -(-layer.sum_bits // 4)
    state = 0 if layer.folds == 1 else -(-(layer.state.width * layer.order + 1) // 4)
    return LUT_LAYER + layer.lanes * (LUT_LANE + LUT_COLUMN * (ring + state))


def ice40_blocks(depth: int, width: int) -> int:
    """Block RAMs of 4 kbit that yosys makes of a memory which is read a cycle late."""
    found = min(-(-depth // words) * -(-width // bits) for words, bits in ICE40_SHAPES)
    return 0 if depth * width <= ICE40_LEAST * found else found


def _ice40_block_rams(layer: SpikingLayer, is_last: bool) -> int:
    """Synapses, accumulators, and the queue behind the lanes."""
    chunks = -(-layer.lanes // Serializer.CHUNK) * Serializer.CHUNK
    queue = (2 * QUEUE, answer_layout().size) if is_last else (QUEUE + layer.folds + 3, chunks + fold_bits(layer) + 2)
    return (block_rams(layer, ice40_blocks) + ice40_blocks(*queue)
            + layer.lanes * ice40_blocks(layer.folds << layer.delay_bits, layer.sum_bits))


def _ice40_cells(layer: SpikingLayer, is_last: bool) -> int:
    """Rough number of logic cells of a layer: words that are read at once are registers."""
    words = layer.order + 2 * (layer.kick is not None)
    states = layer.folds * (layer.state.width * words + 1) if layer.folds > 1 else 0
    slots = layer.folds << layer.delay_bits
    ring = 0 if ice40_blocks(slots, layer.sum_bits) else slots * layer.sum_bits
    return CELL_LAYER + int(layer.lanes * (CELL_LANE + CELL_STATE * states + CELL_RING * ring))


COSTS = {"ecp5": Costs(lambda layer, is_last: block_rams(layer), lambda layer, is_last: luts(layer), 0.9, 0.6),
         "ice40": Costs(_ice40_block_rams, _ice40_cells, 1.0, 0.93, link=1250)}


def spiking_costs(net: SpikingNetwork, vendor: str) -> tuple[int, int]:
    """Block RAMs and rough number of LUTs that the layers take."""
    costs, last = COSTS[vendor], len(net.layers) - 1
    return (sum(costs.block_rams(layer, n == last) for n, layer in enumerate(net.layers)),
            sum(costs.luts(layer, n == last) for n, layer in enumerate(net.layers)))


def fold_spiking(net: SpikingNetwork, bram: int, lut4: int, vendor: str = "ecp5") -> SpikingNetwork:
    """The lanes that give the fewest folds within a share of `bram` block RAMs and `lut4` LUTs; the last layer has one.

    ValueError where no number of lanes fits.
    """
    costs = COSTS[vendor]
    for folds in range(1, max(layer.outputs for layer in net.layers) + 1):
        try:
            found = net.with_lanes([*(_lanes(layer, folds) for layer in net.layers[:-1]), net.outputs])
        except ValueError:
            continue        # a bank too deep, or too many folds for a layer
        blocks, cells = spiking_costs(found, vendor)
        if blocks <= costs.bram_share * bram and cells + costs.link <= costs.lut_share * lut4:
            return found
    raise ValueError(f"{net.name} has {net.synapses} synapses: there is no number of lanes with which they fit {bram} "
                     f"block RAMs and {lut4} LUTs")


def _lanes(layer, folds):
    lanes = -(-layer.outputs // folds)
    return min(layer.outputs, -(-lanes // BLOCK) * BLOCK) if layer.regenerates and folds > 1 else lanes
