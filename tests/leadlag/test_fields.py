"""`leadlag study recipe`: every combination once, judged on held-out samples, taken up again where it ended."""

import csv
import json
import math

import numpy as np
import pytest

from leadlag.experiments import fields

pytest.importorskip("torch")

SINES = "\n".join("label," + ",".join(f"t{n}" for n in range(8)) if row < 0 else
                  f"{row % 2}," + ",".join(f"{math.sin((1 + row % 2) * n + row):.3f}" for n in range(8))
                  for row in range(-1, 40)) + "\n"
RECIPE = """kind = "rate"
name = "waves"
data = "waves.csv"
dt = 0.2
epochs = 1
batch = 10
[[layers]]
neurons = 3
tau_m = 0.4
tau_r = 0.2
"""
VARY = ("epochs=1,2", "layers.0.tau_m=0.4,0.6")


@pytest.fixture
def waves(tmp_path):
    (tmp_path / "waves.csv").write_text(SINES, encoding="utf-8")
    (tmp_path / "waves.toml").write_text(RECIPE, encoding="utf-8")
    return str(tmp_path / "waves.toml")


@pytest.fixture
def counted(monkeypatch):
    """Settings of the trainings that are done; in this process."""
    done, work = [], fields.work
    monkeypatch.setattr(fields, "work", lambda settings: (done.append(settings), work(settings))[1])
    return done


def test_table_files_and_resumption(waves, tmp_path, counted):
    table = fields.study(waves, VARY, seeds=[3, 4], out=tmp_path / "out")
    assert len(counted) == 2 * 2 * 2
    assert [row["varied"] for row in table["rows"]] == [
        {"epochs": epochs, "layers.0.tau_m": tau} for epochs in "12" for tau in ("0.4", "0.6")]
    for settings in counted:
        assert settings["recipe"]["epochs"] == int(settings["varied"]["epochs"])
        assert settings["recipe"]["layers"][0]["tau_m"] == float(settings["varied"]["layers.0.tau_m"])
    assert table["measure"] == "held_out_accuracy"
    assert {path.name for path in (tmp_path / "out").iterdir()} >= set(fields.FILES)
    rows = list(csv.DictReader((tmp_path / "out" / "table.csv").open(encoding="utf-8")))
    assert [float(row["held_out_accuracy"]) for row in rows] == [v for row in table["rows"] for v in row["values"]]
    assert (tmp_path / "out" / "fields.svg").read_text().startswith("<svg")
    assert json.loads((tmp_path / "out" / "table.json").read_text())["rows"] == table["rows"]
    head = (tmp_path / "out" / "table.md").read_text().splitlines()[0]
    assert head == "| epochs | layers.0.tau_m | held_out_accuracy |"

    counted.clear()
    assert fields.study(waves, VARY, seeds=[3, 4], out=tmp_path / "out")["rows"] == table["rows"]
    assert counted == []
    fields.study(waves, VARY, seeds=[3, 4, 5], out=tmp_path / "out")
    assert {settings["seed"] for settings in counted} == {5}
    counted.clear()
    fields.study(waves, VARY, seeds=[3], changes=["rate=0.01"], out=tmp_path / "out")
    assert len(counted) == 4, "other settings are other runs"


def test_a_run_is_what_the_command_trains(waves, tmp_path):
    from leadlag import training
    table = fields.study(waves, ["epochs=2"], seeds=[3], out=tmp_path / "out")
    want = training.train(waves, changes=["epochs=2"], seed=3, hold_out=True, out=tmp_path / "net.safetensors")
    assert table["rows"][0]["values"] == [want["held_out_accuracy"]]
    assert table["rows"][0]["mean"] == want["held_out_accuracy"]


def test_processes_give_the_same_table(waves, tmp_path):
    one = fields.study(waves, VARY[:1], seeds=[3, 4], out=tmp_path / "one")
    two = fields.study(waves, VARY[:1], seeds=[3, 4], jobs=2, out=tmp_path / "two")
    assert one["rows"] == two["rows"]


