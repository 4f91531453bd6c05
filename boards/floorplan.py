"""Where the hard blocks of a network go: the lanes in chain order, each with its weights beside it.

    row of block RAMs     w0  w1  ...  u   phi  ... w26 | next layer
    row of multipliers    x0  x1  ... lag  lead ... x26 | next layer          rows in turn left to right, right to left

nextpnr's analytic placer spreads the lanes of a full part over the whole die: with 155 of 156 multipliers its wires are
2.8 times as long as with this plan, and routing takes ten times as long (docs/architecture.md). All else, the blocks of
parameters and tables included, is left to it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from golden.activation import is_tabulated
from golden.network import Network
from rtl.mac import bank_bits
from rtl.vendor.ecp5 import Bank

#: where the network is in the flattened design of boards.base.BoardDesign
CORE = "top.top.core"


@dataclass(frozen=True)
class Grid:
    """Hard blocks of an ECP5 die: groups of four multipliers and of four block RAMs start at the same columns.

    `rows` pairs each row of multipliers with a row of block RAMs. Source: tile grids of Project Trellis.
    """

    columns: tuple[int, ...]
    rows: tuple[tuple[int, int], ...]

    def sites(self) -> Iterator[tuple[str, str]]:
        """Names of a multiplier and of the block RAM beside it, along a path without jumps."""
        for n, (multipliers, rams) in enumerate(self.rows):
            row = [(f"X{column + across}/Y{multipliers}/MULT18_{across}", f"X{column + 2 * k}/Y{rams}/EBR{k}")
                   for column in self.columns for k, across in enumerate((0, 1, 4, 5))]
            yield from reversed(row) if n % 2 else row


def floorplan(net: Network, grid: Grid | None) -> dict[str, str]:
    """Site of every cell that has a place: the multipliers, the weights, the membranes and the table of each layer.

    The multipliers of a layer's neurons stand in the middle of its lanes, where their sum tree ends. Weights in banks
    of more than one block RAM are left to nextpnr. ValueError where the part has fewer sites.
    """
    if grid is None:
        return {}
    sites, plan = grid.sites(), {}
    for n, layer in enumerate(net.layers):
        chain = [(f"lanes.multiplier{k}", f"lanes.bank{k}") for k in range(layer.lanes)]
        middle = (layer.lanes + 1) // 2
        table = "activation.table" if is_tabulated(layer.activation) else "lag_bank"
        chain[middle:middle] = [("unit.lag_multiplier", "membranes"), ("unit.lead_multiplier", table)]
        single = Bank.blocks(2 << bank_bits(layer), layer.weight.width) == 1
        for multiplier, memory in chain:
            site = next(sites, None)
            if site is None:
                raise ValueError(f"{net.name} has more multipliers than the part has sites for")
            plan[f"{CORE}.layer{n}.{multiplier}.dsp"] = site[0]
            if single or not memory.startswith("lanes."):
                plan[f"{CORE}.layer{n}.{memory}.block0"] = site[1]
    return plan


def place(cells: dict, plan: dict[str, str]) -> None:
    """Fix the sites of `plan` in the cells of a yosys netlist; KeyError names a cell that is not there."""
    for name, site in plan.items():
        cells[name]["attributes"]["BEL"] = site
