"""The description of a spiking network whose synapses have delays: what golden, circuits, image and training all read.

Layers (golden.spiking.layer), each fully connected to the one below; validation, JSON both ways, a fingerprint.
"""

from dataclasses import dataclass, fields

import numpy as np

from golden.checks import check, is_int
from golden.description import Answers, Bank, Description, Units
from golden.spiking import engine, graph, layout, words
from golden.spiking.codes import CODES, MAX_TICKS, LatencyCode, LevelCode
from golden.spiking.layer import (
    MAX_OUTPUTS,
    SpikingLayer,
    built_entry,
    layer_entry,
    parse_fields,
    parse_layer,
)

#: raised when the same description begins to mean other bits
NUMERICS = 1
DECISIONS = ("first_spike", "potential")
#: images that golden runs at once
CHUNK = 500


@dataclass(frozen=True, kw_only=True)
class SpikingNetwork(Description):
    """A feed-forward network of spiking layers, run image by image over `ticks` ticks from rest.

    decision: "first_spike", the class is the output that spikes first (among several the one with the largest
    membrane, then the first; none by the last tick: the largest membrane of the last tick); "potential", the largest
    membrane of the last tick, and outputs do not spike. code: how images become spikes.
    """

    kind = "spiking"
    MARK = "leadlag_spiking_network"
    TENSORS = np.int16
    SAMPLE = ("image",)
    END = 1 << words.IMAGE_BIT

    name: str
    ticks: int
    layers: tuple[SpikingLayer, ...]
    decision: str = "first_spike"
    code: LatencyCode | LevelCode | None = None

    def __post_init__(self):
        self.check_name()
        check(is_int(self.ticks, 1, MAX_TICKS), f"network: ticks must be in 1..{MAX_TICKS}, not {self.ticks!r}")
        check(self.decision in DECISIONS,
              f"network: decision must be one of {', '.join(DECISIONS)}, not {self.decision!r}")
        check(self.code is None or isinstance(self.code, LatencyCode | LevelCode),
              f"network: code must be a LatencyCode, a LevelCode or None, not {self.code!r}")
        object.__setattr__(self, "layers", tuple(self.layers))
        check(1 <= len(self.layers) <= 16, f"network: 1 to 16 layers, not {len(self.layers)}")
        for n, layer in enumerate(self.layers):
            check(isinstance(layer, SpikingLayer),
                  f"network: layer {n} must be a SpikingLayer, not {type(layer).__name__}")
            below = self.layers[n - 1].outputs if n else layer.inputs
            check(layer.inputs == below,
                  f"network: layer {n} has {layer.inputs} inputs, layer {n - 1} has {below} outputs")
        check(self.outputs <= MAX_OUTPUTS, f"network: at most {MAX_OUTPUTS} classes, not {self.outputs}")
        if self.code is not None:
            self.code.check(self.ticks, self.inputs)
        check(self.layers[-1].folds == 1, f"network: the last layer decides at once, with {self.outputs} lanes")

    @property
    def synapses(self) -> int:
        return sum(layer.synapses for layer in self.layers)

    @property
    def size(self) -> str:
        return f"{self.synapses:,} synapses"

    def shape(self) -> dict:
        return {"spiking": NUMERICS, "ticks": self.ticks, "decision": self.decision,
                "layers": [built_entry(layer_entry(layer)) for layer in self.layers]}

    def entry(self) -> dict:
        entry = {"name": self.name, "ticks": self.ticks, "decision": self.decision,
                 "layers": [layer_entry(layer) for layer in self.layers]}
        if self.code is not None:
            entry["code"] = {field.name: getattr(self.code, field.name) for field in fields(self.code)}
        return entry

    @classmethod
    def parse(cls, entry: dict) -> "SpikingNetwork":
        check(set(entry) - {"code"} == {cls.MARK, "name", "ticks", "decision", "layers"},
              f"network description has the fields {sorted(map(str, entry))}, expected ['decision', 'layers', "
              f"'leadlag_spiking_network', 'name', 'ticks']")
        check(isinstance(entry["layers"], list), "network description: layers must be a list")
        code = _code(entry["code"]) if "code" in entry else None
        return cls(name=entry["name"], ticks=entry["ticks"], decision=entry["decision"], code=code,
                   layers=tuple(parse_layer(n, layer) for n, layer in enumerate(entry["layers"])))

    # ---- parameters

    def check(self, params) -> None:
        engine.check_synapses(self, params)

    def layout(self) -> tuple[Bank, ...]:
        return layout.banks(self)

    def pack(self, params) -> list[np.ndarray]:
        return layout.pack(self, params)

    def unpack(self, words) -> tuple:
        return layout.unpack(self, words)

    # ---- runs

    def run(self, params, x, progress=None) -> np.ndarray:
        """X (n, ticks, inputs) spikes, bool -> (n,) words (golden.spiking.words)."""
        found = []
        for start in range(0, len(x), CHUNK):
            part = x[start:start + CHUNK]
            found.append(words.answer_words(engine.run(self, params, part).answers))
            if progress is not None:
                progress(len(part))
        return np.concatenate(found)

    def units(self, x) -> Units:
        """X (n, ticks, inputs) spikes, bool; a unit is an image."""
        check(np.ndim(x) == 0 or len(x) > 0, "no images to run")
        found = words.input_words(self, x)
        return Units(found, np.flatnonzero(found == self.END) + 1, 1)

    def outputs_of(self, found, x) -> np.ndarray:
        """(n,) words."""
        found = np.asarray(found, np.int64) & words.ANSWER_MASK
        for n, (label, tick, fired) in enumerate(zip(*words.answers(found), strict=True)):
            decides = tick < self.ticks and self.decision == "first_spike" if fired else tick == self.ticks - 1
            check(label < self.outputs and decides,
                  f"answer {n} is label {label} by {'a spike' if fired else 'the membranes'} in tick {tick}, which "
                  f"{self.name} cannot give: {self.outputs} outputs, {self.ticks} ticks, decision {self.decision}")
        return found

    def answers(self, outputs, since: int = 0, lengths=None) -> Answers:
        """The output that decided; outputs are not summed: since and lengths say nothing."""
        return Answers(words.answers(outputs).label)

    # ---- for others

    def graph(self, params, dt: float, target: str = "nir"):
        return graph.to_graph(self, params, dt, target)

    # ---- pages

    def table(self):
        rows = []
        for n, layer in enumerate(self.layers):
            weight = f"seed {layer.weight.seed}" if layer.regenerates else str(layer.weight)
            rows.append((str(n), f"{layer.inputs} x {layer.outputs}", weight, f"0..{layer.max_delay}",
                         str(layer.state), f"{layer.threshold * layer.state.lsb:g}", str(layer.lanes),
                         str(layer.folds), str(layer.banks)))
        return ("layer", "size", "weights", "delay", "state", "threshold", "lanes", "folds", "banks"), rows

    def signals(self, params, x) -> list[tuple[str, np.ndarray]]:
        """Spikes of every layer."""
        spikes = engine.run(self, params, np.asarray(x)[None]).spikes
        return [("input", np.asarray(x, float)),
                *((f"layer {n}", found[0].astype(float)) for n, found in enumerate(spikes))]


def _code(entry) -> LatencyCode | LevelCode:
    named = [kind for field, kind in CODES.items() if isinstance(entry, dict) and field in entry]
    return parse_fields((named or [LatencyCode])[0], entry, "code")
