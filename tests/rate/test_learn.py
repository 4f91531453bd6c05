"""NetworkCore learns as golden.rate.learn does, word by word: random networks, stalls, schedules, readback."""

import numpy as np
import pytest
from cases import random_learner, with_delays
from core import strict_bank
from learning import circuit_run, golden_run, learnt_words, random_vectors

from golden.fixed import QFormat
from golden.rate import engine
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from rtl.rate import schedule
from rtl.rate.schedule import cycles_per_tick

NETWORKS = 24


@pytest.fixture(autouse=True)
def _strict_memories(monkeypatch):
    monkeypatch.setattr("rtl.primitives.Bank.elaborate", strict_bank)


def small(params, bits):
    """Parameters whose weights do not saturate everything, nor taps make nothing but predictions that do not fit."""
    return tuple(p._replace(weight=p.weight >> bits, bias=p.bias >> bits, **{
        name: getattr(p, name) >> 2 * bits for name in ("taps", "error_taps") if getattr(p, name) is not None})
        for p in params)


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_random_learner(seed):
    check(random_learner(f"learner {seed}"), seed, 6)


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_random_learner_with_delays_and_predictors(seed):
    check(with_delays(random_learner(f"late {seed}"), f"late {seed}"), seed, 12)


@pytest.mark.parametrize("seed", [83, 139])
def test_taps_whose_words_come_late(seed):
    """Where no delay is short, predictors wait for their words: a reading of taps does not."""
    net = with_delays(random_learner(f"late {seed}"), f"late {seed}")
    assert any(max(schedule.waits(net, n)) for n in range(len(net.layers)))
    check(net, seed, 12)


def check(net, seed, ticks):
    rng = np.random.default_rng(seed)
    params = small(engine.random_params(net, rng), seed % 4)
    vectors = random_vectors(net, rng, ticks)
    got, back, flags, gaps = circuit_run(net, params, vectors, halve=seed % 5,
                                         pattern=("none", "random", "bursts")[seed % 3])
    want, state = golden_run(net, params, vectors, seed % 5)
    wrong = np.argwhere(got != want)
    assert not len(wrong), f"tick, neuron {wrong[0]}: {got[tuple(wrong[0])]} != {want[tuple(wrong[0])]} in {net}"
    words = learnt_words(net, state.params)
    wrong = [at for at in words if back[at] != words[at]]
    assert not wrong, f"bank, word {wrong[0]}: {back[wrong[0]]} != {words[wrong[0]]} in {net}"
    assert flags == (state.overflow, state.lost)
    assert gaps.min() >= cycles_per_tick(net, learning=True)


@pytest.mark.parametrize("weight", [QFormat(-2, 3), QFormat(3, 12)], ids=str)
def test_negative_weights_are_read_back(weight):
    """Also where a sum of products has fewer bits than a word on the parameter bus."""
    layer = Dense(inputs=1, outputs=2, lanes=2, activation="linear", operand=QFormat(1, 2), weight=weight,
                  state=QFormat(1, 3), lead=QFormat(1, 3), lag=QFormat(1, 3), rate=QFormat(1, 2),
                  plastic=Plastic(error=QFormat(1, 3), slope=QFormat(1, 3), rate=8 if weight.width > 8 else 1))
    net = Network(name="narrow", dt=1.0, layers=(layer,), teacher=Teacher(loss="squared_error"))
    assert (layer.acc_bits < 17) == (weight.width < 6)
    params = (engine.random_params(net, np.random.default_rng(0))[0]._replace(
        weight=np.array([[-1], [weight.min]]), bias=np.array([weight.min, -2])),)
    vectors = [vector._replace(learn=False, teach=False) for vector in random_vectors(net, np.random.default_rng(0), 1)]
    _, back, _, _ = circuit_run(net, params, vectors)
    assert back == {(0, 0): weight.min, (0, 1): -1, (1, 0): -2, (1, 1): weight.min}
