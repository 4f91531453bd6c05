"""Recipe of a network of rate neurons: any chain of layers, trained by golden.train.gle."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from golden.checks import check
from golden.data.dataset import DataSet
from golden.recipe import Checked, Recipe, choice, flag, maybe, one_or_several, real, several, table, whole
from golden.units.activation import ACTIVATIONS
from golden.units.rows import MAX_NEURONS
from golden.widths import POINTS

LOSSES = ("cross_entropy", "squared_error")


@dataclass(frozen=True, kw_only=True)
class RateLayer(Checked):
    """One hidden layer, or `repeat` of them: groups of neurons with a time constant each, one group where no lists are.

    tau_m of the membrane and tau_r of what it sends, in the units of dt; lists are as long as that of neurons.
    """

    neurons: int | tuple[int, ...] = one_or_several(whole(1, MAX_NEURONS), 64)
    tau_m: float | tuple[float, ...] = one_or_several(real(1e-6, 1e6), 64)
    tau_r: float | tuple[float, ...] = one_or_several(real(1e-6, 1e6), 64)
    activation: str = choice(*ACTIVATIONS, default="tanh")
    repeat: int = whole(1, 63, 1)

    def __post_init__(self):
        super().__post_init__()
        groups = {name: len(getattr(self, name)) for name in ("neurons", "tau_m", "tau_r")
                  if isinstance(getattr(self, name), tuple)}
        check(len(set(groups.values())) < 2, f"lists of one layer differ in length: {groups}")
        check(self.size <= MAX_NEURONS, f"neurons: {self.size} in a layer, {MAX_NEURONS} at most")

    @property
    def size(self) -> int:
        return len(self.taus[0])

    @property
    def taus(self) -> np.ndarray:
        """tau_m and tau_r of every neuron, (2, neurons)."""
        groups = np.broadcast_arrays(*map(np.atleast_1d, (self.neurons, self.tau_m, self.tau_r)))
        return np.repeat(np.stack(groups[1:]), groups[0], axis=1)


@dataclass(frozen=True, kw_only=True)
class RateRecipe(Recipe):
    """A network of rate neurons and its training ([GLE] arXiv 2403.16933).

    layers         hidden layers from the input upwards; the read-out above them has an output a class or target
    dt             a tick, in the units of the time constants
    tau_out        tau_m = tau_r of the read-out, which so does not lag; activation_out: linear for classes
    loss           "cross_entropy" for classes, "squared_error" for targets: what the outputs are held to at every tick
    beta           of the errors; rest: each sequence starts from rest while it is learnt, as on a board, and not from
                   what the sequence before left; scale: channels are learnt with mean 0 and deviation 1
    batch, epochs  Adam moves the weights at every tick, as in the paper,
    rate, rate_end ... on a half cosine from rate to rate_end,
    average        ... and the averaged weights (decay a tick) are the result
    clip, limit    bounds of weights and biases, while they are learnt and of the result (words of Q4.9 hold below 16)
    refit          at the end the read-out is fitted to what is asked of it (golden.train.gle.refit_readout),
    readout_decay  ... with so much of its squares,
    readout_bound  ... and for classes scaled so that outputs stay within (Q5.8 holds below 32)
    formats        "fitted": chosen on the training samples at the end (golden.rate.widths), so that integers lose at
                   most `points`; bits: all words so long; "shared": those of the zoo, one bitstream for all of a shape
    """

    kind: ClassVar[str] = "rate"

    layers: tuple[RateLayer, ...] = several(table(RateLayer), 1, 63)
    dt: float = real(1e-6, 1e6, 0.2)
    tau_out: float = real(1e-6, 1e6, 1.2)
    activation_out: str = choice(*ACTIVATIONS, default="linear")
    loss: str | None = maybe(choice(*LOSSES))
    beta: float = real(1e-6, 1e3, 1.0)
    rest: bool = flag(False)
    scale: bool = flag(False)
    batch: int = whole(1, 100_000, 100)
    epochs: int = whole(1, 1_000_000, 40)
    rate: float = real(1e-9, 10, 1e-3)
    rate_end: float = real(0, 10, 1e-6)
    average: float = real(0, 0.9999999, 0.9997)
    clip: float = real(1e-3, 1e6, 16.0)
    limit: float = real(1e-3, 1e6, 15.99)
    refit: bool = flag(True)
    readout_decay: float = real(0, 1e3, 1e-6)
    readout_bound: float = real(1e-3, 1e6, 31.9)
    formats: str = choice("fitted", "shared", default="fitted")
    bits: int | None = maybe(whole(4, 18))
    points: float = real(0, 100, POINTS)

    def __post_init__(self):
        super().__post_init__()
        check(self.count <= 63, f"layers: {self.count} with their repeats, 63 at most")
        for n, layer in enumerate(self.layers):
            least = layer.taus.min()
            check(least >= self.dt, f"layers[{n}]: a time constant of {least:g} is below a tick of dt = {self.dt:g}")
        check(self.tau_out >= self.dt, f"tau_out of {self.tau_out:g} is below a tick of dt = {self.dt:g}")
        check(self.formats == "fitted" or self.bits is None,
              "bits are for formats = \"fitted\": those of the zoo are fixed")
        check(self.loss != "cross_entropy" or self.activation_out == "linear",
              f"loss = \"cross_entropy\" takes linear outputs: activation_out is {self.activation_out}")
        check(not self.refit or self.activation_out == "linear",
              f"a read-out can be refitted where it is linear: refit = false with {self.activation_out} outputs")

    @property
    def count(self) -> int:
        """Hidden layers."""
        return sum(layer.repeat for layer in self.layers)

    def chain(self):
        """The hidden layers one by one."""
        return [layer for layer in self.layers for _ in range(layer.repeat)]

    def loss_for(self, data: DataSet) -> str:
        """The recipe's loss, or the usual one of the data."""
        return self.loss or ("squared_error" if data.classes is None else "cross_entropy")

    def check_data(self, data: DataSet) -> None:
        """ValueError unless these are sequences of which enough ticks count, and the loss is one for them."""
        me = f"{self.name}: {data.name}"
        check(data.form == "sequence", f"{me} has images, and a network of rates takes sequences: with "
                                       f"read_as = \"sequence\" each row of a file's pictures is a tick")
        loss = self.loss_for(data)
        check(loss != "cross_entropy" or data.classes is not None, f"{me} has targets and no classes: loss must be "
                                                                   f"squared_error")
        check(loss != "cross_entropy" or self.activation_out == "linear",
              f"{me} has classes: activation_out must be linear for cross-entropy, not {self.activation_out}")
        check(data.outputs <= MAX_NEURONS, f"{me} has {data.outputs} classes or targets, {MAX_NEURONS} at most")
        check(data.inputs <= MAX_NEURONS, f"{me} has {data.inputs} channels, {MAX_NEURONS} at most")
        for split in ("train", "test"):
            shortest = data.load(split).lengths.min()
            check(shortest > data.answer_from, f"{me} {split} has a sequence of {shortest} ticks: answers count from "
                                               f"tick {data.answer_from} on")


RECIPE = RateRecipe
