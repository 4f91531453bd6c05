"""Event-driven spiking networks of any graph: recurrent, with a delay for each synapse, any number of ticks."""

from golden.event.network import EventNetwork as DESCRIPTION
from golden.event.trained import EventTrained as TRAINED

#: the module that answers for their float model
TRAINER = "golden.train.event"

#: the module that reads networks of others
IMPORTER = "golden.event.foreign"

__all__ = ["DESCRIPTION", "IMPORTER", "TRAINED", "TRAINER"]
