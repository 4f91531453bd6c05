"""NetworkCore equals golden.rate.engine on random networks, with stalls, and keeps its schedule."""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from cases import random_input, random_network
from core import image_writes, run_core, strict_bank

from boards.base import RESET_BITS
from golden.fixed import QFormat
from golden.rate import engine
from golden.rate.layer import Dense
from golden.rate.network import Network
from rtl.rate.core import NetworkCore
from rtl.rate.schedule import cycles_per_tick
from sim.pysim import load, receive, run, send

NETWORKS = 60


@pytest.fixture(autouse=True)
def _strict_memories(monkeypatch):
    monkeypatch.setattr("rtl.primitives.Bank.elaborate", strict_bank)


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_random_network(seed):
    net = random_network(f"network {seed}")
    rng = np.random.default_rng(seed)
    params = engine.random_params(net, rng)
    # large weights saturate most states: four networks of five have smaller ones
    params = [p._replace(weight=p.weight >> seed % 5, bias=p.bias >> seed % 5) for p in params]
    # two sequences: the second must start from zero membranes and messages
    sequences = [random_input(net, rng, ticks) for ticks in (7, 5)]
    pattern = ("none", "random", "bursts")[seed % 3]
    got, gaps = run_core(net, params, sequences, pattern=pattern)
    assert gaps.min() >= cycles_per_tick(net)
    want = np.concatenate([engine.run(net, params, x[None])[0] for x in sequences])
    wrong = np.argwhere(got != want)
    assert not len(wrong), f"tick, neuron {wrong[0]}: {got[tuple(wrong[0])]} != {want[tuple(wrong[0])]} in {net}"


def test_random_networks_cover_everything():
    nets = [random_network(f"network {seed}") for seed in range(NETWORKS)]
    layers = [layer for net in nets for layer in net.layers]
    assert {layer.activation for layer in layers} == {"linear", "tanh", "sigmoid", "softplus", "hard_sigmoid", "relu"}
    assert {layer.delay for layer in layers} >= {0, 1, 9}
    assert min(layer.outputs for layer in layers) == 1
    assert max(layer.outputs for layer in layers) > 30


def wide(outputs, lanes, delay=0) -> Dense:
    fmt = QFormat(1, 8)
    return Dense(inputs=1, outputs=outputs, activation="linear", operand=fmt, weight=fmt, state=QFormat(3, 8), lead=fmt,
                 lag=QFormat(1, 8), rate=fmt, lanes=lanes, delay=delay, max_delay=delay)


@pytest.mark.parametrize(("outputs", "lanes", "delay"), [(20, 1, 0), (20, 1, 2), (30, 2, 0)])
def test_input_behind_a_full_ring(outputs, lanes, delay):
    """One input and many folds: the next word waits while the oldest message is still being read."""
    net, rng = Network(name="wide", dt=1.0, layers=(wide(outputs, lanes, delay),)), np.random.default_rng(outputs)
    params = engine.random_params(net, rng)
    x = random_input(net, rng, 12)
    got, gaps = run_core(net, params, [x])
    assert (got == engine.run(net, params, x[None])[0]).all()
    assert gaps.max() <= cycles_per_tick(net) + 2


def test_a_host_that_waited_for_more_counts_no_room():
    """Nothing was there to take: once it stops taking, no tick starts whose words would find no place."""
    net, rng = Network(name="wide", dt=1.0, layers=(wide(20, 2),)), np.random.default_rng(0)
    params, x = engine.random_params(net, rng), random_input(net, rng, 12)
    core, out, waited = NetworkCore(net), [], []
    assert core.output_ticks < 11

    async def drive(ctx):
        await load(ctx, core.params, image_writes(net, params), half=0, settle=100)
        await send(ctx, core.i, [{"x": int(x[0, 0]), "first": 1}])
        while not waited:
            await ctx.tick()
        await send(ctx, core.i, [{"x": int(word), "first": 0} for word in x[1:, 0]])

    async def sink(ctx):
        out.extend(await receive(ctx, core.o, net.outputs))
        ctx.set(core.o.ready, 1)
        await ctx.tick().repeat(40)
        ctx.set(core.o.ready, 0)
        waited.append(True)
        await ctx.tick().repeat(20 * cycles_per_tick(net))
        out.extend(await receive(ctx, core.o, 11 * net.outputs))

    run(core, drive, sink, cycles=20_000)
    want = engine.run(net, params, x[None])[0]
    assert (np.array([p.y for p in out]).reshape(want.shape) == want).all()


