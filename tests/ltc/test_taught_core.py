"""Networks that learn by FPTT as circuits: every word and every weight equals golden.ltc.learn."""

import numpy as np
import pytest
from taught import random_params, taught
from taught_circuit import circuit, drawn, golden

from golden.fixed import QFormat
from golden.ltc import vowels
from rtl.ltc.taught.core import TaughtCore
from rtl.ltc.taught.plan import Plan

NETS = [{}, {"inputs": 2, "size": 9, "outputs": 3, "streams": 4, "seed": 77}, {"scope": "readout"},
        {"inputs": 6, "size": 3, "outputs": 2, "weight": QFormat(2, 15), "state": QFormat(2, 12),
         "error": QFormat(2, 14), "rate": 5},
        {"weight": QFormat(1, 10), "gate": QFormat(0, 6), "streams": 1, "rate": 8, "error": QFormat(1, 12)}]


@pytest.mark.parametrize(("changed", "pattern"), list(zip(NETS, ["none", "none", "random", "bursts", "none"],
                                                          strict=True)), ids=str)
def test_circuit_equals_golden(changed, pattern, monkeypatch):
    net, rng = taught(**changed), np.random.default_rng(8)
    params, lesson = random_params(net, rng), drawn(net, rng, -(-4 // taught(**changed).streams), halve=2)
    want, state = golden(net, params, lesson)
    played = circuit(net, params, lesson, pattern=pattern, monkeypatch=monkeypatch)
    assert played.y.tolist() == want.tolist()
    words = net.pack(state.params)
    assert {at: int(words[at[0]][at[1]]) for at in played.weights} == played.weights
    assert played.overflow == state.overflow[0] + 2 * state.overflow[1]
    assert (played.gaps >= Plan(net).learning_period).all()
    if pattern == "none":
        assert (played.gaps == Plan(net).learning_period).all()


def test_errors_that_saturate_are_seen(monkeypatch):
    net, rng = taught(weight=QFormat(5, 8), rate=-4), np.random.default_rng(5)
    params, lesson = random_params(net, rng, 16), drawn(net, rng, 2)
    want, state = golden(net, params, lesson)
    played = circuit(net, params, lesson, monkeypatch=monkeypatch)
    assert played.y.tolist() == want.tolist()
    assert played.overflow == state.overflow[0] + 2 * state.overflow[1] > 0


def test_inference_is_the_first_part_of_a_tick(monkeypatch):
    net, rng = taught(), np.random.default_rng(9)
    params, lesson = random_params(net, rng), drawn(net, rng, 3, errors=False)
    played = circuit(net, params, lesson, monkeypatch=monkeypatch)
    assert played.y.tolist() == golden(net, params, lesson)[0].tolist()
    assert (played.gaps == Plan(net).period).all()


def test_cycles_of_the_network_that_learns_to_tell_speakers():
    found = TaughtCore(vowels.network()).info.constants
    assert found["learn_cycles"] <= 700
    assert found["cycles_per_tick"] <= 330
