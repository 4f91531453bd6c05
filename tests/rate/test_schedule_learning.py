"""The tick of a network that learns: lane-cycles counted in the circuit, and a schedule without slack to spare."""

from dataclasses import replace

import numpy as np
import pytest
from cases import random_learner
from core import image_writes
from learning import random_vectors

from golden.rate import engine
from golden.tasks import late as prospective
from rtl.rate import schedule, timing
from rtl.rate.core import NetworkCore
from rtl.rate.schedule import cycles_per_tick, fold, passes
from sim.pysim import load, receive, run, send


@pytest.mark.parametrize("seed", [1, 4, 9])
def test_three_lane_cycles_a_synapse(seed):
    """Counted at lane 0 of every layer that learns: cycles that multiply in a tick, over the words of the lane."""
    net = random_learner(f"count {seed}")
    rng = np.random.default_rng(seed)
    params, vectors = engine.random_params(net, rng), random_vectors(net, rng, 3)
    core, counts = NetworkCore(net), {}

    async def drive(ctx):
        await load(ctx, core.params, image_writes(net, params), half=1, settle=net.lanes + 5 * len(net.layers) + 5)
        ctx.set(core.want_half, 1)
        ctx.set(core.learning, 1)
        await ctx.tick().repeat(4)
        await send(ctx, core.i, [{"x": int(word), "first": int(vector.first and k == 0), "learn": 1, "teach": 1}
                                 for vector in vectors for k, word in enumerate((*vector.x, *vector.target))])

    async def sink(ctx):
        await receive(ctx, core.o, len(vectors) * net.outputs)
        await ctx.tick().repeat(cycles_per_tick(net, learning=True))

    async def watch(ctx):
        learning = [(n, unit) for n, unit in core.engines.items() if net.layers[n].plastic]
        for _ in range(len(vectors) * cycles_per_tick(net, learning=True) * 4):
            await ctx.tick()
            for n, unit in learning:
                work = ctx.get(unit.walking) + ctx.get(unit.lanes.back) + ctx.get(unit.lanes.update)
                counts[n] = counts.get(n, 0) + work
    run(core, drive, sink, watch, cycles=20_000 + 6 * len(vectors) * cycles_per_tick(net, learning=True))
    for n, count in counts.items():
        words = net.layers[n].folds * (net.layers[n].inputs + 1)
        assert count == passes(net.layers[n]) * words * len(vectors), f"layer {n}"


def test_the_second_pass_waits_for_the_first():
    """Nine folds of ten words, or errors that take longer to come and to reach the lanes."""
    layer = replace(random_learner("count 1").layers[-1], inputs=9, outputs=9, lanes=1, error_predictor=None,
                    predictor=None, max_delay=0, delay=0)
    layer = replace(layer, plastic=replace(layer.plastic, gamma=None, tau=None, tau_r=None))
    assert timing.lead_in(layer, 0) == 0
    assert timing.second_pass(layer, 0) == 90
    for top in (100, 200):
        assert timing.second_pass(layer, top) == timing.first_error(layer, top) + 1 + timing.LOAD_LATENCY > 100
    # an eps of lane 8 passes one register that the walk does not
    many = replace(layer, lanes=9)
    assert timing.second_pass(many, 100) == timing.first_error(many, 100) + 2 + timing.LOAD_LATENCY
    pulled = replace(layer, plastic=replace(layer.plastic, gamma=8))
    assert timing.lead_in(pulled, 200) > 90
    assert timing.second_pass(pulled, 200) == timing.lead_in(pulled, 200) + 90


def test_fold_gives_a_layer_that_learns_three_times_the_lanes():
    from golden.tasks import learning as tasks
    net = fold(tasks.mnist1d_net(), 156)
    assert [layer.lanes for layer in net.layers[4:]] == [10, 60, 10]
    assert cycles_per_tick(net, learning=True) < 2 * cycles_per_tick(net)
    assert schedule.lane_use(net, learning=True) >= 0.88


@pytest.mark.parametrize(("kind", "cycles"), [("none", (54, 99)), ("linear", (70, 99)), ("second_order", (100, 100)),
                                              ("nlms", (490, 512))])
def test_cycles_with_a_predictor(kind, cycles):
    """Known answers; taps that learn take their time in ticks that learn."""
    net = prospective.late_fourier(40, kind)
    assert (cycles_per_tick(net), cycles_per_tick(net, learning=True)) == cycles


@pytest.mark.parametrize("kind", ["none", "linear"])
def test_ticks_between_layers_make_ticks_shorter(kind):
    """Neurons finish their messages in the next tick; golden does not know, test_learn.py runs such networks."""
    def cycles(least):
        net = prospective.late_fourier(4, kind, inputs=50, least=least).with_lanes((30, 1))
        return cycles_per_tick(net), cycles_per_tick(net, learning=True)
    assert cycles(0)[0] > 1.25 * cycles(1)[0]
    assert cycles(1)[0] == cycles(2)[0] == cycles(4)[0]
    assert cycles(1)[1] <= cycles(0)[1]
