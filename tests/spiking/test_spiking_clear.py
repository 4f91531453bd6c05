"""Nothing of an image reaches the next one: every form of a neuron, every number of folds, also behind a reset."""

import itertools

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from spikes import expected_tokens, run_spiking

from golden.fixed import QFormat
from golden.image import build_image
from golden.regmap import BANK_SHIFT
from golden.spiking.engine import Synapses, run
from golden.spiking.layer import Kick, SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import answers, input_words
from rtl.spiking.core import SpikingCore
from rtl.spiking.engine import Issue, Token
from rtl.spiking.lanes import Kind, Neuron
from sim import pysim

#: what a neuron holds besides its membrane
FORMS = {"order 1": {}, "order 1, refractory": {"refractory": 2}, "order 2": {"order": 2},
         "order 2, refractory": {"order": 2, "refractory": 255},
         "order 2, kick": {"order": 2, "kick": Kick(word=9, leak=(2,))}}
#: outputs and lanes of the hidden layer: 1, 2, 3 and 5 folds
FOLDS = {1: (2, 2), 2: (3, 2), 3: (3, 1), 5: (5, 1)}


def network(form: str, folds: int, delay_bits: int, *, hidden: bool = True) -> SpikingNetwork:
    """A hidden layer of that form and a plain output, or the other way round: nothing leaks, little is needed."""
    plain = {"weight": QFormat(2, 0), "delay_bits": 1, "state": QFormat(5, 0), "leak": (), "threshold": 2}
    tested = plain | {"delay_bits": delay_bits} | FORMS[form]
    outputs, lanes = FOLDS[folds]
    below = tested if hidden else plain
    return SpikingNetwork(name="clear", ticks=3, layers=(
        SpikingLayer(inputs=2, outputs=outputs, lanes=lanes, **below),
        SpikingLayer(inputs=outputs, outputs=1, **(plain if hidden else tested))))


def images(net: SpikingNetwork, seed: int, count: int = 6) -> np.ndarray:
    """Full images, each with an empty or sparse one behind it, which shows what was left."""
    rng = np.random.default_rng(seed)
    rate = np.where(np.arange(count) % 2, rng.choice([0.0, 0.3], count), 0.9)
    return rng.random((count, net.ticks, net.inputs)) < rate[:, None, None]


def synapses(net: SpikingNetwork, rng) -> list[Synapses]:
    """Mostly short delays; weights that mostly excite."""
    shapes = [(layer.outputs, layer.inputs) for layer in net.layers]
    return [Synapses(rng.choice([0, 0, 1, layer.max_delay], shape), rng.choice([-1, 1, 1, 2, 3], shape))
            for layer, shape in zip(net.layers, shapes, strict=True)]


def compare(net: SpikingNetwork, seed: int) -> None:
    """Run to the end with the spikes of the hidden layer, and stopped early with the memories of an iCE40."""
    rng = np.random.default_rng(seed)
    params, spikes = synapses(net, rng), images(net, seed)
    golden = run(net, params, spikes)
    assert golden.spikes[0].any()
    for options in ({"stop_early": False}, {"vendor": "ice40"}):
        found, tokens = run_spiking(net, params, spikes, **options)
        if not options.get("stop_early", True):
            assert tokens == expected_tokens(golden.spikes[0])
        for name in ("label", "tick", "fired"):
            np.testing.assert_array_equal(getattr(found, name), getattr(golden.answers, name), err_msg=name)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("folds", "delay_bits"), [(1, 1), (1, 2), (2, 1), (3, 1), (5, 2)])
def test_images_back_to_back(form, folds, delay_bits):
    compare(network(form, folds, delay_bits), folds + delay_bits)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("decision", ["first_spike", "potential"])
def test_outputs_back_to_back(form, decision):
    net = network(form, 1, 1, hidden=False)
    compare(SpikingNetwork(name="last", ticks=net.ticks, layers=net.layers, decision=decision), 3)


