"""Known answers of event-driven networks: where things lie, how wide sums are, what pages say, what is dense."""

import numpy as np
import pytest

from golden.event import words
from golden.event.from_nir import convert
from golden.event.geometry import geometry, raster_words
from golden.event.layout import first_bank, memories
from golden.event.network import EventNetwork
from golden.event.params import Dense, Neurons, Sparse
from golden.event.parts import INPUT, Block, Population
from golden.event.risp import convert as from_risp
from golden.nir.graph import flatten
from golden.nir.neurons import IF, Delay
from golden.nir.nodes import Linear
from golden.nir.options import Options
from golden.nir.risp import Risp, Synapse
from leadlag.bench.nir import DT, cases, chain
from rtl.event import cost
from rtl.inventory import Memory


def network(**fields) -> EventNetwork:
    return EventNetwork(**({"name": "sizes", "lines": 3, "raster": (0, 20), "weight_bits": 4, "populations": (
        Population(size=18, leak=0), Population(size=5, state=9, leak=1, floor=-3)),
        "blocks": (Block(source=0, target=1),)} | fields))


@pytest.mark.parametrize(("lanes", "chunk", "offset", "depth", "chunks", "dense"), [
    (1, 8, (0, 24), 32, 1, 144), (2, 4, (0, 12), 16, 1, 72), (4, 4, (0, 8), 12, 1, 72)])
def test_places_of_neurons_and_synapses(lanes, chunk, offset, depth, chunks, dense):
    found = geometry(network(folded=lanes))
    assert (found.chunk, found.offset, found.depth) == (chunk, offset, depth)
    assert (found.chunks, found.dense, found.history) == ((chunks,), dense, (0, 2, 3, 4))


@pytest.mark.parametrize(("delay_bits", "fine", "visits"), [(1, 1, 1), (3, 3, 1), (5, 5, 1), (6, 5, 2), (10, 5, 32)])
def test_delays_within_a_visit(delay_bits, fine, visits):
    found = geometry(network(delay_bits=delay_bits))
    assert (found.fine, found.visits) == (fine, visits)
    assert (found.width, geometry(network(delay_bits=delay_bits, axonal=True)).width) == (4 + fine, 4)


def test_banks_of_lanes():
    net = network(folded=2, delay_bits=6)
    assert [name for name, lane, _ in memories(net) if lane == 1] == ["threshold", "decay", "dense", "plane0"]
    assert [first_bank(net, lane) for lane in (0, 1)] == [0, 4]
    none = network(blocks=(), raster=(0,), populations=(Population(size=1, leak=None, fires=False),))
    assert first_bank(none, 0) == 0


@pytest.mark.parametrize(("fields", "bits"), [
    ({}, 9), ({"blocks": ()}, 2), ({"blocks": (Block(source=INPUT, target=0),)}, 6),
    ({"blocks": (Block(source=INPUT, target=0),), "input_bits": 5}, 10),
    ({"blocks": (Block(source=INPUT, target=0, kind="direct"),), "input_bits": 5}, 6), ({"entries": 3}, 9),
    ({"blocks": (), "entries": 3, "input_bits": 3}, 8), ({"sum_bits": 20}, 20)])
def test_bits_of_a_sum(fields, bits):
    """18 weights of -8, or 3 of them from lines, of values to 16."""
    assert network(**fields).sum_width == bits
    assert [network(input_bits=n).largest(INPUT) for n in (1, 2, 5)] == [1, 2, 16]
    assert network(input_bits=5).largest(0) == 1


def test_as_many_as_there_may_be():
    many = network(populations=(Population(size=1),) * 64, raster=(0,), blocks=(Block(source=0, target=0),) * 256)
    assert len(many.populations) == 64
    for fields in ({"populations": (Population(size=1),) * 65}, {"blocks": (Block(source=0, target=0),) * 257}):
        with pytest.raises(ValueError, match="must be up to"):
            network(raster=(0,), **fields)


def test_words_that_answer():
    net = network(populations=(Population(size=18), Population(size=5, fires=False)), raster=(17, *range(18, 23)),
                  blocks=())
    assert raster_words(net) == [(0, 1), *((1, n) for n in range(5))]
    assert net.units(np.zeros((1, 2, 3), int)).words.tolist() == [1 << 31 | words.TICK << 16, words.TICK << 16]


