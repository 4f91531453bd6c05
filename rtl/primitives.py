"""Block RAM and multiplier with all their registers on, and accumulator, in the form of a vendor.

Every form has the ports and the latency of the generic one and lives in `rtl/vendor/`; `vendor` is one of VENDORS.
"""

from rtl.vendor import ecp5, logic
from rtl.vendor.generic import Accumulator, Bank, Multiplier

VENDORS = ("generic", "ecp5", "ice40")
__all__ = ["VENDORS", "Accumulator", "Bank", "Multiplier", "accumulator", "bank", "multiplier"]


def bank(vendor: str, **kwargs) -> Bank:
    """A Bank in the form of `vendor`."""
    # what yosys infers for an iCE40 is all that its block RAMs have
    return _form(vendor, ecp5=ecp5.Bank, otherwise=Bank)(**kwargs)


def multiplier(vendor: str, **kwargs) -> Multiplier:
    """A Multiplier in the form of `vendor`."""
    return _form(vendor, ecp5=ecp5.Multiplier, ice40=logic.Multiplier, otherwise=Multiplier)(**kwargs)


def accumulator(vendor: str, **kwargs) -> Accumulator:
    """An Accumulator in the form of `vendor`."""
    return _form(vendor, ecp5=ecp5.Accumulator, otherwise=Accumulator)(**kwargs)


def has_multipliers(vendor: str) -> bool:
    """Whether parts of `vendor` have multipliers; where not, serial ones of LUTs are worth it (rtl.vendor.logic)."""
    return vendor != "ice40"


def _form(vendor: str, *, otherwise: type, **special: type) -> type:
    if vendor not in VENDORS:
        raise ValueError(f"vendor must be one of {', '.join(VENDORS)}, not {vendor!r}")
    return special.get(vendor, otherwise)
