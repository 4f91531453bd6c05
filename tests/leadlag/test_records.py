"""Figures and the code that they were measured with: which edits change a hash, what is kept where."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from leadlag import provenance as figures
from leadlag import terminal
from leadlag.bench import groups as bench
from leadlag.bench import records, sources
from leadlag.bench import spiking as bench_spiking

TREE = {
    "leadlag/bench/groups.py": '''"""Groups."""
import golden
from golden import unit
from golden.unit import step as renamed
LIMIT = 3
OTHER = 4
def group():
    """What it measures."""
    from golden.late import Late
    return unit.run(LIMIT) + renamed(1) + Late().x + golden.FACTOR     # why
def other():
    return OTHER
''',
    "golden/__init__.py": "from golden.spare import FACTOR\n", "golden/spare.py": "FACTOR = 2\nSPARE = 3\n",
    "golden/unit.py": '''import numpy
from golden.deep import helper
def run(n):
    return numpy.sum(helper(n))
def step(n):
    return open("unit.cpp")
def unused():
    return 1
if LOUD:
    print("always runs")
''',
    "golden/deep.py": '''def helper(n):
    return n + BASE
BASE: int = 7
''',
    "golden/late.py": '''class Late:
    x = 1
    def method(self):
        return "tests.bench_tb", "small-net"
''',
    "golden/unit.cpp": "int x;\n", "golden/spare.cpp": "int y;\n", "zoo/small-net.safetensors": "words",
}


def forget():
    for cached in (sources._module, sources._definition, sources._by_kind, sources._kind, sources.reached):
        cached.cache_clear()


class Group(SimpleNamespace):
    """Stands for a function of the made-up tree."""

    __hash__ = object.__hash__


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    forget()
    yield tmp_path
    forget()


def group(name="group"):
    forget()
    return Group(__module__="leadlag.bench.groups", __name__=name)


@pytest.mark.parametrize(("file", "old", "new"), [
    ("leadlag/bench/groups.py", "LIMIT = 3", "LIMIT = 5"),
    ("leadlag/bench/groups.py", "unit.run(LIMIT)", "unit.run(9)"),
    ("golden/unit.py", "numpy.sum", "numpy.prod"), ("golden/deep.py", "n + BASE", "n - BASE"),
    ("golden/deep.py", "BASE: int = 7", "BASE: int = 8"), ("golden/late.py", "x = 1", "x = 2"),
    ("golden/spare.py", "FACTOR = 2", "FACTOR = 3"), ("golden/unit.py", "always runs", "and runs"),
    ("golden/unit.cpp", "int x", "int z"),
    ("golden/unit.py", "import numpy", "import torch as numpy"), ("zoo/small-net.safetensors", "words", "other"),
])
def test_an_edit_of_what_runs_changes_the_code(tree, file, old, new):
    before, other = sources.code(group()), sources.code(group("other"))
    text = (tree / file).read_text()
    assert old in text
    (tree / file).write_text(text.replace(old, new))
    assert sources.code(group()) != before
    assert sources.code(group("other")) == other


@pytest.mark.parametrize(("file", "old", "new"), [
    ("leadlag/bench/groups.py", "# why", "# because"),
    ("leadlag/bench/groups.py", "What it measures.", "What\n    it\n    does."),
    ("leadlag/bench/groups.py", "OTHER = 4", "OTHER = 5"), ("golden/unit.py", "return 1", "return 2"),
    ("golden/spare.py", "SPARE = 3", "SPARE = 4"),
    ("golden/unit.py", "def step", "\n\n# a comment\ndef step"), ("golden/spare.cpp", "int y", "int z"),
])
def test_other_edits_do_not(tree, file, old, new):
    before = sources.code(group())
    text = (tree / file).read_text()
    assert old in text
    (tree / file).write_text(text.replace(old, new))
    assert sources.code(group()) == before


def test_code_that_moves_is_the_same(tree):
    before = sources.code(group())
    (tree / "golden" / "deep.py").rename(tree / "golden" / "moved.py")
    text = (tree / "golden" / "unit.py").read_text()
    (tree / "golden" / "unit.py").write_text(text.replace("from golden.deep", "from golden.moved"))
    assert sources.code(group()) == before
    assert tree / "golden" / "moved.py" in sources.files(group())


def test_groups_of_the_bench():
    def names(name):
        return {str(path.relative_to(sources.ROOT)) for path in sources.files(bench.GROUPS[name])}
    assert {"golden/train/rates.py", "golden/train/lagline.py"} < names("lagline")
    assert not any(name.startswith(("rtl/", "boards/", "sim/")) for name in names("lagline"))
    whole = names("gle_15k")
    for name in ("zoo/gle-mnist1d.safetensors", "sim/harness/device.cpp", "sim/models/ecp5.v", "rtl/units/mac.py",
                 "golden/rate/engine.py", "golden/train/gle.py", "boards/ulx3s.py"):
        assert name in whole, name
    assert "leadlag/report/page.py" not in whole, "a page makes no figure"
    assert {"golden/train/events.cpp", "sim/spiking/core.cpp",
            "zoo/delays-digits.safetensors"} < names("delay_only_digits")
    assert "golden/train/delays.py" not in names("build.delays-digits.ice40-hx8k")
    assert {"tests/rate/test_core.py", "sim/benches/trained_tb.py"} < names("simulation")
    assert len({sources.code(group) for group in bench.GROUPS.values()}) == len(bench.GROUPS)


@pytest.mark.parametrize(("name", "kinds"), [
    ("build.gle-mnist1d.ulx3s-85f", {"rate"}), ("learn.mnist1d", {"rate"}), ("delay_only_digits", {"spiking"}),
    ("build.vowels-spiking.ulx3s-85f", {"spiking"}), ("build.cascade-digits.ice40-hx8k", {"cascade"}),
    ("own", {"rate", "spiking"}), ("random_networks", {"rate", "spiking", "cascade"})])
def test_circuits_of_other_kinds_make_no_figure_old(name, kinds):
    files = {path.relative_to(sources.ROOT).parts[:2] for path in sources.files(bench.GROUPS[name])}
    assert {kind for place, kind in files if place == "rtl" and kind in sources.KINDS} >= kinds
    if name != "random_networks":
        assert {kind for place, kind in files if place == "rtl" and kind in sources.KINDS} == kinds


def test_what_runs_was_found():
    """Every function of ours that a group enters is in the texts that its hash is made of."""
    entered, root = set(), str(sources.ROOT)
    ours = tuple(f"{root}/{name}/" for name in sources.OURS)

    def note(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(ours):
            entered.add((frame.f_code.co_filename, frame.f_code.co_qualname))
    group = bench.GROUPS["learn.cost"]
    sys.setprofile(note)
    try:
        group(Console())
    finally:
        sys.setprofile(None)
    found, missed = sources.reached(group), []
    for file, name in entered:
        module = sources._module(str(Path(file).relative_to(root).with_suffix("")).replace("/", "."))
        # a lambda of a table, or what runs at an import, has no definition of its own
        texts = {module.text(node) for node in module.definitions.get(name.split(".")[0], ())} if module else set()
        if not name.startswith("<") and not texts & found.texts:
            missed.append(f"{file}: {name}")
    assert len(entered) > 50
    assert not missed, missed


@pytest.fixture
def checkout(tree, monkeypatch):
    """A repository with one commit, whose docs are made from docs/bench.json."""
    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", *arguments], cwd=tree, check=True,
                       capture_output=True)
    monkeypatch.setattr(figures, "ROOT", tree)
    monkeypatch.setattr(records, "DOCS", tree / "docs" / "bench.json")
    monkeypatch.chdir(tree)
    (tree / "docs").mkdir()
    (tree / "docs" / "figures.py").write_text("")
    (tree / ".gitignore").write_text("build/\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    return tree, git


def test_a_figure_over_its_life(checkout):
    tree, git = checkout
    assert records.status("g", group()) == (False, "not measured")
    first = records.about(group())
    assert records.keep("g", {"accuracy": 1} | first)
    assert records.status("g", group()) == (True, f"current, measured at {first['commit']}")
    (tree / "docs" / "figures.py").write_text("# docs are made from figures")
    assert not figures.head().endswith("-dirty")
    (tree / ".gitignore").write_text("build/\n.venv/\n")
    assert figures.head().endswith("-dirty")
    assert not records.about(group())["commit"].endswith("-dirty")
    git("add", ".")
    git("commit", "-qm", "two")
    assert records.about(group())["commit"] == figures.head() != first["commit"]
    records.confirm("g", group())
    kept = json.loads((tree / "docs" / "bench.json").read_text())["g"]
    assert kept["same_code_at"] == figures.head(sources.files(group()))
    assert kept["commit"] == first["commit"]
    (tree / "golden" / "deep.py").write_text("def helper(n):\n    return 0\n")
    assert records.status("g", group()) == (False, f"measured at {first['commit']}, its code has changed since")


def test_what_no_commit_has_stays_out_of_docs(checkout):
    tree, _ = checkout
    (tree / "golden" / "deep.py").write_text("def helper(n):\n    return 0\n")
    about = records.about(group())
    assert about["commit"].endswith("-dirty")
    assert not records.keep("g", about)
    assert not records.DOCS.exists()
    assert records.known()["g"] == about
    assert not records.about(group("other"))["commit"].endswith("-dirty"), "it does not run that file"
    # an untracked file that it runs
    (tree / "golden" / "deep.py").unlink()
    (tree / "golden" / "deep").mkdir()
    (tree / "golden" / "deep" / "__init__.py").write_text(TREE["golden/deep.py"])
    assert records.about(group())["commit"].endswith("-dirty")


def test_records_of_others_are_kept(checkout):
    records.keep("learn.mnist1d", {"commit": "a", "x": 1})
    records.keep("learn.adapt", {"commit": "b", "relearn": [[0, 0.1]]})
    both = json.loads(records.DOCS.read_text())
    assert both["learn.mnist1d"] == {"commit": "a", "x": 1, "relearn": [[0, 0.1]]}
    assert set(both) == {"learn.mnist1d", "learn.adapt"}


def test_outside_of_a_checkout_no_commit_is_known(tree, monkeypatch):
    monkeypatch.setattr(figures, "ROOT", tree)
    monkeypatch.setattr(records, "DOCS", tree / "docs" / "bench.json")
    monkeypatch.chdir(tree)
    subprocess.run(["git", "init", "-q", ".."], cwd=tree, check=True)
    assert figures.head() == "unknown"
    assert not records.keep("g", records.about(group()))
    assert records.status("g", group()) == (True, "current, measured at unknown")


def test_stale_groups(monkeypatch):
    noted = []
    monkeypatch.setattr(bench, "GROUPS", {name: name for name in ("old", "new", "none")})
    monkeypatch.setattr(records, "status", lambda name, group: (name == "new", f"{name} indeed"))
    monkeypatch.setattr(records, "confirm", lambda name, group: noted.append(name))
    assert bench.stale() == ["old", "none"]
    assert noted == ["new"]
    assert bench.stale(["new", "old"]) == ["old"]
    with pytest.raises(ValueError, match="no group 'nothing'"):
        bench.stale(["nothing"])


def test_rates_of_a_routed_spiking_network(monkeypatch):
    """Images a second at the clock of the bitstream, and at Fmax; cycles of its own lanes."""
    report = {"fmax_mhz": 99.0, "clock_mhz": 90.0, "lanes": 7, "nextpnr_seed": 1, "wall_s": 1, "timing_met": True,
              "fmax_by_seed": {"1": 99.0, "2": 95.0, "3": 98.0}} | \
        dict.fromkeys(("lut4", "comb", "ff", "dsp", "bram"), 0)
    net = SimpleNamespace(name="delays-digits", lanes=7)
    ran = SimpleNamespace(cycles=np.array([400, 500]))
    monkeypatch.setattr("boards.build.build", lambda *_, **__: SimpleNamespace(report=report))
    monkeypatch.setattr(bench_spiking.flow, "prepare", lambda *_: SimpleNamespace(net=net))
    monkeypatch.setattr(bench_spiking.flow, "samples", lambda *_: SimpleNamespace(x=None))
    for name, answer in (("compiled", None), ("simulate", ran)):
        monkeypatch.setattr(bench_spiking.spikes, name, lambda *_, answer=answer: answer)
    own = {"cycles_per_image": 300.0, "lanes": 7, "code": sources.code(bench_spiking.digits)}
    for record, cycles in (({}, 450.0), (own, 300.0), (own | {"lanes": 8}, 450.0), (own | {"code": "old"}, 450.0)):
        monkeypatch.setattr(records, "known", lambda record=record: {"delay_only_digits": record})
        figures = bench_spiking.place("delays-digits", "ulx3s-85f", Console())
        assert figures["cycles_per_image"] == cycles
        assert figures["images_per_s"] == pytest.approx(90e6 / cycles)
        assert figures["images_per_s_at_fmax"] == pytest.approx(99e6 / cycles)
        assert (figures["fmax_median"], figures["fmax_range"]) == (98.0, [95.0, 99.0])


def test_measuring(monkeypatch, tmp_path, capsys):
    """Figures as JSON, the record beside them, and a word where docs do not get them."""
    kept, found = {}, {"x": np.float64(0.5), "rows": np.arange(2)}
    monkeypatch.setattr(bench, "GROUPS", {"g": lambda console: found})
    monkeypatch.setattr(records, "about", lambda group: {"code": "0", "commit": "a-dirty"})
    monkeypatch.setattr(records, "keep", lambda name, record: kept.update({name: record}))
    bench.measure("g", terminal.console)
    assert kept == {"g": {"x": 0.5, "rows": [0, 1], "command": "leadlag bench g", "code": "0",
                          "commit": "a-dirty"}}
    assert "no commit has the code" in " ".join(capsys.readouterr().out.split())
