"""README and docs: generated parts are up to date, commands and paths exist, examples run."""

import re
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from docs import figures
from leadlag import flow
from leadlag.bench import groups as bench
from leadlag.cli import cli

ROOT = Path(__file__).resolve().parent.parent
PAGES = (*figures.PAGES, "CHANGELOG.md")
#: what commands leave behind, or a reader puts in the place of a name
NOT_THERE = re.compile(r"^build/|UNIT|NAME|^docs/bench\.json$")


#: what stands for a word of the reader's
PLACES = {"NAME": flow.DEFAULT_BOARD, "BOARD": flow.DEFAULT_BOARD, "NET": "gle-mnist1d", "KIND": "rate",
          "RECIPE.toml": "gle-mnist1d", "RECIPE": "gle-mnist1d"}


def text(page):
    return (ROOT / page).read_text(encoding="utf-8")


def prose(page):
    """Lines outside of fenced blocks, tables and generated blocks."""
    kept = re.sub(r"^```.*?^```", "", text(page), flags=re.DOTALL | re.MULTILINE)
    return [line for line in kept.splitlines() if not line.startswith(("|", "- ["))]


@pytest.mark.parametrize("page", figures.PAGES)
def test_generated_blocks_are_up_to_date(page):
    assert figures.fill(text(page)) == text(page), f"{page} is old: run python docs/figures.py"


def test_every_block_is_on_a_page():
    found = [name for page in figures.PAGES for name in re.findall(r"<!-- (\w+) -->", text(page))
             if name != "slow"]
    assert set(found) == set(figures.BLOCKS)


def test_tables_of_a_whole_bench(monkeypatch):
    """With every group measured, every row is there; without a figure its row is not."""
    accuracy = {"float_accuracy": 0.9, "integer_accuracy": 0.89, "test_sequences": 1000, "rtl_equal_sequences": 1000,
                "float_accuracy_before_refit": 0.8, "train_cpu_s": 99.5, "epochs": 4}
    chain = {"w": [1.0, 2.0], "tau": [1.0, 2.0], "loss": 1e-9, "steps": 10}
    use = {"lut4": 1, "comb": 83_640, "ff": 2, "dsp": 155, "bram": 4}
    data = {"gle_15k": accuracy | {"float_accuracy_seeds": [0.9, 0.91], "commit": "0123abc",
                                    "date": "2000-01-02", "cpu": "a processor"}, "gle_42k": accuracy,
            "lagline": {"prospective": chain, "instantaneous": chain},
            figures.BUILD: use | {"fmax_mhz": 120.0, "clock_mhz": 100.0, "ticks_per_s": 925_926.0,
                                  "ticks_per_s_at_fmax": 1_111_111.0, "lanes": 141, "cycles_per_tick": 108,
                                  "lane_use": 0.96},
            "simulation": {"cycles_per_s": 300_000, "property_networks": 60},
            "mutants": {"mutants": 300, "killed": 299, "command": "make mutants"}}
    monkeypatch.setattr(figures, "_bench", lambda: data)
    table = figures.bench()
    assert table.count("\n| ") == 1 + 10 + 2 + 4 + 2 + 1
    assert "| 299 of 300 | `make mutants` |" in table
    assert "90.0% (three seeds: 90.0%, 91.0%)" in table
    assert "925,926 (1,111,111), 108 cycles each" in table
    assert "commit 0123abc" in table
    assert "utilisation.svg" in figures.utilisation()
    del data["simulation"], data[figures.BUILD]["lane_use"]
    assert figures.bench().count("\n| ") == 1 + 10 + 2 + 3 + 1


def test_where_figures_come_from():
    """One commit; what was measured earlier counts where its code is the same, and is named where it is not."""
    def record(commit, **more):
        return {"commit": commit, "date": f"2000-01-{len(commit)}0", "cpu": "a processor"} | more
    data = {"one": record("c"), "two": record("c")}
    assert figures._provenance(data) == "Measured at commit c, 2000-01-10, on a processor."
    data |= {"old": record("aa", same_code_at="c"), "odd": record("aa", same_code_at="b"), "raw": record("d-dirty")}
    assert " ".join(figures._provenance(data).split()) == (
        "Measured at commit c, 2000-01-10 to 2000-01-70, on a processor. Earlier, and the code that they run has not "
        "changed since: `old` at aa. At other commits: `odd` at b; `raw` at d-dirty.")


