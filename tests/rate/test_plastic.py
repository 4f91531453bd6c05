"""Descriptions of learning: JSON both ways, fingerprints, and what is refused, with the range that works."""

from dataclasses import replace

import pytest
from cases import random_learner

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher, increment_format, tau_shift, weight_shift
from golden.tasks import learning as tasks


def layer(inputs=4, outputs=3, lanes=1, **changed):
    own = {"error": QFormat(2, 10), "slope": QFormat(1, 8), "rate": 4} | changed
    return Dense(inputs=inputs, outputs=outputs, activation="tanh", operand=QFormat(0, 9), weight=QFormat(3, 12),
                 state=QFormat(3, 10), lead=QFormat(1, 10), lag=QFormat(1, 10), rate=QFormat(0, 9), lanes=lanes,
                 plastic=Plastic(**own))


@pytest.mark.parametrize("seed", range(20))
def test_json_both_ways(seed):
    net = random_learner(f"json {seed}")
    again = Network.from_json(net.to_json())
    assert again == net
    assert again.fingerprint == net.fingerprint


def test_learning_is_in_the_fingerprint():
    net = tasks.fourier()
    others = [replace(net, teacher=replace(net.teacher, seed=2)), replace(net, teacher=replace(net.teacher, beta=1)),
              replace(net, layers=(net.layers[0], replace(net.layers[1], plastic=replace(
                  net.layers[1].plastic, rate=12))))]
    assert len({net.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_a_network_that_does_not_learn_keeps_its_fingerprint():
    """Pinned: the fields of learning change nothing where they are not used."""
    plain = replace(layer(), plastic=None)
    assert Network(name="plain", dt=1.0, layers=(plain,)).fingerprint == "dc6eb09f2624d47b"


@pytest.mark.parametrize(("changed", "message"), [
    ({"rate": 40}, r"rate 40: no step can ever move a word of Q3.12 .* must be in -7..30"),
    ({"rate": -8}, r"rate -8: every step saturates a word of Q3.12 .* must be in -7..30"),
    ({"rate": "fast"}, "rate must be an integer"),
    ({"halvings": 8}, "halvings must be an integer in 0..7, not 8"),
    ({"error": QFormat(7, 10)}, "error Q7.10 leaves no room for the bit that a difference adds"),
    ({"slope": QFormat(0, 8)}, "slope Q0.8 must hold 1.0"),
    ({"error": None}, "error must be a QFormat, not None"), ({"slope": None}, "slope must be a QFormat, not None"),
    ({"lead": QFormat(4, 0), "lag": QFormat(0, 12)}, "lead Q4.0 needs a fraction bit"),
    ({"lead": QFormat(4, 8)}, "lead and lag of the error's filter come together"),
    ({"gamma": -1}, "gamma must be an integer in 0..32"),
    ({"gamma": 0, "error": QFormat(2, 8)}, "gamma 0 makes eps finer than the state Q3.10: at least 2"),
    ({"guard": 2}, "guard bits are for the error's filter"),
    ({"tau": QFormat(8, 8)}, "tau and tau_r come together"),
    ({"tau": QFormat(8, 8), "tau_r": QFormat(4, 8), "tau_rate": 60}, "tau_rate 60: no step can ever move"),
    ({"tau": QFormat(3, 8), "tau_r": QFormat(4, 8), "tau_min": 9}, "tau_min must be an integer in 1..7"),
    ({"rule": "momentum"}, "rule must be one of plain, sign, not 'momentum'"),
    ({"bias": 1}, "bias must be true or false"),
])
def test_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        layer(**changed)


def test_refused_with_its_layer():
    with pytest.raises(ValueError, match="operand Q2.9 leaves room for 6 halvings in 18 bits, not 7"):
        replace(layer(halvings=7), operand=QFormat(2, 9))
    with pytest.raises(ValueError, match="2 inputs are too few to sum errors over 3 folds: 3 lanes"):
        layer(inputs=2)
    text = tasks.fourier().to_json()
    with pytest.raises(ValueError, match="layer 0: plastic: unknown fields pace"):
        Network.from_json(text.replace('"rate": 11', '"rate": 11, "pace": 1', 1))
    with pytest.raises(ValueError, match="teacher: loss must be one of"):
        Network.from_json(text.replace("squared_error", "hinge"))


@pytest.mark.parametrize(("teacher", "message"), [
    ({"streams": 3}, "streams must be a power of two in 1..256, not 3"), ({"seed": 0}, "seed must be an integer in 1"),
    ({"beta": 17}, "beta must be an integer in 0..16"), ({"loss": "l1"}, "loss must be one of")])
def test_refused_teachers(teacher, message):
    with pytest.raises(ValueError, match=message):
        Teacher(**({"loss": "squared_error"} | teacher))


def test_refused_networks():
    own, fixed = layer(inputs=3, lanes=3), replace(layer(inputs=3, lanes=3), plastic=None)
    with pytest.raises(ValueError, match="plastic layers need a teacher"):
        Network(name="n", dt=1.0, layers=(own,))
    with pytest.raises(ValueError, match="a teacher needs a plastic layer"):
        Network(name="n", dt=1.0, layers=(fixed,), teacher=Teacher(loss="squared_error"))
    with pytest.raises(ValueError, match="plastic layers are the last ones"):
        Network(name="n", dt=1.0, layers=(layer(lanes=3), fixed),
                teacher=Teacher(loss="squared_error"))
    with pytest.raises(ValueError, match="cross-entropy takes the linear outputs"):
        Network(name="n", dt=1.0, layers=(layer(),), teacher=Teacher(loss="cross_entropy"))


def test_shifts_by_hand():
    """Fraction bits of a product less those of what it moves, and the rate."""
    own = layer(halvings=2, tau=QFormat(8, 7), tau_r=QFormat(4, 8), tau_rate=3, rate=5)
    # errors of 10 bits, rates of 9 and two halvings, weights of 12; membranes of 10 and 2 guard bits, tau of 7
    assert weight_shift(own) == 10 + 9 + 2 - 12 + 5
    assert tau_shift(own) == 10 + 10 - 7 + 3
    assert tau_shift(replace(own, guard=2)) == 10 + 10 + 2 - 7 + 3
    assert increment_format(replace(own, guard=2)) == QFormat(5, 12)
