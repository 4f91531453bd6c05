"""Circuits of liquid-time-constant networks: those with a teacher have one of their own (rtl.ltc.taught)."""

from functools import wraps

from rtl.ltc import chain, cost
from rtl.ltc.core import LtcCore
from rtl.ltc.taught import cost as taught
from rtl.ltc.taught.core import TaughtCore
from rtl.systems import Circuit


def _either(plain, learning):
    """What suits a network, with or without a teacher; named like what it is without."""
    @wraps(plain, updated=())
    def chosen(net, *args, **options):
        return (plain if net.teacher is None else learning)(net, *args, **options)
    return chosen


CIRCUIT = Circuit(core=_either(LtcCore, TaughtCore), fold=_either(cost.fold_within, taught.fold_within),
                  inventory=_either(cost.inventory, taught.inventory), pace=_either(cost.pace, taught.pace),
                  notes=_either(cost.notes, taught.notes), chain=_either(chain.chain, taught.chain),
                  clock=lambda net: {"ecp5": 130.0 if net.teacher is None else 100.0})
