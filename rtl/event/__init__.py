"""Circuits of event-driven networks of any graph."""

from rtl.event.core import EventCore
from rtl.event.cost import fold_within, inventory, notes, pace
from rtl.systems import Circuit

CIRCUIT = Circuit(core=EventCore, fold=fold_within, inventory=inventory, pace=pace, notes=notes,
                  chain=lambda net: iter(()), clock=lambda net: {"ecp5": 100.0})
