"""What passes between the parts of an event engine, and how wide it is in a network."""

from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from golden.event.geometry import Geometry, geometry
from golden.event.parts import INPUT

#: bits of a column of the memory of parameters and states, which is a word on the parameter bus
COLUMN = 18


class Kind(IntEnum):
    """Kinds of synapses that a source has."""

    DENSE = 0
    LIST = 1
    DIRECT = 2


class Item(NamedTuple):
    """What a source of a region (a population; that behind the last one: lines) has, and where it lies.

    first, count: which sources of the region; base, chunks, target: of a dense block, in chunks, target that of the
    first neuron in a lane; row: number of the first row; into: first target of a direct block; start: flat number of
    source 0 of the region.
    """

    kind: Kind
    first: int
    count: int
    base: int = 0
    chunks: int = 0
    target: int = 0
    row: int = 0
    into: int = 0
    start: int = 0


def bits(count: int) -> int:
    """Bits of a number below `count`."""
    return max(1, (count - 1).bit_length())


class Plan(NamedTuple):
    """Of a network: geometry; items of each region; whether lines carry values, and these are multiplied by weights."""

    g: Geometry
    items: tuple[tuple[Item, ...], ...]
    valued: bool
    multiplies: bool

    @property
    def kinds(self) -> set[Kind]:
        return {item.kind for region in self.items for item in region}


def plan(net) -> Plan:
    """That of a network with its lanes."""
    return _plan(net)


@lru_cache(maxsize=64)
def _plan(net) -> Plan:
    g, pops = geometry(net), len(net.populations)
    items = [[] for _ in range(pops + 1)]
    for n, block in enumerate(net.dense):
        items[pops if block.source == INPUT else block.source].append(Item(
            Kind.DENSE, block.first, net.count(block), g.bases[n], g.chunks[n], g.offset[block.target] // g.chunk,
            g.rows[n]))
    for block in net.direct:
        items[pops].append(Item(Kind.DIRECT, block.first, net.count(block), target=g.offset[block.target],
                                into=block.into))
    if net.entries:
        for region, size in enumerate((*(each.size for each in net.populations), net.lines)):
            items[region].append(Item(Kind.LIST, 0, size, start=net.starts[region]))
    valued = net.input_bits > 1
    return Plan(g, tuple(map(tuple, items)), valued,
                valued and any(item.kind != Kind.DIRECT for item in items[pops]))


def value_shape(net):
    """What a source sends."""
    return signed(max(2, net.input_bits))


def source_layout(net) -> data.StructLayout:
    """A spike: region, number of the source in it, visit; its value where lines carry one."""
    p = plan(net)
    most = max(net.lines, *(each.size for each in net.populations))
    found = {"region": unsigned(bits(len(p.items))), "index": unsigned(bits(most)), "visit": unsigned(bits(p.g.visits))}
    return data.StructLayout(found | ({"value": value_shape(net)} if p.valued else {}))


def job_layout(net) -> data.StructLayout:
    """What every lane is told: the synapses of a source for one visit."""
    p = plan(net)
    found = {"visit": unsigned(bits(p.g.visits))}
    if len(p.kinds) > 1:
        found["kind"] = unsigned(2)
    if Kind.DENSE in p.kinds:
        found |= {"base": unsigned(bits(p.g.dense_chunks)), "chunks": unsigned(bits(max(p.g.chunks) + 1)),
                  "target": unsigned(bits(p.g.depth // p.g.chunk))}
        if net.axonal:
            found["delay"] = unsigned(p.g.fine)
    if Kind.LIST in p.kinds:
        found["row"] = unsigned(bits(p.g.starts))
    if Kind.DIRECT in p.kinds:
        found["neuron"] = unsigned(bits(p.g.depth * net.folded))
    return data.StructLayout(found | ({"value": value_shape(net)} if p.valued else {}))


def kind_is(net, job, kind: Kind):
    """Whether a job is of a kind."""
    kinds = plan(net).kinds
    if kind not in kinds:
        return 0
    return job.kind == kind if len(kinds) > 1 else 1


def update_layout(net) -> data.StructLayout:
    """What every lane is told while neurons are updated or rings cleared: a word of each lane, and its slot.

    en: read and clear the sum; neuron: update it, of `population`; zero: and its states are 0 then.
    """
    g = plan(net).g
    return data.StructLayout({"en": 1, "neuron": 1, "zero": 1, "local": unsigned(bits(g.depth)),
                              "slot": unsigned(g.fine), "population": unsigned(bits(len(net.populations)))})
