"""Late Fourier synthesis in integers: words of trained predictors, whole runs, and what is refused."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.fixed import QFormat
from golden.tasks import late as prospective
from golden.tasks.late import ERROR, RATE, late_fourier_mse, quantized
from golden.units.extrapolator import HIDDEN_RATE, HIDDEN_STATE, Way, extrapolate

ROOT = Path(__file__).resolve().parent.parent.parent
#: x_0 + 0.8 (x_0 - x_1), for steps that are small against 4
STEP = [[[[0.25]], [0.0], [3.2], 0.0]] * 2
TANH = 1.3 * HIDDEN_RATE.lsb        # how far the table is off, with its rounding


def net(rng, inputs, hidden, size, out):
    """A net with weights of all magnitudes."""
    w1 = rng.normal(0, size, (hidden, inputs)) * 2.0 ** rng.integers(-3, 3, (hidden, 1))
    return w1, rng.normal(0, 0.5, hidden), rng.normal(0, out, hidden), float(rng.normal(0, 0.05))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(0, 2 ** 32), st.integers(1, 15), st.integers(1, 8), st.sampled_from((RATE, ERROR, QFormat(0, 9))),
       st.sampled_from((0.05, 1.0, 20.0, 60.0)), st.sampled_from((0.005, 0.2, 1.0)))
def test_words_predict_what_the_trained_net_does(seed, inputs, hidden, fmt, size, out):
    rng = np.random.default_rng(seed)
    w1, b1, w2, b2 = trained = net(rng, inputs, hidden, size, out)
    p, words = quantized(trained, fmt, 7)
    way = Way(1, fmt, 3, 3, p)
    way.check()
    assert words.shape == (1, p.coefficients)
    assert words.min() >= p.gain.min
    assert words.max() <= p.gain.max
    assert p.gain.width == 18

    first = words[0, :hidden * (inputs + 2)].reshape(hidden, inputs + 2)
    assert not first[:, 1:].sum(1).any(), "a message that stands still is worth nothing"
    history = tuple(rng.integers(fmt.min >> 1, fmt.max >> 1, (1, 1)) for _ in range(p.history + 1))
    x = np.array([history[7 * j][0, 0] for j in range(inputs + 1)]) * fmt.lsb
    d = x[:-1] - x[1:]
    want = x[0] + w2 @ np.tanh(w1 @ d + b1) + b2
    if not fmt.min * fmt.lsb <= want <= fmt.max * fmt.lsb:
        return
    half = p.gain.lsb / 2
    z = HIDDEN_STATE.lsb / 2 + half * (1 + 2 ** p.scale * abs(d).sum())
    bound = abs(w2) @ np.full(hidden, z + TANH) + half * 2 ** -p.scale * (hidden + 1) + fmt.lsb / 2
    got, wrong = extrapolate(history, words, way)
    assert not wrong or want + bound > fmt.max * fmt.lsb or want - bound < fmt.min * fmt.lsb
    assert wrong or abs(float(got[0, 0] * fmt.lsb) - want) <= bound + 1e-9


@pytest.mark.parametrize(("w1", "w2", "gain", "scale"), [
    (1.5, 0.2, "Q1.16", 0), (15.0, 0.1, "Q1.16", 3), (35.0, 0.27, "Q3.14", 3), (0.01, 3.0, "Q2.15", 0),
    (40.0, 30.0, "Q6.11", 0), (0.0, 0.0, "Q1.16", 0), (1.0, 1.999999, "Q2.15", 0), (1.999999, 1.0, "Q2.15", 0),
    (5e5, 0.0, "Q7.10", 12)])
def test_scale_and_gain_keep_the_most_fraction_bits(w1, w2, gain, scale):
    p, _ = quantized(([[w1]], [0.0], [w2], 0.0), RATE, 5)
    assert (str(p.gain), p.scale, p.taps, p.history, p.shared) == (gain, scale, 2, 5, True)


def test_the_largest_of_all_sets_the_format():
    """A bias, whichever unit has it; the weights of the output; its constant."""
    for trained in (([[0.1], [0.1]], [3.0, 0.1], [0.1, 0.1], 0.0), ([[0.1], [0.1]], [0.1, -3.0], [0.1, 0.1], 0.0),
                    ([[0.1], [0.1]], [0.1, 0.1], [0.1, -3.0], 0.0), ([[0.1], [0.1]], [0.1, 0.1], [0.1, 0.1], 3.0)):
        assert str(quantized(trained, RATE, 5)[0].gain) == "Q2.15"


def test_differences_may_be_much_smaller_than_weights():
    rise = [1.9 * min(j, 16 - j) for j in range(1, 16)]
    p, words = quantized(([rise], [0.0], [1.0], 0.0), RATE, 5)
    assert str(p.gain) == "Q1.16"
    np.testing.assert_allclose(words[0, 1:17] * p.gain.lsb, [1.9] * 8 + [-1.9] * 8, atol=p.gain.lsb)


def test_words_of_a_net_by_hand():
    p, words = quantized(([[0.5, -0.25], [3.0, 0]], [0.125, -1], [0.25, -0.5], 0.0625), RATE, 25)
    # W / 2 as wide as V: one bit for both; b, W_0, W_1, W_2 a hidden unit, then c and V
    assert (str(p.gain), p.scale, p.history) == ("Q1.16", 1, 50)
    one = 1 << 16
    want = [0.125, 0.25, -0.375, 0.125, -1, 1.5, -1.5, 0, 0.125, 0.5, -1]
    assert words.tolist() == [[int(value * one) for value in want]]


def test_a_run_with_a_neural_predictor():
    """Two words that are 25 ticks apart: much better than nothing, in rates and in errors."""
    late = late_fourier_mse(20, "none", 0)["mse"]
    found = late_fourier_mse(20, "neural", 0, trained=STEP)
    assert found["lost"] == [False, False]
    assert found["mse"] < 0.041 < 0.055 < late
    flat = [[[[0.0]], [0.0], [0.0], 0.0]] * 2
    assert late_fourier_mse(20, "neural", 0, trained=flat)["mse"] == late
    for one in ([STEP[0], flat[0]], [flat[0], STEP[0]]):
        assert found["mse"] != late_fourier_mse(20, "neural", 0, trained=one)["mse"] < late


@pytest.mark.parametrize("kind", prospective.PREDICTORS)
def test_no_delay_needs_no_predictor(kind):
    assert late_fourier_mse(0, kind, 3, ms=30) == late_fourier_mse(0, "none", 3, ms=30)


def test_integers_are_as_good_as_float():
    """NLMS at 2 ms, whole runs: golden.train.pm has 0.0497."""
    assert late_fourier_mse(40, "nlms", 0)["mse"] < 0.053


@pytest.mark.parametrize(("wrong", "says"), [
    (lambda: late_fourier_mse(5, "neural", 0), "a neural predictor has to be trained first"),
    (lambda: prospective.late_fourier(5, "neural"), "a neural predictor has to be trained first"),
    (lambda: late_fourier_mse(5, "magic", 0), "no predictor 'magic': there is none, linear"),
    (lambda: prospective.late_fourier(256), "a delay is 0 to 255 ticks, not 256"),
    (lambda: prospective.late_fourier(True), "a delay is 0 to 255 ticks, not True"),
    (lambda: prospective.late_fourier(255, "second_order"), "a delay of 255 over a baseline of 56 takes a gain of"),
    (lambda: quantized(([[1.0]], [math.nan], [1.0], 0.0), RATE, 5), "has weights that are not finite"),
    (lambda: quantized(([[1.0]], [0.0], [-math.inf], 0.0), RATE, 5), "has weights that are not finite"),
    (lambda: quantized(([[4e4]], [0.0], [7e4], 0.0), RATE, 5), "weights that take 17 integer bits, a gain has 16"),
    (lambda: quantized(([[4e4]], [7e4], [1.0], 0.0), RATE, 5), "weights that take 17 integer bits"),
    (lambda: quantized((np.ones((1, 16)), [0.0], [1.0], 0.0), RATE, 5), "taps must be an integer in 1..16, not 17"),
    (lambda: quantized(([[1.0]], [0.0], [1.0], 0.0), RATE, 2048), "history must be an integer in 1..2047, not 2048"),
])
def test_bad_settings_are_one_line(wrong, says):
    with pytest.raises(ValueError, match=says) as error:
        wrong()
    assert "\n" not in str(error.value)


def test_it_runs_without_torch():
    code = ("import sys; sys.modules['torch'] = None; from golden.tasks import late; "
            "from leadlag.experiments import study")
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, timeout=600)
