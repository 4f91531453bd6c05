"""Parameters of an event-driven network: a Neurons each population, a Dense each dense block, maybe a Sparse.

They stand in a tuple in this order. Flat numbers count the neurons of all populations one after another; lines follow:
line i is source `neurons + i`.
"""

from typing import NamedTuple

import numpy as np

from golden.checks import check
from golden.event.parts import INPUT


class Neurons(NamedTuple):
    """Of a population, (size,) words each, None where its description has no such thing.

    threshold: it fires at or above it (above it: one more), if it fires at all; decay, current_decay: factors, words of
    2**-F; bias, added each tick; reset, the value after a spike or what is taken away.
    """

    threshold: np.ndarray | None = None
    decay: np.ndarray | None = None
    bias: np.ndarray | None = None
    reset: np.ndarray | None = None
    current_decay: np.ndarray | None = None


class Dense(NamedTuple):
    """Of a dense block: weight (targets, sources); delay in ticks, as weight, or (sources,) in an axonal network."""

    weight: np.ndarray
    delay: np.ndarray


class Sparse(NamedTuple):
    """Synapses one by one, (k,) each: flat numbers of source and target, weight, delay; several a pair may be."""

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    delay: np.ndarray


class Parts(NamedTuple):
    """The tuple of parameters, taken apart; sparse is None where the network has none."""

    neurons: tuple[Neurons, ...]
    dense: tuple[Dense, ...]
    sparse: Sparse | None


def parts(net, params) -> Parts:
    """Taken apart by the description; ValueError for another number of entries."""
    pops, blocks = len(net.populations), len(net.dense)
    expected = pops + blocks + (net.entries > 0)
    check(len(params) == expected, f"{net.name} has {expected} sets of parameters, not {len(params)}")
    return Parts(tuple(params[:pops]), tuple(params[pops:pops + blocks]), params[-1] if net.entries else None)


def check_params(net, params) -> None:
    """ValueError where shapes, ranges, delays or sums do not fit."""
    found = parts(net, params)
    for n, (population, p) in enumerate(zip(net.populations, found.neurons, strict=True)):
        me, known = f"population {n}", population.words
        for name, value in p._asdict().items():
            check((value is None) == (name not in known),
                  f"{me}: {name} is missing" if value is None else f"{me}: its description has no {name}")
            if value is not None:
                _words(f"{me}: {name}", value, (population.size,), *known[name])
    low, high = net.weights
    for n, (block, p) in enumerate(zip(net.dense, found.dense, strict=True)):
        me, shape = f"dense block {n}", (net.populations[block.target].size, net.count(block))
        _words(f"{me}: weight", p.weight, shape, low, high)
        _words(f"{me}: delay", p.delay, shape[1:] if net.axonal else shape, net.least_delay(block.source, block.target),
               net.max_delay)
    if found.sparse is not None:
        _check_sparse(net, found.sparse)
    _check_sums(net, found)


def _words(me, value, shape, low, high):
    value = np.asarray(value)
    check(value.dtype.kind in "iu", f"{me} must be integers, not {value.dtype}")
    check(value.shape == shape, f"{me} has shape {value.shape}, expected {shape}")
    wrong = np.argwhere((value < low) | (value > high))
    if len(wrong):
        at = wrong[0].tolist()
        raise ValueError(f"{me}{at} is {value[tuple(at)]}, outside of {low}..{high}")


def _check_sparse(net, p):
    check(len({np.shape(column) for column in p}) == 1 and np.ndim(p.source) == 1,
          "sparse synapses: columns differ in length")
    size = len(p.source)
    check(size <= net.entries, f"{net.name} has room for {net.entries} sparse synapses, not {size}")
    for name, value, low, high in (("source", p.source, 0, net.neurons + net.inputs - 1),
                                   ("target", p.target, 0, net.neurons - 1), ("weight", p.weight, *net.weights),
                                   ("delay", p.delay, 0, net.max_delay)):
        _words(f"sparse synapses: {name}", value, (size,), low, high)
    source, target = net.population_of(p.source), net.population_of(p.target)
    mute = np.flatnonzero(np.isin(source, [n for n, each in enumerate(net.populations) if not each.fires]))
    check(not len(mute), f"sparse synapse {mute[0] if len(mute) else ''}: its source is of a population that never "
                         f"fires")
    early = np.flatnonzero((np.asarray(p.delay) == 0) & (source >= target) & (source != len(net.populations)))
    check(not len(early), f"sparse synapse {early[0] if len(early) else ''}: a delay of 0 leads from a population to "
                          f"one behind it only")


def reach(net, found: Parts) -> np.ndarray:
    """The largest amount that may arrive at each neuron in a tick (neurons,): every source at its largest."""
    most = np.zeros(net.neurons, np.int64)
    for block, p in zip(net.dense, found.dense, strict=True):
        most[net.slice(block.target)] += np.abs(np.asarray(p.weight, np.int64)).sum(1) * net.largest(block.source)
    for block in net.direct:
        start = net.slice(block.target).start + block.into
        most[start:start + net.count(block)] += net.largest(INPUT)
    if found.sparse is not None:
        source, target, weight, _ = (np.asarray(column, np.int64) for column in found.sparse)
        np.add.at(most, target, np.abs(weight) * np.where(source < net.neurons, 1, net.largest(INPUT)))
    return most


def _check_sums(net, found):
    most, high = reach(net, found), (1 << net.sum_width - 1) - 1
    wrong = np.flatnonzero(most > high)
    if len(wrong):
        raise ValueError(f"neuron {wrong[0]}: up to {most[wrong[0]]} may arrive in a tick, sums of {net.sum_width} "
                         f"bits hold {high}")


def random_params(net, rng: np.random.Generator, *, fill: float = 1.0) -> tuple:
    """Parameters of any value that fits; fill: share of `entries` that are there. Most thresholds are reached."""
    found = []
    for population in net.populations:
        words = {}
        for name, (low, high) in population.words.items():
            if name in ("threshold", "reset", "bias"):
                most = min(high, 1 << rng.integers(1, population.state))
                low, high = (1, most) if name == "threshold" and rng.random() < 0.8 else (max(low, -most // 4), most)
            words[name] = rng.integers(low, high + 1, population.size)
        found.append(Neurons(**words))
    for block in net.dense:
        shape = (net.populations[block.target].size, net.count(block))
        delay = rng.integers(net.least_delay(block.source, block.target), net.max_delay + 1,
                             shape[1:] if net.axonal else shape)
        found.append(Dense(rng.integers(net.weights[0], net.weights[1] + 1, shape), delay))
    if net.entries:
        k = round(fill * net.entries)
        fire = np.repeat([each.fires for each in net.populations], [each.size for each in net.populations])
        source = np.flatnonzero(np.append(fire, np.ones(net.inputs, bool)))
        source = source[rng.integers(0, len(source), k)]
        target = rng.integers(0, net.neurons, k)
        later = (net.population_of(source) >= net.population_of(target)) & (source < net.neurons)
        found.append(Sparse(source, target, rng.integers(net.weights[0], net.weights[1] + 1, k),
                            rng.integers(later.astype(np.int64), net.max_delay + 1)))
    return tuple(found)
