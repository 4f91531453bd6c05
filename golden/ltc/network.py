"""The description of a liquid-time-constant network: what golden, circuits, image and training all read.

[FPTT] arXiv 2112.11231: layers of spiking neurons with gates, each on top of the other, and a leaky readout.
"""

from dataclasses import dataclass, replace

import numpy as np

from golden import sequences
from golden.checks import check, is_int
from golden.description import Answers, Bank, Description, Units
from golden.ltc import engine, layout, pages, taught
from golden.ltc.entries import layer_entry, parse_layer
from golden.ltc.layer import LtcLayer, Readout
from golden.ltc.teacher import FRESH_BIT, Teacher, check_taught, parse_teacher, teacher_entry

#: raised when the same description begins to mean other bits
NUMERICS = 1
MAX_LAYERS = 8
_FIELDS = ("name", "halves", "layers")


@dataclass(frozen=True, kw_only=True)
class LtcNetwork(Description):
    """Layers of LTC neurons from the input upwards, and a readout.

    Parameters: name; layers; halves of the banks of parameters: 2, an image is put in force between two ticks, 1, it
    is loaded in place.
    """

    kind = "ltc"
    MARK = "leadlag_ltc_network"
    TENSORS = np.int32
    SAMPLE = ("sequence", "tick", "output")
    SIGNALS = "spikes, membranes above their thresholds and gates of each layer, and the outputs"

    name: str
    layers: tuple
    halves: int = 2
    teacher: Teacher | None = None

    def __post_init__(self):
        self.check_name()
        check(is_int(self.halves, 1, 2), f"network: halves must be 1 or 2, not {self.halves!r}")
        object.__setattr__(self, "layers", tuple(self.layers))
        check(2 <= len(self.layers) <= MAX_LAYERS + 1,
              f"network: 1 to {MAX_LAYERS} layers and a readout, not {len(self.layers)} in all")
        kinds = (*[LtcLayer] * (len(self.layers) - 1), Readout)
        for n, (layer, kind) in enumerate(zip(self.layers, kinds, strict=True)):
            check(isinstance(layer, kind), f"network: layer {n} must be a {kind.__name__}, not "
                                           f"{type(layer).__name__}")
        for n, layer in enumerate(self.hidden):
            check(layer.dense == (n == 0), f"network: layer {n} takes {'real inputs' if layer.dense else 'spikes'}: "
                                           f"the first layer, and no other, has real inputs")
        for n, (below, above) in enumerate(zip(self.layers, self.layers[1:], strict=False), 1):
            check(above.inputs == below.outputs,
                  f"network: layer {n} has {above.inputs} inputs, layer {n - 1} has {below.outputs} outputs")

        if self.teacher is not None:
            check_taught(self)

    # ---- its parts

    @property
    def streams(self) -> int:
        return 1 if self.teacher is None else self.teacher.streams

    @property
    def targets(self) -> int:
        return 0 if self.teacher is None else 1

    @property
    def hidden(self) -> tuple[LtcLayer, ...]:
        """The layers that spike."""
        return self.layers[:-1]

    @property
    def readout(self) -> Readout:
        return self.layers[-1]

    @property
    def parameters(self) -> int:
        return sum(int(np.prod(shape)) for layer in self.layers for shape, _ in layer.shapes().values())

    @property
    def size(self) -> str:
        return f"{self.parameters:,} parameters"

    # ---- what it is

    def in_place(self) -> "LtcNetwork | None":
        return replace(self, halves=1) if self.halves == 2 else None

    def unfolded(self) -> "LtcNetwork":
        return replace(self, halves=2)

    def shape(self) -> dict:
        return {"ltc": NUMERICS, "halves": self.halves, "layers": [layer_entry(layer) for layer in self.layers]} | \
            self._taught()

    def _taught(self) -> dict:
        return {} if self.teacher is None else {"teacher": teacher_entry(self.teacher)}

    def entry(self) -> dict:
        return {"name": self.name, "halves": self.halves,
                "layers": [layer_entry(layer) for layer in self.layers]} | self._taught()

    @classmethod
    def parse(cls, entry: dict) -> "LtcNetwork":
        check(set(entry) - {"teacher"} == {cls.MARK, *_FIELDS},
              f"network description has the fields {sorted(map(str, entry))}, expected {sorted((cls.MARK, *_FIELDS))}")
        check(isinstance(entry["layers"], list), "network description: layers must be a list")
        return cls(name=entry["name"], halves=entry["halves"],
                   layers=tuple(parse_layer(n, layer) for n, layer in enumerate(entry["layers"])),
                   teacher=parse_teacher(entry["teacher"]) if "teacher" in entry else None)

    # ---- parameters

    def check(self, params) -> None:
        layout.check_params(self, params)

    def layout(self) -> tuple[Bank, ...]:
        return (layout if self.teacher is None else taught).banks(self)

    def pack(self, params) -> list[np.ndarray]:
        return (layout if self.teacher is None else taught).pack(self, params)

    def unpack(self, words) -> tuple:
        return (layout if self.teacher is None else taught).unpack(self, words)

    # ---- runs

    def run(self, params, x, progress=None) -> np.ndarray:
        """Words (n, ticks, inputs) -> words y (n, ticks, outputs) of every tick; each sequence from rest."""
        found = []
        for start in range(0, len(x), engine.CHUNK):
            part = np.asarray(x[start:start + engine.CHUNK])
            found.append(engine.run(self, params, part))
            if progress is not None:
                progress(len(part))
        return np.concatenate(found)

    def units(self, x) -> Units:
        """Words x (n, ticks, inputs); a unit is a tick."""
        return sequences.units(self, x)

    def learning_units(self, x, target, **flags) -> Units:
        """Words x (ticks, streams, inputs), labels (ticks, streams, 1) with FRESH_BIT; as golden.sequences has them."""
        return sequences.learning_units(self, x, taught.checked(self, target), range(2 << FRESH_BIT), **flags)

    def outputs_of(self, found, x) -> np.ndarray:
        """Words y (n, ticks, outputs)."""
        return sequences.outputs(self, found, np.shape(x)[:-1], self.readout.state)

    def answers(self, outputs, since: int = 0, lengths=None) -> Answers:
        """The largest output of a sequence's last tick; `since` is not used, the readout remembers."""
        outputs = np.asarray(outputs)
        ends = np.full(len(outputs), outputs.shape[1]) if lengths is None else np.asarray(lengths)
        check(bool(((ends >= 1) & (ends <= outputs.shape[1])).all()),
              f"a sequence has 1 to {outputs.shape[1]} ticks, not {ends.min() if ends.min() < 1 else ends.max()}")
        last = outputs[np.arange(len(outputs)), ends - 1]
        return Answers(last.argmax(1), last * self.readout.state.lsb)

    # ---- pages

    def table(self):
        return pages.table(self)

    def signals(self, params, x) -> list[tuple[str, np.ndarray]]:
        """Spikes, membranes and gates of every layer, and the outputs."""
        return pages.signals(self, params, np.asarray(x))

    def sections(self, outputs, samples, label, lengths=None) -> dict:
        """Accuracy against time."""
        return pages.sections(outputs, label, lengths)
