"""Descriptions of late messages and their predictors: JSON, fingerprints, and one clear line for all that is wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases import random_learner, random_predictor, undelayed, with_delays
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.fixed import QFormat, quantize
from golden.rate import engine
from golden.rate.network import Network
from golden.rate.plastic import parse, plain
from golden.units.extrapolator import Predictor, Way

FIR = Predictor(kind="fir", history=12, spacing=2, taps=3, rate=4, gain=QFormat(2, 11))
NET = undelayed(random_learner("deep 0", largest=6), FIR)


def changed(n=-1, **entries) -> Network:
    """NET with other fields in layer n."""
    layers = list(NET.layers)
    layers[n] = replace(layers[n], **entries)
    return replace(NET, layers=tuple(layers))


def test_the_network_has_what_is_tested():
    assert NET.layers[-1].predictor == NET.layers[-1].error_predictor == FIR
    assert NET.layers[-1].max_delay == NET.layers[-1].max_error_delay == 3


# ---- JSON and fingerprints

@pytest.mark.parametrize("seed", range(40))
def test_json_round_trip(seed):
    net = with_delays(random_learner(f"json {seed}"), f"json {seed}")
    again = Network.from_json(net.to_json())
    assert again == net
    assert again.fingerprint == net.fingerprint


@given(st.randoms(use_true_random=False), st.integers(1, 200))
def test_predictors_round_trip(rng, delay):
    p = random_predictor(rng, delay, learns=True)
    if p is not None:
        assert parse(Predictor, json.loads(json.dumps(plain(p)))) == p


def test_what_is_loaded_at_run_time_does_not_change_the_fingerprint():
    for name in ("predictor", "error_predictor"):
        assert changed(**{name: replace(FIR, spacing=4)}).fingerprint == NET.fingerprint
    for late in ({"delay": 1}, {"error_delay": 2}):
        assert changed(**late).fingerprint == NET.fingerprint


@pytest.mark.parametrize("name", ["predictor", "error_predictor"])
@pytest.mark.parametrize("change", [
    {"history": 13}, {"kind": "neural", "rate": None}, {"kind": "linear", "rate": None}, {"taps": 2}, {"rate": None},
    {"rate": 5}, {"gain": QFormat(3, 10)}, {"quiet": 9}, {"hidden": 3}, {"scale": 1}, {"shared": False}])
def test_what_shapes_the_circuit_does(name, change):
    assert changed(**{name: replace(FIR, **change)}).fingerprint != NET.fingerprint


def test_so_do_a_baseline_at_all_and_the_longest_delays():
    for late in ({"max_delay": 4}, {"max_error_delay": 4}, {"predictor": None}, {"error_predictor": None}):
        assert changed(**late).fingerprint != NET.fingerprint
    line = Predictor(kind="linear", history=12)
    assert changed(predictor=line).fingerprint != changed(predictor=replace(line, spacing=3)).fingerprint


# ---- what is refused

def of(**entries) -> Predictor:
    return replace(FIR, **entries)


@pytest.mark.parametrize(("wrong", "says"), [
    ({"kind": "magic"}, "kind must be one of linear, second_order, fir, neural, not 'magic'"),
    ({"kind": None}, "kind must be one of"),
    ({"history": 0}, "history must be an integer in 1..2047, not 0"),
    ({"history": 2048}, "history must be an integer in 1..2047, not 2048"),
    ({"history": 2.0}, "history must be an integer"),
    ({"history": True}, "history must be an integer in 1..2047, not True"),
    ({"spacing": None}, "spacing must be an integer in 1..2047, not None"),
    ({"spacing": 0}, "spacing must be an integer in 1..2047, not 0"),
    ({"kind": "linear", "rate": None, "spacing": 0}, "spacing must be an integer in 1..2047, not 0"),
    ({"spacing": 2048}, "spacing must be an integer"),
    ({"taps": 0}, "taps must be an integer in 1..16, not 0"),
    ({"taps": 17}, "taps must be an integer in 1..16, not 17"),
    ({"gain": QFormat(4, 14)}, "gain must be a QFormat with a fraction that holds 1.0 in 18 bits"),
    ({"gain": QFormat(0, 14)}, "gain must be a QFormat with a fraction that holds 1.0"),
    ({"gain": QFormat(4, 0)}, "gain must be a QFormat with a fraction"),
    ({"gain": "Q2.11"}, "gain must be a QFormat"),
    ({"rate": -1}, "rate must be an integer in 0..24 for a fir or None, not -1"),
    ({"rate": 25}, "rate must be an integer in 0..24"),
    ({"kind": "neural"}, "rate must be an integer in 0..24 for a fir or None, not 4"),
    ({"quiet": 0}, "quiet must be an integer in 1..32, not 0"),
    ({"quiet": 33}, "quiet must be an integer in 1..32, not 33"),
    ({"rate": 0, "quiet": 3}, "do not fit: a larger rate or quiet"),
    ({"hidden": 0}, "hidden must be an integer in 1..16, not 0"),
    ({"hidden": 17}, "hidden must be an integer in 1..16, not 17"),
    ({"shared": 1}, "shared must be true or false, not 1"),
    ({"scale": -1}, "scale must be an integer in 0..16, not -1"),
    ({"scale": 17}, "scale must be an integer in 0..16, not 17"),
])
def test_a_bad_predictor_is_one_line(wrong, says):
    refused(lambda: of(**wrong), says, "predictor: ")


def refused(what, says, begins=""):
    with pytest.raises(ValueError, match=says) as error:
        what()
    assert str(error.value).startswith(begins)
    assert "\n" not in str(error.value)


def test_steps_at_the_edge_fit():
    assert of(rate=0, quiet=4).learns


WORD = QFormat(2, 13)


@pytest.mark.parametrize(("p", "delay", "says"), [
    (FIR, 9, r"a delay of 9 with 3 words 2 apart looks back 13 ticks, its history has 12"),
    (of(rate=None, spacing=7), 1, "looks back 14 ticks, its history has 12"),
    (of(kind="neural", rate=None, spacing=7), 1, "looks back 14 ticks"),
    (Predictor(kind="linear", history=8), 9, "a delay of 9 with 2 words 9 apart looks back 9 ticks, its history has 8"),
    (Predictor(kind="linear", history=8, spacing=9), 1, "2 words 9 apart looks back 9 ticks, its history has 8"),
    (Predictor(kind="second_order", history=8), 5, "3 words 5 apart looks back 10 ticks, its history has 8"),
    (Predictor(kind="linear", history=8, spacing=1, gain=QFormat(3, 4)), 7,
     r"a delay of 7 over a baseline of 1 takes a gain of 8, Q3.4 holds less than 8"),
    (Predictor(kind="second_order", history=8, spacing=2, gain=QFormat(2, 4)), 4, "takes a gain of 8, Q2.4 holds"),
])
def test_a_predictor_that_does_not_reach_is_one_line(p, delay, says):
    refused(Way(4, WORD, delay, 20, p).check, says, "predictor: ")
    Way(4, WORD, 0, 20, p).check()      # nothing is predicted


@pytest.mark.parametrize(("way", "says"), [
    (Way(4, WORD, 0, 0, FIR), "the message is never late, max_delay is 0"),
    (Way(4, QFormat(3, 14), 1, 3, FIR), r"a message of Q3.14 leaves no room .* \(17 bits at most\)"),
    (Way(4, QFormat(2, 3), 1, 3, of(kind="neural", rate=None, scale=4)), "scale 4 is beyond the fraction of Q2.3"),
])
def test_a_way_that_does_not_suit_is_one_line(way, says):
    refused(way.check, says, "predictor: ")


def test_a_predictor_at_the_edge_is_none():
    Way(4, WORD, 8, 20, FIR).check()
    Way(4, QFormat(2, 14), 1, 3, FIR).check()
    Way(4, QFormat(2, 4), 1, 3, of(kind="neural", rate=None, scale=4)).check()
    Way(4, WORD, 6, 6, Predictor(kind="linear", history=8, spacing=1, gain=QFormat(3, 4))).check()
    Way(4, WORD, 1, 1, None).check()


FIXED = undelayed(random_learner("deep 0", largest=6))


@pytest.mark.parametrize(("wrong", "says"), [
    ({"delay": 4}, "dense layer: delay must be an integer in 0..3, not 4"),
    ({"error_delay": 4}, "dense layer: error_delay must be an integer in 0..3, not 4"),
    ({"delay": -1}, "delay must be an integer in 0..3, not -1"),
    ({"error_delay": True}, "error_delay must be an integer in 0..3, not True"),
    ({"max_delay": 1024}, "max_delay must be an integer in 0..1023, not 1024"),
    ({"max_error_delay": 1024}, "max_error_delay must be an integer in 0..1023, not 1024"),
    ({"max_delay": 0}, "the message is never late, max_delay is 0"),
    ({"max_error_delay": 0}, "the message is never late, max_delay is 0"),
    ({"predictor": "fir"}, "predictor must be a Predictor or None, not 'fir'"),
    ({"error_predictor": {}}, "error_predictor must be a Predictor or None, not {}"),
    ({"delay": 3, "predictor": of(history=6)}, "looks back 7 ticks, its history has 6"),
    ({"error_delay": 3, "error_predictor": of(history=6)}, "looks back 7 ticks, its history has 6"),
])
def test_a_bad_layer_is_one_line(wrong, says):
    refused(lambda: changed(**wrong), says)
    entry = json.loads(changed().to_json())
    entries = {name: plain(value) if isinstance(value, Predictor) else value for name, value in wrong.items()}
    entry["layers"][-1].update(entries)
    refused(lambda: Network.from_json(json.dumps(entry)), ".")


@pytest.mark.parametrize(("make", "says"), [
    (lambda: changed(0, max_delay=3, predictor=FIR), "network: messages into layer 0 come from outside"),
    (lambda: changed(0, max_error_delay=3), "network: layer 0 sends no errors down that could be late"),
    (lambda: changed(0, max_error_delay=3, error_predictor=FIR), "layer 0 sends no errors down"),
    (lambda: replace(changed(plastic=None), teacher=None), "plastic layers are the last ones|need a teacher"),
    (lambda: Network(name="fixed", dt=1.0, layers=tuple(
        replace(layer, plastic=None, max_delay=3 * (n > 0), predictor=FIR if n else None)
        for n, layer in enumerate(FIXED.layers))), "does not learn, nor does the predictor of its messages: rate must"),
])
def test_a_bad_network_is_one_line(make, says):
    refused(make, says, "network: ")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 4.0, -4.1])
def test_a_tap_that_no_word_holds_is_one_line(bad):
    refused(lambda: quantize([[1, 0, bad]], FIR.gain, name="taps"), r"^taps\[0, 2\] is ")


@pytest.mark.parametrize(("taps", "says"), [
    (None, r"layer \d: taps is missing"), (np.zeros((1, 3), int), r"taps has shape \(1, 3\), expected"),
    (1 << 13, "taps holds words outside of Q2.11")])
def test_taps_that_do_not_fit_are_one_line(taps, says):
    params = list(engine.random_params(NET, np.random.default_rng(0)))
    if isinstance(taps, int):
        taps = np.full_like(params[-1].taps, taps)
    params[-1] = params[-1]._replace(taps=taps)
    refused(lambda: engine.check_params(NET, params), says)


# ---- fuzz: nothing but a ValueError comes out

ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
                   | st.sampled_from(["fir", "linear", "neural", "second_order", "Q2.11", "Q1.99", "Q99.1", "Q-9.12"])
                   | st.integers(-3, 40), lambda inner: st.lists(inner, max_size=3)
                   | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=6)
NAMES = ("kind", "history", "spacing", "taps", "gain", "rate", "quiet", "hidden", "shared", "scale")
ENTRY = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), ANY, max_size=10)
LIKELY = ENTRY.map(lambda entry: {"kind": "fir", "history": 30, "spacing": 2} | entry)
FUZZ = settings(max_examples=150, deadline=None, derandomize=True)


def accepted(make):
    """What it makes, or None where it is refused."""
    try:
        return make()
    except ValueError:
        return None


@FUZZ
@given(ANY | ENTRY | LIKELY)
def test_fuzz_of_a_predictor(entry):
    p = accepted(lambda: parse(Predictor, entry))
    assert p is None or parse(Predictor, plain(p)) == p


LATE = ("predictor", "error_predictor", "delay", "error_delay", "max_delay", "max_error_delay")


@FUZZ
@given(st.integers(0, len(NET.layers) - 1), st.dictionaries(st.sampled_from(LATE), ANY | LIKELY, max_size=4))
def test_fuzz_of_a_network(n, entries):
    top = json.loads(NET.to_json())
    top["layers"][n].update(entries)
    net = accepted(lambda: Network.from_json(json.dumps(top)))
    if net is not None:
        assert Network.from_json(net.to_json()) == net
        assert len(net.fingerprint) == 16


# ---- ticks that the circuit relies on

def test_a_least_delay_is_kept():
    refused(lambda: changed(least_delay=4, max_delay=3), "least_delay must be an integer in 0..3, not 4")
    refused(lambda: changed(least_delay=2, delay=1), "delay must be an integer in 2..3, not 1")
    refused(lambda: changed(least_delay=2, delay=2, error_delay=1), "error_delay must be an integer in 2..3, not 1")
    refused(lambda: replace(NET, layers=(replace(NET.layers[0], max_delay=1, delay=1, least_delay=1),
                                         *NET.layers[1:])), "messages into layer 0")
    assert changed(least_delay=1, delay=2, error_delay=2).fingerprint != NET.fingerprint
