"""EventCore against golden: any options, stalls, back pressure, sequences cut short, values beyond a visit."""


import event_core
import events
import numpy as np
import pytest

from golden.event import words
from golden.event.geometry import geometry
from golden.event.network import EventNetwork
from golden.event.params import random_params
from golden.event.parts import INPUT, Block, Population
from rtl.event.core import EventCore
from sim.pysim import load, receive, run, send


@pytest.mark.parametrize("seed", range(14))
def test_core_equals_golden(seed):
    """Networks with any options in Amaranth's simulator."""
    net, params, x = events.case(f"core {seed}", 2, largest=8)
    x = x[:, :12]
    found, done = event_core.run_core(net, params, x, pattern=("none", "random", "bursts")[seed % 3])
    assert np.array_equal(found, net.run(params, x))
    assert len(done) == x.shape[0] * x.shape[1]


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("axonal", [False, True])
def test_synapses_longer_than_a_word_of_the_bus(lanes, axonal):
    """Weights of 16 bits beside 5 of a delay: two memories a lane."""
    rng = np.random.default_rng(lanes)
    net = EventNetwork(name="long", lines=5, populations=(Population(size=7, state=18),), weight_bits=16, delay_bits=6,
                       blocks=(Block(source=INPUT, target=0), Block(source=0, target=0)), raster=tuple(range(7)),
                       axonal=axonal, folded=lanes)
    params = random_params(net, rng)
    params[0].threshold[:] = rng.integers(1, 20_000, 7)
    params = (params[0], *(p._replace(delay=p.delay % 8 + 1) for p in params[1:]))
    x = net.drawn(rng, 1)[:, :24]
    want = net.run(params, x)
    assert 0 < want.mean() < 0.9
    assert np.array_equal(event_core.run_core(net, params, x)[0], want)
    words = np.concatenate(net.pack(params))
    again = net.unpack(words)
    assert all(np.array_equal(a.weight, b.weight) for a, b in zip(again[1:], params[1:], strict=True))


def test_rows_of_several_chunks():
    """A row of 9 synapses is three chunks of four: all of them are added, the last one too."""
    rng = np.random.default_rng(9)
    net = EventNetwork(name="chunks", lines=3, populations=(Population(size=9),), delay_bits=3,
                       blocks=(Block(source=INPUT, target=0),), raster=(0, 8), folded=1)
    assert geometry(net).chunks == (3,)
    params = random_params(net, rng)
    params[0].threshold[:] = 5
    x = net.drawn(rng, 2)[:, :16]
    want = net.run(params, x)
    assert want.reshape(-1, want.shape[-1]).any(axis=0).all()
    assert np.array_equal(event_core.run_core(net, params, x)[0], want)


def graded(lanes=1):
    """Values of lines that arrive 40 ticks later, by a sparse synapse, and one by a dense block."""
    net = EventNetwork(name="graded", lines=18, input_bits=5, delay_bits=6, weight_bits=4, raster=(0, 1, 2), entries=3,
                       populations=(Population(size=3, leak=3),), blocks=(Block(source=INPUT, target=0, first=16),),
                       folded=lanes)
    params = random_params(net, np.random.default_rng(3))
    params[0].threshold[:] = 9
    params[1].delay[:] = [[40, 3], [33, 63], [0, 50]]
    params[2].source[:], params[2].delay[:] = [3, 3 + 17, 3 + 2], [45, 32, 1]
    return net, params


@pytest.mark.parametrize("lanes", [1, 2])
def test_values_that_are_visited_again(lanes):
    net, params = graded(lanes)
    x = np.concatenate([net.drawn(np.random.default_rng(k), 1) for k in range(4)], 1)
    found, _ = event_core.run_core(net, params, x)
    assert np.array_equal(found, net.run(params, x))
    assert found[:, 40:].any()


def test_sequences_that_are_cut_short():
    """A first word in mid-tick forgets everything; a word of kind 2 ends a tick that has begun, and no other."""
    net, params, x = events.case("cut", 1, largest=6, delay_bits=6, lanes=1)
    x[0, 0, 0] = 1
    units, core, out = net.units(x[:, :6]), EventCore(net), []
    given = [{"x": int(word) & 0x3FFFF, "first": int(word) >> 31} for word in units.words]
    drop, end = {"x": words.DROP << 16, "first": 0}, {"x": words.TICK << 16, "first": 0}
    cut = given[:units.ends[2] + 1]         # three ticks, and a word of the fourth
    cut = cut[:-1] + [{"x": 0, "first": 0}]
    sent = [*cut, *given[:-1], drop, drop, end]

    async def drive(ctx):
        await load(ctx, core.params, event_core.image_writes(net, params), half=0, settle=core.info.settle)
        await send(ctx, core.i, sent)

    async def sink(ctx):
        out.extend(await receive(ctx, core.o, 10 * units.answers))

    run(core, drive, sink, cycles=60_000)
    more = np.concatenate([x[:, :6], np.zeros_like(x[:, :1])], 1)
    # the end of the last tick came as the word that ends what is cut short: only where something had come
    begun = bool(x[0, 5].any())
    want = net.run(params, more)[0]
    want = np.concatenate([want[:3], want[:6] if begun else want[:5], want[6:7] if begun else want[5:6]])
    found = net.outputs_of([word.y for word in out[:len(want) * units.answers]], np.zeros((1, len(want), net.lines)))
    assert np.array_equal(found[0], want)


@pytest.mark.parametrize(("size", "fires", "ticks"), [
    (16, True, 504), (17, True, 252), (100, False, 5), (600, False, 1)])
def test_ticks_whose_answers_wait(size, fires, ticks):
    net = EventNetwork(name="many", lines=1, entries=1, raster=tuple(range(size)),
                       populations=(Population(size=size, fires=fires),))
    assert EventCore(net).output_ticks == ticks


def test_one_block_to_a_population_far_behind():
    """Whatever stands in front of its target, of which nobody hears."""
    net = EventNetwork(name="behind", lines=4, populations=(Population(size=70), Population(size=6, state=8)),
                       blocks=(Block(source=INPUT, target=1),), raster=tuple(range(70, 76)), weight_bits=4)
    params = random_params(net, np.random.default_rng(2))
    params[1].threshold[:] = 5
    x = net.drawn(np.random.default_rng(3), 1)
    want = net.run(params, x)
    assert 0 < want.mean() < 1
    assert np.array_equal(event_core.run_core(net, params, x)[0], want)
