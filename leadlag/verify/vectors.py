"""What a rung is compared on: words into a device, and those that golden says come out."""

from dataclasses import dataclass

import numpy as np

from golden.checks import check
from golden.description import Description
from golden.image import Image
from leadlag import flow
from leadlag.experiments import taught

SAMPLES = 10


@dataclass(frozen=True)
class Samples:
    """Samples of a data set, each from rest."""

    case: flow.Case
    x: np.ndarray

    @property
    def net(self) -> Description:
        return self.case.net

    @property
    def image(self) -> Image:
        return self.case.image

    @property
    def count(self) -> str:
        return f"{len(self.x):,} {self.case.data.unit}"

    def on(self, device) -> np.ndarray:
        """Output words of a Device or a Board that has the image."""
        return device.run(self.x)

    def compare(self, device, got, what: str) -> None:
        """CheckFailed with the first word that differs."""
        flow.compare(self.case, got, flow.integer_outputs(self.case, self.x), what)


def vectors(network: str, board_name: str, data: str | None = None, count: int | None = None):
    """The first `count` test samples of a network; of one that learns, ticks with its teacher."""
    if network in taught.NETWORKS:
        check(data is None, f"{network} has data of its own, not {data}")
        return taught.ticks_of(network, count)
    case = flow.prepare(network, board_name, data)
    count = flow.at_most(case, "test", SAMPLES) if count is None else count
    return Samples(case, flow.samples(case, "test", count).x)
