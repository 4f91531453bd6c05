"""An event-driven network with its words, as an import leaves it: nothing of it is a real number any more.

A safetensors file: tensors "neurons.N.FIELD", "dense.N.FIELD", "sparse.FIELD" (golden.event.params); metadata
"event_network" (the description) and "training" (where it comes from), both JSON.
"""

from dataclasses import dataclass

import numpy as np

from golden.checks import check
from golden.description import Trained
from golden.event.network import EventNetwork
from golden.event.params import Dense, Neurons, Sparse
from golden.files import from_json, read_safetensors, to_json, write_safetensors


@dataclass(frozen=True, kw_only=True)
class EventTrained(Trained):
    """A description and parameters that fit it (golden.event.params)."""

    kind = "event"
    KEY = "event_network"

    net: EventNetwork
    params: tuple
    training: dict

    def __post_init__(self):
        check(isinstance(self.training, dict), f"training must be an object, not {self.training!r}")
        object.__setattr__(self, "params", tuple(self.params))
        self.net.check(self.params)

    @classmethod
    def load(cls, path) -> "EventTrained":
        """Read a file; ValueError says in one line what is missing or wrong."""
        tensors, about = read_safetensors(path)
        try:
            net = EventNetwork.from_json(about["event_network"])
            training = from_json(about.get("training", "{}"), "training")
            params = [kind(**{field: tensors.pop(f"{prefix}.{field}", None) for field in kind._fields})
                      for prefix, kind in _names(net)]
            for (prefix, kind), p in zip(_names(net), params, strict=True):
                missing = [field for field, value in p._asdict().items() if value is None and kind is not Neurons]
                check(not missing, f"tensor {prefix}.{(missing or [''])[0]} is missing")
            check(not tensors, f"tensor {next(iter(tensors), '')} belongs to nothing")
            return cls(net=net, params=params, training=training)
        except KeyError as error:
            raise ValueError(f"{path}: no {error} in the metadata: not an event-driven network") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def save(self, path) -> None:
        """Write the file, whole or not at all; OSError, one line, where that cannot be done."""
        tensors = {f"{prefix}.{field}": _narrowest(value) for (prefix, _), p in
                   zip(_names(self.net), self.params, strict=True) for field, value in p._asdict().items()
                   if value is not None}
        write_safetensors(path, tensors, {"event_network": self.net.to_json(), "training": to_json(self.training)})

    @property
    def name(self) -> str:
        return self.net.name

    def describe(self) -> EventNetwork:
        return self.net

    def quantize(self, net: EventNetwork | None = None) -> tuple:
        """Its words: they do not depend on lanes."""
        return self.params

    def inputs_of(self, samples, net: EventNetwork, lengths=None) -> np.ndarray:
        """Sequences (n, ticks, lines), rounded to the nearest word that a line can carry.

        A word is 1, or what "input_scale" of an import says. Words beyond those of a line are cut; ValueError where
        lines carry spikes, and something else is to come.
        """
        x = np.asarray(samples) / self.training.get("input_scale", 1)
        check(x.ndim == 3 and x.shape[2] == net.lines,
              f"{net.name} takes sequences (n, ticks, {net.lines}), not {x.shape}")
        if net.input_bits == 1:
            odd = x[~np.isclose(x, np.clip(np.rint(x), 0, 1), rtol=0, atol=1e-6)]
            check(not len(odd), f"{net.name}: lines carry spikes, 0 or 1, and {odd[:1].sum():g} is to come; an import "
                                f"with --calibrate RASTER makes lines for the values of a raster")
        low, high = (0, 1) if net.input_bits == 1 else (-(1 << net.input_bits - 1), (1 << net.input_bits - 1) - 1)
        return np.clip(np.floor(x + 0.5), low, high).astype(np.int64)


def _names(net) -> list[tuple[str, type]]:
    """Beginning of the names of tensors, and what they make, in the order of parameters."""
    found = [(f"neurons.{n}", Neurons) for n in range(len(net.populations))]
    found += [(f"dense.{n}", Dense) for n in range(len(net.dense))]
    return found + ([("sparse", Sparse)] if net.entries else [])


def _narrowest(value) -> np.ndarray:
    """In the shortest signed type that holds it."""
    value = np.asarray(value)
    return next(value.astype(kind) for kind in (np.int8, np.int16, np.int32, np.int64)
                if np.array_equal(value.astype(kind), value))
