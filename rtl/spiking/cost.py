"""Lanes of spiking networks: as many as a part has room for, and what they cost."""

from golden.spiking.layer import SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.units.weights import BLOCK
from rtl.inventory import Budget, Inventory, Memory
from rtl.spiking.engine import QUEUE, Serializer, answer_layout, token_layout
from rtl.spiking.lanes import fold_bits
from rtl.spiking.serial import WAITING
from rtl.spiking.shared import Ways
from rtl.vendor import spram
from rtl.vendor.ecp5 import Bank


def block_rams(layer: SpikingLayer, blocks=Bank.blocks) -> int:
    """Block RAMs for the synapses of a layer: of 18 kbit, or as `blocks` counts them."""
    return sum(blocks(memory.depth, memory.width) for memory in synapse_banks(layer))


def synapse_banks(layer: SpikingLayer) -> list[Memory]:
    """Memories of the synapses of a layer."""
    return [Memory(layer.bank_depth, (end - first) * layer.synapse_bits)
            for first, end in zip(layer.bank_first, layer.bank_first[1:], strict=False)]


def layer_inventory(layer: SpikingLayer, is_last: bool) -> Inventory:
    """Synapses, the queue behind the lanes, and of each lane accumulators and the states of its neurons."""
    chunks = -(-layer.lanes // Serializer.CHUNK)
    vector = chunks * (Serializer.CHUNK + 1) + fold_bits(layer) + 2
    queue = (2 * QUEUE, answer_layout().size) if is_last else (QUEUE + layer.folds + 3, vector)
    memories = [*synapse_banks(layer), Memory(*queue, form="inferred"),
                Memory(layer.folds << layer.delay_bits, layer.sum_bits, layer.lanes, "soft")]
    if layer.folds > 1:
        memories.append(Memory(layer.folds, _state_bits(layer), layer.lanes, "at_once"))
    return Inventory(tuple(memories), 0, {"engine": 1, "neuron_lane": layer.lanes})


def _state_bits(layer):
    return layer.state.width * (layer.order + 2 * (layer.kick is not None)) + 1


def shared_inventory(layer: SpikingLayer, is_last: bool) -> Inventory:
    """Of a layer whose lanes share a neuron unit: synapses, sums of each way, states together, and a queue."""
    ways = Ways.of(layer)
    if spram.is_deep(layer.bank_depth):
        width = layer.banks * layer.bank_lanes * layer.synapse_bits
        memories = [Memory(layer.bank_depth, width, form="store", columns=layer.banks)]
    else:
        memories = [memory._replace(form="store") for memory in synapse_banks(layer)]
    memories.append(Memory(ways.steps << layer.delay_bits, layer.sum_bits, ways.count, "store"))
    if ways.neurons > 1:
        memories.append(Memory(ways.neurons, _state_bits(layer), form="store"))
    queue = (2 * QUEUE, answer_layout().size) if is_last else (WAITING, token_layout(layer.outputs).size)
    return Inventory((*memories, Memory(*queue, form="inferred")), 0, {"shared_engine": 1, "way": ways.count})


def inventory(net: SpikingNetwork) -> Inventory:
    """That of its layers together, in both forms."""
    return _together(net, layer_inventory)._replace(shared=_together(net, shared_inventory))


def _together(net, each):
    parts = [each(layer, n == len(net.layers) - 1) for n, layer in enumerate(net.layers)]
    return Inventory(tuple(memory for part in parts for memory in part.memories), 0,
                     {name: sum(part.logic[name] for part in parts) for name in parts[0].logic})


def fold_within(net: SpikingNetwork, budget: Budget) -> SpikingNetwork:
    """The lanes that give the fewest folds within what routes well; the last layer has one.

    Where lanes share a neuron unit, layers of several folds only have several ways. ValueError where no number of lanes
    fits.
    """
    most, least = max(layer.outputs for layer in net.layers), None
    for folds in range(min(2, most) if budget.shared else 1, most + 1):
        try:
            found = net.with_lanes([*(_lanes(layer, folds) for layer in net.layers[:-1]), net.outputs])
        except ValueError:
            continue        # a bank too deep, or too many folds for a layer
        need = inventory(found)
        blocks, luts = budget.blocks(need), budget.luts(need)
        over = max(blocks / max(budget.routable_bram, 1), luts / max(budget.routable_lut4, 1))
        if blocks <= budget.routable_bram and luts <= budget.routable_lut4:
            return found
        least = min(least or (over, blocks, luts), (over, blocks, luts))
    room = f"of which {max(budget.routable_bram, 0):.0f} and {max(budget.routable_lut4, 0):.0f} route well"
    at_best = f"; at best they need {least[1]} block RAMs and about {least[2]} LUTs, {room}" if least else ""
    raise ValueError(f"{net.name} has {net.synapses} synapses: there is no number of lanes with which they fit "
                     f"{budget.bram} block RAMs{f', {budget.spram} large RAMs' if budget.spram else ''} and "
                     f"{budget.lut4} LUTs{at_best}")


def _lanes(layer, folds):
    lanes = -(-layer.outputs // folds)
    return min(layer.outputs, -(-lanes // BLOCK) * BLOCK) if layer.regenerates and folds > 1 else lanes


def pace(net: SpikingNetwork, clock_mhz: float, fmax_mhz: float) -> dict:
    """An image takes as long as it has spikes: the circuit has to run them (`leadlag bench` does)."""
    return {"synapses": net.synapses, "ticks_per_image": net.ticks}
