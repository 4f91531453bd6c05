"""Parameters of an event-driven network -> words of its banks on the parameter bus, and back.

Lane by lane (golden.event.geometry has what lies where), each memory in banks of up to 16384 words:

    threshold, decay, bias, reset, current_decay    a bank each that some population has; a word a neuron of the lane
    dense synapses       delay (lower bits; none in an axonal network) below, weight above
    planes               a bank for each upper bit of delays, a bit a synapse; none in an axonal network
    sparse synapses      their bits in columns of 18, a bank a column
    starts               word source * visits + visit: where the synapses of a source for a visit begin

and behind the lanes, in an axonal network, the delay of every row of its dense blocks.
"""

import numpy as np

from golden.checks import check
from golden.description import Bank
from golden.event.geometry import Geometry, geometry
from golden.event.params import Dense, Neurons, Sparse, check_params, parts
from golden.fixed import wrap
from golden.regmap import WORD_BITS, WORD_MASK

#: words of a bank that the address map reaches
BANK_WORDS = 1 << 14


def fields(net) -> list[str]:
    """What neurons are loaded with, in the order of its banks."""
    return [name for name in Neurons._fields if any(name in each.words for each in net.populations)]


def dense_names(net) -> list[str]:
    """Memories of dense synapses, the lower bits first; two where a synapse is longer than a word of the bus."""
    return ["dense", "dense1"][:-(-geometry(net).width // WORD_BITS)]


def memories(net) -> list[tuple[str, int, int]]:
    """(memory, lane, words) of all of them, in the order of sending; that of all lanes has lane 0."""
    g, found = geometry(net), []
    for lane in range(net.folded):
        found += [(name, lane, g.depth) for name in fields(net)]
        if g.dense:
            found += [(name, lane, g.dense) for name in dense_names(net)]
            if not net.axonal:
                found += [(f"plane{k}", lane, g.dense_chunks) for k in range(net.delay_bits - g.fine)]
        if net.entries:
            found += [(f"list{k}", lane, g.listed) for k in range(-(-sum(g.entry) // WORD_BITS))]
            found.append(("starts", lane, g.starts))
    if net.axonal and net.dense:
        found.append(("delays", 0, g.rows[-1]))
    return found


def numbers(net) -> dict[tuple[str, int], int]:
    """First bank of each memory, by name and lane."""
    found, number = {}, 0
    for name, lane, words in memories(net):
        found[name, lane] = number
        number += -(-words // BANK_WORDS)
    return found


def first_bank(net, lane: int) -> int:
    """The first bank of a lane."""
    return min((number for (_, own), number in numbers(net).items() if own == lane), default=0)


def banks(net) -> tuple[Bank, ...]:
    """All banks with the words that an image has for them."""
    sizes = [min(BANK_WORDS, words - start) for _, _, words in memories(net) for start in range(0, words, BANK_WORDS)]
    return tuple(Bank(number, range(size)) for number, size in enumerate(sizes))


def pack(net, params) -> list[np.ndarray]:
    """Words of each bank, in their order."""
    g, found = geometry(net), parts(net, params)
    held = {}
    for lane in range(net.folded):
        for name in fields(net):
            held[name, lane] = _neuron_words(net, g, found.neurons, name, lane)
        if g.dense:
            weight, delay = _dense_lane(net, g, found.dense, lane)
            mask = (1 << net.weight_bits) - 1
            words = weight & mask if net.axonal else delay & (1 << g.fine) - 1 | (weight & mask) << g.fine
            held |= {(name, lane): words >> k * WORD_BITS & WORD_MASK for k, name in enumerate(dense_names(net))}
            bits = delay.reshape(-1, g.chunk) >> g.fine
            held |= {(f"plane{k}", lane): ((bits >> k & 1) << np.arange(g.chunk)).sum(1)
                     for k in range(net.delay_bits - g.fine)}
        if net.entries:
            words, starts = _listed(net, g, found.sparse, lane)
            held["starts", lane] = starts
            held |= {(f"list{k}", lane): words >> k * WORD_BITS & WORD_MASK
                     for k in range(-(-sum(g.entry) // WORD_BITS))}
    if net.axonal and net.dense:
        held["delays", 0] = np.concatenate([np.asarray(p.delay, np.int64) for p in found.dense])
    return [np.asarray(part, np.int64) for name, lane, words in memories(net)
            for part in np.split(held[name, lane], range(BANK_WORDS, words, BANK_WORDS))]


def _neuron_words(net, g: Geometry, neurons, name, lane) -> np.ndarray:
    words = np.zeros(g.depth, np.int64)
    for offset, p in zip(g.offset, neurons, strict=True):
        value = getattr(p, name)
        if value is not None:
            own = np.asarray(value)[lane::net.folded]
            words[offset:offset + len(own)] = own
    return words


def _dense_lane(net, g: Geometry, dense, lane) -> tuple[np.ndarray, np.ndarray]:
    """Weights and delays of a lane (g.dense,), what fills chunks up is 0."""
    weight, delay = np.zeros((2, g.dense), np.int64)
    for base, chunks, p in zip(g.bases, g.chunks, dense, strict=True):
        sources, size = np.shape(p.weight)[1], chunks * g.chunk
        part = slice(base * g.chunk, base * g.chunk + sources * size)
        for into, value in ((weight, p.weight), (delay, None if net.axonal else p.delay)):
            if value is not None:
                own = np.asarray(value, np.int64)[lane::net.folded]
                into[part].reshape(sources, size)[:, :len(own)] = own.T
    return weight, delay


def _listed(net, g: Geometry, p: Sparse, lane) -> tuple[np.ndarray, np.ndarray]:
    """Sparse synapses of a lane, by source and visit, and the table of where those of each begin."""
    source, target, weight, delay = (np.asarray(column, np.int64) for column in p)
    population = net.population_of(target)
    neuron = target - np.array(net.starts)[population]
    row = source * g.visits + (delay >> g.fine)
    own = np.flatnonzero(neuron % net.folded == lane)
    by = own[np.argsort(row[own], kind="stable")]
    bits = g.entry
    local = np.array(g.offset)[population] + neuron // net.folded
    words = np.zeros(g.listed, np.int64)
    words[:len(by)] = local[by] | (delay[by] & (1 << g.fine) - 1) << bits[0] | \
        (weight[by] & (1 << bits[2]) - 1) << bits[0] + bits[1]
    return words, np.searchsorted(row[by], np.arange(g.starts))


def unpack(net, words) -> tuple:
    """The parameters of an image's words; ValueError where bits belong to nothing."""
    whole = np.asarray(words, np.int64) & WORD_MASK
    sizes = memories(net)
    held = {(name, lane): part for (name, lane, _), part in
            zip(sizes, np.split(whole, np.cumsum([size for *_, size in sizes])[:-1]), strict=True)}
    g = geometry(net)
    found = [_neurons(net, g, held, n) for n in range(len(net.populations))]
    found += [_dense(net, g, held, n) for n in range(len(net.dense))]
    if net.entries:
        found.append(_sparse(net, g, held))
    check_params(net, found)
    wrong = np.flatnonzero((np.concatenate(pack(net, found)) & WORD_MASK) != whole)
    if wrong.size:
        raise ValueError(f"image word {wrong[0]} is 0x{whole[wrong[0]]:x}, with bits that belong to nothing")
    return tuple(found)


def _neurons(net, g, held, n) -> Neurons:
    population, found = net.populations[n], {}
    for name in population.words:
        found[name] = np.zeros(population.size, np.int64)
        for lane in range(net.folded):
            own = found[name][lane::net.folded]
            own[:] = wrap(held[name, lane][g.offset[n]:g.offset[n] + len(own)], WORD_BITS)
    return Neurons(**found)


def _dense(net, g, held, n) -> Dense:
    block = net.dense[n]
    sources, size = net.count(block), g.chunks[n] * g.chunk
    weight = np.zeros((net.populations[block.target].size, sources), np.int64)
    delay, part = np.zeros_like(weight), slice(g.bases[n] * g.chunk, g.bases[n] * g.chunk + sources * size)
    for lane in range(net.folded):
        words = sum(held[name, lane][part] << k * WORD_BITS for k, name in enumerate(dense_names(net)))
        words = words.reshape(sources, size)
        own = weight[lane::net.folded]
        low = 0 if net.axonal else g.fine
        own[:] = wrap(words[:, :len(own)].T >> low, net.weight_bits)
        if not net.axonal:
            delay[lane::net.folded] = words[:, :len(own)].T & (1 << low) - 1
            for k in range(net.delay_bits - g.fine):
                bits = held[f"plane{k}", lane][g.bases[n]:][:sources * g.chunks[n], None] >> np.arange(g.chunk) & 1
                delay[lane::net.folded] |= bits.reshape(sources, size)[:, :len(own)].T << g.fine + k
    return Dense(weight, held["delays", 0][g.rows[n]:g.rows[n + 1]] if net.axonal else delay)


def _sparse(net, g, held) -> Sparse:
    columns, bits = [], g.entry
    for lane in range(net.folded):
        starts = held["starts", lane]
        check(starts[0] == 0 and bool(np.all(np.diff(starts) >= 0)) and starts[-1] <= g.listed,
              f"lane {lane}: the table of sparse synapses does not ascend")
        row = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        words = sum(held[f"list{k}", lane][:len(row)] << k * WORD_BITS for k in range(-(-sum(bits) // WORD_BITS)))
        local = words & (1 << bits[0]) - 1
        population = np.searchsorted(g.offset, local, "right") - 1
        neuron = (local - np.array(g.offset)[population]) * net.folded + lane
        # what lies beyond a population is no neuron's: pack puts it elsewhere, or it is out of range
        target = neuron + np.array(net.starts)[population]
        columns.append((row // g.visits, target, wrap(words >> bits[0] + bits[1], net.weight_bits),
                        words >> bits[0] & (1 << bits[1]) - 1 | row % g.visits << g.fine))
    return Sparse(*(np.concatenate(each) for each in zip(*columns, strict=True)))
