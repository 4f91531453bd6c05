"""Recipe of a cascaded residual network, trained by golden.train.cascade."""

from dataclasses import dataclass
from typing import ClassVar

from golden.cascade.layer import DEALINGS
from golden.checks import check
from golden.data.dataset import DataSet
from golden.recipe import Recipe, choice, flag, maybe, real, several, whole

FORMS, NORMS, HEADS = ("convolution", "mlp"), ("shared", "step"), ("one", "step")
LOSSES, SCHEMES, DELAYS = ("td", "last"), ("parallel", "serial"), ("delay", "smooth")
MAX_BLOCKS, MAX_CHANNELS = 32, 1024


@dataclass(frozen=True, kw_only=True)
class CascadeRecipe(Recipe):
    """A cascaded residual network and its training (arXiv 2102.09808); its steps are one more than its blocks.

    channels     of the stem, then of each residual block
    strides      likewise, 1 or 2; all 1 by default
    form         "convolution", kernels of 3x3; or "mlp", dense layers on the pixels of an image
    norm         statistics of batch norms: "shared" by all steps, or a "step"'s own
    heads        "one" for all steps, or one a "step"
    delay        what is between a residual branch and its sum: a "delay" of one step, or "smooth", an exponential
    alpha        ... that keeps so much of the step before
    engines      of the circuit: one a "layer", as in the paper; the stem's, and one for all "blocks"; one for "all"
    scheme       "parallel", or "serial": block k counts from step k on
    loss         "td", every step is held to its TD(lambda) target; or "last", the last step to the label
    lambda_      of "td"; 1 is the label at every step, 0 the answer of the next step
    since        first step that counts in "td"
    rate         of stochastic gradient descent with Nesterov's momentum, on a half cosine down to 0,
    warm         ... after a rise over so many batches
    decay        of weights, not of norms and biases
    flip, shift  images are mirrored at random, and moved by up to so many pixels, while the network learns
    noise        deviation of the Gaussian noise that is then on a pixel, 1 is its full scale
    bf16         convolutions and dense layers in bfloat16 while it learns; faster on few processors only
    """

    kind: ClassVar[str] = "cascade"

    channels: tuple[int, ...] = several(whole(1, MAX_CHANNELS), 2, MAX_BLOCKS + 1)
    strides: tuple[int, ...] | None = maybe(several(whole(1, 2), 2, MAX_BLOCKS + 1))
    form: str = choice(*FORMS, default="convolution")
    norm: str = choice(*NORMS, default="shared")
    heads: str = choice(*HEADS, default="one")
    delay: str = choice(*DELAYS, default="delay")
    alpha: float = real(0, 0.999, 0.5)
    engines: str = choice(*DEALINGS, default="layer")
    scheme: str = choice(*SCHEMES, default="parallel")
    loss: str = choice(*LOSSES, default="td")
    lambda_: float = real(0, 1, 0.5)
    since: int = whole(0, MAX_BLOCKS, 0)
    epochs: int = whole(1, 1_000_000, 12)
    batch: int = whole(2, 100_000, 128)
    rate: float = real(1e-9, 100, 0.1)
    momentum: float = real(0, 0.999, 0.9)
    warm: int = whole(1, 1_000_000, 200)
    decay: float = real(0, 1, 5e-4)
    flip: bool = flag(False)
    shift: int = whole(0, 64, 0)
    noise: float = real(0, 16, 0.0)
    bf16: bool = flag(False)

    def __post_init__(self):
        super().__post_init__()
        layers = len(self.channels)
        if self.strides is None:
            object.__setattr__(self, "strides", (1,) * layers)
        check(len(self.strides) == layers,
              f"strides has {len(self.strides)} entries, channels {layers}: one for the stem and one a block")
        check(self.form != "mlp" or set(self.strides) == {1}, "form = \"mlp\": dense layers have no strides")
        check(self.form != "mlp" or not (self.flip or self.shift),
              "form = \"mlp\": an image is a row of pixels, flip and shift are for convolutions")
        check(self.since < layers, f"since = {self.since}: there are {layers} steps, 0..{layers - 1}")
        check(self.delay == "delay" or self.scheme == "parallel", "delay = \"smooth\" takes scheme = \"parallel\"")
        check(self.loss == "td" or (self.norm, self.heads, self.delay) == ("shared", "one", "delay"),
              "loss = \"last\" sees one step: norm must be shared, heads one and delay \"delay\"")

    @property
    def kernel(self) -> int:
        """Side of the kernels."""
        return 1 if self.form == "mlp" else 3

    def shape(self, data: DataSet) -> tuple[int, int, int]:
        """Height, width and channels of an image as the network takes it."""
        return (1, 1, data.inputs) if self.form == "mlp" else data.shape

    def check_data(self, data: DataSet) -> None:
        """ValueError unless these are images of classes, and large enough for the strides and shifts."""
        me = f"{self.name}: {data.name}"
        check(data.form == "image", f"{me} has sequences, and a cascaded network takes images")
        check(data.classes is not None, f"{me} has targets, and a cascaded network answers with a class")
        if self.form == "convolution":
            height, width, _ = data.shape
            check(self.shift < min(height, width), f"{me} has images of {height} x {width}: shift = {self.shift} "
                                                   f"moves them out of sight")


RECIPE = CascadeRecipe
