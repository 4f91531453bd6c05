"""The circuits of each kind of network (golden.systems.KINDS), each in the folder of its name."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import NamedTuple

from golden import systems
from golden.description import Description
from rtl.inventory import Budget, Inventory


class Cell(NamedTuple):
    """A hard block of a core: block, "multiplier" or "ram"; its path in the core's flattened netlist.

    A block that is "room" stands for a block RAM that stays empty, one that is a "gap" for a multiplier, where the part
    has more of them than it needs.
    """

    block: str
    path: str


class Circuit(NamedTuple):
    """What boards, simulations and reports need to know of a kind.

    core(net, vendor=...)     a component with `info` (rtl.host.core.CoreInfo)
    fold(net, budget)         the net with the lanes that a part has room for; ValueError where it has not
    inventory(net)            what its layers take
    pace(net, clock, fmax)    figures of a report, clocks in MHz
    notes(net)                lines for a person: what it costs beside its lanes
    chain(net)                hard blocks in the order in which they should lie, neighbours side by side
    clock(net)                MHz that it reaches, by family, where that is less than boards ask for
    scrubs                    core takes scrubs=True: its parameters can then be read back (CoreInfo.scrubs)
    """

    core: Callable
    fold: Callable[[Description, Budget], Description]
    inventory: Callable[[Description], Inventory]
    pace: Callable[[Description, float, float], dict]
    notes: Callable[[Description], list[str]]
    chain: Callable[[Description], Iterator[Cell]]
    clock: Callable[[Description], dict[str, float]] = lambda net: {}
    scrubs: bool = False


def circuit(net: Description) -> Circuit:
    """The circuits of a network's kind."""
    return import_module(f"rtl.{net.kind}").CIRCUIT


def core_of(net: Description, *, vendor: str = "generic", scrubs: bool = False):
    """The core of a network; scrubs: one whose parameters can be read back, ValueError where there is none."""
    found = circuit(net)
    if scrubs and not found.scrubs:
        raise ValueError(f"{net.name}: parameters of networks of this kind ({net.kind}) are not read back, so they are "
                         "not scrubbed")
    return found.core(net, vendor=vendor, **({"scrubs": True} if scrubs else {}))


def circuits() -> dict[str, Circuit]:
    """The circuits of every kind."""
    return {kind: import_module(f"rtl.{kind}").CIRCUIT for kind in systems.KINDS}
