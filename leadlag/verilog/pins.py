"""Constraints of boards whose vendors' tools are not here: templates, which nobody has built from."""

from typing import NamedTuple

from golden.description import Description
from rtl.host.top import SerialTop
from sim.verilog import to_rtlil, to_verilog


class Template(NamedTuple):
    """A board of a vendor: title and part; MHz and pin of its clock; pins of the members of SerialTop; baud rate."""

    title: str
    part: str
    mhz: int
    clock: str
    pins: dict[str, str]
    baud: int = 1_000_000

    @property
    def divisor(self) -> int:
        """Clock cycles a bit."""
        return self.mhz * 1_000_000 // self.baud


#: pins: Digilent's reference manual of the Arty A7; the reset is button 0, the light LD4
TEMPLATES = {"arty-a7": Template("Arty A7 (Digilent)", "xc7a35ticsg324-1L", 100, "E3", {
    "rst": "D9", "rx": "A9", "tx": "D10", "busy": "H5"})}


def files(name: str, net: Description, board: str, *, version: str, command: str) -> dict[str, str]:
    """Text by file name: NAME_serial.v, the network behind a serial line, and NAME_BOARD.xdc, its pins."""
    template, module = TEMPLATES[board], f"{name}_serial"
    verilog = to_verilog(to_rtlil(SerialTop(net, divisor=template.divisor), name=module))
    about = (f"written by leadlag {version}: {command}",
             f"{net.name}, design {net.fingerprint}, for the {template.title}, {template.part}: a template.",
             "Nobody has built it: the vendor's tools are not here, and whether it meets its clock is not known.")
    head = "\n".join(f"{{}} {line}" for line in about) + "\n"
    lines = [f"create_clock -period {1e3 / template.mhz:g} [get_ports clk]"]
    for port, pin in {"clk": template.clock, **template.pins}.items():
        lines.append(f"set_property -dict {{PACKAGE_PIN {pin} IOSTANDARD LVCMOS33}} [get_ports {port}]")
    circuit = head.format(*["//"] * 3) + f"// {template.mhz} MHz, {template.baud} baud\n{verilog}"
    return {f"{module}.v": circuit,
            f"{name}_{board.replace('-', '_')}.xdc": head.format(*["#"] * 3) + "\n".join(lines) + "\n"}
