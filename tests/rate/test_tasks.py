"""What the integer rule learns: LagLine, Fourier synthesis, MNIST-1D; and what it refuses to learn from."""

import numpy as np
import pytest

from golden.data.mnist1d import mnist1d
from golden.rate.compiled import CompiledLearner
from golden.rate.network import Network
from golden.tasks import learning as tasks
from leadlag.experiments import learning


def run(net, params, stream):
    learner = CompiledLearner(net, params)
    return learner, learner.run(stream.x, stream.target, first=True, learn=stream.learn, teach=stream.teach)


def test_lagline_starts_anywhere():
    """As [GLE]: weights in [-1, 1), time constants in [0.1, 1)."""
    net = tasks.lagline()
    values = [tasks.lagline_values(net, tasks.lagline_start(net, seed)) for seed in range(20)]
    w, tau = (np.array([value[name] for value in values]) for name in ("w", "tau"))
    assert -1 <= w.min() < -0.8
    assert 0.8 < w.max() <= 1
    assert tau.min() == pytest.approx(0.1, abs=1e-3)
    assert 0.8 < tau.max() <= 1


@pytest.mark.parametrize("seed", range(4))
def test_lagline_finds_weights_and_time_constants(seed):
    net = tasks.lagline()
    learner, _ = run(net, tasks.lagline_start(net, seed), tasks.lagline_stream(net))
    found = tasks.lagline_values(net, learner.params)
    assert np.abs(np.array(found["w"]) / (1, 2) - 1).max() < 0.01, found
    assert np.abs(np.array(found["tau"]) / (1, 2) - 1).max() < 0.03, found


def test_instantaneous_errors_do_not():
    net = tasks.lagline(prospective=False)
    params = tuple(p._replace(error_lag=None) for p in tasks.lagline_start(tasks.lagline(), 0))
    learner, _ = run(net, params, tasks.lagline_stream(net))
    found = tasks.lagline_values(net, learner.params)
    assert abs(found["w"][0]) < 0.1
    assert max(found["tau"]) < 0.2


@pytest.mark.parametrize("seed", range(3))
def test_fourier_synthesis_goes_on_without_the_teacher(seed):
    net = tasks.fourier()
    stream = tasks.fourier_stream(net)
    _, rates = run(net, tasks.fourier_start(net, seed), stream)
    assert tasks.fourier_error(net, stream, rates) < 0.02
    # the network that only follows its teacher is at the variance of the target
    still = stream._replace(learn=False)
    _, rates = run(net, tasks.fourier_start(net, seed), still)
    assert tasks.fourier_error(net, still, rates) > 0.3


def test_lags_of_the_front_are_those_of_the_float_model():
    """Features of the fixed layers against floats, within the rounding of their words."""
    net, data = tasks.mnist1d_net(), mnist1d("fit")
    front = Network(name="front", dt=net.dt, layers=net.layers[:4])
    from golden.rate import engine
    words = np.clip(np.floor(data.x[:3, :, None] * 2.0 ** 12 + 0.5), -32768, 32767).astype(np.int64)
    got = engine.run(front, tasks.mnist1d_start(net, 0)[:4], words) * front.layers[-1].rate.lsb
    tau = np.round(np.linspace(net.dt, 1.8, 10), 2)
    u, r = np.zeros((4, 3, 10)), np.zeros((4, 3, 10))
    for t in range(360):
        before = [np.repeat(data.x[:3, t:t + 1], 10, 1), *r[:-1]]
        d = np.array(before) - u
        r, u = u + net.dt / tau * d, u + net.dt / tau * d
        assert np.abs(got[:, t] - r[3]).max() < 0.02, f"tick {t}"


def test_order_has_every_label_in_every_ten():
    labels = mnist1d("fit").y
    order = tasks.balanced_order(labels, np.random.default_rng(3)).reshape(-1, 10)
    assert all(sorted(labels[group]) == list(range(10)) for group in order)
    assert len(set(order.ravel().tolist())) > 0.9 * len(labels)


def test_an_epoch_lowers_the_error():
    net, data = tasks.mnist1d_net(), mnist1d("fit")
    learner, rng, right = CompiledLearner(net, tasks.mnist1d_start(net, 0)), np.random.default_rng(0), []
    for n, block in enumerate(tasks.mnist1d_blocks(net, data, rng)):
        rates = learner.run(block.x, block.target, first=n == 0, learn=block.learn)
        right.append(tasks.mnist1d_accuracy(rates, block.target[0, :, 0]))
    assert np.mean(right[-40:]) > np.mean(right[:10]) + 0.1
    assert not any(learner.overflow)


@pytest.mark.slow
def test_mnist1d_is_learnt():
    learnt = learning.learn("mnist1d", seed=0, rtl=False, hold_out=True)
    assert learnt.figures["integer_accuracy"] >= 0.9


def test_refusals():
    with pytest.raises(ValueError, match="no system 'xor': there is lagline, fourier, mnist1d"):
        learning.learn("xor")
    with pytest.raises(ValueError, match="fourier has no sequences to hold out"):
        learning.learn("fourier", hold_out=True)


def test_answers_of_sequences():
    """Sums from tick ANSWER_FROM on decide; what is shorter has no answer."""
    rates = np.zeros((tasks.ANSWER_FROM + 1, 2, 3))
    rates[:tasks.ANSWER_FROM, :, 2], rates[-1, 0, 1], rates[-1, 1, 0] = 9, 1, 1
    assert tasks.mnist1d_accuracy(rates, np.array([1, 0])) == 1
    assert tasks.mnist1d_accuracy(rates, np.array([1, 2])) == 0.5
    with pytest.raises(ValueError, match=f"sequences of {tasks.ANSWER_FROM} ticks: answers count from tick"):
        tasks.mnist1d_accuracy(rates[:-1], np.array([1, 0]))


def test_time_constants_of_the_learning_layers():
    """tau_m = tau_r = 2, ten ticks: a lag of 0.1 and a lead of 1."""
    net = tasks.mnist1d_net()
    for layer, p in list(zip(net.layers, tasks.mnist1d_start(net, 0), strict=True))[4:]:
        assert set(p.lag.tolist()) == {round(0.1 * 2 ** layer.lag.frac_bits)}
        assert set(p.lead.tolist()) == {1 << layer.lead.frac_bits}
