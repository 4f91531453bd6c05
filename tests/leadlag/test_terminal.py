"""What commands print: every cell of every table at 80 columns and in ASCII, lines of text whole, signs of life."""

import ast
import io
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from boards.room import Resources
from leadlag import cli, demo, ladder, terminal, training
from leadlag.bench import groups as benches
from leadlag.experiments import adaptation, fields, learning, study, two_boards, video

ROOT = Path(__file__).resolve().parent.parent.parent
CELL = {"seeds": [0], "mse": [0.25], "mean": 0.25, "spread": 0.0, "ratio": 12.5}
STUDY = {"arithmetic": "float", "files": ["a path with spaces/table.json"], "rows": [
    {"delay_ms": 0.25, "delay": 5, "cells": dict.fromkeys(study.TITLES, CELL)}]}
ADAPTED = {"before": 0.979, "relearn": [[0, 0.1], [1280, 0.931]], "network": "gle-mnist1d", "board_samples": 0,
           "written": ["a path with spaces/network.json"]}
FIELDS = {"recipe": "gle-mnist1d", "measure": "held_out_accuracy", "fields": ["epochs", "layers.0.tau_m"],
          "files": ["a path with spaces/table.json"], "best": {"epochs": "20"}, "rows": [
              {"varied": {"epochs": "20", "layers.0.tau_m": "[0.2, 1.0]"}, "seeds": [0], "mean": 0.5, "spread": 0.25}]}
LADDER = [{"rung": "integers (golden)", "accuracy": 0.25, "samples": 1000,
           "remark": "all words equal to golden [train]"}]
PAIR = {"latency_ticks": 100, "predictor": "second_order", "mse": 0.1, "link_cycles": 4567, "cycles_per_tick": 123.4,
        "one_tick_longer": 234.5, "equal": 12_345_678}


class Answers:
    """What heavy functions would answer, in their place."""

    def __init__(self, monkeypatch):
        sums = np.linspace(-12345.6, 98765.4, 10)
        rows = [{"condition": name, "step": 1, "mse": 123.456} for name in (*video.CONDITIONS, *video.BASELINES)]
        for place, name, answer in (
                (ladder, "run_on_board", [(3, 4, sums), (5, 5, -sums)]), (ladder, "climb", (LADDER, {})),
                (adaptation, "adapt", ADAPTED), (adaptation, "write_page", Path("page")),
                (learning, "learn", learning.Learnt(None, (), {})), (learning, "save", []),
                (training, "train", {"float_accuracy": 0.123456789012345, "data": "a set [of] images", "epochs": 40}),
                (study, "delays", STUDY), (fields, "study", FIELDS), (two_boards, "two_boards", {"rows": [PAIR]}),
                (benches, "measure", {"rows": [1.5] * 40, "commit": "0123abc"}), (benches, "check", None),
                (video, "write_page", Path("page")),
                (video, "experiment", video.Result("clip", rows, {}, {"roll_outs": 9, "errors_saturated": []}))):
            monkeypatch.setattr(place, name, lambda *given, answer=answer, **options: answer)
        monkeypatch.setattr(learning, "learn", lambda *given, **options: learning.Learnt(
            type("Net", (), {"name": "net"}), (), {"w": [1.0, 2.0], "ticks": 1_234_567}))
        monkeypatch.setattr(cli.flow, "check_room", lambda net, board: Resources(lut4=1, bram=1, dsp=1, lut_ram=0))


#: every command that prints a table
TABLES = ("boards", "networks", "datasets", "verilog --list", "doctor",
          "quantize gle-mnist1d --out .", "quantize delays-digits --out .",
          "evaluate gle-mnist1d", "evaluate delays-digits", "train gle-mnist1d", "learn lagline",
          "adapt --on-board 0", "run gle-mnist1d --port sim", "run gle-mnist1d --port sim --rates",
          "run delays-digits --port sim", "video", "bench learn.adapt", "study delays", "study two-boards",
          "study recipe gle-mnist1d --vary epochs=20")


