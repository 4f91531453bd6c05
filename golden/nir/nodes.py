"""The nodes of NIR without a state, with what they are given checked: weights, convolutions, pools, other shapes.

x is what comes in, the sum of all edges into the node; shapes have no axis for samples or time.

    Affine, Linear          W x + b, W x
    Conv1d, Conv2d          cross-correlation, and a bias a channel
    SumPool2d, AvgPool2d    sum, mean of a window
    Flatten                 other shape, C order

Those with a value for each channel, neurons among them, are in golden/nir/neurons.py. Source: the specification of
NIR, versions 0.2 to 1.0.8. Errors do not name the node: golden/nir/read.py puts it before them.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from golden.checks import check
from golden.files import reals

Shape = tuple[int, ...]
#: neurons, or values, of one node at most: beyond it a shape is damaged
MOST = 1 << 28


def shown(value) -> str:
    """A value of any kind in one line of at most 60 letters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def counts(name: str, value, ndim: int, least: int) -> tuple[int, ...]:
    """`ndim` integers of at least `least`, from one for all or as many: NIR has both."""
    found = np.asarray(value)
    said = shown(found.tolist()) if found.size < 32 else f"{found.size} values"
    check(found.dtype.kind in "iu" or found.dtype.kind == "f" and bool(np.all(np.isfinite(found)))
          and bool(np.all(found == np.floor(found))), f"{name} must be integers, not {said}")
    check(found.shape in ((), (1,), (ndim,)), f"{name} must be one number or {ndim}, not {said}")
    whole = tuple(int(each) for each in np.broadcast_to(found, (ndim,)))
    check(all(least <= each <= MOST for each in whole), f"{name} must be at least {least}, not {said}")
    return whole


def shape_of(name: str, value) -> Shape:
    """A shape of at least one value."""
    found = np.atleast_1d(np.asarray(value))
    check(found.dtype.kind in "iuf" and found.ndim == 1 and 0 < len(found) <= 8,
          f"{name} must be a shape, not {shown(value)}")
    whole = counts(name, found, len(found), 1)
    check(math.prod(whole) <= MOST, f"{name} {list(whole)} has {math.prod(whole)} values, at most {MOST}")
    return whole


class Node:
    """What all nodes have: `out(shape)`, the shape of what leaves when `shape` comes in; ValueError where none does."""

    #: whether there is a state between steps, and whether what leaves is spikes
    STATE: ClassVar[bool] = False
    SPIKES: ClassVar[bool] = False
    #: fields that a file may lack
    OPTIONAL: ClassVar[tuple[str, ...]] = ()
    #: its name in NIR where that is not the class's
    KIND: ClassVar[str] = ""

    @property
    def given(self) -> Shape | None:
        """The shape that must come in; None where any may."""
        return None

    def out(self, shape: Shape) -> Shape:
        check(self.given in (None, shape), f"{list(shape)} comes in, {list(self.given or ())} is expected")
        return shape

    @property
    def kind(self) -> str:
        return self.KIND or type(self).__name__


def assign(node, **values) -> None:
    for name, value in values.items():
        object.__setattr__(node, name, value)


@dataclass(frozen=True, eq=False)
class Input(Node):
    """What comes from outside, of a shape."""

    shape: Shape

    def __post_init__(self):
        assign(self, shape=shape_of("shape", self.shape))

    @property
    def given(self):
        return self.shape


@dataclass(frozen=True, eq=False)
class Output(Input):
    """What goes outside."""


# ---- weights

@dataclass(frozen=True, eq=False)
class Linear(Node):
    """W x, weight (out, in)."""

    weight: np.ndarray

    def __post_init__(self):
        weight = reals("weight", self.weight)
        check(weight.ndim == 2 and weight.size > 0, f"weight must be a matrix, not of shape {list(weight.shape)}")
        assign(self, weight=weight)

    @property
    def given(self):
        return (self.weight.shape[1],)

    def out(self, shape):
        super().out(shape)
        return (self.weight.shape[0],)


@dataclass(frozen=True, eq=False)
class Affine(Linear):
    """W x + b, bias (out,)."""

    bias: np.ndarray

    def __post_init__(self):
        super().__post_init__()
        assign(self, bias=spread("bias", self.bias, (len(self.weight),)))


def spread(name: str, value, shape: Shape) -> np.ndarray:
    """Real numbers of a shape, from one for all or as many."""
    value = reals(name, value)
    check(value.shape in ((), (1,), shape), f"{name} has shape {list(value.shape)}, expected {list(shape)}")
    return np.broadcast_to(value, shape)


