"""The units that `leadlag verilog` writes: one row each.

A row says which circuit it is, which golden steps it has to equal, what it is built with, and how its bench plays it.
Another unit is another row, and a function that makes a Bench of its settings. Units that one system alone has are in
`systems/`, a module a system with rows of its own; the core of every system is a unit without a row.
"""

from functools import partial
from importlib import import_module
from pkgutil import iter_modules

from golden.units.activation import ACTIVATIONS, activation_step, derivative_step
from golden.units.delay import delay_read
from golden.units.extrapolator import KINDS, extrapolate, nlms_step
from golden.units.leadlag import leadlag_step
from golden.units.plasticity import plasticity_step
from golden.units.rows import row_sums
from golden.units.weights import block_key, decode, source_word
from leadlag.flow import DEFAULT_BOARD
from leadlag.verilog import flows, lanes, lines, networks, systems
from leadlag.verilog.script import Unit
from leadlag.verilog.settings import FILTER, FLAG, FORMAT, INTEGER, TEXT, Setting, one_of
from rtl.host.top import NetworkTop
from rtl.systems import circuits
from rtl.units.activation import Activation
from rtl.units.delay import DelayLine
from rtl.units.extrapolator import Extrapolator
from rtl.units.leadlag import LeadLag
from rtl.units.mac import MacLanes
from rtl.units.plasticity import Plasticity
from rtl.units.predicted import PredictedLine
from rtl.units.weights import BlockWeights

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

#: units by name that no system has for itself
UNITS = {
    "LeadLag": Unit(LeadLag, (leadlag_step,), FILTER, flows.leadlag),
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
        "first_bank": Setting(INTEGER, "0", "number of lane 0 on the parameter bus")}, lanes.mac),
    "Plasticity": Unit(Plasticity, (plasticity_step,), {
        "weight": Setting(FORMAT, "Q4.11", "of the weight"), "error": Setting(FORMAT, "Q3.12", "of the error"),
        "rate": Setting(FORMAT, "Q0.9", "of the rate"),
        "shift": Setting(INTEGER, "10", "bits that a product is shifted down"),
        "seed": Setting(INTEGER, "99", "of the noise, 1 to 131071")}, flows.plasticity),
    "BlockWeights": Unit(BlockWeights, (source_word, block_key, decode), {
        "plus": Setting(INTEGER, "5", "sixteenths of the weights that are +1"),
        "minus": Setting(INTEGER, "4", "sixteenths that are -1"), "seed": Setting(INTEGER, "12345", "of the weights"),
        "blocks": Setting(INTEGER, "3", "of 8 neurons")}, flows.block_weights),
    "Extrapolator": Unit(Extrapolator, (extrapolate, nlms_step), _PREDICTOR, lines.extrapolator),
    "PredictedLine": Unit(PredictedLine, (extrapolate, nlms_step), _PREDICTOR, lines.predicted),
    "NetworkTop": Unit(NetworkTop, (), _NETWORK, networks.top),
}


def units() -> dict[str, Unit]:
    """Every unit by name, those of systems and their cores too."""
    found = dict(UNITS)
    for module in iter_modules(systems.__path__):
        found |= import_module(f"{systems.__name__}.{module.name}").UNITS
    for circuit in circuits().values():
        name = circuit.core.__name__
        found[name] = Unit(circuit.core, (), _NETWORK, partial(networks.core, name))
    return found
