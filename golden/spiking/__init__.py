"""Spiking networks whose synapses have delays."""

from golden.spiking.network import SpikingNetwork as DESCRIPTION
from golden.spiking.trained import SpikingTrained as TRAINED

#: the module that trains them
TRAINER = "golden.train.delays"

__all__ = ["DESCRIPTION", "TRAINED", "TRAINER"]
