"""Faults in netlists, to show that a comparison finds them: one look-up table, one block RAM.

    lut   every bit of one table is inverted
    ram   what one block RAM holds: a bit of each of its first words is flipped; where it holds nothing before it is
          loaded, a bit of what it reads is stuck at one

Which cell that is depends on the netlist alone: a run can be repeated.
"""

from typing import NamedTuple

FAULTS = ("lut", "ram")


class Sites(NamedTuple):
    """Cells that can have a fault.

    luts: type -> (parameter of the table, output); registers: how their types begin, input, output; rams: type -> (how
    the parameters of contents begin, how the pins begin that read, bits from word to word in such a parameter). Pins
    that read are a port, or a port a bit.
    """

    luts: dict[str, tuple[str, str]]
    registers: tuple[str, str, str]
    rams: dict[str, tuple[str, str, int]]


def plant(module: dict, sites: Sites, fault: str) -> str:
    """Change `module` (of yosys' JSON) in place; the cell that has the fault. ValueError where it has no such cell."""
    if fault not in FAULTS:
        raise ValueError(f"a fault is one of {', '.join(FAULTS)}, not {fault!r}")
    return _lut(module, sites) if fault == "lut" else _ram(module, sites.rams)


def _lut(module: dict, sites: Sites) -> str:
    name = table_of_a_register(module, sites)
    parameters, key = module["cells"][name]["parameters"], sites.luts[module["cells"][name]["type"]][0]
    parameters[key] = "".join("10"[int(bit)] for bit in _bits(parameters[key], 16))
    return name


def table_of_a_register(module: dict, sites: Sites) -> str:
    """A table before a register of the core: of all of them, by the names of the registers, the one in the middle.

    What a host asks of the device goes on; words that the network computes differ.
    """
    begin, d, q = sites.registers

    def at(cell, pin):      # None where nothing is connected
        return next(iter(cell["connections"].get(pin, ())), None)
    cells = module["cells"].items()
    drives = {at(cell, sites.luts[cell["type"]][1]): name for name, cell in cells if cell["type"] in sites.luts}
    drives.pop(None, None)
    names = {bit: name for name, net in sorted(module["netnames"].items()) if ".core." in name for bit in net["bits"]}
    found = sorted((names[at(cell, q)], drives[at(cell, d)]) for _, cell in cells if cell["type"].startswith(begin)
                   and at(cell, q) in names and at(cell, d) in drives)
    if not found:
        raise ValueError("there is no look-up table to plant a fault in")
    return found[len(found) // 2][1]


def _ram(module: dict, rams: dict) -> str:
    found = sorted((name, cell) for name, cell in module["cells"].items() if cell["type"] in rams)
    if not found:
        raise ValueError("there is no block RAM to plant a fault in")
    for name, cell in found:
        begin, _, step = rams[cell["type"]]
        contents = {key: value for key, value in cell["parameters"].items() if key.startswith(begin)}
        if any("1" in str(value) for value in contents.values()):
            for key, value in contents.items():
                bits = list(_bits(value, len(str(value))))
                for at in range(len(bits) - 1, -1, -step):
                    bits[at] = "1" if bits[at] != "1" else "0"
                cell["parameters"][key] = "".join(bits)
            return name
    # all are loaded at run time
    name, cell = found[0]
    begin = rams[cell["type"]][1]
    port = max((port for port, bits in cell["connections"].items() if port.startswith(begin)
                and any(isinstance(bit, int) for bit in bits)), key=lambda port: (len(port), port))
    return _stuck(module, name, port)


def _stuck(module: dict, name: str, port: str) -> str:
    """The lowest bit that `port` drives is one for whoever reads it."""
    bits = module["cells"][name]["connections"][port]
    at = next(n for n, bit in enumerate(bits) if isinstance(bit, int))
    wire = bits[at]
    bits[at] = max(bit for net in module["netnames"].values() for bit in net["bits"] if isinstance(bit, int)) + 1
    module["netnames"][f"{name}.stuck"] = {"hide_name": 1, "bits": [bits[at]], "attributes": {}}
    for other in module["cells"].values():
        for there in other["connections"].values():
            there[:] = ["1" if bit == wire else bit for bit in there]
    return name


def _bits(value, width: int) -> str:
    """A parameter of yosys' JSON as bits, undefined ones 0."""
    text = f"{value:0{width}b}" if isinstance(value, int) else str(value)
    return "".join(bit if bit in "01" else "0" for bit in text)
