"""Sweeps: every run once, in processes or on a cluster, taken up again where they ended; their table and picture."""

import csv
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from golden.tasks import late as prospective
from golden.train import pm
from leadlag.experiments import study, sweep

ROOT = Path(__file__).resolve().parent.parent.parent
SHORT = {"ms": 15.0}
TINY = ([0, 0.25], ["none", "linear"], [3, 4])


@pytest.fixture
def counted(monkeypatch):
    """Names of the runs that are computed; in this process."""
    names, work = [], study.work
    monkeypatch.setattr(study, "work", lambda settings, trained=None: (names.append(study.name_of(settings)),
                                                                       work(settings, trained))[1])
    return names


def test_table_files_and_resumption(tmp_path, counted):
    table = study.delays(*TINY, **SHORT, out=tmp_path)
    assert len(counted) == len(set(counted)) == 2 * 3, "no delay is run once a seed, for all predictors"
    assert [row["delay_ms"] for row in table["rows"]] == [0, 0.25]
    cell = table["rows"][1]["cells"]["linear"]
    want = [pm.fourier_run(5, pm.Predictor(kind="linear"), seed, **SHORT)["mse"] for seed in (3, 4)]
    assert cell["mse"] == want
    assert cell["ratio"] == pytest.approx(cell["mean"] / table["undelayed"])
    assert cell["spread"] == pytest.approx(abs(want[0] - want[1]))
    assert set(study.FILES) <= {path.name for path in tmp_path.iterdir()}
    rows = list(csv.DictReader((tmp_path / "table.csv").open(encoding="utf-8")))
    assert [float(row["mse"]) for row in rows if row["delay_ms"] == "0.25" and row["predictor"] == "linear"] == want
    assert (tmp_path / "table.md").read_text().startswith("| delay (ms) | no predictor | linear |\n| --- |")
    assert (tmp_path / "delays.svg").read_text().startswith("<svg")
    assert json.loads((tmp_path / "table.json").read_text())["rows"] == table["rows"]

    counted.clear()
    again = study.delays(*TINY, **SHORT, out=tmp_path)
    assert counted == []
    assert again["rows"] == table["rows"]
    study.delays([0, 0.25], ["none", "linear"], [3, 4, 5], **SHORT, out=tmp_path)
    assert len(counted) == 3, "one new seed"
    counted.clear()
    study.delays(*TINY, ms=16.0, out=tmp_path)
    assert len(counted) == 6, "other settings are other runs"


@pytest.mark.parametrize("damage", [
    lambda path: path.write_text(path.read_text()[:40]),
    lambda path: path.write_bytes(b"\xff\x00"),
    lambda path: path.write_text("[]"),
    lambda path: path.write_text("3"),
    lambda path: path.write_text(path.read_text().replace('"mse"', '"msee"')),
    lambda path: path.write_text(path.read_text().replace('"seed": 3', '"seed": 4')),
    lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | {"result": {"mse": "0.1"}})),
    lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | {"result": {"mse": math.nan}})),
    lambda path: path.unlink(),
])
def test_a_damaged_run_is_made_again(tmp_path, counted, damage):
    table = study.delays([0], ["none"], [3], **SHORT, out=tmp_path)
    path = tmp_path / f"{counted.pop()}.json"
    whole = path.read_bytes()
    damage(path)
    assert study.delays([0], ["none"], [3], **SHORT, out=tmp_path)["rows"] == table["rows"]
    assert counted == [path.stem]
    assert path.read_bytes() == whole


def test_a_run_without_a_number_is_kept_and_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "work", lambda settings, trained=None: {
        "mse": math.nan if settings["delay"] else 0.04, "diverged": 7, "resets": 0})
    for _ in range(2):
        table = study.delays([0.25], ["linear"], [0], out=tmp_path)
        cell = table["rows"][1]["cells"]["linear"]
        assert math.isnan(cell["mean"])
        assert cell["diverged"] == 7
    assert json.loads((tmp_path / "table.json").read_text())["rows"][1]["cells"]["linear"]["mean"] is None
    assert "nan" in (tmp_path / "table.md").read_text()


def test_an_error_names_the_run_and_what_is_finished_stays(tmp_path, monkeypatch):
    whole = pm.fourier_run

    def fails(delay, *more, **settings):
        if delay:
            raise ArithmeticError("no such\nthing")
        return whole(delay, *more, **settings)
    monkeypatch.setattr(pm, "fourier_run", fails)
    with pytest.raises(RuntimeError, match=r"^run float-linear-d5-s3-[0-9a-f]{12}: no such thing$"):
        study.delays(*TINY[:1], ["linear"], [3], **SHORT, out=tmp_path)
    assert len(list(tmp_path.glob("float-none-d0-s3-*.json"))) == 1
    assert not list(tmp_path.glob(".*"))


def test_an_interrupted_study_leaves_finished_runs(tmp_path, monkeypatch, counted):
    work = study.work

    def interrupted(settings, trained=None):
        if len(counted) == 2:
            raise KeyboardInterrupt
        return work(settings, trained)
    monkeypatch.setattr(study, "work", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study.delays(*TINY, **SHORT, out=tmp_path)
    assert {path.stem for path in tmp_path.glob("*.json")} == set(counted)
    monkeypatch.setattr(study, "work", work)
    study.delays(*TINY, **SHORT, out=tmp_path)
    assert len(counted) == len(set(counted)) == 6


def test_processes_give_the_same_table(tmp_path):
    one = study.delays(*TINY, **SHORT, out=tmp_path / "one")
    two = study.delays(*TINY, **SHORT, jobs=2, out=tmp_path / "two")
    assert one["rows"] == two["rows"]


def test_a_cluster_gives_the_same_table(tmp_path):
    distributed = pytest.importorskip("distributed")
    one = study.delays(*TINY, **SHORT, out=tmp_path / "one")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, protocol="tcp",
                                  host="127.0.0.1", dashboard_address=None) as cluster:
        two = study.delays(*TINY, **SHORT, scheduler=cluster.scheduler_address, out=tmp_path / "two")
    assert one["rows"] == two["rows"]