@dataclass(frozen=True, eq=False)
class Conv(Node):
    """Cross-correlation of (channels, ...) with weight (out, in / groups, ...), and a bias a channel."""

    weight: np.ndarray
    bias: np.ndarray | None = None
    input_shape: Shape | None = None
    stride: Shape = 1
    padding: Shape | str = 0
    dilation: Shape = 1
    groups: int = 1

    NDIM: ClassVar[int]
    OPTIONAL: ClassVar = ("input_shape", "bias")

    def __post_init__(self):
        n, weight = self.NDIM, reals("weight", self.weight)
        check(weight.ndim == n + 2 and weight.size > 0, f"weight must have {n + 2} axes, not {list(weight.shape)}")
        groups, = counts("groups", self.groups, 1, 1)
        check(len(weight) % groups == 0, f"{len(weight)} channels do not part into {groups} groups")
        padding = self.padding
        check(padding in ("same", "valid") if isinstance(padding, str) else padding is not None,
              f"padding must be integers, same or valid, not {shown(padding)}")
        stride, dilation = counts("stride", self.stride, n, 1), counts("dilation", self.dilation, n, 1)
        check(not isinstance(padding, str) or padding == "valid" or stride == (1,) * n,
              "padding same needs a stride of 1")
        assign(self, weight=weight, groups=groups, stride=stride, dilation=dilation,
             bias=spread("bias", 0 if self.bias is None else self.bias, (len(weight),)),
             padding=padding if isinstance(padding, str) else counts("padding", padding, n, 0),
             input_shape=None if self.input_shape is None else counts("input_shape", self.input_shape, n, 1))

    @property
    def given(self):
        return None if self.input_shape is None else (self.weight.shape[1] * self.groups, *self.input_shape)

    @property
    def pads(self) -> tuple[tuple[int, int], ...]:
        """Zeros before and behind each axis; those of an odd number of `same` are behind."""
        if self.padding == "valid":
            return ((0, 0),) * self.NDIM
        if self.padding == "same":
            whole = [d * (k - 1) for d, k in zip(self.dilation, self.weight.shape[2:], strict=True)]
            return tuple((each // 2, each - each // 2) for each in whole)
        return tuple((each, each) for each in self.padding)

    def out(self, shape):
        super().out(shape)
        channels = self.weight.shape[1] * self.groups
        check(len(shape) == self.NDIM + 1 and shape[0] == channels,
              f"{list(shape)} comes in, {channels} channels of {self.NDIM} axes are expected")
        return (len(self.weight), *windows(shape[1:], self.weight.shape[2:], self.stride, self.pads, self.dilation))


def windows(shape: Shape, kernel: Shape, stride: Shape, pads, dilation: Shape) -> Shape:
    """How many windows there are along each axis."""
    found = tuple((n + sum(pad) - d * (k - 1) - 1) // s + 1
                  for n, k, s, pad, d in zip(shape, kernel, stride, pads, dilation, strict=True))
    check(min(found) > 0, f"a window of {list(kernel)} does not fit into {list(shape)}")
    return found


class Conv1d(Conv):
    """Along one axis: (channels, n)."""

    NDIM = 1


class Conv2d(Conv):
    """Along two axes: (channels, height, width)."""

    NDIM = 2


@dataclass(frozen=True, eq=False)
class SumPool2d(Node):
    """Sums of windows of each channel of (channels, height, width); zeros around count."""

    kernel_size: Shape
    stride: Shape
    padding: Shape = 0

    def __post_init__(self):
        assign(self, kernel_size=counts("kernel_size", self.kernel_size, 2, 1),
             stride=counts("stride", self.stride, 2, 1), padding=counts("padding", self.padding, 2, 0))
        check(all(2 * p <= k for p, k in zip(self.padding, self.kernel_size, strict=True)),
              f"padding {list(self.padding)} is more than half of the window {list(self.kernel_size)}")

    @property
    def pads(self) -> tuple[tuple[int, int], ...]:
        return tuple((each, each) for each in self.padding)

    def out(self, shape):
        check(len(shape) == 3, f"{list(shape)} comes in, (channels, height, width) is expected")
        return (shape[0], *windows(shape[1:], self.kernel_size, self.stride, self.pads, (1, 1)))


class AvgPool2d(SumPool2d):
    """Means of windows: sums over the size of the window, whatever of it is zeros around."""


@dataclass(frozen=True, eq=False)
class Flatten(Node):
    """Axes start_dim..end_dim become one; there is no axis for samples among them."""

    start_dim: int = 1
    end_dim: int = -1
    input_type: Shape | None = None

    OPTIONAL: ClassVar = ("start_dim", "end_dim", "input_type")

    def __post_init__(self):
        for name in ("start_dim", "end_dim"):
            value = np.asarray(getattr(self, name))
            check(value.dtype.kind in "iu" and value.size == 1,
                  f"{name} must be an integer, not {shown(value.tolist())}")
            assign(self, **{name: int(value.reshape(())[()])})
        assign(self, input_type=None if self.input_type is None else shape_of("input_type", self.input_type))

    @property
    def given(self):
        return self.input_type

    def out(self, shape):
        super().out(shape)
        n = len(shape)
        start, end = (each + n if each < 0 else each for each in (self.start_dim, self.end_dim))
        check(0 <= start <= end < n, f"axes {self.start_dim}..{self.end_dim} are not there in {list(shape)}")
        return (*shape[:start], math.prod(shape[start:end + 1]), *shape[end + 1:])
