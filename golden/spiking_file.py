"""What training leaves of a spiking network: description, real delays and weights, and words of them for the circuit.

A safetensors file: tensors "layers.N.delay" (whole ticks as bytes) and, unless weights come from a seed,
"layers.N.weight"; metadata "spiking_network" (the description), "training" (how it was made) and "weights": a CRC-32
for each layer whose weights come from a seed. Delays fit only the weights with which they were learnt, so those must
come out the same again.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.checks import check
from golden.fixed import quantize
from golden.spiking import Synapses, round_delays
from golden.spiking_network import SpikingNetwork


@dataclass(frozen=True, kw_only=True)
class SpikingTrained:
    """A network with its delays in ticks and weights, real (outputs, inputs) a layer; weight None from a seed."""

    net: SpikingNetwork
    delays: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray | None, ...]
    training: dict

    def __post_init__(self):
        layers = self.net.layers
        for name in ("delays", "weights"):
            check(len(getattr(self, name)) == len(layers),
                  f"{self.net.name} has {len(layers)} layers, not {len(getattr(self, name))} of {name}")
        for n, (layer, weight) in enumerate(zip(layers, self.weights, strict=True)):
            check(layer.regenerates == (weight is None), f"layer {n}: weights come from a seed, none are stored"
                  if layer.regenerates else f"layer {n}: stored weights are missing")
        object.__setattr__(self, "delays", tuple(_real(f"layer {n}: delay", value, layer) for n, (value, layer) in
                                                 enumerate(zip(self.delays, layers, strict=True))))
        object.__setattr__(self, "weights", tuple(
            None if value is None else _real(f"layer {n}: weight", value, layer) for n, (value, layer) in
            enumerate(zip(self.weights, layers, strict=True))))

    @classmethod
    def load(cls, path) -> "SpikingTrained":
        """Read a file; ValueError says in one line what is missing or wrong."""
        path = Path(path)
        tensors, about = _read(path)
        try:
            net, sums = SpikingNetwork.from_json(about["spiking_network"]), json.loads(about["weights"])
            training = json.loads(about.get("training", "{}"))
        except KeyError as error:
            raise ValueError(f"{path}: no {error} in the metadata: not a trained spiking network") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        check(isinstance(training, dict), f"{path}: training must be an object")
        names = {f"layers.{n}.{kind}" for n, layer in enumerate(net.layers)
                 for kind in (("delay",) if layer.regenerates else ("delay", "weight"))}
        missing, extra = sorted(names - set(tensors)), sorted(set(tensors) - names)
        check(not missing, f"{path}: tensor {missing and missing[0]} is missing")
        check(not extra, f"{path}: tensor {extra and extra[0]} belongs to no layer")
        seeds = [layer.weight if layer.regenerates else None for layer in net.layers]
        check(isinstance(sums, list) and [s is None for s in sums] == [w is None for w in seeds],
              f"{path}: weights must list a CRC-32 a layer, null where weights are stored, not {sums!r}")
        for n, (ternary, layer, found) in enumerate(zip(seeds, net.layers, sums, strict=True)):
            check(ternary is None or _sum(layer) == found,
                  f"{path}: layer {n}: seed {ternary and ternary.seed} gives other weights than those of the training: "
                  f"hash version {ternary and ternary.hash_version} has changed (CRC-32 {_sum(layer)}, not {found!r})")
        delays, weights = (tuple(tensors.get(f"layers.{n}.{kind}") for n in range(len(seeds)))
                           for kind in ("delay", "weight"))
        try:
            return cls(net=net, delays=delays, weights=weights, training=training)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def save(self, path) -> None:
        """Write the file, beside and renamed."""
        from safetensors.numpy import save_file
        tensors = {f"layers.{n}.{kind}": np.ascontiguousarray(value, _type(value) if kind == "delay" else np.float32)
                   for kind, values in (("delay", self.delays), ("weight", self.weights))
                   for n, value in enumerate(values) if value is not None}
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.part")
        save_file(tensors, beside, metadata={
            "spiking_network": self.net.to_json(), "training": json.dumps(self.training),
            "weights": json.dumps([_sum(layer) for layer in self.net.layers])})
        beside.chmod(0o644)
        beside.replace(path)

    def quantize(self) -> tuple[Synapses, ...]:
        """Words of every layer; ValueError where one does not fit."""
        return tuple(
            Synapses(round_delays(layer, delay, name=f"layer {n}: delay"),
                     None if weight is None else quantize(weight, layer.weight, name=f"layer {n}: weight"))
            for n, (layer, delay, weight) in enumerate(zip(self.net.layers, self.delays, self.weights, strict=True)))


def _sum(layer) -> int | None:
    """CRC-32 of the weights that come from a seed, one byte each, neuron after neuron."""
    if not layer.regenerates:
        return None
    return zlib.crc32(np.ascontiguousarray(layer.weight.matrix(layer.inputs, layer.outputs), np.int8).tobytes())


def _type(delay) -> type:
    """Whole ticks take a byte each."""
    whole = (delay >= 0) & (delay < 256) & (delay == np.floor(delay))
    return np.uint8 if whole.all() else np.float32


def _real(name: str, value, layer) -> np.ndarray:
    value = np.asarray(value)
    check(value.shape == (layer.outputs, layer.inputs),
          f"{name} has shape {value.shape}, expected {(layer.outputs, layer.inputs)}")
    value = value.astype(np.float32) if value.dtype == np.uint8 else value
    check(value.dtype.kind == "f", f"{name} must be real numbers, not {value.dtype}")
    bad = np.argwhere(~np.isfinite(value))
    if len(bad):
        raise ValueError(f"{name}{bad[0].tolist()} is {value[tuple(bad[0])]}, not a finite number")
    return value


def _read(path: Path) -> tuple[dict, dict]:
    """Tensors and metadata of a safetensors file."""
    from safetensors import SafetensorError, safe_open
    try:
        with safe_open(path, framework="numpy") as file:
            return {key: file.get_tensor(key) for key in list(file.keys())}, file.metadata() or {}
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a safetensors file ({error})") from None
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{path}: a tensor has a type that numpy lacks ({error}); float32 is expected") from None


def is_spiking(path) -> bool:
    """Whether a file holds a trained spiking network; False for what cannot be read."""
    try:
        return "spiking_network" in _read(Path(path))[1]
    except ValueError:
        return False
