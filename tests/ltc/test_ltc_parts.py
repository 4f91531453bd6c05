"""The parts of a layer one by one against golden: SpikeLine, Former, Gates, SpikingNeuron, LeakyOutput."""

import random

import numpy as np
import pytest
from ltc_core import layer_writes
from ltcs import random_layer, random_params, random_readout

from golden.fixed import saturate
from golden.ltc import step
from golden.units.activation import activation_step
from rtl.ltc.former import Former, below_rows, own_rows, table_of
from rtl.ltc.gates import Gates, dense_cycles, gate_cycles, lane_rows, product_bits
from rtl.ltc.line import SpikeLine
from rtl.ltc.neuron import LeakyOutput, SpikingNeuron
from rtl.ltc.sums import SpikeSums
from rtl.primitives import Bank
from sim.pysim import load, run

LAYERS = [random_layer(f"part {n}", dense=n % 2 == 0) for n in range(4)]


@pytest.mark.parametrize(("count", "is_there"), [(1, True), (5, False), (8, True)])
def test_line(count, is_there):
    """Spikes come back in order, with their rows, whatever comes between; no row before its neuron, none too many."""
    rng, dut, ticks = random.Random(count), SpikeLine(count, is_there=is_there), 5
    spikes = [rng.randrange(2) for _ in range(count * ticks)]
    taken = []

    async def give(ctx):
        for n, spike in enumerate(spikes):
            while n >= len(taken) + count + (len(taken) % count == 0) or rng.random() < 0.4:
                await ctx.tick()
                ctx.set(dut.i.spike, 0)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            # it comes a cycle after it is told of
            ctx.set(dut.i, {"valid": 0, "spike": spike})

    async def take(ctx):
        assert ctx.get(dut.wanted) == is_there
        if not is_there:
            ctx.set(dut.reload, 1)
            await ctx.tick()
            ctx.set(dut.reload, 0)
        for n in range(len(spikes)):
            assert ctx.get(dut.wanted)
            while not ctx.get(dut.ready) or rng.random() < 0.3:
                await ctx.tick()
            ctx.set(dut.take, 1)
            await ctx.tick()
            ctx.set(dut.take, 0)
            taken.append(ctx.get(dut.spike))
            assert ctx.get(dut.row) == n % count
            if n % count == count - 1:
                assert not ctx.get(dut.wanted)
                assert not ctx.get(dut.ready)
                ctx.set(dut.reload, 1)
                await ctx.tick()
                ctx.set(dut.reload, 0)
    run(dut, give, take, cycles=2000)
    assert taken == spikes


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("n", range(4))
def test_former(n, slots):
    """X of some ticks, of which one is the first of a sequence and is told of late, when spikes are added already."""
    layer, rng, words = LAYERS[n], random.Random(n), np.random.default_rng(n)
    table, excess = table_of(layer, slots=slots, halves=1), 7 if layer.dense else 0
    dut = Former(layer, table, first_bank=3, product_bits=product_bits(layer) + 4, excess=excess)
    params, ticks, got, fresh = random_params(layer, words), 4, [], []
    own = words.integers(0, 2, (ticks, layer.outputs))
    own[0] = 0
    given = words.integers(layer.operand.min, layer.operand.max + 1, (ticks, layer.inputs)) if layer.dense else \
        words.integers(0, 2, (ticks, layer.inputs))
    pairs = -(-layer.outputs // 2)

    async def arrive(ctx, port, spikes):
        for spike in spikes:
            while rng.random() < 0.3:
                await ctx.tick()
                ctx.set(port.spike, 0)
            ctx.set(port.valid, 1)
            await ctx.tick()
            ctx.set(port, {"valid": 0, "spike": int(spike)})

    async def products(ctx, x):
        sums = params.weight @ x + excess
        for first in range(0, layer.outputs, layer.chains):
            for c in range(layer.chains):
                ctx.set(dut.product[c], int(sums[min(first + c, layer.outputs - 1)]))
            ctx.set(dut.product_valid, 1)
            await ctx.tick()
            ctx.set(dut.product_valid, 0)

    async def drive(ctx):
        ctx.set(dut.live, 1)
        writes = [each for each in layer_writes(layer, params, 3 - layer.lanes) if each[0] >= 3]
        await load(ctx, dut.params, writes, half=0, settle=SpikeSums.settle(table))
        for t in range(ticks):
            if t:
                await arrive(ctx, dut.own, own[t])
            if t == 2:
                await ctx.tick().repeat(rng.choice((0, 3, 40)))
            ctx.set(dut.told, 1)
            ctx.set(dut.fresh, int(t in (0, 2)))
            await ctx.tick()
            ctx.set(dut.told, 0)
            if layer.dense:
                await products(ctx, given[t])
            else:
                await arrive(ctx, dut.below, given[t])
            while len(got) < (t + 1) * pairs:
                await ctx.tick()

    async def watch(ctx):
        async for _, _, valid, pair, is_fresh, *x in ctx.tick().sample(dut.valid, dut.pair, dut.is_fresh, *dut.x):
            if valid:
                assert pair == len(got) % pairs
                got.append(x)
                fresh.append(is_fresh)
            if len(got) == ticks * pairs:
                return
    run(dut, drive, watch, cycles=9000)
    own[2] = 0
    wanted = step.sum_step(own, given, params, layer)
    found = np.array(got).reshape(ticks, -1)[:, :layer.outputs]
    assert found.tolist() == wanted.tolist()
    assert fresh == [int(t in (0, 2)) for t in range(ticks) for _ in range(pairs)]
    assert own_rows(layer) + below_rows(layer) == table.rows


@pytest.mark.parametrize("n", range(4))
def test_gates(n):
    """Sums of both gates and of real inputs, with states of the last tick and without."""
    layer, words = LAYERS[n], np.random.default_rng(n)
    dut, params, size = Gates(layer, halves=2, first_bank=5), random_params(layer, words), layer.outputs
    names, state = ("alpha", "rho")[:layer.chains], layer.state
    old, x = (words.integers(state.min, state.max + 1, (k, size)) for k in (layer.chains, 2))
    given = words.integers(layer.operand.min, layer.operand.max + 1, layer.inputs) if layer.dense else None
    sums, products = [], []

    async def inputs(ctx):
        index = [0] * Bank.LATENCY
        while layer.dense and len(sums) < 2 * size:
            index.append(ctx.get(dut.input_index))
            ctx.set(dut.input, int(given[min(index.pop(0), layer.inputs - 1)]))
            await ctx.tick()

    async def drive(ctx):
        writes = [each for each in layer_writes(layer, params, 5) if each[0] < 5 + layer.lanes]
        await load(ctx, dut.params, writes, half=1, settle=layer.lanes + 4)
        ctx.set(dut.live, 1)
        ctx.set(dut.half, 1)
        for j in range(size):
            ctx.set(dut.kept, 1)
            ctx.set(dut.kept_at, j)
            for c in range(layer.chains):
                ctx.set(dut.state[c], int(old[c, j]))
            await ctx.tick()
        ctx.set(dut.kept, 0)
        for tick in range(2):
            for q in range(-(-size // 2)):
                ctx.set(dut.x_valid, 1)
                ctx.set(dut.pair, q)
                for c in range(2):
                    ctx.set(dut.x[c], int(x[tick, min(2 * q + c, size - 1)]))
                await ctx.tick()
            ctx.set(dut.x_valid, 0)
            ctx.set(dut.start, 1)
            ctx.set(dut.fresh, int(tick == 1))
            await ctx.tick()
            ctx.set(dut.start, 0)
            while len(sums) < (tick + 1) * size:
                await ctx.tick()
            await ctx.tick().repeat(2 * layer.lanes)

    async def watch(ctx):
        async for _, _, valid, index, side, product_valid, *found in ctx.tick().sample(
                dut.valid, dut.index, dut.side, dut.product_valid, *dut.sums, *dut.product):
            if product_valid:
                products.append(found[layer.chains:])
            if valid:
                assert (index, side) == (len(sums) % size, len(sums) < size)
                sums.append(found[:layer.chains])
            if len(sums) == 2 * size:
                return
    run(dut, inputs, drive, watch, cycles=12000 + 4 * (dense_cycles(layer) + gate_cycles(layer)))
    rows = layer.gate_rows()
    for tick in range(2):
        for c, name in enumerate(names):
            factors = [*(old[c] * (tick == 0)), *x[tick], layer.one]
            wanted = getattr(params, name) @ np.array(factors) + rows.half
            assert [each[c] for each in sums[tick * size:(tick + 1) * size]] == wanted.tolist(), (tick, name)
    if layer.dense:
        wanted = (params.weight @ given + lane_rows(layer, 1).half).tolist()
        shares = [wanted[c::layer.chains] for c in range(layer.chains)]
        for found in (products[:len(shares[0])], products[len(shares[0]):]):
            for c, share in enumerate(shares):
                assert [each[c] for each in found][:len(share)] == share


def gate(total, layer):
    """A gate's word."""
    return activation_step(saturate(total >> layer.gate_shift, layer.gate_sum), "sigmoid", layer.gate_sum, layer.gate)


def neuron_by_golden(layer, sums, x, spiking: bool):
    """States kept and spikes of every tick, the third of which begins a sequence.

    Of every second neuron that spikes, x becomes the word that brings its membrane to the threshold or just above it:
    there the rounding of the threshold counts.
    """
    size, every = layer.outputs, np.arange(layer.state.min, layer.state.max + 1)
    for tick in range(len(x)):
        if tick in (0, 2):
            states, s = [np.zeros(size, np.int64)] * 2, np.zeros(size, np.int64)
        gates = [gate(sums[tick, c], layer) for c in range(layer.chains)]
        b, theta = states[1], np.full(size, layer.threshold if spiking else 0)
        if layer.chains == 2:
            b = step.leak(b, s * layer.one, gates[1], layer)
            theta = theta + layer.theta_rise(b)
        for j in range(tick % 2, size, 2 if spiking else size + 1):
            reached = step.leak(np.full(len(every), states[0][j]), every, np.full(len(every), gates[0][j]), layer)
            x[tick, j] = every[np.abs(reached - theta[j] - j // 2 % 2).argmin()]
        ut = step.leak(states[0], x[tick], gates[0], layer)
        if spiking:
            s = (ut > theta) * 1
            ut = ut * (1 - s)
        states = [ut, b]
        yield np.array(states[:layer.chains]).T.tolist(), s.tolist()


@pytest.mark.parametrize("n", range(5))
def test_neuron(n):
    """States, spikes and outputs of some ticks, from sums of any size; the third begins a sequence."""
    layer = [*LAYERS, random_readout("part", 4)][n]
    words, size, ticks = np.random.default_rng(n), layer.outputs, 8
    spiking = n < len(LAYERS)
    dut = SpikingNeuron(layer) if spiking else LeakyOutput(layer)
    limit = 1 << lane_rows(layer, 1).acc - 1
    sums = words.integers(-limit, limit, (ticks, layer.chains, size)) >> words.integers(0, 12, (ticks, 1, 1))
    x = words.integers(layer.state.min, layer.state.max + 1, (ticks, size))
    wanted = list(neuron_by_golden(layer, sums, x, spiking))
    kept, through = [], []

    async def drive(ctx):
        for tick in range(ticks):
            for q in range(-(-size // 2)):
                ctx.set(dut.x_valid, 1)
                ctx.set(dut.pair, q)
                for c in range(2):
                    ctx.set(dut.x[c], int(x[tick, min(2 * q + c, size - 1)]))
                await ctx.tick()
            ctx.set(dut.x_valid, 0)
            await ctx.tick()
            ctx.set(dut.is_fresh, int(tick in (0, 2)))
            ctx.set(dut.side, tick % 2)
            for j in range(size):
                ctx.set(dut.valid, 1)
                ctx.set(dut.index, j)
                for c in range(layer.chains):
                    ctx.set(dut.sums[c], int(sums[tick, c, j]))
                await ctx.tick()
            ctx.set(dut.valid, 0)
            await ctx.tick().repeat(dut.KEPT + 1)

    async def watch(ctx):
        comes, spikes = False, (dut.o.valid, dut.o.spike) if spiking else ()
        async for _, _, valid, at, *found in ctx.tick().sample(dut.kept, dut.kept_at, *dut.state, *spikes):
            if comes:
                through.append(found[-1])
            comes = spiking and found[layer.chains]
            if valid:
                tick, j = divmod(len(kept), size)
                assert at == j | tick % 2 << dut.bits
                kept.append(found[:layer.chains])
            if len(kept) == ticks * size:
                return
    run(dut, drive, watch, cycles=1000)
    for tick, (states, spikes) in enumerate(wanted):
        assert kept[tick * size:(tick + 1) * size] == states, tick
        assert not spiking or through[tick * size:(tick + 1) * size] == spikes, tick
