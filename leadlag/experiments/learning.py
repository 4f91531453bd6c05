"""Learning on the chip, a function a system: golden runs it, the circuit has to do the same, word by word."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from golden.checks import check
from golden.data import sets
from golden.data.mnist1d import mnist1d
from golden.files import check_writable
from golden.fixed import quantize
from golden.image import build_image
from golden.rate.compiled import CompiledLearner
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from golden.tasks import learning as tasks
from golden.units.dense import DenseParams
from leadlag import flow
from leadlag.provenance import provenance
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


# ---- adaptation: the zoo network learns its output layer again

ADAPT_STREAMS, ADAPT_CLASSES = 16, 10
ADAPT_RATE, ADAPT_HALVE_FROM = 8, 100       # the rate is halved when the samples have doubled,
ADAPT_SETTLE = 0.8                          # and smallest from this share of the samples on


def adaptive(case: flow.Case) -> Network:
    """The case's network with an output layer that learns."""
    top = replace(case.net.layers[-1], plastic=Plastic(
        error=tasks.QFormat(1, 15), slope=tasks.QFormat(1, 12), rate=ADAPT_RATE, halvings=7))
    net = replace(case.net, name=f"{case.net.name}-adaptive", layers=(*case.net.layers[:-1], top),
                  teacher=Teacher(loss="cross_entropy", streams=ADAPT_STREAMS))
    return folded(net.with_lanes([1] * len(net.layers)))


def adaptation_blocks(net: Network, data, rng):
    """Ten sequences, one a class, in ten of the streams; the others see some of them again and do not learn."""
    x, order = quantize(data.x, net.layers[0].operand, clip_range=True), tasks.balanced_order(data.y, rng)
    counts = np.arange(net.streams) < ADAPT_CLASSES
    on = (np.arange(x.shape[1]) >= tasks.ANSWER_FROM)[:, None] & counts
    for start in range(0, len(order) - ADAPT_CLASSES + 1, ADAPT_CLASSES):
        chosen = np.resize(order[start:start + ADAPT_CLASSES], net.streams)
        target = np.broadcast_to(data.y[chosen], (x.shape[1], net.streams))
        yield tasks.Stream(x=x[chosen].T[..., None], target=target[..., None], learn=on)


def adapt(name: str = "gle-mnist1d", *, samples: int = 2560, on_board: int = 100, seed: int = 0, port: str = "sim",
          console=None) -> dict:
    """Destroy the output layer, learn it again on a board through the host driver, and say how well it answers.

    The first `on_board` samples, rounded up to tens, are learnt on the board, whose weights are then read back, saved
    under build/, and have to equal golden's; the rest by golden alone. Returns relearn, a list of [samples, accuracy on
    the test set], board_samples, 0 where no board was asked, and more.
    """
    from firmware.learning import Learner
    from leadlag.ladder import open_board
    case = flow.prepare(name)
    check(isinstance(case.net, Network), f"{name} has no output layer that could learn on the chip")
    flow.check_fits(replace(case, data=sets.find("mnist1d")))
    net = adaptive(case)
    flow.check_room(replace(case, net=net), flow.DEFAULT_BOARD)
    check_writable(flow.BUILD / net.name / "network.json")
    whole = case.params
    rest = np.zeros_like(whole[-1].weight), np.zeros_like(whole[-1].bias)
    destroyed = (*whole[:-1], whole[-1]._replace(weight=rest[0], bias=rest[1]))
    figures = {"before": accuracy(net, whole, "test"), "destroyed": accuracy(net, destroyed, "test"),
               "network": case.net.name}
    on_board = -(-min(on_board, samples) // ADAPT_CLASSES) * ADAPT_CLASSES
    learner, rng, data, done = CompiledLearner(net, destroyed), np.random.default_rng(seed), mnist1d("train"), 0
    relearn, due = [[0, figures["destroyed"]]], ADAPT_CLASSES
    blocks = adaptation_blocks(net, data, rng)
    with status(console, "adaptation") as say:
        board = open_board(net, port) if on_board else None
        if board is not None:
            with board as device:
                device.load(build_image(net, destroyed))
                while done < on_board:
                    block, halve = next(blocks), _halve(done, samples)
                    got = Learner(device).learn(block.x, block.target, first=done == 0, learn=block.learn,
                                                halvings=halve)
                    want = learner.run(block.x, block.target, first=done == 0, learn=block.learn, halve=halve)
                    done += ADAPT_CLASSES
                    equal_words(net, got, want, f"board after {done} samples")
                    due = _note(relearn, done, due, net, learner)
                    say(f"adaptation on the board: {done} of {on_board} samples")
                learnt = Learner(device).read_parameters(destroyed)
                equal_params(net, learnt, learner.params)
                flow.write_words(net, learnt, flow.BUILD / net.name)
                figures["device"] = str(Learner(device).learning_state())
        figures["board_samples"] = done
        while done < samples:
            block = next(blocks, None)
            if block is None:
                blocks = adaptation_blocks(net, data, rng)
                continue
            learner.run(block.x, block.target, first=done == 0, learn=block.learn, halve=_halve(done, samples))
            done += ADAPT_CLASSES
            due = _note(relearn, done, due, net, learner)
            say(f"adaptation in golden: {done} of {samples} samples")
    return figures | {"relearn": relearn, "after": relearn[-1][1]}


def claim(figures: dict, port: str = "sim") -> str:
    """What `adapt` has compared, in a line."""
    if not figures["board_samples"]:
        return "no samples on a board: golden alone, nothing was compared"
    return (f"{figures['board_samples']} samples on the board ({port}): every output word and every weight read back "
            f"equal to golden")


def write_page(figures: dict, command: str) -> Path:
    """The curve of `adapt` as a report."""
    from leadlag.report.page import write_report
    about, name = provenance(), figures["network"]
    return write_report({
        "title": f"{name}: an output layer learnt again", "commands": [command], "tools": about["tools"],
        "commit": about["commit"], "date": about["date"],
        "relearn": {"curve": figures["relearn"], "before": figures["before"], "board": figures["board_samples"]}},
        flow.BUILD / f"{name}-adaptive" / "page")


def _halve(done: int, samples: int) -> int:
    return 7 if done >= ADAPT_SETTLE * samples else min(7, max(0, int(np.log2(max(1, done / ADAPT_HALVE_FROM)))))


def _note(relearn, done, due, net, learner) -> int:
    """Accuracy whenever the number of samples has doubled."""
    if done < due:
        return due
    relearn.append([done, accuracy(net, learner.params, "test")])
    return 2 * due


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
