"""What the words of a trained cascaded network cost. Their lengths are those of the circuit, so none are chosen."""

import numpy as np

from golden import systems
from golden.cascade import words
from golden.cascade.engine import SUM, logit_format
from golden.cascade.trained import CascadeTrained
from golden.checks import check
from golden.data.dataset import Samples
from golden.widths import POINTS, Report

#: samples that are looked at, at most
SAMPLES = 500


def choose(trained: CascadeTrained, samples: Samples, answer_from: int = 0, *, bits: int | None = None,
           points: float = POINTS) -> tuple[CascadeTrained, Report]:
    """The network as it is, and what its integers lose: logits of all steps against those of the float model.

    ValueError for `bits`. Without torch there are no real numbers to compare with: RuntimeError.
    """
    check(bits is None, f"{trained.name}: a cascaded network has words of 8 bits, residuals of 12: there are no others")
    check(samples.lengths is None, f"{trained.name} takes images, not sequences")
    chosen = np.sort(np.random.default_rng(0).permutation(len(samples.x))[:SAMPLES])
    x, net = samples.x[chosen], trained.describe()
    real = systems.trainer(trained.kind).float_steps(trained, x)
    fmt, logits = logit_format(net.head.fraction), words.split(
        net.run(trained.quantize(net), trained.inputs_of(x, net))).logits
    error = float(np.sqrt(np.mean((logits * fmt.lsb - real) ** 2) / max(np.mean(real ** 2), 1e-12)))
    row = {"layer": 0, "of": "logits of all steps", "weight": "8 bits, a scale a channel", "state": str(fmt),
           "largest state": float(np.abs(logits).max() * fmt.lsb),
           "saturated": float(((logits == SUM.max) | (logits == SUM.min)).mean()), "error": error}
    said = [each[:, -1].argmax(1) for each in (real, logits)]
    if samples.y is None:
        loss, what = 100 * float((said[0] != said[1]).mean()), "answers that differ from those in real numbers"
    else:
        right = [float((each == samples.y[chosen]).mean()) for each in said]
        loss, what = 100 * (right[0] - right[1]), f"accuracy {right[1]:.2%}, in real numbers {right[0]:.2%}"
    return trained, Report((row,), loss, what, len(chosen))
