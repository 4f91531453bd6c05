"""The way of a spiking network from the zoo to a board, one function a step: what leadlag.flow is for rate networks."""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from golden.data.images import CLASSES, DATA_SETS, images, pixel_count
from golden.files import write_npz
from golden.image import Image, build_image
from golden.spiking.engine import Answers, Synapses, encode, run
from golden.spiking.network import SpikingNetwork
from golden.spiking.trained import SpikingTrained
from leadlag import flow
from leadlag.terminal import Table, bars

#: images that golden runs at once
CHUNK = 500


@dataclass(frozen=True)
class SpikingCase:
    """A network ready for integers and circuits: what was trained, description with lanes, words; name of its data."""

    real: SpikingTrained
    net: SpikingNetwork
    params: tuple[Synapses, ...]
    dataset: str | None
    folder: str | None = None

    @property
    def image(self) -> Image:
        return build_image(self.net, self.params)


def prepare(real: SpikingTrained, board, data: str | None = None) -> SpikingCase:
    """Quantise a network and give it the lanes that the board has room for; data: a set's name, or NAME=FOLDER."""
    name, _, folder = (data or str(real.training.get("data", "")).partition(" ")[0]).partition("=")
    if data is not None and name not in DATA_SETS:
        raise ValueError(f"no data set {name!r} of images: there is {', '.join(DATA_SETS)}")
    net = board.fold(real.net)
    return SpikingCase(real, net, real.quantize(), name if name in DATA_SETS else None, folder or None)


def check_fits(case: SpikingCase) -> None:
    """ValueError where the case's network has not a line a pixel of its data, or not an output a class."""
    if case.dataset is not None:
        flow.check_sizes(case.net, case.dataset, pixel_count(case.dataset), CLASSES, "pixels")


def samples(case: SpikingCase, split: str, count: int | None = None):
    """Pixels (n, pixels) and labels (n,) of a split, the first `count` of them."""
    if case.dataset is None:
        raise ValueError(f"{case.net.name} does not say what data it is for: --data is one of {', '.join(DATA_SETS)}")
    check_fits(case)
    if case.net.code is None:
        raise ValueError(f"{case.net.name} does not say how images become spikes: its description has no code")
    if split == "held_out" and case.real.training.get("data") == f"{case.dataset} train":
        raise ValueError(f"{case.net.name} has learnt the held-out images too: train it with --hold-out")
    x, y = images(case.dataset, split, folder=case.folder)
    if count is not None and not 1 <= count <= len(x):
        raise ValueError(f"{case.dataset} {split} has 1 to {len(x)} images, not {count}")
    return x[:count], y[:count]


def spikes_of(case: SpikingCase, pixels) -> np.ndarray:
    """Spikes (images, ticks, pixels)."""
    return encode(case.net.code, case.net.ticks, pixels)


def integer_answers(case: SpikingCase, pixels, *, every_spike: bool = False, progress=None):
    """Answers by golden; with `every_spike` also rows of image, tick and neuron of the first layer's spikes."""
    found, rows = [], []
    for start in range(0, len(pixels), CHUNK):
        part = pixels[start:start + CHUNK]
        ran = run(case.net, case.params, spikes_of(case, part))
        found.append(ran.answers)
        if every_spike:
            rows.append(np.argwhere(ran.spikes[0]) + [start, 0, 0])
        if progress is not None:
            progress(len(part))
    joined = Answers(*map(np.concatenate, zip(*found, strict=True)))
    return (joined, np.concatenate(rows)) if every_spike else joined


def float_labels(case: SpikingCase, pixels) -> np.ndarray:
    """Labels by the float model; RuntimeError where torch is missing."""
    try:
        from golden.train.delays import float_answers
    except ImportError:
        raise RuntimeError("the float model needs torch: pip install 'leadlag[train]'") from None
    return np.concatenate([float_answers(case.real, pixels[n:n + CHUNK]).label for n in range(0, len(pixels), CHUNK)])


def compare(got: Answers, want: Answers, what: str) -> int:
    """Number of images whose answers are equal; CheckFailed names the first one that is not."""
    for name in Answers._fields:
        wrong = np.flatnonzero(getattr(got, name) != getattr(want, name))
        if len(wrong):
            n = wrong[0]
            raise flow.CheckFailed(f"{what}: {name} of image {n} is {getattr(got, name)[n]}, the golden model says "
                                   f"{getattr(want, name)[n]}")
    return len(want.label)


def compare_spikes(got, want, what: str) -> int:
    """Number of spikes (rows of image, tick, neuron), all equal; CheckFailed names the first that is not."""
    same = min(len(got), len(want))
    wrong = np.flatnonzero((got[:same] != want[:same]).any(1))
    if len(wrong) or len(got) != len(want):
        n = wrong[0] if len(wrong) else same
        raise flow.CheckFailed(f"{what}: spike {n} of {len(got)} is {got[n:n + 1].tolist()}, the golden model has "
                               f"{want[n:n + 1].tolist()} of {len(want)}")
    return len(want)


def compiled(case: SpikingCase, *, stop_early: bool = True):
    """The compiled circuit with the case's image loaded (sim.spiking.core.SpikingSimulation)."""
    from sim.spiking.core import SpikingSimulation
    simulation = SpikingSimulation(case.net, stop_early=stop_early)
    simulation.load(case.image)
    return simulation


