"""LtcCore against golden: every word of every output, cycles between ticks, resets, halves."""

from dataclasses import replace

import core as helper
import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from ltc_core import image_writes, run_core, words_of
from ltcs import random_input, random_network, random_params

from golden.fixed import QFormat
from golden.ltc.layer import LtcLayer, Readout
from golden.ltc.network import LtcNetwork
from rtl.ltc import core as cores
from rtl.ltc.core import LtcCore
from rtl.ltc.schedule import latency, plan
from rtl.vendor import generic
from sim.pysim import load, receive, run, send


def network(sizes, lanes, *, adaptive=True, halves=1, **more) -> LtcNetwork:
    """Inputs, neurons of each layer, outputs; formats by default."""
    inputs, *hidden, outputs = sizes
    layers = []
    for n, size in enumerate(hidden):
        real = {"operand": QFormat(2, 5), "input_weight": QFormat(2, 5)} if n == 0 else {}
        layers.append(LtcLayer(inputs=inputs, outputs=size, lanes=lanes[n], adaptive=adaptive, **real, **more))
        inputs = size
    return LtcNetwork(name="small", layers=(*layers, Readout(inputs=inputs, outputs=outputs, lanes=lanes[-1])),
                      halves=halves)


def drawn(net, seed, lengths=(3, 1, 2), **more):
    """Parameters and sequences."""
    rng = np.random.default_rng(seed)
    params = tuple(random_params(layer, rng, **more) for layer in net.layers)
    return params, [random_input(net, rng, 1, n)[0] for n in lengths]


def golden(net, params, sequences):
    return np.concatenate([net.run(params, x[None])[0] for x in sequences])


@pytest.mark.parametrize(("sizes", "lanes", "more", "pattern"), [
    ((3, 8, 2), (4, 1), {}, "none"), ((1, 1, 1), (2, 1), {}, "none"),
    ((3, 5, 9, 3), (6, 18, 2), {"halves": 2}, "bursts"), ((30, 12, 2), (8, 1), {"adaptive": False}, "none"),
    ((2, 7, 3, 5, 4), (14, 2, 4, 4), {}, "none"), ((40, 4, 2), (2, 1), {"weight": QFormat(-2, 4)}, "none"),
    ((4, 13, 2), (26, 2), {"spike_weight": QFormat(2, 9), "halves": 2}, "random")], ids=str)
def test_equals_golden(monkeypatch, sizes, lanes, more, pattern):
    """Sequences of some ticks, memories read as they are written give nonsense; ticks come as often as they can."""
    monkeypatch.setattr(generic.Bank, "elaborate", helper.strict_bank)
    net = network(sizes, lanes, **more)
    params, sequences = drawn(net, 3)
    got, starts = run_core(net, params, sequences, pattern=pattern)
    assert got.tolist() == golden(net, params, sequences).tolist()
    assert min(np.diff(starts)) >= plan(net)[0]
    if pattern == "none":
        assert set(np.diff(starts)) == {plan(net)[0]}


@pytest.mark.parametrize("seed", range(2))
def test_any_network(monkeypatch, seed):
    monkeypatch.setattr(generic.Bank, "elaborate", helper.strict_bank)
    net = random_network(f"core {seed}")
    params, sequences = drawn(net, seed)
    got, _ = run_core(net, params, sequences, pattern="random" if seed % 2 else "none")
    assert got.tolist() == golden(net, params, sequences).tolist(), net


@pytest.mark.parametrize("rate", [0, 1])
def test_spikes_cost_nothing(rate):
    """As many cycles where every neuron spikes in every tick as where none does."""
    net = network((3, 6, 4, 2), (6, 4, 1))
    params, sequences = drawn(net, 0, lengths=(3,))
    # a threshold of 0 is passed by whatever grows, and by nothing that shrinks
    net = replace(net, layers=(*(replace(layer, threshold=0) for layer in net.hidden), net.readout))
    params = (*(p._replace(bias=p.bias * 0 + (127 if rate else -128), recurrent=p.recurrent * 0, weight=p.weight * 0)
                for p in params[:-1]), params[-1])
    got, starts = run_core(net, params, sequences)
    assert got.tolist() == golden(net, params, sequences).tolist()
    assert set(np.diff(starts)) == {plan(net)[0]}


