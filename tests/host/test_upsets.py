"""Flips of bits: their draw, and runs with them, the integer model against the compiled circuit, word by word."""

import numpy as np
import pytest
from cases import random_input, random_learner, random_network, with_delays
from spikes import random_spiking

from golden import faults
from golden.faults import Flip, Memory
from golden.fixed import wrap
from golden.image import build_image
from golden.rate import engine
from golden.rate import faults as rate_faults
from golden.regmap import WORD_BITS
from golden.spiking import faults as spiking_faults
from golden.spiking.engine import random_synapses
from sim.harness.upsets import FaultyDevice
from sim.rate import cells as rate_cells
from sim.spiking import cells as spiking_cells


def test_the_draw():
    memories = [Memory("parameters", -1, np.array([3, 0, 5])), Memory("membranes", 2, np.full(400, 7))]
    assert faults.words(memories) == 402
    assert faults.draw(memories, 0, 9, np.random.default_rng(1)) == []
    flips = faults.draw(memories, faults.MILLION, 9, np.random.default_rng(1))
    assert len(flips) == len({(flip.part, flip.word) for flip in flips}) == 402
    assert flips == sorted(flips) == faults.draw(memories, faults.MILLION, 9, np.random.default_rng(1))
    assert flips != faults.draw(memories, faults.MILLION, 9, np.random.default_rng(2))
    assert {flip.tick for flip in flips} == set(range(1, 9))
    of_state = [flip for flip in flips if flip.part == "membranes"]
    assert {flip.bit for flip in of_state} == set(range(7))
    assert {flip.layer for flip in of_state} == {2}
    assert {(flip.word, flip.layer) for flip in flips if flip.part == "parameters"} == {(0, -1), (2, -1)}
    some = faults.draw(memories, 100_000, 9, np.random.default_rng(3))
    assert 20 < len(some) < 60


@pytest.mark.parametrize(("rate", "ticks", "says"), [
    (-1, 9, "must be in 0..1,000,000, not -1"), (1e7, 9, "must be in 0..1,000,000"), (1, 1, "two or more, not 1")])
def test_what_is_not_drawn(rate, ticks, says):
    with pytest.raises(ValueError, match=says):
        faults.draw([Memory("membranes", 0, np.full(4, 7))], rate, ticks, np.random.default_rng(1))


def test_a_bit():
    assert faults.turned(0, 17, 18) == -(1 << 17)
    assert faults.turned(-1, 0, 18) == -2
    assert faults.turned(np.array([3, -4]), 2, 3).tolist() == [-1, 0]
    with pytest.raises(ValueError, match="a word of 3 bits has no bit 3"):
        faults.turned(1, 3, 3)


def drawn(net, module, name, ticks):
    """Parameters, and flips of a tenth of all words."""
    rng = np.random.default_rng(list(name.encode()))
    return rng, faults.draw(module.memories(net), 100_000, ticks, rng)


@pytest.mark.parametrize("n", range(3))
def test_rate_circuit_equals_golden(n):
    name = f"upset {n}"
    net = random_network(name, largest=12)
    rng, flips = drawn(net, rate_faults, name, 12)
    params, device = engine.random_params(net, rng), FaultyDevice(net, quick=True)
    assert {flip.part for flip in flips} >= {"parameters"}
    for again in range(3):
        x = random_input(net, rng, 12)
        image = build_image(net, params)
        device.load(image.pairs)
        got = device.run_flipped(rate_cells.ticks_of(net, x), 12 * net.outputs, flips, rate_cells.place)
        want = rate_faults.run(net, params, x[None], flips)
        width = net.layers[-1].rate.width
        assert np.array_equal(wrap(got, width), want.reshape(-1)), f"network {n}, run {again}, flips {flips}"
        # flips do something, and without them the model is the one that all else is held to
        assert np.array_equal(rate_faults.run(net, params, x[None], []), engine.run(net, params, x[None]))
        flips = faults.draw(rate_faults.memories(net), 100_000, 12, rng)


@pytest.mark.parametrize("part", ["membranes", "lines", "parameters"])
def test_every_part_of_a_rate_network_is_hit(part):
    """A flip of the sign of every word of a part, each before a tick of its own: answers differ, and are golden's."""
    net = random_network("upset 1", largest=12)
    rng = np.random.default_rng(5)
    params, device = engine.random_params(net, rng), FaultyDevice(net, quick=True)
    x, memories = random_input(net, rng, 12), [each for each in rate_faults.memories(net) if each.part == part]
    device.load(build_image(net, params).pairs)
    flips = [Flip(1 + n % 11, each.part, each.layer, int(word), int(each.bits[word]) - 1)
             for each in memories for n, word in enumerate(np.flatnonzero(each.bits))]
    got = device.run_flipped(rate_cells.ticks_of(net, x), 12 * net.outputs, flips, rate_cells.place)
    want = rate_faults.run(net, params, x[None], flips)
    assert np.array_equal(wrap(got, net.layers[-1].rate.width), want.reshape(-1))
    assert not np.array_equal(want, engine.run(net, params, x[None]))


def test_stored_bits_are_those_of_the_image():
    net = random_network("upset 2", largest=12)
    params = engine.random_params(net, np.random.default_rng(2))
    words, bits = np.concatenate(net.pack(params)), rate_faults.stored_bits(net)
    stored = bits > 0
    assert (wrap(words[stored], WORD_BITS) == [wrap(int(w), int(b)) for w, b in
                                               zip(words[stored], bits[stored], strict=True)]).all()
    assert np.count_nonzero(~stored) == sum(len(bank) for bank in rate_times(net))


def test_networks_without_a_draw_of_their_own():
    """One that learns (with errors, and states a stream), and one whose messages are predicted."""
    plain = random_network("upset 3", largest=6)
    learns = random_learner("upset 4")
    predicts = next(net for net in (with_delays(plain, f"upset {n}") for n in range(99))
                    if any(layer.predictor for layer in net.layers))
    assert (plain.teacher, predicts.teacher, predicts.streams, learns.teacher is None) == (None, None, 1, False)
    rate_faults.memories(plain)
    for net in (learns, predicts):
        with pytest.raises(ValueError, match="flips are drawn for networks of one stream that neither learn"):
            rate_faults.memories(net)


def rate_times(net):
    from golden.rate.layout import timing
    return [timing(layer) for layer in net.layers]


@pytest.mark.parametrize("n", range(4))
def test_spiking_circuit_equals_golden(n):
    net = spiking_of_order_1(n)
    name = f"upset {n}"
    rng, flips = drawn(net, spiking_faults, name, net.ticks)
    params, device = random_synapses(net, rng), FaultyDevice(net, quick=True)
    for again in range(4):
        x = rng.random((1, net.ticks, net.inputs)) < 0.3
        device.load(build_image(net, params).pairs)
        got = device.run_flipped(spiking_cells.ticks_of(net, x[0]), 1, flips, spiking_cells.place)
        want = spiking_faults.run(net, params, x, flips)
        assert got.tolist() == want.tolist(), f"network {n}, run {again}, flips {flips}"
        assert spiking_faults.run(net, params, x, []).tolist() == net.run(params, x).tolist()
        flips = faults.draw(spiking_faults.memories(net), 300_000, net.ticks, rng)


def spiking_of_order_1(n):
    """The n-th random spiking network of leaky integrators, with room for flips."""
    found = [net for net in map(random_spiking, (f"upset {k}" for k in range(40)))
             if all(layer.order == 1 for layer in net.layers) and net.ticks > 3]
    return found[n]
