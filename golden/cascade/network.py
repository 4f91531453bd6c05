"""The description of a cascaded network: what golden, circuits, image and training all read.

[CASCADE] arXiv 2102.09808. h_0 = stem(x);  h_k[t] = relu(shortcut_k(h_{k-1}[t]) + R_k[t-1]);  logits = head(h_N[t]):
the identity is instantaneous through all blocks, a residual is a step late.
"""

from dataclasses import dataclass, replace

import numpy as np

from golden.cascade import engine, layout, pages, words
from golden.cascade.layer import (
    ACTIVATION_BITS,
    MAX_BLOCKS,
    Block,
    Engine,
    Head,
    Stem,
    Task,
    entry_of,
    parse_part,
)
from golden.checks import check, is_int
from golden.description import Answers, Bank, Description, Units

#: raised when the same description begins to mean other bits
NUMERICS = 1
_FIELDS = ("name", "steps", "stem", "blocks", "head", "pre", "post", "norm", "engines")
_RUN = ("scheme", "rule", "threshold")
#: fields that need not be there
_OPTIONAL = ("detector", *_RUN)
SCHEMES, NORMS = ("parallel", "serial"), ("shared", "step")


@dataclass(frozen=True, kw_only=True)
class CascadeNetwork(Description):
    """Stem, residual blocks that all work in the same step, head.

    Parameters
    ----------
      steps      that a frame takes by itself
      layers     a Stem, Blocks, a Head
      pre, post  shifts of a convolution's sum before, and behind its scale (golden.cascade.engine.affine)
      norm       "shared", one scale and bias a channel; "step", block k has k of them, by the steps since the last cut
      engines    which lanes work on which layers: each layer but the head in one engine
      detector   a frame whose values differ from those of the one before by more than this, summed up, is a cut; None:
                 only frames that say so are
      scheme, rule, threshold    what frames are told with: golden.cascade.words; no part of the circuit
    """

    kind = "cascade"
    MARK = "leadlag_cascade_network"
    TENSORS = np.int32
    SAMPLE = ("image", "step", "output")
    SIGNALS = "the mean of each channel behind stem and blocks, and the logits"
    END = 1 << words.END_BIT

    name: str
    steps: int
    layers: tuple
    pre: int
    post: int
    norm: str = "shared"
    engines: tuple[Engine, ...] = ()
    detector: int | None = None
    scheme: str = "parallel"
    rule: str = "never"
    threshold: int = 0

    def __post_init__(self):
        self.check_name()
        object.__setattr__(self, "layers", tuple(self.layers))
        check(is_int(self.steps, 1, words.MAX_STEPS),
              f"network: steps must be in 1..{words.MAX_STEPS}, not {self.steps!r}")
        for name, low, high in (("pre", 0, 16), ("post", 4, 24)):
            check(is_int(getattr(self, name), low, high),
                  f"network: {name} must be in {low}..{high}, not {getattr(self, name)!r}")
        check(self.norm in NORMS, f"network: norm must be one of {', '.join(NORMS)}, not {self.norm!r}")
        check(self.scheme in SCHEMES, f"network: scheme must be one of {', '.join(SCHEMES)}, not {self.scheme!r}")
        check(self.rule in words.RULES, f"network: rule must be one of {', '.join(words.RULES)}, not {self.rule!r}")
        check(is_int(self.threshold, 0, words.MAX_THRESHOLD),
              f"network: threshold must be a word of 0..{words.MAX_THRESHOLD}, not {self.threshold!r}")
        self._check_layers()
        most = self.inputs * ((1 << ACTIVATION_BITS) - 1)
        check(self.detector is None or is_int(self.detector, 0, most),
              f"network: detector must be a sum of differences in 0..{most}, or none, not {self.detector!r}")
        object.__setattr__(self, "engines", tuple(self.engines) or layout.dealt(self, "layer"))
        layout.check_engines(self)

    def _check_layers(self):
        check(3 <= len(self.layers) <= MAX_BLOCKS + 2, f"network: a stem, 1 to {MAX_BLOCKS} blocks and a head, not "
                                                       f"{len(self.layers)} layers")
        kinds = (Stem, *[Block] * (len(self.layers) - 2), Head)
        for n, (layer, kind) in enumerate(zip(self.layers, kinds, strict=True)):
            check(isinstance(layer, kind), f"network: layer {n} must be a {kind.__name__}, not "
                                           f"{type(layer).__name__}")
        for n, (below, layer) in enumerate(zip(self.layers, self.blocks, strict=False), 1):
            takes = (layer.height, layer.width, layer.inputs)
            check(takes == below.out,
                  f"network: block {n} takes {pages.by(takes)}, the layer below gives {pages.by(below.out)}")
        high, wide, channels = self.layers[-2].out
        check((self.head.pixels, self.head.inputs) == (high * wide, channels),
              f"network: the head takes {self.head.pixels} pixels of {self.head.inputs} channels, the last block gives "
              f"{pages.by((high, wide, channels))}")

    # ---- its parts

    @property
    def stem(self) -> Stem:
        return self.layers[0]

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self.layers[1:-1]

    @property
    def head(self) -> Head:
        return self.layers[-1]

    @property
    def inputs(self) -> int:
        """Values of a frame."""
        return self.stem.height * self.stem.width * self.stem.inputs

    @property
    def outputs(self) -> int:
        return self.head.outputs

    @property
    def lanes(self) -> int:
        """Multipliers that convolve."""
        return sum(unit.multipliers for unit in self.engines)

    @property
    def lanes_by_layer(self) -> list[int]:
        """Multipliers of each engine."""
        return [unit.multipliers for unit in self.engines]

    def unfolded(self) -> "CascadeNetwork":
        return replace(self, engines=())

    @property
    def parameters(self) -> int:
        """Weights, scales and biases."""
        affine = sum(2 * self.affine_rows(n) * conv.outputs for n, layer in enumerate(self.layers[:-1])
                     for conv in layer.main)
        weights = sum(task.conv.weights for unit in self.engines for task in self.program(unit))
        return weights + affine + self.head.outputs * (self.head.inputs + 1)

    @property
    def size(self) -> str:
        return f"{self.parameters:,} parameters"

    def affine_rows(self, layer: int) -> int:
        """Scales and biases that a channel of a layer has."""
        return max(1, layer) if self.norm == "step" else 1

    def program(self, unit: Engine) -> list[Task]:
        """All that an engine works on, in the order of urgency: shortcuts, blocks, the stem."""
        found = [Task(n, "shortcut", self.layers[n].shortcut) for n in unit.layers
                 if self.layers[n].shortcut is not None]
        return found + [Task(n, role, conv) for n in sorted(unit.layers, key=lambda n: n or MAX_BLOCKS + 1)
                        for role, conv in zip(("first", "second"), self.layers[n].main, strict=False)]

    # ---- what it is

    def shape(self) -> dict:
        return {"cascade": NUMERICS, **{name: value for name, value in self.entry().items()
                                        if name not in ("name", *_RUN)}}

    def entry(self) -> dict:
        return {"name": self.name, "steps": self.steps, "stem": entry_of(self.stem),
                "blocks": [entry_of(block) for block in self.blocks], "head": entry_of(self.head), "pre": self.pre,
                "post": self.post, "norm": self.norm,
                "engines": [entry_of(unit) | {"layers": list(unit.layers)} for unit in self.engines],
                **({} if self.detector is None else {"detector": self.detector}),
                "scheme": self.scheme, "rule": self.rule, "threshold": self.threshold}

    @classmethod
    def parse(cls, entry: dict) -> "CascadeNetwork":
        check(set(entry) - set(_OPTIONAL) == {cls.MARK, *_FIELDS},
              f"network description has the fields {sorted(map(str, entry))}, expected {sorted((cls.MARK, *_FIELDS))}")
        for name in ("blocks", "engines"):
            check(isinstance(entry[name], list), f"network description: {name} must be a list")
        layers = (parse_part(Stem, entry["stem"], "stem"),
                  *(parse_part(Block, part, f"block {n}") for n, part in enumerate(entry["blocks"], 1)),
                  parse_part(Head, entry["head"], "head"))
        engines = tuple(parse_part(Engine, part, f"engine {n}") for n, part in enumerate(entry["engines"]))
        plain = {name: entry[name] for name in ("name", "steps", "pre", "post", "norm", *_OPTIONAL) if name in entry}
        return cls(layers=layers, engines=engines, **plain)

    def with_lanes(self, lanes) -> "CascadeNetwork":
        """The same network with other lanes (output channels at once) an engine."""
        lanes = tuple(lanes)
        check(len(lanes) == len(self.engines), f"network: {len(self.engines)} engines, {len(lanes)} lane numbers")
        return replace(self, engines=tuple(replace(unit, lanes=n)
                                           for unit, n in zip(self.engines, lanes, strict=True)))

    # ---- parameters

    def check(self, params) -> None:
        layout.check_params(self, params)

    def layout(self) -> tuple[Bank, ...]:
        return layout.banks(self)

    def pack(self, params) -> list[np.ndarray]:
        return layout.pack(self, params)

    def unpack(self, words) -> tuple:
        return layout.unpack(self, words)

    # ---- runs

    def frames(self, images, header: words.Header | None = None) -> np.ndarray:
        """Images (n, values) of 0..255 -> frames (n, 2 + values), each with the network's own header or `header`."""
        told = header or words.Header(self.steps, True, self.scheme == "serial", self.rule, self.threshold)
        images = np.asarray(images)
        check(images.ndim == 2 and images.shape[1] == self.inputs,
              f"{self.name} takes images of {self.inputs} values, not {images.shape[1:]}")
        check(images.size == 0 or (0 <= images.min() and images.max() < 1 << ACTIVATION_BITS),
              f"values of an image must lie in 0..{(1 << ACTIVATION_BITS) - 1}")
        return np.column_stack([np.tile(np.array(told.words, np.int64), (len(images), 1)), images.astype(np.int64)])

    def drawn(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Frames of random values, each with a mode, a rule and a threshold of its own, some of them cuts."""
        found = self.frames(rng.integers(0, 1 << ACTIVATION_BITS, (count, self.inputs)))
        for frame in found:
            frame[:words.HEADER_WORDS] = words.drawn(rng, self.steps, self.outputs).words
        return found

    def run(self, params, x, progress=None) -> np.ndarray:
        """Frames (n, 2 + values) -> (n, steps, classes + 1) words (golden.cascade.words); the first one forgets."""
        return engine.run(self, params, self._frames(x), progress)

    def units(self, x) -> Units:
        """A frame is a unit."""
        x = self._frames(x)
        return Units(x.astype(np.uint32).ravel(), np.arange(1, len(x) + 1) * x.shape[1],
                     words.header(x[0, :2]).steps * (self.outputs + 1))

    def _frames(self, x) -> np.ndarray:
        x = np.asarray(x)
        check(x.ndim == 2 and len(x) > 0 and x.shape[1] == words.HEADER_WORDS + self.inputs,
              f"frames must be (n, {words.HEADER_WORDS + self.inputs}), not {x.shape}")
        heads = [words.header(head) for head in np.unique(x[:, :2], axis=0)]
        check(len({head.steps for head in heads}) == 1, "frames must all have the same number of steps")
        x = x.copy()
        x[0, 0] |= 1 << words.CUT_BIT       # nothing is known of what came before
        return x

    def outputs_of(self, found, x) -> np.ndarray:
        """(n, steps, classes + 1) words; ValueError for a step that is not the one expected."""
        steps = words.header(np.asarray(x)[0, :2]).steps
        found = np.asarray(found, np.int64).reshape(len(x), steps, self.outputs + 1)
        found = (found & (1 << 18) - 1) - ((found & 1 << 17) << 1)
        found[..., -1] &= (1 << 18) - 1
        wrong = (found[..., -1] & 15) != np.arange(steps)
        check(not wrong.any(), f"answer {np.argwhere(wrong)[0].tolist() if wrong.any() else ''} is that of another "
                               f"step, which {self.name} cannot give")
        return found

    def answers(self, outputs, since: int = 0, lengths=None) -> Answers:
        """The largest logit of the last computed step."""
        said = words.split(outputs)
        last = said.logits[np.arange(len(outputs)), said.computed.sum(1) - 1]
        return Answers(last.argmax(1), last / (1 << self.head.fraction))

    # ---- pages

    def table(self):
        return pages.table(self)

    def sections(self, outputs, samples, label, lengths=None) -> dict:
        """Accuracy against time, exits, examples answered early and late, what skipping leaves out."""
        return pages.sections(self, outputs, samples, label)

    def signals(self, params, x) -> list[tuple[str, np.ndarray]]:
        """Means of every map and logits, by step."""
        return pages.signals(self, params, np.asarray(x))

    @property
    def tick(self) -> tuple[float, str]:
        """A step has no length of its own."""
        return 1.0, "steps"

