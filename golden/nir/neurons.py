"""The nodes of NIR with a value for each channel: neurons, integrators, delays, scales.

z = 1 where v > v_threshold, and then v = v_reset; x is what comes in, the sum of all edges into the node.

    Scale, Threshold        s x;  x > threshold
    Delay                   x(t - delay)
    I, IF                   v' = r x
    LI, LIF                 tau v' = v_leak - v + r x
    CubaLI, CubaLIF         tau_syn i' = -i + w_in x;  tau_mem v' = v_leak - v + r i

A value is an array of the channels' shape, or one for all. Times are in seconds, or in whatever dt is in. `v_reset`
is 0 and `w_in` is 1 where a file does not say (before 0.2 none could). Source: the specification of NIR. Errors do not
name the node: golden/nir/read.py puts it before them.
"""

from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np

from golden.checks import check
from golden.files import reals
from golden.nir.nodes import (
    Affine,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Flatten,
    Input,
    Linear,
    Node,
    Output,
    Shape,
    SumPool2d,
    assign,
)


@dataclass(frozen=True, eq=False)
class Pointwise(Node):
    """A node whose fields are all arrays of the channels' shape, or one value for all of them."""

    #: fields that must be above 0, and that must not be below it
    ABOVE: ClassVar[tuple[str, ...]] = ()
    NOT_BELOW: ClassVar[tuple[str, ...]] = ()
    DEFAULTS: ClassVar[dict[str, float]] = {"v_reset": 0.0, "w_in": 1.0}

    def __post_init__(self):
        found, shapes = {}, set()
        for each in fields(self):
            value = getattr(self, each.name)
            found[each.name] = reals(each.name, self.DEFAULTS.get(each.name) if value is None else value)
            for bad, names in ((found[each.name] <= 0, self.ABOVE), (found[each.name] < 0, self.NOT_BELOW)):
                check(each.name not in names or not bad.any(), f"{each.name} must be "
                      f"{'above 0' if names is self.ABOVE else 'at least 0'}, not {found[each.name].min(initial=0):g}")
            if found[each.name].size != 1:
                shapes.add(found[each.name].shape)
        check(len(shapes) < 2, f"shapes differ: {', '.join(f'{k} {list(v.shape)}' for k, v in found.items())}")
        # one neuron, (1,), is a shape; a value without axes fits any
        ones = {value.shape for value in found.values()} - {()}
        shape = shapes.pop() if shapes else min(ones, default=())
        check(0 not in shape, "there are no channels")
        assign(self, **{name: np.broadcast_to(value.reshape(()) if value.size == 1 else value, shape)
                      for name, value in found.items()})

    @property
    def given(self):
        return getattr(self, fields(self)[0].name).shape or None

    def at(self, shape: Shape) -> "Pointwise":
        """The same with a value for each channel of a shape."""
        return replace(self, **{each.name: np.broadcast_to(getattr(self, each.name), shape) for each in fields(self)})


@dataclass(frozen=True, eq=False)
class Scale(Pointwise):
    """s x."""

    scale: np.ndarray


@dataclass(frozen=True, eq=False)
class Threshold(Pointwise):
    """1 where x > threshold."""

    threshold: np.ndarray
    SPIKES: ClassVar = True


@dataclass(frozen=True, eq=False)
class Delay(Pointwise):
    """x(t - delay), in seconds; no state of its own in the sense of STATE, but what it holds."""

    delay: np.ndarray
    NOT_BELOW: ClassVar = ("delay",)


@dataclass(frozen=True, eq=False)
class Integrator(Pointwise):
    """NIR's I: v' = r x; v leaves."""

    r: np.ndarray
    STATE: ClassVar = True
    KIND: ClassVar = "I"


@dataclass(frozen=True, eq=False)
class IF(Pointwise):
    """v' = r x; spikes leave."""

    r: np.ndarray
    v_threshold: np.ndarray
    v_reset: np.ndarray | None = None
    STATE: ClassVar = True
    SPIKES: ClassVar = True
    OPTIONAL: ClassVar = ("v_reset",)


@dataclass(frozen=True, eq=False)
class LI(Pointwise):
    """tau v' = v_leak - v + r x; v leaves."""

    tau: np.ndarray
    r: np.ndarray
    v_leak: np.ndarray
    STATE: ClassVar = True
    ABOVE: ClassVar = ("tau",)


@dataclass(frozen=True, eq=False)
class LIF(LI):
    """tau v' = v_leak - v + r x; spikes leave."""

    v_threshold: np.ndarray
    v_reset: np.ndarray | None = None
    SPIKES: ClassVar = True
    OPTIONAL: ClassVar = ("v_reset",)


@dataclass(frozen=True, eq=False)
class CubaLI(Pointwise):
    """tau_syn i' = -i + w_in x; tau_mem v' = v_leak - v + r i; v leaves."""

    tau_syn: np.ndarray
    tau_mem: np.ndarray
    r: np.ndarray
    v_leak: np.ndarray
    w_in: np.ndarray | None = None
    STATE: ClassVar = True
    ABOVE: ClassVar = ("tau_syn", "tau_mem")
    OPTIONAL: ClassVar = ("w_in",)


@dataclass(frozen=True, eq=False)
class CubaLIF(CubaLI):
    """tau_syn i' = -i + w_in x; tau_mem v' = v_leak - v + r i; spikes leave."""

    v_threshold: np.ndarray | None = None
    v_reset: np.ndarray | None = None
    SPIKES: ClassVar = True
    OPTIONAL: ClassVar = ("w_in", "v_reset")

    def __post_init__(self):
        check(self.v_threshold is not None, "v_threshold is missing")
        super().__post_init__()


#: by their names in NIR
NODES = {each.KIND or each.__name__: each for each in (
    Input, Output, Affine, Linear, Conv1d, Conv2d, SumPool2d, AvgPool2d, Flatten, Scale, Threshold, Delay,
    Integrator, IF, LI, LIF, CubaLI, CubaLIF)}
