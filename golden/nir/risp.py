"""RISP networks (TENNLab's reduced instruction spiking processor), exact: what they are, and what they do, in integers.

In a step only neurons that an event reaches are looked at, whatever its charge, 0 included:

    if it leaks      charge = 0
    charge = max(charge, min_potential) + sum of all events of the step
    fires            where charge >= threshold, or > where the threshold is not inclusive; then charge = 0, and
                     weight reaches the target of each synapse `delay` steps later, delay >= 1

Between a neuron and another any number of synapses may lie, and from one to itself. `fire_like_ravens` shows a spike a
step later and changes nothing else. Weights and thresholds are whole words of one quantum: 1 where a network is
discrete, else the largest number of which all its values are multiples, read as the decimals that stand in its file.
(TENNLab's own simulator adds floats there; where those round, it differs.)
Source: documents of TENNLab-UTK/framework-open (risp.md, framework_network_json_format.md); order of a step [derived],
shared with nobody's code.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from golden.checks import check, is_int

#: bounds of what can be held
MAX_WORD, MAX_DELAY, MAX_RING = 1 << 31, 1 << 16, 1 << 26


class Synapse(NamedTuple):
    """From a neuron to another, by their numbers 0.. in `ids`; weight as a word; delay in steps."""

    source: int
    target: int
    weight: int
    delay: int


@dataclass(frozen=True, kw_only=True)
class Risp:
    """A network.

    Parameters
    ----------
      ids             the name of each neuron in its file, a number
      thresholds      a word for each neuron
      leaks           for each neuron whether nothing stays of its charge
      synapses        see Synapse
      inputs, outputs the neurons that are given charges, and that are looked at, by number
      min_potential   a word
      inclusive       whether a charge of the threshold fires
      late            whether spikes are shown a step later
      quantum         what a word of 1 is
      discrete        whether charges that come in are rounded down to words
      factor          what an input of 1 is, in units of the file
    """

    ids: tuple[int, ...]
    thresholds: tuple[int, ...]
    leaks: tuple[bool, ...]
    synapses: tuple[Synapse, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    min_potential: int
    inclusive: bool = True
    late: bool = False
    quantum: Fraction = Fraction(1)
    discrete: bool = True
    factor: Fraction = Fraction(1)

    def __post_init__(self):
        n = len(self.ids)
        check(n > 0, "there are no neurons")
        check(all(is_int(each, 0, (1 << 32) - 1) for each in self.ids), "ids must be integers of 32 bits")
        check(len(set(self.ids)) == n, "two neurons have the same id")
        check(len(self.thresholds) == len(self.leaks) == n, "thresholds and leaks must be one a neuron")
        for each, threshold in zip(self.ids, self.thresholds, strict=True):
            check(is_int(threshold, -MAX_WORD, MAX_WORD - 1), f"neuron {each}: threshold {threshold} does not fit")
        check(is_int(self.min_potential, -MAX_WORD, MAX_WORD - 1), f"min_potential {self.min_potential} does not fit")
        check(self.quantum > 0, "the quantum must be above 0")
        for one in self.synapses:
            check(is_int(one.source, 0, n - 1) and is_int(one.target, 0, n - 1), "a synapse has no neuron at an end")
            what = f"synapse {self.ids[one.source]} -> {self.ids[one.target]}"
            check(is_int(one.weight, -MAX_WORD, MAX_WORD - 1), f"{what}: weight {one.weight} does not fit")
            check(is_int(one.delay, 1, MAX_DELAY), f"{what}: delay must be in 1..{MAX_DELAY}, not {one.delay!r}")
        for name in ("inputs", "outputs"):
            value = getattr(self, name)
            check(all(is_int(each, 0, n - 1) for each in value) and len(set(value)) == len(value),
                  f"{name} must be neurons, each once")
        check(n * (self.longest + 1) <= MAX_RING, f"{n} neurons with delays of {self.longest} steps do not fit")

    @property
    def longest(self) -> int:
        return max((one.delay for one in self.synapses), default=1)

    def charge(self, value) -> int:
        """The word of an input of `value`: floor(value * factor) where discrete, else exactly that; ValueError."""
        check(isinstance(value, int | float | Fraction) and abs(value) < MAX_WORD, f"an input of {value!r}")
        word = decimal(value) * self.factor / self.quantum
        check(self.discrete or word.denominator == 1,
              f"an input of {value} is no multiple of {float(self.quantum / self.factor):g}")
        found = word.numerator // word.denominator
        check(abs(found) < MAX_WORD, f"an input of {value} does not fit")
        return found


def decimal(value) -> Fraction:
    """The number that a file's decimals say: 0.1 is a tenth."""
    return Fraction(str(value)) if isinstance(value, float) else Fraction(value)


class State(NamedTuple):
    """Charge of each neuron; what is on its way, (slots, neurons): sums, whether there is something; next step."""

    charge: np.ndarray
    sums: np.ndarray
    there: np.ndarray
    last: np.ndarray
    step: int


def rest(net: Risp) -> State:
    """Nothing charged, nothing on its way."""
    n, slots = len(net.ids), net.longest + 1
    sums = np.zeros((slots, n), np.int64)
    return State(sums[0].copy(), sums, sums.astype(bool), np.zeros(n, bool), 0)


def run(net: Risp, events, steps: int, state: State | None = None) -> tuple[np.ndarray, State]:
    """Spikes (steps, neurons) bool, and the state then, from which a later run goes on.

    events: (k, 3) integers: step from 0 on, neuron by number, charge in words (Risp.charge).
    ValueError for events that are not within the steps, or not at an input.
    """
    events = np.asarray(events, np.int64).reshape(-1, 3) if len(events) else np.zeros((0, 3), np.int64)
    check(is_int(steps, 0, 1 << 31), f"steps must be at least 0, not {steps!r}")
    check(bool(np.all((events[:, 0] >= 0) & (events[:, 0] < steps))), f"an event is outside of steps 0..{steps - 1}")
    check(bool(np.isin(events[:, 1], net.inputs).all()), "an event is not at an input")
    check(bool(np.all(np.abs(events[:, 2]) < MAX_WORD)), "the charge of an event does not fit")
    state = rest(net) if state is None else state
    charge, sums, there, last, begin = state
    sums, there, charge = sums.copy(), there.copy(), charge.copy()
    threshold, leaks = np.array(net.thresholds, np.int64), np.array(net.leaks, bool)
    source, target, weight, delay = (np.array(column, np.int64) for column in
                                     (zip(*net.synapses, strict=True) if net.synapses else [()] * 4))
    events = events[np.argsort(events[:, 0], kind="stable")]
    bounds = np.searchsorted(events[:, 0], np.arange(steps + 1))
    found, slots = np.zeros((steps, len(net.ids)), bool), len(sums)
    for t in range(steps):
        slot = (begin + t) % slots
        came, neurons = events[bounds[t]:bounds[t + 1]], there[slot]
        np.add.at(sums[slot], came[:, 1], came[:, 2])
        neurons[came[:, 1]] = True
        after = np.maximum(np.where(leaks, 0, charge), net.min_potential) + sums[slot]
        fired = neurons & (after >= threshold if net.inclusive else after > threshold)
        charge = np.where(fired, 0, np.where(neurons, after, charge))
        sums[slot], there[slot] = 0, False
        use = np.flatnonzero(fired[source])
        at = (slot + delay[use]) % slots
        np.add.at(sums, (at, target[use]), weight[use])
        there[at, target[use]] = True
        found[t], last = (last if net.late else fired), fired
    return found, State(charge, sums, there, last, begin + steps)
