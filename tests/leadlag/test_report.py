"""The report: renders with all sections and with none, escapes what it is given, draws the same twice."""

import base64
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from leadlag.report import page as report
from leadlag.report import pictures
from leadlag.report.play import play_svg

SVG = "{http://www.w3.org/2000/svg}svg"


def segment(kind, delay, start, end):
    return {"kind": kind, "delay_ns": delay, "from": start, "to": end, "net": "net"}


PATH = [segment("clk-to-q", 0.524, "top.acc3.Q", "top.acc3.Q"), segment("routing", 1.71, "top.acc3.Q", "top.sum.A"),
        segment("logic", 0.45, "top.sum.A", "top.sum.FCO"), segment("logic", 0.07, "top.sum.FCI", "top.sum2.FCO"),
        segment("logic", 0.07, "top.sum2.FCI", "top.sum3.FCO"), segment("logic", 0.44, "top.sum3.FCI", "top.sum3.F"),
        segment("routing", 2.9, "top.sum3.F", "top.q.DI")]

BUILD = {"network": "made-up", "board": "ulx3s-85f", "part": "LFE5U-85F", "fingerprint": "0" * 16, "fmax_mhz": 162.2,
         "clock_mhz": 150.0, "timing_met": True, "cycles_per_tick": 108, "ticks_per_s": 150e6 / 108, "lanes": 141,
         "ticks_per_s_at_fmax": 162.2e6 / 108, "lanes_by_layer": [1, 27, 27, 27, 27, 27, 5], "lane_use": 0.957,
         "lut4": 19_000, "comb": 26_000, "ff": 31_000, "dsp": 155, "bram": 181, "nextpnr_seed": 3, "wall_s": 431.0,
         "available": {"comb": 83_640, "ff": 83_640, "dsp": 156, "bram": 208}, "critical_path": PATH}


def sample_figures():
    """Made-up figures of every section, marked as such."""
    time = np.arange(72)
    rng = np.random.default_rng(1)
    speeds = rng.uniform(8, 30, 53)
    return {
        "title": "Sample report", "note": "All figures on this page are made up: this is a test of the page itself.",
        "ladder": [{"rung": "float (torch)", "accuracy": 0.9421, "samples": 1000, "remark": "mean of 5 seeds"},
                   {"rung": "integer (golden)", "accuracy": 0.938, "samples": 1000, "remark": "rates in Q1.12"},
                   {"rung": "RTL (Verilator)", "accuracy": 0.938, "samples": 1000, "remark": "bit for bit"}],
        "rates": {"label": "Test sample 17, digit 3", "dt": 0.2, "unit": "ms", "layers": [
            {"name": "input", "values": np.sin(time / 6)[:, None] + rng.normal(0, .1, (72, 1))},
            {"name": "layer 0", "values": np.tanh(np.sin(time[:, None] / speeds) + rng.normal(0, .1, (72, 53)))},
            {"name": "layer 1", "values": np.tanh(np.cos(time[:, None] / speeds[::-1]))},
            {"name": "output", "values": np.cumsum(rng.normal(0, .2, (72, 10)), 0)}]},
        "relearn": {"curve": [[0, 0.1], [10, 0.4], [20, 0.9]], "before": 0.95, "board": 10},
        "lines": {"x": "step", "y": "error", "label": "Made up", "series": [
            {"name": "net", "values": [0.1, 0.3]}, {"name": "copy", "values": [0.2, 0.31], "dashed": True}]},
        "events": {"spikes": [10, 20, 30], "cycles": [21, 39, 61], "slope": 2.0, "r2": 0.99, "label": "Made up"},
        "strip": {"label": "Made up", "columns": ["1", "2"], "groups": [
            [{"name": name, "frames": rng.uniform(size=(2, 4, 6))} for name in ("true", "net")] for _ in range(2)]},
        "anytime": {"accuracy": [0.5, 0.7, 0.92], "samples": 1000, "curves": [
            {"name": name, "points": [[0.0, 0.5], [0.4, 0.8 + n / 10], [2.0, 0.92]]}
            for n, name in enumerate(("exit by the largest softmax", "exit by the margin"))]},
        "exits": {"sure": 0.9, "mean": 0.71, "accuracy": 0.9, "right": [500, 200, 200], "wrong": [10, 0, 90]},
        "early": {"sure": 0.9, "groups": [{"name": name, "rows": [
            {"image": rng.integers(0, 256, (4, 4, channels)).tolist(), "label": 3, "answers": [1, 3, 3], "exit": end}
            for channels in (1, 3)]} for end, name in enumerate(("answered early", "answered late"))]},
        "skipped": {"worked": [[1.0, 0.0, 0.25], [1.0, 1.0, 0.0]], "products": [200, 100], "made": 400, "early": 250,
                    "all": 600},
        "engines": {"cycles_per_step": 1200, "engines": [
            {"name": "stem", "multipliers": 1, "cycles": 200, "products": 150},
            {"name": "blocks 1 to 2", "multipliers": 24, "cycles": 1200, "products": 27_000}]},
        "build": BUILD, "table": [("parameters", 15_123, "", "weights, biases, time constants"),
                                  ("ticks", BUILD["ticks_per_s"], "1/s", "at the clock of the PLL"),
                                  ("lane use", 95.7, "%", "lane-cycles that multiply by a weight")],
        "commands": ["leadlag train gle-mnist1d --seed 1", "leadlag build gle-mnist1d --board ulx3s-85f"],
        "seeds": {"training": 1, "nextpnr": 3}, "tools": {"yosys": "Yosys 0.70", "nextpnr": "0.11.1"},
        "commit": "0123abc", "date": "2000-01-01"}


