"""The way of a network to a board, one function a step, for every kind; what commands, demo, bench and users call."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from boards import BOARDS, own
from boards.base import BOOTING, KEEPING, ROM, SCRUBBING
from boards.room import Resources
from boards.room import check_fits as check_part
from golden import systems
from golden.checks import check, nearest
from golden.data import sets
from golden.data.dataset import DataSet
from golden.description import Description, Trained
from golden.files import integers, safetensors_bytes, write_together
from golden.image import Image, build_image

BUILD = Path("build")
ZOO = Path(__file__).resolve().parent.parent / "zoo"
DEFAULT_BOARD = "ulx3s-85f"
#: what may stand behind the name of a board
FORMS = (BOOTING, KEEPING, SCRUBBING, BOOTING + SCRUBBING, ROM)


class CheckFailed(Exception):
    """A comparison that had to hold did not; one line."""


@dataclass(frozen=True)
class Case:
    """A network ready for integers and circuits: real parameters, description with lanes, words; data set if known."""

    real: Trained
    net: Description
    params: tuple
    data: DataSet | None

    @property
    def image(self) -> Image:
        return build_image(self.net, self.params)


@dataclass(frozen=True)
class Device:
    """What a board is made of and loaded with: description with lanes, image; None where no words are there."""

    net: Description
    image: Image | None

    @property
    def loaded(self) -> tuple[Description, Image]:
        """Both; ValueError where there is no image."""
        if self.image is None:
            raise ValueError(f"{self.net.name} has no words: no parameters.image lies beside its network.json")
        return self.net, self.image


@dataclass(frozen=True)
class Batch:
    """Samples of a split: as they are, x, y and lengths (golden.data.dataset.Samples), and as `net.run` takes them."""

    raw: np.ndarray
    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray | None = None


def zoo() -> dict[str, Path]:
    """The trained networks that ship with the package, by name."""
    return {path.stem: path for path in sorted(ZOO.glob("*.safetensors"))}


def find(name: str) -> Trained:
    """A network of the zoo by name, or a safetensors file by path."""
    path = zoo().get(name, Path(name))
    if path.suffix in (".nir", ".h5", ".hdf5"):
        raise ValueError(f"{path}: a graph becomes a network by leadlag import {path}")
    if path.suffix == ".json":
        raise ValueError(f"{path}: a description has no samples and no real parameters; build, load, flash-image, "
                         "flash, bake, board, quantize and boards --for take it, and evaluate NET --words")
    if path.suffix == ".toml":
        raise ValueError(f"{path}: a recipe has no parameters yet: leadlag train {path} --epochs 1 makes some")
    if path.suffix != ".safetensors":
        raise ValueError(f"no network {name!r}: there is {', '.join(zoo())}, or the path of a .safetensors file")
    if path.is_dir():
        raise ValueError(f"{path}: a folder, not a safetensors file")
    return systems.trained(path)


def board(name: str):
    """A board by name, or of a file NAME.py; with +flash behind it the one that plays what its flash holds at power-up.

    With +learn the one that keeps what it learns there, too; with +scrub, alone or behind +flash, the one that holds
    its parameters against their checksum; with +rom the one that plays what its bitstream holds.
    """
    plain, plus, form = name.partition("+")
    is_file = plain.endswith(".py")
    if not is_file and plain not in BOARDS:
        raise ValueError(f"no board {name!r}{nearest(plain, BOARDS)}: there is {', '.join(BOARDS)}, or a file with one "
                         "of your own, BOARD.py")
    if plus + form not in ("", *FORMS):
        raise ValueError(f"no board {name!r}: behind {plain} stands nothing, or one of {', '.join(FORMS)}")
    board = own.board(plain) if is_file else BOARDS[plain]
    if is_file and board.name in BOARDS:
        raise ValueError(f"{plain}: {board.name} is the name of another board, whose builds lie under it")
    if form.startswith(BOOTING[1:]):
        board = board.booting
    if name.endswith(SCRUBBING):
        board = board.scrubbing
    if name.endswith(ROM):
        return board.holding
    return board.keeping if name.endswith(KEEPING) else board


def device(name: str, board_name: str = DEFAULT_BOARD) -> Device:
    """What goes onto a board: of a network as `prepare` makes it, or as a command left it: network.json, by path.

    A description is taken as it stands, with its lanes, and the image beside it, parameters.image, if there is one.
    """
    path = Path(name)
    if path.suffix != ".json":
        case = prepare(name, board_name)
        return Device(case.net, case.image)
    net, image = systems.load(path), path.with_name("parameters.image")
    if not image.exists():
        return Device(net, None)
    found = Image.load(image)
    found.check(net)
    return Device(net, found)


def prepare(name: str, board_name: str = DEFAULT_BOARD, data: str | None = None) -> Case:
    """Quantise a network and give it the lanes that the board has room for; data: what `sets.find` takes."""
    real = find(name)
    return case_of(real, board_name, sets.learnt(real.training)[0] if data is None else sets.find(data))


def case_of(real: Trained, board_name: str = DEFAULT_BOARD, data: DataSet | None = None) -> Case:
    """`prepare` of a trained network that is there already."""
    net = board(board_name).fold(real.describe())
    params = real.quantize(net)
    net.check(params)
    return Case(real, net, params, data)


def with_words(case: Case, path) -> Case:
    """The case with other words, as a board has learnt them: network.json, and the image beside it."""
    check(Path(path).suffix == ".json", f"{path}: what was learnt lies in a network.json")
    net, image = device(str(path)).loaded
    check((net.kind, net.inputs, net.outputs) == (case.net.kind, case.net.inputs, case.net.outputs),
          f"{path}: {net.name} is a {net.kind} network of {net.inputs} inputs and {net.outputs} outputs, "
          f"{case.net.name} a {case.net.kind} network of {case.net.inputs} and {case.net.outputs}")
    return Case(case.real, net, net.unpack(image.pairs[:, 1]), case.data)


def check_fits(case: Case) -> None:
    """ValueError where the case's network does not take the inputs of its data, or has not an output a class."""
    net, data = case.net, case.data
    if data is None:
        return
    if net.outputs != data.outputs:
        what = "classes" if data.classes else "targets"
        raise ValueError(f"{net.name} has {net.outputs} outputs, {data.name} has {data.outputs} {what}")
    if net.inputs != case.real.lines(data.inputs):
        what = "pixels" if data.form == "image" else "channels"
        raise ValueError(f"{net.name} takes {net.inputs} inputs, {data.name} has {data.inputs} {what}")


