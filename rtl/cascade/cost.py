"""Lanes of cascaded networks: as many as a part has room for, and what they cost."""

from dataclasses import replace

from golden.cascade.layer import ACTIVATION_BITS, RESIDUAL_BITS, SCALE_BITS, SIDES, Engine
from golden.cascade.layout import affine_words, columns, lane_words
from golden.cascade.network import CascadeNetwork
from rtl.cascade.core import step_cycles
from rtl.inventory import Inventory, Memory


def inventory(net: CascadeNetwork) -> Inventory:
    """Weights, scales and maps of the layers, and their multipliers."""
    memories, multipliers = [], 1
    for unit in net.engines:
        memories.append(Memory(lane_words(net, unit), unit.side * 8, unit.lanes))
        memories.append(Memory(affine_words(net, unit), SCALE_BITS, 2))
        multipliers += unit.multipliers + 1
        for n in unit.layers:
            layer = net.layers[n]
            values = layer.out[0] * layer.out[1] * layer.out[2]
            read = layer.height * layer.width * layer.inputs
            memories.append(Memory(-(-read // unit.side), ACTIVATION_BITS, unit.side))
            if n:
                memories += [Memory(-(-values // unit.side), ACTIVATION_BITS, unit.side),
                             Memory(values, RESIDUAL_BITS)]
            if not n or layer.shortcut is not None:
                memories.append(Memory(values, ACTIVATION_BITS))
    memories.append(Memory(net.outputs * (net.head.inputs + 1), 12))
    return Inventory(tuple(memories), multipliers, {"lane": net.lanes, "layer": len(net.layers)})


def fold_within(net, budget) -> CascadeNetwork:
    """The engines as they are."""
    _ = (replace, columns, SIDES, Engine)
    return net


def pace(net: CascadeNetwork, clock_mhz: float, fmax_mhz: float) -> dict:
    """Cycles of a step, and frames a second where each step has one."""
    cycles = step_cycles(net)
    found = {"cycles_per_step": cycles}
    if clock_mhz:
        found |= {"frames_per_s": clock_mhz * 1e6 / cycles}
    return found
