"""Real numbers of a layer (golden.event.real) as words: an exact quantum where there is one, else formats that fit.

Each neuron has a quantum of its own: what a word of its weights is, and so of its threshold, reset and bias. Where
nothing leaks, or all does, and all its numbers are multiples of one number, that is the quantum, and words say exactly
what the file says. Else the largest weight of each neuron takes the longest word, and the membrane as many bits more as
what it reaches leaves; a factor of two per population only, since that is a shift of wires.
"""

from dataclasses import dataclass, replace

import numpy as np

from golden.checks import check, listed
from golden.event.params import Neurons
from golden.event.parts import MAX_FACTOR, MAX_SHIFT, MAX_STATE, Population
from golden.event.real import Layer

#: numbers are multiples of a quantum where they miss one by no more than this part of the largest of them
CLOSE = 2e-6
#: bits of a weight, at most, and the largest word of a quantum that is looked for
LONGEST, MOST = 16, 1 << 15
#: beyond all words, and a number that all others are above
HUGE, LEAST = 1 << 40, 1e-200


@dataclass
class Words:
    """A layer in words: its population, and (n,) each what it is loaded with; unit: of a weight's word, (n,) reals."""

    population: Population
    neurons: Neurons
    unit: np.ndarray
    exact: bool
    weights: dict[str, np.ndarray]

    @property
    def membrane(self) -> np.ndarray:
        """What a word of the membrane is, (n,) reals."""
        return self.unit / 2.0 ** (self.population.shift - self.population.current_shift)


def exact_unit(layer: Layer) -> np.ndarray | None:
    """The quantum of each neuron; None where there is none for all."""
    for decay in (layer.decay, layer.current_decay):
        if decay is not None and not np.all(np.isin(decay, (0, 1))):
            return None
    target = [np.arange(layer.size)] * 2 + [table.target for table in layer.tables.values()]
    zero = np.zeros(layer.size)
    value = [zero if layer.bias is None else layer.bias, zero if layer.reset is None else layer.reset,
             *(table.weight for table in layer.tables.values())]
    target, value = np.concatenate(target), np.concatenate(value)
    if layer.fires:
        return quanta(target, value, layer.size)
    # membranes that leave are compared with one another: one quantum for all
    found = quanta(0 * target, value, 1)
    return None if found is None else np.broadcast_to(found, layer.size)


def quanta(target, value, count: int) -> np.ndarray | None:
    """The largest number of which the values of each target are multiples (Euclid), 1 of those without any."""
    left = np.abs(value)
    largest = np.zeros(count)
    np.maximum.at(largest, target, left)
    close = CLOSE * largest
    found = np.full(count, np.inf)
    for _ in range(64):
        least = np.where(left > close[target], left, np.inf)
        np.minimum.at(found, target, least)
        step = found[target]
        with np.errstate(invalid="ignore"):
            rest = np.where(np.isfinite(step), left % step, 0)
        rest = np.minimum(rest, np.where(np.isfinite(step), step, 0) - rest)
        if not np.any(rest > close[target]):
            break
        left = np.where(left == step, left, rest)
    else:
        return None
    found = np.where(np.isfinite(found), found, 1.0)
    # the largest of them says best what it is
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(largest > 0, largest / np.rint(largest / found), found)
    words = value / found[target]
    good = np.abs(words - np.rint(words)) < 1e-2
    return found if np.all(good) and np.all(np.abs(words) < MOST) else None


def exact_words(layer: Layer, unit: np.ndarray, options, reach: np.ndarray | None = None) -> Words | None:
    """Words of exact quanta; None where they are longer than the circuit's. reach: the largest |v| that is seen."""
    words = {name: whole(table.weight, unit[table.target]) for name, table in layer.tables.items()}
    threshold = _threshold(layer.threshold, unit, options) if layer.fires else np.zeros(layer.size, np.int64)
    plain = {name: whole(value, unit) for name, value in (("bias", layer.bias), ("reset", layer.reset))
             if value is not None}
    most = max(np.abs(each).max(initial=0) for each in (threshold, *plain.values()))
    bits = MAX_STATE if reach is None else max(int(4 * np.max(reach / unit, initial=1)), 1).bit_length() + 1
    bits = min(max(bits, int(most).bit_length() + 1, 2), MAX_STATE)
    if most >= 1 << MAX_STATE - 1:
        return None
    population = _population(layer, options, state=bits, leak=0, current_leak=0)
    return _shown(Words(population, _neurons(layer, threshold, plain), unit, True, words))


