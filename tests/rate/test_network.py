"""The description: validation, JSON, fingerprint."""

import contextlib
import json
from dataclasses import replace

import pytest
from cases import random_network
from hypothesis import given
from hypothesis import strategies as st

from golden.checks import listed
from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.units.extrapolator import Predictor

LAYER = Dense(inputs=3, outputs=4, activation="tanh", operand=QFormat(1, 6), weight=QFormat(1, 6), state=QFormat(3, 8),
              lead=QFormat(1, 8), lag=QFormat(0, 8), rate=QFormat(0, 7), max_delay=2)
NET = Network(name="net", dt=0.1, layers=(LAYER, replace(LAYER, inputs=4, operand=LAYER.rate)))


@pytest.mark.parametrize("seed", range(30))
def test_json_round_trip(seed):
    net = random_network(f"json {seed}")
    again = Network.from_json(net.to_json())
    assert again == net
    assert again.fingerprint == net.fingerprint


def test_fingerprint_is_of_the_circuit():
    def changed(**fields):
        return replace(NET, layers=(NET.layers[0], replace(NET.layers[1], **fields))).fingerprint
    assert NET.fingerprint == "421c89b5fb4df6ae"
    assert replace(NET, name="other", dt=1.0).fingerprint == NET.fingerprint
    assert changed(delay=1) == NET.fingerprint
    for fields in ({"lanes": 2}, {"max_delay": 3}, {"outputs": 5}, {"activation": "relu"}, {"lead": QFormat(1, 9)}):
        assert changed(**fields) != NET.fingerprint, fields


def test_a_spacing_is_in_the_fingerprint_its_length_is_not():
    """Pinned: taps with a spacing are multiplied, and which spacing is loaded."""
    def net(**fields):
        p = Predictor(kind="linear", history=9, **fields)
        return replace(NET, layers=(NET.layers[0], replace(NET.layers[1], predictor=p, delay=1))).fingerprint
    assert net(spacing=2) == net(spacing=3) == "c22662c7053469c6"
    assert net() == "5b92dda2d61e8f27"


def test_derived_numbers():
    """Widths and shifts that golden and circuit share."""
    assert (LAYER.shift, LAYER.acc_bits, LAYER.folds, LAYER.macs) == (4, 16 + 3, 4, 12)
    assert replace(LAYER, lanes=3).folds == 2
    assert replace(LAYER, operand=QFormat(0, 6)).multiplicand == QFormat(1, 6)
    assert replace(LAYER, inputs=6).acc_bits == 16 + 3
    assert replace(LAYER, inputs=7).acc_bits == 16 + 4


@pytest.mark.parametrize(("fields", "message"), [
    ({"inputs": 0}, r"inputs must be an integer in 1..4096, not 0"),
    ({"outputs": True}, "outputs must be an integer"),
    ({"delay": 3}, r"delay must be an integer in 0..2, not 3"),
    ({"lanes": 5}, r"lanes must be an integer in 1..4, not 5"),
    ({"activation": "gelu"}, "activation must be one of linear, tanh"),
    ({"weight": "Q1.6"}, "weight must be a QFormat"),
    ({"weight": QFormat(8, 10)}, "weight Q8.10 is 19 bits wide, a multiplier takes 18"),
    ({"state": QFormat(9, 8)}, "leaves no room for the bit that a difference adds"),
    ({"state": QFormat(2, 13)}, "finer than the products"),
    ({"rate": QFormat(0, 13)}, "more than 4 bits finer than the state"),
    ({"operand": QFormat(-3, 18)}, "cannot hold the 1.0 of the bias"),
])
def test_layer_refuses(fields, message):
    with pytest.raises(ValueError, match=message):
        replace(LAYER, **fields)


def test_network_refuses():
    with pytest.raises(ValueError, match="layer 1 has 3 inputs, layer 0 has 4 outputs"):
        replace(NET, layers=(LAYER, LAYER))
    with pytest.raises(ValueError, match=r"layer 1 takes Q1.6, layer 0 sends Q0.7"):
        replace(NET, layers=(LAYER, replace(LAYER, inputs=4)))
    with pytest.raises(ValueError, match="messages into layer 0 come from outside, which has to predict them"):
        replace(NET, layers=(replace(LAYER, predictor=Predictor(kind="linear", history=2)), NET.layers[1]))
    for fields, message in (({"layers": ()}, "1 to 64 layers"), ({"dt": float("nan")}, "dt must be a positive"),
                            ({"name": "a b"}, "name must be")):
        with pytest.raises(ValueError, match=message):
            replace(NET, **fields)


@pytest.mark.parametrize(("change", "message"), [
    (lambda top: top.pop("dt"), "has the fields"),
    (lambda top: top["layers"][1].update(state="Q9"), "layer 1: a format is written like"),
    (lambda top: top["layers"][0].update(kind="conv"), "layer 0: kind must be"),
    (lambda top: top["layers"][0].update(colour=1), "layer 0: unknown fields colour"),
    (lambda top: top["layers"][0].pop("weight"), "layer 0: missing fields weight"),
    (lambda top: top["layers"].append(3), "layer 2: must be an object"),
    (lambda top: top.update(layers={}), "layers must be a list"),
])
def test_json_refuses(change, message):
    top = json.loads(NET.to_json())
    change(top)
    with pytest.raises(ValueError, match=message):
        Network.from_json(json.dumps(top))


values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                      lambda inner: (st.lists(inner, max_size=4)
                                      | st.dictionaries(st.text(max_size=8), inner, max_size=4)))


@given(st.sampled_from(["name", "dt", "layers", "leadlag_network"]), values)
def test_json_fuzz_top(field, value):
    top = json.loads(NET.to_json()) | {field: value}
    with contextlib.suppress(ValueError):
        Network.from_json(json.dumps(top))


@given(st.sampled_from([*json.loads(NET.to_json())["layers"][0]]), values)
def test_json_fuzz_layer(field, value):
    top = json.loads(NET.to_json())
    top["layers"][0][field] = value
    with contextlib.suppress(ValueError):
        Network.from_json(json.dumps(top))


@given(st.text(max_size=40))
def test_json_fuzz_text(text):
    with pytest.raises(ValueError, match="network description"):
        Network.from_json(text)


def test_foreign_names_stay_in_a_line():
    assert listed(["pace", " ", "\n", "", 3, "a\tb"]) == "pace, ' ', '\\n', '', 3, 'a\\tb'"
