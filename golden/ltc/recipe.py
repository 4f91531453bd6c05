"""Recipe of a liquid-time-constant spiking network, trained by golden.train.ltc."""

from dataclasses import dataclass
from typing import ClassVar

from golden.checks import check
from golden.data.dataset import DataSet
from golden.recipe import Recipe, choice, flag, maybe, real, several, whole
from golden.widths import POINTS

THRESHOLDS, OPTIMISERS = ("adaptive", "fixed"), ("adam", "sgd")
MAX_SIZE, MAX_LAYERS = 1024, 8


@dataclass(frozen=True, kw_only=True)
class LtcRecipe(Recipe):
    """A network of LTC neurons and its training by FPTT (arXiv 2112.11231).

    layers       neurons of each layer, from the input upwards; the readout above them has an output a class
    threshold    "adaptive", theta = b0 + 1.8 b; or "fixed", theta = b0, without the second gate
    scale        channels are learnt with mean 0 and deviation 1
    unit         ... or else divided by it: 256 for pixels
    norm         batch norm of each layer's input sums while it learns, folded into the weights behind it
    parts        K, into how many parts the longest sequence is cut, with an update behind each; 0: one every tick;
                 1: the whole sequence, which is backpropagation through time
    alpha, beta  of the regulariser of FPTT; alpha = 0: there is none
    ramp         the cross-entropy at tick t counts (t + 1)/T; else 1, and T need not be known
    every        it counts in every tick, not in the last one of a part alone
    auxiliary    outputs are also held, by what is missing to 1, to equal probabilities
    optimiser    "adam" or "sgd", its rate on half a cosine down to rate_end,
    clip         ... of gradients whose norm is at most that; 0: any
    decay        of weights, a step and unit of rate (as AdamW has it)
    average      weights are averaged while they learn (decay a batch), and the average is kept; 0: the last ones
    noise        deviation of the Gaussian noise on an input (as scaled) while it learns
    flip         the channels of a sequence come in reverse order at random: pictures are mirrored
    formats      "fitted": chosen on the training samples at the end (golden.ltc.widths), so that integers lose at most
                 `points`; bits: all words so long; "usual": those that depend on weights alone
    """

    kind: ClassVar[str] = "ltc"

    layers: tuple[int, ...] = several(whole(1, MAX_SIZE), 1, MAX_LAYERS)
    threshold: str = choice(*THRESHOLDS, default="adaptive")
    b0: float = real(0, 4, 0.1)
    scale: bool = flag(False)
    unit: float = real(1e-6, 1e6, 1.0)
    norm: bool = flag(False)
    parts: int = whole(0, 1 << 20, 0)
    alpha: float = real(0, 100, 0.5)
    beta: float = real(0, 1, 0.5)
    ramp: bool = flag(True)
    every: bool = flag(False)
    auxiliary: bool = flag(False)
    optimiser: str = choice(*OPTIMISERS, default="adam")
    epochs: int = whole(1, 1_000_000, 20)
    batch: int = whole(1, 100_000, 128)
    rate: float = real(1e-9, 100, 3e-3)
    rate_end: float = real(0, 100, 0.0)
    clip: float = real(0, 1e6, 1.0)
    decay: float = real(0, 1, 0.0)
    average: float = real(0, 0.999999, 0.0)
    noise: float = real(0, 16, 0.0)
    flip: bool = flag(False)
    formats: str = choice("fitted", "usual", default="fitted")
    bits: int | None = maybe(whole(4, 17))
    points: float = real(0, 100, POINTS)

    def __post_init__(self):
        super().__post_init__()
        check(self.formats == "fitted" or self.bits is None, "bits are for formats = \"fitted\"")
        check(not self.scale or self.unit == 1, f"scale = true: channels have deviation 1, no unit of {self.unit:g}")

    def span(self, ticks: int) -> int:
        """Ticks of a part, of sequences of `ticks` at most."""
        return 1 if self.parts == 0 else -(-ticks // self.parts)

    def check_data(self, data: DataSet) -> None:
        """ValueError unless these are sequences of classes that a network takes, with ticks for all parts."""
        me = f"{self.name}: {data.name}"
        check(data.form == "sequence", f"{me} has images, and an LTC network takes sequences: with "
                                       f"read_as = \"sequence\" each row of pixels is a tick")
        check(data.classes is not None, f"{me} has targets, and an LTC network answers with a class")
        check(data.inputs <= MAX_SIZE, f"{me} has {data.inputs} channels, {MAX_SIZE} at most")
        check(data.classes <= MAX_SIZE, f"{me} has {data.classes} classes, {MAX_SIZE} at most")
        ticks = int(data.load("train").lengths.max())
        check(self.parts <= ticks, f"{me} has sequences of {ticks} ticks at most: they cannot be cut into parts = "
                                   f"{self.parts}")


RECIPE = LtcRecipe
