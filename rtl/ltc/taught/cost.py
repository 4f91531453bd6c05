"""What a network that learns on the chip takes of a part, how fast it is, where its hard blocks should lie."""

from collections.abc import Iterator

from rtl.inventory import Budget, Inventory, Memory
from rtl.ltc.chain import LINK
from rtl.ltc.taught.core import output_layout
from rtl.ltc.taught.gate import GateUnit
from rtl.ltc.taught.neurons import kept_layout
from rtl.ltc.taught.plan import Plan, gate_rows, readout_rows
from rtl.ltc.taught.softmax import SoftmaxError
from rtl.systems import Cell
from rtl.units.mac import lane_bank
from rtl.vendor.ecp5 import Bank

#: of the units beside the lanes: of gates, of the softmax, and of errors, those below the readout where all learns
GATES, SOFTMAX, OUTPUT_ERRORS, HIDDEN_ERRORS = 3, 1, 3, 6


def hidden_memories(net) -> dict[str, tuple[int, int]]:
    """Depth and width of what lies between the lanes of both gates, by name."""
    layer, n = net.layers[0], net.layers[0].outputs
    states = 2 * max(2, net.streams) << (n - 1 or 1).bit_length(), layer.state.width + 1
    found = {"u_states": states, "b_states": states, "x_words": (max(2, n), layer.state.width)}
    tables = GateUnit.banks(layer)
    found |= {f"neurons.{gate}.sigmoid.table": size for gate in ("alpha", "rho") for size in tables}
    if net.teacher.scope == "all":
        found |= {"errors_unit.store": (max(2, n), kept_layout(layer).size),
                  "errors_unit.passed_store": (max(2, n), net.teacher.error.width + 2)}
    return found


def output_memories(net) -> dict[str, tuple[int, int]]:
    """Depth and width of what lies beside the lanes of the readout, by name."""
    readout, count, width = net.readout, net.outputs, net.readout.state.width
    found = {"spikes": (max(2, readout.inputs), 1), "z_words": (max(2, count), width),
             "y_states": (2 * max(2, net.streams) << (count - 1 or 1).bit_length(), width)}
    found |= dict(zip(("gate_unit.sigmoid.table",), GateUnit.banks(net.layers[0]), strict=True))
    found |= dict(zip(("softmax.ys", "softmax.kept", "softmax.exp.table"), SoftmaxError.banks(count, readout.state),
                      strict=False))
    return found | {"errors_unit.store": (max(2, count), width + 1 + net.layers[0].gate.width),
                    "errors_unit.passed_store": (max(2, count), net.teacher.error.width + 2)}


def memories(net) -> tuple[Memory, ...]:
    """Weights, states of all streams, what is kept of a tick, tables, vectors and answers."""
    layer, outputs = net.layers[0], net.outputs
    found = [Memory(*lane_bank(gate_rows(net).rows), 2 * layer.outputs),
             Memory(*lane_bank(readout_rows(net).rows), outputs), Memory(*_vectors(net))]
    found += [Memory(*size) for size in (*hidden_memories(net).values(), *output_memories(net).values())]
    ticks = max(4, 64 // outputs)
    return (*found, Memory(ticks * outputs, output_layout(net).size, form="inferred"))


def _vectors(net) -> tuple[int, int]:
    return 2 << (net.inputs - 1 or 1).bit_length(), net.layers[0].operand.width


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

    block RAMs      link | w63 .. w0 | states, tables, what is kept | w0 .. w63 | readout
    multipliers     free | x63 .. x0 | neurons, errors, free        | x0 .. x63 | readout
    """
    n = net.layers[0].outputs
    hidden, output = [f"neurons.{gate}.leak.lag" for gate in ("alpha", "rho")], ["gate_unit.leak.lag", "softmax.p"]
    if net.teacher.scope == "all":
        hidden += [f"errors_unit.{name}" for name in (
            "du", "passed", "alpha_error.part", "alpha_error.scaled", "rho_error.part", "rho_error.scaled")]
    output += [f"errors_unit.{name}" for name in ("gate_error.part", "gate_error.scaled", "passed")]
    yield from (Cell("gap", "") for _ in range(LINK))
    yield from _lanes("alpha", reversed(range(n)))
    yield from _beside("hidden", hidden_memories(net), hidden)
    yield from _lanes("rho", range(n))
    yield from _rams("vectors", *_vectors(net))
    yield from _beside("output", output_memories(net), output)
    yield from _lanes("readout", range(net.outputs))


def _lanes(name: str, numbers) -> Iterator[Cell]:
    for k in numbers:
        yield Cell("ram", f"{name}_lanes.bank{k}.block0")
        yield Cell("multiplier", f"{name}_lanes.multiplier{k}.dsp")


def _beside(name: str, memories: dict, units) -> Iterator[Cell]:
    """What is no lane; multipliers are left free so that the lanes behind lie beside their weights."""
    rams = [cell for memory, size in memories.items() for cell in _rams(f"{name}.{memory}", *size)]
    yield from rams
    yield from (Cell("multiplier", f"{name}.{unit}_multiplier.dsp") for unit in units)
    yield from (Cell("gap", "") for _ in range(len(rams) - len(units)))


def _rams(name: str, depth: int, width: int) -> Iterator[Cell]:
    yield from (Cell("ram", f"{name}.block{k}") for k in range(Bank.blocks(depth, width)))
