"""Spiking neurons behind delays: golden against its definition, the circuit against golden."""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from spikes import expected_tokens, random_images, random_spiking, run_spiking

from golden.fixed import QFormat
from golden.image import build_image
from golden.regmap import BANK_SHIFT
from golden.spiking.codes import LatencyCode
from golden.spiking.engine import (
    Synapses,
    arrivals,
    decay,
    decide,
    encode,
    neuron_step,
    random_synapses,
    rest,
    round_delays,
    run,
)
from golden.spiking.layer import Kick, SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import answers, input_words
from golden.units.weights import Ternary
from rtl.spiking.core import SpikingCore
from sim import pysim

#: random networks in Amaranth's simulator
NETWORKS = 12
ONE = {"inputs": 1, "outputs": 1, "weight": QFormat(3, 0), "delay_bits": 4, "state": QFormat(6, 12)}


def single(**fields) -> SpikingLayer:
    return SpikingLayer(**(ONE | {"leak": (), "threshold": 1 << 12} | fields))


def membranes(layer, arrived):
    """Membranes and spikes of one neuron, what arrives in each tick given."""
    state, found = rest(layer, 1), []
    for a in arrived:
        state, fired, x = neuron_step(state, np.array([[a]]), layer)
        found.append((int(x[0, 0]), bool(fired[0, 0])))
    return found


def test_decay_by_hand():
    assert [int(decay(np.int64(x), (1, 3))) for x in (8, 9, -1, -9, 0)] == [3, 4, 1, -2, 0]
    assert decay(np.int64(7), ()) == 7


