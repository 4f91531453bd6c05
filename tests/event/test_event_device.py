"""Event-driven networks on compiled devices, boards and hosts; RISP on the core; how many cycles a spike takes."""

import random

import event_core
import events
import numpy as np
import pytest
from test_event_risp import drawn

from golden.event.geometry import geometry
from golden.event.network import EventNetwork
from golden.event.params import Neurons, random_params
from golden.event.parts import INPUT, Block, Population
from golden.event.risp import convert, inputs
from golden.image import build_image
from golden.nir import risp
from leadlag.bench import random as bench_random
from leadlag.bench.random_networks import FAMILIES
from rtl.event.store import page_words


@pytest.mark.parametrize("seed", range(2))
def test_device_equals_golden(seed):
    """The same behind its bus, compiled, over so many ticks that spikes are visited again."""
    from sim.harness.device import Device
    net, params, _ = events.case(f"device {seed}", 2, largest=12, delay_bits=(6, 7, 8)[seed])
    rng = np.random.default_rng(seed)
    x = np.concatenate([net.drawn(rng, 2) for _ in range(12)], 1)
    device = Device(net, quick=True)
    for again in range(2):      # loaded again without a rebuild
        device.load(build_image(net, params).pairs)
        found = device.run(x, stalls=("none", "random", "bursts")[seed],
                           output_stalls=("bursts", "none", "random")[seed])
        assert np.array_equal(found, net.run(params, x)), again
        params = random_params(net, rng, fill=0.3)


def test_risp_on_the_core():
    """RISP networks with delays up to 127, spike for spike what golden.nir.risp says."""
    rng, spikes = random.Random("risp core"), 0
    for n in range(6):
        net, given, steps, charge = drawn(rng, 127 if n % 2 else 15, 6)
        steps = min(steps, 60)
        given = [each for each in given if each[0] < steps]
        trained = convert(net, charge=charge)
        found, _ = event_core.run_core(trained.net, trained.params, inputs(net, given, steps))
        want = risp.run(net, given, steps)[0]
        if net.late:
            want = np.concatenate([want[1:], np.zeros_like(want[:1])])
            found = found[:, :-1]
            want = want[:-1]
        assert np.array_equal(found[0], want[:, list(net.outputs or range(len(net.ids)))]), n
        spikes += int(want.sum())
    assert spikes > 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_board_equals_golden(seed):
    from firmware.board import Board
    from sim.harness.board import SimulatedBoard
    net, params, x = events.case(f"board {seed}", 2, largest=12)
    with Board(SimulatedBoard(net), net) as device:
        device.load(build_image(net, params))
        for part in (x, x[1:]):
            assert np.array_equal(device.run(part), net.run(params, part))


@pytest.mark.parametrize("turn", [1, 2])
def test_a_host_that_does_odd_things(turn):
    """Resets, loads in between and refused ones, sequences cut short (leadlag.bench.random_events)."""
    found = bench_random.check(FAMILIES.index("event") + turn * len(FAMILIES))
    assert not found.message, found.message
    assert found.words > 20
    assert {"reset", "partial", "drop"} & set(found.actions)


def test_one_operation_a_cycle():
    """A spike of a dense row costs a cycle a synapse, beside what a tick without spikes takes."""
    net = EventNetwork(name="pace", lines=64, populations=(Population(size=64), Population(size=64)), delay_bits=7,
                       weight_bits=4, blocks=(Block(source=0, target=1), Block(source=INPUT, target=0, kind="direct")),
                       raster=(64,))
    params = list(random_params(net, np.random.default_rng(0)))
    params[0], params[1] = Neurons(np.ones(64, int)), Neurons(np.full(64, 999))
    x = np.zeros((1, 40, 64), int)
    x[0, :, :32] = 1
    found, done = event_core.run_core(net, tuple(params), x, cycles=300_000)
    _, idle = event_core.run_core(net, tuple(params), 0 * x, cycles=300_000)
    assert np.array_equal(found, net.run(tuple(params), x))
    visited = sum(int((params[2].delay[:, :32] >> 5 == visit).sum()) for visit in (0, 1))
    cycles = np.diff(done)[-5:].max() - np.diff(idle)[-5:].max()
    assert visited <= cycles <= 1.1 * visited + 60


def test_a_list_whose_memories_have_other_pages():
    """The first 18 bits of 3,000 synapses lie in pages, which take a cycle longer, the others in one memory."""
    rng = np.random.default_rng(1)
    net = EventNetwork(name="list", lines=8, populations=(Population(size=40, state=18),), weight_bits=9, delay_bits=5,
                       entries=3000, raster=tuple(range(40)))
    stores = [page_words(3000, width) for width in (18, sum(geometry(net).entry) - 18)]
    assert stores[0] < 3000 == stores[1]
    params = random_params(net, rng)
    params[0].threshold[:] = rng.integers(1, 2000, 40)
    x = net.drawn(rng, 1)[:, :8]
    want = net.run(params, x)
    assert 0 < want.mean() < 0.9
    assert np.array_equal(event_core.run_core(net, params, x)[0], want)
