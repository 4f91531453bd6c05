"""Layers of a cascaded network as a description: stem, residual blocks, head; and the engines that they are dealt to.

[CASCADE] arXiv 2102.09808. A map is (height, width, channels) of unsigned words of ACTIVATION_BITS; an
MLP is the same network with maps of one pixel and convolutions of kernel 1.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

from golden.checks import check, is_int, listed
from golden.fixed import MULTIPLIER_BITS
from golden.units.rows import MAX_LANE_WORDS

WEIGHT_BITS, ACTIVATION_BITS, RESIDUAL_BITS = 8, 8, 12
#: fraction bits that a residual has beyond an activation: its range is that of an activation, with a sign
RESIDUAL_FRACTION = RESIDUAL_BITS - 1 - ACTIVATION_BITS
#: weights of the head; of the words of scales and biases; fraction bits of a bias beyond the word that it is added to
HEAD_BITS, SCALE_BITS, BIAS_FRACTION = 12, 18, 4
MAX_SIDE, MAX_MAP, MAX_CHANNELS, MAX_BLOCKS, MAX_CLASSES = 64, 16384, 512, 12, 32
#: channels that an engine may take at once
SIDES = (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A convolution without bias: kernel x kernel taps, `kernel // 2` zeros around, from a map of height x width.

    Taps on the zeros are never worked on.
    """

    inputs: int
    outputs: int
    kernel: int
    stride: int
    height: int
    width: int

    @property
    def out_height(self) -> int:
        return -(-self.height // self.stride)

    @property
    def out_width(self) -> int:
        return -(-self.width // self.stride)

    @property
    def pixels(self) -> int:
        """Pixels of its outputs."""
        return self.out_height * self.out_width

    @property
    def taps(self) -> int:
        """Taps of a pixel that lies in the middle."""
        return self.kernel * self.kernel

    @property
    def weights(self) -> int:
        return self.outputs * self.taps * self.inputs

    def runs(self, size: int) -> list[tuple[int, int, int]]:
        """For each output row (column) of a map of `size`: its first real tap, how many, the input row of the first."""
        pad, found = self.kernel // 2, []
        for at in range(-(-size // self.stride)):
            real = [tap for tap in range(self.kernel) if 0 <= at * self.stride + tap - pad < size]
            found.append((real[0], len(real), at * self.stride + real[0] - pad))
        return found

    @property
    def rows(self) -> list[tuple[int, int, int]]:
        return self.runs(self.height)

    @property
    def columns(self) -> list[tuple[int, int, int]]:
        return self.runs(self.width)

    @property
    def products(self) -> int:
        """Multiplications by real taps."""
        return (sum(n for _, n, _ in self.rows) * sum(n for _, n, _ in self.columns)) * self.inputs * self.outputs


class Task(NamedTuple):
    """A convolution that an engine works on: of which layer, and "shortcut", "first" or "second" in it."""

    layer: int
    role: str
    conv: Convolution


@dataclass(frozen=True, kw_only=True)
class Stem:
    """The first convolution, with norm and ReLU; its output is not delayed."""

    height: int
    width: int
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1

    def __post_init__(self):
        _check_sizes("stem", self)

    @property
    def main(self) -> tuple[Convolution, ...]:
        """Its convolutions, in order."""
        return (Convolution(inputs=self.inputs, outputs=self.outputs, kernel=self.kernel, stride=self.stride,
                            height=self.height, width=self.width),)

    @property
    def shortcut(self) -> None:
        return None

    @property
    def out(self) -> tuple[int, int, int]:
        """Height, width and channels of what it gives."""
        conv = self.main[0]
        return conv.out_height, conv.out_width, self.outputs


@dataclass(frozen=True, kw_only=True)
class Block:
    """A residual block: R = norm(conv(relu(norm(conv h)))), used a step later; a shortcut where the shape changes."""

    height: int
    width: int
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1

    def __post_init__(self):
        _check_sizes("block", self)

    @property
    def main(self) -> tuple[Convolution, ...]:
        """Both convolutions of the residual, in order."""
        first = Convolution(inputs=self.inputs, outputs=self.outputs, kernel=self.kernel, stride=self.stride,
                            height=self.height, width=self.width)
        return first, Convolution(inputs=self.outputs, outputs=self.outputs, kernel=self.kernel, stride=1,
                                  height=first.out_height, width=first.out_width)

    @property
    def shortcut(self) -> Convolution | None:
        """What the identity becomes where the shape changes: 1x1, without a norm."""
        if self.inputs == self.outputs and self.stride == 1:
            return None
        return Convolution(inputs=self.inputs, outputs=self.outputs, kernel=1, stride=self.stride,
                           height=self.height, width=self.width)

    @property
    def out(self) -> tuple[int, int, int]:
        """Height, width and channels of what it gives."""
        conv = self.main[0]
        return conv.out_height, conv.out_width, self.outputs


@dataclass(frozen=True, kw_only=True)
class Head:
    """Mean over the pixels, one dense layer: logits of `fraction` fraction bits. shift: bits that sums have beyond."""

    inputs: int
    outputs: int
    pixels: int
    shift: int
    fraction: int = 8

    def __post_init__(self):
        for name, low, high in (("inputs", 1, MAX_CHANNELS), ("outputs", 2, MAX_CLASSES), ("pixels", 1, MAX_MAP),
                                ("shift", 1, MULTIPLIER_BITS - 2), ("fraction", 4, 12)):
            check(is_int(getattr(self, name), low, high),
                  f"head: {name} must be an integer in {low}..{high}, not {getattr(self, name)!r}")
        check(self.pool_bits < MULTIPLIER_BITS, f"head: a sum over {self.pixels} pixels has {self.pool_bits} bits, "
                                                f"{MULTIPLIER_BITS - 1} at most")
        words = self.outputs * (self.inputs + 1)
        check(words <= MAX_LANE_WORDS, f"head: its lane would hold {words} words, {MAX_LANE_WORDS} at most")

    @property
    def pool_bits(self) -> int:
        """Bits of a sum over the pixels, unsigned."""
        return (self.pixels * ((1 << ACTIVATION_BITS) - 1)).bit_length()


#: how layers are dealt to engines: one a layer, the stem's and one for all blocks, one for all
DEALINGS = ("layer", "blocks", "all")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Lanes that work through the convolutions of some layers (0 is the stem), one after the other.

    lanes: output channels at once; side: input channels at once, each with a multiplier of its own.
    """

    layers: tuple[int, ...]
    lanes: int = 1
    side: int = 1

    def __post_init__(self):
        object.__setattr__(self, "layers", tuple(self.layers))
        check(self.layers and all(is_int(n, 0, MAX_BLOCKS) for n in self.layers)
              and sorted(set(self.layers)) == list(self.layers),
              f"engine: layers must be numbers in ascending order, not {list(self.layers)}")
        check(is_int(self.lanes, 1, MAX_CHANNELS), f"engine: lanes must be in 1..{MAX_CHANNELS}, not {self.lanes!r}")
        check(self.side in SIDES, f"engine: side must be one of {', '.join(map(str, SIDES))}, not {self.side!r}")

    @property
    def multipliers(self) -> int:
        """Those of its lanes."""
        return self.lanes * self.side

    def groups(self, conv: Convolution) -> int:
        """Words of input channels of a tap."""
        return -(-conv.inputs // self.side)

    def folds(self, conv: Convolution) -> int:
        """Output channels that a lane serves."""
        return -(-conv.outputs // self.lanes)

    def words(self, conv: Convolution) -> int:
        """Words of weights of a lane: its folds, taps and groups of channels."""
        return self.folds(conv) * conv.taps * self.groups(conv)

    def cycles(self, conv: Convolution) -> int:
        """Cycles of a convolution: real taps alone.

        A pixel takes `lanes` at least, as sums leave one a cycle, and three, as the walk makes one in three cycles.
        """
        groups = self.groups(conv)
        return self.folds(conv) * sum(max(self.lanes, 3, high * wide * groups)
                                      for _, high, _ in conv.rows for _, wide, _ in conv.columns)


def _check_sizes(owner: str, layer) -> None:
    for name, low, high in (("height", 1, MAX_SIDE), ("width", 1, MAX_SIDE), ("inputs", 1, MAX_CHANNELS),
                            ("outputs", 1, MAX_CHANNELS)):
        check(is_int(getattr(layer, name), low, high),
              f"{owner}: {name} must be an integer in {low}..{high}, not {getattr(layer, name)!r}")
    check(layer.kernel in (1, 3), f"{owner}: kernel must be 1 or 3, not {layer.kernel!r}")
    check(layer.stride in (1, 2), f"{owner}: stride must be 1 or 2, not {layer.stride!r}")
    check(layer.height * layer.width * layer.inputs <= MAX_MAP and layer.out[0] * layer.out[1] * layer.outputs <=
          MAX_MAP, f"{owner}: a map has at most {MAX_MAP} values")


def entry_of(part) -> dict:
    """A part of the description in JSON."""
    return {field.name: getattr(part, field.name) for field in fields(part)}


def parse_part(kind, entry, name: str):
    """A part of the description from its JSON; ValueError names the field that is wrong."""
    check(isinstance(entry, dict), f"{name}: must be an object, not {type(entry).__name__}")
    known = {field.name for field in fields(kind)}
    unknown = sorted(set(map(str, entry)) - known)
    check(not unknown, f"{name}: unknown fields {listed(unknown)}")
    if "layers" in entry:
        check(isinstance(entry["layers"], list), f"{name}: layers must be a list")
    try:
        return kind(**entry)
    except TypeError as error:
        missing = str(error).partition("argument")[2].strip(" s:")
        raise ValueError(f"{name}: missing fields {missing}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {str(error).partition(': ')[2] or error}") from None
