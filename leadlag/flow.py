"""The way of a network from the zoo to a board, one function a step; what the commands, the demo and the bench call."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from boards import BOARDS
from boards.base import check_fits as check_part
from golden.data.mnist1d import ANSWER_FROM, CLASSES, mnist1d
from golden.files import integers, safetensors_bytes, write_together
from golden.image import Image, build_image
from golden.rate import engine
from golden.rate.network import Network
from golden.rate.trained import FloatNetwork, describe, quantize_input, quantize_params
from golden.spiking.trained import SpikingTrained, is_spiking
from golden.units.dense import DenseParams

BUILD = Path("build")
ZOO = Path(__file__).resolve().parent.parent / "zoo"
DEFAULT_BOARD = "ulx3s-85f"


class CheckFailed(Exception):
    """A comparison that had to hold did not; one line."""


@dataclass(frozen=True)
class DataSet:
    """A named data set: `load(split)` gives x (n, ticks) and y (n,); splits are train, fit, held_out and test.

    A tick has `channels` values, y is in 0..classes - 1. Outputs count for the answer from tick `answer_from` on.
    """

    name: str
    doc: str
    load: object
    channels: int
    classes: int
    answer_from: int = 0


@dataclass(frozen=True)
class ZooNetwork:
    """A trained network that ships with the package, and the data set that it is for."""

    name: str
    dataset: str
    doc: str

    @property
    def path(self) -> Path:
        return ZOO / f"{self.name}.safetensors"


DATASETS = {"mnist1d": DataSet("mnist1d", "MNIST-1D, 10 classes, 360 ticks; 4,000 training and 1,000 test sequences, "
                                          "generated", mnist1d, 1, CLASSES, ANSWER_FROM)}
NETWORKS = {entry.name: entry for entry in (
    ZooNetwork("gle-mnist1d", "mnist1d", "GLE, 1-53x6-10, 14,956 parameters"),
    ZooNetwork("gle-mnist1d-42k", "mnist1d", "GLE, 1-90x6-10, 42,040 parameters"),
    ZooNetwork("delays-fashion-256", "fashion-mnist", "spiking, 784-256-10, delays learnt, weights from a seed"),
    ZooNetwork("delays-fashion-800", "fashion-mnist", "spiking, 784-800-10, the same"),
    ZooNetwork("delays-digits", "digits", "spiking, 64-48-10, 8x8 digits, the same, small enough for an iCE40"),
)}


@dataclass(frozen=True)
class Case:
    """A network ready for integers and circuits: real parameters, description with lanes, words; data set if known."""

    real: FloatNetwork
    net: Network
    params: tuple[DenseParams, ...]
    dataset: DataSet | None

    @property
    def image(self) -> Image:
        return build_image(self.net, self.params)


def find(name: str) -> FloatNetwork | SpikingTrained:
    """A network of the zoo by name, or a safetensors file by path."""
    if name in NETWORKS or Path(name).suffix == ".safetensors":
        path = NETWORKS[name].path if name in NETWORKS else Path(name)
        if path.is_dir():
            raise ValueError(f"{path}: a folder, not a safetensors file")
        return (SpikingTrained if is_spiking(path) else FloatNetwork).load(path)
    raise ValueError(f"no network {name!r}: there is {', '.join(NETWORKS)}, or the path of a .safetensors file")


def board(name: str):
    """A board by name."""
    if name not in BOARDS:
        raise ValueError(f"no board {name!r}: there is {', '.join(BOARDS)}")
    return BOARDS[name]


def dataset(name: str) -> DataSet:
    """A data set by name."""
    if name not in DATASETS:
        raise ValueError(f"no data set {name!r}: there is {', '.join(DATASETS)}")
    return DATASETS[name]


def prepare(name: str, board_name: str = DEFAULT_BOARD, data: str | None = None):
    """Quantise a network and give it the lanes that the board has room for: a Case, or a SpikingCase."""
    real = find(name)
    if isinstance(real, SpikingTrained):
        from leadlag import spiking
        return spiking.prepare(real, board(board_name), data)
    if data is None:
        # training says what it learnt: "mnist1d train"
        known = str(real.training.get("data", "")).partition(" ")[0]
        data = known if known in DATASETS else None
    net = board(board_name).fold(describe(real))
    params = quantize_params(real, net)
    engine.check_params(net, params)
    return Case(real, net, params, None if data is None else dataset(data))


def prepare_rate(name: str, board_name: str = DEFAULT_BOARD) -> Case:
    """`prepare` for what only rate networks do; ValueError for a spiking one."""
    case = prepare(name, board_name)
    if not isinstance(case, Case):
        raise ValueError(f"{name} is a spiking network, which this command does not take: try `leadlag evaluate`, "
                         f"`leadlag build` and `leadlag run`")
    return case


def check_fits(case: Case) -> None:
    """ValueError where the case's network does not take the inputs of its data, or has not an output a class."""
    if case.dataset is not None:
        check_sizes(case.net, case.dataset.name, case.dataset.channels, case.dataset.classes, "channels")


