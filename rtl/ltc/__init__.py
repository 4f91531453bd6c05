"""Circuits of liquid-time-constant networks."""

from rtl.ltc.chain import chain
from rtl.ltc.core import LtcCore
from rtl.ltc.cost import fold_within, inventory, notes, pace
from rtl.systems import Circuit

CIRCUIT = Circuit(core=LtcCore, fold=fold_within, inventory=inventory, pace=pace, notes=notes, chain=chain,
                  clock={"ecp5": 130.0})
