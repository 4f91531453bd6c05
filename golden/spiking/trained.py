"""What training leaves of a spiking network: description, real delays and weights, and words of them for the circuit.

A safetensors file: tensors "layers.N.delay" (whole ticks as bytes) and, unless weights come from a seed,
"layers.N.weight"; metadata "spiking_network" (the description), "training" (how it was made) and "weights": a CRC-32
for each layer whose weights come from a seed. Delays fit only the weights with which they were learnt, so those must
come out the same again.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from golden.checks import check
from golden.description import Trained
from golden.files import from_json, narrowest, read_safetensors, reals, to_json, write_safetensors
from golden.fixed import quantize
from golden.spiking.codes import LevelCode
from golden.spiking.engine import Synapses, encode, round_delays
from golden.spiking.network import SpikingNetwork


@dataclass(frozen=True, kw_only=True)
class SpikingTrained(Trained):
    """A network with its delays in ticks and weights, real (outputs, inputs) a layer; weight None from a seed."""

    kind = "spiking"
    KEY = "spiking_network"

    net: SpikingNetwork
    delays: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray | None, ...]
    training: dict

    def __post_init__(self):
        layers = self.net.layers
        for name in ("delays", "weights"):
            check(len(getattr(self, name)) == len(layers),
                  f"{self.net.name} has {len(layers)} layers, not {len(getattr(self, name))} of {name}")
        check(isinstance(self.training, dict), f"training must be an object, not {self.training!r}")
        for n, (layer, weight) in enumerate(zip(layers, self.weights, strict=True)):
            check(layer.regenerates == (weight is None), f"layer {n}: weights come from a seed, none are stored"
                  if layer.regenerates else f"layer {n}: stored weights are missing")
        shapes = [(layer.outputs, layer.inputs) for layer in layers]
        object.__setattr__(self, "delays", tuple(
            reals(f"layer {n}: delay", value, shape) for n, (value, shape) in
            enumerate(zip(self.delays, shapes, strict=True))))
        object.__setattr__(self, "weights", tuple(
            None if value is None else reals(f"layer {n}: weight", value, shape) for n, (value, shape) in
            enumerate(zip(self.weights, shapes, strict=True))))

    @classmethod
    def load(cls, path) -> "SpikingTrained":
        """Read a file; ValueError says in one line what is missing or wrong."""
        tensors, about = read_safetensors(path)
        try:
            net, sums = SpikingNetwork.from_json(about["spiking_network"]), from_json(about["weights"], "weights")
            training = from_json(about.get("training", "{}"), "training")
        except KeyError as error:
            raise ValueError(f"{path}: no {error} in the metadata: not a trained spiking network") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
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
        """Write the file, whole or not at all; OSError, one line, where that cannot be done."""
        tensors = {f"layers.{n}.{kind}": form(value)
                   for kind, form, values in (("delay", _ticks, self.delays), ("weight", narrowest, self.weights))
                   for n, value in enumerate(values) if value is not None}
        write_safetensors(path, tensors, {
            "spiking_network": self.net.to_json(), "training": to_json(self.training),
            "weights": to_json([_sum(layer) for layer in self.net.layers])})

    @property
    def name(self) -> str:
        return self.net.name

    def describe(self) -> SpikingNetwork:
        return self.net

    def lines(self, inputs: int) -> int:
        """A line a pixel, or those of a code that has several for a channel."""
        code = self.net.code
        return code.lines if isinstance(code, LevelCode) and len(code.levels) == inputs else inputs

    def inputs_of(self, samples, net: SpikingNetwork, lengths=None) -> np.ndarray:
        """Images (n, pixels) of uint8, or sequences (n, ticks, channels) -> spikes (n, ticks, lines)."""
        check(net.code is not None, f"{net.name} does not say how images become spikes: its description has no code")
        return encode(net.code, net.ticks, samples, lengths)

    def quantize(self, net: SpikingNetwork | None = None) -> tuple[Synapses, ...]:
        """Words of every layer, which do not depend on lanes; ValueError where one does not fit."""
        return tuple(
            Synapses(round_delays(layer, delay, name=f"layer {n}: delay"),
                     None if weight is None else quantize(weight, layer.weight, name=f"layer {n}: weight"))
            for n, (layer, delay, weight) in enumerate(zip(self.net.layers, self.delays, self.weights, strict=True)))


def _sum(layer) -> int | None:
    """CRC-32 of the weights that come from a seed, one byte each, neuron after neuron."""
    if not layer.regenerates:
        return None
    return zlib.crc32(np.ascontiguousarray(layer.weight.matrix(layer.inputs, layer.outputs), np.int8).tobytes())


def _ticks(delay) -> np.ndarray:
    """Whole ticks take a byte each."""
    whole = (delay >= 0) & (delay < 256) & (delay == np.floor(delay))
    return delay.astype(np.uint8) if whole.all() else narrowest(delay)
