"""The description of a network of rate neurons: what golden, circuits, compiler, loader and reports all read.

Layers (golden.rate.layer), from the input upwards, that all work at once; validation, JSON both ways, a fingerprint.
"""

from dataclasses import dataclass, replace

import numpy as np

from golden import sequences
from golden.checks import check
from golden.description import Answers, Bank, Description, Units
from golden.rate import engine, layout
from golden.rate.layer import Dense, built_entry, check_int, layer_entry, parse_layer
from golden.rate.plastic import Teacher, parse, plain
from golden.units.extrapolator import Way

#: Raised when the same description begins to mean other bits, so that old images are refused.
NUMERICS = 1
#: the same for networks with a softmax alone: 2, exp reaches to -16 and not to -8
SOFTMAX_NUMERICS = 2
#: sequences that golden runs at once
CHUNK = 250


@dataclass(frozen=True, kw_only=True)
class Network(Description):
    """A feed-forward network of layers that all work at once (two-phase tick).

    Parameters: name; dt, the duration of a tick in the units of the time constants; layers, from the input upwards;
    teacher, for a network that learns: its plastic layers are the last ones.
    """

    kind = "rate"
    MARK = "leadlag_network"
    TENSORS = np.int32
    SAMPLE = ("sequence", "tick", "output")

    name: str
    dt: float
    layers: tuple[Dense, ...]
    teacher: Teacher | None = None

    def __post_init__(self):
        self.check_name()
        check(isinstance(self.dt, int | float) and 0 < self.dt < float("inf"),
               f"network: dt must be a positive number, not {self.dt!r}")
        object.__setattr__(self, "layers", tuple(self.layers))
        check(1 <= len(self.layers) <= 64, f"network: 1 to 64 layers, not {len(self.layers)}")
        for n, layer in enumerate(self.layers):
            check(isinstance(layer, Dense), f"network: layer {n} must be a Dense, not {type(layer).__name__}")
        for n, (below, above) in enumerate(zip(self.layers, self.layers[1:], strict=False), 1):
            check(above.inputs == below.outputs,
                   f"network: layer {n} has {above.inputs} inputs, layer {n - 1} has {below.outputs} outputs")
            check(above.operand == below.rate,
                   f"network: layer {n} takes {above.operand}, layer {n - 1} sends {below.rate}")
        check(self.layers[0].least_delay == 0, "network: messages into layer 0 are there when its tick starts")
        check(self.layers[0].predictor is None,
               "network: messages into layer 0 come from outside, which has to predict them")
        check(len({layer.halves for layer in self.layers}) == 1,
              "network: layers have one half of parameters all of them, or two")
        self._check_learning()

    def _check_learning(self):
        check(self.teacher is None or isinstance(self.teacher, Teacher),
               f"network: teacher must be a Teacher or None, not {self.teacher!r}")
        plastic = [layer.plastic is not None for layer in self.layers]
        check(any(plastic) == (self.teacher is not None),
               "network: plastic layers need a teacher" if any(plastic) else "network: a teacher needs a plastic layer")
        check(self.teacher is None or self.teacher.loss != "cross_entropy" or self.layers[-1].activation == "linear",
               f"network: cross-entropy takes the linear outputs of the last layer, not {self.layers[-1].activation}")
        check(plastic == sorted(plastic), "network: plastic layers are the last ones, errors come from above")
        for n, layer in enumerate(self.layers):
            check(layer.predictor is None or not layer.predictor.learns or layer.plastic is not None,
                   f"network: layer {n} does not learn, nor does the predictor of its messages: rate must be None")
        for n, layer in enumerate(self.layers[:self.first_plastic + 1]):
            check(not layer.max_error_delay and layer.error_predictor is None,
                   f"network: layer {n} sends no errors down that could be late")
        for n in range(self.first_plastic + 1, len(self.layers)):
            self.error_way(n).check()
            check_int(f"network: layer {n}", "error_delay", self.layers[n].error_delay, self.layers[n].least_delay,
                       self.layers[n].max_error_delay)
            shift = self.back_shift(n)
            check(0 <= shift < self.layers[n].back_bits,
                   f"network: error {self.layers[n - 1].plastic.error} of layer {n - 1} cannot be made of products "
                   f"of {self.layers[n].weight} and {self.layers[n].plastic.error}")

    @property
    def first_plastic(self) -> int:
        """Number of the first layer that learns, or of layers where none does."""
        return sum(layer.plastic is None for layer in self.layers)

    @property
    def streams(self) -> int:
        return 1 if self.teacher is None else self.teacher.streams

    @property
    def targets(self) -> int:
        """Target words of a tick in which errors run."""
        if self.teacher is None:
            return 0
        return self.outputs if self.teacher.loss == "squared_error" else 1

    def in_place(self) -> "Network | None":
        if self.teacher is not None or self.layers[0].halves == 1:
            return None
        return replace(self, layers=tuple(replace(layer, halves=1) for layer in self.layers))

    def unfolded(self) -> "Network":
        return replace(self, layers=tuple(replace(layer, halves=2) for layer in self.layers))

    def back_shift(self, n: int) -> int:
        """Bits by which W^T eps of layer n is shifted to be an error word of layer n - 1."""
        above, below = self.layers[n], self.layers[n - 1]
        return above.weight.frac_bits + above.plastic.error.frac_bits - below.plastic.error.frac_bits

    def sends_errors(self, n: int) -> bool:
        """Whether errors go from layer n to the layer below."""
        return self.first_plastic < n < len(self.layers)

    def error_way(self, n: int) -> Way:
        """How errors come from layer n into layer n - 1."""
        return self.layers[n].error_way(self.layers[n - 1].plastic.error)

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def size(self) -> str:
        return f"{self.parameters:,} parameters"

    def shape(self) -> dict:
        entry = {"numerics": NUMERICS, "layers": [built_entry(layer_entry(layer)) for layer in self.layers]}
        if self.teacher is not None:
            entry["teacher"] = plain(self.teacher)
            if self.teacher.loss == "cross_entropy":
                entry["softmax"] = SOFTMAX_NUMERICS
        return entry

    def entry(self) -> dict:
        entry = {"name": self.name, "dt": self.dt, "layers": [layer_entry(layer) for layer in self.layers]}
        return entry if self.teacher is None else entry | {"teacher": plain(self.teacher)}

    @classmethod
    def parse(cls, entry: dict) -> "Network":
        check(set(entry) - {"teacher"} == {cls.MARK, "name", "dt", "layers"},
              f"network description has the fields {sorted(entry)}, "
              f"expected ['dt', 'layers', 'leadlag_network', 'name']")
        check(isinstance(entry["layers"], list), "network description: layers must be a list")
        layers = tuple(parse_layer(n, layer) for n, layer in enumerate(entry["layers"]))
        teacher = parse(Teacher, entry["teacher"]) if "teacher" in entry else None
        return cls(name=entry["name"], dt=entry["dt"], layers=layers, teacher=teacher)

    # ---- parameters

    def check(self, params) -> None:
        engine.check_params(self, params)

    def layout(self) -> tuple[Bank, ...]:
        return layout.banks(self)

    def pack(self, params) -> list[np.ndarray]:
        return layout.pack(self, params)

    def unpack(self, words) -> tuple:
        params = layout.unpack(self, words)
        self.check(params)
        return params

    # ---- runs

    def run(self, params, x, progress=None) -> np.ndarray:
        """X (n, ticks, inputs) words -> (n, ticks, outputs) words."""
        found = []
        for start in range(0, len(x), CHUNK):
            part = x[start:start + CHUNK]
            found.append(engine.run(self, params, part))
            if progress is not None:
                progress(len(part))
        return np.concatenate(found)

    def units(self, x) -> Units:
        """X (n, ticks, inputs) words; a unit is a tick of a stream, and every stream is given the same."""
        return sequences.units(self, x)

    def learning_units(self, x, target, **flags) -> Units:
        fmt = self.layers[-1].rate
        labels = self.teacher is not None and self.teacher.loss == "cross_entropy"
        taught = range(self.outputs) if labels else range(fmt.min, fmt.max + 1)
        return sequences.learning_units(self, x, target, taught, **flags)

    def outputs_of(self, found, x) -> np.ndarray:
        """(n, ticks, outputs) of stream 0."""
        return sequences.outputs(self, found, np.shape(x)[:-1], self.layers[-1].rate)

    def answers(self, outputs, since: int = 0, lengths=None) -> Answers:
        """The output with the largest sum over the ticks that count, and the mean of each."""
        outputs = np.asarray(outputs)
        ticks = np.arange(outputs.shape[1])
        ends = np.full(len(outputs), len(ticks)) if lengths is None else np.asarray(lengths)
        counts = (ticks >= since) & (ticks < ends[:, None])
        check(bool(counts.any(1).all()), f"no tick counts: answers are summed from tick {since} on")
        total = (outputs * counts[..., None]).sum(1)
        return Answers(total.argmax(1), total * self.layers[-1].rate.lsb / counts.sum(1)[:, None])

    # ---- pages

    def table(self):
        rows = [(str(n), f"{layer.inputs} x {layer.outputs}", layer.activation, str(layer.weight), str(layer.state),
                 str(layer.lead), str(layer.lag), str(layer.rate), str(layer.lanes), str(layer.folds))
                for n, layer in enumerate(self.layers)]
        return ("layer", "size", "activation", "weight", "state", "lead", "lag", "rate", "lanes", "folds"), rows

    def signals(self, params, x) -> list[tuple[str, np.ndarray]]:
        """Rates of every layer."""
        rates = engine.rates(self, params, x)
        names = (f"layer {n} ({layer.activation})" for n, layer in enumerate(self.layers))
        return [("input", np.asarray(x) * self.layers[0].operand.lsb), *zip(names, rates, strict=True)]

    @property
    def tick(self) -> tuple[float, str]:
        return self.dt, "time units of tau"
