"""A network of one's own in Python: `fit` a recipe to data, `quantize`, `evaluate`; examples/own_rate.py shows it."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from golden import widths
from golden.data.dataset import DataSet, Samples, own
from golden.data.series import Raw
from golden.description import Trained
from golden.recipe import Recipe
from leadlag import flow, training
from leadlag.notebook import Built, Run, layers_svg, page
from leadlag.terminal import Table, notes, status


def fit(recipe: Recipe, x, y, *, lengths=None, test=None, seed: int = 0, quiet: bool = False) -> "Fitted":
    """Train the network of a recipe, and show how far it is unless `quiet`.

    x: sequences (n, ticks) or (n, ticks, channels), a list of arrays (ticks, channels), or images (n, rows, columns) of
    bytes; y: classes (n,), integers or texts, or real targets (n,) or (n, targets); lengths (n,), where sequences are
    shorter than their array; test: (x, y) or (x, y, lengths) for the accuracy; by default a fifth of each class is kept
    back for it. ValueError, one line, where data are wrong or do not fit the recipe, before anything is trained.
    """
    raw = {"train": _raw(x, y, lengths)} | ({} if test is None else {"test": _raw(*test)})
    data = own(raw, name=recipe.name, form=recipe.read_as)
    data = data if recipe.answer_from is None else replace(data, answer_from=recipe.answer_from)
    recipe.check_data(data)
    trained = training.fitted(recipe, data, seed=seed, console=None if quiet else notes)
    return Fitted(recipe, trained, data, raw["train"])


def _raw(x, y, lengths=None) -> Raw:
    return Raw(list(x) if isinstance(x, list | tuple) else np.asarray(x), np.asarray(y), lengths)


@dataclass(frozen=True)
class Fitted:
    """A trained network: `trained` holds its real parameters, `figures` what training says of it."""

    recipe: Recipe
    trained: Trained
    data: DataSet
    learnt: Raw

    @property
    def figures(self) -> dict:
        """Accuracy or squared error, settings, seed, time: plain values."""
        return dict(self.trained.training)

    def save(self, path) -> None:
        """Write the safetensors file that every command takes as NET."""
        self.trained.save(path)

    def samples(self, x, y=None, lengths=None) -> Samples:
        """Samples as the network has learnt them; ValueError where they do not fit what it learnt."""
        missing = y is None
        if missing:     # any classes do
            y = np.resize(self.learnt.y, (len(x), *np.shape(self.learnt.y)[1:]))
        form = {"train": self.learnt, "test": _raw(x, y, lengths)}
        found = own(form, name=self.recipe.name, form=self.data.form).load("test")
        return found._replace(y=None) if missing else found

    def quantize(self, *, calibrate=None, lengths=None, y=None, bits: int | None = None,
                 points: float = widths.POINTS) -> "Words":
        """The network in words, whose lengths are chosen on samples `calibrate`, by default on those that it learnt.

        bits: all words so long; points: what the integers may lose, of accuracy where `y` is given, else of answers
        that stay the same. ValueError, one line that names the layer, where they lose more or a value fits no word.
        """
        samples = self.data.load("train") if calibrate is None else self.samples(calibrate, y, lengths)
        trained, report = widths.fitted(self.trained, samples, self.data.answer_from, bits=bits, points=points)
        return Words(replace(self, trained=trained), report)


@dataclass(frozen=True)
class Words:
    """A network in integers; `report` says what its words cost."""

    fitted: Fitted
    report: widths.Report

    @cached_property
    def case(self) -> flow.Case:
        """Real numbers, description, parameters: what circuits and boards are made of."""
        return flow.case_of(self.fitted.trained, data=self.fitted.data)

    def save(self, path) -> Path:
        """Write the safetensors file, with the words' formats, that every command takes as NET."""
        self.fitted.save(path)
        return Path(path)

    def answers(self, x, lengths=None) -> np.ndarray:
        """What the integers answer: classes as the data have them, or targets (n, targets)."""
        data, batch = self.fitted.data, self._batch(x, None, lengths)
        found = flow.answers(self.case, flow.integer_outputs(self.case, batch.x), batch)
        if data.classes is None:
            return found.score
        kind = np.asarray(self.fitted.learnt.y).dtype      # labels are texts; classes may have been numbers
        labels = np.array(data.labels)
        return (labels if kind.kind in "US" else labels.astype(kind))[found.label]

    def evaluate(self, x, y, lengths=None, *, rtl: bool = False) -> dict:
        """Accuracy (for targets: mean squared error) of the real numbers and of the integers: plain values.

        rtl: of the compiled circuit, too, every word of which has to be that of the integers (flow.CheckFailed).
        """
        batch, case = self._batch(x, y, lengths), self.case
        want = flow.integer_outputs(case, batch.x)
        found = {"float": flow.judge_float(case, batch), "integers": flow.judge(case, want, batch)}
        if rtl:
            got = flow.compiled(case).run(batch.x)
            flow.compare(case, got, want, "circuit")
            found["rtl"] = flow.judge(case, got, batch)
        return {rung: value for rung, figure in found.items() for value in figure.values()}

    def run(self, x, lengths=None) -> Run:
        """Answers of the integers to samples, and what happens in the layers while the first of them runs."""
        case, batch = self.case, self._batch(x, None, lengths)
        return Run(case.net.name, self.answers(x, lengths), case.net.signals(case.params, batch.x[0]), case.net.tick)

    def verilog(self, out=None, *, board: str = flow.DEFAULT_BOARD) -> Path:
        """Write the core as Verilog 2005 with a test bench and golden vectors (`leadlag verilog`) into a folder."""
        from leadlag.verilog import command
        net = str(self.save(flow.BUILD / self.case.net.name / "float.safetensors"))
        return command.emit(command.unit_for(net, board), (f"network={net}", f"board={board}"), out=out,
                            name=self.case.net.name.replace("-", "_"), command=f"leadlag verilog {net}").folder

    def build(self, board: str = flow.DEFAULT_BOARD, *, seeds=(1, 2, 3)) -> Built:
        """Synthesise, place and route for a board: the bitstream and its figures; `ok` says whether timing is met."""
        from boards.build import build
        case = self.case if board == flow.DEFAULT_BOARD else flow.case_of(self.fitted.trained, board, self.fitted.data)
        with status(notes, "build") as say:
            made = build(case.net, flow.board(board), out_dir=flow.BUILD, seeds=seeds, progress=say)
        return Built(made.bitstream, made.report, made.summary())

    def _repr_html_(self) -> str:
        net = self.case.net
        heading, rows = net.table()
        sizes = [net.inputs, *(layer.outputs for layer in net.layers)]
        return page(f"{net.name}: {net.size}", [dict(zip(heading, row, strict=True)) for row in rows],
                    layers_svg(sizes) + page("words", self.report.layers))

    def _batch(self, x, y, lengths) -> flow.Batch:
        samples = self.fitted.samples(x, y, lengths)
        return flow.Batch(samples.x, self.case.real.inputs_of(samples.x, self.case.net, samples.lengths), samples.y,
                          samples.lengths)


def report_table(report: widths.Report) -> Table:
    """A report as a table, a row a layer."""
    return Table.of([{name: f"{value:.4g}" if isinstance(value, float) else value for name, value in row.items()}
                     for row in report.layers])
