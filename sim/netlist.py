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
from golden.programs import timed
from golden.tools import yosys
from sim.design import Mapped
from sim.faults import Sites, plant
from sim.verilog import emptied

_CODE = ("netlist.py", "verilog.py")
#: of cells to what Verilator likes
PASSES = ("proc", "flatten", "opt", "memory -nomap", "opt_clean")


class Cells(NamedTuple):
    """What a family brings for its netlists, beside the models of its hard blocks (sim.design.MODELS).

    library: commands of yosys that read its cells, `+/` for yosys' own files; sites: where faults go. read_verilog
    wants -overwrite, as yosys knows cells already; with -defer a cell is made only for the parameters that occur:
    whole, large memories become registers. What is a black box must be read without.
    """

    library: str
    sites: Sites


_ICE40 = Cells("read_verilog -defer -overwrite +/ice40/cells_sim.v", Sites(
    luts={"SB_LUT4": ("LUT_INIT", "O")}, registers=("SB_DFF", "D", "Q"),
    rams={"SB_RAM40_4K": ("INIT_", "RDATA", 16)}))
_SPRAM = """module SB_SPRAM256KA(
    input CLOCK, WREN, CHIPSELECT, STANDBY, SLEEP, POWEROFF, input [3:0] MASKWREN, input [13:0] ADDRESS,
    input [15:0] DATAIN, output [15:0] DATAOUT);
endmodule"""
#: by family
CELLS = {
    "ecp5": Cells("read_verilog -overwrite +/ecp5/cells_sim.v", Sites(
        luts={"LUT4": ("INIT", "Z")}, registers=("TRELLIS_FF", "DI", "Q"), rams={"DP16KD": ("INITVAL_", "DO", 20)})),
    "ice40": _ICE40,
    # the model of its large RAM is ours: yosys' own would be a register a bit
    "up5k": _ICE40._replace(library=f"{_ICE40.library}\ndelete $abstract\\SB_SPRAM256KA\nread_verilog -lib <<EOF\n"
                                    f"{_SPRAM}\nEOF"),
    "gowin": Cells("read_verilog -overwrite +/gowin/cells_sim.v", Sites(
        luts={"LUT4": ("INIT", "F")}, registers=("DFF", "D", "Q"),
        rams={"SDPX9B": ("INIT_RAM_", "DO", 36), "SDPB": ("INIT_RAM_", "DO", 32)})),
}


def netlist(vendor: str, synth: str, fault: str | None = None) -> Mapped:
    """The way by synthesis for the parts of `vendor`.

    synth: pass of yosys with its options; fault: one of sim.faults.FAULTS, planted in what came out.
    """
    cells = CELLS[vendor]
    return Mapped("\0".join((own_code(fault, *_CODE), synth, str(cells), str(fault))),
                  lambda text, top, times: _verilog(text, top, times, cells, synth, fault))


def own_code(fault: str | None, *names: str) -> str:
    """Files of this folder that say how a netlist becomes Verilog: they stand for what comes out."""
    names = names if fault is None else (*names, "faults.py")
    return "".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in names)


def _verilog(text: str, top: str, times: dict, cells: Cells, synth: str, fault: str | None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_whole(work / "unit.il", text)
        with timed(times, "synth"):
            yosys(f"read_rtlil unit.il\n{synth} -top {top} -json unit.json", work, "synth.log")
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
