"""The examples with networks of others, and with one unit: what they print, but for place and route."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from golden.programs import ICARUS, find

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


@pytest.fixture
def example(capsys, monkeypatch, tmp_path):
    """Runs one by its name; what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("boards.build.build", lambda *_, **__: SimpleNamespace(
        bitstream=tmp_path / "design.bit", report={}, summary=lambda: "routed"))

    def run(name):
        assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) < 30
        runpy.run_path(str(EXAMPLES / f"{name}.py"))
        return capsys.readouterr().out
    return run


def test_a_unit(example):
    if find(ICARUS.names[0]) is None:
        pytest.skip("no Icarus Verilog")
    said = example("unit_verilog")
    assert "membrane_tb.v" in said
    assert said.splitlines()[-1].startswith("PASS: ")


def test_risp(example):
    said = example("risp_json")
    assert "[[1 0 0 0 0 0 0 0 1 " in said
    assert said.endswith("routed\n")


@pytest.mark.filterwarnings("ignore")
def test_nir_from_snntorch(example):
    for name in ("nir", "nirtorch", "snntorch"):
        pytest.importorskip(name, exc_type=ImportError)
    said = example("nir_snntorch")
    assert "'agreement': " in said
    assert "spikes of the simulated board, each of them golden's" in said
    assert not said.count("\n0 spikes")
