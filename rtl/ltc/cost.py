"""Lanes of liquid-time-constant networks: as many as a part has room for, and what they cost."""

from dataclasses import replace

from golden.units.activation import is_tabulated
from rtl.inventory import Budget, Inventory, Memory
from rtl.ltc.core import output_layout, output_ticks, tables
from rtl.ltc.former import below_rows, own_rows
from rtl.ltc.gates import dense_cycles, gate_cycles, index_bits, lane_rows, product_bits
from rtl.ltc.schedule import cycles_per_tick, lane_use, latency
from rtl.units.activation import Activation
from rtl.units.mac import lane_bank

#: how much longer than the shortest tick one with fewer lanes may be: a part's last multipliers route badly
SLACK = 1.1


def layer_memories(net, n: int) -> list[Memory]:
    """Of layer n, the readout last: weights of its lanes, spike rows, states, sums and tables."""
    layer, table, spiking = net.layers[n], tables(net)[n], net.layers[n] is not net.readout
    bits, width, chains = index_bits(layer), layer.state.width, layer.chains
    found = [Memory(*lane_bank(lane_rows(layer, net.halves)), layer.lanes)]
    found += [Memory(depth, wide, count, columns=columns) for depth, wide, columns, count in table.memories()]
    # states and x lie twice: for the lanes, and for the neurons
    found += [Memory(2 << bits, chains * (width + extra), columns=chains) for extra in (0, spiking)]
    found.append(Memory(1 << max(1, bits - 1), 2 * width, 2, columns=2))
    found += [Memory(*size, chains) for size in Activation.banks("sigmoid", layer.gate_sum, layer.gate)]
    found += [Memory(2 << max(1, (rows - 1).bit_length()), 1, form="at_once")
              for rows in (own_rows(layer), below_rows(layer)) if rows]
    if layer.dense:
        found.append(Memory(1 << table.pair_bits, 2 * product_bits(layer), columns=2))
        found.append(Memory(2 << max(1, (layer.inputs - 1).bit_length()), layer.operand.width))
    return found


def multipliers(net) -> int:
    """Of the lanes, and one a gate for the state that follows it."""
    return sum(layer.lanes + layer.chains for layer in net.layers)


def inventory(net) -> Inventory:
    """Of all layers; an adder of spike rows counts as a lane."""
    memories = [memory for n in range(len(net.layers)) for memory in layer_memories(net, n)]
    memories.append(Memory(output_ticks(net) * net.outputs, output_layout(net).size, form="inferred"))
    units = sum(table.units for table in tables(net))
    sigmoids = sum(layer.chains for layer in net.layers) if is_tabulated("sigmoid") else 0
    return Inventory(tuple(memories), multipliers(net),
                     {"layer": 2 * len(net.layers), "mac_lane": net.lanes + units, "table": sigmoids})


def _cycles(layer, lanes: int) -> float:
    """Cycles of a layer's walk with so many lanes a chain; infinite where a lane would hold too many words."""
    try:
        tried = replace(layer, lanes=lanes * layer.chains)
    except ValueError:
        return float("inf")
    return dense_cycles(tried) + gate_cycles(tried)


def _lane_counts(layer) -> list[int]:
    """The fewest lanes of a chain for every number of folds, ascending."""
    return sorted({-(-layer.outputs // folds) for folds in range(1, layer.outputs + 1)})


def _lanes_for(layer, cycles: int) -> int | None:
    """Fewest lanes with which a layer's walk is over within `cycles`, or None."""
    return next((n * layer.chains for n in _lane_counts(layer) if _cycles(layer, n) <= cycles), None)


def fold_within(net, budget: Budget):
    """The fewest lanes with which a tick is all but the shortest (SLACK) within multipliers and block RAMs.

    Where two halves of the parameters would make it longer, or do not fit, there is one: it is loaded in place.
    ValueError where nothing fits.
    """
    if not budget.multipliers:
        raise ValueError(f"{net.name} multiplies, and there are no multipliers for it")
    found, needs = [], []
    for halves in range(net.halves, 0, -1):
        for tried in _folds(replace(net, halves=halves)):
            need = multipliers(tried), budget.blocks(inventory(tried))
            needs.append(need)
            if need[0] <= budget.multipliers and need[1] <= budget.bram:
                found.append((cycles_per_tick(tried), need[0], -halves, len(found), tried))
                if min(found)[0] * SLACK < dense_and_gates(tried):
                    break
    if not found:
        least = (min(need[n] for need in needs) for n in range(2))
        raise ValueError("{} needs at least {} multipliers and {} block RAMs; there are {} and {}".format(
            net.name, *least, budget.multipliers, budget.bram))
    enough = min(found)[0] * SLACK
    return min((each for each in found if each[0] <= enough), key=lambda each: each[1:])[-1]


def dense_and_gates(net) -> int:
    """Cycles of the longest walk of a layer: no tick is shorter."""
    return max(dense_cycles(layer) + gate_cycles(layer) for layer in net.layers)


def _folds(net):
    """The net with the fewest lanes for every number of cycles that a layer's walk may take, the shortest first."""
    candidates = {_cycles(layer, lanes) for layer in net.layers for lanes in _lane_counts(layer)}
    for cycles in sorted(candidates - {float("inf")}):
        lanes = [_lanes_for(layer, cycles) for layer in net.layers]
        if None not in lanes:
            yield net.with_lanes(lanes)


def pace(net, clock_mhz: float, fmax_mhz: float) -> dict:
    """Cycles of a tick, ticks a second, share of lane-cycles that multiply, cycles to the last word of an output."""
    cycles = cycles_per_tick(net)
    return {"cycles_per_tick": cycles, "ticks_per_s": clock_mhz * 1e6 / cycles,
            "ticks_per_s_at_fmax": fmax_mhz * 1e6 / cycles, "lane_use": lane_use(net),
            "latency_cycles": latency(net)}


def notes(net) -> list[str]:
    """What the network's spikes are added by."""
    return [f"spikes of layer {n} add to {2 * table.units} sums at a time, {table.slots} cycles a neuron"
            for n, table in enumerate(tables(net))]