def test_leaky_neuron_by_hand():
    """Half leaks away in a tick; the third arrival lifts the membrane to the threshold: it spikes and is reset."""
    layer = single(leak=(1,), threshold=3 << 12, state=QFormat(6, 12))
    one = 1 << 12
    assert membranes(layer, [2, 0, 1, 2, 0, 3]) == [
        (2 * one, False), (one, False), (3 * one // 2, False), (11 * one // 4, False), (11 * one // 8, False),
        (59 * one // 16, True)]
    assert membranes(layer, [3, 3, 2])[1:] == [(3 * one, True), (2 * one, False)]


@pytest.mark.parametrize(("refractory", "spikes"), [(0, [0, 1, 2, 3, 4]), (1, [0, 2, 4]), (2, [0, 3]), (255, [0])])
def test_refractory_ticks_lose_arrivals(refractory, spikes):
    layer = single(refractory=refractory, threshold=2 << 12)
    found = membranes(layer, [2, 2, 2, 2, 2])
    assert [n for n, (_, fired) in enumerate(found) if fired] == spikes
    assert all(x == (2 << 12 if fired else 0) for x, fired in found)


def test_membranes_saturate():
    layer = single(state=QFormat(2, 0), weight=QFormat(6, 0), threshold=3)
    assert membranes(layer, [-40, 3, 60]) == [(-4, False), (-1, False), (3, True)]


def test_alpha_function_is_the_kernel_of_slayer():
    """eps[n] = n/tau exp(1 - n/tau), tau = 10 ([DELAY] arXiv 2306.06237); shifts 4, 5 and 9 make exp(-0.1) to 0.1 %."""
    layer = single(order=2, leak=(4, 5, 9), state=QFormat(9, 14), weight=QFormat(3, 2), threshold=(1 << 23) - 1)
    found = np.array([x for x, _ in membranes(layer, [4] + [0] * 40)]) / 2**14 * np.e / 10
    n = np.arange(41) / 10
    np.testing.assert_allclose(found, n * np.exp(1 - n), atol=0.02)
    assert found[0] == 0


def test_kick_is_the_refractory_kernel_of_slayer():
    """ref[n] = -2 theta n exp(1 - n) from the spike on: 0, -20, -14.7, -8.12, ... with theta = 10."""
    kick = Kick(word=round(20 * np.e * 2**8), leak=(1, 3))
    layer = single(order=2, leak=(), kick=kick, state=QFormat(9, 8), weight=QFormat(4, 0), threshold=10 << 8)
    # q stays at 10 where p has gone: one arrival of 10, then of -10
    found = membranes(layer, [10, -10] + [0] * 7)
    assert [n for n, (_, fired) in enumerate(found) if fired] == [1]
    kernel = np.array([x for x, _ in found[1:]]) / 2**8 - 10
    np.testing.assert_allclose(kernel[:6], [0, -20, -14.72, -8.12, -3.98, -1.83], atol=0.7)


def test_arrivals_equal_their_definition():
    """Every spike, every synapse, one by one."""
    rng = np.random.default_rng(0)
    layer = single(inputs=5, outputs=4, delay_bits=3, weight=QFormat(2, 2))
    net = SpikingNetwork(name="n", ticks=9, layers=(layer,))
    synapses = random_synapses(net, rng)[0]
    spikes = rng.random((3, 9, 5)) < 0.3
    expected = np.zeros((3, 9, 4), np.int64)
    for image, tick, line in np.argwhere(spikes):
        for j in range(4):
            if tick + synapses.delay[j, line] < 9:
                expected[image, tick + synapses.delay[j, line], j] += synapses.weight[j, line]
    np.testing.assert_array_equal(arrivals(layer, synapses, spikes), expected)


def test_spikes_reach_the_next_layer_in_the_same_tick():
    """Delays of 1 and 2: a spike at 3 comes out at 6."""
    layer = single(threshold=1, weight=QFormat(3, 0), state=QFormat(6, 0))
    net = SpikingNetwork(name="n", ticks=8, layers=(layer, layer))
    spikes = np.zeros((1, 8, 1), bool)
    spikes[0, 3] = True
    one = np.ones((1, 1), np.int64)
    found = run(net, [Synapses(one, one), Synapses(2 * one, one)], spikes)
    assert np.argwhere(found.spikes[0]).tolist() == [[0, 4, 0]]
    assert np.argwhere(found.spikes[1]).tolist() == [[0, 6, 0]]
    assert (found.answers.tick.tolist(), found.answers.fired.tolist()) == ([6], [True])


def test_what_a_core_says_of_itself():
    """Words wait for 8 + 8 + folds tokens of each lane below, every fold above, and to clear what is under way."""
    below = single(inputs=2, outputs=6, lanes=2, delay_bits=3)
    net = SpikingNetwork(name="n", ticks=8, layers=(below, single(inputs=6, outputs=2, delay_bits=4)))
    core = SpikingCore(net)
    assert core.stop_early
    assert core.info.patience == (8 + 3 + 8) * 3 + (3 << 3) + (1 << 4) + 256
    assert (core.info.halves, core.info.constants) == (1, {"cycles_per_tick": 0, "output_ticks": core.output_ticks})


def test_decisions_by_hand():
    """First spike; ties by membrane, then by number; nobody: the largest membrane of the last tick."""
    spikes, x = np.zeros((4, 3, 3), bool), np.zeros((4, 3, 3), np.int64)
    spikes[0, 1, 2] = spikes[0, 2, 0] = True
    spikes[1, 1] = [True, True, False]
    x[1, 1] = [5, 6, 9]
    spikes[2, 0] = [False, True, True]
    x[3, 2] = [-3, -2, -2]
    x[3, 1] = [9, 0, 0]
    found = decide(spikes, x)
    assert found.label.tolist() == [2, 1, 1, 1]
    assert found.tick.tolist() == [1, 1, 0, 2]
    assert found.fired.tolist() == [True, True, True, False]


def test_code_by_hand():
    """Brighter is earlier; 0 never."""
    spikes = encode(LatencyCode(bins=4, dark=3), 6, np.array([[255, 192, 191, 1, 0, 3]], np.uint8))
    assert [np.flatnonzero(spikes[0, :, k]).tolist() for k in range(6)] == [[0], [0], [1], [], [], [3]]
    assert not encode(LatencyCode(bins=1, dark=0), 2, np.zeros((1, 3), np.uint8)).any()
    with pytest.raises(ValueError, match="images are uint8"):
        encode(LatencyCode(bins=1), 2, np.zeros((1, 3)))


@pytest.mark.parametrize(("value", "message"), [
    (-0.01, r"delay\[0, 1\] is -0.01, negative"), (float("nan"), "is nan, not a finite number"),
    (float("inf"), "is inf, not a finite number"), (15.5, "is 15.5, beyond the 15 ticks that 4 bits hold"),
    (1e300, "beyond the 15 ticks")])
def test_delays_that_are_refused(value, message):
    with pytest.raises(ValueError, match=message):
        round_delays(single(inputs=2), [[1.0, value]])


def test_delays_that_are_no_real_numbers():
    with pytest.raises(ValueError, match="delay must be real numbers, not complex128"):
        round_delays(single(inputs=2), [[1.0, 1j]])


def test_delays_are_rounded_to_nearest():
    assert round_delays(single(inputs=5), [[0, 0.49, 0.5, 2.5, 15.49]]).tolist() == [[0, 0, 1, 3, 15]]


def wrong(change, message):
    return pytest.param(change, message, id=message)


@pytest.mark.parametrize(("change", "message"), [
    wrong({"delay": np.full((2, 3), 16)}, r"layer 0: delay\[0, 0\] is 16, outside of 0..15"),
    wrong({"delay": np.full((2, 3), -1)}, r"layer 0: delay\[0, 0\] is -1, outside of 0..15"),
    wrong({"delay": np.zeros((3, 2), int)}, "layer 0: delay has shape"),
    wrong({"delay": np.zeros((2, 3))}, "layer 0: delay must be integers, not float64"),
    wrong({"weight": None}, "layer 0: stored weights are missing"),
    wrong({"weight": np.full((2, 3), 99)}, r"layer 0: weight\[0, 0\] is 99, outside of -8..7")])
def test_synapses_that_are_refused(change, message):
    net = SpikingNetwork(name="n", ticks=4, layers=(single(inputs=3, outputs=2),))
    good = Synapses(np.zeros((2, 3), np.int64), np.zeros((2, 3), np.int64))
    with pytest.raises(ValueError, match=message):
        run(net, [good._replace(**change)], np.zeros((1, 4, 3), bool))


def test_other_refusals():
    net = SpikingNetwork(name="n", ticks=4, layers=(single(weight=Ternary(plus=1, minus=1, seed=1)),))
    zero = np.zeros((1, 1), np.int64)
    with pytest.raises(ValueError, match="weights come from a seed, none are loaded"):
        run(net, [Synapses(zero, zero)], np.zeros((1, 4, 1), bool))
    with pytest.raises(ValueError, match="has 1 layers, not 2"):
        run(net, [Synapses(zero)] * 2, np.zeros((1, 4, 1), bool))
    with pytest.raises(ValueError, match=r"spikes must be \(images, 4, 1\), not \(1, 5, 1\)"):
        run(net, [Synapses(zero)], np.zeros((1, 5, 1), bool))


# ---- the circuit


def same(net, params, spikes, **options):
    golden = run(net, params, spikes)
    found, tokens = run_spiking(net, params, spikes, **options)
    for name in ("label", "tick", "fired"):
        np.testing.assert_array_equal(getattr(found, name), getattr(golden.answers, name), err_msg=name)
    return golden, tokens


def test_spikes_in_one_part_of_many_lanes():
    """24 lanes of two neurons: in a fold spikes stand among the first lanes, among the last, in both, or nowhere."""
    fields = {"weight": QFormat(2, 0), "delay_bits": 1, "state": QFormat(4, 2), "leak": (), "refractory": 0}
    layers = (SpikingLayer(inputs=4, outputs=48, threshold=4, lanes=24, **fields),
              SpikingLayer(inputs=48, outputs=2, threshold=12, lanes=2, **fields))
    net = SpikingNetwork(name="parts", ticks=6, layers=layers, decision="first_spike")
    first, second = random_synapses(net, np.random.default_rng(0))
    weight = np.zeros((48, 4), np.int64)
    weight[[0, 20, 24, 44], [0, 1, 2, 3]] = 1
    params = (first._replace(weight=weight, delay=np.zeros_like(first.delay)), second)
    spikes = np.random.default_rng(1).random((6, net.ticks, 4)) < 0.4
    found, tokens = run_spiking(net, params, spikes, stop_early=False)
    want = run(net, params, spikes)
    together = {tuple(np.flatnonzero(tick)) for tick in want.spikes[0].reshape(-1, 48)}
    assert together > {(0,), (20,), (44,), (0, 20), ()}, "some parts of a fold never spike alone"
    assert tokens == expected_tokens(want.spikes[0])
    for name in want.answers._fields:
        np.testing.assert_array_equal(getattr(found, name), getattr(want.answers, name), err_msg=name)


@pytest.mark.parametrize("n", range(NETWORKS))
def test_circuit_equals_golden(n):
    """Random networks run to their ends, and stopped early; with pauses of both partners."""
    net, rng = random_spiking(f"spiking {n}"), np.random.default_rng(n)
    params, spikes = random_synapses(net, rng), random_images(net, rng, 3)
    golden, tokens = same(net, params, spikes, stop_early=False, pattern=("none", "random", "bursts")[n % 3])
    if len(net.layers) > 1:
        assert tokens == expected_tokens(golden.spikes[0])
    same(net, params, spikes, pattern=("random", "none")[n % 2], vendor=("generic", "ice40")[n // 2 % 2])


def test_random_networks_reach_everything():
    """What the property test draws covers the forms."""
    nets = [random_spiking(f"spiking {n}") for n in range(NETWORKS)]
    layers = [layer for net in nets for layer in net.layers]
    assert {layer.order for layer in layers} == {1, 2}
    assert {layer.regenerates for layer in layers} == {True, False}
    assert {net.decision for net in nets} == {"first_spike", "potential"}
    assert any(layer.kick for layer in layers)
    assert any(layer.folds > 1 and layer.outputs % layer.lanes for layer in layers)
    assert any(layer.lanes > 32 for layer in layers)
    assert {0, 1, 3, 255} <= {layer.refractory for layer in layers}
    answers = [run(net, random_synapses(net, np.random.default_rng(n)), random_images(net, np.random.default_rng(n), 5))
               .answers for n, net in enumerate(nets)]
    assert {bool(fired) for a in answers for fired in a.fired} == {True, False}


def test_early_stop_saves_cycles_and_no_answer():
    """Many images in a row: what is dropped of one must not touch the next."""
    rng = np.random.default_rng(5)
    fields = {"state": QFormat(6, 2), "leak": (3,), "threshold": 4, "refractory": 255}
    net = SpikingNetwork(name="stop", ticks=20, layers=(
        SpikingLayer(inputs=8, outputs=10, weight=Ternary(plus=8, minus=1, seed=4), delay_bits=2, **fields),
        SpikingLayer(inputs=10, outputs=6, weight=Ternary(plus=8, minus=3, seed=5), delay_bits=1, **fields)))
    params, spikes = random_synapses(net, rng), rng.random((30, 20, 8)) < 0.3
    golden, tokens = same(net, params, spikes)
    assert golden.answers.fired.all()
    assert len(tokens) < 0.75 * len(expected_tokens(golden.spikes[0]))


@pytest.mark.parametrize("decision", ["potential", "first_spike"])
def test_decisions_in_close_succession(decision):
    """Images of a tick for 32 outputs: the search for the largest membrane takes longer than an image."""
    rng = np.random.default_rng(7)
    layer = SpikingLayer(inputs=3, outputs=32, weight=QFormat(3, 0), delay_bits=1, state=QFormat(7, 0), leak=(),
                         threshold=9)
    net = SpikingNetwork(name="quick", ticks=1, layers=(layer,), decision=decision)
    params = [Synapses(np.zeros((32, 3), np.int64), rng.integers(-8, 8, (32, 3)))]
    golden, _ = same(net, params, rng.random((12, 1, 3)) < 0.5)
    assert len(set(golden.answers.label.tolist())) > 2


def test_a_reset_in_mid_image_leaves_nothing_behind():
    """Accumulators and membranes outlive a reset: the engine clears them before it takes a word."""
    layer = SpikingLayer(inputs=2, outputs=2, weight=QFormat(3, 0), delay_bits=2, state=QFormat(7, 0), leak=(),
                         threshold=7)
    net = SpikingNetwork(name="r", ticks=4, layers=(layer,))
    params = [Synapses(np.ones((2, 2), np.int64), np.diag([4, 4]))]
    spikes = np.zeros((1, 4, 2), bool)
    spikes[0, :2, 1] = True
    core, reset, got = SpikingCore(net), Signal(), []
    pairs = [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(word))
             for addr, word in build_image(net, params).pairs]

    async def bench(ctx):
        await pysim.load(ctx, core.params, pairs, half=1, settle=40)
        cut_short = np.zeros((1, 4, 2), bool)
        cut_short[0, :3, 0] = True      # three spikes for neuron 0, one more and it fires
        await pysim.send(ctx, core.i, [{"x": int(word), "first": 0} for word in input_words(net, cut_short)[:4]])
        await ctx.tick().repeat(30)
        ctx.set(reset, 1)
        await ctx.tick().repeat(3)
        ctx.set(reset, 0)
        await pysim.send(ctx, core.i, [{"x": int(word), "first": 0} for word in input_words(net, spikes)])
        got.extend(await pysim.receive(ctx, core.o, 1))

    pysim.run(ResetInserter(reset)(core), bench, cycles=500)
    found = answers([word.y & 0x3FFFF for word in got])
    assert [v.tolist() for v in found] == [v.tolist() for v in run(net, params, spikes).answers]
