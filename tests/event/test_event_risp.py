"""RISP networks as event-driven ones: spike for spike what golden.nir.risp says."""

import json
import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import risps

from golden.event.risp import convert, inputs
from golden.event.risp_frame import frame, framed, framed_inputs
from golden.image import build_image, image_params
from golden.nir.risp import run
from golden.nir.risp_json import parse
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


def published(folder):
    """RISP networks in the files of a checkout, its pages among them: what reads as JSON and has RISP's fields."""
    decoder = json.JSONDecoder()
    for path in sorted(each for each in Path(folder).rglob("*") if each.suffix in (".json", ".md", ".txt")):
        text, at = path.read_text(encoding="utf-8", errors="replace"), 0
        while (at := text.find("{", at)) >= 0:
            try:
                said, at = decoder.raw_decode(text, at)
            except ValueError:
                at += 1
                continue
            if isinstance(said, dict) and said.get("Associated_Data", {}).get("other", {}).get("proc_name") == "risp":
                yield f"{path.name}, {at}", parse(json.dumps(said).encode())


def test_published_networks():
    """Those of a checkout of TENNLab's framework-open, which LEADLAG_RISP names, in integers and in the circuit."""
    from sim.event.core import EventSimulation
    if "LEADLAG_RISP" not in os.environ:
        pytest.skip("LEADLAG_RISP names no checkout with RISP networks")
    found = list(published(os.environ["LEADLAG_RISP"]))
    for name, net in found:
        rng, steps = random.Random(name), 60
        given = risps.events(net, rng, steps)
        trained = convert(net, charge=sum(abs(charge) for *_, charge in given) or 1)
        x, raster = inputs(net, given, steps), run(net, given, steps)[0]
        want = raster[:, list(net.outputs or range(len(net.ids)))]
        y = trained.net.run(trained.params, x)
        shown = np.concatenate([np.zeros_like(y[0, :1]), y[0, :-1]]) if net.late else y[0]
        assert raster.any(), name
        assert np.array_equal(shown, want), name
        simulation = EventSimulation(trained.net, quick=True)
        simulation.load(trained.params)
        assert np.array_equal(simulation.run(x).outputs, y), name
    assert found
