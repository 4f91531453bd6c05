"""Lanes that share a neuron unit, synapses in large RAMs: against golden, token by token, and what they cost."""

import os

import numpy as np
import pytest
from spikes import expected_tokens, random_images, random_spiking, run_spiking

from boards import BOARDS
from boards.base import LINK_BLOCKS
from boards.room import check_fits
from golden.fixed import QFormat
from golden.image import build_image
from golden.programs import ToolError
from golden.spiking.engine import Synapses, random_synapses, run
from golden.spiking.layer import SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import answers
from golden.units.weights import Ternary
from rtl.inventory import Memory
from rtl.spiking.cost import inventory, shared_inventory
from rtl.spiking.serial import MARGIN, WAITING, longest_wait
from rtl.spiking.shared import SharedEngine, Ways, clears, updates
from sim.netlist import netlist
from sim.spiking.core import SpikingSimulation

BREAKER = BOARDS["icebreaker"]
LEAKY = {"state": QFormat(7, 4), "leak": (3,), "refractory": 255}
#: 16 folds of 8 lanes: 1,280 words a lane, which are in large RAM
DEEP = SpikingNetwork(name="deep", ticks=6, layers=(
    SpikingLayer(inputs=80, outputs=122, weight=Ternary(plus=6, minus=4, seed=3), delay_bits=3, threshold=40, lanes=8,
                 **LEAKY),
    SpikingLayer(inputs=122, outputs=9, weight=Ternary(plus=7, minus=6, seed=4), delay_bits=2, threshold=60, **LEAKY)))


def same(found, golden):
    for name in golden.answers._fields:
        np.testing.assert_array_equal(getattr(found, name), getattr(golden.answers, name), err_msg=name)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 7, 10, 12, 15])
def test_circuit_equals_golden(n):
    """Random networks run to their ends, and stopped early; with pauses of both partners."""
    net, rng = random_spiking(f"spiking {n}"), np.random.default_rng(n)
    params, spikes = random_synapses(net, rng), random_images(net, rng, 3)
    golden = run(net, params, spikes)
    found, tokens = run_spiking(net, params, spikes, stop_early=False, pattern=("none", "random", "bursts")[n % 3],
                                shared=True)
    same(found, golden)
    if len(net.layers) > 1:
        assert tokens == expected_tokens(golden.spikes[0])
    same(run_spiking(net, params, spikes, shared=True)[0], golden)


def test_what_the_networks_above_have():
    layers = [layer for n in (0, 1, 2, 5, 7, 10, 12, 15) for layer in random_spiking(f"spiking {n}").layers]
    assert {layer.order for layer in layers} == {1, 2}
    assert {layer.regenerates for layer in layers} == {True, False}
    assert {Ways.of(layer).count > 1 for layer in layers} == {True, False}
    assert any(Ways.of(layer).neurons > layer.outputs for layer in layers)
    assert any(Ways.of(layer).steps == 1 for layer in layers)


def test_more_spikes_than_wait():
    """All neurons of a layer spike in one tick, more than the queue holds, and the layer above takes its time."""
    layer = {"weight": QFormat(2, 0), "delay_bits": 1, "leak": (), "state": QFormat(9, 0), "refractory": 0}
    net = SpikingNetwork(name="all", ticks=3, layers=(
        SpikingLayer(inputs=2, outputs=WAITING + 40, threshold=1, lanes=(WAITING + 40) // 2, **layer),
        SpikingLayer(inputs=WAITING + 40, outputs=5, threshold=200, **layer)))
    params = random_synapses(net, np.random.default_rng(4))
    params = (Synapses(params[0].delay, np.ones_like(params[0].weight)), params[1])
    spikes = np.ones((2, 3, 2), bool)
    found, tokens = run_spiking(net, params, spikes, shared=True, stop_early=False)
    golden = run(net, params, spikes)
    same(found, golden)
    assert golden.spikes[0].all(2).any()
    assert tokens == expected_tokens(golden.spikes[0])


def test_ways_and_cycles():
    below, last = DEEP.layers
    assert (Ways.of(below), Ways.of(last)) == (Ways(8, 16), Ways(1, 9))
    assert (updates(below), clears(below)) == (8 * 16 + 1, 16 * 8)
    assert (updates(last), clears(last)) == (10, 9 * 4)
    # an update of the first layer, each of its neurons behind a full queue, whose tokens take 36 cycles at most
    assert longest_wait(DEEP) == 129 + (122 + WAITING) * 36 + 256


def test_a_queue_has_room_for_what_is_on_its_way():
    layers = [layer for n in range(20) for layer in random_spiking(f"spiking {n}").layers]
    assert max(SharedEngine.latency_of(layer) for layer in layers) + 4 <= MARGIN


def test_memories_by_hand():
    below, last = DEEP.layers
    need = shared_inventory(below, False)
    # three banks of up to three lanes; 3 bits each; sums of 2 + 7 bits, membranes of 12 with one for the rest
    assert need.memories == (Memory(1280, 27, 1, "store", 3), Memory(128, 9, 8, "store"), Memory(128, 13, 1, "store"),
                             Memory(WAITING, 9, 1, "inferred"))
    assert need.logic == {"shared_engine": 1, "way": 8}
    other = BREAKER.part.family.other
    # nine nibbles
    assert other.sprams(inventory(DEEP)) == 3
    assert BREAKER.part.family.sprams(inventory(DEEP)) == 0
    assert shared_inventory(last, True).memories[0].form == "store"


def test_what_the_icebreaker_has_room_for():
    net = BREAKER.fold(DEEP.with_lanes([122, 9]))
    assert BREAKER.family_for(net).vendor == "up5k_spram"
    need = check_fits(net, BREAKER)
    other = BREAKER.part.family.other
    assert need.bram == LINK_BLOCKS + other.block_rams(inventory(net)) <= 30
    assert need.spram == other.sprams(inventory(net)) <= 4
    deep = SpikingNetwork(name="d", ticks=6, layers=(
        SpikingLayer(**{**vars(DEEP.layers[0]), "inputs": 4000, "outputs": 400, "lanes": 400}),
        SpikingLayer(**{**vars(DEEP.layers[1]), "inputs": 400})))
    with pytest.raises(ValueError, match="there is no number of lanes with which they fit 28 block RAMs, 4 large RAMs "
                                         "and 5280 LUTs"):
        BREAKER.fold(deep)


@pytest.mark.parametrize("mapped", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["circuit", "netlist"])
def test_synapses_in_large_ram(mapped):
    """With the models of the part's memories, which give a wrong word where a reader meets a writer."""
    rng = np.random.default_rng(6)
    params, spikes = random_synapses(DEEP, rng), rng.random((40, DEEP.ticks, 80)) < rng.uniform(0.02, 0.3, (40, 1, 1))
    way = netlist("up5k", "synth_ice40") if mapped else None
    try:
        simulation = SpikingSimulation(DEEP, vendor="up5k_spram", stop_early=False, quick=True, mapped=way)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    simulation.load(build_image(DEEP, params))
    golden, found = run(DEEP, params, spikes), simulation.run(spikes)
    same(answers(found.words), golden)
    np.testing.assert_array_equal(found.spikes, np.argwhere(golden.spikes[0]))
    assert len(found.spikes)
    assert len(set(golden.answers.label.tolist())) > 2
