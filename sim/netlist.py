"""Netlists of a family's cells as Verilog for a simulator: what yosys makes of a circuit, cell by cell.

    RTLIL --[synth_X of a board]--> JSON --[a fault, where one is planted]--> cells as the library has them --> Verilog

The library is yosys' own (`cells_sim.v`); hard blocks that it has as black boxes only stay instances, for the models of
sim/models/.
"""

import json
import tempfile
from pathlib import Path
from typing import NamedTuple

from golden.files import write_whole
from golden.tools import yosys
from sim.design import Mapped, timed
from sim.faults import Sites, plant
from sim.verilog import emptied

#: files of this folder that say how: they stand for the Verilog that comes out
_CODE = ("netlist.py", "faults.py", "verilog.py")
#: of cells to what Verilator likes
PASSES = ("proc", "flatten", "opt", "memory -nomap", "opt_clean")


class Cells(NamedTuple):
    """What a family brings for its netlists.

    synth: pass of yosys with its options; library: its commands that read cells, `+/` for its own files; sites: where
    faults go. read_verilog wants -overwrite, as yosys knows cells already; with -defer a cell is made only for the
    parameters that occur: whole, large memories become registers. What is a black box must be read without.
    """

    synth: str
    library: str
    sites: Sites


def netlist(cells: Cells, fault: str | None = None) -> Mapped:
    """The way by synthesis; fault: one of sim.faults.FAULTS, planted in what came out."""
    code = "".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in _CODE)
    return Mapped("\0".join((code, *cells[:2], str(cells.sites), str(fault))),
                  lambda text, top, times: _verilog(text, top, times, cells, fault))


def _verilog(text: str, top: str, times: dict, cells: Cells, fault: str | None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_whole(work / "unit.il", text)
        with timed(times, "synth"):
            yosys(f"read_rtlil unit.il\n{cells.synth} -top {top} -json unit.json", work, "synth.log")
        with timed(times, "convert"):
            design = json.loads((work / "unit.json").read_text(encoding="utf-8"))
            module = design["modules"][top]
            if fault is not None:
                plant(module, cells.sites, fault)
            return from_json({top: module}, top, cells.library, work)


def from_json(modules: dict, top: str, library: str, work: Path, passes=PASSES) -> str:
    """Verilog of modules in yosys' JSON whose cells the commands `library` read in; `top` is flattened."""
    write_whole(work / "cells.json", json.dumps({"creator": "leadlag", "modules": modules}))
    script = (library, "read_json cells.json", "delete t:$scopeinfo", f"hierarchy -top {top}", *passes,
              "write_verilog -noattr cells.v")
    yosys("\n".join(script), work, "convert.log")
    return emptied((work / "cells.v").read_text(encoding="utf-8"))
