"""The benches of sim/ on emitted Verilog: each unit on Icarus, the whole device on Icarus and Verilator."""

import os
from dataclasses import asdict, replace

import events
import numpy as np
import pytest
from cascades import small
from ltcs import random_network
from spikes import random_spiking
from taught import taught

from golden.fixed import QFormat
from golden.programs import BuildError, ToolError
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import plain
from golden.units import extrapolator
from golden.units.extrapolator import Predictor, Way
from golden.units.rows import Rows
from rtl.cascade.core import CascadeCore
from rtl.event.core import EventCore
from rtl.host.top import NetworkTop
from rtl.ltc.core import LtcCore
from rtl.ltc.taught.core import TaughtCore
from rtl.rate.core import NetworkCore
from rtl.rate.dense import DenseLayer
from rtl.rate.schedule import min_period
from rtl.spiking.core import SpikingCore
from rtl.units.activation import Activation
from rtl.units.delay import DelayLine
from rtl.units.leadlag import LeadLag
from rtl.units.mac import MacLanes
from rtl.units.plasticity import Plasticity
from rtl.units.predicted import PredictedLine, predictor
from sim import cocotb_run
from sim.cocotb_run import check_simulator, run_bench


def layer(inputs, outputs, lanes, *, activation="tanh", delay=0, max_delay=0, operand="Q1.8", rate="Q1.8") -> Dense:
    """A layer with formats that differ from each other."""
    parse = QFormat.parse
    return Dense(inputs=inputs, outputs=outputs, activation=activation, operand=parse(operand), weight=parse("Q2.9"),
                 state=parse("Q4.9"), lead=parse("Q2.8"), lag=parse("Q1.10"), rate=parse(rate), lanes=lanes,
                 delay=delay, max_delay=max_delay)


def network(*layers) -> Network:
    return Network(name="bench", dt=0.2, layers=layers)


SMALL = network(layer(2, 5, 2, operand="Q3.7"),
                layer(5, 4, 3, activation="hard_sigmoid", rate="Q4.6", delay=2, max_delay=3))


def bench(component, name, /, *, simulator="icarus", **params):
    """Run a bench; a missing simulator skips, and fails on the build server."""
    try:
        check_simulator(simulator)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    run_bench(component, f"sim.benches.{name}_tb", simulator=simulator, params=params)


@pytest.mark.parametrize("program", ["make", "perl"])
def test_programs_that_are_missing_are_named(monkeypatch, program):
    monkeypatch.setattr("shutil.which", lambda name, path=None: None if name == program else f"/bin/{name}")
    with pytest.raises(ToolError, match=f"^{program} is missing, .*: apt-get install {program}$"):
        check_simulator("verilator")


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_why_a_circuit_does_not_build(monkeypatch, simulator):
    check_simulator(simulator)
    monkeypatch.setattr(cocotb_run, "to_verilog", lambda text: "module unit; nonsense")
    with pytest.raises(BuildError, match=f"^leadlag_tb-[0-9a-f]*-{simulator} did not build: .*:1:.*syntax error"):
        run_bench(LeadLag(layer(1, 1, 1)), "sim.benches.leadlag_tb", simulator=simulator)


def test_in_a_folder_of_any_name(monkeypatch, tmp_path):
    """Make and the scripts of a simulator would break at it."""
    folder = tmp_path / "mit Leerzeichen und Ümlaut"
    folder.mkdir()
    monkeypatch.chdir(folder)
    test_leadlag()
    assert list(folder.iterdir()) == []


def test_leadlag():
    one = layer(1, 1, 1)
    bench(LeadLag(one), "leadlag", network=network(one).to_json(), latency=LeadLag.LATENCY)


@pytest.mark.parametrize(("name", "state", "out"), [
    ("tanh", "Q5.11", "Q1.12"), ("sigmoid", "Q3.6", "Q1.7"), ("softplus", "Q5.8", "Q4.6"),
    ("hard_sigmoid", "Q2.7", "Q1.5"), ("tanh_derivative", "Q4.9", "Q1.10"), ("relu_derivative", "Q2.7", "Q1.5")])
def test_activation(name, state, out):
    unit = Activation(name, QFormat.parse(state), QFormat.parse(out))
    bench(unit, "activation", name=name, state=state, out=out, latency=Activation.latency(name))


@pytest.mark.parametrize(("weight", "error", "rate", "shift"), [("Q4.11", "Q3.12", "Q0.9", 10),
                                                                ("Q1.16", "Q0.17", "Q5.8", 22)])
