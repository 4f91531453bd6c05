"""A network of one's own in Python, by the examples and by hand, and the same from a recipe and a file."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from test_report import BUILD

import leadlag
from golden.rate.recipe import RateRecipe
from golden.spiking.recipe import SpikingRecipe
from golden.systems import trained as load
from leadlag import flow
from leadlag.notebook import Built

pytest.importorskip("torch")

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
RATE = RateRecipe(name="two", epochs=4, batch=10, rate=0.01, layers=[{"neurons": 6, "tau_m": 0.6, "tau_r": 0.2}])
SPIKING = SpikingRecipe(name="bars", hidden=[12], epochs=6, batch=16, rate=0.8, warm=10)


def sequences(n, seed=0):
    """Two channels of which one is on: "left" or "right"; 4 to 9 ticks."""
    rng = np.random.default_rng(seed)
    side = rng.integers(0, 2, n)
    x = [rng.normal(0, 0.3, (rng.integers(4, 10), 2)) + (np.arange(2) == k) for k in side]
    return x, np.array(["left", "right"])[side]


def images(n, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    x = rng.integers(0, 99, (n, 4, 4)).astype(np.uint8)
    x[np.arange(n), 3 * y] += 150
    return x, y


@pytest.mark.parametrize("name", ["own_rate", "own_spiking"])
def test_examples(name, capsys, monkeypatch, tmp_path):
    """All but place and route, which test_example_to_a_bitstream does."""
    report = {"network": name, "timing_met": True, "available": {}, "board": "ulx3s-85f"}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("boards.build.build", lambda *_, **__: SimpleNamespace(
        bitstream=tmp_path / "design.bit", report=report, summary=lambda: "routed"))
    found = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    x, y = found["x"], found["y"]
    scores = found["words"].evaluate(x[-60:], y[-60:])
    assert scores["integers"] >= 0.9, scores
    assert scores["float"] >= 0.9, scores
    said = capsys.readouterr().out
    assert "'layer': 0" in said
    assert said.endswith("routed\n")
    assert list((tmp_path / "build" / "verilog").rglob("*_tb.v"))
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) < 20


@pytest.mark.slow
def test_example_to_a_bitstream(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / "own_rate.py"))
    assert "meets 140 MHz" in capsys.readouterr().out


@pytest.mark.parametrize(("recipe", "make"), [(RATE, sequences), (SPIKING, images)], ids=["rate", "spiking"])
def test_fit_quantize_evaluate(recipe, make, tmp_path):
    x, y = make(120)
    model = leadlag.fit(recipe, x, y, test=make(40, 1), quiet=True)
    assert model.figures["float_accuracy"] >= 0.9
    words = model.quantize(calibrate=x, y=y)
    assert words.report.loss <= 0.5
    assert words.report.samples == 120
    more, labels = make(30, 2)
    found = words.evaluate(more, labels, rtl=True)
    assert list(found) == ["float", "integers", "rtl"]
    assert all(value >= 0.9 for value in found.values()), found
    assert found["rtl"] == found["integers"] == (words.answers(more) == labels).mean()
    ran = words.run(more)
    assert np.array_equal(ran.answers, words.answers(more))
    for shown in (words, ran, Built(tmp_path, BUILD, "routed")):
        html = shown._repr_html_()
        assert "<table>" in html
        assert "<svg" in html
    path = words.save(tmp_path / "net.safetensors")
    assert load(path).describe() == words.case.real.describe()
    assert words.case.net.fingerprint == flow.prepare(str(path)).net.fingerprint


def test_targets():
    rng = np.random.default_rng(5)
    level = rng.uniform(-1, 1, (150, 1))
    x = level + rng.normal(0, 0.1, (150, 10))
    model = leadlag.fit(RATE, x, 2 * level, quiet=True)
    words = model.quantize()
    found = words.evaluate(x, 2 * level)
    assert found["integers"] < 0.1 * (2 * level).var()
    assert words.answers(x).shape == (150, 1)
    assert model.data.targets == 1


def test_the_same_seed_gives_the_same_network():
    x, y = sequences(60)
    weights = [leadlag.fit(RATE, x, y, seed=seed, quiet=True).trained.layers[0].weight.tobytes() for seed in (1, 1, 2)]
    assert weights[0] == weights[1] != weights[2]


def test_without_a_test_a_fifth_is_kept_back():
    x, y = images(100)
    model = leadlag.fit(SPIKING, x, y, quiet=True)
    assert (len(model.data.load("train").y), len(model.data.load("test").y)) == (80, 20)
    assert "settings" in model.figures, "no command has made it"


@pytest.mark.parametrize(("recipe", "x", "y", "said"), [
    (RATE, np.ones((9, 5)), np.arange(8) % 2, "two train: 9 samples and 8 of y"),
    (RATE, np.full((9, 5), np.nan), np.arange(9) % 2, "x\\[0, 0, 0\\] is nan"),
    (RATE, np.ones((9, 5)), np.zeros(9, int), "one class only, 0"),
    (RATE, np.ones((4, 5)), np.arange(4), "4 training samples of 4 classes"),
    (RATE, np.ones((8, 5, 5), np.uint8), np.arange(8) % 2, "has images, and a network of rates takes sequences"),
    (RATE, [np.ones((5, 2)), np.ones((5, 3))] * 4, np.arange(8) % 2, "sequence 1 has 3 channels, sequence 0 has 2"),
    (SPIKING, np.ones((8, 40)), np.arange(8) % 2, "has sequences of 40 ticks"),
    (SPIKING, np.ones((8, 4, 4), np.uint8), np.arange(8.0), "has targets, and a spiking network answers")])
def test_data_that_do_not_fit(recipe, x, y, said, monkeypatch):
    monkeypatch.setattr("leadlag.training.fitted", None)       # nothing is trained
    with pytest.raises(ValueError, match=said) as failed:
        leadlag.fit(recipe, x, y)
    assert "\n" not in str(failed.value)


def test_samples_that_are_not_what_was_learnt():
    words = leadlag.fit(RATE, *sequences(60), quiet=True).quantize()
    for x, y, said in ((np.ones((4, 5, 3)), ["left"] * 4, "test: 3 channels, the training samples have 2"),
                       (np.ones((4, 5, 2)), ["up"] * 4, "class up is none of the training set: left, right"),
                       (np.ones((4, 5, 2)), ["left"] * 3, "test: 4 samples and 3 of y")):
        with pytest.raises(ValueError, match=said):
            words.evaluate(x, y)
    with pytest.raises(ValueError, match="words have 4 to 18 bits, not 40"):
        words.fitted.quantize(bits=40)


def test_readme_shows_the_example():
    example = (EXAMPLES / "own_rate.py").read_text(encoding="utf-8").split('"""\n\n', 1)[1].strip()
    assert f"```python\n{example}\n```" in (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
