"""What a network takes of a part, by hand: multipliers of lanes, neurons, predictors and the teacher."""

from dataclasses import replace

import pytest

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from golden.units.extrapolator import Predictor
from rtl.rate.cost import inventory, multipliers

FIELDS = {"operand": QFormat(0, 9), "weight": QFormat(3, 12), "state": QFormat(3, 10), "lead": QFormat(1, 10),
          "lag": QFormat(0, 12), "rate": QFormat(0, 9)}
NET = Network(name="cost", dt=1.0, layers=(Dense(inputs=3, outputs=5, lanes=3, activation="tanh", **FIELDS),
                                           Dense(inputs=5, outputs=2, lanes=2, activation="linear", **FIELDS)))
OWN = Plastic(error=QFormat(2, 10), slope=QFormat(1, 8), rate=4)


def test_lanes_and_two_a_layer():
    assert multipliers(NET) == 3 + 2 + 2 * 2


@pytest.mark.parametrize(("loss", "more"), [("squared_error", 0), ("cross_entropy", 1)])
def test_a_teacher(loss, more):
    """The last layer is linear: its errors take no multiplier."""
    net = replace(NET, layers=(NET.layers[0], replace(NET.layers[1], plastic=OWN)), teacher=Teacher(loss=loss))
    assert multipliers(net) == multipliers(NET) + more


def test_a_predictor():
    for fields, more in (({"kind": "linear"}, 0), ({"kind": "linear", "spacing": 1}, 1)):
        late = replace(NET.layers[1], max_delay=2, delay=1, predictor=Predictor(history=4, **fields))
        assert multipliers(replace(NET, layers=(NET.layers[0], late))) == multipliers(NET) + more


def test_logic():
    found = inventory(NET)
    assert (found.multipliers, found.logic) == (9, {"layer": 2, "mac_lane": 5, "table": 1})