def test_no_scheduler_is_one_line(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(sweep, "CONNECT", "1s")
    for address in ("tcp://127.0.0.1:1", "nonsense://x"):
        with pytest.raises(RuntimeError, match=f"no Dask scheduler at {address}: "):
            study.delays(*TINY, **SHORT, scheduler=address, out=tmp_path)


def test_neural_predictors_are_trained_once_a_delay(tmp_path, monkeypatch, counted):
    pytest.importorskip("torch")
    from golden.train import pm_neural
    train = pm_neural.train_neural
    monkeypatch.setattr(pm_neural, "train_neural",
                        lambda delay, **kw: train(delay, **kw, seeds=(9,), steps=3, ms=40))
    for todo in (1, 0):
        counted.clear()
        study.delays([0.25], ["neural"], [3, 4], **SHORT, out=tmp_path)
        assert len(counted) == 5 * todo
    assert sum(name.startswith("training-neural-d5-") for name in os.listdir(tmp_path)) == 1


def test_integers_are_those_of_golden(tmp_path):
    how = {"arithmetic": "integer", "ms": 40.0, "out": tmp_path}
    table = study.delays([0.25, 1.0], ["none", "linear", "nlms"], [0, 2], **how)
    for row in table["rows"]:
        for kind, cell in row["cells"].items():
            want = [prospective.late_fourier_mse(row["delay"], kind, seed, ms=40) for seed in (0, 2)]
            assert cell["mse"] == [found["mse"] for found in want], (row["delay"], kind)
            assert cell["lost"] == sum(sum(found["lost"]) for found in want)
    assert study.plan([0], ["none"], [0], "integer", 40.0)[0] != study.plan([0], ["none"], [0], "float", 40.0)[0]


def test_integers_use_the_predictors_that_float_trains(tmp_path, monkeypatch, counted):
    nets = [[[[0.5, -0.25]], [0.1], [0.5], 0.01]] * 2
    work = study.work
    monkeypatch.setattr(study, "work", lambda settings, trained=None: {"nets": nets} if "training" in settings
                        else work(settings, trained))
    monkeypatch.setattr(study.importlib.util, "find_spec", lambda name: name)
    study.delays([0.25], ["neural"], [3], **SHORT, out=tmp_path)
    table = study.delays([0.25], ["neural"], [3], arithmetic="integer", **SHORT, out=tmp_path)
    assert sum(name.startswith("training-neural-d5-") for name in os.listdir(tmp_path)) == 1
    want = prospective.late_fourier_mse(5, "neural", 3, ms=SHORT["ms"], trained=nets)["mse"]
    assert table["rows"][1]["cells"]["neural"]["mse"] == [want]
    assert want != prospective.late_fourier_mse(5, "none", 3, ms=SHORT["ms"])["mse"]


@pytest.mark.parametrize("change", ["NLMS_SPACING", "NLMS_RATE", "NLMS_TAPS"])
def test_integers_run_again_when_the_predictor_changes(monkeypatch, change):
    before = study.plan([1.0], ["nlms"], [0], "integer")[-1]
    monkeypatch.setattr(prospective, change, getattr(prospective, change) - 1)
    assert study.plan([1.0], ["nlms"], [0], "integer")[-1] != before


@pytest.mark.parametrize(("arguments", "says"), [
    (([-1],), "a delay is 0 ms or more, not -1"),
    (([math.nan],), "a delay is 0 ms or more, not nan"),
    (([0.03],), "a delay is a multiple of 0.05 ms, 0.03 is not"),
    (([12.8],), "a delay is at most 255 ticks"),
    (([],), "needs a delay, a predictor and a seed"),
    (([1], ["magic"]), "no predictor 'magic': there is none, linear"),
    (([1], ["none"], [-1]), "a seed is an integer"),
    (([1], ["none"], [0], "binary"), "arithmetic is one of float, integer"),
    (([1], ["none"], [0], "float", 0.1), "a run takes 0.5 ms or more"),
])
def test_a_bad_plan_is_one_line(arguments, says):
    with pytest.raises(ValueError, match=says) as error:
        study.plan(*arguments)
    assert "\n" not in str(error.value)


def test_jobs_are_at_least_one(tmp_path):
    with pytest.raises(ValueError, match="jobs must be 1 or more, not 0"):
        study.delays(*TINY, jobs=0, out=tmp_path)


def test_twice_the_same_is_once():
    assert study.plan([1, 1.0, 0], ["none", "none"], [1, 1], ms=20.0) == study.plan([1], ["none"], [1], ms=20.0)


def leadlag(*arguments):
    return subprocess.run([sys.executable, "-c", "from leadlag.cli import main; main()", *map(str, arguments)],
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
                          timeout=300)


def test_command(tmp_path):
    done = leadlag("study", "delays", "--delays", "0.25", "--predictors", "none,linear", "--seeds", "1", "--ms", 15,
                   "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Fourier synthesis" in done.stdout
    assert (tmp_path / "delays.svg").exists()
    for wrong, says in ((("--delays", "0.25,x"), "'0.25,x' is no list of numbers"),
                        (("--delays", "-1"), "a delay is 0 ms or more"), (("--predictors", "x"), "no predictor 'x'")):
        done = leadlag("study", "delays", *wrong, "--out", tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith("leadlag: ")
        assert done.stderr.count("\n") == 1
        assert says in done.stderr
