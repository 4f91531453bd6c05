"""The table of units of README.md: what there is by itself, with its golden step, circuit, bench and test."""

import ast
from importlib import import_module
from pathlib import Path

from golden.rate.layer import ACTIVATIONS
from golden.units.activation import is_tabulated
from golden.units.dense import dense_rows
from rtl.cascade.sums import Affine
from rtl.cascade.walk import Walk
from rtl.host.receiver import Receiver
from rtl.ltc.neuron import LeakyOutput, SpikingNeuron
from rtl.ltc.taught.gate import GateUnit
from rtl.ltc.taught.neurons import Neurons
from rtl.rate.dense import DenseLayer
from rtl.rate.schedule import cycles_per_tick
from rtl.rate.tau import TimeConstant
from rtl.spiking.lanes import Lane, Neuron
from rtl.units.activation import Activation
from rtl.units.delay import DelayLine
from rtl.units.extrapolator import Extrapolator
from rtl.units.leadlag import LeadLag
from rtl.units.mac import MacLanes
from rtl.units.neural import NeuralExtrapolator
from rtl.units.plasticity import Plasticity
from rtl.units.predicted import PredictedLine
from rtl.units.weights import BlockWeights

ROOT = Path(__file__).resolve().parent.parent
#: unit, golden step, module of the circuit, bench, test
UNITS = (
    ("LeadLag", "units.leadlag.leadlag_step", "rtl.units.leadlag", "leadlag_tb", "test_leadlag"),
    ("Activation", "units.activation.activation_step", "rtl.units.activation", "activation_tb", "test_activation"),
    ("DelayLine", "units.delay.delay_read", "rtl.units.delay", "delay_tb", "test_delay"),
    ("Plasticity", "units.plasticity.plasticity_step", "rtl.units.plasticity", "plasticity_tb", "test_plasticity"),
    ("TimeConstant", "rate.learn.tau_step", "rtl.rate.tau", "tau_tb", "test_tau"),
    ("ErrorUnit", "rate.learn.error_step", "rtl.rate.error", "error_tb", "test_error"),
    ("OutputError", "rate.loss.output_error", "rtl.rate.loss", "", "test_loss"),
    ("MacLanes", "units.rows.row_sums", "rtl.units.mac", "mac_tb", "test_mac"),
    ("DenseLayer", "units.dense.dense_step", "rtl.rate.dense", "dense_tb", "test_cocotb"),
    ("PlasticLanes", "rate.learn.move", "rtl.units.plastic_lanes", "", "test_lanes"),
    ("PlasticLayer", "rate.learn.layer_tick", "rtl.rate.plastic", "", "test_plastic_layer"),
    ("NetworkCore", "rate.engine.network_step", "rtl.rate.core", "network_tb", "test_core"),
    ("NetworkTop", "rate.engine.run", "rtl.host.top", "top_tb", "test_control"),
    ("Extrapolator", "units.extrapolator.extrapolate", "rtl.units.extrapolator", "", "test_extrapolator"),
    ("NeuralExtrapolator", "units.extrapolator.extrapolate", "rtl.units.neural", "", "test_extrapolator"),
    ("PredictedLine", "units.extrapolator.read", "rtl.units.predicted", "extrapolator_tb", "test_extrapolator"),
    ("Neuron", "spiking.engine.neuron_step", "rtl.spiking.lanes", "neuron_tb", "test_spiking_lanes"),
    ("BlockWeights", "units.weights.nibbles", "rtl.units.weights", "weights_tb", "test_weights"),
    ("Lane", "spiking.engine.arrivals", "rtl.spiking.lanes", "", "test_spiking_lanes"),
    ("SpikingEngine", "spiking.engine.neuron_step", "rtl.spiking.engine", "", "test_spiking_engine"),
    ("SharedEngine", "spiking.engine.neuron_step", "rtl.spiking.shared", "", "test_shared_engine"),
    ("Decision", "spiking.engine.decide", "rtl.spiking.engine", "", "test_spiking_engine"),
    ("SpikingCore", "spiking.engine.run", "rtl.spiking.core", "spiking_tb", "test_spiking"),
    ("Walk", "cascade.engine.convolve", "rtl.cascade.walk", "", "test_cascade_walk"),
    ("Affine", "cascade.engine.affine", "rtl.cascade.sums", "", "test_cascade_sums"),
    ("ConvolutionEngine", "cascade.engine.branch_step", "rtl.cascade.engine", "", "test_cascade_engine"),
    ("Joint", "cascade.engine.join_step", "rtl.cascade.joint", "", "test_cascade_joint"),
    ("Source", "cascade.engine.stem_step", "rtl.cascade.source", "", "test_cascade_head"),
    ("Head", "cascade.engine.head_step", "rtl.cascade.head", "", "test_cascade_head"),
    ("CascadeCore", "cascade.engine.run", "rtl.cascade.core", "cascade_tb", "test_cascade_engine"),
    ("SpikeSums", "ltc.step.sum_step", "rtl.ltc.sums", "", "test_ltc_sums"),
    ("Former", "ltc.step.sum_step", "rtl.ltc.former", "", "test_ltc_parts"),
    ("Gates", "ltc.step.gate_step", "rtl.ltc.gates", "", "test_ltc_parts"),
    ("SpikingNeuron", "ltc.step.ltc_step", "rtl.ltc.neuron", "", "test_ltc_parts"),
    ("LeakyOutput", "ltc.step.readout_step", "rtl.ltc.neuron", "", "test_ltc_parts"),
    ("LtcCore", "ltc.engine.run", "rtl.ltc.core", "ltc_tb", "test_ltc_core"),
    ("GateUnit", "ltc.step.gate_step", "rtl.ltc.taught.gate", "", "test_taught_units"),
    ("Neurons", "ltc.step.ltc_step", "rtl.ltc.taught.neurons", "", "test_taught_units"),
    ("SoftmaxError", "ltc.learn.output_error", "rtl.ltc.taught.softmax", "", "test_taught_units"),
    ("ReadoutErrors", "ltc.learn.backward", "rtl.ltc.taught.errors", "", "test_taught_units"),
    ("HiddenErrors", "ltc.learn.backward", "rtl.ltc.taught.errors", "", "test_taught_units"),
    ("TaughtCore", "ltc.learn.learn_tick", "rtl.ltc.taught.core", "ltc_learn_tb", "test_taught_core"),
    ("EventCore", "event.engine.run", "rtl.event.core", "event_tb", "test_event_core"),
    ("Receiver", "firmware.protocol.decode_request", "rtl.host.receiver", "", "test_receiver"),
    ("Sender", "firmware.protocol.encode_response", "rtl.host.sender", "", "test_receiver"),
    ("OldHost", "frames.version_1", "rtl.host.sender", "", "test_receiver"),
    ("HostLink", "firmware.protocol.decode_request", "rtl.host.link", "", "test_link"),
    ("FlashReader", "flash.content", "rtl.host.flash", "", "test_flash"),
    ("FramePlayer", "flash.content", "rtl.host.player", "", "test_flash"),
    ("Scrubber", "image.build_image", "rtl.host.scrub", "", "test_scrubber"),
)