def test_a_membrane_of_the_last_tick_is_gone():
    """The smallest case: an alpha neuron gets its spike in the last tick, and would fire in the next one."""
    one, fields = np.ones((1, 1), np.int64), {"inputs": 1, "outputs": 1, "weight": QFormat(3, 0), "delay_bits": 1,
                                              "state": QFormat(6, 0), "leak": (), "threshold": 1}
    net = SpikingNetwork(name="alpha", ticks=3, layers=(SpikingLayer(**fields, order=2), SpikingLayer(**fields)))
    spikes = np.zeros((2, 3, 1), bool)
    spikes[0, 2] = True
    found, tokens = run_spiking(net, [Synapses(0 * one, one)] * 2, spikes)
    assert tokens == 2 * [(1, None), (1, None), (1, None), (2, None)]
    assert found.fired.tolist() == [False, False]


@pytest.mark.parametrize("form", ["order 1", "order 2"])
@pytest.mark.parametrize("rest", [0, 11])
def test_every_word_is_cleared_before_it_is_read(form, rest):
    """The micro-operations themselves: all accumulators, and each membrane as long before as its pipeline is deep."""
    for folds, delay_bits in itertools.product(FOLDS, (1, 2, 3)):
        layer = network(form, folds, delay_bits).layers[0]
        unit, ops, spacing = Issue(layer, rest=rest), [], Neuron.SPACING[layer.order]

        async def bench(ctx, unit=unit, ops=ops):
            ctx.set(unit.room, 1)
            for kind in (Token.SPIKE, Token.TICK, Token.TICK, Token.IMAGE, Token.TICK) * 2:
                ctx.set(unit.i.payload, {"kind": kind, "source": 1})
                ctx.set(unit.i.valid, 1)
                while True:
                    *_, ready, op = await ctx.tick().sample(unit.i.ready, unit.op)
                    ops.append(op)
                    if ready:
                        break
            ctx.set(unit.i.valid, 0)
            for _ in range(99):
                ops.append((await ctx.tick().sample(unit.op))[-1])

        pysim.run(unit, bench, cycles=1000)
        cleared, changed, updates = set(), {}, 0
        for cycle, (kind, fold, slot) in enumerate((op.kind, op.fold, op.slot) for op in ops):
            at = f"{folds} folds, {delay_bits} bits, cycle {cycle}"
            if kind == Kind.CLEAR:
                if not cleared:
                    changed = {}
                cleared.add((fold, slot))
                changed.setdefault(fold, cycle)
            elif kind == Kind.UPDATE:
                assert cleared in (set(), set(itertools.product(range(folds), range(1 << delay_bits)))), at
                assert cycle - changed[fold] >= spacing, at
                cleared, updates = set() if fold == folds - 1 else cleared, updates + 1
                changed[fold] = cycle
        assert updates == 6 * folds


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("folds", [1, 2])
def test_the_first_image_behind_a_reset(form, folds):
    """A reset of one cycle, anywhere in an image: memories and membranes keep their words until they are cleared."""
    net, seed = network(form, folds, 1), 7
    params, spikes = synapses(net, np.random.default_rng(seed)), images(net, seed)
    golden = run(net, params, spikes)
    core, reset, got, words = SpikingCore(net), Signal(), [], input_words(net, spikes)
    pairs = [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(word))
             for addr, word in build_image(net, params).pairs]
    ends = [0, *(np.flatnonzero(words == words.max()) + 1)]

    async def bench(ctx):
        await pysim.load(ctx, core.params, pairs, half=1, settle=40)
        for n, (first, end) in enumerate(itertools.pairwise(ends)):
            image = [{"x": int(word), "first": 0} for word in words[first:end]]
            await pysim.send(ctx, core.i, [{"x": int(word), "first": 0} for word in words[:ends[1]]][:-1 - n % 4])
            await ctx.tick().repeat(1 + n % 7)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            await pysim.send(ctx, core.i, image)
            got.extend(await pysim.receive(ctx, core.o, 1))

    pysim.run(ResetInserter(reset)(core), bench, cycles=9000)
    found = answers([word.y & 0x3FFFF for word in got])
    assert [v.tolist() for v in found] == [v.tolist() for v in golden.answers]
