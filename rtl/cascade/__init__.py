"""Circuits of cascaded networks."""

from rtl.cascade.chain import chain
from rtl.cascade.core import CascadeCore
from rtl.cascade.cost import fold_within, inventory, pace
from rtl.systems import Circuit

CIRCUIT = Circuit(core=CascadeCore, fold=fold_within, inventory=inventory, pace=pace, notes=lambda net: [],
                  chain=chain, clock=lambda net: {"ecp5": 130.0})
