"""Spikes as words on the way to a board, and its answers: what firmware, simulation and circuit agree on.

Input words of an image: for each tick the lines that spike, then a word with TICK_BIT; behind the last tick a word with
IMAGE_BIT. An output word: label in bits 7..0, tick of the decision in 15..8, bit 16 where an output spiked.
"""

import numpy as np

from golden.checks import check
from golden.description import Description
from golden.spiking.engine import Answers

TICK_BIT, IMAGE_BIT, FIRED_BIT = 16, 17, 16
ANSWER_MASK = (1 << FIRED_BIT + 1) - 1


def input_words(net: Description, spikes) -> np.ndarray:
    """Spikes (images, ticks, inputs) bool -> input words (uint32), image by image."""
    spikes = np.asarray(spikes)
    check(spikes.ndim == 3 and spikes.shape[1:] == (net.ticks, net.inputs) and spikes.dtype == bool,
          f"spikes must be bool (images, {net.ticks}, {net.inputs}), not {spikes.dtype} {spikes.shape}")
    images = len(spikes)
    padded = np.zeros((images, net.ticks + 1, net.inputs + 1), bool)
    padded[:, :-1, :-1] = spikes
    padded[:, :, -1] = True         # the word that ends a tick, and behind the last one the image
    image, tick, line = np.nonzero(padded)
    words = line.astype(np.uint32)
    words[line == net.inputs] = 1 << TICK_BIT
    words[(line == net.inputs) & (tick == net.ticks)] = 1 << IMAGE_BIT
    return words


def answers(words) -> Answers:
    """Output words -> Answers."""
    words = np.asarray(words, np.int64)
    return Answers(words & 0xFF, words >> 8 & 0xFF, (words >> FIRED_BIT & 1).astype(bool))


def answer_words(found: Answers) -> np.ndarray:
    """Answers -> output words (int64)."""
    return np.asarray(found.label) | np.asarray(found.tick) << 8 | np.asarray(found.fired, np.int64) << FIRED_BIT
