"""Trained real numbers -> formats and words: from a float network to a description and its integer parameters."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from golden.checks import check, is_int, why
from golden.description import Trained
from golden.files import from_json, narrowest, read_safetensors, reals, to_json, write_safetensors
from golden.fixed import QFormat, quantize
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.units.activation import ACTIVATIONS
from golden.units.dense import DenseParams

_TENSORS = ("weight", "bias", "tau_m", "tau_r")


@dataclass(frozen=True, kw_only=True)
class FloatLayer:
    """Real parameters of a layer: weight (outputs, inputs); bias, tau_m, tau_r (outputs,); activation."""

    weight: np.ndarray
    bias: np.ndarray
    tau_m: np.ndarray
    tau_r: np.ndarray
    activation: str

    def __post_init__(self):
        if not isinstance(self.activation, str) or self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        if np.ndim(self.weight) != 2 or 0 in np.shape(self.weight):
            raise ValueError(f"weight must be (outputs, inputs), at least (1, 1), not {np.shape(self.weight)}")
        outputs = len(self.weight)
        for name in _TENSORS:
            shape = np.shape(getattr(self, name))
            if name != "weight" and shape != (outputs,):
                raise ValueError(f"{name} must be ({outputs},) like the rows of weight, not {shape}")
            object.__setattr__(self, name, reals(name, getattr(self, name)))
        if (self.tau_m <= 0).any() or (self.tau_r < 0).any():
            raise ValueError("tau_m must be positive and tau_r not negative")


class Formats(NamedTuple):
    """Formats of one layer, as `Dense` has them."""

    operand: QFormat
    weight: QFormat
    state: QFormat
    lead: QFormat
    lag: QFormat
    rate: QFormat
    guard: int = 0


@dataclass(frozen=True, kw_only=True)
class FloatNetwork(Trained):
    """What training leaves: name, dt and layers; `training` says how it was made, in what JSON has words for.

    mean, deviation (inputs,): where it was trained on (x - mean) / deviation and not on x itself, else None. formats: a
    layer each, chosen for this network (golden.rate.widths); None, those that all networks share (Widths).
    """

    kind = "rate"
    KEY = "network"

    name: str
    dt: float
    layers: tuple[FloatLayer, ...]
    training: dict
    mean: np.ndarray | None = None
    deviation: np.ndarray | None = None
    formats: tuple[Formats, ...] | None = None

    def __post_init__(self):
        check(isinstance(self.name, str), f"name must be a text, not {self.name!r}")
        number = isinstance(self.dt, int | float | np.integer | np.floating) and not isinstance(self.dt, bool)
        check(number and 0 < self.dt < math.inf, f"dt must be a positive number, not {self.dt!r}")
        check(isinstance(self.training, dict), f"training must be an object, not {self.training!r}")
        check(len(self.layers) > 0, f"{self.name} has no layers")
        for n, (below, layer) in enumerate(zip(self.layers, self.layers[1:], strict=False), 1):
            check(layer.weight.shape[1] == len(below.bias),
                  f"layer {n} takes {layer.weight.shape[1]} inputs, the layer below it has {len(below.bias)} neurons")
        object.__setattr__(self, "dt", float(self.dt))
        object.__setattr__(self, "layers", tuple(self.layers))
        check((self.mean is None) == (self.deviation is None), "mean and deviation belong together")
        if self.mean is not None:
            for name in ("mean", "deviation"):
                object.__setattr__(self, name, reals(name, getattr(self, name), self.layers[0].weight.shape[1:]))
            check((self.deviation > 0).all(), "deviation must be positive")

        check(self.formats is None or len(self.formats) == len(self.layers),
              f"formats must be {len(self.layers)}, one a layer, not {self.formats and len(self.formats)}")

    def scaled(self, x) -> np.ndarray:
        """Samples (n, ticks[, inputs]) as the network was trained on them."""
        x = np.asarray(x)
        x = x[..., None] if x.ndim == 2 else x
        return x if self.mean is None else (x - self.mean) / self.deviation

    @classmethod
    def load(cls, path) -> "FloatNetwork":
        """Read what `save` writes; ValueError says in one line, with `path`, what is missing or wrong."""
        tensors, about = read_safetensors(path)
        try:
            head = from_json(about["network"], "it")
            if isinstance(head, dict) and "leadlag_network" in head:
                raise ValueError("it describes words for a circuit, not the real numbers that training leaves")
            name, dt, activations = head["name"], head["dt"], head["activations"]
            more = {key: head[key] for key in ("mean", "deviation") if key in head}
            if "formats" in head:
                more["formats"] = tuple(Formats(*map(QFormat.parse, row[:-1]), _guard(row[-1]))
                                        for row in head["formats"])
            if not isinstance(activations, list):
                raise TypeError("activations must be a list")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: no usable network description inside ({why(error)})") from None
        try:
            names = [f"layers.{n}.{t}" for n in range(len(activations)) for t in _TENSORS]
            missing, extra = sorted(set(names) - set(tensors)), sorted(set(tensors) - set(names))
            check(not missing, f"tensor {missing and missing[0]!r} is missing")
            check(not extra, f"{len(tensors)} tensors for {len(activations)} activations, {len(names)} expected")
            return cls(name=name, dt=dt, layers=tuple(_layer(n, tensors, activation) for n, activation in
                                                      enumerate(activations)),
                       training=from_json(about.get("training", "{}"), "training"), **more)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def save(self, path) -> None:
        """Write a safetensors file, whole or not at all; OSError, one line, where that cannot be done.

        Tensors "layers.N.weight" (outputs, inputs), ".bias", ".tau_m" and ".tau_r" (outputs,), N = 0 at the input, in
        float32 where that loses nothing; metadata "network" (name, dt, activations) and "training", both JSON.
        """
        head = {"name": self.name, "dt": self.dt, "activations": [layer.activation for layer in self.layers]}
        if self.mean is not None:
            head |= {"mean": self.mean, "deviation": self.deviation}
        if self.formats is not None:
            head["formats"] = [[*map(str, row[:-1]), row.guard] for row in self.formats]
        write_safetensors(path, {f"layers.{n}.{t}": narrowest(getattr(layer, t)) for n, layer in enumerate(self.layers)
                                 for t in _TENSORS},
                          {"network": to_json(head), "training": to_json(self.training)})

    def describe(self) -> Network:
        return describe(self)

    def quantize(self, net: Network) -> tuple[DenseParams, ...]:
        return quantize_params(self, net)

    def inputs_of(self, samples, net: Network, lengths=None) -> np.ndarray:
        """Samples (n, ticks) or (n, ticks, channels) -> words (n, ticks, channels)."""
        return quantize_input(self.scaled(samples), net)


def _guard(value) -> int:
    check(is_int(value, 0, 8), f"guard must be in 0..8, not {value!r}")
    return value


def _layer(n: int, tensors: dict, activation) -> FloatLayer:
    try:
        return FloatLayer(activation=activation, **{t: tensors[f"layers.{n}.{t}"] for t in _TENSORS})
    except ValueError as error:
        raise ValueError(f"layer {n}: {error}") from None


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Formats by quantity, compared on held-out training sequences (docs/numbers.md).

    They do not look at the trained values: one design, and one bitstream, serves every training of a network shape.
    """

    input: QFormat = QFormat(3, 12)
    weight: QFormat = QFormat(4, 9)
    state: QFormat = QFormat(5, 10)
    lead: QFormat = QFormat(1, 10)
    lag: QFormat = QFormat(1, 10)
    bounded_rate: QFormat = QFormat(0, 9)
    unbounded_rate: QFormat = QFormat(5, 8)

    def rate(self, activation: str) -> QFormat:
        return self.bounded_rate if activation in ("tanh", "sigmoid", "hard_sigmoid") else self.unbounded_rate


