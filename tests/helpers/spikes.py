"""Random spiking networks, and a SpikingCore in Amaranth's simulator."""

import random

import numpy as np

from golden.fixed import QFormat
from golden.image import build_image
from golden.regmap import BANK_SHIFT
from golden.spiking.layer import Kick, SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import TICK_BIT, answers, input_words
from golden.units.weights import BLOCK, Ternary
from rtl.spiking.core import SpikingCore
from sim.pysim import load, receive, run, send


def random_layer(rng: random.Random, inputs: int, outputs: int, *, last: bool) -> SpikingLayer:
    """A layer whose neurons spike now and then."""
    state = QFormat(rng.randint(4, 8), rng.randint(2, 5))
    order = rng.choice((1, 1, 2))
    ternary = rng.random() < 0.6
    weight = Ternary(plus=rng.randint(2, 8), minus=rng.randint(1, 6), seed=rng.getrandbits(32)) if ternary else \
        QFormat(rng.randint(0, 2), rng.randint(1, state.frac_bits))
    lanes = outputs if last or rng.random() < 0.4 else rng.randint(max(1, outputs // 6), outputs)
    if ternary and lanes != outputs:
        lanes = min(outputs, -(-lanes // BLOCK) * BLOCK)
    kick = Kick(word=rng.randint(1, 4 << state.frac_bits), leak=(1, 3)) if order == 2 and rng.random() < 0.5 else None
    return SpikingLayer(
        inputs=inputs, outputs=outputs, weight=weight, delay_bits=rng.randint(1, 4), state=state, order=order,
        leak=rng.choice(((), (1,), (3,), (4, 5), (2, 4, 7))), threshold=rng.randint(1, 3) << state.frac_bits,
        refractory=0 if kick else rng.choice((0, 1, 3, 255)), kick=kick, lanes=lanes)


def random_spiking(name: str, largest: int = 16) -> SpikingNetwork:
    """A network of one to three layers."""
    rng = random.Random(name)
    sizes = [rng.randint(2, largest) for _ in range(rng.randint(1, 3))] + [rng.randint(1, 8)]
    if rng.random() < 0.3 and len(sizes) > 2:
        sizes[1] = rng.randint(33, 40)      # more than a group of lanes
    count = len(sizes) - 1
    layers = tuple(random_layer(rng, sizes[n], sizes[n + 1], last=n == count - 1) for n in range(count))
    return SpikingNetwork(name="random", ticks=rng.randint(3, 14), layers=layers,
                          decision=rng.choice(("first_spike", "first_spike", "potential")))


def stored() -> SpikingNetwork:
    """Stored weights, two folds; banks without gaps, over which a scrubber steps."""
    layers = (SpikingLayer(inputs=5, outputs=24, lanes=12, weight=QFormat(1, 2), delay_bits=3, state=QFormat(5, 3),
                           leak=(2,), threshold=9, refractory=1),
              SpikingLayer(inputs=24, outputs=3, weight=QFormat(1, 2), delay_bits=2, state=QFormat(5, 3), leak=(3,),
                           threshold=9))
    return SpikingNetwork(name="scrubbed", ticks=12, layers=layers)


def seeded() -> SpikingNetwork:
    """Weights from seeds, two groups of lanes."""
    layers = (SpikingLayer(inputs=5, outputs=36, weight=Ternary(plus=6, minus=2, seed=77), delay_bits=3,
                           state=QFormat(5, 3), leak=(2,), threshold=9, refractory=1),
              SpikingLayer(inputs=36, outputs=3, weight=Ternary(plus=6, minus=2, seed=78), delay_bits=2,
                           state=QFormat(5, 3), leak=(3,), threshold=9))
    return SpikingNetwork(name="seeded", ticks=12, layers=layers)


def random_images(net: SpikingNetwork, rng, count: int) -> np.ndarray:
    """Spikes (images, ticks, inputs) from none to many."""
    rate = rng.choice([0.0, 0.05, 0.2, 0.6], (count, 1, 1), p=[0.1, 0.4, 0.4, 0.1])
    return rng.random((count, net.ticks, net.inputs)) < rate


def run_spiking(net: SpikingNetwork, params, spikes, *, pattern: str = "none", vendor: str = "generic",
                stop_early: bool = True, shared: bool | None = None):
    """Answers of the circuit, and the tokens (kind, line) of its first hidden layer."""
    core = SpikingCore(net, vendor=vendor, stop_early=stop_early, shared=shared)
    words, found, tokens = input_words(net, spikes), [], []
    folds = max(layer.folds for layer in net.layers)
    budget = 4 * (len(words) + len(spikes) * (40 << max(layer.delay_bits for layer in net.layers))) * folds + \
        2 * len(build_image(net, params)) + 5000
    if core.shared:
        budget *= 3     # a neuron a cycle
    finished = []

    async def drive(ctx):
        pairs = [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(data))
                 for addr, data in build_image(net, params).pairs]
        await load(ctx, core.params, pairs, half=1, settle=net.lanes + 20)
        await send(ctx, core.i, [{"x": int(word), "first": 0} for word in words], pattern=pattern)

    async def sink(ctx):
        found.extend(await receive(ctx, core.o, len(spikes), pattern=pattern))
        while len(net.layers) > 1 and sum(kind == 2 for kind, _ in tokens) < len(spikes):
            await ctx.tick()
        finished.append(True)

    async def watch(ctx):
        events = (False, False)
        while len(net.layers) > 1 and not finished:
            *_, seen, valid, ready, x, stall, tick = await ctx.tick().sample(
                core.seen[0], core.i.valid, core.i.ready, core.i.p.x, core.stall, core.tick)
            assert (bool(stall), bool(tick)) == events, "events come a cycle late"
            events = bool(valid and not ready), bool(valid and ready and x >> TICK_BIT & 1)
            if seen.valid:
                tokens.append((seen.kind, seen.source if seen.kind == 0 else None))

    run(core, drive, sink, watch, cycles=budget)
    assert all(word.last for word in found)
    return answers([word.y & 0x3FFFF for word in found]), tokens


def expected_tokens(spikes) -> list:
    """Tokens (kind, line) of a layer's spikes (images, ticks, neurons)."""
    found = []
    for image in spikes:
        for tick in image:
            found += [(0, int(line)) for line in np.flatnonzero(tick)] + [(1, None)]
        found.append((2, None))
    return found