def simulate(case: SpikingCase, simulation, pixels, *, progress=None):
    """Run images through the compiled circuit: Simulated of all of them."""
    found = []
    for start in range(0, len(pixels), CHUNK):
        part = pixels[start:start + CHUNK]
        ran = simulation.run(spikes_of(case, part))
        found.append(ran._replace(spikes=None if ran.spikes is None else ran.spikes + [start, 0, 0]))
        if progress is not None:
            progress(len(part))
    answers = Answers(*map(np.concatenate, zip(*(ran.answers for ran in found), strict=True)))
    spikes = None if found[0].spikes is None else np.concatenate([ran.spikes for ran in found])
    return found[0]._replace(answers=answers, cycles=np.concatenate([ran.cycles for ran in found]), spikes=spikes)


def evaluate_ladder(case: SpikingCase, split="test", count=None, *, rtl=True, console=None):
    """Rungs [{rung, accuracy, samples, remark}] for float, integers and RTL, and what was measured on the way.

    The circuit runs twice: to the end of every image, all spikes compared; and with early stop, answers and cycles.
    CheckFailed where anything differs from the integers.
    """
    pixels, y = samples(case, split, count)
    ladder, found = [], {"pixels": pixels, "labels": y}

    def rung(name, labels, remark=""):
        ladder.append({"rung": name, "accuracy": flow.accuracy(labels, y), "samples": len(y), "remark": remark})

    with bars(console) as bar:
        task = bar.add_task("float model (torch)", total=1)
        try:
            rung("float (torch)", float_labels(case, pixels))
        except RuntimeError as error:
            bar.console.print(f"no float rung: {error}")
        bar.advance(task)
        task = bar.add_task("integers (golden)", total=len(pixels))
        want, spikes = integer_answers(case, pixels, every_spike=True, progress=lambda n: bar.advance(task, n))
        rung("integers (golden)", want.label, f"design {case.net.fingerprint}")
        found["integers"] = want
        for stop_early in (False, True) if rtl else ():
            what = "with early stop" if stop_early else "every image to its end"
            task = bar.add_task("circuit, compiling", total=len(pixels))
            simulation = compiled(case, stop_early=stop_early)
            bar.update(task, description=f"circuit, {what}")
            started = time.monotonic()
            ran = simulate(case, simulation, pixels, progress=lambda n, task=task: bar.advance(task, n))
            seconds = time.monotonic() - started
            equal = compare(ran.answers, want, f"circuit, {what}")
            remark = f"{ran.cycles.mean():.0f} cycles an image, {what}"
            if not stop_early and ran.spikes is not None:
                remark += f", {compare_spikes(ran.spikes, spikes, 'circuit'):,} spikes of layer 0 equal to golden"
            rung("RTL (Verilator)", ran.answers.label, remark)
            found |= {"equal": equal, "cycles_stopped" if stop_early else "cycles": ran.cycles,
                      "simulated_cycles": simulation.cycles, "rtl_s": seconds}
    return ladder, found


def cocotb_check(case: SpikingCase, count: int, simulator: str) -> int:
    """Run the core in cocotb on the first test images; number of answers compared."""
    from rtl.spiking.core import SpikingCore
    from sim.cocotb_run import run_bench
    pixels, _ = samples(case, "test", count)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        want = integer_answers(case, pixels)
        write_npz(data, {"pairs": case.image.pairs, "spikes": spikes_of(case, pixels), **want._asdict()})
        run_bench(SpikingCore(case.net), "sim.benches.spiking_tb", simulator=simulator,
                  params={"network": case.net.to_json(), "data": str(data)})
    return count


def run_on_board(case: SpikingCase, port: str, count: int, console):
    """Load the image and classify test images: rows (label, answer, tick, fired). CheckFailed where golden differs."""
    from leadlag.demo import open_board
    pixels, y = samples(case, "test", count)
    want = integer_answers(case, pixels)
    with open_board(case, port, console) as device, bars(console) as bar:
        task = bar.add_task(f"board at {port}: load", total=len(case.image))
        device.load(case.image, progress=lambda n: bar.advance(task, n))
        task = bar.add_task(f"board at {port}: images", total=count)
        got = device.classify(spikes_of(case, pixels), progress=lambda n: bar.advance(task, n))
    compare(got, want, f"board at {port}")
    return list(zip(y.tolist(), got.label.tolist(), got.tick.tolist(), got.fired.tolist(), strict=True))


def runs_table(rows) -> Table:
    """What the board answered."""
    table = Table("image", "label", "answer", "tick", "decided by")
    for n, (label, answer, tick, fired) in enumerate(rows):
        table.add_row(str(n), str(label), f"{answer}{'' if answer == label else ' (wrong)'}", str(tick),
                      "first spike" if fired else "last tick")
    return table


def write_quantized(case: SpikingCase, out) -> list[Path]:
    """The words of a case as `flow.write_words` writes them."""
    return flow.write_words(case.net, case.params, out)


def layers_table(net: SpikingNetwork) -> Table:
    """One row a layer."""
    table = Table("layer", "size", "weights", "delay", "state", "threshold", "lanes", "folds", "banks")
    for n, layer in enumerate(net.layers):
        weight = f"seed {layer.weight.seed}" if layer.regenerates else str(layer.weight)
        table.add_row(str(n), f"{layer.inputs} x {layer.outputs}", weight, f"0..{layer.max_delay}", str(layer.state),
                      f"{layer.threshold * layer.state.lsb:g}", str(layer.lanes), str(layer.folds), str(layer.banks))
    return table


def stored(case: SpikingCase) -> SpikingNetwork:
    """The same network with its ternary weights in memory, 2 bits each: what regeneration saves is the difference."""
    from golden.fixed import QFormat
    return replace(case.net, layers=tuple(replace(layer, weight=QFormat(1, 0)) if layer.regenerates else layer
                                          for layer in case.net.layers))
