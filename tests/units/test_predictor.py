"""Predictors in integers: what each is exact for, what learns, and what is sent when a prediction is no message."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from cases import random_learner, undelayed
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from learning import golden_run, random_vectors

from golden.fixed import QFormat, quantize
from golden.rate import engine
from golden.rate.compiled import CompiledLearner
from golden.units import extrapolator
from golden.units.activation import activation_step
from golden.units.extrapolator import HIDDEN_RATE, HIDDEN_STATE, KINDS, Predictor, Way, identity
from golden.units.plasticity import BITS, Noise

WORD = QFormat(2, 14)
QUICK = settings(max_examples=60, deadline=None, derandomize=True)


def predict(way, history, taps=None):
    """What is sent, and whether it is the message itself; history: words of one element, newest first."""
    y, wrong = extrapolator.extrapolate(tuple(np.full((1, 1), int(m)) for m in history), taps, way)
    return int(y[0, 0]), bool(np.any(wrong))


# ---- exact where the form is

def gain_for(delay, spacing, kind, frac_bits):
    """The narrowest format with that fraction that holds every tap; None: 18 bits do not."""
    h = delay / spacing
    most = 1 + h if kind == "linear" else max(1 + h + h * (h + 1) / 2, h + h * (h + 1))
    return next((QFormat(n, frac_bits) for n in range(1, 18 - frac_bits) if most + 1 < 1 << n), None)


@QUICK
@given(st.integers(1, 255), st.integers(1, 2047) | st.none(), st.integers(1, 15), st.data())
def test_linear_is_exact_for_a_ramp(delay, spacing, frac_bits, data):
    """Where |x_0 - x_1| < 2**frac_bits: the words of h are wrong by at most half, so y is by less than half."""
    k = spacing or delay
    gain = gain_for(delay, k, "linear", frac_bits)
    assume(gain is not None)
    steepest = WORD.max // (k + delay)
    if spacing:
        steepest = min(steepest, ((1 << frac_bits) - 1) // k)
    rise = data.draw(st.sampled_from((-1, 1))) * data.draw(st.integers(max(0, steepest - 1), steepest)
                                                           | st.integers(0, steepest))
    ends = WORD.min - min(0, rise * delay, -rise * k), WORD.max - max(0, rise * delay, -rise * k)
    newest = data.draw(st.integers(*ends))
    way = Way(1, WORD, delay, delay, Predictor(kind="linear", history=k, spacing=spacing, gain=gain))
    way.check()
    assert predict(way, [newest - rise * n for n in range(k + 1)]) == (newest + rise * delay, False)


@settings(QUICK, max_examples=300)
@given(st.integers(1, 255), st.integers(1, 200) | st.none(), st.integers(0, 2), st.integers(-9, 9),
       st.integers(-20, 20), st.integers(-2000, 2000))
def test_second_order_is_exact_for_a_parabola(delay, spacing, spare, rise, bend, newest):
    """Where |x_0 - x_1| + |x_0 - 2 x_1 + x_2| < 2**frac_bits: both gains are wrong by at most half; s = D: anywhere."""
    k = spacing or delay
    rise += bend * (k - 1) // 2         # x_0 is near x_1

    def m(n):
        return newest + rise * n + bend * n * (n + 1) // 2
    x = [m(-j * k) for j in range(3)]
    frac_bits = spare + max(1, (abs(x[0] - x[1]) + abs(x[0] - 2 * x[1] + x[2])).bit_length() if spacing else 1)
    gain = gain_for(delay, k, "second_order", frac_bits)
    assume(gain is not None and all(WORD.min <= word <= WORD.max for word in (*x, m(delay))))
    way = Way(1, WORD, delay, delay, Predictor(kind="second_order", history=2 * k, spacing=spacing, gain=gain))
    way.check()
    assert predict(way, [saturated(m(-n)) for n in range(2 * k + 1)]) == (m(delay), False)


def saturated(word):
    return min(max(word, WORD.min), WORD.max)


@pytest.mark.parametrize(("kind", "spacing"), [("linear", 3), ("linear", None), ("second_order", 4),
                                               ("second_order", None)])
@pytest.mark.parametrize("delay", [1, 2, 7])
def test_what_arrives_is_the_message_of_now(kind, spacing, delay):
    """The whole line: once it is full, what is read is what a line without delay would give."""
    way = Way(2, WORD, delay, delay + 2, Predictor(kind=kind, history=20, spacing=spacing, gain=QFormat(4, 13)))
    line = extrapolator.line(np.zeros((1, 2), np.int64), way)
    for n in range(60):
        message = np.array([[500 - 7 * n, n * (n - 3) // 2 if kind == "second_order" else 9 * n]])
        line, wrong = extrapolator.write(line, message, way)
        if n >= delay + 2 * (spacing or delay):
            np.testing.assert_array_equal(extrapolator.read(line, way), message, err_msg=f"tick {n}")
            assert not np.any(wrong)
    assert (len(line.sent), len(line.history)) == (way.depth, way.predictor.history + 1)


@QUICK
@given(st.integers(1, 200), st.integers(1, 100), st.floats(0.05, 0.95), st.floats(0, 6), st.integers(1, 8000))
def test_two_taps_predict_a_sine_to_within_rounding(delay, spacing, turn, phase, size):
    """Words of the message are wrong by 1/2, taps by 2**-(frac_bits + 1), and y is rounded once."""
    w, gain = math.pi * turn / spacing, QFormat(4, 13)
    a = np.array([[math.sin(w * (delay + spacing)), -math.sin(w * delay)]]) / math.sin(w * spacing)
    assume(abs(a).max() < 15)
    taps, m = quantize(a, gain), [size * math.sin(phase - w * n) for n in range(-delay, spacing + 1)]
    words = [math.floor(value + 0.5) for value in m]
    way = Way(1, WORD, delay, delay, Predictor(kind="fir", history=spacing, spacing=spacing, taps=2, gain=gain))
    got, wrong = predict(way, words[delay:], taps)
    seen = abs(words[delay]) + abs(words[delay + spacing])
    assert abs(got - m[0]) <= 0.5 + 0.5 * abs(a).sum() + seen * gain.lsb / 2 + 1e-6
    assert not wrong


# ---- taps that learn

def follow(way, messages, *, taps=None, seed=5):
    """A line over messages (tick, size): (sent, raw, wrong, taps) of each tick, taps those that made `sent`."""
    p, register = way.predictor, Noise(seed)
    taps = identity(p, way.size) if taps is None else taps
    line = extrapolator.line(np.zeros((1, way.size), np.int64), way)
    for tick, message in enumerate(messages):
        raw, old = line.history[0][0], line
        line, wrong = extrapolator.write(line, message[None], way, taps)
        yield line.sent[0][0], raw, np.broadcast_to(wrong, (1, way.size))[0], taps
        number = register[(tick * way.size + np.arange(way.size))[:, None] * p.taps + np.arange(p.taps)]
        taps = extrapolator.nlms_step(old.history, taps, number, way)


def test_nlms_learns_a_sine_from_the_identity():
    delay, spacing, w = 8, 12, 2 * math.pi / 80
    way = Way(2, WORD, delay, delay, Predictor(kind="fir", history=delay + spacing, spacing=spacing, taps=2, rate=2,
                                               gain=QFormat(2, 15), quiet=20))
    messages = np.rint(np.sin(w * np.arange(2500))[:, None] * [15000, 4000]).astype(np.int64)
    sent, _, wrong, taps = (np.array(found) for found in zip(*follow(way, messages), strict=True))
    assert not wrong.any()
    # what is sent in tick n is made of messages up to n - 1
    off = abs(sent[:1 - delay] - messages[delay - 1:])
    assert np.max(off[20:100], 0).min() > 500, "the identity alone is far off"
    assert np.max(off[-200:]) <= 8
    want = np.array([math.sin(w * (delay + spacing)), -math.sin(w * delay)]) / math.sin(w * spacing)
    np.testing.assert_allclose(taps[-1] * 2.0 ** -15, [want, want], atol=0.01)


@QUICK
@given(st.integers(0, 2 ** 32), st.integers(1, 4), st.integers(1, 3), st.integers(0, 12), st.integers(4, 20),
       st.integers(0, 7))
def test_an_nlms_step_by_definition(seed, taps, delay, rate, quiet, quieter):
    """In fractions: e and |x|^2 of the messages of D ticks ago, a power of two for |x|^2, noise below the last bit."""
    rng, fmt, gain = np.random.default_rng(seed), QFormat(1, 6), QFormat(3, 10)
    p = Predictor(kind="fir", history=delay + 2 * taps, spacing=2, taps=taps, rate=rate, quiet=quiet, gain=gain)
    way = Way(2, fmt, delay, delay, p)
    history = tuple(rng.integers(fmt.min, fmt.max + 1, (1, 2)) >> quieter for _ in range(p.history + 1))
    words, noise = rng.integers(gain.min + 1, gain.max, (2, taps)), rng.integers(1, 1 << BITS, (2, taps))
    got = extrapolator.nlms_step(history, words, noise, way)
    for k in range(2):
        x = [int(history[delay + 2 * j][0, k]) for j in range(taps)]
        y = sum(int(a) * word for a, word in zip(words[k], x, strict=True)) + 512 >> 10
        e, power = int(history[0][0, k]) - min(max(y, fmt.min), fmt.max), sum(word * word for word in x)
        size = max(quiet, power.bit_length())
        for j in range(taps):
            step = math.floor(Fraction(e * x[j]) * Fraction(2) ** (BITS + 10 - rate - size)) + int(noise[k, j])
            want = int(words[k, j]) + (step >> BITS)
            assert got[k, j] == min(max(want, gain.min), gain.max), f"element {k}, tap {j}"


@given(st.integers(0, 2 ** 32), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_a_diverging_nlms_sends_nothing_but_messages_while_it_is_lost(seed, taps, delay):
    """Steps as large as they get, taps that hold little, messages without a rule."""
    rng, fmt = np.random.default_rng(seed), QFormat(0, 8)
    p = Predictor(kind="fir", history=delay + 2 * taps, spacing=2, taps=taps, rate=0, quiet=1, gain=QFormat(1, 6))
    way, before, ends = Way(3, fmt, delay, delay, p), None, 0
    messages = rng.integers(fmt.min, fmt.max + 1, (150, 3)) * rng.choice((0, 1, 1), (150, 1))
    history = [np.zeros(3, np.int64)] * (p.history + 1)
    for n, (sent, raw, wrong, now) in enumerate(follow(way, messages, seed=1 + seed % 1000)):
        lost = ((now == p.gain.min) | (now == p.gain.max)).any(1)
        ends += lost.sum()
        # wrong and sent as whole numbers of Python say
        for k in range(3):
            y = sum(int(a) * int(history[2 * j][k]) for j, a in enumerate(now[k])) + 32 >> 6
            fails = bool(lost[k]) or not fmt.min <= y <= fmt.max
            assert (sent[k], bool(wrong[k])) == (raw[k] if fails else y, fails), f"tick {n}, element {k}"
        if before is not None:
            np.testing.assert_array_equal(now[before], identity(p, before.sum()), err_msg=f"tick {n}: no reset")
        before, history = lost, [messages[n], *history[:-1]]
    assert ends, "nothing diverged"


@pytest.mark.parametrize("end", ["min", "max"])
@pytest.mark.parametrize("tap", [0, 2])
def test_a_tap_at_an_end_of_its_format_starts_again(end, tap):
    p = Predictor(kind="fir", history=9, spacing=2, taps=3, rate=10, gain=QFormat(2, 9))
    taps = identity(p, 2)
    taps[0, tap] = getattr(p.gain, end)
    taps[1, tap] = getattr(p.gain, end) + (1 if end == "min" else -1)       # one before the end is well
    (first, second) = (list(follow(Way(2, WORD, 3, 3, p), np.full((2, 2), 4000), taps=taps)))
    assert first[2].tolist() == [True, False]
    assert second[2].tolist()[0] is False
    np.testing.assert_array_equal(second[3], [identity(p, 1)[0], taps[1]])


# ---- what is sent when a prediction is none

@QUICK
@given(st.sampled_from(KINDS), st.integers(0, 2 ** 32), st.integers(1, 4), st.integers(0, 3))
def test_a_prediction_that_is_no_message_is_not_sent(kind, seed, delay, scale):
    rng, fmt = np.random.default_rng(seed), QFormat(1, 6)
    p = Predictor(kind=kind, history=12, spacing=2, taps=3, hidden=2, scale=scale, gain=QFormat(5, 3))
    p = replace(p, spacing=None, history=8) if kind in ("linear", "second_order") and seed % 2 else p
    way = Way(1, fmt, delay, delay, p)
    taps = rng.integers(p.gain.min + 1, p.gain.max, (1, p.coefficients)) if p.coefficients else None
    history = [int(m) for m in rng.integers(fmt.min, fmt.max + 1, p.history + 1)]
    y = by_definition(way, history, None if taps is None else [int(a) for a in taps[0]])
    fits = fmt.min <= y <= fmt.max
    assert predict(way, history, taps) == (y if fits else history[0], not fits)


def by_definition(way, history, taps) -> int:
    """The equations of golden.units.extrapolator in whole numbers."""
    p, f = way.predictor, way.predictor.gain.frac_bits
    x = [history[j * (p.spacing or way.delay)] for j in range(p.words)]

    def rounded(value, bits):
        return math.floor(value / 2 ** bits + 0.5) if bits > 0 else value << -bits
    if p.kind == "fir":
        return rounded(sum(a * word for a, word in zip(taps, x, strict=True)), f)
    if p.kind == "neural":
        frac, words, total = way.fmt.frac_bits - p.scale, iter(taps), []
        for _ in range(p.hidden):
            z = (next(words) << frac) + sum(next(words) * word for word in x)
            z = min(max(rounded(z, f + frac - HIDDEN_STATE.frac_bits), HIDDEN_STATE.min), HIDDEN_STATE.max)
            total.append(activation_step(np.array([z]), "tanh", HIDDEN_STATE, HIDDEN_RATE)[0])
        y = next(words) << HIDDEN_RATE.frac_bits
        y += sum(next(words) * int(rate) for rate in total)
        return x[0] + rounded(y, f + HIDDEN_RATE.frac_bits - frac)
    one, s = 1 if p.spacing is None else 1 << f, p.spacing or way.delay
    h, c = (math.floor(ratio * one + 0.5) for ratio in (way.delay / s, way.delay * (way.delay + s) / (2 * s * s)))
    rest = h * (x[0] - x[1]) + (c * (x[0] - 2 * x[1] + x[2]) if p.kind == "second_order" else 0)
    return x[0] + rounded(rest, 0 if p.spacing is None else f)


# ---- no delay, nothing predicted

@pytest.mark.parametrize("kind", [*KINDS, "nlms"])
@pytest.mark.parametrize("seed", range(3))
def test_no_delay_is_the_undelayed_network(kind, seed):
    p = Predictor(kind=kind if kind != "nlms" else "fir", history=12, spacing=2, taps=3, hidden=2,
                  rate=2 if kind == "nlms" else None)
    plain = undelayed(random_learner(f"deep {(0, 3, 7)[seed]}", largest=6))
    net, rng = undelayed(plain, p), np.random.default_rng(seed)
    assert len(net.layers) > 1
    params = engine.random_params(net, rng)
    bare = tuple(entry._replace(taps=None, error_taps=None) for entry in params)
    vectors = [vector._replace(first=n == 0) for n, vector in enumerate(random_vectors(net, rng, 12))]
    want, state = golden_run(plain, bare, vectors)
    got, after = golden_run(net, params, vectors)
    np.testing.assert_array_equal(got, want)

    x, target, teach, moves = (np.array([vector[n] for vector in vectors]) for n in (0, 1, 4, 3))
    shape, learner = (12, net.streams), CompiledLearner(net, params)
    rates = learner.run(x.reshape(*shape, -1), target.reshape(*shape, -1), first=True, teach=teach.reshape(shape),
                        learn=moves.reshape(shape))
    np.testing.assert_array_equal(rates.reshape(want.shape), want)
    assert after.lost == learner.lost == ((False, False),) * len(net.layers)
    for n, (old, began) in enumerate(zip(state.params, params, strict=True)):
        for found in (after.params[n], learner.params[n]):
            for name in net.layers[n].names:
                expected = getattr(began if name in net.layers[n].taps else old, name)
                np.testing.assert_array_equal(getattr(found, name), expected, err_msg=f"{name} of layer {n}")


@pytest.mark.parametrize("p", [None, Predictor(kind="linear", history=2)])
def test_an_empty_line_is_empty(p):
    way = Way(3, WORD, 1, 1, p)
    line = extrapolator.line(np.full((2, 3), 9), way)
    assert not np.any([*line] if p is None else [*line.sent, *line.history])
    assert extrapolator.read(line, way).shape == (2, 3)


@pytest.mark.parametrize(("fields", "words", "coefficients", "multiplies"), [
    ({"kind": "linear", "history": 5}, 6, 0, 0), ({"kind": "linear", "history": 5, "spacing": 2}, 6, 2, 2),
    ({"kind": "second_order", "history": 9, "spacing": 2}, 10, 3, 3),
    ({"kind": "fir", "history": 9, "spacing": 1, "taps": 5}, 10, 5, 5),
    ({"kind": "fir", "history": 9, "spacing": 1, "taps": 5, "rate": 4}, 10, 5, 20),
    ({"kind": "neural", "history": 9, "spacing": 1, "taps": 3, "hidden": 4}, 10, 21, 16)])
def test_what_a_predictor_takes(fields, words, coefficients, multiplies):
    assert extrapolator.memory(Way(3, WORD, 1, 1, Predictor(**fields))) == {
        "history_words": words, "coefficients": coefficients, "multiplies": multiplies}
    assert set(extrapolator.memory(Way(3, WORD, 1, 1, None)).values()) == {0}
