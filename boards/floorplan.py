"""Where the hard blocks of a network go: the lanes in chain order, each with its weights beside it.

    row of block RAMs     link | ring w0  w1  ...  u   phi  ... w26 | next layer
    row of multipliers    x0  x1  ... lag  lead ... x26 | next layer          rows in turn left to right, right to left

nextpnr's analytic placer spreads the lanes of a full part over the whole die: docs/architecture.md has what that costs.
All else is left to it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from golden.description import Description
from rtl.systems import circuit

#: where link and network are in the flattened design of boards.base.BoardDesign
LINK, CORE = "top.link", "top.top.core"
#: block RAMs of the link's buffer
LINK_RAMS = 2


@dataclass(frozen=True)
class Grid:
    """Hard blocks of an ECP5 die: groups of four multipliers and of four block RAMs start at the same columns.

    Row n of `multipliers` is next to row n of `rams`; what rows of block RAMs there are beyond comes last. Source: tile
    grids of Project Trellis.
    """

    columns: tuple[int, ...]
    multipliers: tuple[int, ...]
    rams: tuple[int, ...]

    def multiplier_sites(self) -> Iterator[str]:
        """Names of the sites along a path without jumps."""
        return self._path(self.multipliers, ((k, f"MULT18_{k}") for k in (0, 1, 4, 5)))

    def ram_sites(self) -> Iterator[str]:
        """The same for block RAMs, in step with the multipliers."""
        return self._path(self.rams, ((2 * k, f"EBR{k}") for k in range(4)))

    def _path(self, rows, blocks):
        blocks = tuple(blocks)
        for n, y in enumerate(rows):
            row = [f"X{column + across}/Y{y}/{name}" for column in self.columns for across, name in blocks]
            yield from reversed(row) if n % 2 else row


def floorplan(net: Description, grid: Grid | None) -> dict[str, str]:
    """Site of every cell that has a place: the multipliers; the link's buffer; weights, messages, membranes and table.

    The order is that of `chain` of its circuit (rtl.systems); what that leaves out is left to nextpnr. ValueError where
    the part has fewer sites.
    """
    if grid is None or next(circuit(net).chain(net), None) is None:
        return {}
    multipliers, rams = grid.multiplier_sites(), grid.ram_sites()
    plan = {}

    def put(cell, sites, what):
        plan[cell] = next(sites, None)
        if plan[cell] is None:
            raise ValueError(f"{net.name} has more {what} than the part has sites for")

    for n in range(LINK_RAMS):
        put(f"{LINK}.memory.block{n}", rams, "block RAMs")
    cells = list(circuit(net).chain(net))
    spare = {"room": sum(1 for _ in grid.ram_sites()) - sum(cell.block == "ram" for cell in cells) - LINK_RAMS,
             "gap": sum(1 for _ in grid.multiplier_sites()) - sum(cell.block == "multiplier" for cell in cells)}
    for cell in cells:
        if cell.block in spare:
            if spare[cell.block] > 0:
                spare[cell.block] -= 1
                next(rams if cell.block == "room" else multipliers)
            continue
        put(f"{CORE}.{cell.path}", *((multipliers, "multipliers") if cell.block == "multiplier" else
                                     (rams, "block RAMs")))
    return plan


def place(cells: dict, plan: dict[str, str]) -> None:
    """Fix the sites of `plan` in the cells of a yosys netlist; KeyError names a cell that is not there."""
    for name, site in plan.items():
        cells[name]["attributes"]["BEL"] = site
