"""Hard blocks of a liquid-time-constant network in the order in which they should lie.

block RAMs      link | w31 .. w1 w0  states  w0 w1 .. w31 | spike rows | next layer ..    alpha from right to left,
multipliers     free | x31 .. x1 x0  u b     x0 x1 .. x31 | free       | next layer ..    rho from left to right

Both chains of a layer begin beside the memories that feed them, and the readout lies in the middle of the last layer,
whose spikes it takes. Where there are more memories than multipliers some of these are left free, so that lanes lie
beside their weights.
"""

from collections.abc import Iterator

from rtl.ltc.former import table_of
from rtl.ltc.gates import lane_rows, product_bits
from rtl.ltc.schedule import plan
from rtl.systems import Cell
from rtl.units.mac import lane_bank
from rtl.vendor.ecp5 import Bank

#: block RAMs of the link, which come first (boards.floorplan)
LINK = 2


def chain(net) -> Iterator[Cell]:
    """Layer by layer. Weights in banks of more than one block RAM, and the last spike rows, are left out."""
    behind = LINK
    for cell in _cells(net):
        if cell.block == "gap":
            for _ in range(behind):
                yield cell
            behind = min(behind, 0)
            continue
        behind += 1 if cell.block == "ram" else -1
        yield cell


def _cells(net) -> Iterator[Cell]:
    """All cells; a gap where multipliers may catch up with block RAMs."""
    for n, layer in enumerate(net.hidden):
        yield Cell("gap", "")
        name, last = f"layer{n}", n == len(net.hidden) - 1
        yield from reversed(list(_lanes(net, layer, f"{name}.gates.lanes{'' if layer.chains == 1 else 0}")))
        yield from _middle(name, ("membrane", "adaptation")[:layer.chains], ("alpha", "rho")[:layer.chains])
        if last:
            yield from _lanes(net, net.readout, "readout.gates.lanes")
            yield from _middle("readout", ("output",), ("gate",))
        yield Cell("gap", "")
        if layer.chains == 2:
            yield from _lanes(net, layer, f"{name}.gates.lanes1")
        if not last:
            yield from _spike_rows(net, n)


def _lanes(net, layer, name: str) -> Iterator[Cell]:
    """Lane after lane, with its weights."""
    rows = lane_rows(layer, net.halves)
    plain = Bank.blocks(*lane_bank(rows)) == 1
    for k in range(rows.lanes):
        yield Cell("multiplier", f"{name}.multiplier{k}.dsp")
        if plain:
            yield Cell("ram", f"{name}.bank{k}.block0")


def _middle(name: str, units, tables) -> Iterator[Cell]:
    """What lanes and neurons read, and what neurons multiply by."""
    yield from (Cell("ram", f"{name}.{memory}.block0")
                for memory in ("gates.states", "gates.xs", "neuron.states", "neuron.xs"))
    for unit in units:
        yield Cell("multiplier", f"{name}.neuron.{unit}.lag_multiplier.dsp")
    for table in tables:
        yield Cell("ram", f"{name}.neuron.{table}_table.table.block0")


def _spike_rows(net, n: int) -> Iterator[Cell]:
    """Rows of spikes and their biases; of the first layer also products and inputs."""
    layer = net.layers[n]
    table = table_of(layer, slots=plan(net)[1][n], halves=net.halves)
    if layer.dense:
        yield from _rams("vectors", 2 << max(1, (layer.inputs - 1).bit_length()), layer.operand.width)
        yield from _rams(f"layer{n}.former.products", 1 << table.pair_bits, 2 * product_bits(layer), 2)
    yield from _rams(f"layer{n}.former.sums.biases", table.halves << table.pair_bits, 2 * table.weight, table.words)
    for first in range(0, table.units, table.shared):
        together = min(table.shared, table.units - first)
        yield from _rams(f"layer{n}.former.sums.bank{first}", table.depth, 2 * table.weight * together,
                         table.words * together)


def _rams(name: str, depth: int, width: int, columns: int = 1) -> Iterator[Cell]:
    for n in range(Bank.blocks(depth, width, columns)):
        yield Cell("ram", f"{name}.block{n}")
