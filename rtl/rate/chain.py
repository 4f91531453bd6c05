"""Hard blocks of a network of rate neurons in the order in which they should lie: the lanes as words meet them."""

from collections.abc import Iterator

from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.units.activation import is_tabulated
from golden.units.dense import dense_rows
from rtl.rate.loss import OutputError
from rtl.rate.ways import line_banks
from rtl.systems import Cell
from rtl.units.mac import lane_bank
from rtl.vendor.ecp5 import PAGE, Bank


def chain(net: Network) -> Iterator[Cell]:
    """Layer by layer: weights, messages, membranes and table; lanes, the multipliers of neurons in their middle.

    There their sum tree ends. Weights in banks of more than one block RAM are left out.
    """
    for n, layer in enumerate(net.layers):
        middle = (layer.lanes + 1) // 2
        # first the lanes that a word meets first
        weights = [f"lanes.bank{k}" for k in range(layer.lanes)]
        if Bank.blocks(*lane_bank(dense_rows(layer))) > 1:
            weights = []
        table = ["activation.table"] if is_tabulated(layer.activation) else []
        # a history, or a line of pages, is several blocks
        plain = layer.predictor is None and line_banks(layer.way, net.streams, n == 0)[0][0] <= PAGE
        line = ["line.ring"] if plain else []
        for memory in (*line, *weights[:middle], "membranes", *table, *weights[middle:]):
            yield Cell("ram", f"layer{n}.{memory}.block0")
        lanes = [f"lanes.multiplier{k}" for k in range(layer.lanes)]
        for multiplier in (*lanes[:middle], "unit.lag_multiplier", "unit.lead_multiplier", *_learning(layer),
                           *lanes[middle:]):
            yield Cell("multiplier", f"layer{n}.{multiplier}.dsp")
    if OutputError.multipliers(net) if net.teacher else 0:
        yield Cell("multiplier", "teacher.p_multiplier.dsp")


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
