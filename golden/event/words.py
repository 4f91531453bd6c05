"""What an event-driven network is given and answers, as words of input and output registers (golden.regmap).

Input words of a tick, FIRST_BIT in the first one of a sequence, which begins from rest:

    kind 0   a line, bits 11..0, carries the value last set; lines ascend, each at most once a tick
    kind 1   the tick ends; the value is 1 again
    kind 2   what has come since the last end of a tick is cut short: the tick ends, unless nothing has come
    kind 3   the value, bits 15..0, a signed word

with the kind in bits 17..16. Its answer: for every 16 neurons of a population, of which some are looked at, a word with
a bit each in 15..0, in the order of their numbers.
"""

import numpy as np

from golden.checks import check
from golden.description import Units
from golden.event.engine import check_input
from golden.event.geometry import WORD, raster_words
from golden.regmap import FIRST_BIT

EVENT, TICK, DROP, VALUE = range(4)
KIND_SHIFT, DROP_BIT = 16, 17
#: ticks of a sequence that is drawn
DRAWN = 24


def units(net, x) -> Units:
    """Sequences (n, ticks, lines); a unit is a tick."""
    x = check_input(net, x)
    check(x.size > 0, "no ticks to run")
    ticks = x.reshape(-1, net.lines)
    at, line = np.nonzero(ticks)
    value = ticks[at, line]
    # a value is said where it is not the last one said, which is 1 where a tick begins
    begins = np.diff(at, prepend=-1) != 0
    said = value != np.where(begins, 1, np.concatenate([[1], value[:-1]])) if len(value) else np.zeros(0, bool)
    many = np.bincount(at, 1 + said, len(ticks)).astype(np.int64) + 1
    ends = np.cumsum(many)
    found = np.zeros(int(ends[-1]), np.uint32)
    found[ends - 1] = TICK << KIND_SHIFT
    place = np.cumsum(1 + said) - 1 + at        # an end of a tick before each later one
    found[place] = line
    found[place[said] - 1] = VALUE << KIND_SHIFT | value[said] & 0xFFFF
    found[np.concatenate([[0], ends])[:-1].reshape(x.shape[:2])[:, 0]] |= np.uint32(1 << FIRST_BIT)
    return Units(found, ends, len(raster_words(net)))


def outputs(net, words, shape) -> np.ndarray:
    """Output words of a device -> spikes (*shape, outputs), 0 or 1; ValueError for a neuron that there is not."""
    chosen = raster_words(net)
    found = np.asarray(words, np.int64).reshape(*shape, len(chosen)) & 0xFFFF
    column = {}
    for n, (population, word) in enumerate(chosen):
        left = net.populations[population].size - word * WORD
        check(not np.any(found[..., n] >> min(left, WORD)),
              f"an answer has spikes of neurons {left}.. of {left} in population {population}, which {net.name} cannot "
              f"give")
        column |= {net.starts[population] + word * WORD + k: (n, k) for k in range(min(left, WORD))}
    places = [column[neuron] for neuron in net.raster]
    return np.stack([found[..., n] >> k & 1 for n, k in places], -1).astype(np.int8)


def answered(net, spikes) -> np.ndarray:
    """Spikes of all neurons (n, ticks, neurons) -> the words that a device answers, one after another."""
    found = []
    for population, word in raster_words(net):
        part = spikes[..., net.slice(population)][..., word * WORD:(word + 1) * WORD]
        found.append((part.astype(np.int64) << np.arange(part.shape[-1])).sum(-1))
    return np.stack(found, -1).ravel()


def drawn(net, rng: np.random.Generator, count: int) -> np.ndarray:
    """Sequences (count, DRAWN, lines) of random values, some lines in some ticks."""
    shape = count, DRAWN, net.lines
    there = rng.random(shape) < rng.choice([0.05, 0.25, 0.6], (count, 1, 1))
    high = 1 << net.input_bits - 1
    return np.where(there, rng.integers(1 if net.input_bits == 1 else -high, high + (net.input_bits == 1), shape), 0)
