"""What an event-driven network is given and answers, as words of input and output registers (golden.regmap).

Input words of a tick, FIRST_BIT in the first one of a sequence, which begins from rest:

    kind 0   a line, bits 11..0, carries the value last set; lines ascend, each at most once a tick
    kind 1   the tick ends; the value is 1 again
    kind 2   what has come since the last end of a tick is cut short: the tick ends, unless nothing has come
    kind 3   the value, bits 15..0, a signed word

with the kind in bits 17..16. Its answer: for every 16 neurons of a population, of which some are looked at, a word with
a bit each in 15..0, in the order of their numbers; for every neuron of a population that does not fire its membrane, a
signed word.
"""

import numpy as np

from golden.checks import check
from golden.description import Answers, Units
from golden.event.engine import check_input
from golden.event.geometry import WORD, raster_words
from golden.fixed import wrap
from golden.regmap import FIRST_BIT, WORD_BITS

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
    """Output words of a device -> spikes or membranes (*shape, outputs); ValueError for a neuron that there is not."""
    chosen = raster_words(net)
    found = np.asarray(words, np.int64).reshape(*shape, len(chosen))
    made = np.zeros((*shape, net.neurons), net.answer_type)
    for n, (population, word) in enumerate(chosen):
        each, start = net.populations[population], net.starts[population]
        if not each.fires:
            made[..., start + word] = wrap(found[..., n], WORD_BITS)
            continue
        count, spikes = min(each.size - word * WORD, WORD), found[..., n] & 0xFFFF
        check(not np.any(spikes >> count), f"an answer has spikes of neurons {word * WORD + count}.. of {each.size} in "
              f"population {population}, which {net.name} cannot give")
        made[..., start + word * WORD:][..., :count] = spikes[..., None] >> np.arange(count) & 1
    return made[..., list(net.raster)]


def answered(net, left) -> np.ndarray:
    """What leaves all neurons (n, ticks, neurons) -> the words that a device answers, one after another."""
    found = []
    for population, word in raster_words(net):
        part = left[..., net.slice(population)].astype(np.int64)
        if net.populations[population].fires:
            part = part[..., word * WORD:(word + 1) * WORD]
            found.append((part << np.arange(part.shape[-1])).sum(-1))
        else:
            found.append(part[..., word])
    return np.stack(found, -1).ravel()


def answers(net, outputs, since: int = 0, lengths=None) -> Answers:
    """The output with most spikes, or the largest mean membrane, in the ticks that count, the first of several.

    And the mean of each over these ticks, membranes in real units.
    """
    outputs = np.asarray(outputs)
    ticks = np.arange(outputs.shape[1])
    ends = np.full(len(outputs), len(ticks)) if lengths is None else np.asarray(lengths)
    counts = (ticks >= since) & (ticks < ends[:, None])
    check(bool(counts.any(1).all()), f"no tick counts: spikes are counted from tick {since} on")
    total = (outputs * counts[..., None]).sum(1) * net.units_of_outputs
    return Answers(total.argmax(1), total / counts.sum(1)[:, None])


def drawn(net, rng: np.random.Generator, count: int) -> np.ndarray:
    """Sequences (count, DRAWN, lines) of random values, some lines in some ticks."""
    shape = count, DRAWN, net.lines
    there = rng.random(shape) < rng.choice([0.05, 0.25, 0.6], (count, 1, 1))
    high = 1 << net.input_bits - 1
    return np.where(there, rng.integers(1 if net.input_bits == 1 else -high, high + (net.input_bits == 1), shape), 0)
