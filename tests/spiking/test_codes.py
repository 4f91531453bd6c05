"""How samples become spikes: levels of real sequences (of pictures see test_spiking.py), and codes in a description."""

import dataclasses
import json

import numpy as np
import pytest

from golden.fixed import QFormat
from golden.spiking.codes import LatencyCode, LevelCode, level_code
from golden.spiking.engine import encode
from golden.spiking.layer import SpikingLayer
from golden.spiking.network import SpikingNetwork

CODE = LevelCode(levels=((0.0, 1.0), (-2.0, 5.0)))


def network(code=CODE, inputs=6):
    return SpikingNetwork(name="codes", ticks=5, code=code, layers=(SpikingLayer(
        inputs=inputs, outputs=2, weight=QFormat(2, 5), delay_bits=2, state=QFormat(6, 6), leak=(), threshold=9),))


def test_by_hand():
    x = np.array([[[-0.5, -3], [0, -2], [0.5, 4.9], [7, 5]], [[1, 6], [9, 9], [9, 9], [9, 9]]], np.float32)
    spikes = encode(CODE, 5, x, [4, 1])
    lines = [[np.flatnonzero(tick).tolist() for tick in sequence] for sequence in spikes]
    # a value at a level has reached it
    assert lines == [[[0, 3], [1, 4], [1, 4], [2, 5], []], [[2, 5], [], [], [], []]]
    assert spikes.dtype == bool
    assert np.array_equal(encode(CODE, 5, x, [4, 4])[0], spikes[0])
    assert np.array_equal(encode(CODE, 5, x)[1, 1:4].sum(1), [2, 2, 2]), "without lengths all ticks count"


def test_levels_part_the_values_evenly():
    rng = np.random.default_rng(1)
    x, lengths = rng.normal(0, 1, (50, 20, 3)), rng.integers(5, 21, 50)
    x[np.arange(20) >= lengths[:, None]] = 1e6      # does not count
    spikes = encode(level_code(x, lengths, 4), 20, x, lengths)
    shares = spikes.sum((0, 1)) / lengths.sum()
    assert np.abs(shares - 0.2).max() < 0.01
    assert spikes.sum() == 3 * lengths.sum()


@pytest.mark.parametrize(("levels", "said"), [
    ((), "levels must be a list of thresholds for each channel"), (3, "levels must be a list"),
    ((1.0, 2.0), "levels must be a list of thresholds for each channel"), (((1.0,), ()), "differ in their number"),
    (((),), "differ in their number of levels"), (((2.0, 1.0),), "must ascend"), (((float("nan"),),), "finite numbers"),
    ((("a",),), "finite numbers"), (((True,),), "finite numbers"), (((float("inf"),),), "finite numbers")])
def test_refusals(levels, said):
    with pytest.raises(ValueError, match=said):
        LevelCode(levels=levels)


@pytest.mark.parametrize(("x", "lengths", "said"), [
    (np.ones((2, 6, 2)), None, "a sequence of 6 ticks does not fit in 5"),
    (np.ones((2, 4, 3)), None, r"reals of shape \(n, ticks, 2\), not float64 of shape \(2, 4, 3\)"),
    (np.ones((2, 4)), None, "reals of shape"), (np.ones((2, 4, 2), complex), None, "not complex128")])
def test_samples_that_do_not_fit(x, lengths, said):
    with pytest.raises(ValueError, match=said):
        encode(CODE, 5, x, lengths)
    assert encode(CODE, 5, np.ones((2, 9, 2)), [5, 1]).shape == (2, 5, 6), "what is behind the longest may stand there"


def test_description():
    net = network()
    again = SpikingNetwork.from_json(net.to_json())
    assert again == net
    assert json.loads(net.to_json())["code"] == {"levels": [[0.0, 1.0], [-2.0, 5.0]]}
    assert net.fingerprint == network(None).fingerprint, "how samples become spikes shapes no circuit"
    assert SpikingNetwork.from_json(network(LatencyCode(bins=3)).to_json()).code == LatencyCode(bins=3)
    with pytest.raises(ValueError, match="a code of 6 lines does not fit 7 inputs"):
        network(inputs=7)
    with pytest.raises(ValueError, match="spikes in 6 ticks do not fit in 5"):
        network(LatencyCode(bins=6))
    with pytest.raises(ValueError, match="code must be a LatencyCode, a LevelCode or None"):
        dataclasses.replace(net, code="latency")
    entry = json.loads(net.to_json())
    for code, said in (({"levels": [[0]], "bins": 3}, "code: unknown fields"), ({}, "code: missing fields bins"),
                       ([], "code: must be an object"), ({"levels": None}, "level code: levels must be a list")):
        with pytest.raises(ValueError, match=said):
            SpikingNetwork.from_json(json.dumps(entry | {"code": code}))
