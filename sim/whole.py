"""A whole board as a Design: what place and route, or a bitstream, made of it; of its pads a host sees clk, rx and tx.

    routed     nextpnr's netlist of an ECP5    --[sim.routed]----> Verilog
    bitstream  of an iCE40, decoded            --[sim.bitstream]-> Verilog

Its clock is a wire from the pad on, where the board has a PLL, too: cycles are simulated, not nanoseconds.
"""

from pathlib import Path

from golden.checks import check
from sim import bitstream, routed
from sim.design import MODELS
from sim.faults import Sites, plant, table_of_a_register
from sim.netlist import CELLS, from_json, own_code

TOP = "board"
_CODE = ("whole.py", "netlist.py", "verilog.py", "routed.py", "bitstream.py", "models/ecp5_routed.v", "models/ecp5.v")
#: of what nextpnr leaves
_ROUTED = Sites(luts={"TRELLIS_COMB": ("INITVAL", "F")}, registers=("TRELLIS_FF", "DI", "Q"),
                rams=CELLS["ecp5"].sites.rams)
_PACKED = Sites(luts={"ICESTORM_LC": ("LUT_INIT", "O")}, registers=("ICESTORM_LC", "O", "O"), rams={})


def code(fault: str | None = None) -> str:
    """A text that changes with what this module makes of a netlist."""
    return own_code(fault, *_CODE)


def of_routed(module: dict, pads: dict, idle: dict, work: Path, fault: str | None = None) -> str:
    """Verilog of what nextpnr-ecp5 wrote, with one of sim.faults.FAULTS planted in it."""
    routed.tied(module)
    if fault is not None:
        plant(module, _ROUTED, fault)
    models = Path(__file__).with_name("models")
    library = f"read_verilog {models / 'ecp5_routed.v'}"
    found = from_json({TOP: whole_board(module, pads, idle)}, TOP, library, work)
    return found + MODELS["ecp5"].read_text(encoding="utf-8")


def of_bitstream(pads: dict, idle: dict, work: Path, package: str, fault: str | None = None) -> str:
    """Verilog of an iCE40's bitstream work/design.bit, decoded.

    fault "ram" is planted in what was decoded; a table is inverted before it is packed (`fault_in`).
    """
    module = bitstream.decode(work, package)
    if fault == "ram":
        plant(module, CELLS["ice40"].sites, fault)
    return from_json({TOP: whole_board(module, pads, idle)}, TOP, CELLS["ice40"].library, work)


def fault_in(asc: str, packed: dict) -> str:
    """The text of an iCE40's bitstream with one table inverted; packed: the netlist that nextpnr wrote beside it."""
    cell = packed["cells"][table_of_a_register(packed, _PACKED)]
    return bitstream.invert_table(asc, cell["attributes"]["NEXTPNR_BEL"])


def whole_board(module: dict, pads: dict[str, str], idle: dict[str, int]) -> dict:
    """A module of yosys' JSON with the pads of a simulated board.

    pads: clk, rx, tx -> names of ports; idle: ports of inputs that nobody touches -> level. Other outputs go.
    """
    ports = {name: module["ports"].get(port) for name, port in pads.items()}
    check(None not in ports.values(), f"no pad for {', '.join(name for name, port in ports.items() if port is None)}")
    for port, level in idle.items():
        _tie(module, module["ports"][port]["bits"][0], str(level))
    left = [name for name, port in module["ports"].items()
            if port["direction"] != "output" and name not in {*pads.values(), *idle}]
    check(not left, f"nothing drives {', '.join(left)}")
    module["ports"] = ports
    # a port has the name of its net
    for name, port in pads.items():
        module["netnames"].pop(port, None)
        module["netnames"][name] = {"hide_name": 0, "bits": ports[name]["bits"], "attributes": {}}
    return module


def _tie(module: dict, wire: int, level: str) -> None:
    """Whoever reads `wire` reads a constant."""
    for cell in module["cells"].values():
        for found in cell["connections"].values():
            found[:] = [level if bit == wire else bit for bit in found]
