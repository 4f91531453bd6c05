"""Small networks of spiking neurons for boards and devices, and what their images are to give."""

import numpy as np

from golden.fixed import QFormat
from golden.regmap import LAST_BIT, VALID_BIT
from golden.spiking import engine as spiking
from golden.spiking.layer import SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import answers
from golden.units.weights import Ternary

LEAKY = {"state": QFormat(7, 6), "leak": (2, 4)}


def seeded(seed, decision="first_spike", sizes=(12, 24, 10), ticks=12, thresholds=(128, 100)):
    """Weights from `seed`; 8 lanes for the hidden neurons."""
    inputs, hidden, outputs = sizes
    return SpikingNetwork(name="seeded", ticks=ticks, decision=decision, layers=(
        SpikingLayer(inputs=inputs, outputs=hidden, weight=Ternary(plus=5, minus=3, seed=seed), delay_bits=3,
                     threshold=thresholds[0], lanes=8, **LEAKY),
        SpikingLayer(inputs=hidden, outputs=outputs, weight=Ternary(plus=4, minus=4, seed=seed + 1),
                     delay_bits=2, threshold=thresholds[1], **LEAKY)))


def tiny(seed=8, decision="first_spike"):
    """Small enough for plain Python; most images are decided before they end."""
    return seeded(seed, decision, sizes=(5, 8, 3), ticks=5, thresholds=(64, 64))


def stored():
    """One layer of stored weights, and a decision by potential."""
    return SpikingNetwork(name="stored", ticks=9, decision="potential", layers=(
        SpikingLayer(inputs=12, outputs=10, weight=QFormat(0, 5), delay_bits=3, threshold=100, **LEAKY),))


MARKS = 1 << VALID_BIT | 1 << LAST_BIT


def images(net, count, seed=3, rate=None):
    """Spikes, `rate` of them in each image, or a few in the first image and more and more in those behind."""
    rate = np.linspace(0.01, 0.4, count)[:, None, None] if rate is None else rate
    return np.random.default_rng(seed).random((count, net.ticks, net.inputs)) < rate


def agree(found, net, params, spikes):
    golden = spiking.run(net, params, spikes).answers
    for name, a, b in zip(golden._fields, found, golden, strict=True):
        wrong = np.flatnonzero(a != b)
        assert a.shape == b.shape, name
        assert not len(wrong), f"{name} of images {wrong[:5]}: {a[wrong[:5]]}, golden {b[wrong[:5]]}"
    return golden


def classify(board, spikes, progress=None):
    """Answers of images through a board."""
    return answers(board.run(spikes, progress))


NET = seeded(77)
