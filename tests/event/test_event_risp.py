"""RISP networks as event-driven ones: spike for spike what golden.nir.risp says."""

import random
from dataclasses import replace

import numpy as np
import pytest
import risps

from golden.event.risp import convert, inputs
from golden.event.risp_frame import frame, framed, framed_inputs
from golden.image import build_image, image_params
from golden.nir.risp import run
from leadlag.bench.event_risp import NEURONS, SYNAPSES, cases


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


def test_one_frame_for_many():
    """Networks in the frame of one device, spike for spike; what does not fit is refused."""
    into, spikes = frame(neurons=NEURONS, synapses=SYNAPSES, delay_bits=7, min_potential=-5), 0
    for n, (net, given, steps, want) in enumerate(cases(-5, 40)):
        found = into.run(framed(net, into), framed_inputs(into, given, steps))[0]
        assert np.array_equal(found[:, :len(net.ids)], want), n
        assert not found[:, len(net.ids):].any()
        spikes += int(want.sum())
    assert spikes > 1000
    with pytest.raises(ValueError, match="has 1 neurons, not"):
        framed(replace(net, thresholds=(1, 1), leaks=(True, True), ids=(0, 1), synapses=(), inputs=(0,)),
               frame(neurons=1, synapses=1, min_potential=-5))
    with pytest.raises(ValueError, match="built for a min_potential of -128, not -5"):
        framed(net, frame(neurons=NEURONS, synapses=SYNAPSES))


def test_one_circuit_for_many():
    """The same in the compiled core, loaded one after the other."""
    from sim.event.core import EventSimulation
    into = frame(neurons=NEURONS, synapses=SYNAPSES, delay_bits=7, min_potential=0)
    simulation = EventSimulation(into, quick=True)
    for n, (net, given, steps, want) in enumerate(cases(0, 30)):
        simulation.load(framed(net, into))
        assert np.array_equal(simulation.run(framed_inputs(into, given, steps)).outputs[0, :, :len(net.ids)], want), n
