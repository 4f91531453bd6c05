"""Recipe of a spiking network whose delays are learnt, trained by golden.train.delays."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from golden.checks import check
from golden.data.dataset import DataSet
from golden.fixed import QFormat
from golden.recipe import Recipe, choice, flag, form, maybe, real, several, whole
from golden.spiking.codes import MAX_TICKS
from golden.spiking.layer import MAX_LINES, MAX_OUTPUTS

MODES = ("delays", "random", "equal", "weights", "both")
FORMS, LOSSES, WEIGHTS = ("leaky", "psp"), ("first_spike", "potential", "van_rossum"), ("ternary", "real")
#: of a loss that fits the outputs' threshold, as in the networks of the zoo
SHARP, SHARE = 10.0, 5.0
#: what form = "psp" changes where it is set: 10 ticks, tau 10, theta 10 for weights of 10 ([DELAY]; here
#: theta * tau / 10 e)
PSP = {"ticks": 10, "bins": 3, "dark": 1, "delays": [0.0, 4.0], "shares": [[3, 2], [3, 8]], "leak": [4, 5],
       "thresholds": [10 / math.e, 10 / math.e], "state": "Q9.6", "amsgrad": True, "rate": 0.1, "batch": 32,
       "surrogate": "exponential", "drop": 0.0}


@dataclass(frozen=True, kw_only=True)
class SpikingRecipe(Recipe):
    """A spiking network and its training ([DELAY] arXiv 2306.06237); lists by layer end with the outputs.

    hidden         neurons of the hidden layers
    ticks          that a sample runs
    bins, dark     code of images: input spikes come in ticks 0..bins - 1, of pixels of at least `dark`
    levels         code of sequences: thresholds a channel, which part the training values evenly; a line between each
    delay_bits     of a synapse; delays: drawn uniformly between these
    shares         by layer: sixteenths of the weights that are +1 and -1; none: as many as there is room for
    thresholds     by layer, a weight is 1; none: chosen on training samples so that `fires` of the hidden neurons spike
    leak           shifts of the membrane's decay
    state, stored  formats of the membrane (none: chosen with the thresholds) and of weights that no seed gives
    mode           "delays", only delays learn; "random", those of the hidden layers stay as drawn; "equal", they are
                   all 0; "weights", weights learn and no delay does; "both" ([DCLS] arXiv 2306.17670)
    form           "leaky": integrators that spike once a sample; "psp": alpha functions, as in the paper
    loss           "first_spike", "potential" or "van_rossum" (golden.train.delays.loss_of)
    weights        "ternary" from seeds, or "real" stored ones, as always where weights learn
    rate           Adam's, of delays, in ticks; on a half cosine down to 1/200 of it; weight_rate: of weights
    surrogate      "hyperbolic" of slope `slope`, or "exponential", that of [DELAY]
    sharp          loss "first_spike": of the threshold's sigmoid (none: SHARP over the threshold of the outputs),
    share          ... of the softmax among the outputs (none: SHARE over that threshold),
    margin         ... whose threshold is so much above that of the network
    left           ... and what it counts of the probability that none spikes by the last tick
    warm           batches in which the rate rises
    jitter         of images: input spikes come up to so much of a tick earlier or later while the net learns
    noise          of sequences: values move by so much of a channel's deviation (one sigma) while the net learns
    drop           share of hidden neurons that stay silent for a sample
    target         loss "van_rossum": the class spikes in so many ticks
    """

    kind: ClassVar[str] = "spiking"
    presets: ClassVar[dict] = {("form", "psp"): PSP}

    hidden: tuple[int, ...] = several(whole(1, MAX_LINES), 1, 15)
    ticks: int = whole(1, MAX_TICKS, 16)
    bins: int = whole(1, MAX_TICKS, 6)
    dark: int = whole(0, 255, 8)
    levels: int = whole(1, 255, 7)
    delay_bits: int = whole(1, 8, 4)
    delays: tuple[float, float] = several(real(0, 255), 2, 2, (0.0, 15.0))
    shares: tuple[tuple[int, int], ...] | None = maybe(several(several(whole(0, 16), 2, 2), 2, 16))
    thresholds: tuple[float, ...] | None = maybe(several(real(1e-3, 1e6), 2, 16))
    fires: float = real(0.01, 0.99, 0.5)
    leak: tuple[int, ...] = several(whole(1, 16), 0, 3, (4,))
    state: QFormat | None = maybe(form())
    stored: QFormat = form(QFormat(2, 5))
    mode: str = choice(*MODES, default="delays")
    form: str = choice(*FORMS, default="leaky")
    loss: str = choice(*LOSSES, default="first_spike")
    weights: str | None = maybe(choice(*WEIGHTS))
    epochs: int = whole(1, 1_000_000, 12)
    batch: int = whole(1, 100_000, 128)
    rate: float = real(1e-9, 100, 0.4)
    weight_rate: float = real(1e-9, 10, 0.01)
    amsgrad: bool = flag(False)
    surrogate: str = choice("hyperbolic", "exponential", default="hyperbolic")
    slope: float = real(1e-3, 1e3, 2.0)
    sharp: float | None = maybe(real(1e-3, 1e3))
    share: float | None = maybe(real(1e-3, 1e3))
    margin: float = real(-1e3, 1e3, 1.0)
    left: float = real(1e-3, 1, 0.8)
    warm: int = whole(1, 1_000_000, 100)
    jitter: float = real(0, 16, 0.0)
    noise: float = real(0, 16, 0.0)
    drop: float = real(0, 0.99, 0.0)
    target: int = whole(1, MAX_TICKS, 10)

    def __post_init__(self):
        super().__post_init__()
        layers = len(self.hidden) + 1
        for name in ("shares", "thresholds"):
            value = getattr(self, name)
            check(value is None or len(value) == layers,
                  f"{name} has {len(value or ())} entries, one a layer makes {layers} (the outputs are the last)")
        for n, share in enumerate(self.shares or ()):
            check(1 <= sum(share) <= 16, f"shares[{n}] must be 1 to 16 sixteenths together, not {sum(share)}")
        low, high = self.delays
        check(low <= high < 1 << self.delay_bits,
              f"delays must lie in 0..{(1 << self.delay_bits) - 1} for delay_bits = {self.delay_bits}, and ascend, not "
              f"{low:g} to {high:g}")
        check(self.bins <= self.ticks, f"bins: spikes in {self.bins} ticks do not fit in ticks = {self.ticks}")
        check(sum(2.0 ** -k for k in self.leak) < 1, f"leak {list(self.leak)} leaves nothing of a membrane")
        learns = self.mode in ("weights", "both")
        check(self.weights != "ternary" or not learns,
              f"mode = \"{self.mode}\": weights that learn are stored, weights must be \"real\"")
        check(self.form == "leaky" or self.thresholds is not None,
              "form = \"psp\" takes thresholds; they are chosen for leaky neurons alone")

    @property
    def stores(self) -> bool:
        """Whether weights are in memory."""
        return self.weights == "real" or self.mode in ("weights", "both")

    def for_threshold(self, theta: float) -> "SpikingRecipe":
        """The recipe with what it leaves open of the loss, for outputs that spike at `theta`."""
        return replace(self, sharp=self.sharp or SHARP / theta, share=self.share or SHARE / theta)

    @property
    def step_slope(self) -> float | None:
        """Slope of the surrogate; None for that of [DELAY]."""
        return None if self.surrogate == "exponential" else self.slope

    def check_data(self, data: DataSet) -> None:
        """ValueError unless these are classes that the outputs can tell, of samples that fit lines and ticks."""
        me = f"{self.name}: {data.name}"
        check(data.classes is not None, f"{me} has targets, and a spiking network answers with a class")
        check(data.classes <= MAX_OUTPUTS, f"{me} has {data.classes} classes, a spiking network {MAX_OUTPUTS} at most")
        lines = data.inputs if data.form == "image" else data.inputs * (self.levels + 1)
        check(lines <= MAX_LINES, f"{me} takes {lines:,} lines, {MAX_LINES:,} at most"
                                  + ("" if data.form == "image" else f": fewer levels than {self.levels}"))
        if data.form == "sequence":
            longest = max(int(data.load(split).lengths.max()) for split in ("train", "test"))
            check(longest <= self.ticks, f"{me} has sequences of {longest} ticks: ticks must be as many at least, and "
                                         f"{MAX_TICKS} at most")


RECIPE = SpikingRecipe