def _shown(found: Words) -> Words:
    """What a word of membranes that leave is, stands in the population."""
    if not found.population.fires:
        found.population = replace(found.population, unit=float(found.membrane[0]))
    return found


def parts_of(value: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Value / unit, no larger than what integers hold."""
    with np.errstate(over="ignore"):
        return np.clip(value / unit, -HUGE, HUGE)


def whole(value: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """The nearest words."""
    return np.rint(parts_of(value, unit)).astype(np.int64)


def chosen_words(layer: Layer, bits: int, state: int, options, reach: np.ndarray, reach_c: np.ndarray) -> Words:
    """Weights of `bits`, membranes of `state` bits that hold twice what they reach (n,), currents too."""
    top, room = (1 << bits - 1) - 1, ((1 << state - 1) - 1) / 2
    largest = np.zeros(layer.size)
    for table in layer.tables.values():
        np.maximum.at(largest, table.target, np.abs(table.weight))
    first = reach_c if layer.current_decay is not None else reach
    unit = np.where(largest > 0, largest / top, np.maximum(first, 1.0) / room)
    unit = np.maximum(np.maximum(unit, first / room), LEAST)
    unit = unit if layer.fires else np.full(layer.size, unit.max())
    shift = int(np.clip(np.floor(np.log2(max(np.min(room * unit / np.maximum(first, LEAST)), LEAST))), 0, MAX_SHIFT))
    low = 0
    if layer.current_decay is not None:
        low = int(np.clip(np.ceil(np.log2(max(np.max(reach / (unit / 2.0 ** shift) / room), LEAST))), 0, MAX_SHIFT))
    population = _population(layer, options, state=state, leak=_bits(layer.decay), shift=shift, current_shift=low,
                             current_leak=_bits(layer.current_decay))
    words = {name: np.clip(whole(table.weight, unit[table.target]), -top - 1, top)
             for name, table in layer.tables.items()}
    found = Words(population, None, unit, False, words)
    each = found.membrane
    plain = {name: whole(value, each) for name, value in (("bias", layer.bias), ("reset", layer.reset))
             if value is not None}
    # a threshold that is far beyond what the membrane reaches is at the end of its format
    threshold = np.clip(_threshold(layer.threshold, each, options), population.low, population.high)
    found.neurons = _neurons(layer, threshold, plain)
    for name, value in found.neurons._asdict().items():
        low, high = population.words.get(name, (0, 0))
        check(value is None or bool(np.all((low <= value) & (value <= high))), f"node {listed([layer.name])} "
              f"({layer.kind}): a {name} does not fit {state} bits beside what the membrane reaches")
    return _shown(found)


def _threshold(threshold: np.ndarray, unit: np.ndarray, options) -> np.ndarray:
    """The first word that fires: above the threshold, or at it."""
    words = parts_of(threshold, unit)
    near = np.rint(words)
    close = np.abs(words - near) < 1e-4
    above = np.where(close, near + 1, np.floor(words) + 1) if options.threshold == ">" else \
        np.where(close, near, np.ceil(words))
    return above.astype(np.int64)


def _bits(decay: np.ndarray | None) -> int:
    """Fraction bits of a factor: none where it is 0 or 1, else all there are."""
    return 0 if decay is None or np.all(np.isin(decay, (0, 1))) else MAX_FACTOR


def _population(layer: Layer, options, *, state, leak, current_leak, shift=0, current_shift=0) -> Population:
    current = {} if layer.current_decay is None else {
        "current": options.current, "current_leak": current_leak, "current_shift": current_shift}
    return Population(size=layer.size, state=state, shift=shift, leak=None if layer.decay is None else leak,
                      bias=layer.bias is not None, reset=layer.resets, fires=layer.fires, **current)


def _neurons(layer: Layer, threshold, plain: dict) -> Neurons:
    def factor(decay):
        return None if decay is None else np.rint(decay * 2.0 ** _bits(decay)).astype(np.int64)

    return Neurons(threshold=threshold if layer.fires else None, decay=factor(layer.decay),
                   current_decay=factor(layer.current_decay), **plain)
