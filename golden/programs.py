"""Programs of others as subprocesses: found, run, ended with us; and locks between processes.

`run` starts a program and waits; one that dies by a signal is tried once more. `end_on_signals` makes SIGTERM and
SIGHUP end a command as Ctrl-C does: every program that it started ends first, then its own clean-up runs.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

#: died by one of these, a program was told to, and is not tried again
_TOLD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ending = threading.Event()
#: what is told the words of each program that `run` starts; None: nobody
announce = None


class ProgramError(RuntimeError):
    """A program is missing or failed; one line says which, why, and what would help."""


class ToolError(ProgramError):
    """A program is missing, too old, or cannot work here."""


class BuildError(ProgramError):
    """A program refused its input or broke down."""


def run(command, *, name: str | None = None, check: bool = True, **options) -> subprocess.CompletedProcess:
    """Run `command` to its end with its output captured as text.

    Parameters: name, what messages call it (the program's own name by default); check, whether another exit status
    than 0 raises; options of subprocess.run. ToolError where the program cannot be started, BuildError where it fails:
    with the signal where it died of one, for which it is started again first, else with its first line of an error;
    and where it takes longer than a `timeout` among the options.
    """
    name = name or Path(command[0]).name
    options = {"capture_output": True, "text": True, "errors": "replace"} | options
    for tries in ("", " twice"):
        if _ending.is_set():
            raise BuildError(f"{name} was not started: this command is ending")
        if announce is not None:
            announce(command)
        try:
            done = subprocess.run(command, check=False, **options)
        except OSError as error:
            raise ToolError(f"{name} cannot be started: {error.strerror or error}") from None
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"{name} did not end within {error.timeout:g} s") from None
        if done.returncode >= 0:
            break
        died = f"{name} died of {_signal_name(-done.returncode)}{tries}"
        if -done.returncode in _TOLD or _ending.is_set():
            break
    if done.returncode < 0:
        raise BuildError(died)
    if check and done.returncode:
        raise BuildError(f"{name} failed with exit status {done.returncode}: {first_error(done.stderr, done.stdout)}")
    return done


def first_error(*texts: str) -> str:
    """The first line that says `error`, else the last one that says anything."""
    lines = [line.strip() for text in texts for line in (text or "").splitlines() if line.strip()]
    return next((line for line in lines if "rror" in line), lines[-1] if lines else "no message")


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        name = signal.Signals(number).name
        return f"{name} (out of memory?)" if name == "SIGKILL" else name
    return f"signal {number}"


def find(program: str) -> str | None:
    """Path of a program: beside the interpreter, as an environment need not be activated, else on the PATH."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    return shutil.which(program, path=path)


class Program(NamedTuple):
    """A program of the system: its names, the best first; what brings it; what it is asked for its version, if that."""

    names: tuple[str, ...]
    install: str
    ask: tuple[str, ...] = ("--version",)


ICARUS = Program(("iverilog",), "apt-get install iverilog (11 or later)", ("-V",))
ICEBOX = Program(("icebox_vlog",), "apt-get install fpga-icestorm", ())
MAKE, PERL = Program(("make",), "apt-get install make"), Program(("perl",), "apt-get install perl")
CXX = Program(("c++", "g++"), "apt-get install g++")
FFMPEG = Program(("ffmpeg",), "apt-get install ffmpeg", ("-version",))
CHROMIUM = Program(("chromium", "google-chrome"), "apt-get install chromium")


def program(wanted: Program, what: str = "") -> str:
    """Path of a program; ToolError says what it is for (`what`, ", which ...") and what to install."""
    path = next(filter(None, map(find, wanted.names)), None)
    if path is None:
        raise ToolError(f"{wanted.names[0]} is missing{what}: {wanted.install}")
    return path


def compiler() -> str:
    """The C++ compiler: CXX, c++ or g++; ToolError where there is none."""
    for name in (os.environ.get("CXX"), *CXX.names):
        if name and shutil.which(name):
            return name
    raise ToolError("a C++ compiler is missing: install g++ or clang, or set CXX")


@contextmanager
def exclusive(folder: Path):
    """Alone among all processes that ask for the same `folder`, or file, which has to exist; it makes none for that.

    Where the system has no such locks it does nothing.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def build_once(target: Path, make) -> Path:
    """`target`, whole; where it is not there yet, what `make(folder)` leaves in a temporary folder and returns.

    A process that wants what another one builds waits for it; an empty lock file stays beside `target`.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = target.with_name(f".{target.name}.lock")
    lock.touch()
    with exclusive(lock):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.stem}-") as folder:
                os.replace(make(Path(folder).absolute()), target)
    return target


@contextmanager
def timed(times: dict, step: str):
    """Add the CPU seconds of what runs inside, programs that it starts among them, to times[step]."""
    started = _seconds()
    try:
        yield
    finally:
        times[step] = round(times.get(step, 0.0) + _seconds() - started, 2)


def _seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def ending() -> bool:
    """Whether a signal has told this command to end: its SystemExit is then nobody else's."""
    return _ending.is_set()


def end_on_signals() -> None:
    """From now on SIGTERM and SIGHUP end this process as Ctrl-C does, with exit status 128 plus their number.

    Ctrl-C reaches the programs that we started by way of the terminal; these signals reach this process alone, so all
    its descendants are told first. Only for the main thread of a command.
    """
    def end(number, frame):
        _ending.set()
        for process in descendants(os.getpid()):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGTERM)
        raise SystemExit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)


def descendants(process: int) -> list[int]:
    """Processes that `process` started, and those that they started, youngest generation last."""
    children = defaultdict(list)
    for child, parent in _parents():
        children[parent].append(child)
    found = [process]
    for parent in found:
        found += children[parent]
    return found[1:]


def _parents():
    """(process, its parent) of all processes."""
    if Path("/proc/self/stat").exists():
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                # the name in parentheses may hold anything
                yield int(path.parent.name), int(path.read_bytes().rpartition(b")")[2].split()[1])
    elif (program := shutil.which("ps")):
        listing = subprocess.run([program, "-axo", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
        yield from (tuple(map(int, line.split())) for line in listing.splitlines())
