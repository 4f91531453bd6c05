"""What lies between the populations of a graph, as tables of synapses: source, target, weight, delay in steps.

Populations are the nodes that hold a state or fire, Inputs and Outputs. All other nodes are linear, so what leads from
a population to another is a sum over paths, and of each path

    (W2 D W1 x)[t] = sum over entries of weight x[source][t - delay]

with D a Delay, before or behind weights, of a step count for each channel. Paths side by side stay side by side: two
entries for a pair of neurons are two synapses, also of one delay. Within a path entries of one pair and delay are one.
Biases are synapses of a source that is 1 from the first step on, and so are delayed like everything else.
Source: conventions of golden/nir/graph.py and golden/nir/euler.py [derived]; tests hold the two equal.
"""

from typing import NamedTuple

import numpy as np

from golden.checks import check, listed
from golden.nir.euler import order, windows_of
from golden.nir.graph import Flat, around, lagged
from golden.nir.neurons import Delay, Scale
from golden.nir.nodes import Affine, AvgPool2d, Conv, Flatten, Input, Linear, Node, Output, Shape, SumPool2d
from golden.nir.options import Options, steps

#: the source of biases, and synapses of one table at most
ONE, MOST = "", 1 << 26


class Table(NamedTuple):
    """Synapses between two populations, (k,) each: numbers of neurons in C order, float64 weights, steps."""

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    delay: np.ndarray


class Wiring(NamedTuple):
    """Populations in the order in which they are computed within a step; tables by (source, target), ONE for biases.

    A synapse of delay 0 hands on what its source said in the same step.
    """

    populations: tuple[str, ...]
    tables: dict[tuple[str, str], Table]


def is_population(node: Node) -> bool:
    return node.STATE or node.SPIKES or isinstance(node, Input)     # an Output is one of these


def wire(flat: Flat, options: Options) -> Wiring:
    """The tables of a graph at its dt.

    ValueError for a loop in which only delays stand, whose answer to a spike has no end, and for tables that are too
    large; for what Options.of refuses.
    """
    options = options.of(flat)
    delays = {name: steps(node, options.dt) for name, node in flat.nodes.items() if isinstance(node, Delay)}
    waiting = {name for name, delay in delays.items() if delay.all()}
    late = lagged(flat.nodes, flat.edges, waiting)
    maps = {name for name, node in flat.nodes.items() if not is_population(node)}
    inner = {(a, b) for a, b in flat.edges if a in maps and b in maps}
    found, tables, (before, _) = {}, {}, around(flat.nodes, flat.edges)
    for name in _behind(maps, inner):
        node = flat.nodes[name]
        try:
            entries = columns(node, flat.enters[name], delays.get(name))
        except ValueError as error:
            raise ValueError(f"node {listed([name])} ({node.kind}): {error}") from None
        found[name] = [(source, _through(name, table, entries))
                       for source, table in _into(flat, name, before[name], found, late)]
        if isinstance(node, Affine | Conv):
            found[name].append((ONE, _bias(node, flat.leaves[name])))
    populations = [name for name in order(flat, late, waiting) if name not in maps]
    for name in populations:
        for source, table in _into(flat, name, before[name], found, late):
            both = [tables[source, name], table] if (source, name) in tables else [table]
            tables[source, name] = Table(*map(np.concatenate, zip(*both, strict=True)))
    return Wiring(tuple(populations), tables)


def _behind(names: set[str], edges: set) -> list[str]:
    """Linear nodes, each behind those that lead into it."""
    left = {name: set(before) for name, before in around(sorted(names), edges)[0].items()}
    found = []
    while left:
        ready = [name for name, before in left.items() if not before]
        check(bool(ready), f"node {listed([next(iter(left))])}: a loop without a state has no table of synapses")
        found += ready
        left = {name: before.difference(ready) for name, before in left.items() if name not in ready}
    return found


def _into(flat: Flat, name: str, sources: list[str], found: dict, late: set):
    """(source, table) of everything that leads into a node."""
    for before in sources:
        if before in found:
            yield from found[before]
        else:
            count = int(np.prod(flat.leaves[before]))
            each, lag = np.arange(count), int((before, name) in late)
            yield before, Table(each, each, np.ones(count), np.full(count, lag, np.int64))


