"""Trained real numbers -> formats and words: from a float network to a description and its integer parameters."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.dense import DenseParams
from golden.fixed import QFormat, quantize
from golden.network import ACTIVATIONS, Dense, Network

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
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        if np.ndim(self.weight) != 2 or 0 in np.shape(self.weight):
            raise ValueError(f"weight must be (outputs, inputs), at least (1, 1), not {np.shape(self.weight)}")
        outputs = len(self.weight)
        for name in _TENSORS:
            value = np.asarray(getattr(self, name), np.float64)
            object.__setattr__(self, name, value)
            if name != "weight" and value.shape != (outputs,):
                raise ValueError(f"{name} must be ({outputs},) like the rows of weight, not {value.shape}")
            bad = np.argwhere(~np.isfinite(value))
            if len(bad):
                raise ValueError(f"{name}{bad[0].tolist()} is {value[tuple(bad[0])]}, not a finite number")
        if (self.tau_m <= 0).any() or (self.tau_r < 0).any():
            raise ValueError("tau_m must be positive and tau_r not negative")


@dataclass(frozen=True, kw_only=True)
class FloatNetwork:
    """What training leaves: name, dt and layers; `training` says how it was made."""

    name: str
    dt: float
    layers: tuple[FloatLayer, ...]
    training: dict

    @classmethod
    def load(cls, path) -> "FloatNetwork":
        """Read safetensors as written by golden/train; ValueError says which tensor is missing or wrong."""
        from safetensors import SafetensorError, safe_open
        path = Path(path)
        try:
            with safe_open(path, framework="numpy") as file:
                about = file.metadata() or {}
                tensors = {key: file.get_tensor(key) for key in list(file.keys())}
        except FileNotFoundError:
            raise ValueError(f"{path}: no such file") from None
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path}: not a safetensors file ({error})") from None
        except (TypeError, AttributeError) as error:
            raise ValueError(f"{path}: a tensor has a type that numpy lacks ({error}); float32 is expected") from None
        try:
            head = json.loads(about["network"])
            name, dt, activations = head["name"], float(head["dt"]), list(head["activations"])
            training = json.loads(about.get("training", "{}"))
            if not isinstance(name, str) or not isinstance(training, dict):
                raise TypeError("name must be a text and training an object")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{path}: no usable network description inside ({error!r})") from None
        layers = []
        for n, activation in enumerate(activations):
            try:
                layers.append(FloatLayer(activation=activation,
                                         **{t: tensors[f"layers.{n}.{t}"] for t in _TENSORS}))
            except KeyError as error:
                raise ValueError(f"{path}: tensor {error} is missing") from None
            except ValueError as error:
                raise ValueError(f"{path}: layer {n}: {error}") from None
        if len(tensors) > len(_TENSORS) * len(layers):
            raise ValueError(f"{path}: {len(tensors)} tensors for {len(layers)} activations, "
                             f"{len(_TENSORS) * len(layers)} expected")
        return cls(name=name, dt=dt, layers=tuple(layers), training=training)


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


def describe(net: FloatNetwork, widths: Widths = Widths()) -> Network:
    """The description of the network's shape with the formats of `widths`; one lane a layer."""
    layers, operand = [], widths.input
    for layer in net.layers:
        rate = widths.rate(layer.activation)
        layers.append(Dense(
            inputs=layer.weight.shape[1], outputs=layer.weight.shape[0], activation=layer.activation,
            operand=operand, weight=widths.weight, state=widths.state, lead=widths.lead, lag=widths.lag, rate=rate))
        operand = rate
    return Network(name=net.name, dt=net.dt, layers=tuple(layers))


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