def test_plasticity(weight, error, rate, shift):
    width = QFormat.parse(error).width + QFormat.parse(rate).width
    unit = Plasticity(QFormat.parse(weight), width, shift=shift, seed=99)
    bench(unit, "plasticity", weight=weight, error=error, rate=rate, shift=shift, seed=99, latency=Plasticity.LATENCY)


@pytest.mark.parametrize(("size", "depth", "ahead"), [(1, 0, False), (5, 3, False), (8, 4, True)])
def test_delay(size, depth, ahead):
    unit = DelayLine(size=size, fmt=QFormat.parse("Q2.7"), depth=depth, ahead=ahead)
    bench(unit, "delay", size=size, depth=depth, ahead=ahead, fmt="Q2.7", latency=DelayLine.LATENCY)


@pytest.mark.parametrize("p", [
    Predictor(kind="linear", history=4), Predictor(kind="second_order", history=6, spacing=3),
    Predictor(kind="fir", history=10, spacing=2, taps=4, rate=2, quiet=10),
    Predictor(kind="neural", history=4, spacing=2, taps=3, hidden=2)], ids=lambda p: p.kind)
def test_predicted_line(p):
    fmt = QFormat.parse("Q1.10")
    way = Way(3, fmt, 3, 4, p)
    taps = {"fir": extrapolator.identity(p, 3), "neural": np.arange(11)[None] * 700 - 3000}.get(p.kind)
    unit = PredictedLine(way, bank=5, seed=9)
    bench(unit, "extrapolator", fmt="Q1.10", size=3, delay=3, depth=4, predictor=plain(p), bank=5, seed=9,
          taps=None if taps is None else taps.tolist(), latency=unit.LATENCY,
          period=predictor(way).period(way, learning=True) + 3)


@pytest.mark.parametrize("rows", [
    Rows(count=7, words=7, lanes=3, weight=12, operand=10, shift=8), Rows(count=10, words=10, lanes=10, weight=8,
                                                                          operand=18),
    Rows(count=4, words=4, lanes=1, weight=12, operand=10, shift=1),
    Rows(count=8, words=7, lanes=4, weight=8, operand=9, shift=6, side=2, halves=1, held=20),
    Rows(count=7, words=9, lanes=3, weight=8, operand=9, shift=7, side=4)],
    ids=["folds", "wide", "one lane", "two multipliers", "four multipliers"])
def test_mac(rows):
    bench(MacLanes(rows, first_bank=4), "mac", rows=asdict(rows), first_bank=4, latency=MacLanes.latency(rows),
          operand_offset=MacLanes.OPERAND_OFFSET)


@pytest.mark.parametrize("one", [layer(6, 7, 3, delay=1, max_delay=2), layer(12, 5, 5, activation="linear")],
                         ids=["delay", "wide"])
def test_dense(one):
    bench(DenseLayer(one, ahead=False), "dense", network=network(one).to_json(), period=min_period(one))


def test_network():
    bench(NetworkCore(SMALL), "network", network=SMALL.to_json())


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_top(simulator):
    bench(NetworkTop(SMALL), "top", simulator=simulator, network=SMALL.to_json())


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_spiking(simulator):
    net = random_spiking("spiking 3")
    bench(SpikingCore(net), "spiking", simulator=simulator, network=net.to_json())


def test_cascade():
    net = small(norm="step")
    bench(CascadeCore(net), "cascade", network=net.to_json(), margin=1000, softmax=4000)


def test_ltc():
    net = random_network("cocotb 1", largest=6)
    core = LtcCore(net)
    bench(core, "ltc", network=net.to_json(), settle=core.info.settle)


def test_event():
    net = events.random_network("cocotb 9", largest=8, delay_bits=6)
    bench(EventCore(net), "event", network=net.to_json())


def test_learning_ltc():
    net = taught(inputs=2, size=3, outputs=2)
    core = TaughtCore(net)
    bench(core, "ltc_learn", simulator="verilator", network=net.to_json(), settle=core.info.settle,
          word=len(core.i.p.x))


def test_a_wrong_circuit_is_seen():
    """A bench that is told another format than the circuit has must fail."""
    one = layer(1, 1, 1)
    other = network(replace(one, lead=QFormat.parse("Q3.7")))
    with pytest.raises(AssertionError, match="tests failed"):
        bench(LeadLag(one), "leadlag", network=other.to_json(), latency=LeadLag.LATENCY)
