"""RISP networks as event-driven ones: spike for spike what golden.nir.risp says."""

import random

import numpy as np
import pytest
import risps

from golden.event.risp import convert, inputs
from golden.image import build_image, image_params
from golden.nir.risp import run


def drawn(rng, longest, neurons=12):
    """A RISP network, events for it, steps, and its largest charge in a step."""
    net = risps.draw(rng, longest, neurons)
    steps = rng.randint(1, 40 + longest)
    given = risps.events(net, rng, steps)
    sums = {}
    for step, neuron, charge in given:
        sums[step, neuron] = sums.get((step, neuron), 0) + charge
    return net, given, steps, max(map(abs, sums.values()), default=1) or 1


@pytest.mark.parametrize("longest", [15, 127])
def test_200_networks(longest):
    rng, spikes = random.Random(f"event risp {longest}"), 0
    for n in range(200):
        net, given, steps, charge = drawn(rng, longest)
        trained = convert(net, charge=charge)
        found = trained.net.run(trained.params, inputs(net, given, steps))[0]
        want = run(net, given, steps)[0]
        if net.late:        # shown a step later, and the last of them not any more
            found = np.concatenate([np.zeros_like(found[:1]), found[:-1]])
        assert np.array_equal(found, want[:, list(net.outputs or range(len(net.ids)))]), n
        spikes += int(want.sum())
        if n < 20:
            image = build_image(trained.net, trained.params)
            back = image_params(image, trained.net)
            assert np.array_equal(build_image(trained.net, back).pairs, image.pairs), n
    assert spikes > 2000
