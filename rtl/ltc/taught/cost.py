"""What a network that learns on the chip takes of a part, how fast it is, where its hard blocks should lie."""

from collections.abc import Iterator

from rtl.inventory import Budget, Inventory, Memory
from rtl.ltc.taught.core import output_layout
from rtl.ltc.taught.gate import GateUnit
from rtl.ltc.taught.neurons import kept_layout
from rtl.ltc.taught.plan import Plan, gate_rows, readout_rows
from rtl.ltc.taught.softmax import SoftmaxError
from rtl.systems import Cell
from rtl.units.mac import lane_bank

#: of the units beside the lanes: of gates, of the softmax, and of errors, those below the readout where all learns
GATES, SOFTMAX, OUTPUT_ERRORS, HIDDEN_ERRORS = 3, 1, 3, 6


def memories(net) -> tuple[Memory, ...]:
    """Weights, states of all streams, what is kept of a tick, tables, vectors and answers."""
    layer, readout = net.layers
    n, outputs, width, error = layer.outputs, readout.outputs, layer.state.width, net.teacher.error.width
    twice = 2 * max(2, net.streams)

    def two(count):
        return 1 << max(1, (count - 1).bit_length())
    found = [Memory(*lane_bank(gate_rows(net).rows), 2 * n), Memory(*lane_bank(readout_rows(net).rows), outputs),
             Memory(twice * two(n), width + 1, 2), Memory(twice * two(outputs), width), Memory(max(2, n), width),
             Memory(max(2, outputs), width), Memory(max(2, n), 1), Memory(2 * two(net.inputs), width),
             Memory(max(2, outputs), width + 1 + layer.gate.width), Memory(max(2, outputs), error + 2)]
    if net.teacher.scope == "all":
        found += [Memory(max(2, n), kept_layout(layer).size), Memory(max(2, n), error + 2)]
    found += [Memory(*size, GATES) for size in GateUnit.banks(layer)]
    found += [Memory(*size) for size in SoftmaxError.banks(outputs, readout.state)]
    ticks = max(4, 64 // outputs)
    return (*found, Memory(ticks * outputs, output_layout(net).size, form="inferred"))


def multipliers(net) -> int:
    """Of the lanes, gates, softmax and errors."""
    below = HIDDEN_ERRORS if net.teacher.scope == "all" else 0
    return net.lanes + GATES + SOFTMAX + OUTPUT_ERRORS + below


def inventory(net) -> Inventory:
    """All memories are block RAMs with their registers on; a lane that learns costs as much again as one that sums."""
    return Inventory(memories(net), multipliers(net), {"layer": 8, "mac_lane": 2 * net.lanes, "table": GATES + SOFTMAX})


def fold_within(net, budget: Budget):
    """The net as it is, since what learns has a lane a row; ValueError where a part has no room for that."""
    if not budget.multipliers:
        raise ValueError(f"{net.name} multiplies, and there are no multipliers for it")
    need = multipliers(net), budget.blocks(inventory(net))
    if need[0] > budget.multipliers or need[1] > budget.bram:
        raise ValueError(f"{net.name} needs {need[0]} multipliers and {need[1]} block RAMs; there are "
                         f"{budget.multipliers} and {budget.bram}")
    return net


def notes(net) -> list[str]:
    """What it has beside its lanes."""
    return [f"{net.streams} streams in turns share the weights"]


def pace(net, clock_mhz: float, fmax_mhz: float) -> dict:
    """Cycles and ticks a second, with and without learning; share of lane-cycles that multiply."""
    plan = Plan(net)
    both = {"": (plan.period, plan.gates, plan.readout),
            "learn_": (plan.learning_period, plan.gates + plan.gates_learning, plan.readout + plan.readout_learning)}
    figures, chain = {}, net.layers[0].outputs * 2
    for name, (cycles, gates, readout) in both.items():
        work = sum(chain * each.count for each in gates) + sum(net.outputs * each.count for each in readout)
        figures |= {f"{name}cycles_per_tick": cycles, f"{name}ticks_per_s": clock_mhz * 1e6 / cycles,
                    f"{name}ticks_per_s_at_fmax": fmax_mhz * 1e6 / cycles, f"{name}lane_use": work / net.lanes / cycles}
    return figures


def chain(net) -> Iterator[Cell]:
    """Lanes of alpha from right to left, what both chains begin beside, lanes of rho, the readout behind them.

    row of block RAMs     w63 .. w0 | states u b x | w0 .. w63 | readout
    row of multipliers    x63 .. x0 | neurons, errors | x0 .. x63 | readout
    """
    n = net.layers[0].outputs
    yield from (Cell("ram", f"alpha_lanes.bank{k}.block0") for k in reversed(range(n)))
    yield from (Cell("ram", f"hidden.{name}.block0") for name in ("u_states", "x_words", "b_states"))
    yield from (Cell("ram", f"rho_lanes.bank{k}.block0") for k in range(n))
    yield from (Cell("ram", f"readout_lanes.bank{k}.block0") for k in range(net.outputs))
    hidden = ["neurons.alpha.leak.lag", "neurons.rho.leak.lag"]
    if net.teacher.scope == "all":
        hidden += [f"errors_unit.{name}" for name in (
            "du", "passed", "alpha_error.part", "alpha_error.scaled", "rho_error.part", "rho_error.scaled")]
    output = ["gate_unit.leak.lag", "softmax.p", *(f"errors_unit.{name}" for name in (
        "gate_error.part", "gate_error.scaled", "passed"))]
    yield from (Cell("multiplier", f"alpha_lanes.multiplier{k}.dsp") for k in reversed(range(n)))
    yield from (Cell("multiplier", f"hidden.{name}_multiplier.dsp") for name in hidden)
    yield from (Cell("multiplier", f"rho_lanes.multiplier{k}.dsp") for k in range(n))
    yield from (Cell("multiplier", f"output.{name}_multiplier.dsp") for name in output)
    yield from (Cell("multiplier", f"readout_lanes.multiplier{k}.dsp") for k in range(net.outputs))
