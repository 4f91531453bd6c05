"""Where everything of an event-driven network lies in the memories of its circuit.

Neuron i of a population is in lane i % lanes, at word offset + i // lanes of that lane; a population begins at a
multiple of `chunk` words. A row is what a source has in a dense block: in each lane chunks of `chunk` synapses, target
after target. The lower FINE bits of a delay stand with the weight, the upper ones in planes, a bit of every synapse of
a chunk side by side: a spike is visited again every 2**FINE ticks, and each visit serves the synapses whose upper bits
are its number.
"""

from functools import lru_cache
from typing import NamedTuple

#: neurons whose spikes stand in a word
WORD = 16
#: bits of a delay that a ring of sums has slots for
FINE = 5
CHUNKS = (16, 8, 4)


class Geometry(NamedTuple):
    """Sizes, and by population and dense block where they begin.

    chunk     synapses of a row that are looked at together
    offset    first word of each population in every lane; depth, words of a lane
    fine      lower bits of a delay; visits, of each spike
    bases     first chunk of each dense block; chunks, of a row of each; rows, the number of its first row
    dense     synapses of a lane, with what fills chunks up
    width     bits of a synapse in a dense block: delay below, weight above
    history   first word of each population in the history of spikes, that of lines, the number of words
    listed    sparse synapses that a lane has room for; starts, words of the table of where they begin
    entry     bits of target, delay and weight of a sparse one, in this order from below
    """

    chunk: int
    offset: tuple[int, ...]
    depth: int
    fine: int
    visits: int
    bases: tuple[int, ...]
    chunks: tuple[int, ...]
    rows: tuple[int, ...]
    dense: int
    width: int
    history: tuple[int, ...]
    listed: int
    starts: int
    entry: tuple[int, int, int]

    @property
    def dense_chunks(self) -> int:
        return self.dense // self.chunk


def geometry(net) -> Geometry:
    """That of a network with its lanes."""
    return _geometry(net)


@lru_cache(maxsize=64)
def _geometry(net) -> Geometry:
    chunk = min(CHUNKS, key=lambda each: (sum(net.count(block) * _chunks(net, block.target, each) * each
                                              for block in net.dense), -each))
    offset, bases, rows, history = [0], [0], [0], [0]
    for n, population in enumerate(net.populations):
        offset.append(offset[-1] + _chunks(net, n, chunk) * chunk)
        history.append(history[-1] + -(-population.size // WORD))
    for block in net.dense:
        bases.append(bases[-1] + net.count(block) * _chunks(net, block.target, chunk))
        rows.append(rows[-1] + net.count(block))
    history.append(history[-1] + -(-net.lines // WORD))
    fine = min(FINE, net.delay_bits)
    visits = 1 << net.delay_bits - fine
    listed = net.entries        # all of them may be of one lane
    return Geometry(
        chunk, tuple(offset[:-1]), offset[-1], fine, visits, tuple(bases[:-1]),
        tuple(_chunks(net, block.target, chunk) for block in net.dense), tuple(rows), bases[-1] * chunk,
        net.weight_bits + (0 if net.axonal else fine), tuple(history), listed,
        (net.neurons + net.lines) * visits + 1 if net.entries else 0,
        (max(1, (offset[-1] - 1).bit_length()), fine, net.weight_bits))


def _chunks(net, population: int, chunk: int) -> int:
    """Chunks of a lane that hold a population."""
    return -(-net.populations[population].size // (net.folded * chunk))


def raster_words(net) -> list[tuple[int, int]]:
    """Population and number of every word that is answered in a tick.

    A word holds spikes of WORD neurons, some of which are looked at; or the membrane of one neuron that does not fire.
    """
    populations = net.population_of(net.raster).tolist()
    return sorted({(population, (neuron - net.starts[population]) // (WORD if net.populations[population].fires else 1))
                   for population, neuron in zip(populations, net.raster, strict=True)})
