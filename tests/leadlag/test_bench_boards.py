"""Group `boards` of the bench and its page: what is short, what fits, what was routed, what is there already."""

from types import SimpleNamespace

import pytest

from docs import boards_figures, figures
from golden.programs import BuildError
from leadlag import flow
from leadlag.bench import boards

REPORT = {"fmax_mhz": 66.0, "clock_mhz": 60.0, "timing_met": True, "nextpnr_seed": 1, "lut4": 4000, "comb": 7000,
          "ff": 4200, "dsp": 0, "bram": 29}


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path):
    monkeypatch.setattr(flow, "BUILD", tmp_path)
    monkeypatch.setattr(boards, "OUT", tmp_path / "boards.json")


def test_what_is_short_and_what_fits():
    assert boards.row("gle-mnist1d", "ice40-hx8k", True, print) == {
        "short": "gle-mnist1d multiplies, and ice40-hx8k (iCE40HX8K) has no multipliers for it"}
    found = boards.row("delays-digits", "ice40-hx8k", False, print)
    assert {name: found[name] for name in ("lanes", "form", "in_place")} == {"lanes": 18, "form": "ice40",
                                                                            "in_place": False}
    assert found["needs"]["bram"] == 31
    found = boards.row("gle-mnist1d", "icepi-zero", False, print)
    assert (found["in_place"], found["form"]) == (True, "ecp5_small")


def test_a_build_and_one_that_fails(monkeypatch, tmp_path):
    """Images a second at the clock of the bitstream; cycles of an image are counted once."""
    ran = []
    device = SimpleNamespace(run=ran.append, run_cycles=100 * 450)
    monkeypatch.setattr(flow, "compiled", lambda case: device)
    monkeypatch.setattr(flow, "samples", lambda *_: SimpleNamespace(x="images"))
    monkeypatch.setattr("boards.build.build", lambda *_, **__: SimpleNamespace(report=REPORT))
    for _ in range(2):
        found = boards.row("delays-digits", "ice40-hx8k", True, lambda text: None)
        assert found["images_per_s"] == pytest.approx(60e6 / 450)
        assert found["images_per_s_at_fmax"] == pytest.approx(66e6 / 450)
        assert found["fmax_mhz"] == 66.0
    assert ran == ["images"]

    def fails(*_, **__):
        raise BuildError("nextpnr failed\nwith exit status 1")
    monkeypatch.setattr("boards.build.build", fails)
    assert boards.row("delays-digits", "ice40-hx8k", True, print)["failed"] == "nextpnr failed with exit status 1"


def test_the_small_network(tmp_path):
    path = boards.small(tmp_path / "bench")
    before = path.read_bytes()
    net = flow.prepare(str(path), "tang-nano-9k").net
    assert [(layer.inputs, layer.outputs) for layer in net.layers] == [(5, 6), (6, 3)]
    assert boards.small(tmp_path / "bench").read_bytes() == before


def test_the_page():
    needs = {"lut4": 1234, "dsp": 5, "bram": 6, "lut_ram": 7, "spram": 0}
    rows = [{"network": "a", "board": "b", "in_place": True, "ticks_per_s": 1.5e6} | REPORT,
            {"network": "a", "board": "c", "untimed": "nothing is timed"} | REPORT | {"timing_met": False},
            {"network": "d", "board": "b", "lanes": 3, "needs": needs}, {"network": "e", "board": "b", "short": "DSP"},
            {"network": "e", "board": "c", "lanes": 3, "needs": needs, "failed": "no place"}]
    text = boards_figures.builds(figures._table, {"boards": {"rows": rows}})
    for line in ("| a in place | b | 60 MHz | 66.0 MHz | 4,000 | 4,200 | 0 | 29 | 1,500,000 ticks |",
                 "| a | c | 60 MHz, missed | 66.0 MHz | 4,000 | 4,200 | 0 | 29 | - |", "Nothing is timed.",
                 "| d | b | 3 | 1,234 | 5 | 6 |", "| e | b | DSP |", "| e | c | no place |"):
        assert line in text.splitlines(), line
    assert "So far" not in text
    part = {"boards": {"rows": rows, "pairs": len(rows) + 3}}
    assert boards_figures.builds(figures._table, part).endswith(f"So far {len(rows)} of {len(rows) + 3} pairs of "
                                                                "network and board were tried.")
    assert "Not measured yet" in boards_figures.builds(figures._table, {})
    assert all(f"| `{name}` |" in boards_figures.boards(figures._table) for name in flow.BOARDS)
