"""The units that `leadlag verilog` writes: one row each.

A row says which circuit it is, which golden steps it has to equal, what it is built with, and how its bench plays it.
Another unit is another row, and a function that makes a Bench of its settings.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from golden.rate.learn import tau_step
from golden.units.activation import ACTIVATIONS, activation_step, derivative_step
from golden.units.delay import delay_read
from golden.units.dense import dense_step
from golden.units.extrapolator import KINDS, extrapolate, nlms_step
from golden.units.leadlag import leadlag_step
from golden.units.plasticity import plasticity_step
from golden.units.rows import row_sums
from golden.units.weights import block_key, decode, source_word
from leadlag.flow import DEFAULT_BOARD
from leadlag.verilog import flows, layers, lines, networks
from leadlag.verilog.settings import FLAG, FORMAT, INTEGER, TEXT, Setting, one_of
from rtl.host.top import NetworkTop
from rtl.rate.core import NetworkCore
from rtl.rate.dense import DenseLayer
from rtl.rate.tau import TimeConstant
from rtl.spiking.core import SpikingCore
from rtl.units.activation import Activation
from rtl.units.delay import DelayLine
from rtl.units.extrapolator import Extrapolator
from rtl.units.leadlag import LeadLag
from rtl.units.mac import MacLanes
from rtl.units.plasticity import Plasticity
from rtl.units.predicted import PredictedLine
from rtl.units.weights import BlockWeights


class Unit(NamedTuple):
    """A row; `bench(values, seed)` takes the values of the settings, by name, and the name of what is drawn.

    golden: the steps that it equals; none where its bench says which.
    """

    circuit: type
    golden: tuple[Callable, ...]
    settings: dict[str, Setting]
    bench: Callable


_FORMATS = {"state": Setting(FORMAT, "Q5.10", "of the state, its input and its output"),
            "lead": Setting(FORMAT, "Q1.10", "of g = tau_r / tau_m"),
            "lag": Setting(FORMAT, "Q0.15", "of a = dt / tau_m"),
            "guard": Setting(INTEGER, "0", "fraction bits of the state beyond those of `state`")}
_PREDICTOR = {
    "kind": Setting(one_of(*KINDS), "linear", "of the prediction"),
    "size": Setting(INTEGER, "3", "words of a message"), "fmt": Setting(FORMAT, "Q1.10", "of a word"),
    "delay": Setting(INTEGER, "3", "ticks that the message is late"),
    "max_delay": Setting(INTEGER, "4", "the longest delay that the circuit holds"),
    "history": Setting(INTEGER, "12", "the oldest word that it can look at, in ticks before the newest"),
    "spacing": Setting(INTEGER, "0", "ticks between the words that it sees; 0: the delay (linear, second order)"),
    "taps": Setting(INTEGER, "4", "fir, neural: words that it sees"),
    "gain": Setting(FORMAT, "Q3.14", "of taps and weights"),
    "rate": Setting(INTEGER, "-1", "fir: learns with steps of 2**-rate; -1: its taps stay"),
    "quiet": Setting(INTEGER, "8", "bits of |x|^2 below which steps become no larger"),
    "hidden": Setting(INTEGER, "2", "neural: hidden units"),
    "shared": Setting(FLAG, "true", "neural: all words of a message share one network"),
    "scale": Setting(INTEGER, "0", "neural: it sees and gives words 2**scale times as large"),
    "bank": Setting(INTEGER, "5", "its number on the parameter bus"),
    "seed": Setting(INTEGER, "9", "of the noise, where taps learn, 1 to 131071")}
_NETWORK = {"network": Setting(TEXT, "", "NET: a network of the zoo, or the path of a .safetensors file"),
            "board": Setting(TEXT, DEFAULT_BOARD, "the board whose multipliers are shared out as lanes"),
            "sequences": Setting(INTEGER, "2", "that the bench streams"),
            "ticks": Setting(INTEGER, "12", "of each, where the network does not say how many it takes")}

#: every unit by name; those of whole networks take NET
UNITS = {
    "LeadLag": Unit(LeadLag, (leadlag_step,), _FORMATS, flows.leadlag),
    "Activation": Unit(Activation, (activation_step, derivative_step), {
        "function": Setting(one_of(*ACTIVATIONS), "tanh", "what it computes"),
        "derivative": Setting(FLAG, "false", "its derivative instead"),
        "state": Setting(FORMAT, "Q4.9", "of the input"), "out": Setting(FORMAT, "Q1.10", "of the output")},
        flows.activation),
    "DelayLine": Unit(DelayLine, (delay_read,), {
        "size": Setting(INTEGER, "5", "words of a message"), "fmt": Setting(FORMAT, "Q2.7", "of a word"),
        "depth": Setting(INTEGER, "3", "the longest delay in ticks"),
        "ahead": Setting(FLAG, "false", "the message of a tick is there when the tick starts")}, lines.delay),
    "MacLanes": Unit(MacLanes, (row_sums,), {
        "count": Setting(INTEGER, "7", "rows"), "words": Setting(INTEGER, "6", "words of a row and of a vector"),
        "lanes": Setting(INTEGER, "3", "multipliers, at most `count` and `words`"),
        "weight": Setting(INTEGER, "12", "bits of a word of a row"),
        "operand": Setting(INTEGER, "10", "bits of a word of a vector"),
        "shift": Setting(INTEGER, "8", "a sum begins with half of 2**shift, for who rounds it so"),
        "first_bank": Setting(INTEGER, "0", "number of lane 0 on the parameter bus")}, layers.mac),
    "Plasticity": Unit(Plasticity, (plasticity_step,), {
        "weight": Setting(FORMAT, "Q4.11", "of the weight"), "error": Setting(FORMAT, "Q3.12", "of the error"),
        "rate": Setting(FORMAT, "Q0.9", "of the rate"),
        "shift": Setting(INTEGER, "10", "bits that a product is shifted down"),
        "seed": Setting(INTEGER, "99", "of the noise, 1 to 131071")}, flows.plasticity),
    "TimeConstant": Unit(TimeConstant, (tau_step,), {
        "tau": Setting(FORMAT, "Q8.7", "of tau_m in ticks"), "lag": Setting(FORMAT, "Q0.15", "of dt / tau_m"),
        "state": Setting(FORMAT, "Q3.10", "of the membrane that moves"),
        "error": Setting(FORMAT, "Q1.11", "of the error"),
        "tau_rate": Setting(INTEGER, "0", "it learns with a rate of 2**-tau_rate"),
        "tau_min": Setting(INTEGER, "4", "the shortest, in ticks"),
        "seed": Setting(INTEGER, "99", "of the noise, 1 to 131071")}, flows.time_constant),
    "BlockWeights": Unit(BlockWeights, (source_word, block_key, decode), {
        "plus": Setting(INTEGER, "5", "sixteenths of the weights that are +1"),
        "minus": Setting(INTEGER, "4", "sixteenths that are -1"), "seed": Setting(INTEGER, "12345", "of the weights"),
        "blocks": Setting(INTEGER, "3", "of 8 neurons")}, flows.block_weights),
    "Extrapolator": Unit(Extrapolator, (extrapolate, nlms_step), _PREDICTOR, lines.extrapolator),
    "PredictedLine": Unit(PredictedLine, (extrapolate, nlms_step), _PREDICTOR, lines.predicted),
    "DenseLayer": Unit(DenseLayer, (dense_step,), _FORMATS | {
        "inputs": Setting(INTEGER, "6", "words of a message"), "outputs": Setting(INTEGER, "7", "neurons"),
        "lanes": Setting(INTEGER, "3", "multipliers, at most inputs + 1 and outputs"),
        "operand": Setting(FORMAT, "Q1.8", "of the incoming message"),
        "weight": Setting(FORMAT, "Q2.9", "of weights and biases"),
        "rate": Setting(FORMAT, "Q1.8", "of the outgoing message"),
        "activation": Setting(one_of(*ACTIVATIONS), "tanh", "of the neurons"),
        "delay": Setting(INTEGER, "1", "ticks that messages are late"),
        "max_delay": Setting(INTEGER, "2", "the longest delay that the circuit holds")}, layers.dense_layer),
    "NetworkCore": Unit(NetworkCore, (), _NETWORK, partial(networks.core, "NetworkCore")),
    "SpikingCore": Unit(SpikingCore, (), _NETWORK, partial(networks.core, "SpikingCore")),
    "NetworkTop": Unit(NetworkTop, (), _NETWORK, networks.top),
}
