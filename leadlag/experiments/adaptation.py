"""An output layer destroyed, and learnt again on a board: `leadlag adapt`, for every classifier of rates."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from golden.checks import check
from golden.data import sets
from golden.files import check_writable
from golden.fixed import MULTIPLIER_BITS
from golden.image import build_image
from golden.rate.compiled import CompiledLearner
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from golden.tasks import learning as tasks
from golden.units.dense import DenseParams
from leadlag import flow
from leadlag.experiments.learning import equal_params, equal_words, folded
from leadlag.provenance import provenance
from leadlag.terminal import status

#: the fewest streams of the network that learns: as many, powers of two, as there are classes
STREAMS = 16
RATE, HALVE_FROM = 8, 100       # the rate is halved when the samples have doubled,
HALVINGS = 7                    # at most so often,
SETTLE = 0.8                    # and smallest from this share of the samples on


def adaptive(case: flow.Case, board: str = flow.DEFAULT_BOARD) -> Network:
    """The case's network with an output layer that learns, with the lanes that a board has room for.

    Its rates are halved in the multiplier, beside what is multiplied: where the messages below are too fine for that,
    they get coarser ones. ValueError where these are the inputs of the network.
    """
    *below, top = case.net.layers
    spare = MULTIPLIER_BITS - top.multiplicand.width - HALVINGS
    check(spare >= 0 or bool(below), f"{case.net.name}: inputs of {top.operand} are too fine for an output layer that "
                                     f"learns: leadlag quantize NET --bits {MULTIPLIER_BITS - HALVINGS - 1}")
    if spare < 0:
        coarser = replace(top.operand, frac_bits=top.operand.frac_bits + spare)
        below[-1], top = replace(below[-1], rate=coarser), replace(top, operand=coarser)
    top = replace(top, plastic=Plastic(error=tasks.QFormat(1, 15), slope=tasks.QFormat(1, 12), rate=RATE,
                                       halvings=HALVINGS))
    net = replace(case.net, name=f"{case.net.name}-adaptive", layers=(*below, top),
                  teacher=Teacher(loss="cross_entropy", streams=max(STREAMS, 1 << (case.net.outputs - 1).bit_length())))
    return folded(net.with_lanes([1] * len(net.layers)), board)


def adaptation_blocks(net: Network, batch: flow.Batch, answer_from: int, rng) -> Iterator[tasks.Stream]:
    """Sequences, one a class, in as many of the streams; the others see some of them again and do not learn.

    Ticks before `answer_from`, and behind the end of a sequence, are not learnt. batch: words (n, ticks, channels).
    """
    classes, ticks = net.outputs, np.arange(batch.x.shape[1])[:, None]
    order, counts = tasks.balanced_order(batch.y, rng, classes), np.arange(net.streams) < classes
    ends = np.full(len(batch.x), len(ticks)) if batch.lengths is None else batch.lengths
    for start in range(0, len(order) - classes + 1, classes):
        chosen = np.resize(order[start:start + classes], net.streams)
        target = np.broadcast_to(batch.y[chosen], (len(ticks), net.streams))
        yield tasks.Stream(x=np.moveaxis(batch.x[chosen], 0, 1), target=target[..., None],
                           learn=(ticks >= answer_from) & (ticks < ends[chosen]) & counts)


class _Adaptation:
    """A network whose output layer has been set to zero, golden that learns it, and the test set that it answers."""

    def __init__(self, case: flow.Case, net: Network, seed: int):
        top = case.params[-1]
        self.case, self.net, self.rng = case, net, np.random.default_rng(seed)
        self.destroyed = (*case.params[:-1], top._replace(weight=np.zeros_like(top.weight),
                                                          bias=np.zeros_like(top.bias)))
        self.train, self.test = flow.samples(case, "train"), flow.samples(case, "test")
        for n in range(net.outputs):
            check(bool((self.train.y == n).any()), f"{case.data.name} has no training {case.data.unit} of class {n}")
        self.learner, self.done = CompiledLearner(net, self.destroyed), 0

    def accuracy(self, params: tuple[DenseParams, ...]) -> float:
        rates = CompiledLearner(self.net, params).infer(np.moveaxis(self.test.x, 0, 1))
        return flow.judge(self.case, np.moveaxis(rates, 0, 1), self.test)["accuracy"]

    def blocks(self) -> Iterator[tasks.Stream]:
        """Without end: every pass over the training set in another order."""
        while True:
            yield from adaptation_blocks(self.net, self.train, self.case.data.answer_from, self.rng)

    def learn(self, block: tasks.Stream, halve: int) -> np.ndarray:
        """A block more, by golden: the words that it answers."""
        words = self.learner.run(block.x, block.target, first=True, learn=block.learn, halve=halve)
        self.done += self.net.outputs
        return words


def adapt(name: str = "gle-mnist1d", *, data: str | None = None, samples: int = 2560, on_board: int = 100,
          seed: int = 0, board: str = flow.DEFAULT_BOARD, port: str = "sim", console=None) -> dict:
    """Destroy the output layer, learn it again on a board through the host driver, and say how well it answers.

    data: what `golden.data.sets.find` takes; the network's own by default. The first `on_board` samples, rounded up to
    one a class, are learnt on the board, whose weights are then read back, saved under build/, and have to equal
    golden's; the rest by golden alone, whose weights are saved where no board was asked. Returns relearn, a list of
    [samples, accuracy on the test set], board_samples, 0 where no board was asked, and more.
    """
    case = flow.prepare(name, data=data)
    check(isinstance(case.net, Network), f"{name} has no output layer that could learn on the chip")
    check(case.data is not None, sets.unknown(case.net.name, case.real.training))
    flow.check_fits(case)
    check(case.data.classes is not None, f"{case.data.name} has targets, not classes: an output layer is learnt again "
                                         f"by its labels")
    net = adaptive(case, board)
    flow.check_room(net, board)
    check_writable(flow.BUILD / net.name / "network.json")
    task = _Adaptation(case, net, seed)
    figures = {"before": task.accuracy(case.params), "destroyed": task.accuracy(task.destroyed),
               "network": case.net.name}
    relearn, blocks = [[0, figures["destroyed"]]], task.blocks()
    on_board = -(-min(on_board, samples) // net.outputs) * net.outputs
    with status(console, "adaptation") as say:
        if on_board:
            figures |= _on_board(task, blocks, on_board, samples, port, relearn, say)
        figures["board_samples"] = task.done
        while task.done < samples:
            task.learn(next(blocks), _halve(task.done, samples))
            _note(relearn, task)
            say(f"adaptation in golden: {task.done} of {samples} samples")
    before, now = case.net.layers[-1].operand, net.layers[-1].operand
    if now != before:
        figures["coarser"] = f"messages to the output layer are {now} in place of {before}, so that it can learn slowly"
    if not on_board:
        figures["written"] = flow.write_words(net, task.learner.params, flow.BUILD / net.name)
    if relearn[-1][0] != task.done:
        relearn.append([task.done, task.accuracy(task.learner.params)])
    return figures | {"relearn": relearn, "after": relearn[-1][1]}


def _on_board(task: _Adaptation, blocks, on_board: int, samples: int, port: str, relearn: list, say) -> dict:
    """What the board says of itself, and files of what it learnt; CheckFailed where that or an answer is wrong."""
    from firmware.learning import Learner
    from leadlag.ladder import open_board
    net = task.net
    with open_board(net, port) as device:
        device.load(build_image(net, task.destroyed))
        while task.done < on_board:
            block, halve = next(blocks), _halve(task.done, samples)
            got = Learner(device).learn(block.x, block.target, learn=block.learn,
                                        halvings=halve)
            want = task.learn(block, halve)
            equal_words(net, got, want, f"board after {task.done} samples")
            _note(relearn, task)
            say(f"adaptation on the board: {task.done} of {on_board} samples")
        learnt = Learner(device).read_parameters(task.destroyed)
        equal_params(net, learnt, task.learner.params)
        return {"written": flow.write_words(net, learnt, flow.BUILD / net.name),
                "device": str(Learner(device).learning_state())}


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
    found = max(0, int(np.log2(max(1, done / HALVE_FROM))))
    return HALVINGS if done >= SETTLE * samples else min(HALVINGS, found)


def _note(relearn: list, task: _Adaptation) -> None:
    """Accuracy whenever the number of samples has doubled."""
    due = 2 * relearn[-1][0] or task.net.outputs
    if task.done >= due:
        relearn.append([task.done, task.accuracy(task.learner.params)])
