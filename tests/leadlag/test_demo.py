"""The demo: what was measured outlives a build that fails, and a build outlives nothing that failed before it."""

import io

import numpy as np
import pytest

import boards.build
from golden.programs import BuildError
from leadlag import demo, flow
from leadlag.terminal import Screen


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """A demo whose measurements are given; the console's text."""
    monkeypatch.chdir(tmp_path)
    words = np.zeros((1, 40, 1), np.int64)
    batch = flow.Batch(words, words, np.array([3]), np.array([40]))
    ladder = [{"rung": "integers (golden)", "accuracy": 0.5, "samples": 2, "remark": ""}]
    found = {"batch": batch, "integers": np.zeros((1, 360, 10), np.int64), "cycles": 1000, "rtl_s": 0.5}
    monkeypatch.setattr("leadlag.ladder.climb", lambda *arguments, **options: (list(ladder), found))
    monkeypatch.setattr("leadlag.ladder.run_on_board", lambda *arguments: [(1, 1, None)] * 3)
    text = io.StringIO()
    monkeypatch.setattr(demo, "notes", Screen(file=text, width=80))
    return text


def test_a_build_that_fails_keeps_what_was_measured(measured, monkeypatch, tmp_path):
    def build(*arguments, progress, **options):
        progress("synthesis")
        raise BuildError("yosys died of SIGBUS twice; logs in build/n/b-failed")

    monkeypatch.setattr(boards.build, "build", build)
    console = Screen(file=measured, width=80)
    with pytest.raises(BuildError, match="^no bitstream: yosys died of SIGBUS twice; logs in build/n/b-failed$"):
        demo.demo("gle-mnist1d", "ulx3s-85f", console=console)
    said = measured.getvalue()
    assert "board: failed" in said
    assert "50.00%" in said
    assert "3 of 3" in said
    page = (tmp_path / flow.BUILD / "demo" / "report.html").read_text()
    assert "There is no bitstream: yosys died of SIGBUS twice; logs in build/n/b-failed" in page
    assert "50.00%" in page


def test_without_a_build(measured, tmp_path):
    demo.demo("gle-mnist1d", "ulx3s-85f", place=False, console=Screen(file=measured, width=80))
    assert "report build/demo/report.html" in measured.getvalue()
    assert "bitstream" not in measured.getvalue()
    assert "There is no bitstream" not in (tmp_path / flow.BUILD / "demo" / "report.html").read_text()


def test_netlist_is_a_rung_where_it_is_asked_for(measured, monkeypatch, tmp_path):
    asked = []

    def verify(vectors, target, rung, *, quick, progress):
        asked.append((vectors.x.shape, target.name, rung, quick))
        progress("synthesis")
        return {"words": 1234}
    monkeypatch.setattr(demo, "verify", verify)
    demo.demo("gle-mnist1d", "ulx3s-85f", place=False, netlist=True, console=Screen(file=measured, width=80))
    assert asked == [((1, 40, 1), "ulx3s-85f", "netlist", True)]
    said = measured.getvalue()
    assert "netlist (yosys)" in said
    assert "0 of 1" in said
    assert "1,234 output words equal to golden" in (tmp_path / flow.BUILD / "demo" / "report.html").read_text()