def is_made(unit: str, where, beside: str = "") -> bool:
    """Whether a function in the files `where` makes the unit, and has the word `beside` among its constants."""
    for path in where:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                calls = {each.func.id for each in ast.walk(node) if isinstance(each, ast.Call)
                         and isinstance(each.func, ast.Name)}
                words = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
                if unit in calls and (not beside or beside in words):
                    return True
    return False


def units(table, net, board: str) -> str:
    """The unit table; an error where a name in UNITS is not there any more, or a test or a bench does not make it."""
    wide = max(net.layers, key=lambda layer: layer.lanes)
    plain = [name for name in ACTIVATIONS if not is_tabulated(name)]
    latency = {
        "LeadLag": f"{LeadLag.LATENCY}",
        "Activation": f"{Activation.latency(plain[0])}, table {Activation.latency('tanh')}, "
                      f"softplus {Activation.latency('softplus')}",
        "DelayLine": f"{DelayLine.LATENCY}",
        "Plasticity": f"{Plasticity.LATENCY}",
        "TimeConstant": f"{TimeConstant.LATENCY}",
        "MacLanes": f"{MacLanes.latency(dense_rows(wide))} with {wide.lanes} lanes",
        "DenseLayer": f"{DenseLayer.neuron_latency(wide)} with {wide.lanes} lanes",
        "NetworkCore": f"a tick every {cycles_per_tick(net)}",
        "Neuron": f"{Neuron.LATENCY[1]}", "BlockWeights": f"{BlockWeights.LATENCY}", "Lane": f"{Lane.LATENCY}",
        "Decision": "outputs + 3", "Receiver": f"{Receiver.LATENCY}",
        "Extrapolator": f"{Extrapolator.DONE + 2}", "NeuralExtrapolator": f"{NeuralExtrapolator.DONE + 2}",
        "PredictedLine": f"{PredictedLine.LATENCY}",
        "SpikingNeuron": f"{SpikingNeuron.KEPT}", "LeakyOutput": f"{LeakyOutput.KEPT}",
        "GateUnit": f"{GateUnit.LATENCY}", "Neurons": f"{Neurons.LATENCY}",
        "Walk": f"{Walk.LATENCY}", "Affine": f"{Affine.latency()}",
    }
    rows = []
    for unit, golden, circuit, bench, test in UNITS:
        getattr(import_module(circuit), unit)
        module, _, step = (golden if golden.startswith("firmware.") else f"golden.{golden}").rpartition(".")
        getattr(import_module(module), step)
        if bench and not (ROOT / "sim" / "benches" / f"{bench}.py").exists():
            raise FileNotFoundError(f"sim/benches: no {bench}.py")
        if bench and not is_made(unit, (ROOT / "tests" / "sim").glob("test_cocotb*.py"), bench.removesuffix("_tb")):
            raise ValueError(f"no test of tests/sim runs {bench} on a {unit}")
        if not is_made(unit, (ROOT / "tests").rglob(f"{test}.py")):
            raise ValueError(f"{test} makes no {unit}")
        rows.append((unit, golden, circuit, bench or "-", test, latency.get(unit, "-")))
    note = ("Golden steps are in golden/, benches in sim/benches/, tests in tests/. Latency in cycles, from the code;\n"
            f"lanes and ticks are those of `{net.name}` on {board}.")
    return table(("unit", "golden step", "circuit", "bench", "test", "latency"), rows) + f"\n\n{note}"
