"""The bitstream of an iCE40 decoded back to a netlist: iceunpack, icebox_vlog (Debian's fpga-icestorm), yosys.

icebox_vlog drops SB_MAC16 and SB_SPRAM256KA without a word, so parts that have them stop at the netlist.
"""

import json
from pathlib import Path

from golden.checks import check
from golden.files import write_whole
from golden.programs import ICEBOX, program, run
from golden.tools import ICEUNPACK, locate, tell, yosys

#: of icebox_vlog's module
TOP = "chip"


def decode(work: Path, package: str) -> dict:
    """The module, in yosys' JSON, of work/design.bit; its ports are named by the pads of work/design.pcf."""
    vlog = program(ICEBOX, ", which decodes a bitstream")
    tell(locate(ICEUNPACK), "iceunpack", ("design.bit", "decoded.asc"), work, "iceunpack.log")
    found = run([vlog, "-s", "-l", "-n", TOP, "-d", package, "-p", "design.pcf", "decoded.asc"], name="icebox_vlog",
                cwd=work)
    write_whole(work / "decoded.v", found.stdout)
    yosys("read_verilog decoded.v\nproc\nopt_clean\nwrite_json decoded.json", work, "decode.log")
    return json.loads((work / "decoded.json").read_text(encoding="utf-8"))["modules"][TOP]


def invert_table(asc: str, bel: str) -> str:
    """The text of a bitstream with the table of the logic cell at `bel` ("X3/Y5/lc2") inverted, bit by bit."""
    x, y, cell = (part.lstrip("XYlc") for part in bel.split("/"))
    head = f".logic_tile {x} {y}\n"
    check(head in asc, f"there is no logic cell {bel}")
    before, _, after = asc.partition(head)
    rows = after.split("\n")
    for row in (2 * int(cell), 2 * int(cell) + 1):      # 8 of the 16 bits each, with two of the flip-flop behind them
        rows[row] = rows[row][:36] + rows[row][36:44].translate(str.maketrans("01", "10")) + rows[row][44:]
    return before + head + "\n".join(rows)
