"""Open hardware for neural networks that live in physical time: the public names.

Users import from here; `golden` is the specification, `rtl` the circuits, `firmware` the host's side of a board.
"""

from leadlag import origin

# the folder of all our packages; found before the first import of one that a user's file may hide
__home__ = origin.check()

from firmware.board import Board
from golden.cascade.network import CascadeNetwork
from golden.cascade.recipe import CascadeRecipe
from golden.cascade.trained import CascadeTrained
from golden.fixed import QFormat
from golden.image import Image, build_image
from golden.ltc.layer import LtcLayer, Readout
from golden.ltc.network import LtcNetwork
from golden.ltc.recipe import LtcRecipe
from golden.ltc.trained import LtcTrained
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.recipe import RateLayer, RateRecipe
from golden.rate.trained import FloatNetwork
from golden.recipe import load as load_recipe
from golden.spiking.network import SpikingLayer, SpikingNetwork
from golden.spiking.recipe import SpikingRecipe
from golden.spiking.trained import SpikingTrained
from golden.units.dense import DenseParams
from golden.units.extrapolator import Predictor
from golden.units.rows import Rows
from leadlag.model import Fitted, Words, fit
from leadlag.notebook import Built, Run
from leadlag.version import VERSION
from rtl.host.top import NetworkTop, SerialTop
from rtl.rate.core import NetworkCore
from rtl.rate.dense import DenseLayer
from rtl.rate.schedule import cycles_per_tick, fold, lane_use
from rtl.units.activation import Activation
from rtl.units.delay import DelayLine
from rtl.units.extrapolator import Extrapolator
from rtl.units.leadlag import LeadLag
from rtl.units.mac import MacLanes
from rtl.units.plasticity import Plasticity
from rtl.units.predicted import PredictedLine

__version__ = VERSION

__all__ = [
    "Activation", "Board", "Built", "CascadeNetwork", "CascadeRecipe", "CascadeTrained", "DelayLine", "Dense",
    "DenseLayer", "DenseParams", "Extrapolator", "Fitted", "FloatNetwork", "Image", "LeadLag", "LtcLayer",
    "LtcNetwork", "LtcRecipe", "LtcTrained", "MacLanes", "Network", "NetworkCore", "NetworkTop", "Plasticity",
    "PredictedLine", "Predictor", "QFormat", "RateLayer", "RateRecipe", "Readout", "Rows", "Run", "SerialTop",
    "SpikingLayer", "SpikingNetwork", "SpikingRecipe", "SpikingTrained", "Words", "build_image", "cycles_per_tick",
    "fit", "fold", "lane_use", "load_recipe", "__version__",
]