def test_rates_are_those_of_the_clock_of_the_bitstream():
    found = [group | each for group in figures._bench().values() for each in group.get("rows", [group])
             if "fmax_mhz" in each]
    rates = [(each, name) for each in found for name in each if name.endswith("_per_s")]
    assert rates
    for each, name in rates:
        at_fmax = each[name] * each["fmax_mhz"] / each["clock_mhz"]
        assert each[f"{name}_at_fmax"] == pytest.approx(at_fmax), (each["command"], name)


def test_figures_of_docs_have_a_commit():
    """A figure whose code was noted is never one of code that no commit has."""
    for name, group in figures._bench().items():
        assert "code" not in group or not group["commit"].endswith("-dirty"), name


@pytest.mark.parametrize("name", figures.PICTURES)
def test_pictures(name):
    """Well-formed, the same twice, and committed; the bytes of what matplotlib draws depend on its version."""
    drawn, path = figures.PICTURES[name](), ROOT / "docs" / name
    if drawn is None:
        assert not path.exists(), f"docs/{name} is there, and nothing to draw it from"
        return
    assert drawn == figures.PICTURES[name]()
    assert ET.fromstring(drawn).tag.endswith("svg")
    assert path.exists(), f"docs/{name} is missing: run python docs/figures.py"
    if name == "pipeline.svg":
        assert drawn == path.read_text(encoding="utf-8"), f"docs/{name} is old: run python docs/figures.py"


def commands(page):
    """Command lines in code that does not run (tests/site/ runs the others): `leadlag ...`, `$ make ...`, marks."""
    shown = re.sub(r"^```console.*?^```", "", text(page), flags=re.DOTALL | re.MULTILINE)
    begin, end = r"(?:`|\$ |output: )", r"(?: -->|\s*#|`|$)"
    for line in re.findall(rf"{begin}((?:leadlag|make) [^`\n#]*?){end}", shown, re.MULTILINE):
        yield shlex.split(line)


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page):
    targets = re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE)
    for words in commands(page):
        if words[0] == "make":
            assert set(words[1:]) <= set(targets), " ".join(words)
            continue
        if words[1] == "COMMAND":
            continue
        arguments = [PLACES.get(word, word) for word in words[2:]]
        assert words[1] in cli.commands, " ".join(words)
        if not arguments:
            continue        # the command as such is spoken of
        command = cli.commands[words[1]]
        arguments += ["gle-mnist1d"] * (words[1] == "run" and arguments[0].startswith("-"))
        with command.make_context(words[1], list(arguments)) as context:      # raises for an option that is not there
            given = context.params
        if given.get("network"):
            assert given["network"] in flow.zoo() or given["network"].startswith("build/"), " ".join(words)
        if given.get("board"):
            assert flow.board(given["board"]), " ".join(words)
        assert set(given.get("groups", ())) <= set(bench.GROUPS), " ".join(words)


def test_readme_has_commands():
    found = [" ".join(words) for words in commands("README.md")]
    for command in ("make demo", "make test", "leadlag run gle-mnist1d --port sim"):
        assert found.count(command) >= 1, command


@pytest.mark.parametrize("page", PAGES)
def test_paths_exist(page):
    folders = "golden|rtl|sim|boards|firmware|leadlag|tests|docs|zoo|examples|build"
    named = re.findall(rf"(?<![\w/.-])((?:{folders})/[\w./-]*\w/?)", text(page))
    linked = [(ROOT / page).parent / link for link in re.findall(r"\]\(([^)#:]+)\)", text(page))]
    missing = [name for name in named if not NOT_THERE.search(name) and not (ROOT / name).exists()]
    missing += [str(path) for path in linked if not path.exists()]
    assert not missing, f"{page} names {', '.join(missing)}"


@pytest.mark.parametrize("page", PAGES)
def test_lines_are_short(page):
    for line in prose(page):
        assert len(line) <= 120, line
