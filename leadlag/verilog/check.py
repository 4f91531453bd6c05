"""Run a test bench that was written, in Icarus."""

import tempfile
from pathlib import Path
from typing import NamedTuple

from golden.programs import ToolError, find, run


class Verdict(NamedTuple):
    """Whether a bench passed, and what it said: PASS, or FAIL with the first difference."""

    passed: bool
    said: str


def passes(folder, name: str) -> Verdict:
    """Run bench `name` of a folder.

    ToolError where Icarus is missing, BuildError where it refuses the files.
    """
    compiler, simulator = find("iverilog"), find("vvp")
    if compiler is None or simulator is None:
        raise ToolError("iverilog is missing: apt-get install iverilog (11 or later)")
    with tempfile.TemporaryDirectory() as place:
        program = Path(place) / f"{name}.vvp"
        run([compiler, "-g2005", "-o", str(program), f"{name}.v", f"{name}_tb.v"], cwd=folder)
        said = run([simulator, "-N", str(program)], cwd=folder).stdout.splitlines()
    verdicts = [line for line in said if line.startswith(("PASS", "FAIL"))] or ["FAIL: the bench did not end"]
    return Verdict(all(line.startswith("PASS") for line in verdicts), verdicts[0])
