"""Event-driven networks in integers: the specification of rtl/event.

With s[n] of a neuron 1 where it fires in tick n, and of a line the word that it is given in tick n, else 0:

    a[n] = sum over synapses (source, w, d) of w s_source[n - d]     arrivals, exact whatever their order
    came[n]: in some synapse s_source[n - d] is not 0                 weights of 0 count

and in each tick, population by population in the order of the description, of every neuron:

    u = max(decay v, floor)                       decay x = round_shift(x decay_word, leak), or x
    membrane:  v = sat(u + (a << shift) + bias)
    current:   c' = sat(decay_c c + (a << shift));  v = sat(u + round_shift(c' or c, current_shift) + bias)
    fires where v >= threshold, and came where on_arrival;  then v = 0 | reset | v - reset;  or never, and v leaves
    "late":    v = sat(u + .. + bias - reset s[n - 1]), and nothing when it fires

A delay of 0 thus leads from lines, and from a population to those behind it, within a tick. sat clips to the state's
bits; it and the threshold are all that is not linear. Before the first tick everything is 0.
Sources: NIR's neurons by forward Euler (golden.nir.euler), dt/tau in weights, bias and decay; RISP (golden.nir.risp),
with decay words of 0 and 1. tests/event holds both to the bit.
"""

from typing import NamedTuple

import numpy as np

from golden.checks import check
from golden.description import Description
from golden.event.params import Neurons, check_params, parts
from golden.event.parts import INPUT, Population
from golden.fixed import clip, round_shift

#: sequences that run side by side, by the words that rings then have
SIDE_BY_SIDE = 1 << 22


class State(NamedTuple):
    """Of sequences side by side (n, ..): membranes, currents and last spikes (n, neurons); what is on its way.

    sums, came (n, slots, neurons): arrivals of tick t are in slot t % slots; tick, the next one.
    """

    v: np.ndarray
    c: np.ndarray
    fired: np.ndarray
    sums: np.ndarray
    came: np.ndarray
    tick: int


class Rows(NamedTuple):
    """Synapses by source: those of flat source i are start[i]..start[i + 1] of the columns."""

    start: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    delay: np.ndarray


def rest(net: Description, count: int) -> State:
    """Nothing charged, nothing on its way."""
    zero = np.zeros((count, net.neurons), np.int64)
    sums = np.zeros((count, net.max_delay + 1, net.neurons), np.int64)
    return State(zero, zero.copy(), zero.astype(bool), sums, sums.astype(bool), 0)


def rows(net: Description, params) -> Rows:
    """The synapses of a network's parameters, every kind of them, by source."""
    found, columns = parts(net, params), []
    for block, p in zip(net.dense, found.dense, strict=True):
        weight = np.asarray(p.weight, np.int64)
        source = block.first + np.arange(weight.shape[1]) + _first(net, block.source)
        target = np.arange(len(weight)) + net.slice(block.target).start
        delay = np.broadcast_to(np.asarray(p.delay, np.int64), weight.shape)
        columns.append((np.broadcast_to(source, weight.shape), np.broadcast_to(target[:, None], weight.shape), weight,
                        delay))
    for block in net.direct:
        each = np.arange(net.count(block))
        columns.append((block.first + each + net.neurons, net.slice(block.target).start + block.into + each,
                        np.ones_like(each), np.zeros_like(each)))
    if found.sparse is not None:
        columns.append(found.sparse)
    source, target, weight, delay = (np.concatenate([np.zeros(0, np.int64), *map(np.ravel, each)]).astype(np.int64)
                                     for each in zip(*columns, strict=True)) if columns else [np.zeros(0, np.int64)] * 4
    by = np.argsort(source, kind="stable")
    start = np.searchsorted(source[by], np.arange(net.neurons + net.lines + 1))
    return Rows(start, target[by], weight[by], delay[by])


def _first(net, source):
    """Flat number of the first source of a population, or of the first line."""
    return net.neurons if source == INPUT else net.starts[source]