def check_room(net: Description, board_name: str) -> Resources:
    """What a circuit takes of a board; ValueError (one line) where that has less, as `leadlag build` says it."""
    return check_part(net, board(board_name))


def refolded(name: str, board_name: str) -> tuple[Description, tuple, Image]:
    """A network.json folded for a board, as if for the first time, and its words; ValueError where it has none."""
    net, image = device(name).loaded
    params, net = net.unpack(image.pairs[:, 1]), board(board_name).fold(net.unfolded())
    return net, params, build_image(net, params)


def room(need: Resources, net: Description, board_name: str) -> str:
    """What of a board that is: a line."""
    found = board(board_name)
    said = [f"{value:,} of {has:,} {what}" for value, has, what in (
        (need.bram, found.part.bram, "block RAMs"), (need.dsp, found.part.dsp, "multipliers"),
        (need.spram, found.part.spram, "large RAMs")) if has]
    return f"{found.name}: {', '.join(said)}, about {need.lut4:,} of {found.part.lut4:,} LUTs" + (
        ", with one half of parameters" if has_one_half(net) else "")


def has_one_half(net: Description) -> bool:
    """Whether the network is loaded in place, with one half of parameters, as there is no room for two."""
    return getattr(net, "halves", getattr(net.layers[0], "halves", 2)) == 1


