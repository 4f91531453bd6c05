"""SharedEngine by itself, against golden.spiking.engine: tokens in, a neuron a cycle out."""

import random

import numpy as np
import pytest
from spikes import expected_tokens
from test_spiking_engine import IMAGES, TICKS, golden, layer

from golden.image import build_image
from golden.regmap import BANK_SHIFT
from golden.spiking.engine import random_synapses
from golden.spiking.network import SpikingNetwork
from golden.units.weights import Ternary
from rtl.spiking.shared import SharedEngine, clears, updates
from sim.pysim import load, run, send


@pytest.mark.parametrize(("one", "pattern"), [
    (layer(3, 5, 2), "random"), (layer(4, 4, 4, order=2, refractory=1), "none"),
    (layer(2, 11, 8, weight=Ternary(plus=8, minus=4, seed=5), threshold=3), "bursts"), (layer(2, 9, 9), "random")],
    ids=["folds", "order 2", "seed", "one way"])
def test_every_neuron_of_every_tick(one, pattern):
    """In order, then the end of the tick, and behind its ticks that of the image; a decided image has its end alone."""
    net, rng = SpikingNetwork(name="n", ticks=TICKS, layers=(one, layer(one.outputs, 1, 1))), np.random.default_rng(1)
    params, spikes = random_synapses(net, rng), rng.random((IMAGES, TICKS, one.inputs)) < 0.5
    fired, x = golden(one, params[0], spikes)
    assert fired.any()
    decided, want = 2, []
    for image in range(IMAGES):
        if image != decided:
            for tick in range(TICKS):
                want += [(n, bool(fired[image, tick, n]), int(x[image, tick, n])) for n in range(one.outputs)]
                want.append("last")
        want.append("image")
    dut, got, ended = SharedEngine(one, vendor="generic", bank0=0, spiking=True), [], []
    pairs = [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(word))
             for addr, word in build_image(net, params).pairs]
    tokens = [{"kind": kind, "source": line or 0} for kind, line in expected_tokens(spikes)]

    async def drive(ctx):
        ctx.set(dut.seed, one.weight.seed if one.regenerates else 0)
        ctx.set(dut.decided, 1)
        ctx.set(dut.number, decided)
        await load(ctx, dut.params, pairs, half=1, settle=8)
        await send(ctx, dut.i, tokens, pattern=pattern)
        await ctx.tick().repeat(dut.latency + 2 + clears(one))
        ended.append(True)

    async def room(ctx):
        pauses = random.Random("room")
        while not ended:
            ctx.set(dut.room, pauses.random() < 0.7)
            await ctx.tick()

    async def watch(ctx):
        while not ended:
            *_, update, neuron, spike, membrane, last, image = await ctx.tick().sample(
                dut.update, dut.neuron, dut.fired, dut.x, dut.last, dut.image)
            if update:
                got.append((neuron, bool(spike), membrane))
            got.extend(["last"] * last + ["image"] * image)
    cycles = len(pairs) + IMAGES * (TICKS * 2 * updates(one) + 2 * clears(one)) + 80 * len(tokens) + 600
    run(dut, drive, room, watch, cycles=cycles)
    assert got == want
