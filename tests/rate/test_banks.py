"""The memories and multipliers that schedules and boards count are those that the circuit has."""

from collections import Counter

import pytest
from amaranth.hdl import Fragment
from cases import random_learner, random_network, with_delays

from rtl.primitives import Bank, Multiplier
from rtl.rate import schedule
from rtl.rate.core import NetworkCore
from rtl.rate.dense import DenseLayer
from rtl.rate.loss import OutputError
from rtl.units.extrapolator import Extrapolator


def built(net, kind, monkeypatch) -> list:
    """Every Bank or Multiplier of a NetworkCore."""
    found, elaborate = [], kind.elaborate

    def noted(unit, platform):
        found.append(unit)
        return elaborate(unit, platform)
    monkeypatch.setattr(kind, "elaborate", noted)
    todo = [Fragment.get(NetworkCore(net), None)]
    while todo:
        todo += [fragment for fragment, *_ in todo.pop().subfragments]
    return found


def test_what_is_not_asked_for_is_not_built():
    layer = random_network("banks 0").layers[0]
    assert not {"read", "read_valid"} & set(DenseLayer(layer, ahead=True).signature.members)
    assert {"read", "read_valid"} <= set(DenseLayer(layer, ahead=True, scrubs=True).signature.members)


@pytest.mark.parametrize("make", [random_network, random_learner, lambda seed: with_delays(random_network(seed), seed),
                                  lambda seed: with_delays(random_learner(seed), seed)],
                         ids=["inference", "learner", "late", "late learner"])
@pytest.mark.parametrize("seed", range(4))
def test_counted_as_built(make, seed, monkeypatch):
    net = make(f"banks {seed}")
    assert Counter(schedule.banks(net)) == Counter((bank.depth, bank.width) for bank in built(net, Bank, monkeypatch))
    predictors = [way.predictor for n in range(len(net.layers)) for way in schedule.ways(net, n) if way.predictor]
    assert len(built(net, Multiplier, monkeypatch)) == (
        sum(layer.lanes + schedule.neuron_multipliers(layer) for layer in net.layers)
        + (OutputError.multipliers(net) if net.teacher else 0) + sum(map(Extrapolator.multipliers, predictors)))