def test_page_has_every_section(tmp_path):
    figures = sample_figures()
    page = report.write_report(figures, tmp_path / "new")
    text = page.read_text(encoding="utf-8")
    for heading in ("Accuracy", "Rates over time", "Learning again", "Error", "Cost follows events", "Pictures",
                    "Accuracy against time", "When samples are answered", "Early and late",
                    "What skipping leaves out", "What the lanes do", "The circuit", "Critical path", "Figures",
                    "How to get these figures again"):
        assert f"<h2>{heading}</h2>" in text, heading
    assert "timing met at 150 MHz" in text
    assert "1,388,889" in text
    assert text.count("data:image/svg+xml;base64,") == 2 * 14
    assert not re.search(r"""(src|srcset|href)=["'](?!data:)""", text), "the page must not load anything"
    assert json.loads((tmp_path / "new/report.json").read_text())["build"] == BUILD
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.json"]


@pytest.mark.parametrize("absent", sorted(set(report.SECTIONS) - {"title"}))
def test_absent_section_is_left_out(absent, monkeypatch):
    # drawing is slow
    monkeypatch.setattr(report, "PICTURES", dict.fromkeys(report.PICTURES, lambda figures, narrow=False: "<svg/>"))
    page = report.render({key: value for key, value in sample_figures().items() if key != absent})
    assert "None" not in page
    heading = {"ladder": "Accuracy", "rates": "Rates over time", "relearn": "Learning again", "lines": "Error",
               "events": "Cost follows events", "strip": "Pictures", "anytime": "Accuracy against time",
               "exits": "When samples are answered", "early": "Early and late", "skipped": "What skipping leaves out",
               "engines": "What the lanes do", "build": "Critical path", "table": "Figures"}
    for section, text in heading.items():
        assert (f"<h2>{text}</h2>" in page) == (section != absent), section


def test_what_was_not_compared_is_not_claimed():
    figures = {"title": "x", "relearn": {"curve": [[0, 0.1], [10, 0.4]], "before": 0.95, "board": 10}}
    page = report.render(figures)
    assert "10 sequences\n     on the board" in page
    assert "equals the golden model word by word" in page
    figures["relearn"]["board"] = 0
    page = report.render(figures)
    assert "no board\n     was asked, and nothing was compared" in page
    assert "word by word" not in page


def test_lanes_are_drawn_once():
    """By engine where a build says so, else by layer."""
    page = report.render({"title": "x", "build": BUILD})
    assert "Lanes by layer" in page
    assert "What the lanes do" not in page
    page = report.render({"title": "x", "build": BUILD | sample_figures()["engines"] | {
        "frames_per_s": 3385.4, "tap_use": 0.904}})
    assert "Lanes by layer" not in page
    assert "What the lanes do" in page
    assert "3,385" in page