def columns(node: Node, shape: Shape, delay=None) -> Table:
    """A linear node as a table from what enters it, of a shape, to what leaves it: nonzero weights alone."""
    count = int(np.prod(shape))
    each = np.arange(count)
    if isinstance(node, Linear):
        target, source = np.nonzero(node.weight)
        weight = node.weight[target, source]
    elif isinstance(node, Conv):
        source, target, weight = _conv(node, each.reshape(shape))
    elif isinstance(node, SumPool2d):
        view = windows_of(each.reshape(1, *shape), node.kernel_size, node.stride, node.pads, (1, 1), empty=-1)[0]
        places = np.arange(view[..., 0, 0].size).reshape(view.shape[:-2])
        source, target = view.ravel(), np.broadcast_to(places[..., None, None], view.shape).ravel()
        share = 1 / int(np.prod(node.kernel_size)) if isinstance(node, AvgPool2d) else 1.0
        weight = np.full(source.shape, share)
    else:
        source = target = each
        weight = np.broadcast_to(node.scale, shape).ravel() if isinstance(node, Scale) else np.ones(count)
        check(isinstance(node, Scale | Delay | Flatten | Output), f"a {node.kind} is not linear")
    keep = (source >= 0) & (weight != 0)
    lag = np.zeros(count, np.int64) if delay is None else np.broadcast_to(delay, shape).ravel()
    return Table(source[keep], target[keep], weight[keep], lag[source[keep]])


def _conv(node: Conv, each: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Source (-1: a zero around), target and weight of every product."""
    n, weight = node.NDIM, node.weight
    view = windows_of(each[None], weight.shape[2:], node.stride, node.pads, node.dilation, empty=-1)[0]
    inputs, places = weight.shape[1], int(np.prod(view.shape[1:n + 1]))
    check(weight.size * places <= MOST, f"{weight.size * places} synapses are more than {MOST}")
    rows, found = len(weight) // node.groups, []
    for o in range(len(weight)):
        g = o // rows
        part = view[g * inputs:(g + 1) * inputs].reshape(inputs, places, -1)
        kernel = np.broadcast_to(weight[o].reshape(inputs, 1, -1), part.shape)
        target = np.broadcast_to(o * places + np.arange(places)[:, None], part.shape)
        found.append([part.ravel(), target.ravel(), kernel.ravel()])
    return tuple(map(np.concatenate, zip(*found, strict=True)))


def _bias(node: Affine | Conv, shape: Shape) -> Table:
    value = node.bias if isinstance(node, Affine) else np.broadcast_to(
        node.bias.reshape(-1, *[1] * node.NDIM), shape).ravel()
    target = np.flatnonzero(value)
    zero = np.zeros(len(target), np.int64)
    return Table(zero, target, value[target], zero)


def _through(name: str, table: Table, entries: Table) -> Table:
    """A table, and behind it another: every pair of entries that meet, those of one pair and delay as one."""
    if not len(table.source) or not len(entries.source):
        return Table(*(column[:0] for column in table))
    by = np.argsort(entries.source, kind="stable")
    begin = np.searchsorted(entries.source[by], table.target, "left")
    many = np.searchsorted(entries.source[by], table.target, "right") - begin
    check(int(many.sum()) <= MOST, f"node {listed([name])}: {int(many.sum())} synapses are more than {MOST}")
    left = np.repeat(np.arange(len(many)), many)
    right = by[np.arange(len(left)) - np.repeat(np.cumsum(many) - many, many) + begin[left]]
    source, target = table.source[left], entries.target[right]
    weight, delay = table.weight[left] * entries.weight[right], table.delay[left] + entries.delay[right]
    if not len(source):
        return Table(source, target, weight, delay)
    key = np.lexsort((delay, target, source))
    new = np.any([np.diff(column[key], prepend=-1) != 0 for column in (source, target, delay)], axis=0)
    first = np.flatnonzero(new)
    return Table(source[key][first], target[key][first], np.add.reduceat(weight[key], first), delay[key][first])