def samples(case: Case, split: str, count: int | None = None) -> Batch:
    """The first `count` samples of a split."""
    data = case.data
    if data is None:
        raise ValueError(sets.unknown(case.net.name, case.real.training))
    check_fits(case)
    if split == "held_out" and sets.learnt(case.real.training)[1] == "train":
        raise ValueError(f"{case.net.name} has learnt the held-out {data.unit} too: train it with --hold-out")
    found = data.load(split)
    if count is not None and not 1 <= count <= len(found.x):
        raise ValueError(f"{data.name} {split} has 1 to {len(found.x)} {data.unit}, not {count}")
    raw, y = found.x[:count], found.y[:count]
    lengths = None if found.lengths is None else found.lengths[:count]
    return Batch(raw, case.real.inputs_of(raw, case.net, lengths), y, lengths)


def at_most(case: Case, split: str, count: int) -> int:
    """So many samples of a split, or all where there are fewer; ValueError as `samples`."""
    if case.data is None:
        return count
    check_fits(case)
    return min(count, len(case.data.load(split).x))


def answers(case: Case, outputs, batch: Batch):
    """What outputs (n, ...) of `net.run` say of the first n samples of a batch."""
    lengths = None if batch.lengths is None else batch.lengths[:len(outputs)]
    return case.net.answers(outputs, case.data.answer_from if case.data else 0, lengths)


def judge(case: Case, outputs, batch: Batch) -> dict:
    """{"accuracy": share of right classes}, or {"error": mean squared error} where the data have targets."""
    found, y = answers(case, outputs, batch), batch.y[:len(outputs)]
    if case.data.classes is None:
        return {"error": float(np.mean((found.score - y) ** 2))}
    return {"accuracy": float((found.label == y).mean())}


def judge_float(case: Case, batch: Batch) -> dict:
    """The same of the float model; RuntimeError where torch is missing."""
    trainer = systems.trainer(case.real.kind)
    found = trainer.answers(case.real, batch.raw, case.data.answer_from, batch.lengths)
    if case.data.classes is None:
        return {"error": float(np.mean((found.score - batch.y) ** 2))}
    return {"accuracy": float((found.label == batch.y).mean())}


def integer_outputs(case: Case, x, *, progress=None) -> np.ndarray:
    """Outputs by golden; `progress(n)` after every n samples."""
    return case.net.run(case.params, x, progress)


def compiled(case: Case):
    """The compiled circuit with the case's image loaded (sim.harness.device.Device)."""
    from sim.harness.device import Device
    simulation = Device(case.net)
    simulation.load(case.image.pairs)
    return simulation


def compare(case: Case, got, want, what: str) -> int:
    """Number of samples whose output words are all equal; CheckFailed names the first word that is not."""
    got, want = np.asarray(got), np.asarray(want)
    wrong = np.argwhere(got != want)
    if len(wrong):
        at = tuple(wrong[0])
        where = ", ".join(f"{axis} {n}" for axis, n in zip(case.net.SAMPLE, at, strict=True))
        raise CheckFailed(f"{what}: {where} is {got[at]}, the golden model says {want[at]}")
    return len(want)


def write_words(net: Description, params, out) -> list[Path]:
    """Write network.json, parameters.safetensors (words, with the description inside) and parameters.image."""
    key = systems.trained_kinds()[net.kind].KEY
    tensors = {f"layers.{n}.{name}": integers(f"layer {n}: {name}", value, net.TENSORS) for n, p in enumerate(params)
               for name, value in p._asdict().items() if value is not None}
    out = Path(out)
    files = {out / "network.json": net.to_json(),
             out / "parameters.safetensors": safetensors_bytes(tensors, {key: net.to_json()}),
             out / "parameters.image": build_image(net, params).to_bytes()}
    write_together(files)
    return list(files)
