"""Membranes of a length of their own: nothing saturates, thresholds stay, and what cannot be is said with its layer."""

import dataclasses

import numpy as np
import pytest

from golden import widths
from golden.data.dataset import Samples
from golden.fixed import QFormat
from golden.spiking.codes import LatencyCode
from golden.spiking.engine import run
from golden.spiking.layer import Kick, SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.trained import SpikingTrained
from golden.spiking.widths import MOST, choose
from golden.units.weights import Ternary


def network(stored=False, **fields):
    """A network of 20, 12 and 3 neurons, with membranes that have far too much or too little room."""
    rng, sizes = np.random.default_rng(3), (20, 12, 3)
    fields = {"state": QFormat(11, 4), "threshold": round(2.5 * 16), "refractory": 255} | fields
    layers = tuple(SpikingLayer(inputs=i, outputs=o, leak=(3,), delay_bits=3, weight=QFormat(2, 5) if stored else
                                Ternary(plus=6, minus=5, seed=n), **fields)
                   for n, (i, o) in enumerate(zip(sizes, sizes[1:], strict=False)))
    net = SpikingNetwork(name="bits", ticks=12, layers=layers, code=LatencyCode(bins=5))
    shapes = [(layer.outputs, layer.inputs) for layer in layers]
    return SpikingTrained(net=net, training={}, delays=tuple(rng.integers(0, 8, shape) for shape in shapes),
                          weights=tuple(np.round(rng.normal(0, 0.6, shape) * 32) / 32 if stored else None
                                        for shape in shapes))


def samples(n=80, y=None):
    return Samples(np.random.default_rng(4).integers(0, 256, (n, 20)).astype(np.uint8), y)


def answers(trained, data):
    return run(trained.net, trained.quantize(), trained.inputs_of(data.x, trained.net)).answers.label


@pytest.mark.parametrize(("stored", "fields"), [
    (False, {}), (True, {"state": QFormat(11, 6), "threshold": 80}),
    (False, {"order": 2, "refractory": 0, "kick": Kick(word=70, leak=(1, 3))})], ids=["seed", "stored", "psp"])
def test_formats_hold_what_is_seen(stored, fields):
    trained, data = network(stored, **fields), samples()
    found, report = choose(trained, data)
    for row, layer, old in zip(report.layers, found.net.layers, trained.net.layers, strict=True):
        assert row["saturated"] == 0
        assert layer.state.max * layer.state.lsb >= row["largest state"]
        assert layer.state.int_bits < old.state.int_bits, "no bit was saved"
        assert abs(layer.threshold * layer.state.lsb - old.threshold * old.state.lsb) <= layer.state.lsb / 2
        assert row["threshold"] == layer.threshold * layer.state.lsb
        assert row["error"] < 0.1
        assert row["weight"] == ("Q2.5" if stored else "seed")
    assert report.loss <= 0.5
    assert report.what == "answers that differ from those in real numbers"
    # as many bits as there are stand for real numbers
    fine = dataclasses.replace(trained, net=dataclasses.replace(trained.net, layers=tuple(
        dataclasses.replace(layer, state=QFormat(10, MOST - 11), threshold=layer.threshold << MOST - 11 -
                            layer.state.frac_bits, kick=layer.kick and dataclasses.replace(layer.kick, word=min(
                                (1 << 17) - 1, layer.kick.word << MOST - 11 - layer.state.frac_bits)))
        for layer in trained.net.layers)))
    if not fields.get("kick"):
        assert 100 * (answers(fine, data) != answers(found, data)).mean() == pytest.approx(report.loss)


def test_membranes_that_saturated_get_room():
    """In 5 bits before training's end: what was chosen holds what membranes would reach without a limit."""
    tight = network(state=QFormat(2, 4), threshold=40)
    found, report = choose(tight, samples())
    assert all(layer.state.int_bits > 2 for layer in found.net.layers[:1])
    assert report.layers[0]["saturated"] == 0


def test_membranes_are_as_fine_as_stored_weights():
    trained = network(True, state=QFormat(9, 8), threshold=640)
    fine = dataclasses.replace(trained, net=dataclasses.replace(trained.net, layers=tuple(
        dataclasses.replace(layer, weight=QFormat(2, 8)) for layer in trained.net.layers)))
    assert [layer.state.frac_bits for layer in choose(fine, samples())[0].net.layers] == [8, 8]


def test_labels_count_as_accuracy():
    trained = network()
    data = samples(y=answers(choose(trained, samples())[0], samples()))
    report = choose(trained, data)[1]
    assert "accuracy 100.00%" in report.what
    assert report.loss <= 0


def test_bits():
    found, _ = choose(network(), samples(), bits=9)
    assert [layer.state.width for layer in found.net.layers] == [9, 9]
    with pytest.raises(ValueError, match="membranes have 4 to 24 bits, not 25"):
        choose(network(), samples(), bits=25)
    with pytest.raises(ValueError, match=r"bits: layer 0: a membrane of [0-9.]+ takes \d+ bits, not 7"):
        choose(network(True, state=QFormat(11, 6), threshold=80), samples(), bits=7)
    with pytest.raises(ValueError, match="samples must be what its code takes: images or sequences"):
        choose(network(), Samples(np.ones((4, 5, 2)), None, np.full(4, 5)))


def test_a_loss_beyond_the_bound_names_the_layer():
    with pytest.raises(ValueError, match=r"bits: its words lose [0-9.]+ points .*, -1 are allowed: layer \d costs"):
        widths.fitted(network(), samples(), 0, points=-1)


def test_more_than_there_is_to_see():
    """Of many samples some are looked at, always the same."""
    first, second = (choose(network(), samples(700))[1] for _ in range(2))
    assert first == second
    assert first.samples == 500