def describe(net: FloatNetwork, widths: Widths | None = None) -> Network:
    """The description of the network's shape; one lane a layer. Formats: of `widths`, else its own, else Widths()."""
    formats = net.formats if widths is None and net.formats is not None else _shared(net, widths or Widths())
    return Network(name=net.name, dt=net.dt, layers=tuple(
        Dense(inputs=layer.weight.shape[1], outputs=layer.weight.shape[0], activation=layer.activation, **row._asdict())
        for layer, row in zip(net.layers, formats, strict=True)))


def _shared(net: FloatNetwork, widths: Widths) -> list[Formats]:
    rows, operand = [], widths.input
    for layer in net.layers:
        rate = widths.rate(layer.activation)
        rows.append(Formats(operand, widths.weight, widths.state, widths.lead, widths.lag, rate))
        operand = rate
    return rows


def quantize_params(net: FloatNetwork, description: Network) -> tuple[DenseParams, ...]:
    """Words of every parameter: lead = tau_r / tau_m and lag = dt / tau_m; ValueError where one does not fit."""
    words = []
    for n, (layer, d) in enumerate(zip(net.layers, description.layers, strict=True)):
        if layer.weight.shape != d.shape("weight"):
            raise ValueError(f"layer {n}: weight has shape {layer.weight.shape}, expected {d.shape('weight')}")
        with np.errstate(over="ignore"):
            lead, lag = layer.tau_r / layer.tau_m, description.dt / layer.tau_m
        slow = np.flatnonzero((lag > 1) | (lag < d.lag.lsb / 2))
        if len(slow):
            least, most = description.dt, 2 * description.dt / d.lag.lsb
            raise ValueError(f"layer {n}: tau_m[{slow[0]}] is {layer.tau_m[slow[0]]:g}, Euler steps of {least:g} with "
                             f"a lag of {d.lag} need {least:g} to {most:g}")
        words.append(DenseParams(
            weight=quantize(layer.weight, d.weight, name=f"layer {n}: weight"),
            bias=quantize(layer.bias, d.weight, name=f"layer {n}: bias"),
            lead=quantize(lead, d.lead, name=f"layer {n}: tau_r / tau_m"),
            lag=quantize(lag, d.lag, name=f"layer {n}: dt / tau_m")))
    return tuple(words)


def quantize_input(x, description: Network) -> np.ndarray:
    """Samples (batch, ticks) or (batch, ticks, inputs) -> input words (batch, ticks, inputs), clipped to the format."""
    x = np.asarray(x)
    x = x[..., None] if x.ndim == 2 else x
    if x.ndim != 3 or x.shape[2] != description.inputs:
        raise ValueError(f"samples must be (batch, ticks, {description.inputs}), not {x.shape}")
    return quantize(x, description.layers[0].operand, name="input", clip_range=True)
