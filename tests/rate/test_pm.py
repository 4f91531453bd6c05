"""Delayed messages in float: what each predictor is exact for, that D = 0 changes nothing, and what learns."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.train import pm
from golden.train.pm import DelayedNetwork, Neural, Predictor, Sender, fourier_run

FLOAT = 1e-9
QUICK = settings(max_examples=40, deadline=None, derandomize=True)
REST = Neural(np.zeros((2, 3)), np.zeros(2), np.ones(2), 0.0)
EVERY = {"none": Predictor(), "linear": Predictor(kind="linear"), "second_order": Predictor(kind="second_order"),
         "nlms": Predictor(kind="nlms", taps=4, spacing=3),
         "neural": Predictor(kind="neural", neural=(REST, REST), spacing=3)}


def arriving(sender, messages):
    """What arrives at each tick of messages (tick, neuron); row n is what tick n + 1 reads."""
    return np.array([np.array(sender.send(m)) for m in messages])


def due(messages, delay):
    """The same messages without delay, from the first tick that a message can arrive at."""
    return messages[delay:]


@QUICK
@given(st.integers(1, 255), st.integers(1, 300), st.floats(-1, 1), st.floats(-1, 1))
def test_linear_is_exact_for_a_line(delay, baseline, offset, rise):
    n = np.arange(baseline + 2 * delay + 20)
    messages = (offset + rise * n / n[-1])[:, None] * [0.5, -0.4]
    sender = Sender(Predictor(kind="linear", baseline=baseline), delay, 2)
    got = arriving(sender, messages)
    np.testing.assert_allclose(got[baseline + delay:], messages[baseline + delay:], atol=FLOAT)
    assert sender.diverged == 0


@QUICK
@given(st.integers(1, 255), st.integers(1, 200), st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_second_order_is_exact_for_a_parabola(delay, baseline, a, b, c):
    t = np.linspace(0, 1, 2 * baseline + 2 * delay + 20)
    messages = ((a + b * t + c * t * t) / 2)[:, None]
    got = arriving(Sender(Predictor(kind="second_order", baseline=baseline), delay, 1), messages)
    np.testing.assert_allclose(got[2 * baseline + delay:], messages[2 * baseline + delay:], atol=1e-6)


@QUICK
@given(st.integers(1, 200), st.integers(1, 100), st.floats(0.05, 0.95), st.floats(0, 6))
def test_two_taps_are_exact_for_a_sine(delay, spacing, turn, phase):
    """a_0 = sin(w (D + s)) / sin(w s), a_1 = -sin(w D) / sin(w s), for w s in (0, pi)."""
    w = math.pi * turn / spacing
    a = np.array([[math.sin(w * (delay + spacing))], [-math.sin(w * delay)]]) / math.sin(w * spacing)
    messages = 0.1 * np.sin(w * np.arange(3 * delay + spacing + 50) + phase)[:, None]
    sender = Sender(Predictor(kind="nlms", taps=2, spacing=spacing), delay, 1)
    sender.taps = a.copy()
    got = np.array([np.array(sender.send(m, adapt=False)) for m in messages])
    np.testing.assert_allclose(got[spacing + delay:], messages[spacing + delay:], atol=1e-8)


@pytest.mark.parametrize("normalise", pm.NORMALISE)
def test_nlms_finds_the_two_taps_of_a_sine(normalise):
    delay, spacing, w = 40, 60, 2 * math.pi / 400
    messages = np.sin(w * np.arange(20_000))[:, None] * [0.9, 0.01]
    sender = Sender(Predictor(kind="nlms", taps=2, spacing=spacing, mu=0.25, normalise=normalise), delay, 2)
    got = arriving(sender, messages)
    want = [math.sin(w * (delay + spacing)) / math.sin(w * spacing), -math.sin(w * delay) / math.sin(w * spacing)]
    np.testing.assert_allclose(sender.taps, np.array(want)[:, None] * [1, 1], atol=1e-6)
    np.testing.assert_allclose(got[-100:], messages[-100:], atol=1e-6)


@pytest.mark.parametrize("x", [1.0, 0.75, 0.5, 0.3, 2.0 ** -6])
def test_power_of_two_divides_by_the_next_power(x):
    sender = Sender(Predictor(kind="nlms", taps=1, spacing=1, mu=0.5), 1, 1)
    sender.send(np.array([x]))
    sender.send(np.array([0.0]))
    assert sender.taps[0, 0] == pytest.approx(1 - 0.5 * x * x / 2 ** math.ceil(math.log2(x * x)), rel=1e-9)


def test_an_empty_history_trains_no_tap_and_predicts_the_message():
    p = Predictor(kind="nlms", taps=3, spacing=4)
    sender, rng = Sender(p, 5, 2), np.random.default_rng(0)
    messages = rng.uniform(-1, 1, (40, 2))
    for n, m in enumerate(messages):
        before = sender.taps.copy()
        arrived = sender.send(m)
        assert (not np.array_equal(before, sender.taps)) == (n >= 2 * 4 + 5), f"tick {n}"
        if n < 5:
            assert not arrived.any(), "what was never sent is zero"
        elif n < 2 * 4 + 5 + 5:
            np.testing.assert_array_equal(arrived, messages[n - 5])


def test_silence_and_a_fixed_predictor_leave_taps_alone():
    sender = Sender(EVERY["nlms"], 4, 1)
    for n in range(60):
        sender.send(np.array([math.sin(n / 5)]))
    taps = sender.taps.copy()
    for n in range(60):
        sender.send(np.array([math.sin(n / 5)]), adapt=False)
    np.testing.assert_array_equal(sender.taps, taps)
    for _ in range(80):
        sender.send(np.zeros(1))
    taps = sender.taps.copy()
    for _ in range(80):
        sender.send(np.zeros(1))
    np.testing.assert_array_equal(sender.taps, taps)


def test_what_is_no_message_falls_back_and_is_counted():
    sender = Sender(Predictor(kind="linear", baseline=1), 10, 2)
    sender.send(np.array([0.0, 0.5]))
    for _ in range(11):
        got = sender.send(np.array([1.0, 0.5]))
    # only the first step up would have been 11
    assert sender.diverged == 1
    np.testing.assert_array_equal(got, [1.0, 0.5])


def test_taps_beyond_their_bound_start_again():
    sender = Sender(Predictor(kind="nlms", taps=2, spacing=1), 1, 2)
    sender.taps[1, 1] = 9
    for _ in range(3):
        sender.send(np.array([0.5, 0.5]))
    assert sender.resets == 1
    assert abs(sender.taps).max() < 8


@pytest.mark.parametrize("kind", pm.KINDS)
def test_no_delay_is_the_undelayed_network(kind):
    assert fourier_run(0, EVERY[kind], seed=3, ms=60) == fourier_run(0, None, seed=3, ms=60)


@pytest.mark.parametrize("kind", pm.KINDS)
def test_deep_networks_run(kind):
    net, rng = DelayedNetwork((3, 5, 4, 2), delay=4, predictor=EVERY[kind], seed=1), np.random.default_rng(1)
    before = [w.copy() for w in net.weight]
    for _ in range(80):
        net.tick(rng.uniform(-1, 1, 3), np.array([0.5, -0.5]))
    assert all(np.isfinite(w).all() and not np.array_equal(w, old) for w, old in zip(net.weight, before, strict=True))
    with_teacher = [w.copy() for w in net.weight]
    for _ in range(20):
        net.tick(rng.uniform(-1, 1, 3), None, learn=False)
    assert all(np.array_equal(w, old) for w, old in zip(net.weight, with_teacher, strict=True))


@pytest.mark.parametrize("sizes", [(3, 4, 2), (3, 5, 4, 2)])
def test_undelayed_network_is_the_readable_float_model(sizes):
    """Tick for tick what golden.train.rates.gle_step does with tau_r = tau_m."""
    torch = pytest.importorskip("torch")
    from golden.train.rates import Layer, gle_step, initial_state
    net, rng = DelayedNetwork(sizes, seed=2, rate=2.0 ** -4), np.random.default_rng(2)
    layers = []
    for n, (w, b) in enumerate(zip(net.weight, net.bias, strict=True)):
        tau = torch.full((len(b),), pm.TAU, dtype=torch.float64)
        layers.append(Layer(torch.tensor(w), torch.tensor(b), tau, tau, "tanh" if n < len(net.bias) - 1 else "linear"))
    states = initial_state(layers, 1)
    for n in range(60):
        x, y = rng.uniform(-1, 1, sizes[0]), rng.uniform(-1, 1, sizes[-1])
        error = torch.tensor(y)[None] - states[-1].r
        states, gradients = gle_step(layers, states, torch.tensor(x)[None], error, dt=pm.DT, gamma=pm.GAMMA)
        layers = [layer._replace(weight=layer.weight - 2.0 ** -4 * g.weight, bias=layer.bias - 2.0 ** -4 * g.bias)
                  for layer, g in zip(layers, gradients, strict=True)]
        np.testing.assert_allclose(net.tick(x, y), states[-1].r[0], atol=1e-12, err_msg=f"tick {n}")
    for w, layer in zip(net.weight, layers, strict=True):
        np.testing.assert_allclose(w, layer.weight, atol=1e-12)


def test_steps_pair_an_error_with_the_message_that_was_consumed():
    net = DelayedNetwork((2, 3, 1), delay=3, predictor=Predictor(kind="linear"), seed=5)
    rng = np.random.default_rng(5)
    for _ in range(30):
        weight, consumed, r = net.weight[1].copy(), net.arrived[0].copy(), net.r.copy()
        net.tick(rng.uniform(-1, 1, 2), np.array([0.7]))
        np.testing.assert_allclose(net.weight[1] - weight, net.rate * np.outer(0.7 - r, consumed), atol=1e-15)


@pytest.mark.parametrize(("wrong", "says"), [
    (lambda: fourier_run(-1), "delay must be 0 to 255 ticks, not -1"),
    (lambda: fourier_run(256), "delay must be 0 to 255 ticks"),
    (lambda: fourier_run(1.5), "delay must be 0 to 255 ticks"),
    (lambda: fourier_run(ms=0.1), "a run takes at least 0.5 ms"),
    (lambda: fourier_run(ms=math.nan), "a run takes at least"),
    (lambda: Predictor(kind="magic"), "kind must be one of none, linear"),
    (lambda: Predictor(baseline=0), "baseline must be 1 to 2047 ticks"),
    (lambda: Predictor(spacing=True), "spacing must be 1 to 2047 ticks"),
    (lambda: Predictor(taps=0), "taps must be an integer in 1..64"),
    (lambda: Predictor(mu=math.nan), "mu must be in"),
    (lambda: Predictor(error_mu=2.0), "error_mu must be in"),
    (lambda: Predictor(normalise="fast"), "normalise must be one of exact, power_of_two"),
    (lambda: Predictor(kind="neural"), "neural comes with two trained nets"),
    (lambda: Predictor(neural=(REST, REST)), "neural comes with two trained nets"),
    (lambda: Predictor(kind="neural", neural=(REST, REST._replace(b2=math.inf))), "not finite"),
    (lambda: pm.predictor("neural", 5), "needs two trained nets"),
    (lambda: fourier_run(5, Predictor(kind="second_order", baseline=1024)), "2048 ticks back, a history has 2047"),
    (lambda: fourier_run(5, Predictor(kind="nlms", taps=64, spacing=64)), "nlms looks 4037 ticks back"),
])
def test_bad_settings_are_one_line(wrong, says):
    with pytest.raises(ValueError, match=says) as error:
        wrong()
    assert "\n" not in str(error.value)


def test_late_messages_do_harm_and_nlms_undoes_it():
    """5 ms, whole runs: the bars of the study, with room (seed 1)."""
    undelayed = fourier_run(seed=1)["mse"]
    assert undelayed < 0.04
    assert fourier_run(100, seed=1)["mse"] > 4 * undelayed
    assert fourier_run(100, pm.predictor("nlms", 100), seed=1)["mse"] < 2 * undelayed


def test_neural_predictors_learn_from_undelayed_messages():
    pytest.importorskip("torch")
    from golden.train import pm_neural
    kw = {"inputs": 4, "hidden": 2, "spacing": 10, "ms": 200, "steps": 60, "seeds": (5,)}
    nets = pm_neural.train_neural(10, **kw)
    assert nets[0].w1.shape == (2, 4)
    for one, two in zip(nets, pm_neural.train_neural(10, **kw), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    rates, _ = pm_neural.record((6,), ms=200)
    x, y = pm_neural.examples(rates, 10, 4, 10)
    w1, b1, w2, b2 = nets[0]
    assert ((np.tanh(x @ w1.T + b1) @ w2 + b2 - y) ** 2).mean() < 0.5 * (y ** 2).mean()
    sent = pm.predictor("neural", 10, pm_neural.to_lists(nets)).neural
    np.testing.assert_array_equal(sent[1].w2, nets[1].w2)
    with pytest.raises(ValueError, match="nothing to predict"):
        pm_neural.train_neural(0)
