"""One half of parameters: a network loaded in place, whose ticks wait while it loads."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from cases import random_input, random_learner, random_network
from core import run_core, strict_bank

from golden.image import build_image
from golden.rate import engine
from golden.rate.layout import bank_layout
from golden.rate.network import Network
from golden.regmap import BANK_SHIFT, FIRST_BIT, INPUT, LAST_BIT, OUTPUT, REGISTERS, VALID_BIT
from rtl.host.top import NetworkTop
from rtl.rate.cost import inventory
from rtl.rate.schedule import cycles_per_tick
from sim.pysim import run

#: the rows of its last layer end long after a load may have begun
NET = random_network("in place 4", largest=12).in_place().with_lanes([2, 1, 3, 1])


@pytest.fixture(autouse=True)
def _strict_memories(monkeypatch):
    monkeypatch.setattr("rtl.primitives.Bank.elaborate", strict_bank)


def test_description():
    net = random_network("control 4", largest=3)
    half = net.in_place()
    assert {layer.halves for layer in net.layers} == {2}
    assert {layer.halves for layer in half.layers} == {1}
    assert half.in_place() is None
    assert Network.from_json(half.to_json()) == half
    assert '"halves"' not in net.to_json(), "descriptions without it keep their fingerprint"
    assert half.fingerprint != net.fingerprint
    assert random_learner("in place").in_place() is None
    with pytest.raises(ValueError, match="^dense layer: halves must be an integer in 1..2, not 3$"):
        replace(net.layers[0], halves=3)
    with pytest.raises(ValueError, match="^dense layer: what learns has two halves of parameters, not 1$"):
        replace(random_learner("in place").layers[-1], halves=1)
    layers = NET.layers
    assert len(layers) > 1
    with pytest.raises(ValueError, match="^network: layers have one half of parameters all of them, or two$"):
        replace(NET, layers=(replace(layers[0], halves=2), *layers[1:]))


def test_banks():
    """Weights take the words that there are, constants one half; what has no parameters stays."""
    net = random_network("control 4", largest=3)
    bits = [sum(memory.depth * memory.width for memory in inventory(each).memories) for each in (net, net.in_place())]
    weights = sum((4 << (layer.folds * (layer.inputs + 1) - 1).bit_length()) // 2 * layer.lanes * layer.weight.width
                  - layer.folds * (layer.inputs + 1) * layer.lanes * layer.weight.width for layer in net.layers)
    constants = sum((1 << max(1, (layer.outputs - 1).bit_length())) * (layer.lead.width + layer.lag.width)
                    for layer in net.layers)
    assert bits[0] - bits[1] == weights + constants


@pytest.mark.parametrize("seed", range(6))
def test_random_network(seed):
    net, rng = random_network(f"in place {seed}", largest=12).in_place(), np.random.default_rng(seed)
    params = [p._replace(weight=p.weight >> seed % 3, bias=p.bias >> seed % 3) for p in engine.random_params(net, rng)]
    sequences = [random_input(net, rng, ticks) for ticks in (5, 3)]
    got, gaps = run_core(net, params, sequences, pattern=("none", "random", "bursts")[seed % 3])
    assert gaps.min() >= cycles_per_tick(net)
    np.testing.assert_array_equal(got, np.concatenate([engine.run(net, params, x[None])[0] for x in sequences]))


class Bus:
    """The host's side of the bus."""

    def __init__(self, ctx, bus):
        self.ctx, self.bus = ctx, bus

    async def access(self, addr, data=None):
        ctx, bus = self.ctx, self.bus
        ctx.set(bus.addr, addr)
        ctx.set(bus.w_data, data or 0)
        ctx.set(bus.read, data is None)
        ctx.set(bus.write, data is not None)
        word, _ = await ctx.tick().sample(bus.r_data, bus.error).until(bus.ack)
        ctx.set(bus.read, 0)
        ctx.set(bus.write, 0)
        await ctx.tick()
        return word

    async def register(self, name, data=None):
        return await self.access(REGISTERS[name].offset, data)

    async def vector(self, x, first=False):
        for k, word in enumerate(x):
            await self.access(INPUT, int(word) & 0x3FFFF | (first and k == 0) << FIRST_BIT)

    async def output(self):
        found = []
        while not found or not found[-1] >> LAST_BIT & 1:
            word = await self.access(OUTPUT)
            found += [word] if word >> VALID_BIT & 1 else []
        return [(word & 0x1FFFF) - (word & 0x20000) for word in found]

    async def write(self, pairs, inside=None):
        await self.register("load_begin", 1)
        for n, (addr, data) in enumerate(pairs):
            await self.access(int(addr), int(data))
            if inside and n == len(pairs) // 2:
                await inside()
        await self.register("load_commit", zlib.crc32(np.ascontiguousarray(pairs, "<u4").tobytes()))
        while await self.register("status") & 2:
            pass


def test_loads_between_ticks():
    """A tick under way ends with the old parameters, one that is asked for meanwhile has the new ones."""
    rng = np.random.default_rng(1)
    old, new = engine.random_params(NET, rng), engine.random_params(NET, rng)
    x = random_input(NET, rng, 3)
    want = {name: engine.run(NET, params, x[None])[0] for name, params in (("old", old), ("new", new))}
    assert (want["old"][0] != want["new"][0]).any(), "the test could not tell the two apart"
    top = NetworkTop(NET)

    async def bench(ctx):
        host = Bus(ctx, top.bus)
        await host.write(build_image(NET, old).pairs)
        assert await host.register("status") & 0x41 == 0x41, "loaded, in place"
        assert await host.register("ticks") == 0
        await host.vector(x[0], first=True)

        async def inside():
            assert await host.register("status") & 3 == 2, "nothing is loaded while it loads"
            await host.vector(x[0], first=True)
            for _ in range(2 * cycles_per_tick(NET) // 4):
                assert await host.register("ticks") == 1, "a tick began while an image was loaded"
        # what the tick reads last comes first: the words of an image in its order come behind the reads
        pairs, lead = build_image(NET, new).pairs[::-1], bank_layout(NET)[-1].constants["lead"]
        early = np.argsort((pairs[:, 0] >> BANK_SHIFT & 0xFFF) != lead, kind="stable")
        await host.write(pairs[early], inside)
        found = [await host.output(), await host.output()]
        for vector in x[1:]:
            await host.vector(vector)
            found.append(await host.output())
        assert await host.register("errors") == 0
        np.testing.assert_array_equal(found[0], want["old"][0])
        np.testing.assert_array_equal(found[1:], want["new"])
    words = sum(len(bank.words) for bank in NET.layout())
    run(top, bench, cycles=40 * words + 60 * cycles_per_tick(NET) + 5_000)
