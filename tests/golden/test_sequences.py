"""Words of a network that runs tick by tick: what is sent for samples and targets, and what no words are."""

from dataclasses import replace

import numpy as np
import pytest
from cases import random_network
from device import learner

from golden.rate.plastic import Teacher
from golden.regmap import FIRST_BIT, WORD_MASK

NET = random_network("sequences", largest=3)
FMT = NET.layers[0].operand


def test_ends_of_the_format_are_words():
    x = np.zeros((1, 2, NET.inputs), int)
    x[0, 0, 0], x[0, 1, -1] = FMT.min, FMT.max
    words = NET.units(x).words
    assert words[0] == 1 << FIRST_BIT | FMT.min & WORD_MASK
    assert words[-1] == FMT.max
    for word in (FMT.min - 1, FMT.max + 1):
        x[0, 1, -1] = word
        with pytest.raises(ValueError, match=r"inputs hold words outside of"):
            NET.units(x)


def test_targets_are_words_of_the_last_rate_or_labels():
    net = learner()
    fmt, x = net.layers[-1].rate, np.zeros((1, net.streams, net.inputs), int)
    for word in (fmt.min, fmt.max):
        units = net.learning_units(x, np.full((1, net.streams, net.targets), word), first=True)
        assert units.words[net.inputs] & WORD_MASK == word & WORD_MASK
    for word in (fmt.min - 1, fmt.max + 1):
        with pytest.raises(ValueError, match="targets"):
            net.learning_units(x, np.full((1, net.streams, net.targets), word), first=True)
    labelled = replace(net, teacher=Teacher(loss="cross_entropy", streams=net.streams, seed=5))
    target = np.full((1, net.streams, labelled.targets), net.outputs - 1)
    assert labelled.learning_units(x, target, first=True).ends[0] == net.inputs + labelled.targets
    with pytest.raises(ValueError, match="targets"):
        labelled.learning_units(x, target + 1, first=True)
    with pytest.raises(ValueError, match="has no teacher and no plastic layer"):
        NET.learning_units(x, target, first=True)
