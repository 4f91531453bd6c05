"""What every system has in common: a description of a network, and what training leaves of one.

A description is a frozen dataclass that golden, circuits, boards, firmware and reports all read. They use what stands
here and know no system: golden.systems finds the classes of a kind, rtl.systems its circuits.

    samples --Trained.inputs_of--> x --Description.run--> outputs --Description.answers--> labels
                                   |-.units--> words --device--> words --.outputs_of--> the same outputs
"""

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, NamedTuple

import numpy as np

from golden.checks import check
from golden.files import parse_file


class Bank(NamedTuple):
    """A bank of words on the parameter bus; `learns`: a device may change its words, and gives them back."""

    number: int
    words: Sequence[int]
    learns: bool = False


class Units(NamedTuple):
    """What a device is given: unit k (a tick, an image) is words[ends[k - 1]:ends[k]], and gives `answers` words."""

    words: np.ndarray
    ends: np.ndarray
    answers: int


class Answers(NamedTuple):
    """Of each sample (n,): the label; where outputs have values, what each has for it (n, outputs), in real units."""

    label: np.ndarray
    score: np.ndarray | None = None


class Description(ABC):
    """A network that golden runs, a circuit computes and a board holds. Subclasses are frozen dataclasses.

    Class attributes: kind, name of the system's folders; MARK, the field that its JSON begins with; TENSORS, type of
    words in files; SAMPLE, what it is given at a time, with the axes of its outputs; END, an input word that ends what
    was cut short, None where units have a fixed length; SIGNALS, what `signals` shows.
    Members of a network that learns on the chip: teacher, streams, targets; else None, 1, 0.
    """

    kind: ClassVar[str]
    MARK: ClassVar[str]
    TENSORS: ClassVar[type]
    SAMPLE: ClassVar[tuple[str, ...]]
    END: ClassVar[int | None] = None
    SIGNALS: ClassVar[str] = "the messages that each layer sends"

    name: str
    layers: tuple
    teacher = None
    streams = 1
    targets = 0

    def check_name(self) -> None:
        """ValueError for a name that is no name of a file everywhere."""
        check(isinstance(self.name, str) and re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", self.name) is not None,
              f"network: name must be lower-case letters, digits, - and _, not {self.name!r}")

    # ---- sizes

    @property
    def inputs(self) -> int:
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        return self.layers[-1].outputs

    @property
    def lanes(self) -> int:
        return sum(layer.lanes for layer in self.layers)

    @property
    def lanes_by_layer(self) -> list[int]:
        """Lanes of each layer, or of each engine where layers share them."""
        return [layer.lanes for layer in self.layers]

    @property
    @abstractmethod
    def size(self) -> str:
        """How large it is, for a person: "14,956 parameters"."""

    # ---- what it is

    @abstractmethod
    def shape(self) -> dict:
        """Everything that shapes the circuit or the meaning of its bits; not what is loaded at run time."""

    @abstractmethod
    def entry(self) -> dict:
        """Its JSON, without the mark."""

    @classmethod
    @abstractmethod
    def parse(cls, entry: dict) -> "Description":
        """From its JSON; ValueError names the layer and field that is wrong."""

    @property
    def fingerprint(self) -> str:
        """16 hex digits over `shape`."""
        return hashlib.sha256(json.dumps(self.shape(), sort_keys=True).encode()).hexdigest()[:16]

    def with_lanes(self, lanes) -> "Description":
        """The same network with other lanes per layer."""
        lanes = tuple(lanes)
        check(len(lanes) == len(self.layers), f"network: {len(self.layers)} layers, {len(lanes)} lane numbers")
        return replace(self, layers=tuple(replace(layer, lanes=n)
                                          for layer, n in zip(self.layers, lanes, strict=True)))

    def in_place(self) -> "Description | None":
        """The same network with one half of parameters, loaded in place; None where it has no second one to give up."""
        return None

    def unfolded(self) -> "Description":
        """The same network as it is before a board is known: two halves of parameters, as many engines as it can have.

        Lanes may be any, as folding gives others.
        """
        return self

    def to_json(self) -> str:
        return json.dumps({self.MARK: 1} | self.entry(), indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Description":
        """Parse a description; ValueError names the layer and field that is wrong."""
        top = json_object(text)
        check(top.get(cls.MARK) == 1, f"network description must be an object with \"{cls.MARK}\": 1")
        return cls.parse(top)

    @classmethod
    def load(cls, path) -> "Description":
        """Read network.json; ValueError names the file and what is wrong with it."""
        return parse_file(path, cls.from_json)

    # ---- parameters

    @abstractmethod
    def check(self, params) -> None:
        """ValueError where shapes or ranges of the parameter words (a tuple, an entry a layer) do not fit."""

    @abstractmethod
    def layout(self) -> tuple[Bank, ...]:
        """Its banks, in the order of sending; their numbers ascend."""

    @abstractmethod
    def pack(self, params) -> list[np.ndarray]:
        """Words of every bank of `layout` (integers of any sign), from checked parameters."""

    @abstractmethod
    def unpack(self, words) -> tuple:
        """The parameters of an image's words, as `layout` orders them; ValueError where they do not fit."""

    # ---- runs

    @abstractmethod
    def run(self, params, x, progress=None) -> np.ndarray:
        """Golden: outputs of a batch of samples; `progress(n)`: n more were run."""

    @abstractmethod
    def units(self, x) -> Units:
        """A batch of samples as words of the input register (uint32); ValueError where it does not fit."""

    def learning_units(self, x, target, **flags) -> Units:
        """Samples with targets as words, for a network that learns on the chip."""
        raise ValueError(f"{self.name} has no teacher and no plastic layer: nothing in it learns")

    def drawn(self, rng: np.random.Generator, count: int) -> np.ndarray | None:
        """Random samples as `run` takes them, all of one length; None where any words of the input's format will do."""
        return None

    @abstractmethod
    def outputs_of(self, words, x) -> np.ndarray:
        """Output words of a device, answers x units of them, as `run` has them; ValueError for what cannot be."""

    def output_words(self, params, x) -> np.ndarray:
        """What a device gives for samples, answers x units words, by golden: outputs, unless they say less."""
        return np.asarray(self.run(params, x)).reshape(-1)

    @abstractmethod
    def answers(self, outputs, since: int = 0, lengths=None) -> Answers:
        """What outputs of `run` say. Where it answers in every tick: from tick `since` on, up to lengths (n,)."""

    # ---- pages

    @abstractmethod
    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Heading and a row a layer, for a person."""

    def signals(self, params, x) -> list[tuple[str, np.ndarray]]:
        """What happens in each layer while one sample runs: name and (ticks, neurons) in real units."""
        return []

    def sections(self, outputs, samples, label, lengths=None) -> dict:
        """Sections of a report (leadlag.report.page) on outputs of `run` that other kinds have not.

        samples as they are, images (n, rows, columns, channels), or None; label (n,); lengths (n,) of sequences.
        """
        return {}

    @property
    def tick(self) -> tuple[float, str]:
        """Length of a tick and its unit."""
        return 1.0, "ticks"

    # ---- for others

    def graph(self, params, dt: float, target: str = "nir"):
        """(graph of NIR at `dt` seconds a tick, what is not the same in it); for whom: golden.nir.targets.

        ValueError where NIR cannot say what the network does.
        """
        raise ValueError(f"{self.name}: NIR has no nodes for what networks of this kind do ({self.kind})")

    def risp(self, params):
        """(golden.nir.risp.Risp, what is not the same in it); ValueError where RISP cannot say it."""
        raise ValueError(f"{self.name}: RISP has no neurons like those of this kind of networks ({self.kind})")


class Trained(ABC):
    """Real parameters as training leaves them, in a safetensors file. Subclasses are frozen dataclasses.

    Class attributes: kind; KEY, the field of a file's metadata that tells it from other kinds.
    Members: name; training, how it was made.
    """

    kind: ClassVar[str]
    KEY: ClassVar[str]

    name: str
    training: dict

    @classmethod
    @abstractmethod
    def load(cls, path) -> "Trained":
        """Read a file; ValueError says in one line, with `path`, what is missing or wrong."""

    @abstractmethod
    def save(self, path) -> None:
        """Write a file, whole or not at all; OSError, one line, where that cannot be done."""

    @abstractmethod
    def describe(self) -> Description:
        """The description of its circuit, with formats and without folding."""

    @abstractmethod
    def quantize(self, net: Description) -> tuple:
        """Words of every layer for `net`; ValueError where one does not fit."""

    def lines(self, inputs: int) -> int:
        """Input lines of its network for data of so many channels or pixels."""
        return inputs

    @abstractmethod
    def inputs_of(self, samples, net: Description, lengths=None) -> np.ndarray:
        """Samples of a data set (golden.data.dataset.Samples) -> x as `net.run` takes it."""


def json_object(text: str | bytes) -> dict:
    """The object of a description's JSON; ValueError, one line, for anything else."""
    try:
        top = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"network description is not JSON: {error}") from None
    check(isinstance(top, dict), "network description must be a JSON object")
    return top
