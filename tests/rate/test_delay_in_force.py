"""The circuit with delays that a host loads: none where a predictor was built in, and others from tick to tick."""

import random
from dataclasses import replace

import numpy as np
import pytest
from cases import random_input, random_learner, random_network, undelayed, with_delays
from core import image_writes, run_core, strict_bank
from learning import circuit_run, golden_run, learnt_words, random_vectors

from golden.fixed import QFormat
from golden.rate import engine
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.units.extrapolator import Predictor
from rtl.rate import schedule
from rtl.rate.core import NetworkCore
from rtl.rate.schedule import cycles_per_tick
from rtl.units.predicted import predictor
from sim.pysim import load, receive, run, send

PREDICTORS = {"linear": Predictor(kind="linear", history=12),
              "second_order": Predictor(kind="second_order", history=12, spacing=2),
              "neural": Predictor(kind="neural", history=12, spacing=2, taps=3, hidden=2),
              "fir": Predictor(kind="fir", history=12, spacing=2, taps=3),
              "nlms": Predictor(kind="fir", history=12, spacing=2, taps=3, rate=2)}
#: small learners whose tick is bounded by errors that are read without a delay, and one also by messages
LEARNERS = (84, 246)


@pytest.fixture(autouse=True)
def _strict_memories(monkeypatch):
    monkeypatch.setattr("rtl.primitives.Bank.elaborate", strict_bank)


def small(p: Predictor | None = None, **late) -> Network:
    """2-6-1: the second layer reads its first message long before a predictor would."""
    fmt = QFormat(1, 8)
    fields = {"activation": "linear", "operand": fmt, "weight": fmt, "state": QFormat(3, 8), "lead": fmt,
              "lag": QFormat(1, 8), "rate": fmt}
    return Network(name="small", dt=1.0, layers=(
        Dense(inputs=2, outputs=6, **fields), Dense(inputs=6, outputs=1, predictor=p, **late, **fields)))


def run_small(net):
    rng = np.random.default_rng(0)
    params, x = engine.random_params(net, rng), random_input(net, rng, 12)
    return run_core(net, params, [x])[0], engine.run(net, params, x[None])[0], params, x


@pytest.mark.parametrize("kind", [kind for kind in PREDICTORS if kind != "nlms"])
def test_no_delay_is_the_undelayed_network(kind):
    """The smallest case; the tick is that of a line without a predictor, or what the predictor takes."""
    net = small(PREDICTORS[kind], max_delay=1)
    got, want, params, x = run_small(net)
    np.testing.assert_array_equal(got, want)
    bare = [p._replace(taps=None) for p in params]
    np.testing.assert_array_equal(want, engine.run(small(), bare, x[None])[0])
    way = net.layers[1].way
    assert cycles_per_tick(net) == max(cycles_per_tick(small()), predictor(way).period(way, learning=False))


@pytest.mark.parametrize("kind", PREDICTORS)
@pytest.mark.parametrize("seed", LEARNERS)
def test_no_delay_is_the_undelayed_learner(kind, seed):
    """Messages and errors, rates and what is learnt, in golden without predictors and in the circuit with them."""
    plain = undelayed(random_learner(f"small {seed}", largest=4))
    net, rng = undelayed(plain, PREDICTORS[kind]), np.random.default_rng(seed)
    params = engine.random_params(net, rng)
    vectors = random_vectors(net, rng, 8)
    got, back, flags, _ = circuit_run(net, params, vectors, pattern=("none", "bursts")[seed % 2])
    want, state = golden_run(plain, tuple(p._replace(taps=None, error_taps=None) for p in params), vectors)
    np.testing.assert_array_equal(got, want)
    # taps stay where they were: nothing is predicted
    words = learnt_words(net, [p._replace(taps=began.taps, error_taps=began.error_taps)
                               for p, began in zip(state.params, params, strict=True)])
    assert {at: back[at] for at in words} == words
    assert flags.overflow == state.overflow
    assert flags.lost == ((False, False),) * len(net.layers)


