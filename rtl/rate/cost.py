"""What a network of rate neurons takes of a part, and how fast it is there."""

from golden.rate.network import Network
from golden.units.activation import is_tabulated
from rtl.inventory import Budget, Inventory, Memory
from rtl.rate.loss import OutputError
from rtl.rate.schedule import banks, cycles_per_tick, fold, lane_use, neuron_multipliers, predictor_costs, ways
from rtl.units.extrapolator import Extrapolator


def multipliers(net: Network) -> int:
    """Of the lanes, the neurons, the predictors and the teacher."""
    found = net.lanes + sum(neuron_multipliers(layer) for layer in net.layers)
    found += OutputError.multipliers(net) if net.teacher else 0
    return found + sum(Extrapolator.multipliers(way.predictor) for n in range(len(net.layers)) for way in ways(net, n)
                       if way.predictor is not None)


def inventory(net: Network) -> Inventory:
    """All memories are block RAMs with their registers on."""
    return Inventory(
        memories=tuple(Memory(depth, width) for depth, width in banks(net)), multipliers=multipliers(net),
        logic={"layer": len(net.layers), "mac_lane": net.lanes,
               "table": sum(is_tabulated(layer.activation) for layer in net.layers)})


def fold_within(net: Network, budget: Budget) -> Network:
    """The lanes with which the tick is shortest, within multipliers and block RAMs; ValueError where none fit."""
    if not budget.multipliers:
        raise ValueError(f"{net.name} multiplies, and there are no multipliers for it")
    least = net.with_lanes([1] * len(net.layers))
    if multipliers(least) > budget.multipliers:
        blocks = budget.blocks(inventory(least))
        raise ValueError(f"{net.name} needs at least {multipliers(least)} multipliers and {blocks} block RAMs; there "
                         f"are {budget.multipliers} and {budget.bram}")
    return fold(net, budget.multipliers, lambda folded: budget.blocks(inventory(folded)) <= budget.bram)


def notes(net: Network) -> list[str]:
    """What each predictor takes."""
    return [f"predictor of {what}: {text}" for what, text in predictor_costs(net).items()]


def pace(net: Network, clock_mhz: float, fmax_mhz: float) -> dict:
    """Cycles and ticks a second, with learning where the network learns."""
    cycles = cycles_per_tick(net)
    figures = {"cycles_per_tick": cycles, "ticks_per_s": clock_mhz * 1e6 / cycles,
               "ticks_per_s_at_fmax": fmax_mhz * 1e6 / cycles, "lane_use": lane_use(net),
               "predictors": predictor_costs(net)}
    if net.teacher is not None:
        learning = cycles_per_tick(net, learning=True)
        figures |= {"learn_cycles_per_tick": learning, "learn_ticks_per_s": clock_mhz * 1e6 / learning,
                    "learn_ticks_per_s_at_fmax": fmax_mhz * 1e6 / learning,
                    "learn_lane_use": lane_use(net, learning=True)}
    return figures
