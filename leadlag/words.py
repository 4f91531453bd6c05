"""Word lengths from the command line: `leadlag quantize NET --bits ... --points ...`."""

from dataclasses import replace

from golden import widths
from golden.checks import check
from golden.data import sets
from golden.description import Trained
from leadlag import flow


def refit(real: Trained, data: str | None, bits: int | None, points: float | None) -> tuple[Trained, widths.Report]:
    """The network with words that are chosen on the training samples of its data, and what they cost.

    ValueError, one line that names the layer, where a value fits no word or more than `points` are lost.
    """
    found = sets.learnt(real.training)[0] if data is None else sets.find(data)
    check(found is not None, sets.unknown(real.name, real.training))
    flow.check_fits(flow.Case(real, real.describe(), (), found))
    chosen, report = widths.fitted(real, found.load("train"), found.answer_from, bits=bits,
                                   points=widths.POINTS if points is None else points)
    return replace(chosen, training=chosen.training | {"word_loss": round(report.loss, 4)}), report
