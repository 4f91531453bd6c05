"""Where the hard blocks of a network go: the lanes in chain order, each with its weights beside it.

    row of block RAMs     link | ring w0  w1  ...  u   phi  ... w26 | next layer
    row of multipliers    x0  x1  ... lag  lead ... x26 | next layer          rows in turn left to right, right to left

nextpnr's analytic placer spreads the lanes of a full part over the whole die: docs/architecture.md has what that costs.
All else is left to it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from golden.rate.network import Dense, Network
from golden.spiking.network import SpikingNetwork
from golden.units.activation import is_tabulated
from golden.units.dense import dense_rows
from rtl.rate.dense import line_banks
from rtl.rate.loss import OutputError
from rtl.units.mac import lane_bank
from rtl.vendor.ecp5 import PAGE, Bank

#: where link and network are in the flattened design of boards.base.BoardDesign
LINK, CORE = "top.link", "top.top.core"


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


def floorplan(net: Network, grid: Grid | None) -> dict[str, str]:
    """Site of every cell that has a place: the multipliers; the link's buffer; weights, messages, membranes and table.

    The multipliers of a layer's neurons stand in the middle of its lanes, where their sum tree ends. Weights in banks
    of more than one block RAM, and spiking networks, are left to nextpnr. ValueError where the part has fewer sites.
    """
    if grid is None or isinstance(net, SpikingNetwork):
        return {}
    multipliers, rams = grid.multiplier_sites(), grid.ram_sites()
    plan = {}

    def put(cell, sites, what):
        plan[cell] = next(sites, None)
        if plan[cell] is None:
            raise ValueError(f"{net.name} has more {what} than the part has sites for")

    for n in range(2):
        put(f"{LINK}.buffer.block{n}", rams, "block RAMs")
    for n, layer in enumerate(net.layers):
        middle = (layer.lanes + 1) // 2
        # first the lanes that a word meets first
        weights = [f"lanes.bank{k}" for k in range(layer.lanes)]
        if Bank.blocks(*lane_bank(dense_rows(layer))) > 1:
            weights = []
        table = ["activation.table"] if is_tabulated(layer.activation) else []
        # a history, or a line of pages, is several blocks that nextpnr places
        plain = layer.predictor is None and line_banks(layer.way, net.streams, n == 0)[0][0] <= PAGE
        line = ["line.ring"] if plain else []
        for memory in (*line, *weights[:middle], "membranes", *table, *weights[middle:]):
            put(f"{CORE}.layer{n}.{memory}.block0", rams, "block RAMs")
        lanes = [f"lanes.multiplier{k}" for k in range(layer.lanes)]
        for multiplier in (*lanes[:middle], "unit.lag_multiplier", "unit.lead_multiplier", *_learning(layer),
                           *lanes[middle:]):
            put(f"{CORE}.layer{n}.{multiplier}.dsp", multipliers, "multipliers")
    if OutputError.multipliers(net) if net.teacher else 0:
        put(f"{CORE}.teacher.p_multiplier.dsp", multipliers, "multipliers")
    return plan


def _learning(layer: Dense) -> list[str]:
    """Multipliers of a layer's errors and time constants."""
    plastic, found = layer.plastic, []
    if plastic is None:
        return found
    if layer.activation != "linear":
        found += ["error.slope"]
    if plastic.is_filtered:
        found += ["error.unit.lag_multiplier", "error.unit.lead_multiplier"]
    if plastic.tau is not None:
        found += ["lead_multiplier", *(["error.error_lead_multiplier"] if plastic.is_filtered else []),
                  *(f"time_constant.{name}" for name in ("step", "rest", "newton"))]
    return found


def place(cells: dict, plan: dict[str, str]) -> None:
    """Fix the sites of `plan` in the cells of a yosys netlist; KeyError names a cell that is not there."""
    for name, site in plan.items():
        cells[name]["attributes"]["BEL"] = site
