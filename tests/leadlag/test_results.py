"""What commands have in common when they answer: --json, -q, -v, the next step, colours."""

import json
import os
import pty
import subprocess
import sys

import numpy as np
import pytest
from test_cli import ROOT, leadlag

from leadlag import cli, results
from leadlag.terminal import Table, notes

#: commands that end with `answer`, in a form that is quick
QUICK = ("boards", "networks", "datasets", "verilog --list", "bench --list")


@pytest.mark.parametrize("line", QUICK)
def test_for_programs_and_for_people(line):
    done = leadlag(*line.split(), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    name, rows = next(iter(json.loads(done.stdout).items()))
    assert len(rows) >= 5, name
    shown = leadlag(*line.split(), COLUMNS="300")
    assert shown.stderr.startswith("next: leadlag ")
    assert shown.stderr.count("\n") == 1
    for key, value in rows[0].items():
        said = f"{value:,}" if isinstance(value, int) else str(value)
        # 80 columns have no room for the title of a board
        assert key == "title" or isinstance(value, bool) or said in shown.stdout
    # what is named exists
    assert shown.stderr.split()[2] in cli.cli.commands
    if not line.startswith("bench"):        # which reads all of our code each time
        quiet = leadlag(*line.split(), "-q", COLUMNS="300")
        assert (quiet.stdout, quiet.stderr) == (shown.stdout, "")


def test_verbose_says_what_is_started(tmp_path):
    done = leadlag("verilog", "--unit", "DelayLine", "-v", "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert any(line.startswith("$ ") and "script.ys" in line for line in done.stderr.splitlines())


def test_values_of_every_kind(capsys):
    ctx = cli.cli.make_context("leadlag", [], resilient_parsing=True)
    with ctx:
        ctx.meta["leadlag.json"] = True
        results.answer({"n": np.int64(3), "x": np.array([0.5]), "none": None}, "for people", then="nothing")
    assert json.loads(capsys.readouterr().out) == {"n": 3, "x": [0.5], "none": None}


def test_modes_end_with_their_command():
    command = cli.cli.commands["boards"]
    for option, place, name in (("-q", notes, "quiet"), ("-v", results.programs, "announce")):
        with command.make_context("boards", [option]):
            assert getattr(place, name)
        assert not getattr(place, name)


def test_a_table_of_rows():
    table = Table.of([{"name": "a", "count": 12345}, {"name": True, "count": 0.5}])
    assert table.headings == ("name", "count")
    assert table.rows == [("a", "12,345"), ("True", "0.5")]


@pytest.mark.parametrize(("variable", "coloured"), [("NO_COLOR", False), ("OTHER", True)])
def test_no_color(variable, coloured, tmp_path):
    """On a terminal, a bar has colours, unless NO_COLOR says that it has not."""
    code = ("from leadlag.terminal import bars, console\nfrom rich.text import Text\n"
            "with bars(console) as bar:\n    bar.advance(bar.add_task('work', total=2))\n"
            "console.print(Text('done', style='red'))")
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    child = subprocess.Popen([sys.executable, "-c", code], stdout=theirs, stderr=theirs, cwd=tmp_path,
                             env=environment | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", variable: "1"})
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:     # the terminal is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert child.wait() == 0, said
    assert b"work" in said
    assert (b"\x1b[31m" in said or b"38;5" in said) == coloured, said
