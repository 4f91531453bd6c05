"""The compiled spiking core: every run begins where the last one has ended, however short they are."""

import os

import numpy as np
import pytest

from golden.fixed import QFormat
from golden.image import build_image
from golden.programs import ToolError
from golden.spiking import random_synapses, run
from golden.spiking_network import SpikingLayer, SpikingNetwork
from golden.weights import Ternary
from sim.spikes import SpikingSimulation

FIELDS = {"delay_bits": 4, "state": QFormat(6, 3), "leak": (4,), "threshold": 12, "refractory": 255}
#: five neurons a lane: clearing takes longer than all that comes behind it
NET = SpikingNetwork(name="core", ticks=12, layers=(
    SpikingLayer(inputs=20, outputs=40, weight=Ternary(plus=5, minus=3, seed=6), lanes=8, **FIELDS),
    SpikingLayer(inputs=40, outputs=6, weight=Ternary(plus=5, minus=5, seed=7), **FIELDS)))


@pytest.mark.parametrize("stop_early", [False, True])
def test_runs_of_any_length_equal_golden(stop_early):
    try:
        core = SpikingSimulation(NET, stop_early=stop_early, quick=True)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    rng = np.random.default_rng(3)
    params, spikes = random_synapses(NET, rng), rng.random((24, 12, 20)) < 0.2
    core.load(build_image(NET, params))
    golden = run(NET, params, spikes)
    for size, stalls in ((1, 0), (5, 0), (24, 0), (24, 9)):
        for start in range(0, len(spikes), size):
            part = slice(start, start + size)
            found = core.run(spikes[part], stalls=stalls)
            for name in ("label", "tick", "fired"):
                np.testing.assert_array_equal(getattr(found.answers, name), getattr(golden.answers, name)[part])
            if not stop_early:
                np.testing.assert_array_equal(found.spikes, np.argwhere(golden.spikes[0][part]))
