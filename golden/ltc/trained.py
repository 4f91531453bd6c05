"""What training leaves of a liquid-time-constant network: real weights by their names in the paper; words of them.

A safetensors file: tensors "layers.N.Wx" and so on, "readout.Wo" and so on; metadata "ltc_network" (name, b0 of each
layer, what inputs were scaled with, formats where some were chosen) and "training" (how it was made), both JSON.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from golden.checks import check, why
from golden.description import Trained
from golden.files import from_json, narrowest, read_safetensors, reals, to_json, write_safetensors
from golden.fixed import QFormat, quantize
from golden.ltc.layer import LtcLayer, Readout
from golden.ltc.network import LtcNetwork
from golden.ltc.step import LtcParams, ReadoutParams
from golden.widths import holding

#: bits of weights, and fewest integer bits of their formats
WEIGHT_BITS, LEAST = 8, -4
#: formats of real inputs, and of what outputs are made of: sums over all spikes, which none of them resets
OPERAND, OUTPUT = QFormat(3, 8), QFormat(5, 10)


class Formats(NamedTuple):
    """Formats of one layer, as LtcLayer and Readout have them; operand and input_weight None where inputs spike."""

    weight: QFormat
    spike_weight: QFormat
    state: QFormat = QFormat(3, 12)
    gate_sum: QFormat = QFormat(4, 8)
    gate: QFormat = QFormat(0, 8)
    operand: QFormat | None = None
    input_weight: QFormat | None = None


@dataclass(frozen=True, kw_only=True)
class RealLayer:
    """Real parameters of a layer of `size` neurons ([FPTT] arXiv 2112.11231).

    Wx (size, inputs), Wr (size, size), bx (size,)   x = Wx in + Wr s + bx
    Wm (size, 2 size), bm (size,)                    alpha = sigmoid(Wm [u; x] + bm)
    Wa (size, 2 size), ba (size,)                    rho = sigmoid(Wa [b; x] + ba); None: the threshold is b0
    b0                                               theta = b0 + 1.8 b
    """

    Wx: np.ndarray
    Wr: np.ndarray
    bx: np.ndarray
    Wm: np.ndarray
    bm: np.ndarray
    Wa: np.ndarray | None = None
    ba: np.ndarray | None = None
    b0: float = 0.1

    def __post_init__(self):
        check(np.ndim(self.Wx) == 2 and 0 not in np.shape(self.Wx),
              f"Wx must be (size, inputs), at least (1, 1), not {np.shape(self.Wx)}")
        n = len(self.Wx)
        check((self.Wa is None) == (self.ba is None), "Wa and ba belong together")
        _check_reals(self, {"Wx": np.shape(self.Wx), "Wr": (n, n), "bx": (n,), "Wm": (n, 2 * n), "bm": (n,),
                            "Wa": (n, 2 * n), "ba": (n,)})
        b0 = reals("b0", self.b0, ())
        check(b0 >= 0, f"b0 must not be negative, not {self.b0!r}")
        object.__setattr__(self, "b0", float(b0))

    @property
    def adaptive(self) -> bool:
        """Whether its threshold moves."""
        return self.Wa is not None

    @property
    def sizes(self) -> tuple[int, int]:
        """Inputs and neurons."""
        return self.Wx.shape[1], self.Wx.shape[0]


@dataclass(frozen=True, kw_only=True)
class RealReadout:
    """Real parameters of the readout of C outputs.

    Wo (C, size), bo (C,)      z = Wo s + bo
    Wg (C, 2 C), bg (C,)       a = sigmoid(Wg [z; y] + bg)
    """

    Wo: np.ndarray
    bo: np.ndarray
    Wg: np.ndarray
    bg: np.ndarray

    def __post_init__(self):
        check(np.ndim(self.Wo) == 2 and 0 not in np.shape(self.Wo),
              f"Wo must be (outputs, size), at least (1, 1), not {np.shape(self.Wo)}")
        n = len(self.Wo)
        _check_reals(self, {"Wo": np.shape(self.Wo), "bo": (n,), "Wg": (n, 2 * n), "bg": (n,)})

    @property
    def sizes(self) -> tuple[int, int]:
        """Inputs and outputs."""
        return self.Wo.shape[1], self.Wo.shape[0]


def _check_reals(part, shapes: dict) -> None:
    for name, shape in shapes.items():
        if getattr(part, name) is not None:
            object.__setattr__(part, name, reals(name, getattr(part, name), shape))


@dataclass(frozen=True, kw_only=True)
class LtcTrained(Trained):
    """Layers from the input upwards and a readout; `training` says how it was made, in what JSON has words for.

    mean, deviation (inputs,): where it was trained on (x - mean) / deviation and not on x itself, else None. formats: a
    layer each and the readout, chosen for this network (golden.ltc.widths); None, those of `usual`.
    """

    kind = "ltc"
    KEY = "ltc_network"

    name: str
    layers: tuple[RealLayer, ...]
    readout: RealReadout
    training: dict
    mean: np.ndarray | None = None
    deviation: np.ndarray | None = None
    formats: tuple[Formats, ...] | None = None

    def __post_init__(self):
        check(isinstance(self.name, str), f"name must be a text, not {self.name!r}")
        check(isinstance(self.training, dict), f"training must be an object, not {self.training!r}")
        object.__setattr__(self, "layers", tuple(self.layers))
        check(len(self.layers) > 0, f"{self.name} has no layers")
        parts = (*self.layers, self.readout)
        for n, (below, above) in enumerate(zip(parts, parts[1:], strict=False), 1):
            check(above.sizes[0] == below.sizes[1], f"layer {n} takes {above.sizes[0]} inputs, the layer below it has "
                                                    f"{below.sizes[1]} neurons")
        check((self.mean is None) == (self.deviation is None), "mean and deviation belong together")
        if self.mean is not None:
            for name in ("mean", "deviation"):
                object.__setattr__(self, name, reals(name, getattr(self, name), self.layers[0].sizes[:1]))
            check((self.deviation > 0).all(), "deviation must be positive")
        check(self.formats is None or len(self.formats) == len(parts),
              f"formats must be {len(parts)}, one a layer and the readout, not {self.formats and len(self.formats)}")

    # ---- files

    @classmethod
    def load(cls, path) -> "LtcTrained":
        """Read what `save` writes; ValueError says in one line, with `path`, what is missing or wrong."""
        tensors, about = read_safetensors(path)
        try:
            head = from_json(about[cls.KEY], "it")
            name, bases = head["name"], head["b0"]
            check(isinstance(bases, list), "b0 must be a list")
            more = {key: head[key] for key in ("mean", "deviation") if key in head}
            if "formats" in head:
                more["formats"] = tuple(Formats(*(None if text is None else QFormat.parse(text) for text in row))
                                        for row in head["formats"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: no usable network description inside ({why(error)})") from None
        try:
            layers = tuple(_part(RealLayer, f"layers.{n}", tensors, b0=b0) for n, b0 in enumerate(bases))
            readout = _part(RealReadout, "readout", tensors)
            check(not tensors, f"tensor {next(iter(tensors), '')!r} belongs to no layer")
            return cls(name=name, layers=layers, readout=readout,
                       training=from_json(about.get("training", "{}"), "training"), **more)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def save(self, path) -> None:
        """Write the file, whole or not at all; OSError, one line, where that cannot be done."""
        head = {"name": self.name, "b0": [layer.b0 for layer in self.layers]}
        if self.mean is not None:
            head |= {"mean": self.mean, "deviation": self.deviation}
        if self.formats is not None:
            head["formats"] = [[None if fmt is None else str(fmt) for fmt in row] for row in self.formats]
        parts = {f"layers.{n}": layer for n, layer in enumerate(self.layers)} | {"readout": self.readout}
        write_safetensors(path, {f"{where}.{name}": narrowest(getattr(part, name)) for where, part in parts.items()
                                 for name in _tensors(type(part)) if getattr(part, name) is not None},
                          {self.KEY: to_json(head), "training": to_json(self.training)})

    # ---- words

    def scaled(self, x) -> np.ndarray:
        """Samples (n, ticks[, inputs]) as the network was trained on them."""
        x = np.asarray(x)
        x = x[..., None] if x.ndim == 2 else x
        return x if self.mean is None else (x - self.mean) / self.deviation

    def describe(self) -> LtcNetwork:
        layers = []
        formats = self.formats or usual(self)
        for n, (layer, row) in enumerate(zip(self.layers, formats, strict=False)):
            base = quantize(layer.b0, row.state, name=f"layer {n}: b0")
            layers.append(LtcLayer(inputs=layer.sizes[0], outputs=layer.sizes[1], threshold=int(base),
                                   adaptive=layer.adaptive, **row._asdict()))
        top = {name: fmt for name, fmt in formats[-1]._asdict().items() if fmt is not None}
        inputs, outputs = self.readout.sizes
        return LtcNetwork(name=self.name, layers=(*layers, Readout(inputs=inputs, outputs=outputs, **top)))

    def quantize(self, net: LtcNetwork) -> tuple:
        found = []
        for n, (layer, d) in enumerate(zip(self.layers, net.hidden, strict=True)):
            check((d.inputs, d.outputs, d.adaptive) == (*layer.sizes, layer.adaptive),
                  f"layer {n}: the description is of another layer")
            words = _Words(d, f"layer {n}")
            found.append(LtcParams(
                alpha=words.gate("Wm", layer.Wm, layer.bm), rho=words.gate("Wa", layer.Wa, layer.ba, -1),
                weight=words("Wx", layer.Wx, d.input_weight if d.dense else d.spike_weight),
                recurrent=words("Wr", layer.Wr, d.spike_weight), bias=words("bx", layer.bx, d.spike_weight)))
        real, words = self.readout, _Words(net.readout, "readout")
        half = real.sizes[1]        # the bank begins with the weights of y, Wg with those of z
        gate = np.concatenate([real.Wg[:, half:], real.Wg[:, :half]], 1)
        return (*found, ReadoutParams(gate=words.gate("Wg", gate, real.bg),
                                      weight=words("Wo", real.Wo, net.readout.spike_weight),
                                      bias=words("bo", real.bo, net.readout.spike_weight)))

    def inputs_of(self, samples, net: LtcNetwork, lengths=None) -> np.ndarray:
        """Samples (n, ticks) or (n, ticks, channels) -> words (n, ticks, channels), clipped to the format."""
        x = np.asarray(samples)
        x = x[..., None] if x.ndim == 2 else x
        check(x.ndim == 3 and x.shape[2] == net.inputs and x.size > 0,
              f"samples must be (n, ticks, {net.inputs}), not {x.shape}")
        return quantize(self.scaled(x), net.layers[0].operand, name="input", clip_range=True)


class _Words:
    """Words of a layer's parameters; ValueError names what does not fit."""

    def __init__(self, layer, where: str):
        self.layer, self.where = layer, where

    def __call__(self, name: str, values, fmt: QFormat) -> np.ndarray:
        return quantize(values, fmt, name=f"{self.where}: {name}")

    def gate(self, name: str, weights, bias, sign: int = 1):
        """Rows [old half, x half, bias] of a gate, or of its negated weights."""
        if weights is None:
            return None
        return np.column_stack([self(name, sign * weights, self.layer.weight),
                                self(name.replace("W", "b"), sign * bias, self.layer.weight)])


