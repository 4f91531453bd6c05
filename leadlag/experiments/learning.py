"""Learning on the chip, a function a system: golden runs it, the circuit has to do the same, word by word."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.data.mnist1d import mnist1d
from golden.fixed import quantize
from golden.image import build_image
from golden.rate.compiled import CompiledLearner
from golden.rate.network import Network
from golden.tasks import learning as tasks
from golden.units.dense import DenseParams
from leadlag import flow
from leadlag.terminal import status

#: blocks of a sequence for each stream that the circuit repeats, at the start and at the end of a long run
WINDOW_BLOCKS = 4
SYSTEMS = ("lagline", "fourier", "mnist1d")


@dataclass(frozen=True)
class Learnt:
    """A run: the network, its parameters at the end, and figures by the names of the bench."""

    net: Network
    params: tuple[DenseParams, ...]
    figures: dict


def learn(system: str, *, seed: int = 0, rtl: bool = True, hold_out: bool = False, console=None) -> Learnt:
    """Run one of SYSTEMS; CheckFailed where the circuit differs from golden."""
    if system not in SYSTEMS:
        raise ValueError(f"no system {system!r}: there is {', '.join(SYSTEMS)}")
    if system == "mnist1d":
        return learn_mnist1d(seed, rtl=rtl, hold_out=hold_out, console=console)
    if hold_out:
        raise ValueError(f"{system} has no sequences to hold out")
    return {"lagline": learn_lagline, "fourier": learn_fourier}[system](seed, rtl=rtl, console=console)


def learn_lagline(seed: int = 0, *, rtl: bool = True, console=None) -> Learnt:
    """LagLine with prospective errors, and with instantaneous ones, which fail; the circuit does both."""
    net = tasks.lagline()
    stream, params = tasks.lagline_stream(net), tasks.lagline_start(net, seed)
    learner, equal, _ = run_both(net, params, stream, rtl, console)
    values = tasks.lagline_values(net, learner.params)
    figures = {"w": values["w"], "tau": values["tau"], "ticks": len(stream.x), **equal}
    other = tasks.lagline(prospective=False)
    # what an error's filter has is not there
    start = tuple(p._replace(error_lag=None) for p in params)
    learner_other, _, _ = run_both(other, start, stream, rtl, console)
    values = tasks.lagline_values(other, learner_other.params)
    return Learnt(net, learner.params, figures | {"instantaneous_w": values["w"], "instantaneous_tau": values["tau"]})


def learn_fourier(seed: int = 0, *, rtl: bool = True, console=None) -> Learnt:
    """Fourier synthesis; the last third runs without a teacher."""
    net = tasks.fourier()
    stream = tasks.fourier_stream(net)
    params = tasks.fourier_start(net, seed)
    learner, equal, rates = run_both(net, params, stream, rtl, console)
    variance = float((stream.target * net.layers[-1].rate.lsb).var())
    return Learnt(net, learner.params, {"mse_final": tasks.fourier_error(net, stream, rates),
                                        "target_variance": variance, "ticks": len(stream.x), **equal})


def learn_mnist1d(seed: int = 0, *, rtl: bool = True, hold_out: bool = False, epochs: int = tasks.MNIST_EPOCHS,
                  console=None) -> Learnt:
    """MNIST-1D from random weights; the circuit repeats the first and the last blocks.

    The last blocks begin with the device loaded anew with what it had learnt, so that they can be repeated.
    """
    net = folded(tasks.mnist1d_net())
    data, params = mnist1d("fit" if hold_out else "train"), tasks.mnist1d_start(net, seed)
    rng, first = np.random.default_rng(seed), _window(tasks.mnist1d_blocks(net, data, np.random.default_rng(seed)))
    started, halve_every = time.process_time(), max(1, epochs // 8)
    learner, begun = CompiledLearner(net, params), False
    with status(console, "MNIST-1D in integers") as say:
        for epoch in range(epochs):
            blocks = list(tasks.mnist1d_blocks(net, data, rng))
            last = blocks[-WINDOW_BLOCKS:] if epoch == epochs - 1 else []
            for block in blocks[:len(blocks) - len(last)]:
                learner.run(block.x, block.target, first=not begun, learn=block.learn, halve=epoch // halve_every)
                begun = True
            say(f"MNIST-1D in integers: epoch {epoch + 1} of {epochs}")
    before, halve = learner.params, (epochs - 1) // halve_every
    seconds = time.process_time() - started
    last = _window(iter(last))
    learner, equal, _ = run_both(net, before, last, rtl, console, halve=halve)
    if rtl:
        equal["rtl_equal_ticks"] += run_both(net, params, first, True, console)[1]["rtl_equal_ticks"]
    split = "held_out" if hold_out else "test"
    ticks = epochs * len(blocks) * first.x.shape[0] // WINDOW_BLOCKS * net.streams
    return Learnt(net, learner.params, {
        "integer_accuracy": accuracy(net, learner.params, split), "split": split, "epochs": epochs, "ticks": ticks,
        "train_cpu_s": round(seconds, 1), **equal})


def folded(net: Network, board: str = flow.DEFAULT_BOARD) -> Network:
    """The network with the lanes that a board has multipliers for."""
    return flow.board(board).fold(net)


def accuracy(net: Network, params, split: str) -> float:
    """Share of right sequences of a split of MNIST-1D, by the compiled golden model."""
    x, y = mnist1d(split)
    words = quantize(x, net.layers[0].operand, clip_range=True).T[..., None]
    return tasks.mnist1d_accuracy(CompiledLearner(net, params).infer(words), y)


# ---- golden and circuit side by side

def run_both(net, params, stream, rtl, console, *, halve=0):
    """Golden over a stream from `params`, and the circuit if asked for: learner, what was equal, output words."""
    learner = CompiledLearner(net, params)
    want = learner.run(stream.x, stream.target, first=True, learn=stream.learn, teach=stream.teach, halve=halve)
    equal = {}
    if rtl:
        with status(console, f"{net.name}: circuit (Verilator)"):
            from sim.harness.device import Device
            simulation = Device(net)
            simulation.load(build_image(net, params).pairs)
            got = simulation.learn(stream.x, stream.target, learn=stream.learn, teach=stream.teach, halvings=halve)
            equal_words(net, got, want, "circuit")
            equal_params(net, simulation.read_params(params), learner.params)
        equal["rtl_equal_ticks"] = int(np.prod(got.shape[:2]))
    return learner, equal, want


def equal_words(net, got, want, what) -> None:
    """CheckFailed names the first of (ticks, streams, outputs) that differs."""
    wrong = np.argwhere(np.asarray(got) != want)
    if len(wrong):
        t, stream, output = wrong[0]
        raise flow.CheckFailed(f"{net.name}, {what}: tick {t}, stream {stream}, output {output} is "
                               f"{got[t, stream, output]}, the golden model says {want[t, stream, output]}")


def equal_params(net, got, want) -> None:
    """CheckFailed names what of a layer differs."""
    for n, (mine, golden) in enumerate(zip(got, want, strict=True)):
        for name in net.layers[n].names:
            if not np.array_equal(getattr(mine, name), getattr(golden, name)):
                raise flow.CheckFailed(f"{net.name}: {name} of layer {n} as read back is not what golden has learnt")


def _window(blocks) -> tasks.Stream:
    """The first WINDOW_BLOCKS of some blocks as one stream."""
    parts = [block for block, _ in zip(blocks, range(WINDOW_BLOCKS), strict=False)]
    learning = [np.broadcast_to(part.learn, part.x.shape[:2]) for part in parts]
    return tasks.Stream(x=np.concatenate([part.x for part in parts]), learn=np.concatenate(learning),
                        target=np.concatenate([part.target for part in parts]))


def save(learnt: Learnt, out: Path) -> list[Path]:
    """Words that were learnt, with the description inside, as `leadlag quantize` writes them."""
    return flow.write_words(learnt.net, learnt.params, out)
