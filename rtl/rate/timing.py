"""When things happen within a tick of a layer that learns; cycle 0 is the first one after `start`."""

from golden.rate.layer import Dense
from rtl.primitives import Bank
from rtl.rate.error import RATIO_LATENCY, ErrorUnit, Pull
from rtl.rate.rows import STRIDE, row_read
from rtl.units.delay import DelayLine

#: cycles from the first eps of a tick to the first `back` of a single lane, which it reaches one later
LOAD_LATENCY = Bank.LATENCY


def rows_take_eps(layer: Dense) -> bool:
    """Whether rows are pulled by their eps, or move tau_m by it."""
    return layer.plastic.gamma is not None or layer.plastic.tau is not None


def unit_wait(layer: Dense) -> int:
    """Cycles that a row waits for its pull or its lead before the lead-lag unit."""
    return max(Pull.LATENCY if layer.plastic.gamma is not None else 0, RATIO_LATENCY if layer.plastic.tau else 0)


def source(top: int) -> int:
    """Cycle of the first eb at the ErrorUnit; top: of the teacher's first error, 0 where errors come from above."""
    return top - 1 if top else DelayLine.LATENCY


def first_error(layer: Dense, top: int) -> int:
    """Cycle of the first eps."""
    return source(top) + ErrorUnit.latency(layer)


def lead_in(layer: Dense, top: int) -> int:
    """First cycle of pass 1: rows that take eps come after it."""
    if layer.plastic is None or not rows_take_eps(layer):
        return 0
    return max(0, first_error(layer, top) + 1 - row_read(layer, 0))


def second_pass(layer: Dense, top: int) -> int:
    """First cycle of pass 2."""
    return max(lead_in(layer, top) + layer.folds * (layer.inputs + 1),
               first_error(layer, top) + 1 + (layer.lanes - 1) // STRIDE + LOAD_LATENCY)
