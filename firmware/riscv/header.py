"""map.h: what the C of the processor and the circuit mean the same by, from the tables in golden/."""

from golden import flash, frames, keeper
from golden.regmap import PARAMETER_BASE, REGISTERS, WORD_MASK

#: bits of the register `status` (golden.regmap)
_STATUS = {"LOADING": 1, "TICKING": 3, "RUNNING": 5}
_TOP = """// Written by firmware/riscv/build.py from golden/regmap.py, frames.py, flash.py and keeper.py.
#pragma once
typedef unsigned int word;
"""
_ACCESS = """
#define PORT(name) (*(volatile word *)(PORTS + 4 * PORT_##name))
#define DEVICE(name) (*(volatile word *)(BUS + 4 * REGISTER_##name))
#define PARAMETER(at) (*(volatile word *)(BUS_PARAMETERS + ((at) << 2)))
"""


def header() -> str:
    """The text of map.h."""
    groups = [
        {name.upper(): value for name, value in keeper.REGION.items() if name != "memory"},
        {f"PORT_{name.upper()}": n for n, name in enumerate(keeper.PORTS)},
        {f"REGISTER_{name.upper()}": register.offset for name, register in REGISTERS.items()},
        {f"STATUS_{name}": 1 << bit for name, bit in _STATUS.items()},
        {"PARAMETER_BASE": PARAMETER_BASE, "WORD_MASK": WORD_MASK},
        {"REQUEST_SYNC": frames.REQUEST_SYNC, "READ": frames.READ, "WRITE": frames.WRITE,
         "FRAME_BYTES": frames.FRAME_BYTES, "FLASH_HEADER": flash.HEADER},
        {f"BOOT_{each.name}": each.value for each in flash.Boot},
        {f"KEPT_{each.name}": each.value for each in keeper.Kept},
        {f"SAVED_{each.name}": each.value for each in keeper.Saved},
        {"KEPT_SAVED": keeper.SAVED_SHIFT, "KEPT_SEQUENCE": keeper.SEQUENCE_SHIFT},
        {"ASKED_SAVE": keeper.ASKED_SAVE, "ASKED_ANOTHER": keeper.ASKED_ANOTHER},
        {"SLOT_IS": keeper.MAGIC, "SLOT_WORDS": len(keeper.HEADER)},
        {f"SLOT_{name.upper()}": n for n, name in enumerate(keeper.HEADER)},
        {"PAGE": keeper.PAGE, "SECTOR": keeper.SECTOR}]
    return _TOP + "".join("\n" + "".join(f"#define {name} 0x{value:x}u\n" for name, value in group.items())
                          for group in groups) + _ACCESS
