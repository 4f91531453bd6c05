"""What training leaves of a cascaded residual network: real weights, norms as affine pairs, and ranges of its maps.

A safetensors file: metadata "cascade_network" (sizes) and "training" (how it was made), and tensors

    stem.weight (out, in, k, k)           stem.scale, stem.bias (out,)
    blocks.N.conv1.weight, conv2.weight   .scale, .bias (rows, out): what a convolution gives, times scale, plus bias
    blocks.N.shortcut.weight (out, in)    where the block changes the shape
    head.weight (heads, classes, in)      head.bias (heads, classes): a head for all steps, or one a step
    ranges (blocks + 1,)                  what all but few values stay within: of the maps between blocks, then of the
                                          map between the convolutions of each block

with N = 0.. . Row min(t, rows - 1) of a norm is for step t, one row for all steps.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from golden.cascade import quantize
from golden.cascade.layer import DEALINGS
from golden.checks import check, is_int
from golden.description import Description, Trained
from golden.files import from_json, narrowest, read_safetensors, reals, to_json, write_safetensors

SCHEMES = ("parallel", "serial")
#: of the metadata
SIZES = ("name", "shape", "channels", "strides", "kernel", "classes", "scheme", "engines", "detector", "alpha")


#: what lists of whole numbers may hold: least, most, how many at least
_WHOLE = {"shape": (1, 4096, 3), "channels": (1, 4096, 2), "strides": (1, 2, 2)}


def _whole(name: str, value) -> tuple[int, ...]:
    low, high, least = _WHOLE[name]
    check(isinstance(value, list | tuple) and least <= len(value) <= 1024 and all(is_int(v, low, high) for v in value),
          f"{name} must be {least} or more whole numbers in {low}..{high}, not {value!r}")
    return tuple(value)


class Conv(NamedTuple):
    """A convolution without bias, and the affine function behind it."""

    weight: np.ndarray
    scale: np.ndarray
    bias: np.ndarray


class Block(NamedTuple):
    """A residual block; shortcut (out, in) is None where the identity is."""

    conv1: Conv
    conv2: Conv
    shortcut: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class CascadeTrained(Trained):
    """A cascaded network with real parameters, float64; shapes as in the file.

    shape (height, width, channels) of an image, channels and strides of the stem and of each block; kernel 1 or 3;
    scheme in which it was trained; engines, how layers are dealt to those of the circuit (golden.cascade.layout.dealt);
    detector of cuts of the circuit, None where there is none (golden.cascade.network); alpha of the smooth kernel, None
    for the delay of a step.
    """

    kind = "cascade"
    KEY = "cascade_network"

    name: str
    shape: tuple[int, int, int]
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    kernel: int
    stem: Conv
    blocks: tuple[Block, ...]
    head: np.ndarray
    offset: np.ndarray
    ranges: np.ndarray
    training: dict
    scheme: str = "parallel"
    engines: str = "layer"
    detector: int | None = None
    alpha: float | None = None

    def __post_init__(self):
        check(isinstance(self.name, str), f"name must be a text, not {self.name!r}")
        for name in _WHOLE:
            self._set(name, _whole(name, getattr(self, name)))
        check(len(self.shape) == 3, f"shape must be height, width and channels, not {self.shape}")
        check(len(self.strides) == self.steps == len(self.blocks) + 1,
              f"{self.name}: {self.steps} channels, {len(self.strides)} strides, {len(self.blocks)} blocks: one for "
              f"the stem and one a block")
        check(is_int(self.kernel, 1, 3) and self.kernel != 2, f"kernel must be 1 or 3, not {self.kernel!r}")
        check(self.scheme in SCHEMES, f"scheme must be one of {', '.join(SCHEMES)}, not {self.scheme!r}")
        check(self.detector is None or is_int(self.detector, 0, 1 << 32),
              f"detector must be a sum of differences or null, not {self.detector!r}")
        check(self.engines in DEALINGS, f"engines must be one of {', '.join(DEALINGS)}, not {self.engines!r}")
        check(self.alpha is None or isinstance(self.alpha, int | float) and 0 <= self.alpha < 1,
              f"alpha must be a number in 0..1, or null, not {self.alpha!r}")
        check(isinstance(self.training, dict), f"training must be an object, not {self.training!r}")
        self._set("stem", Conv(*(reals(f"stem.{kind}", value, want) for kind, value, want in zip(
            Conv._fields, self.stem, self._conv(self.shape[2], self.channels[0], None), strict=True))))
        self._set("blocks", tuple(self._block(n, block) for n, block in enumerate(self.blocks)))
        head = np.shape(self.head)
        check(len(head) == 3 and head[0] in (1, self.steps) and head[2] == self.channels[-1] and head[1] > 1,
              f"head.weight has shape {head}, expected (1 or {self.steps}, classes, {self.channels[-1]})")
        for name, want in (("head", head), ("offset", head[:2]), ("ranges", (self.steps,))):
            self._set(name, reals({"head": "head.weight", "offset": "head.bias"}.get(name, name), getattr(self, name),
                                  want))
        check((self.ranges > 0).all(), f"ranges must be above 0, not {self.ranges.tolist()}")

    def _set(self, name: str, value) -> None:
        object.__setattr__(self, name, value)

    def _conv(self, inputs: int, outputs: int, rows: int | None) -> tuple:
        affine = (outputs,) if rows is None else (rows, outputs)
        return (outputs, inputs, self.kernel, self.kernel), affine, affine

    def _block(self, n: int, block: Block) -> Block:
        """The checked block; its rows are those of its first scale."""
        inputs, outputs = self.channels[n], self.channels[n + 1]
        rows = (np.shape(block.conv1.scale) or (0,))[0]
        check(rows in (1, self.distinct(n + 1)),
              f"blocks.{n}: {rows} rows of scale: 1 or {self.distinct(n + 1)}, one a step that differs")
        convs = [Conv(*(reals(f"blocks.{n}.{name}.{kind}", value, want) for kind, value, want in zip(
            Conv._fields, conv, self._conv(into, outputs, rows), strict=True)))
            for name, conv, into in (("conv1", block.conv1, inputs), ("conv2", block.conv2, outputs))]
        changes = inputs != outputs or self.strides[n + 1] != 1
        check(changes == (block.shortcut is not None), f"blocks.{n}: " + (
            "a shortcut is missing, the block changes the shape" if changes else "has a shortcut, and keeps the shape"))
        return Block(*convs, reals(f"blocks.{n}.shortcut.weight", block.shortcut, (outputs, inputs)) if changes
                     else None)

    # ---- sizes

    @property
    def steps(self) -> int:
        """Answers to an image: one more than there are blocks."""
        return len(self.channels)

    @property
    def classes(self) -> int:
        return self.head.shape[1]

    @property
    def parameters(self) -> int:
        """Real numbers that were learnt, norms as pairs."""
        return sum(value.size for name, value in self._tensors().items() if name != "ranges")

    def distinct(self, k: int) -> int:
        """How many inputs of block k = 1.. differ while an image stands still."""
        return k if self.alpha is None else 1 if k == 1 else self.steps

    # ---- files

    def _tensors(self) -> dict[str, np.ndarray]:
        found = {f"stem.{kind}": value for kind, value in zip(Conv._fields, self.stem, strict=True)}
        for n, block in enumerate(self.blocks):
            for name, conv in (("conv1", block.conv1), ("conv2", block.conv2)):
                found |= {f"blocks.{n}.{name}.{kind}": value for kind, value in zip(Conv._fields, conv, strict=True)}
            if block.shortcut is not None:
                found[f"blocks.{n}.shortcut.weight"] = block.shortcut
        return found | {"head.weight": self.head, "head.bias": self.offset, "ranges": self.ranges}

    def save(self, path) -> None:
        """Write the file, whole or not at all; OSError, one line, where that cannot be done."""
        about = {name: getattr(self, name) for name in SIZES}
        write_safetensors(path, {name: narrowest(value) for name, value in self._tensors().items()},
                          {self.KEY: to_json(about), "training": to_json(self.training)})

    @classmethod
    def load(cls, path) -> "CascadeTrained":
        """Read a file; ValueError says in one line what is missing or wrong."""
        tensors, about = read_safetensors(path)
        try:
            check(cls.KEY in about, f"no {cls.KEY} in the metadata: not a trained cascaded network")
            sizes = from_json(about[cls.KEY], cls.KEY)
            training = from_json(about.get("training", "{}"), "training")
            return cls._made(tensors, sizes, training)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    @classmethod
    def _made(cls, tensors: dict, sizes, training) -> "CascadeTrained":
        if isinstance(sizes, dict):
            sizes = {"engines": "layer", "detector": None} | sizes
        check(isinstance(sizes, dict) and set(sizes) == set(SIZES),
              f"{cls.KEY} must be an object with {', '.join(SIZES)}, not {sizes!r}")
        channels, strides = (_whole(name, sizes[name]) for name in ("channels", "strides"))
        check(len(channels) == len(strides), f"{len(channels)} channels, and {len(strides)} strides")
        left = dict(tensors)

        def take(name):
            check(name in left, f"tensor {name} is missing")
            return left.pop(name)

        def conv(name):
            return Conv(*(take(f"{name}.{kind}") for kind in Conv._fields))
        stem, blocks = conv("stem"), []
        for n in range(len(channels) - 1):
            changes = channels[n] != channels[n + 1] or strides[n + 1] != 1
            blocks.append(Block(conv(f"blocks.{n}.conv1"), conv(f"blocks.{n}.conv2"),
                                take(f"blocks.{n}.shortcut.weight") if changes else None))
        head, offset, ranges = take("head.weight"), take("head.bias"), take("ranges")
        check(not left, f"tensor {next(iter(sorted(left)), '')} belongs to no layer")
        found = cls(**{name: sizes[name] for name in SIZES if name != "classes"}, stem=stem, blocks=tuple(blocks),
                    head=head, offset=offset, ranges=ranges, training=training)
        check(found.classes == sizes["classes"], f"classes = {sizes['classes']!r}, head.weight has {found.classes}")
        return found

    # ---- the circuit

    def describe(self) -> Description:
        return quantize.describe(self)

    def quantize(self, net: Description) -> tuple:
        return quantize.quantize(self, net)

    def inputs_of(self, samples, net: Description, lengths=None) -> np.ndarray:
        return quantize.inputs_of(self, samples, net, lengths)