def check_sizes(net, data: str, inputs: int, classes: int, what: str) -> None:
    """ValueError unless a network of either kind has the inputs (of the kind `what`) and the classes of a data set."""
    if net.outputs != classes:
        raise ValueError(f"{net.name} has {net.outputs} outputs, {data} has {classes} classes")
    if net.inputs != inputs:
        raise ValueError(f"{net.name} takes {net.inputs} inputs, {data} has {inputs} {what}")


def check_room(case, board_name: str) -> None:
    """ValueError (one line) where a board has not the room for a case's circuit, as `leadlag build` says it."""
    check_part(case.net, board(board_name))


def samples(case: Case, split: str, count: int | None = None):
    """Samples x (n, ticks), input words (n, ticks, inputs) and labels y (n,) of a split, the first `count` of them."""
    if case.dataset is None:
        raise ValueError(f"{case.net.name} does not say what data it is for: give --data, one of {', '.join(DATASETS)}")
    check_fits(case)
    if split == "held_out" and case.real.training.get("data") == f"{case.dataset.name} train":
        raise ValueError(f"{case.net.name} has learnt the held-out sequences too: train it with --hold-out")
    x, y = case.dataset.load(split)
    if count is not None and not 1 <= count <= len(x):
        raise ValueError(f"{case.dataset.name} {split} has 1 to {len(x)} sequences, not {count}")
    x, y = x[:count], y[:count]
    return x, quantize_input(x, case.net), y


def sums(case: Case, outputs) -> np.ndarray:
    """Outputs summed over the ticks that count: (n, ticks, outputs) -> (n, outputs)."""
    outputs = np.asarray(outputs)[:, case.dataset.answer_from:]
    if not outputs.shape[1]:
        raise ValueError(f"no tick counts: answers to {case.dataset.name} are summed from tick "
                         f"{case.dataset.answer_from} on")
    return outputs.sum(1)


def classify(case: Case, outputs) -> np.ndarray:
    """Class of each sequence: the output with the largest sum; (n, ticks, outputs) -> (n,)."""
    return sums(case, outputs).argmax(1)


def accuracy(classes, y) -> float:
    """Share of right classes."""
    return float((np.asarray(classes) == y).mean())


def float_classes(case: Case, x) -> np.ndarray:
    """Classes by the float model; RuntimeError where torch is missing."""
    try:
        import torch

        from golden.train.rates import Layer, evaluate_float
    except ImportError:
        raise RuntimeError("the float model needs torch: pip install 'leadlag[train]'") from None
    layers = [Layer(*(torch.tensor(getattr(layer, t), dtype=torch.float32) for t in
                      ("weight", "bias", "tau_m", "tau_r")), layer.activation) for layer in case.real.layers]
    return evaluate_float(layers, x, dt=case.real.dt, answer_from=case.dataset.answer_from)[0].numpy()


def integer_outputs(case: Case, words, *, chunk: int = 250, progress=None) -> np.ndarray:
    """Output words (n, ticks, outputs) by golden; `progress(n)` after every n sequences."""
    outputs = []
    for start in range(0, len(words), chunk):
        part = words[start:start + chunk]
        outputs.append(engine.run(case.net, case.params, part))
        if progress is not None:
            progress(len(part))
    return np.concatenate(outputs)


def compiled(case: Case):
    """The compiled circuit with the case's image loaded (sim.harness.device.Device)."""
    from sim.harness.device import Device
    simulation = Device(case.net)
    simulation.load(case.image.pairs)
    return simulation


def compare(got, want, what: str) -> int:
    """Number of sequences whose words are all equal; CheckFailed names the first word that is not."""
    wrong = np.argwhere(np.asarray(got) != np.asarray(want))
    if len(wrong):
        where = tuple(wrong[0])
        raise CheckFailed(f"{what}: sequence {where[0]}, tick {where[1]}, output {where[2]} is {got[where]}, "
                          f"the golden model says {want[where]}")
    return len(want)


def rates_of(case: Case, words) -> list[np.ndarray]:
    """Rates of every layer for one sequence of input words (ticks, inputs): arrays (ticks, neurons), real units."""
    state, found = engine.reset(case.net, 1), [[] for _ in case.net.layers]
    for word in words:
        state, outs = engine.network_step(state, word[None], case.params, case.net)
        for rates, out, layer in zip(found, outs, case.net.layers, strict=True):
            rates.append(out.rate[0] * layer.rate.lsb)
    return [np.array(rates) for rates in found]


def write_quantized(case: Case, out) -> list[Path]:
    """The words of a case as `write_words` writes them."""
    return write_words(case.net, case.params, out)


def write_words(net, params, out) -> list[Path]:
    """Write network.json, parameters.safetensors (words, with the description inside) and parameters.image.

    net, params: a Network with a DenseParams a layer, or a SpikingNetwork with Synapses a layer.
    """
    kind, dtype = ("network", np.int32) if isinstance(net, Network) else ("spiking_network", np.int16)
    tensors = {f"layers.{n}.{name}": integers(f"layer {n}: {name}", value, dtype) for n, p in enumerate(params)
               for name, value in p._asdict().items() if value is not None}
    out = Path(out)
    files = {out / "network.json": net.to_json(),
             out / "parameters.safetensors": safetensors_bytes(tensors, {kind: net.to_json()}),
             out / "parameters.image": build_image(net, params).to_bytes()}
    write_together(files)
    return list(files)
