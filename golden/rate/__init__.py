"""Networks of rate neurons with membrane and prospective time constants."""

from golden.rate.network import Network as DESCRIPTION
from golden.rate.trained import FloatNetwork as TRAINED

#: the module that trains them
TRAINER = "golden.train.gle"

__all__ = ["DESCRIPTION", "TRAINED", "TRAINER"]
