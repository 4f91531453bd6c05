"""A whole board as a Design: a netlist whose ports are pads, of which a host sees clk, rx and tx."""

from golden.checks import check


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