def test_the_schedule_of_messages_without_a_delay_is_tight(monkeypatch):
    net = small(PREDICTORS["linear"], max_delay=1)
    period = cycles_per_tick(net)
    monkeypatch.setattr("rtl.rate.core.cycles_per_tick", lambda net: period - 1)
    got, want, *_ = run_small(net)
    assert (got != want).any()


@pytest.mark.parametrize("seed", [18, 84, 246])
def test_the_schedule_of_a_learner_without_delays_is_tight(seed, monkeypatch):
    """By errors that are read without a delay: the predictor's own reading would have allowed a shorter tick."""
    net, rng = undelayed(random_learner(f"small {seed}", largest=4), PREDICTORS["linear"]), np.random.default_rng(seed)
    params, vectors = engine.random_params(net, rng), random_vectors(net, rng, 8, gates=False)
    monkeypatch.setattr("rtl.rate.core.cycles_per_tick", lambda net, **kw: schedule.cycles_per_tick(net, **kw) - 1)
    got, back, *_ = circuit_run(net, params, vectors)
    want, state = golden_run(net, params, vectors)
    words = learnt_words(net, state.params)
    assert (got != want).any() or {at: back[at] for at in words} != words


# ---- delays that change while a sequence runs

def redrawn(net: Network, rng: random.Random) -> Network:
    """Other delays within what the circuit was built for, and what their predictors have."""
    layers = list(net.layers)
    for n, layer in enumerate(layers):
        while True:
            try:
                layers[n] = replace(layer, delay=rng.choice((layer.least_delay, layer.max_delay, rng.randint(
                    layer.least_delay, layer.max_delay))))
                break
            except ValueError:      # a longer delay than the history allows
                pass
    return replace(net, layers=tuple(layers))


def drawn(seed: int) -> Network:
    """A network with two predictors, or more."""
    rng = random.Random(f"changing {seed}")
    while True:
        net = with_delays(random_network(rng.random(), largest=6), str(rng.random()))
        if sum(layer.predictor is not None for layer in net.layers) >= 2:
            return net


@pytest.mark.parametrize("seed", range(4))
def test_other_delays_from_one_tick_to_the_next(seed):
    """Images that differ in their delays alone, each loaded into the half that is not in force while ticks run."""
    net, rng = drawn(seed), np.random.default_rng(seed)
    params = [p._replace(weight=p.weight >> 3, bias=p.bias >> 3) for p in engine.random_params(net, rng)]
    nets, ticks = [redrawn(net, random.Random(f"{seed} {n}")) for n in range(5)], 6
    assert len({tuple(layer.delay for layer in each.layers) for each in nets}) > 1
    x = random_input(net, rng, ticks * len(nets))
    core, out, seen = NetworkCore(net), [], []

    async def drive(ctx):
        for n, each in enumerate(nets):
            await load(ctx, core.params, image_writes(each, params), half=n % 2, settle=net.lanes + 30)
            while len(seen) < n * ticks:
                await ctx.tick()
            ctx.set(core.want_half, n % 2)
            await ctx.tick().repeat(cycles_per_tick(net) + 2)
            await send(ctx, core.i, [{"x": int(word), "first": int(n + tick + k == 0)} for tick, vector in enumerate(
                x[n * ticks:(n + 1) * ticks]) for k, word in enumerate(vector)])

    async def sink(ctx):
        out.extend(await receive(ctx, core.o, len(x) * net.outputs))

    async def watch(ctx):
        while len(seen) < len(x):
            *_, tick = await ctx.tick().sample(core.tick)
            if tick:
                seen.append(tick)

    words = len(image_writes(net, params)) + net.lanes + 60
    run(core, drive, sink, watch, cycles=(len(x) + 20) * (cycles_per_tick(net) + 2 * net.inputs + net.outputs)
        + len(nets) * words)
    want, state = [], engine.reset(net, 1)
    for tick, vector in enumerate(x):
        state, outs = engine.network_step(state, vector[None], params, nets[tick // ticks])
        want.append(outs[-1].rate[0])
    wrong = np.argwhere(np.array([p.y for p in out]).reshape(len(x), -1) != np.array(want))
    assert not len(wrong), f"tick, neuron {wrong[0]}, {ticks} ticks an image, in {net}"
