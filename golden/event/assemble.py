"""Layers in words (golden.event.quanta) as an EventNetwork: which synapses are dense, which sparse, how many bits.

Between two populations a block is dense where that takes fewer bits of memory than a list of the synapses that are
there; what a pair has beyond one synapse is sparse. The network is axonal where the delays of all dense blocks are
those of their sources.
"""

from typing import NamedTuple

import numpy as np

from golden.checks import check
from golden.event.geometry import FINE
from golden.event.network import MAX_ENTRIES, EventNetwork
from golden.event.params import Dense, Sparse, parts, reach
from golden.event.parts import INPUT, MAX_LINES, Block
from golden.event.quanta import Words
from golden.event.real import Real
from golden.nir.synapses import Table

#: bits of a sum that block RAM has at no cost, and that a circuit has at most
FREE_SUM, MAX_SUM, MAX_DELAY = 18, 24, 1023


class Part(NamedTuple):
    """Synapses from a source to a population: numbers of both, what is dense (or None), what is sparse."""

    source: int
    target: int
    dense: Table | None
    sparse: Table


def assemble(name: str, real: Real, words: dict[str, Words], input_bits: int = 1) -> tuple[EventNetwork, tuple]:
    """(description, parameters); ValueError names what is too large, and what there is."""
    number = {each: n for n, each in enumerate(real.layers)}
    sizes = [layer.size for layer in real.layers.values()]
    starts = np.cumsum([0, *sizes])
    lines = sum(real.inputs.values())
    tables = list(_tables(real, words, number, lines))
    delays, into = max(((int(table.delay.max()), target) for _, target, table, _ in tables), default=(1, 0))
    check(delays <= MAX_DELAY, f"node {list(real.layers)[into]!r}: what comes to it is to be late by {delays} ticks, a "
                               f"circuit has {MAX_DELAY} (delays are in seconds, dt is a tick)")
    weight_bits = max(2, *(int(max(table.weight.max(), -table.weight.min() - 1)).bit_length() + 1
                           for *_, table, _ in tables)) if tables else 2
    delay_bits, target_bits = max(1, delays.bit_length()), max(1, int(starts[-1] - 1).bit_length())
    axonal = all(_by_source(table, shape) for _, _, table, shape in tables if len(table.source) * 2 >= np.prod(shape))
    listed = 18 * -(-(target_bits + min(FINE, delay_bits) + weight_bits) // 18)
    stored = weight_bits + (0 if axonal else delay_bits)
    found = [_parted(source, target, table, shape, stored, listed, axonal) for source, target, table, shape in tables]
    flat = [Table(part.sparse.source + (starts[-1] if part.source == INPUT else starts[part.source]),
                  part.sparse.target + starts[part.target], *part.sparse[2:]) for part in found]
    sparse = Sparse(*(np.concatenate([np.zeros(0, np.int64), *column]) for column in zip(*flat, strict=True))) \
        if flat else Sparse(*[np.zeros(0, np.int64)] * 4)
    check(len(sparse.source) <= MAX_ENTRIES, f"{len(sparse.source):,} sparse synapses are needed, a circuit has "
                                             f"{MAX_ENTRIES:,}")
    dense = [part for part in found if part.dense is not None]
    raster = np.concatenate([starts[number[source]] + chosen for source, chosen in real.outputs.values()])
    check(len(np.unique(raster)) == len(raster), "two Outputs show the same neuron: one is enough")
    fields = {"name": name, "lines": lines, "populations": tuple(words[each].population for each in real.layers),
              "blocks": tuple(Block(source=part.source, target=part.target) for part in dense),
              "entries": len(sparse.source), "weight_bits": weight_bits, "delay_bits": delay_bits, "axonal": axonal,
              "input_bits": input_bits, "raster": tuple(raster.tolist())}
    params = (*(words[each].neurons for each in real.layers),
              *(Dense(part.dense.weight, part.dense.delay[0] if axonal else part.dense.delay) for part in dense),
              *((sparse,) if len(sparse.source) else ()))
    return _with_sums(fields, params), params


def check_sizes(real: Real) -> None:
    """ValueError where there are more neurons or lines than a circuit has."""
    for what, count in (("neurons", sum(layer.size for layer in real.layers.values())),
                        ("input lines", sum(real.inputs.values()))):
        check(count <= MAX_LINES, f"{count:,} {what} are needed, a circuit has {MAX_LINES:,}")


def _tables(real: Real, words: dict[str, Words], number: dict[str, int], lines: int):
    """(source, target, table in words, (targets, sources)) of everything that arrives; a line's number is global."""
    offset = dict(zip(real.inputs, np.cumsum([0, *real.inputs.values()]).tolist(), strict=False))
    for name, layer in real.layers.items():
        merged = {}
        for source, table in layer.tables.items():
            own = table._replace(weight=words[name].weights[source], source=table.source + offset.get(source, 0))
            merged.setdefault(number.get(source, INPUT), []).append(Table(*(own_[own.weight != 0] for own_ in own)))
        for source, several in merged.items():
            table = Table(*map(np.concatenate, zip(*several, strict=True)))
            if len(table.source):
                yield source, number[name], table, (layer.size, lines if source == INPUT else
                                                    list(real.layers.values())[source].size)


def _by_source(table: Table, shape) -> bool:
    low, high = np.full(shape[1], 1 << 30), np.zeros(shape[1], np.int64)
    np.minimum.at(low, table.source, table.delay)
    np.maximum.at(high, table.source, table.delay)
    return bool(np.all((low == high) | (high < low)))


def _parted(source, target, table: Table, shape, stored: int, listed: int, axonal: bool) -> Part:
    """What is dense has (targets, sources) weights and delays, or one row of delays a source."""
    place = table.target * shape[1] + table.source
    _, first = np.unique(place, return_index=True)
    if shape[0] * shape[1] * stored > len(first) * listed or axonal and not _by_source(table, shape):
        return Part(source, target, None, table)
    weight = np.zeros(shape, np.int64)
    delay = np.full(shape, int(source != INPUT and source >= target), np.int64)
    if axonal:
        delay[:, table.source] = table.delay
    one = Table(*(column[first] for column in table))
    weight[one.target, one.source], delay[one.target, one.source] = one.weight, one.delay
    keep = np.ones(len(place), bool)
    keep[first] = False
    return Part(source, target, Table(None, None, weight, delay), Table(*(column[keep] for column in table)))


def _with_sums(fields: dict, params: tuple) -> EventNetwork:
    """Sums as wide as any weights need where that costs nothing, else as wide as these need."""
    net = EventNetwork(**fields, sum_bits=MAX_SUM)
    most = int(reach(net, parts(net, params)).max(initial=1))
    check(most < 1 << MAX_SUM - 1, f"sums of {most.bit_length() + 1} bits are needed, a circuit has {MAX_SUM}")
    try:
        wide = EventNetwork(**fields)
        if wide.sum_width <= FREE_SUM:
            return wide
    except ValueError:
        pass
    return EventNetwork(**fields, sum_bits=max(most.bit_length() + 1, min(FREE_SUM, MAX_SUM)))
