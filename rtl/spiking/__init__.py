"""Circuits of spiking networks whose synapses have delays."""

from rtl.spiking.core import SpikingCore
from rtl.spiking.cost import fold_within, inventory, pace
from rtl.systems import Circuit

CIRCUIT = Circuit(core=SpikingCore, fold=fold_within, inventory=inventory, pace=pace, notes=lambda net: [],
                  chain=lambda net: iter(()), clock=lambda net: {"ecp5": 80.0}, scrubs=True)