@pytest.mark.parametrize("after", [3, 40, 77, 150])
def test_reset_in_mid_stream(after):
    """A reset that outlasts the pipelines leaves nothing of the ticks before it; the host then loads again."""
    net = random_network("network 4", largest=8)
    rng = np.random.default_rng(after)
    params, x = engine.random_params(net, rng), random_input(net, rng, 6)
    core, reset, out = NetworkCore(net), Signal(), []
    payloads = [{"x": int(word), "first": int(n == 0)} for n, word in enumerate(x.reshape(-1))]

    async def drive(ctx):
        await load(ctx, core.params, image_writes(net, params), half=0, settle=100)
        ctx.set(core.i.valid, 1)
        for n in range(after):
            ctx.set(core.i.payload, payloads[n % len(payloads)])
            await ctx.tick()
        ctx.set(core.i.valid, 0)
        ctx.set(reset, 1)
        await ctx.tick().repeat(1 << RESET_BITS)
        ctx.set(reset, 0)
        await load(ctx, core.params, image_writes(net, params), half=0, settle=100)
        await send(ctx, core.i, payloads)

    async def sink(ctx):
        await ctx.changed(reset)        # to 1, and back to 0
        await ctx.changed(reset)
        out.extend(await receive(ctx, core.o, len(x) * net.outputs))

    run(ResetInserter(reset)(core), drive, sink, cycles=20_000)
    want = engine.run(net, params, x[None])[0]
    assert (np.array([p.y for p in out]).reshape(want.shape) == want).all()


def same_size(size: int, lanes: int, outputs: int = 10) -> Network:
    state, rate = QFormat(5, 11), QFormat(0, 11)

    def layer(i, o, n, operand):
        return Dense(inputs=i, outputs=o, activation="tanh", operand=operand, weight=QFormat(2, 11), state=state,
                     lead=QFormat(1, 14), lag=QFormat(0, 15), rate=rate, lanes=n)
    return Network(name="square", dt=1.0, layers=(layer(size, size, lanes, rate), layer(size, size, lanes, rate),
                                                  layer(size, outputs, 1, rate)))


@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (8, 8), (13, 5), (24, 2)])
def test_cycles_per_tick(size, lanes):
    net = same_size(size, lanes, 1)
    rng = np.random.default_rng(size)
    params = engine.random_params(net, rng)
    x = random_input(net, rng, 9)
    got, gaps = run_core(net, params, [x])
    assert (got == engine.run(net, params, x[None])[0]).all()
    assert (gaps == cycles_per_tick(net)).all(), f"ticks start {gaps} apart, the schedule says {cycles_per_tick(net)}"


@pytest.mark.parametrize(("size", "lanes"), [(12, 4), (13, 5), (24, 12)])
def test_schedule_is_tight(size, lanes, monkeypatch):
    """One cycle less between ticks and words are read before they are written: the schedule wastes nothing."""
    net = same_size(size, lanes, 1)
    rng = np.random.default_rng(size)
    params = engine.random_params(net, rng)
    x = random_input(net, rng, 9)
    period = cycles_per_tick(net)
    assert period > size + 1
    monkeypatch.setattr("rtl.rate.core.cycles_per_tick", lambda _: period - 1)
    got, _ = run_core(net, params, [x])
    assert (got != engine.run(net, params, x[None])[0]).any()
