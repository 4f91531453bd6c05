"""Flips of bits in the memories of a device, drawn from a seed: what particles, weak cells and low voltages do.

A system says which memories its circuits have (golden/<kind>/faults.py), as rows of words of so many bits. A flip turns
over one stored bit of one word, before a tick of a run; nothing puts it back but a new image or a new value.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from golden.checks import check
from golden.fixed import wrap

MILLION = 1_000_000


class Memory(NamedTuple):
    """Words that can flip: what they hold, of which layer (-1: all), and the stored bits of each (0: none)."""

    part: str
    layer: int
    bits: np.ndarray


class Flip(NamedTuple):
    """Bit `bit` of word `word` of the memory `part` of `layer` turns over before tick `tick`."""

    tick: int
    part: str
    layer: int
    word: int
    bit: int


def words(memories: Iterable[Memory]) -> int:
    """How many words of the memories can flip."""
    return sum(int(np.count_nonzero(memory.bits)) for memory in memories)


def draw(memories: Sequence[Memory], per_million: float, ticks: int, rng: np.random.Generator) -> list[Flip]:
    """Flips of a run of `ticks`, in order of time: per_million of a million words flip once, on average.

    Any word, any of its bits, before any tick but the first, whose state counts as zero. ValueError for a rate outside
    of 0..1,000,000 and for a run of one tick.
    """
    check(0 <= per_million <= MILLION, f"flips per million words must be in 0..{MILLION:,}, not {per_million!r}")
    check(ticks >= 2, f"flips come between the ticks of a run: it needs two or more, not {ticks!r}")
    cells = [(memory, word) for memory in memories for word in np.flatnonzero(memory.bits)]
    count = rng.binomial(len(cells), per_million / MILLION)
    chosen = rng.choice(len(cells), count, replace=False)
    times, found = rng.integers(1, ticks, count), []
    for tick, (memory, word) in zip(times.tolist(), (cells[n] for n in chosen), strict=True):
        bit = int(rng.integers(memory.bits[word]))
        found.append(Flip(tick, memory.part, memory.layer, int(word), bit))
    return sorted(found)


def at(flips: Iterable[Flip], tick: int, *parts: str) -> Iterator[Flip]:
    """Those before `tick` in memories of `parts`."""
    return (flip for flip in flips if flip.tick == tick and flip.part in parts)


def turned(word, bit: int, width: int):
    """A signed word of `width` bits with one of them turned over."""
    check(0 <= bit < width, f"a word of {width} bits has no bit {bit}")
    return wrap(word ^ (1 << bit), width)
