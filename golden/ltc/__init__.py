"""Recurrent spiking networks with liquid time constants."""

from golden.ltc.network import LtcNetwork as DESCRIPTION

#: the module that trains them
TRAINER = "golden.train.ltc"

__all__ = ["DESCRIPTION", "TRAINER"]
