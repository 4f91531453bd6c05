"""Recurrent spiking networks with liquid time constants."""

from golden.ltc.network import LtcNetwork as DESCRIPTION
from golden.ltc.trained import LtcTrained as TRAINED

#: the module that trains them
TRAINER = "golden.train.ltc"

__all__ = ["DESCRIPTION", "TRAINED", "TRAINER"]