@pytest.fixture
def said(monkeypatch, tmp_path):
    """Run a command at a width, with an encoding: what it wrote to standard output, and the tables that it made."""
    def run(line, encoding="utf-8", width=80):
        tables, raw = [], io.BytesIO()
        made = terminal.Table.__init__

        def noted(self, *given, **options):
            made(self, *given, **options)
            tables.append(self)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(terminal.Table, "__init__", noted)
        monkeypatch.setattr(terminal.console, "width", width)
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        monkeypatch.setattr(sys, "argv", ["leadlag", *line.split()])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code == 0, line
        sys.stdout.flush()
        return raw.getvalue().decode(encoding), tables
    return run


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("line", TABLES)
def test_every_cell_is_there(line, encoding, said, monkeypatch):
    Answers(monkeypatch)
    text, tables = said(line, encoding)
    assert tables, f"{line} has made no table"
    left = text.split()
    for table in tables:
        for cell in [*table.headings, *(cell for row in table.rows for cell in row), table.title or ""]:
            for word in cell.encode(encoding, "backslashreplace").decode(encoding).split():
                assert word in left, f"{line}: {word!r} of {cell!r} is cut:\n{text}"
    # paths, and commands to copy, are in one piece
    wide = [row for row in text.splitlines() if len(row) > 80 and "written: " not in row and ": pip install" not in row]
    assert not wide or "bench" in line, f"{line}: {wide[0]}"


def test_no_command_that_prints_a_table_is_left_out():
    """Tables are made by commands and by functions that they print; demo's own is that of the next test."""
    with_tables, files = set(), ("cli.py", "doctor.py", "lists.py", "verilog/cli.py", "experiments/cli.py")
    for node in (node for file in files
                 for node in ast.walk(ast.parse((ROOT / "leadlag" / file).read_text(encoding="utf-8")))):
        if isinstance(node, ast.FunctionDef) and node.name[0] != "_":
            named = {name.id if isinstance(name, ast.Name) else name.attr for name in ast.walk(node)
                     if isinstance(name, ast.Name | ast.Attribute)}
            if any(name == "Table" or name == "table" or name.endswith(("_table", "_figures")) for name in named):
                with_tables.add(node.name.removesuffix("_command").replace("_", "-"))
    assert len(with_tables) >= 10
    assert with_tables <= {word for line in TABLES for word in line.split()}


def test_table_of_the_demo():
    rows = ("accuracy, RTL (Verilator)", "97.90%", "", "1,000 sequences"), ("ticks per second", "1,296,296", "1/s", "")
    table = demo.Table("figure", "value", "unit", "remark")
    screen = terminal.Screen(file=io.StringIO(), width=30)
    demo._print(screen, rows, None, Path("a/path with spaces/that is longer than the line.html"), 61)
    shown = screen.file.getvalue()
    assert "report a/path with spaces/that is longer than the line.html\n" in shown
    for word in " ".join(cell for row in (*rows, table.headings) for cell in row).split():
        assert word in shown.split()


def drawn(table, width, encoding="utf-8"):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    terminal.Screen(file=file, width=width).print(table)
    return file.buffer.getvalue().decode(encoding).splitlines()


def test_a_table_gives_way_in_steps():
    table = terminal.Table("name", "what it is", title="all")
    table.add_row("ice40-hx8k", "a board with [markup] :smile:")
    assert drawn(table, 60)[1].startswith("┏")
    assert len(drawn(table, 60)) == 6
    assert drawn(table, 60, "ascii")[1].startswith("+-")
    assert [line.rstrip() for line in drawn(table, 43)] == [
        "all", "name        what it is", "ice40-hx8k  a board with [markup] :smile:"]
    assert drawn(table, 30)[1].startswith("┏")
    assert max(map(len, drawn(table, 30))) == 30
    assert [line.split() for line in drawn(table, 19)] == [
        ["all"], ["name", "ice40-h"], ["x8k"], ["what", "it", "is", "a", "board"], ["with"], ["[markup"], ["]"],
        [":smile:"]]
    with pytest.raises(ValueError, match="a row of 1 cells under 2 headings"):
        table.add_row("one")


