"""Hard blocks of a liquid-time-constant network in the order in which they should lie.

row of block RAMs     link | w31 .. w1 w0  states  w0 w1 .. w31 | next layer ..     alpha from right to left, rho after
row of multipliers           x31 .. x1 x0  u   b   x0 x1 .. x31 | next layer ..

Both chains of a layer begin beside the memories that feed them.
"""

from collections.abc import Iterator

from rtl.ltc.gates import lane_rows
from rtl.systems import Cell
from rtl.units.mac import lane_bank
from rtl.vendor.ecp5 import Bank


def chain(net) -> Iterator[Cell]:
    """Layer by layer. Spike rows, and weights in banks of more than one block RAM, are left out."""
    for n, layer in enumerate(net.layers):
        name = "readout" if layer is net.readout else f"layer{n}"
        count = lane_rows(layer, net.halves).lanes
        parts = ["lanes"] if layer.chains == 1 else ["lanes0", "lanes1"]
        order = [(parts[0], k) for k in reversed(range(count))], [(part, k) for part in parts[1:] for k in range(count)]
        plain = Bank.blocks(*lane_bank(lane_rows(layer, net.halves))) == 1
        units = ["output.lag_multiplier"] if layer is net.readout else [
            f"{unit}.lag_multiplier" for unit in ("membrane", "adaptation")[:layer.chains]]
        for side, middle in zip(order, (["gates.states", "gates.xs", "neuron.states", "neuron.xs"], []), strict=True):
            if plain:
                yield from (Cell("ram", f"{name}.gates.{part}.bank{k}.block0") for part, k in side)
            yield from (Cell("ram", f"{name}.{memory}.block0") for memory in middle)
        for side, middle in zip(order, (units, []), strict=True):
            yield from (Cell("multiplier", f"{name}.gates.{part}.multiplier{k}.dsp") for part, k in side)
            yield from (Cell("multiplier", f"{name}.neuron.{unit}.dsp") for unit in middle)
