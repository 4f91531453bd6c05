"""Whether a network has room on a board: memories and multipliers are counted in the circuit, LUTs are estimated."""

from dataclasses import dataclass, field

from amaranth.hdl import Fragment, Instance, Shape
from amaranth.hdl._mem import MemoryInstance

from boards.base import LUT_BASE, Board, uart_divisor
from boards.family import Family, columns
from golden.description import Description
from rtl.inventory import Memory
from rtl.systems import circuit


@dataclass(frozen=True)
class Resources:
    """Memories and multipliers are counted; LUTs (two for a carry cell) are estimated to +-20 %."""

    lut4: int
    bram: int
    dsp: int
    lut_ram: int
    spram: int = 0
    details: dict = field(default_factory=dict, compare=False)


def resources_needed(net: Description, board: Board) -> Resources:
    """What the design of `net` takes, counted in the elaborated circuit: true whatever that is made of."""
    board.check_kind(net)
    counts, family = {"bram": 0, "dsp": 0, "inferred": 0, "lut_ram": 0, "spram": 0}, board.family_for(net)
    clock = board.clock_for(None, net)
    top = board.top(net, clock, uart_divisor(clock.mhz, board.baud))
    _count(Fragment.get(top, None), family, counts)
    lut4 = LUT_BASE + board.extra + family.luts(circuit(net).inventory(net))
    return Resources(lut4=lut4, bram=counts["bram"] + counts["inferred"], dsp=counts["dsp"], lut_ram=counts["lut_ram"],
                     spram=counts["spram"], details=counts)


def check_fits(net: Description, board: Board) -> Resources:
    """`resources_needed`; ValueError (one line) where the part has less."""
    need = resources_needed(net, board)
    for name, words, exact in (("dsp", "multipliers", True), ("bram", "block RAMs", True),
                               ("spram", "large RAMs", True), ("lut_ram", "cells of LUT RAM", True),
                               ("lut4", "LUTs", False)):
        needed, available = getattr(need, name), getattr(board.part, name)
        if available is not None and needed > available:
            about = "" if exact else "about "
            raise ValueError(f"{net.name} needs {about}{needed} {words}, {board.name} ({board.part.name}) "
                             f"has {available}")
    return need


def _count(fragment, family: Family, counts) -> None:
    for entry in fragment.subfragments:
        part = entry[0]
        if isinstance(part, Instance):
            if part.type in family.instances:
                counts[family.instances[part.type]] += 1
        elif isinstance(part, MemoryInstance):
            depth, width = part._data.depth, Shape.cast(part._data.shape).width
            # what is read at once is LUT RAM or registers, but for what yosys takes the register behind it into
            if "no_rw_check" in part._attrs or all(port._domain != "comb" for port in part._read_ports):
                asked = part._attrs.get("ram_style") == "block"
                counts["inferred"] += family.blocks(Memory(depth, width)) if asked else family.inferred(depth, width)
            else:
                counts["lut_ram"] += columns(depth, width) if "column" in family.prices else 0
        _count(part, family, counts)
