"""Benches of what learns and of what spikes, on Icarus, as those of tests/sim/test_cocotb.py."""

from dataclasses import asdict, replace

import pytest
from test_cocotb import bench, layer, network

from golden.fixed import QFormat
from golden.rate.plastic import Plastic, Teacher
from golden.spiking.layer import Kick, SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.units.weights import Ternary
from rtl.rate.error import ErrorUnit
from rtl.rate.rows import row_bits
from rtl.rate.tau import TimeConstant
from rtl.spiking.lanes import Neuron
from rtl.units.weights import BlockWeights

FILTER = {"lead": QFormat(4, 8), "lag": QFormat(0, 12)}
TAU = {"tau": QFormat(8, 7), "tau_r": QFormat(4, 8), "tau_min": 4}


def learning(outputs: int, activation: str, **own):
    one = layer(8, outputs, 1, activation=activation)
    return replace(one, lag=QFormat(0, 15), plastic=Plastic(
        error=QFormat(1, 11), slope=QFormat(1, 10), rate=3, **own))


def described(one) -> str:
    return replace(network(replace(one, plastic=None)), layers=(one,), teacher=Teacher(
        loss="squared_error")).to_json()


def test_time_constant():
    one = learning(1, "linear", **FILTER, **TAU)
    bench(TimeConstant(one, seed=77), "tau", network=described(one), seed=77, latency=TimeConstant.LATENCY)


@pytest.mark.parametrize(("outputs", "activation", "own"), [(5, "tanh", {}), (4, "sigmoid", FILTER | {"guard": 3}),
                                                            (3, "relu", FILTER | TAU)], ids=str)
def test_error(outputs, activation, own):
    one = learning(outputs, activation, **own)
    unit = ErrorUnit(one, row_bits=row_bits(one))
    bench(unit, "error", network=described(one), constants=unit.names, latency=unit.LATENCY)


@pytest.mark.parametrize("own", [{"refractory": 2}, {"order": 2, "kick": Kick(word=20, leak=(1, 3))}],
                         ids=["order 1", "kick"])
def test_neuron(own):
    one = SpikingLayer(inputs=3, outputs=3, lanes=1, weight=QFormat(2, 1), delay_bits=2, state=QFormat(4, 2),
                       leak=(2,), threshold=9, **own)
    last = SpikingLayer(inputs=3, outputs=1, weight=QFormat(2, 1), delay_bits=1, state=QFormat(4, 2), leak=(),
                        threshold=9)
    net = SpikingNetwork(name="bench", ticks=3, layers=(one, last))
    bench(Neuron(one, spiking=True), "neuron", network=net.to_json(), spacing=Neuron.SPACING[one.order],
          latency=Neuron.LATENCY[one.order])


def test_weights():
    weight, blocks = Ternary(plus=5, minus=4, seed=0xC0FFEE42), [3, 14, 9]
    bench(BlockWeights(weight, blocks), "weights", weight=asdict(weight), blocks=blocks,
          latency=BlockWeights.LATENCY)
