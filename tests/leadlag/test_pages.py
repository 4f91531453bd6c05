"""Pages in a browser, at the width of a desk and of a phone; colours for every kind of colour vision."""

import itertools
import re

import numpy as np
import pytest
from browser import wrong
from test_report import BUILD, sample_figures

from leadlag.report import page as report
from leadlag.report import pictures

#: what a colour becomes for people without red-sensitive and without green-sensitive cones, in linear RGB
#: (Machado, Oliveira and Fernandes 2009)
VISION = {"all cones": np.eye(3),
          "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                         [-0.003882, -0.048116, 1.051998]],
          "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                           [-0.011820, 0.042940, 0.968881]]}


def figures(name):
    """Figures as the commands leave them, with long texts and many columns."""
    whole = sample_figures()
    ladder = [{"rung": rung, "accuracy": 0.9, "samples": 10_000, "remark": "457 cycles an image, every image to its "
               "end, 1,234,567 spikes of layer 0 equal to golden, design 469978985ccd9c1f"}
              for rung in ("float (torch)", "integers (golden)", "RTL (Verilator)")]
    table = [("accuracy, integers (golden)", "97.90%", "", "1,000 sequences"),
             ("simulated", "334", "thousand cycles/s", "39,021,005 cycles of the whole top")]
    told = {"title": name, "commit": "0123abc", "seeds": {"training": 0}, "tools": {"yosys": "Yosys 0.70, " + "x" * 60},
            "commands": [f"leadlag demo --network {'long-name-' * 20}"]}
    rng = np.random.default_rng(0)
    frames = [[{"name": row, "frames": rng.uniform(size=(31, 16, 16))} for row in ("undelayed", "mean frame")]] * 2
    return told | {
        "demo": {key: whole[key] for key in ("rates", "build")} | {"ladder": ladder, "table": table},
        "build": {"build": BUILD | {"critical_path": BUILD["critical_path"] * 5, "network": "a-network-" * 6}},
        "spiking": {"ladder": ladder, "build": {key: value for key, value in BUILD.items()
                                                if "tick" not in key and key != "lane_use"} | {"synapses": 635_200},
                    "events": {"spikes": list(range(100, 20_100)), "cycles": list(range(2000, 22_000)), "slope": 1.05,
                               "r2": 0.97, "label": "Cycles"}},
        "steps": {key: whole[key] for key in ("anytime", "exits", "early", "skipped")} | {"build": BUILD | {
            "cycles_per_step": 38_400, "frames_per_s": 3385.4, "tap_use": 0.904, "engines": [
                {"name": f"blocks {n} to {n + 2}", "multipliers": 128, "cycles": 38_400 - n, "products": 4_000_000}
                for n in range(9)]}},
        "adapt": {"relearn": {"curve": [[0, 0.1], *([10 * 2 ** n, 0.1 * n] for n in range(9))], "before": 0.98,
                              "board": 100}},
        "video": {"lines": {"x": "roll-out step", "y": "mean squared error x 1000", "label": "Made up", "series": [
            {"name": f"condition {n}", "values": [60.1 + n] * 30, "dashed": n > 3} for n in range(6)]},
            "strip": {"label": "Made up", "columns": [str(n) for n in range(31)], "groups": frames}},
        "note": whole,
    }[name]


@pytest.mark.parametrize("name", ["demo", "build", "spiking", "steps", "adapt", "video", "note"])
def test_pages_fit(name):
    page = report.render(figures(name))
    found, count = wrong(page, 1280, 761, 400, text=9.0)
    assert not found, f"{name}: {'; '.join(found)}"
    assert count == 3 * page.count("<img "), f"{name}: pictures that were looked at"


def test_what_is_wrong_is_seen():
    """A wide table, a picture that is drawn for wide windows alone, an error on the console."""
    page = report.render({"title": "bad", "relearn": sample_figures()["relearn"]}).replace("<source", "<meta")
    cell = f"<table><tr><td>{'wide' * 100}</td></tr></table>"
    script = "<script>console.error('broken'); nothing_of_the_kind()</script>"
    page = page.replace("</section>", f"{cell}</section>{script}")
    found = "; ".join(wrong(page, 400)[0])
    for part in ("the page is wider than its window", "table", "leaves its card", "has text of 5.", "console", "broken",
                 "nothing_of_the_kind"):
        assert part in found, f"{part} is not in {found}"


def seen(colour, vision) -> np.ndarray:
    """Lightness, a and b (CIELAB) of a colour as it is seen."""
    part = np.array([int(colour[n:n + 2], 16) / 255 for n in (1, 3, 5)])
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    linear = (np.array(VISION[vision]) @ linear).clip(0, 1)
    x, y, z = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = [v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x / 0.9505, y, z / 1.089)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISION)
def test_colours_of_lines_differ(vision):
    """Red and green of equal lightness, which this is about, are some 17 apart for deuteranopes."""
    for (a, *_), (b, *_) in itertools.combinations(pictures.STYLES, 2):
        apart = np.linalg.norm(seen(a, vision) - seen(b, vision))
        assert apart > 18, f"{a} and {b} are {apart:.1f} apart with {vision}"
    assert np.linalg.norm(seen(pictures.ACCENT, vision) - seen(pictures.SECOND, vision)) > 40


def test_lines_differ_without_colour():
    markers, dashes = ({str(style[n]) for style in pictures.STYLES} for n in (1, 2))
    assert len(markers) == len(dashes) == len(pictures.STYLES)
    assert len({str(dash) for dash in pictures.DASHES}) == len(pictures.DASHES)


def test_names_at_the_ends_of_lines_do_not_meet():
    """Equal ends: every name has a height of its own."""
    lines = {"x": "x", "y": "y", "series": [{"name": f"line {n}", "values": [1.0, 2.0]} for n in range(5)]}
    for narrow in (False, True):
        drawn = pictures.lines_svg(lines, narrow=narrow)
        places = [float(y) for name, y in re.findall(
            r"<!-- (line \d) -->\s*<g [^>]*transform=\"translate\([-\d.]+ ([-\d.]+)\)", drawn)]
        assert len(places) == 5
        gaps = np.diff(sorted(places))
        assert gaps.min() > 9, f"names {gaps.min():.1f} apart, text of 9"
