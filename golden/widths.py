"""What the words of a network cost: the report that golden.rate.widths and golden.spiking.widths make."""

import math
from importlib import import_module
from typing import NamedTuple

import numpy as np

from golden.checks import check
from golden.data.dataset import Samples
from golden.description import Trained
from golden.fixed import QFormat

#: points that integers may lose against real numbers
POINTS = 0.5
#: sequences that formats are chosen on, at most
SEQUENCES = 500


class Report(NamedTuple):
    """Words against real numbers on some samples.

    layers   a row a layer, plain values: "layer", formats as text, the largest magnitudes that were reached,
             "saturated" (the share of states at the end of their format), "error" (of what the layer sends: of rates
             the root mean square against that of the values, of spikes the share that differ)
    loss     points that the integers lose; `what` says how they are counted
    samples  how many were seen
    chance   points by which so few samples may mislead (one deviation): a loss that is no larger says nothing
    """

    layers: tuple[dict, ...]
    loss: float
    what: str
    samples: int
    chance: float = 0.0

    @property
    def worst(self) -> dict:
        """The row of the layer that adds most to the error of the one below."""
        errors = [0.0, *(row["error"] for row in self.layers)]
        return max(self.layers, key=lambda row: row["error"] - errors[row["layer"]])

    def check(self, name: str, points: float) -> None:
        """ValueError, one line that says which layer costs most, where more than `points` are lost, beyond chance."""
        row = self.worst
        check(self.loss - self.chance <= points,
              f"{name}: its words lose {self.loss:.2f} points ({self.what}), {points:g} are allowed: layer "
              f"{row['layer']} costs most (state {row['state']}: {row['saturated']:.1%} saturated, error "
              f"{row['error']:.1%}); --points P (in Python points=P) allows more")


class Calibration(NamedTuple):
    """Sequences x (n, ticks, inputs) as a network takes them, lengths (n,), first tick that counts, y or None."""

    x: np.ndarray
    lengths: np.ndarray
    answer_from: int = 0
    y: np.ndarray | None = None


def calibration(trained, samples: Samples, inputs: int, answer_from: int = 0, most: int = SEQUENCES) -> Calibration:
    """So many sequences at most, as `trained.scaled` makes them; ValueError where the network takes others."""
    lengths = samples.lengths
    chosen = np.sort(np.random.default_rng(0).permutation(len(samples.x))[:most])
    x = trained.scaled(samples.x[chosen])
    check(lengths is not None and x.ndim == 3 and x.shape[2] == inputs and len(x) > 0,
          f"{trained.name}: samples must be sequences (n, ticks, {inputs}), not of shape {np.shape(samples.x)}")
    check(lengths.min() > answer_from,
          f"{trained.name}: a sequence of {lengths.min()} ticks, answers count from tick {answer_from} on")
    return Calibration(x, lengths[chosen], answer_from, None if samples.y is None else samples.y[chosen])


def widened(fit, loss, layers: int, points: float):
    """What `fit` makes of no layer in long words; or, while loss(it) > points, of that layer too which gains most."""
    wide: set[int] = set()
    found = fit(wide)
    while len(wide) < layers and loss(found) > points:
        tried = {n: loss(fit(wide | {n})) for n in range(layers) if n not in wide}
        wide.add(min(tried, key=tried.get))
        found = fit(wide)
    return found


def lost(found, real, y=None) -> tuple[float, str]:
    """Points that answers in integers lose against those in real numbers, both (n, outputs), and how they are counted.

    y: classes or targets, or None.
    """
    if y is None:
        return 100 * (real.argmax(1) != found.argmax(1)).mean(), "answers that differ from those in real numbers"
    if y.dtype.kind in "iu":
        right = [(each.argmax(1) == y).mean() for each in (real, found)]
        return 100 * (right[0] - right[1]), f"accuracy {right[1]:.2%}, in real numbers {right[0]:.2%}"
    spread = max(np.sqrt(((real - real.mean(0)) ** 2).mean()), 1e-30)
    return 100 * np.sqrt(((found - real) ** 2).mean()) / spread, "error of answers, in parts of their deviation"


def holding(what: str, largest: float, width: int, least: int = 0) -> QFormat:
    """The format of `width` bits with as few integer bits as hold `largest`, `least` of them at least.

    ValueError, which begins with `what` it is, where no such word holds it.
    """
    bits = max(least, math.floor(math.log2(largest)) + 1) if largest > 0 else least
    # the largest word is a unit short of the power of two
    bits += int(largest > (2.0 ** (width - 1) - 1) * 2.0 ** (bits + 1 - width))
    check(bits < width, f"{what} fits no word of {width} bits")
    return QFormat(bits, width - 1 - bits)


def fitted(trained: Trained, samples: Samples, answer_from: int, *, bits: int | None = None,
           points: float = POINTS) -> tuple[Trained, Report]:
    """A trained network of any kind with words of its own, chosen on samples, and what they cost.

    bits: all words so long; samples.y may be None. ValueError, one line that names the layer: a value that fits no
    word, or more than `points` lost.
    """
    found, report = import_module(f"golden.{trained.kind}.widths").choose(trained, samples, answer_from, bits=bits,
                                                                          points=points)
    report.check(trained.name, points)
    return found, report
