"""A routed ECP5 as a netlist for a simulator: what nextpnr wrote, cell by cell, said in full.

nextpnr leaves out what a cell does by itself: an input that is not connected reads 1 (a reset: 0), a parameter xMUX
says that pin x is a constant or inverted, and names like CE2 say which pin of four is meant. `tied` spells that out in
yosys' JSON, so that models without any of it serve (sim/models/ecp5_routed.v, sim/models/ecp5.v).
"""

from golden.checks import check

#: inputs that the models have, which are 1 where nothing is connected (LSR is none of them)
_COMB = ("A", "B", "C", "D", "M", "FCI", "F1", "FXA", "FXB", "WD", "WAD0", "WAD1", "WAD2", "WAD3", "WRE", "WCK")
_RAMW = tuple(f"{letter}{n}" for n in "01" for letter in "ABCD")
_MULTIPLIER = ("REG_INPUTA", "REG_INPUTB", "REG_PIPELINE", "REG_OUTPUT")


def tied(module: dict) -> None:
    """Change a module of nextpnr-ecp5's JSON in place. ValueError for a cell that there is no model of."""
    cells, bits = {}, _Bits(module)
    for name, cell in module["cells"].items():
        kind = cell["type"]
        check(kind in _RULES, f"there is no model of {kind}")
        if cell["parameters"].get("MODE") == "RAMW_BLOCK":      # the tables that a TRELLIS_RAMW passes through
            continue
        cells[name] = {"hide_name": 1, "type": kind, "parameters": dict(cell["parameters"]), "attributes": {},
                       "port_directions": {}, "connections": {}}
        connections = {port: list(found) for port, found in cell["connections"].items() if found}
        _RULES[kind](cells[name], connections, bits)
        cells[name]["port_directions"] = {port: cell["port_directions"].get(port, "input")
                                          for port in cells[name]["connections"]}
    module["cells"] = cells | bits.inverters


class _Bits:
    """New nets of a module, and the inverters that drive them."""

    def __init__(self, module: dict):
        self.next = 1 + max(bit for net in module["netnames"].values() for bit in net["bits"] if isinstance(bit, int))
        self.inverters = {}

    def inverse(self, found: list) -> list:
        """The inverse of a connection of one bit."""
        if found[0] in ("0", "1"):
            return ["10"[int(found[0])]]
        made, self.next = [self.next], self.next + 1
        self.inverters[f"inverter{made[0]}"] = {
            "hide_name": 1, "type": "$_NOT_", "parameters": {}, "attributes": {},
            "port_directions": {"A": "input", "Y": "output"}, "connections": {"A": found, "Y": made}}
        return made


def _muxed(cell: dict, connections: dict, bits: _Bits, pins, otherwise: str = "1") -> None:
    """Connect inputs by their xMUX, which goes."""
    for pin in pins:
        said = cell["parameters"].pop(f"{pin}MUX", pin).strip()
        found = connections.get(pin, [otherwise])
        check(said in ("0", "1", "INV", pin), f"{cell['type']}: {pin} is said to be {said!r}")
        cell["connections"][pin] = [said] if said in "01" else bits.inverse(found) if said == "INV" else found


def _outputs(cell: dict, connections: dict, pins) -> None:
    cell["connections"] |= {pin: connections[pin] for pin in pins if pin in connections}


def _comb(cell, connections, bits):
    _muxed(cell, connections, bits, _COMB)
    _outputs(cell, connections, ("F", "FCO", "OFX"))
    parameters = cell["parameters"]
    parameters["IS_Z1"] = int("FXA" in connections)     # nextpnr writes none
    cell["parameters"] = {name: value for name, value in parameters.items()
                          if name in ("MODE", "INITVAL", "CCU2_INJECT1", "IS_Z1")}


def _register(cell, connections, bits):
    parameters = cell["parameters"]
    check(parameters.get("SRMODE", "LSR_OVER_CE") == "LSR_OVER_CE" and parameters.get("GSR") == "DISABLED",
          f"a register of {parameters.get('SRMODE')} and GSR {parameters.get('GSR')} is not modelled")
    _muxed(cell, connections, bits, ("CLK", "CE"))
    _muxed(cell, connections, bits, ("LSR",), otherwise="0")
    cell["connections"]["DI"] = connections.get("DI" if parameters["SD"].strip() == "1" else "M", ["1"])
    _outputs(cell, connections, ("Q",))
    cell["parameters"] = {"REGSET": parameters["REGSET"]}


def _lut_ram(cell, connections, bits):
    _muxed(cell, connections, bits, _RAMW)
    _outputs(cell, connections, [f"{name}{n}" for name in ("WDO", "WADO") for n in range(4)])


def _block_ram(cell, connections, bits):
    pins = [f"{name}{port}{n}" for port in "AB" for name, count in (("AD", 14), ("DI", 18), ("CS", 3))
            for n in range(count)]
    pins += [f"{name}{port}" for port in "AB" for name in ("CLK", "CE", "OCE", "WE", "RST")]
    _muxed(cell, connections, bits, pins)
    _outputs(cell, connections, [f"DO{port}{n}" for port in "AB" for n in range(18)])


def _multiplier(cell, connections, bits):
    parameters = cell["parameters"]
    _muxed(cell, connections, bits, [f"{name}{n}" for name in "AB" for n in range(18)])
    _muxed(cell, connections, bits, ("SIGNEDA", "SIGNEDB", "SOURCEA", "SOURCEB"))
    for what in ("CLK", "CE", "RST"):
        named = {parameters.pop(f"{register}_{what}") for register in _MULTIPLIER}
        check(len(named) == 1, f"MULT18X18D with registers of several {what} is not modelled")
        pin = named.pop()
        cell["connections"][f"{what}0"] = connections.get(pin, ["1"])
        parameters |= {f"{register}_{what}": f"{what}0" for register in _MULTIPLIER}
    _outputs(cell, connections, [f"P{n}" for n in range(36)])


def _pad(cell, connections, bits):
    direction = cell.pop("parameters")["DIR"]
    check(direction in ("INPUT", "OUTPUT"), f"a pad of direction {direction} is not modelled")
    cell |= {"type": f"TRELLIS_{direction}", "parameters": {}}
    _outputs(cell, connections, ("B", "O") if direction == "INPUT" else ("I", "B"))


def _clock(cell, connections, bits):
    _muxed(cell, connections, bits, ("CLKI", "CE"))
    _outputs(cell, connections, ("CLKO",))


def _pll(cell, connections, bits):
    cell["parameters"] = {}
    _outputs(cell, connections, ("CLKI", "CLKOP", "LOCK"))


_RULES = {"TRELLIS_COMB": _comb, "TRELLIS_FF": _register, "TRELLIS_RAMW": _lut_ram, "DP16KD": _block_ram,
          "MULT18X18D": _multiplier, "TRELLIS_IO": _pad, "DCCA": _clock, "EHXPLLL": _pll}
