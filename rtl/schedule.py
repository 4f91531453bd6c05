"""The static schedule: how many cycles a tick takes, and how many lanes each layer gets.

Nothing in a tick waits for anything: all layers start together, and the next tick starts `cycles_per_tick` later,
which may be before the last neurons have drained. The constraints are written here once; a test measures them.
"""

from collections.abc import Callable

from golden.network import Dense, Network
from rtl.dense import DenseLayer
from rtl.mac import MacLanes


def layer_cycles(layer: Dense) -> int:
    """Cycles that the lanes of a layer work in a tick: a bias and all inputs for each fold."""
    return layer.folds * (layer.inputs + 1)


def min_period(layer: Dense, *, feeds_layer: bool) -> int:
    """Least number of cycles between two ticks that a layer allows.

    Cycle 0 is the first address of a tick. Fold f of lane k ends at (f + 1)(inputs + 1) - 1 + k, and its word can be
    read `neuron_latency` + 1 later. The next tick reads operand j at period + 1 + j.
    """
    walk = layer.inputs + 1
    bounds = [layer_cycles(layer), DenseLayer.MEMBRANE_LATENCY,
              # flags of a tick are taken over by its first row, before the next tick changes them
              walk + MacLanes.latency(layer)]
    if feeds_layer:
        for fold in range(layer.folds):
            # j grows with k in step, so lane 0 decides
            bounds.append((fold + 1) * walk + DenseLayer.neuron_latency(layer) - 1 - fold * layer.lanes)
    return max(bounds)


def cycles_per_tick(net: Network) -> int:
    """Cycles from one tick to the next when nothing stalls."""
    last = len(net.layers) - 1
    return max(min_period(layer, feeds_layer=n < last) for n, layer in enumerate(net.layers))


def lane_use(net: Network) -> float:
    """Share of lane-cycles of a tick that multiply by a weight (biases not counted)."""
    return net.macs / (net.lanes * cycles_per_tick(net))


def fold(net: Network, multipliers: int, fits: Callable[[Network], bool] = lambda net: True) -> Network:
    """Give each layer the lanes with which the tick is shortest, within `multipliers` (lanes and neuron units).

    A layer of F folds takes F (inputs + 1) cycles; for every candidate tick each layer takes the fewest folds that
    fit, hence the fewest lanes. What `fits` refuses, for its memory, is passed over; where it refuses all, the last
    and smallest is given. ValueError where even one lane a layer is too much.
    """
    spare = multipliers - sum(neuron_multipliers(layer) for layer in net.layers)
    if spare < len(net.layers):
        raise ValueError(f"{net.name} needs at least {multipliers - spare + len(net.layers)} multipliers, "
                         f"the board has {multipliers}")
    candidates = sorted({f * (layer.inputs + 1) for layer in net.layers for f in range(1, layer.outputs + 1)})
    best = None
    for cycles in candidates:
        lanes = [_lanes_for(layer, cycles) for layer in net.layers]
        if None in lanes or sum(lanes) > spare:
            continue
        folded = net.with_lanes(lanes)
        last = folded
        if not fits(folded):
            continue
        key = (cycles_per_tick(folded), folded.lanes)
        if best is None or key < best[0]:
            best = (key, folded)
        elif cycles > best[0][0]:
            break
    return best[1] if best else last


def neuron_multipliers(layer: Dense) -> int:
    """Multipliers of a layer beside its lanes: lead and lag."""
    return 2


def _lanes_for(layer: Dense, cycles: int) -> int | None:
    """Fewest lanes that finish within `cycles`, or None."""
    folds = cycles // (layer.inputs + 1)
    if folds < 1:
        return None
    lanes = -(-layer.outputs // folds)
    return lanes if lanes <= layer.inputs + 1 else None