def neuron_step(population: Population, p: Neurons, v, c, fired, arrived, came):
    """One tick of a population: (n, size) each -> (v, c, fired); arrived as words of weights."""
    low, high, arrived = population.low, population.high, arrived << population.shift
    u = v if p.decay is None else round_shift(v * p.decay, population.leak)
    if population.floor is not None:
        u = np.maximum(u, population.floor)
    if population.current is None:
        into = arrived
    else:
        old, c = c, c if p.current_decay is None else round_shift(c * p.current_decay, population.current_leak)
        c = clip(c + arrived, low, high)
        into = round_shift(c if population.current == "new" else old, population.current_shift)
    into = into if p.bias is None else into + p.bias
    if population.reset == "late":
        into = into - np.where(fired, p.reset, 0)
    v = clip(u + into, low, high)
    fired = v >= p.threshold if population.fires else np.zeros(v.shape, bool)
    if population.on_arrival:
        fired = fired & came
    if population.reset != "late":
        after = {"zero": 0, "value": p.reset, "subtract": v if p.reset is None else clip(v - p.reset, low, high)}
        v = np.where(fired, after[population.reset], v)
    return v, c, fired


def advance(net: Description, params, x, state: State | None = None, synapses: Rows | None = None):
    """Run on: x (n, ticks, lines) -> (what leaves all neurons (n, ticks, neurons), state then).

    Spikes leave, as bool; where some population does not fire, int32: spikes, 0 or 1, and its membranes.
    state: of an earlier run of as many sequences; None: from rest. synapses: `rows`, where they are there already.
    """
    x = check_input(net, x)
    synapses = rows(net, params) if synapses is None else synapses
    state = rest(net, len(x)) if state is None else state
    v, c, last, sums, came, tick = (each.copy() if isinstance(each, np.ndarray) else each for each in state)
    neurons, slots = parts(net, params).neurons, sums.shape[1]
    found = np.zeros((*x.shape[:2], net.neurons), bool if net.spikes_alone else np.int32)

    def send(at, source, value, now):
        """Spikes of a tick: sequences, flat sources and values."""
        many = synapses.start[source + 1] - synapses.start[source]
        use = np.repeat(synapses.start[source] - np.cumsum(many) + many, many) + np.arange(many.sum())
        where = np.repeat(at, many), (now + synapses.delay[use]) % slots, synapses.target[use]
        np.add.at(sums, where, synapses.weight[use] * np.repeat(value, many))
        came[where] = True

    for n in range(x.shape[1]):
        slot = (tick + n) % slots
        at, line = np.nonzero(x[:, n])
        send(at, net.neurons + line, x[at, n, line], tick + n)
        for k, (population, p) in enumerate(zip(net.populations, neurons, strict=True)):
            part = net.slice(k)
            v[:, part], c[:, part], fired = neuron_step(population, p, v[:, part], c[:, part], last[:, part],
                                                        sums[:, slot, part], came[:, slot, part])
            last[:, part] = fired
            found[:, n, part] = fired if population.fires else v[:, part]
            at, source = np.nonzero(fired)
            send(at, part.start + source, np.ones(len(at), np.int64), tick + n)
        sums[:, slot], came[:, slot] = 0, False
    return found, State(v, c, last, sums, came, tick + x.shape[1])


def check_input(net: Description, x) -> np.ndarray:
    """X as int64; ValueError unless it is (n, ticks, lines) integers that input_bits hold."""
    x = np.asarray(x)
    check(x.ndim == 3 and x.shape[2] == net.lines and x.dtype.kind in "iub",
          f"inputs are integers of shape (n, ticks, {net.lines}), not {x.dtype} of shape {x.shape}")
    low, high = (0, 1) if net.input_bits == 1 else (-(1 << net.input_bits - 1), (1 << net.input_bits - 1) - 1)
    check(not x.size or (low <= x.min() and x.max() <= high), f"inputs hold words outside of {low}..{high}")
    return x.astype(np.int64)


def run(net: Description, params, x, progress=None) -> np.ndarray:
    """X (n, ticks, lines) -> what leaves the raster's neurons (n, ticks, outputs); each sequence from rest.

    int8 spikes, or int32 where membranes are among them.
    """
    check_params(net, params)
    x, synapses, found = check_input(net, x), rows(net, params), []
    step = max(1, SIDE_BY_SIDE // (net.neurons * (net.max_delay + 1 + x.shape[1])))
    for start in range(0, len(x), step):
        spikes, _ = advance(net, params, x[start:start + step], None, synapses)
        found.append(spikes[..., list(net.raster)].astype(net.answer_type))
        if progress is not None:
            progress(len(found[-1]))
    return np.concatenate(found) if found else np.zeros((0, x.shape[1], net.outputs), net.answer_type)
