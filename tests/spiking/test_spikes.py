"""The compiled spiking core: every run begins where the last one has ended, however short they are."""

import os

import numpy as np
import pytest

from golden.fixed import QFormat
from golden.image import build_image
from golden.programs import ToolError
from golden.spiking.engine import Synapses, random_synapses, run
from golden.spiking.layer import SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import answers
from golden.units.weights import Ternary
from sim.spiking.core import SpikingSimulation

FIELDS = {"delay_bits": 4, "state": QFormat(6, 3), "leak": (4,), "threshold": 12, "refractory": 255}
#: five neurons a lane: clearing takes longer than all that comes behind it
NET = SpikingNetwork(name="core", ticks=12, layers=(
    SpikingLayer(inputs=20, outputs=40, weight=Ternary(plus=5, minus=3, seed=6), lanes=8, **FIELDS),
    SpikingLayer(inputs=40, outputs=6, weight=Ternary(plus=5, minus=5, seed=7), **FIELDS)))


def simulation(net, **options):
    try:
        return SpikingSimulation(net, quick=True, **options)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def same(found, golden, part=slice(None)):
    for name in ("label", "tick", "fired"):
        got = getattr(answers(found.words), name)
        np.testing.assert_array_equal(got, getattr(golden.answers, name)[part], err_msg=name)


@pytest.mark.parametrize("stop_early", [False, True])
def test_runs_of_any_length_equal_golden(stop_early):
    core = simulation(NET, stop_early=stop_early)
    rng = np.random.default_rng(3)
    params, spikes = random_synapses(NET, rng), rng.random((24, 12, 20)) < 0.2
    core.load(build_image(NET, params))
    golden = run(NET, params, spikes)
    for size, stalls in ((1, 0), (5, 0), (24, 0), (24, 9)):
        for start in range(0, len(spikes), size):
            part = slice(start, start + size)
            found = core.run(spikes[part], stalls=stalls)
            same(found, golden, part)
            if not stop_early:
                np.testing.assert_array_equal(found.spikes, np.argwhere(golden.spikes[0][part]))
    # a run may end with the word that it has waited to send: a load must not hand it in again
    for seed in range(3):
        params = random_synapses(NET, np.random.default_rng(seed))
        core.load(build_image(NET, params))
        for part in (slice(0, 1), slice(1, 3)):
            found = core.run(spikes[part], stalls=seed)
            same(found, run(NET, params, spikes[part]))


def test_a_layer_in_which_everything_spikes():
    """As many tokens as there can be."""
    fields = {"weight": QFormat(3, 0), "delay_bits": 1, "state": QFormat(6, 0), "leak": (), "threshold": 1}
    net = SpikingNetwork(name="full", ticks=4, layers=(SpikingLayer(inputs=2, outputs=3, **fields),
                                                       SpikingLayer(inputs=3, outputs=1, **fields)))
    params = [Synapses(np.zeros((n, k), np.int64), np.ones((n, k), np.int64)) for n, k in ((3, 2), (1, 3))]
    core, spikes = simulation(net, stop_early=False), np.ones((5, 4, 2), bool)
    core.load(build_image(net, params))
    found, golden = core.run(spikes), run(net, params, spikes)
    same(found, golden)
    np.testing.assert_array_equal(found.spikes, np.argwhere(golden.spikes[0]))
    assert len(found.spikes) == golden.spikes[0].size
