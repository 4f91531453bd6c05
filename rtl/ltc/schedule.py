"""The static schedule of a liquid-time-constant network: cycles of a tick, pauses, and how many adders spikes get.

Nothing in a tick waits for anything but by counting: a spike takes the time that a neuron without one takes. An upper
layer begins its tick `cycles_per_tick` after the layer below has begun the same one.
"""

from functools import lru_cache
from typing import NamedTuple

from rtl.ltc.former import Former, below_rows, own_rows, table_of
from rtl.ltc.gates import Gates, dense_count, dense_cycles, gate_cycles, lane_rows
from rtl.ltc.neuron import LeakyOutput, SpikingNeuron
from rtl.ltc.sums import SpikeSums
from rtl.units.mac import MacLanes

#: neurons that a unit of SpikeSums may work on in turn, in pairs
SLOTS = (1, 2, 4, 8)
#: from a neuron that is through to its row's turn: into its queue and out of it
_QUEUED = 2
#: from x to the first cycle in which an operand may be fetched: the memory's port has a register
_WRITTEN = 2
#: from a tick that is told to the first row of a spike below
_OPENED = 2
#: registers on the way from layer to layer, which may lie at two ends of a die
HOPS = 3


class Timing(NamedTuple):
    """Of a layer, from its `start`: when its walk of gates begins, when the sums of x leave, neurons are through."""

    walk: int
    dump: int
    through: tuple[int, ...]


def _through(layer, walk: int, kept: int) -> tuple[int, ...]:
    """The cycle in which each neuron is through."""
    rows, words = layer.gate_rows(), layer.gate_words
    first = walk + Gates.FETCH + MacLanes.latency(lane_rows(layer, 1)) + kept
    return tuple(first + (j // rows.lanes + 1) * words + j % rows.lanes for j in range(layer.outputs))


def _to_x(layer, slots: int) -> int:
    """From the turn in which the sums are told to leave to x of the first pair."""
    return 2 + SpikeSums.latency(table_of(layer, slots=slots, halves=1)) + Former.ROUND


def _products_ready(layer) -> int:
    """The first turn in which the sums of real inputs are there."""
    lanes = lane_rows(layer, 1)
    last = (dense_count(layer) - 1) % lanes.lanes
    return dense_cycles(layer) + Gates.FETCH + MacLanes.latency(lanes) + 1 + last + 2


def _dump_by(layer, slots: int, walk: int) -> int:
    """The last turn in which x may be told to leave, so that its first word is there for the first row."""
    return 1 + walk + layer.outputs - _WRITTEN - _to_x(layer, slots)


def pause(layer, slots: int) -> int:
    """Idle cycles between the walk of the real inputs and that of the gates."""
    if not layer.dense:
        return 0
    walk = dense_cycles(layer)
    return max(0, _products_ready(layer) + slots - 1 - _dump_by(layer, slots, walk))


def _dump(layer, slots: int, own, below, opened: int, least: int) -> int:
    """The turn in which the sums leave, when neurons are through at these times; `slots` cycles a row."""
    free, last = -1 << 60, max(opened, least)
    for time in sorted([*(t + _QUEUED for t in own), *(max(t + _QUEUED, opened) for t in below)]):
        # turns come every `slots` cycles: whoever finds nothing to do may miss one by a cycle
        free = (free if free >= time else time + slots - 1) + slots
    return max(free, last + slots - 1)


def timing(net, slots, period: int) -> tuple[list[Timing], bool]:
    """What happens when in each layer with ticks `period` apart, the readout last; whether all come in time."""
    found, fits, below = [], True, ()
    for layer, own_slots in zip(net.hidden, slots, strict=False):
        walk = dense_cycles(layer) + pause(layer, own_slots)
        through = _through(layer, walk, SpikingNeuron.KEPT)
        by = _dump_by(layer, own_slots, walk)
        own = [t - period for t in through]
        # a tick is opened when the sums of the last one have left
        opened = _OPENED + (0 if layer.dense else max(HOPS, by) - period)
        least = _products_ready(layer) if layer.dense else opened
        dump = _dump(layer, own_slots, own, [t + HOPS - period for t in below], opened, least)
        fits = fits and dump <= by and _walks(layer, walk, through, period) and _rows_fit(layer, own_slots, period)
        found.append(Timing(walk, dump, through))
        below = through
    layer, own_slots = net.readout, slots[-1]
    # from the start of the last layer's tick; its first x begins the walk
    dump = _dump(layer, own_slots, [], [t + HOPS for t in below], _OPENED + HOPS, _OPENED + HOPS)
    start = dump + _to_x(layer, own_slots) + 1
    through = _through(layer, 0, LeakyOutput.KEPT)
    fits = fits and _walks(layer, 0, through, period) and _rows_fit(layer, own_slots, period)
    fits = fits and through[-1] + 2 <= period
    found.append(Timing(start, dump, tuple(start + t for t in through)))
    return found, fits


def _rows_fit(layer, slots: int, period: int) -> bool:
    """Whether all rows can be added in a tick: they, a clear and a dump; and whether all sums leave in it."""
    table = table_of(layer, slots=slots, halves=1)
    return max((own_rows(layer) + below_rows(layer) + 3) * slots, table.units * slots + 8) <= period


def _walks(layer, walk: int, through, period: int) -> bool:
    """Whether ticks `period` apart leave the lanes their time, and old states are there when they are read."""
    lanes = layer.gate_rows().lanes
    first = (layer.gate_rows().folds - 1) * lanes
    return (walk + gate_cycles(layer) <= period
            # flags of a tick go with its first neuron
            and walk + layer.gate_words + Gates.FETCH + MacLanes.latency(lane_rows(layer, 1)) <= period
            and through[first] + 1 + _WRITTEN - period <= 1 + walk + first)


def _least_period(net, slots) -> int:
    """The least number of cycles between ticks."""
    low = max(dense_cycles(layer) + gate_cycles(layer) for layer in net.layers)
    high = low
    while not timing(net, slots, high)[1]:
        low, high = high + 1, 2 * high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if timing(net, slots, middle)[1] else (middle + 1, high)
    return low


@lru_cache(maxsize=64)
def plan(net) -> tuple[int, tuple[int, ...]]:
    """Cycles of a tick, and the slots of each layer: as many as cost no cycle."""
    slots = [1] * len(net.layers)
    period = _least_period(net, slots)
    for n, layer in enumerate(net.layers):
        for more in SLOTS[1:]:
            tried = [*slots[:n], more, *slots[n + 1:]]
            if 2 * more > max(2, layer.outputs) or not timing(net, tried, period)[1]:
                break
            slots = tried
    return period, tuple(slots)


def cycles_per_tick(net) -> int:
    """Cycles from one tick to the next when nothing stalls."""
    return plan(net)[0]


def latency(net) -> int:
    """Cycles from the start of a tick to the last word of its output."""
    period, slots = plan(net)
    return (len(net.hidden) - 1) * period + timing(net, slots, period)[0][-1].through[-1] + 1 + 2 * HOPS


def lane_use(net) -> float:
    """Share of lane-cycles of a tick in which lanes multiply by a weight, biases not counted."""
    products = sum(2 * layer.outputs ** 2 * layer.chains + layer.dense * layer.outputs * layer.inputs
                   for layer in net.hidden)
    return products / (sum(layer.lanes for layer in net.hidden) * cycles_per_tick(net))
