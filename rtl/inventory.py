"""What a network takes of a part, without a part in sight: memories, multipliers, features that cost logic.

Systems count it, families of FPGAs have the prices (boards.families), and lanes are dealt out within a Budget.
"""

from collections.abc import Callable
from typing import NamedTuple


class Memory(NamedTuple):
    """`count` memories of `depth` words of `width` bits, which are written in `columns` of equal width.

    form: "bank", a block RAM with all its registers (rtl.primitives); "store", a bank that nobody reads while it is
    written; "inferred", read a cycle late, from which tools
    make what suits its size; "soft", LUT RAM where a family has it, else inferred; "at_once", read in the cycle of its
    address: LUT RAM or registers.
    """

    depth: int
    width: int
    count: int = 1
    form: str = "bank"
    columns: int = 1


class Inventory(NamedTuple):
    """Of the layers of a network; logic: feature -> amount, for which a family has a price in LUTs.

    factors: of the multipliers where they may be made of LUTs, too: bits of both factors, and how many there are.
    shared: the same in a form in which lanes share a neuron unit, where the network has one (rtl.spiking.shared).
    """

    memories: tuple[Memory, ...]
    multipliers: int
    logic: dict[str, float]
    factors: tuple[tuple[int, int, int], ...] = ()
    shared: "Inventory | None" = None


class Budget(NamedTuple):
    """Room for the layers of a network: multipliers, block RAMs, LUTs; what of the latter two routes well.

    multipliers: None where they are made of LUTs. blocks: block RAMs of an Inventory; luts: rough number of its LUTs;
    spram: large RAMs that deep banks go to; shared: whether lanes share a neuron unit.
    """

    multipliers: int | None
    bram: int
    lut4: int
    routable_bram: float
    routable_lut4: float
    blocks: Callable[[Inventory], int]
    luts: Callable[[Inventory], int]
    spram: int = 0
    shared: bool = False
