"""Circuits of networks of rate neurons."""

from rtl.rate.chain import chain
from rtl.rate.core import NetworkCore
from rtl.rate.cost import fold_within, inventory, notes, pace
from rtl.systems import Circuit

CIRCUIT = Circuit(core=NetworkCore, fold=fold_within, inventory=inventory, pace=pace, notes=notes, chain=chain,
                  clock=lambda net: {} if net.teacher is None else {"ecp5": 120.0}, scrubs=True)