def test_only_one_module_knows_rich():
    for path in sorted((ROOT / "leadlag").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert path.name == "terminal.py" or "rich" not in {
            name.split(".")[0] for node in ast.walk(ast.parse(text)) for name in
            ([node.module or ""] if isinstance(node, ast.ImportFrom) else
             [alias.name for alias in node.names] if isinstance(node, ast.Import) else [])}, path.name


@pytest.mark.parametrize(("value", "text"), [
    (1234567, "1,234,567"), (True, "True"), (0.8583333333333333, "0.85833"), (-9.1552734375e-05, "-9.1553e-05"),
    (1.0, "1.0"), (123456.7, "123,457"), (99999.4, "99,999"), (float("nan"), "nan"), (float("-inf"), "-inf"),
    (np.float64(1) / 3, "0.33333"), ([0.25, 1 / 3, 1000, "a"], "[0.25, 0.33333, 1000, 'a']"), ("0.123456", "0.123456")])
def test_values_for_people(value, text):
    assert terminal.text_of(value) == text


def test_text_is_printed_as_it_is():
    screen = terminal.Screen(file=io.StringIO(), width=10)
    screen.print("pip install 'leadlag[train]' :smile: /a/very/long/path")
    assert screen.file.getvalue() == "pip install 'leadlag[train]' :smile: /a/very/long/path\n"


def test_long_work_says_a_line_where_no_terminal_is(monkeypatch):
    monkeypatch.setattr(terminal, "EVERY", 0.02)
    screen = terminal.Screen(file=io.StringIO(), width=20)
    with terminal.status(screen, "a long work [train]") as say:
        wait_for(screen, "a long work [train] (0 s)\n")
        say("its second half")
        wait_for(screen, "its second half (0 s)\n")
    with terminal.bars(screen) as bar:
        task, other = bar.add_task("sequences", total=20), bar.add_task("board", total=None)
        bar.advance(task, 5)
        wait_for(screen, "sequences, 5 of 20 (0 s)\nboard (0 s)\n")
        bar.advance(task, 15)
        bar.update(other, total=1, completed=1)
        ended = len(screen.file.getvalue())
        time.sleep(0.1)
    # a beat may have been under way
    assert screen.file.getvalue()[ended:].count("\n") <= 2


def wait_for(screen, text):
    until = time.monotonic() + 20
    while text not in screen.file.getvalue():
        assert time.monotonic() < until, f"{text!r} is not in {screen.file.getvalue()!r}"
        time.sleep(0.005)


def test_trainings_say_how_far_they_are(monkeypatch):
    monkeypatch.setattr(terminal, "EVERY", 0.02)
    screen = terminal.Screen(file=io.StringIO())
    with training.reported(screen, "net", 40, "loss {:.2f}") as report:
        report(3, 0.123, "what else", "there is")
        wait_for(screen, "train net, loss 0.12, 3 of 40 (0 s)\n")


def test_short_work_and_no_console_say_nothing():
    screen = terminal.Screen(file=io.StringIO())
    for console in (screen, None):
        with terminal.status(console, "short") as say:
            say("still short")
        with terminal.bars(console) as bar:
            bar.advance(bar.add_task("short", total=1))
    assert screen.file.getvalue() == ""


def test_a_terminal_shows_bars():
    screen = terminal.Screen(file=io.StringIO(), width=100, force_terminal=True)
    with terminal.bars(screen) as bar:
        bar.advance(bar.add_task("sequences [train]", total=20), 5)
    assert "sequences [train]" in screen.file.getvalue()
    assert "5/20" in screen.file.getvalue()


def test_errors_name_what_they_are_about():
    assert terminal.reason(OSError(28, "No space left on device", "a/file")) == "a/file: No space left on device"
    assert terminal.reason(OSError(2, "No such file", b"\xff")) == "\udcff: No such file"
    assert terminal.reason(OSError("the board is gone")) == "the board is gone"
    assert terminal.reason(ValueError("no [train]")) == "no [train]"


def test_a_stream_that_takes_no_more_is_named(monkeypatch):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(28, "No space left on device")
    monkeypatch.setattr(sys, "stdout", Full())
    monkeypatch.setattr(sys, "stderr", Full())
    for screen, name in ((terminal.console, "standard output"), (terminal.notes, "standard error")):
        with pytest.raises(OSError, match=f"No space left on device: '{name}'"):
            screen.print("text")
