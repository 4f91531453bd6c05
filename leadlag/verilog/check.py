"""Run a test bench that was written, in Icarus."""

import tempfile
from pathlib import Path
from typing import NamedTuple

from golden.programs import ICARUS, find, program, run


class Verdict(NamedTuple):
    """Whether a bench passed, and what it said: PASS, or FAIL with the first difference."""

    passed: bool
    said: str


def passes(folder, name: str) -> Verdict:
    """Run bench `name` of a folder.

    ToolError where Icarus is missing, BuildError where it refuses the files.
    """
    compiler = program(ICARUS)
    simulator = find("vvp") or "vvp"    # comes with it
    with tempfile.TemporaryDirectory() as place:
        built = Path(place) / f"{name}.vvp"
        run([compiler, "-g2005", "-o", str(built), f"{name}.v", f"{name}_tb.v"], cwd=folder)
        said = run([simulator, "-N", str(built)], cwd=folder).stdout.splitlines()
    verdicts = [line for line in said if line.startswith(("PASS", "FAIL"))] or ["FAIL: the bench did not end"]
    return Verdict(all(line.startswith("PASS") for line in verdicts), verdicts[0])
