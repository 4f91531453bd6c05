"""A system that the project does not know goes all the way, without a line of it anywhere but in tests/helpers."""

import json

import pytest
import tally

from golden import systems
from leadlag import cli, flow


@pytest.fixture
def network(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    yield str(tally.install(monkeypatch, tmp_path))
    for cached in (systems.descriptions, systems.trained_kinds):
        cached.cache_clear()


def run(monkeypatch, capsys, *words) -> str:
    monkeypatch.setattr("sys.argv", ["leadlag", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr()
    assert end.value.code == 0, said.err
    return said.out


def test_the_whole_way(monkeypatch, capsys, tmp_path, network):
    """Quantise, ladder, cocotb, simulated board, demo with its page."""
    assert "16 x 2" in run(monkeypatch, capsys, "quantize", network)
    assert systems.load(tmp_path / "build" / "halves" / "network.json").kind == "tally"
    said = run(monkeypatch, capsys, "evaluate", network, "-n", "20")
    assert "RTL (Verilator)" in said
    assert "40 output words" in " ".join(said.split())
    assert "40 output words of 20 images" in run(monkeypatch, capsys, "simulate", network, "-n", "20", "--simulator",
                                                 "icarus")
    assert "image" in run(monkeypatch, capsys, "run", network, "--port", "sim", "-n", "2")
    assert "PASS: " in run(monkeypatch, capsys, "verilog", network, "--check")
    said = run(monkeypatch, capsys, "demo", "--network", network, "--no-build", "-n", "20")
    assert "3 of 3" in said
    report = json.loads((flow.BUILD / "demo" / "report.json").read_text())
    assert [rung["samples"] for rung in report["ladder"]] == [20, 20, 20, 3]
    assert "halves" in (flow.BUILD / "demo" / "report.html").read_text()


@pytest.mark.slow
def test_a_bitstream(monkeypatch, capsys, network):
    assert "meets 50 MHz" in run(monkeypatch, capsys, "build", network, "--clock", "50")