@pytest.mark.slow
def test_one_cycle_less(monkeypatch):
    """Ticks a cycle closer together give other words: of several shapes at least one shows it each."""
    for sizes, lanes in (((3, 8, 2), (16, 1)), ((2, 6, 7, 2), (12, 14, 2))):
        net, wrong = network(sizes, lanes), False
        period, slots = plan(net)
        for less in range(1, 6):
            monkeypatch.setattr(cores, "plan", lambda net, short=period - less, slots=slots: (short, slots))
            params, sequences = drawn(net, 1, lengths=(4, 3))
            got, _ = run_core(net, params, sequences)
            if got.tolist() != golden(net, params, sequences).tolist():
                wrong = True
                break
        monkeypatch.undo()
        assert wrong, (sizes, period)


def test_two_images():
    """Of two halves, one is loaded while the other runs, and comes into force between ticks."""
    net = network((3, 6, 5, 2), (6, 4, 1), halves=2)
    sets = [drawn(net, seed)[0] for seed in range(3)]
    _, sequences = drawn(net, 5, lengths=(2, 3, 2))
    got, _ = run_core(net, None, sequences, images=sets)
    wanted = np.concatenate([golden(net, params, [x]) for params, x in zip(sets, sequences, strict=True)])
    assert got.tolist() == wanted.tolist()


@pytest.mark.parametrize("wait", [40, 133])
def test_reset_in_mid_tick(wait):
    """After a reset of one cycle, wherever the tick was, a sequence gives what golden gives."""
    net = network((3, 8, 6, 2), (4, 12, 2))
    params, (x, *_) = drawn(net, 2, lengths=(3,))
    reset, core, out = Signal(), LtcCore(net), []
    dut = ResetInserter(reset)(core)

    async def drive(ctx):
        await load(ctx, core.params, image_writes(net, params), half=0, settle=core.info.settle)
        await send(ctx, core.i, words_of([x[:2]]))
        await ctx.tick().repeat(wait)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        await send(ctx, core.i, words_of([x]))

    async def sink(ctx):
        await ctx.tick().until(reset)
        out.extend(await receive(ctx, core.o, len(x) * net.outputs))
    run(dut, drive, sink, cycles=8000)
    assert np.array([p.y for p in out]).reshape(-1, net.outputs).tolist() == golden(net, params, [x]).tolist()


@pytest.mark.parametrize(("sizes", "lanes"), [((3, 8, 2), (4, 1)), ((3, 5, 9, 3), (6, 18, 2)),
                                              ((2, 7, 3, 5, 4), (14, 2, 4, 4))])
def test_latency_is_what_is_said(sizes, lanes):
    """From the start of a tick until the last word of its output; the queue before the host takes two cycles more."""
    net = network(sizes, lanes)
    params, sequences = drawn(net, 3, (1,))
    core, seen = LtcCore(net), {"tick": None, "words": []}

    async def drive(ctx):
        await load(ctx, core.params, image_writes(net, params), half=0, settle=core.info.settle)
        await send(ctx, core.i, words_of(sequences))

    async def watch(ctx):
        ctx.set(core.o.ready, 1)
        cycle = 0
        async for _, _, tick, valid in ctx.tick().sample(core.tick, core.o.valid):
            cycle += 1
            seen["tick"] = cycle if tick else seen["tick"]
            seen["words"] += [cycle] * valid
            if len(seen["words"]) == net.outputs:
                return
    run(core, drive, watch, cycles=20_000)
    assert seen["words"][-1] - seen["tick"] == latency(net) + 2
