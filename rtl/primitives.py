"""Block RAM and multiplier with all their registers on, and accumulator, in the form of a vendor.

Every form has the ports and the latency of the generic one and lives in `rtl/vendor/`; `vendor` is one of VENDORS.
"""

from rtl.vendor import ecp5, gowin, ice40, logic, small, spram
from rtl.vendor.generic import Accumulator, Bank, Multiplier
from rtl.vendor.ice40 import UNSEEN
from rtl.vendor.scratch import Bank as Store
from rtl.vendor.scratch import Ice40Scratch, Scratch

#: what a name ends with where banks of few words are LUT RAM
SMALL = "_small"
#: and where deep banks that are not read while they are written are large single-port RAM, and lanes are slim
SPRAM = "_spram"
#: up5k is the iCE40 that has multipliers
VENDORS = ("generic", "ecp5", f"ecp5{SMALL}", "ice40", "up5k", f"up5k{SPRAM}", "gowin", f"gowin{SMALL}")
#: words of a cell of LUT RAM
CELL = 16
__all__ = ["UNSEEN", "VENDORS", "Accumulator", "Bank", "Multiplier", "accumulator", "bank", "multiplier", "scratch",
           "store"]


def bank(vendor: str, *, depth: int, columns: int = 1, **kwargs) -> Bank:
    """A Bank in the form of `vendor`."""
    form = _form(vendor, ecp5=ecp5.Bank, gowin=gowin.Bank, ice40=ice40.Bank, up5k=ice40.Bank, otherwise=Bank)
    if vendor.endswith(SMALL) and small.is_small(depth, columns):
        form = small.Bank
    return form(depth=depth, columns=columns, **kwargs)


def store(vendor: str, *, depth: int, width: int, columns: int = 1) -> Bank:
    """A Bank that nobody reads while it is written: what is read in a cycle of a write, or in that before, is not told.

    It has columns where it is single-port RAM only.
    """
    if in_spram(vendor, depth):
        return spram.Bank(depth=depth, width=width, columns=columns)
    if columns > 1:
        raise ValueError(f"{depth} words are no single-port RAM of {vendor}: they have no columns")
    return Store(_scratch(vendor), depth=depth, width=width)


def scratch(vendor: str, *, depth: int, width: int) -> Scratch:
    """A memory whose reader never meets its writer."""
    return _scratch(vendor)(depth=depth, width=width)


def _scratch(vendor):
    return _form(vendor, up5k=Ice40Scratch, otherwise=Scratch)


def multiplier(vendor: str, **kwargs) -> Multiplier:
    """A Multiplier in the form of `vendor`."""
    return _form(vendor, ecp5=ecp5.Multiplier, ice40=logic.Multiplier, up5k=ice40.Multiplier, gowin=gowin.Multiplier,
                 otherwise=Multiplier)(**kwargs)


def accumulator(vendor: str, **kwargs) -> Accumulator:
    """An Accumulator in the form of `vendor`."""
    return _form(vendor, ecp5=ecp5.Accumulator, otherwise=Accumulator)(**kwargs)


def has_multipliers(vendor: str) -> bool:
    """Whether parts of `vendor` have multipliers; where not, serial ones of LUTs are worth it (rtl.vendor.logic)."""
    return vendor != "ice40"


def shares_neurons(vendor: str) -> bool:
    """Whether lanes of spiking layers share a neuron unit: where logic cells are short, and states are block RAM."""
    return vendor.endswith(SPRAM)


def is_small(vendor: str) -> bool:
    """Whether parts of this form are so small that a word crosses them in a cycle, and cells are what they lack."""
    return vendor in ("ice40", "up5k", f"up5k{SPRAM}")


def in_blocks(vendor: str, depth: int) -> bool:
    """Whether a memory of `depth` words is block RAM that elsewhere is LUT RAM: an iCE40 has none, a Gowin part few."""
    return is_small(vendor) or vendor == "gowin" and depth > CELL


def in_spram(vendor: str, depth: int) -> bool:
    """Whether a `store` of `depth` words is single-port RAM."""
    return vendor.endswith(SPRAM) and spram.is_deep(depth)


def _form(vendor: str, *, otherwise: type, **special: type) -> type:
    if vendor not in VENDORS:
        raise ValueError(f"vendor must be one of {', '.join(VENDORS)}, not {vendor!r}")
    return special.get(vendor.removesuffix(SMALL).removesuffix(SPRAM), otherwise)