def test_other_data_in_the_same_file_are_another_study(waves, tmp_path, counted):
    fields.study(waves, ["epochs=1"], seeds=[3], out=tmp_path / "out")
    (tmp_path / "waves.csv").write_text(SINES.replace("0.0", "0.1"), encoding="utf-8")
    fields.study(waves, ["epochs=1"], seeds=[3], out=tmp_path / "out")
    assert len(counted) == 2
    with pytest.raises(RuntimeError, match=r"^run waves-s3-[0-9a-f]{12}: .*waves.csv holds other samples than where "):
        fields.work(counted[0])


@pytest.mark.parametrize("damage", ["", "[]", '{"settings": 1}', '{"result": {"value": 1}}'])
def test_a_damaged_run_is_made_again(waves, tmp_path, counted, damage):
    table = fields.study(waves, ["epochs=1"], seeds=[3], out=tmp_path / "out")
    path = next((tmp_path / "out").glob("waves-s3-*.json"))
    whole = path.read_bytes()
    path.write_text(damage, encoding="utf-8")
    assert fields.study(waves, ["epochs=1"], seeds=[3], out=tmp_path / "out")["rows"] == table["rows"]
    assert len(counted) == 2
    assert path.read_bytes() == whole


@pytest.mark.parametrize(("measure", "values", "best"), [
    ("held_out_accuracy", [0.5, 0.9, math.nan], "0.9"), ("held_out_mse", [0.5, 0.9, math.nan], "0.5"),
    ("held_out_mse", [math.nan], None)])
def test_the_best_row_is_that_of_the_best_number(tmp_path, monkeypatch, measure, values, best):
    monkeypatch.setattr(fields, "plan", lambda *_: [
        {"study": "recipe", "kind": "rate", "varied": {"x": str(value)}, "recipe": {"name": "n"}, "seed": 0}
        for value in values])
    monkeypatch.setattr(fields, "work", lambda settings: {"measure": measure, "value": float(settings["varied"]["x"])})
    for _ in range(2):      # and from disk
        table = fields.study("n", [], out=tmp_path)
        assert (table["best"] or {}).get("x") == best
    assert (tmp_path / "table.md").read_text().count("nan ± nan") == values.count(math.nan)
    assert json.loads((tmp_path / "table.json").read_text())["rows"][-1]["mean"] is None


def test_what_is_set_stays_beside_what_varies(tmp_path):
    """A preset of what varies comes before what is set; a field is one or the other."""
    runs = fields.plan("delays-digits", ["form=leaky,psp"], [0], ["drop=0.25"])
    assert [(run["recipe"]["form"], run["recipe"]["drop"]) for run in runs] == [("leaky", 0.25), ("psp", 0.25)]
    with pytest.raises(ValueError, match="^epochs varies: no --set for it$"):
        fields.plan("delays-digits", ["epochs=1,2"], [0], ["epochs=3"])


@pytest.mark.parametrize(("text", "found"), [
    ("epochs=1,2,2", ("epochs", [1, 2])), ("layers.0.tau_m=[0.2, 1.0], 0.4", ("layers.0.tau_m", [[0.2, 1.0], 0.4])),
    ("loss=cross_entropy,squared_error", ("loss", ["cross_entropy", "squared_error"])),
    ('formats.u="Q5.10"', ("formats.u", ["Q5.10"])), ("rest=true,false", ("rest", [True, False]))])
def test_values_as_toml_or_text(text, found):
    assert fields.values(text) == found


def test_texts_vary_and_names_of_files_follow(waves):
    runs = fields.plan(waves, ["name=a,b"], [0])
    assert [run["recipe"]["name"] for run in runs] == ["a", "b"]
    assert np.unique([fields.name_of(run) for run in runs]).size == 2
