"""Cascaded networks: every residual block works at once, and there is an answer at every step."""

from golden.cascade.network import CascadeNetwork as DESCRIPTION
from golden.cascade.trained import CascadeTrained as TRAINED

#: the module that trains them
TRAINER = "golden.train.cascade"

__all__ = ["DESCRIPTION", "TRAINED", "TRAINER"]
