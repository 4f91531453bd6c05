"""What the words of a network cost: the report that golden.rate.widths and golden.spiking.widths make."""

import math
from importlib import import_module
from typing import NamedTuple

from golden.checks import check
from golden.data.dataset import Samples
from golden.description import Trained
from golden.fixed import QFormat

#: points that integers may lose against real numbers
POINTS = 0.5


class Report(NamedTuple):
    """Words against real numbers on some samples.

    layers   a row a layer, plain values: "layer", formats as text, the largest magnitudes that were reached,
             "saturated" (the share of states at the end of their format), "error" (of what the layer sends: of rates
             the root mean square against that of the values, of spikes the share that differ)
    loss     points that the integers lose; `what` says how they are counted
    samples  how many were seen
    """

    layers: tuple[dict, ...]
    loss: float
    what: str
    samples: int

    @property
    def worst(self) -> dict:
        """The row of the layer that adds most to the error of the one below."""
        errors = [0.0, *(row["error"] for row in self.layers)]
        return max(self.layers, key=lambda row: row["error"] - errors[row["layer"]])

    def check(self, name: str, points: float) -> None:
        """ValueError, one line that says which layer costs most, where more than `points` are lost."""
        row = self.worst
        check(self.loss <= points, f"{name}: its words lose {self.loss:.2f} points ({self.what}), {points:g} are "
                                   f"allowed: layer {row['layer']} costs most (state {row['state']}: "
                                   f"{row['saturated']:.1%} saturated, error {row['error']:.1%})")


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
