"""A circuit on its own through the flow of a board: its own ports are the pins, and nothing of the board is around it.

For tables in which circuits of several projects stand side by side: the same part, passes of yosys, target and seeds.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from boards import build
from boards.base import Board
from golden.files import write_whole


@dataclass(frozen=True)
class Bare:
    """A circuit: its files (name: text), the module at the top, the port of its clock.

    One file `design.il` is RTLIL; others are Verilog.
    """

    files: dict[str, str]
    top: str
    clock: str


def figures(circuit: Bare, board: Board, *, mhz: float, seeds, progress=None) -> dict:
    """Route `circuit` on the part of `board` with every seed.

    lut4 (of yosys), comb (after packing, with carries), ff, bram, dsp; fmax_median, fmax_range, fmax_seeds in MHz. mhz:
    what nextpnr is asked for. ToolError where a tool is missing, BuildError where one fails.
    """
    family, say = board.part.family, progress or (lambda text: None)
    with tempfile.TemporaryDirectory(prefix="leadlag-bare-") as folder:
        work = Path(folder)
        for name, text in circuit.files.items():
            write_whole(work / name, text)
        say("synthesis")
        _read(circuit, family, work)
        write_whole(work / f"design.{family.constraints}", f'FREQUENCY PORT "{circuit.clock}" {mhz:g} MHZ;\n')
        stat = build._synthesise(work, family, family.synth_options, {})
        runs = [build._place(work, board, [seed], 1, mhz, ("--lpf-allow-unconstrained",), say)[0] for seed in seeds]
    found = [run["fmax_mhz"] for run in runs]
    used = {name: entry["used"] for name, entry in runs[0]["routed"]["utilization"].items()}
    return {"lut4": build._sum(stat, family.lut)} | {
        name: build._sum(used, bel) for name, bel in family.cells.items()} | {
        "fmax_median": round(median(found), 1), "fmax_range": [min(found), max(found)], "fmax_seeds": found,
        "seeds": list(seeds), "target_mhz": mhz}


def _read(circuit: Bare, family, work: Path) -> None:
    """The circuit as module `design` of design.il."""
    form = "rtlil" if set(circuit.files) == {"design.il"} else "verilog"
    lines = [f"read_{form} {name}" for name in circuit.files]
    write_whole(work / "read.ys", "\n".join([*lines, f"hierarchy -top {circuit.top}", "rename -top design",
                                             "write_rtlil design.il", ""]))
    build._run(family, "yosys", ["-q", "-l", "read.log", "read.ys"], work, "read.log")