def test_smallest_report():
    assert "<h2>" not in report.render({"title": "nothing yet"})


def test_unknown_section_is_refused():
    with pytest.raises(ValueError, match="not ladders"):
        report.render({"title": "x", "ladders": []})
    with pytest.raises(ValueError, match="has a title"):
        report.render({})


def test_missed_timing_is_shown():
    page = report.render({"title": "x", "build": BUILD | {"timing_met": False, "fmax_mhz": 141.0}})
    assert "timing missed: 141.0 of 150 MHz" in page
    assert "timing met" not in page


def test_text_is_escaped():
    page = report.render({"title": "<script>1</script>", "commands": ["a < b && c"]})
    assert "<script>" not in page
    assert "a &lt; b &amp;&amp; c" in page


@pytest.mark.parametrize("picture", report.PICTURES)
@pytest.mark.parametrize("narrow", [False, True])
def test_pictures_are_svg_and_repeat(picture, narrow):
    figures = sample_figures()
    draw = report.PICTURES[picture]
    first, second = (draw(figures.get({"play": "rates"}.get(picture, picture), BUILD), narrow=narrow) for _ in range(2))
    root = ET.fromstring(first)
    assert root.tag == SVG
    assert first == second
    wide = pictures.NARROW if narrow else pictures.WIDE
    assert float(root.get("viewBox").split()[2]) == pytest.approx(72 * wide)


def test_a_rung_of_few_samples_is_in_the_table_alone():
    ladder = [{"rung": "integers", "accuracy": 0.97, "samples": 1000, "remark": ""},
              {"rung": "board", "accuracy": 1.0, "samples": 3, "remark": "three"}]
    page = report.render({"title": "t", "ladder": ladder})
    assert "<b>97.00 %</b><span>accuracy, integers</span>" in page
    assert "three" in page
    drawn = base64.b64decode(re.search(r'svg\+xml;base64,([^"]+)" alt="Accuracy', page)[1]).decode()
    assert "integers" in drawn
    assert "board" not in drawn


def test_the_answer_stands_out():
    """The neuron that the run answered with, not that which ends highest."""
    values = np.array([[3.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    def label(**answer):
        drawn = pictures.rates_svg({"layers": [{"name": "out", "values": values}], **answer})
        return re.findall(r"<!-- (\d) -->", drawn)
    assert label()[-1] == "2"
    assert label(answer=0)[-1] == "0"


def test_carry_chain_is_one_step():
    steps = report._steps(BUILD)
    assert [step["kind"] for step in steps] == ["clk-to-q", "routing", "logic", "carry", "logic", "routing"]
    assert sum(s["delay_ns"] for s in steps) == pytest.approx(sum(s["delay_ns"] for s in PATH))


def test_names_of_lines_do_not_meet():
    assert pictures.apart([0, 10, 11, 30], 4) == [0, 8.5, 12.5, 30]
    assert np.allclose(pictures.apart([1, 1, 1, 4.5], 2), np.array([-1.125, 0.875, 2.875, 4.875]))


def test_a_sample_on_its_way():
    """A dot a neuron, neurons of large layers share them; colours by sign; the same text each time."""
    values = np.zeros((6, 3))
    values[2:, 1], values[4, 2] = 2.0, -1.0
    rates = {"layers": [{"name": "input", "values": np.arange(6.0)[:, None]},
                        {"name": "layer 0 (tanh)", "values": np.tile(values, (1, 50))},
                        {"name": "layer 1 <&>", "values": values}], "answer": 1}
    picture = play_svg(rates)
    assert picture == play_svg(rates)
    assert picture.count("<circle") == 1 + 60 + 3
    assert picture.count('stroke-width="2"><animate attributeName="fill"') == 1, "the answer"
    assert "layer 1 &lt;&amp;&gt;" in picture
    rising, falling = (picture[picture.rindex(f'fill="#{colour}"'):] for colour in ("d55e00", "eef1f4"))
    assert 'values="#eef1f4;#d55e00"' in rising, "from rest to the largest"
    assert falling
    ET.fromstring(picture)
