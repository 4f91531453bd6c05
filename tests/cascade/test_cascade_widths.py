"""What words of a cascaded network cost: a report of integers against real numbers, and no lengths to choose."""

from types import SimpleNamespace

import numpy as np
import pytest

from golden import widths
from golden.cascade import words
from golden.cascade.widths import SAMPLES, SUM, choose
from golden.data.dataset import Samples
from leadlag import flow

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def digits():
    real = flow.find("cascade-digits")
    return real, flow.prepare("cascade-digits").data.load("train")


def test_a_report(digits):
    real, samples = digits
    same, report = widths.fitted(real, samples, 0)
    assert same is real
    assert report.samples == SAMPLES < len(samples.x)
    assert "accuracy" in report.what
    row, = report.layers
    assert 0 < row["error"] < 0.05
    assert row["saturated"] == 0
    assert row["state"] == "Q9.8"
    assert 10 < row["largest state"] < 100
    # the samples that are looked at, by hand
    chosen = np.sort(np.random.default_rng(0).permutation(len(samples.x))[:SAMPLES])
    net = real.describe()
    said = net.answers(net.run(real.quantize(net), real.inputs_of(samples.x[chosen], net))).label
    assert f"accuracy {(said == samples.y[chosen]).mean():.2%}" in report.what


def test_labels_need_not_be_there(digits):
    real, samples = digits
    _, report = choose(real, Samples(samples.x[:40], None))
    assert report.what == "answers that differ from those in real numbers"
    assert (report.samples, report.loss) == (40, 0)


def test_the_last_step_answers_and_ends_are_counted(digits, monkeypatch):
    """Logits by hand: two right steps before a wrong last one, and a word at each end of the format."""
    real, samples = digits
    few, net = Samples(samples.x[:4], np.arange(4)), real.describe()
    trainer = pytest.importorskip("golden.train.cascade")
    right = 1.0 * np.eye(10)[np.arange(4)][:, None].repeat(net.steps, 1)
    monkeypatch.setattr(trainer, "float_steps", lambda real, x: right[:len(x)])
    logits = np.asarray(right * 256, np.int64)
    logits[:2, -1] = logits[2:, -1]                     # wrong in the last step of two images of four
    logits[0, 0, :2], logits[1, 0, 0] = (SUM.max, SUM.min), SUM.max
    monkeypatch.setattr(words, "split", lambda found: SimpleNamespace(logits=logits))
    chosen = np.sort(np.random.default_rng(0).permutation(4))
    assert chosen.tolist() == [0, 1, 2, 3]
    _, report = choose(real, few)
    assert report.loss == 50
    assert report.layers[0]["saturated"] == 3 / logits.size


def test_what_is_lost_counts(digits, monkeypatch):
    real, samples = digits
    wrong = samples._replace(y=(samples.y + 1) % 10)
    found = choose(real, wrong)[1]
    assert abs(found.loss) < 1
    # labels that the real numbers alone get right
    trainer = pytest.importorskip("golden.train.cascade")
    monkeypatch.setattr(trainer, "float_steps", lambda real, x: -np.ones((len(x), 4, 10)) + 2 * np.eye(10)[
        wrong.y[:len(x)]][:, None])
    few = Samples(samples.x[:50], wrong.y[:50])
    assert choose(real, few)[1].loss > 90
    with pytest.raises(ValueError, match="its words lose .* points"):
        widths.fitted(real, few, 0)


def test_what_there_is_not(digits):
    real, samples = digits
    with pytest.raises(ValueError, match="^cascade-digits: a cascaded network has words of 8 bits, residuals of 12"):
        choose(real, samples, bits=8)
    with pytest.raises(ValueError, match="^cascade-digits takes images, not sequences"):
        choose(real, samples._replace(lengths=np.ones(len(samples.x), int)))