def test_what_a_person_is_shown():
    net = network(populations=(Population(size=2, leak=0, reset="value"), Population(size=1, leak=1, floor=-3),
                               Population(size=1, leak=None, current="old", fires=False, unit=0.5)),
                  raster=(0, 3), blocks=(Block(source=0, target=1),), entries=1)
    headings, rows = net.table()
    assert headings[:2] == ("population", "neurons")
    assert rows == [("0", "2", "16 bits", "all or none", "value", "none", "0"),
                    ("1", "1", "16 bits", "2**-1", "zero, from -3 up", "none", "2"),
                    ("2", "1", "16 bits", "none", "never: membranes leave", "old", "0")]
    one = np.ones(1, int)
    params = (Neurons(np.array([1, 9]), np.ones(2, int), reset=np.zeros(2, int)), Neurons(one, one), Neurons(),
              Dense(np.array([[3, 0]]), np.zeros((1, 2), int)), Sparse(*np.array([[4], [0], [1], [0]])))
    shown = net.signals(params, np.array([[1, 0, 0], [0, 0, 0]]))
    assert [name for name, _ in shown] == ["input", "population 0", "population 1", "population 2"]
    assert [value.tolist() for _, value in shown] == [[[1, 0, 0], [0, 0, 0]], [[1, 0], [0, 0]], [[1], [0]], [[0], [0]]]


def test_the_part_that_is_wrong_is_named():
    top, said = network().to_json().replace('"leak": 1', '"leak": 99'), "leak must be None or an integer in 0..16"
    with pytest.raises(ValueError, match=f"^population 1: population: {said}, not 99$"):
        EventNetwork.from_json(top)


def sparse(count: int) -> Linear:
    """A matrix of 20 x 20 with so many weights of 3 words."""
    weight = np.zeros(400)
    weight[np.random.default_rng(0).permutation(400)[:count]] = 3
    return Linear(weight.reshape(20, 20))


BY_SOURCE, BY_TARGET = Delay(np.arange(20) % 9 * 1e-3), Delay(np.arange(20) % 2 * 1e-3 + 1e-3)


@pytest.mark.parametrize(("nodes", "axonal", "entries"), [
    # 18 bits an entry, or 2 a place in an axonal network
    ([BY_SOURCE, sparse(44)], True, 44), ([BY_SOURCE, sparse(45)], True, 0),
    # what has a delay a target, too, is a list there, unless it is half full
    ([BY_SOURCE, sparse(150), BY_TARGET], True, 150), ([BY_SOURCE, sparse(200), BY_TARGET], False, 0),
    # and then a place has 4 bits of a delay everywhere
    ([BY_SOURCE, sparse(200), BY_TARGET, IF(np.ones(20), 2.5), sparse(133)], False, 133),
    ([BY_SOURCE, sparse(200), BY_TARGET, IF(np.ones(20), 2.5), sparse(134)], False, 0)])
def test_dense_where_that_is_shorter(nodes, axonal, entries):
    graph = chain(*nodes, IF(np.ones(20), 2.5), entering=(20,), leaving=(20,))
    net = convert(flatten(graph), "net", Options(dt=1e-3), np.ones((1, 9, 20))).trained.net
    assert (net.weight_bits, net.delay_bits) == (2, 4)
    assert (net.axonal, net.entries) == (axonal, entries)


def test_no_longer_than_it_has_to_be():
    lif = convert(flatten(cases()["lif"]), "lif", Options(dt=DT)).trained.net
    assert (lif.weight_bits, lif.populations[0].state) == (8, 16)
    assert lif.axonal


def test_leaks_of_nothing_are_left_out():
    net = Risp(ids=(0, 1), thresholds=(1, 2), leaks=(False, False), inputs=(0,), outputs=(1,), min_potential=0,
               synapses=(Synapse(0, 1, 2, 1),))
    assert from_risp(net, "none").net.populations[0].leak is None
    leaking = Risp(ids=(0, 1), thresholds=(1, 2), leaks=(True, True), inputs=(0,), outputs=(1,), min_potential=0,
                   synapses=(Synapse(0, 1, 2, 1),))
    assert from_risp(leaking, "all").net.populations[0].leak == 0


def test_what_a_circuit_takes():
    """Memories by depth and width, lanes, multipliers; and what a tick takes beside spikes."""
    net = network(folded=2, delay_bits=6, input_bits=3, entries=4, populations=(
        Population(size=18, leak=4, on_arrival=True), Population(size=5, state=9), Population(size=40, fires=False)),
        raster=tuple(range(63)))
    found = cost.inventory(net)
    assert Memory(32 * 36, 10 + 1, 2) in found.memories             # sums, and whether something came
    assert Memory(16, 4 + 16, 2, "inferred") in found.memories      # words of planes that wait
    assert Memory(3 << 6, 3) in found.memories                      # values of lines
    assert Memory(512, 19, form="inferred") in found.memories       # answers
    assert found.multipliers == 2 * (1 + 1)
    assert found.factors == ((18, 18, 2), (4, 3, 2))
    assert found.logic == {"engine": 2.2}
    plain = cost.inventory(network(blocks=(), entries=4))
    assert (plain.multipliers, plain.factors) == (1, ((18, 18, 1),))
    assert Memory(2 * 48, 7) in plain.memories
    assert not any(each.width == 8 + 16 for each in plain.memories)
    assert cost.notes(net) == ["a synapse a cycle and lane; a tick: 72 cycles of updates, 7 words of earlier spikes",
                               "answers of up to 11 ticks wait"]