def _tensors(kind) -> list[str]:
    """Names of the arrays of a part."""
    return [field.name for field in fields(kind) if field.name != "b0"]


def _part(kind, where: str, tensors: dict, **more):
    """A part of its tensors, which are taken out of `tensors`; ValueError names one that is missing or wrong."""
    found = {name: tensors.pop(f"{where}.{name}", None) for name in _tensors(kind)}
    missing = [name for name, value in found.items() if value is None and name not in ("Wa", "ba")]
    check(not missing, f"tensor '{where}.{missing and missing[0]}' is missing")
    try:
        return kind(**found, **more)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def usual(trained: LtcTrained, bits: int = WEIGHT_BITS) -> tuple[Formats, ...]:
    """Formats of weights that hold the largest of each layer, in words of `bits`; the others are always the same.

    ValueError, one line that names the layer, where a weight is too large.
    """
    def weights(where, part, *names):
        largest, name = max((float(abs(getattr(part, name)).max()), name) for name in names
                            if getattr(part, name) is not None)
        return holding(f"{where}: {name} of {largest:g}", largest, bits, LEAST)
    found = []
    for n, part in enumerate(trained.layers):
        me, spikes = f"layer {n}", ("Wr", "bx") if n == 0 else ("Wr", "bx", "Wx")
        own = Formats(weights(me, part, "Wm", "bm", "Wa", "ba"), weights(me, part, *spikes))
        found.append(own if n else own._replace(operand=OPERAND, input_weight=weights(me, part, "Wx")))
    part = trained.readout
    return (*found, Formats(weights("readout", part, "Wg", "bg"), weights("readout", part, "Wo", "bo"), OUTPUT))
