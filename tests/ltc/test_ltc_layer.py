"""Layers of a liquid-time-constant network: one tick against its definition in plain integers, and at its ends."""

from dataclasses import replace

import ltcs
import numpy as np
import pytest

from golden.fixed import QFormat
from golden.ltc.layer import LtcLayer, Readout
from golden.ltc.step import LtcParams, LtcState, ReadoutParams, gate_step, leak, ltc_step, readout_step, sum_step

PLAIN = {"weight": QFormat(2, 5), "spike_weight": QFormat(1, 6), "state": QFormat(3, 12),
         "gate_sum": QFormat(4, 8), "gate": QFormat(0, 8)}


def words(rng, fmt, shape):
    """Random words with the ends of the format among them."""
    values = rng.integers(fmt.min // 2, fmt.max // 2 + 1, shape)
    return np.where(rng.random(shape) < 0.2, rng.choice([fmt.min, fmt.max, 0, 1, -1], shape), values)


def inputs(rng, layer, batch, ticks):
    shape = batch, ticks, layer.inputs
    return words(rng, layer.operand, shape) if layer.dense else rng.integers(0, 2, shape)


@pytest.mark.parametrize("seed", range(40))
def test_a_layer_is_its_definition(seed):
    """Every quantity of every tick, from states that no sequence reaches to begin with."""
    layer = ltcs.random_layer(f"layer {seed}")
    rng = np.random.default_rng(seed)
    params, x = ltcs.random_params(layer, rng), inputs(rng, layer, 3, 5)
    one = 1 << layer.state.frac_bits
    shape = 3, layer.outputs
    state = LtcState(words(rng, layer.state, shape), rng.integers(0, one + 1, shape) if layer.adaptive else None,
                     rng.integers(0, 2, shape))
    plain = [tuple(None if part is None else part[n].tolist() for part in state) for n in range(3)]
    for tick in range(5):
        out = ltc_step(state, x[:, tick], params, layer)
        for n in range(3):
            plain[n], *rest = ltcs.neurons(plain[n], x[n, tick], params, layer)
            for name, want in zip(("x", "alpha", "r", "theta", "ut"), rest, strict=True):
                found = getattr(out, name)
                if name == "theta" and not layer.adaptive:
                    found = np.full(shape, found)
                assert (found is None and want is None) or found[n].tolist() == want, (tick, n, name)
            for name, want in zip(LtcState._fields, plain[n], strict=True):
                found = getattr(out.state, name)
                assert (found is None and want is None) or found[n].tolist() == want, (tick, n, name)
        state = out.state


@pytest.mark.parametrize("seed", range(20))
def test_a_readout_is_its_definition(seed):
    rng = np.random.default_rng(seed)
    layer = ltcs.random_readout(f"readout {seed}", 7)
    params = ltcs.random_params(layer, rng)
    y, s = words(rng, layer.state, (3, layer.outputs)), rng.integers(0, 2, (3, 4, 7))
    plain = y.tolist()
    for tick in range(4):
        y = readout_step(y, s[:, tick], params, layer).y
        plain = [ltcs.outputs(plain[n], s[n, tick], params, layer) for n in range(3)]
        assert y.tolist() == plain, tick


def test_torch_has_the_same_words():
    torch = pytest.importorskip("torch")
    layer, rng = ltcs.random_layer("layer 3"), np.random.default_rng(3)
    params, x = ltcs.random_params(layer, rng), inputs(rng, layer, 4, 3)
    zero = np.zeros((4, layer.outputs), np.int64)
    state = LtcState(zero, zero if layer.adaptive else None, zero)

    def tensor(value):
        return None if value is None else torch.tensor(value)
    other, same = LtcState(*map(tensor, state)), LtcParams(*map(tensor, params))
    for tick in range(3):
        state = ltc_step(state, x[:, tick], params, layer).state
        other = ltc_step(other, torch.tensor(x[:, tick]), same, layer).state
        for a, b in zip(state, other, strict=True):
            assert (a is None and b is None) or np.array_equal(a, b.numpy())


def one_neuron(**fields):
    """A neuron of one input line of spikes, all weights nought, and the words of its parameters."""
    layer = LtcLayer(**{"inputs": 1, "outputs": 1, "lanes": 2} | PLAIN | fields)
    zero = {name: np.zeros(shape, np.int64) for name, (shape, _) in layer.shapes().items()}
    return layer, LtcParams(**zero)


def state_of(u=0, b=0, s=0):
    return LtcState(*(np.array([[value]]) for value in (u, b, s)))


LOW, HIGH = -128, 127       # ends of weights of 8 bits


def test_hand_computed():
    """A sum of 1.5 and gates of a half, then of the spike behind it."""
    layer, params = one_neuron()
    params = params._replace(bias=np.array([96]))           # 1.5 of Q1.6
    assert (layer.one, layer.threshold) == (4096, 410)
    out = ltc_step(state_of(), np.array([[0]]), params, layer)
    assert out.x == 6144
    assert (out.alpha, out.r) == (128, 128)
    assert (out.ut, out.theta) == (3072, 410)
    assert [int(part[0, 0]) for part in out.state] == [0, 0, 1], "reset to nought, b has not seen this spike"
    out = ltc_step(out.state, np.array([[0]]), params, layer)
    assert out.state.b == 2048
    assert out.theta == 410 + 3680                          # 115/64 of a half
    assert [int(part[0, 0]) for part in out.state] == [3072, 2048, 0]


def test_a_threshold_is_strict():
    layer, params = one_neuron(adaptive=False, lanes=1, threshold=100)
    for u, spike in ((100, 0), (101, 1)):
        # x = 0 pulls the membrane down by a half of it, rounded: 2 u - 1 and 2 u give u
        out = ltc_step(state_of(2 * u)._replace(b=None), np.array([[0]]), params, layer)
        assert (out.ut, out.state.s, out.state.u) == (u, spike, 0 if spike else u)
        assert out.r is None
        assert out.state.b is None


def test_theta_at_its_top():
    """With b at 1.0 theta is the largest word of the state, and nothing is above it."""
    layer, params = one_neuron(state=QFormat(1, 12), threshold=8191 - 7360)
    assert layer.theta_rise(layer.one) == 7360
    params = params._replace(bias=np.array([HIGH]), alpha=np.array([[0, 0, HIGH]]), rho=np.array([[0, 0, HIGH]]))
    out = ltc_step(state_of(u=8191, b=4096, s=1), np.array([[0]]), params, layer)
    assert (out.state.b, out.theta, out.x) == (4096, 8191, 8128)
    assert (out.state.s, out.ut) == (0, 8129)
    with pytest.raises(ValueError, match=r"threshold must be an integer in 0\.\.831, not 832"):
        replace(layer, threshold=832)
    assert replace(layer, threshold=8191, adaptive=False, lanes=1).threshold == 8191


def test_b_never_leaves_nought_to_one():
    """For every gate, from both ends to the other: it gets nearer and never past."""
    layer, _ = one_neuron(gate=QFormat(0, 8))
    r = np.arange(256)[:, None]
    for start in (0, 1, 17, 2048, 4095, 4096):
        for end in (0, 4096):
            b = np.full((256, 1), start)
            for _ in range(40):
                after = leak(b, end, r, layer)
                assert (abs(end - after) <= abs(end - b)).all()
                assert ((after - end) * (b - end) >= 0).all()
                b = after


def test_sums_saturate_at_both_ends():
    layer, params = one_neuron(inputs=3, spike_weight=QFormat(2, 5))
    for weight, want in ((HIGH, layer.state.max), (LOW, layer.state.min)):
        full = params._replace(weight=np.full((1, 3), weight), recurrent=np.array([[weight]]), bias=np.array([weight]))
        assert sum_step(np.array([[1]]), np.array([[1, 1, 1]]), full, layer) == want
        # three of five rows of 4 and more pass 8; one does not
        assert abs(int(sum_step(np.array([[0]]), np.array([[0, 0, 0]]), full, layer)[0, 0])) == abs(weight) << 7


def test_real_inputs_are_aligned_before_one_rounding():
    """Products of 2 + 3 fraction bits beside weights of 1: 5 bits, and a state of 2."""
    layer, params = one_neuron(state=QFormat(3, 2), spike_weight=QFormat(2, 1), input_weight=QFormat(3, 2),
                               operand=QFormat(2, 3), gate_sum=QFormat(4, 4))
    assert (layer.sum_frac, layer.sum_shift) == (5, 3)
    for bias, weight, word, want in ((1, 1, 3, 2), (1, 1, 4, 3), (1, 1, -4, 2), (1, 1, -5, 1)):
        p = params._replace(bias=np.array([bias]), weight=np.array([[weight]]))
        assert sum_step(np.array([[0]]), np.array([[word]]), p, layer) == want, word


def test_sum_bits_hold_every_sum():
    for seed in range(30):
        layer = ltcs.random_layer(f"bits {seed}")
        ends = {name: np.full(shape, fmt.min) for name, (shape, fmt) in layer.shapes().items()}
        params, i = LtcParams(**ends), np.full((1, layer.inputs), layer.operand.min if layer.dense else 1)
        if layer.dense:     # the largest positive product and the largest negative rows do not meet
            params = params._replace(weight=-ends["weight"] - 1)
        s = np.ones((1, layer.outputs), np.int64)
        total = ((s @ params.recurrent.T + params.bias) << layer.sum_frac - layer.spike_weight.frac_bits)
        total = total + ((i @ params.weight.T) << (layer.sum_frac - layer.product_frac if layer.dense else
                                                   layer.sum_frac - layer.spike_weight.frac_bits))
        assert -(1 << layer.sum_bits - 1) <= total.min()
        assert layer.sum_most < 1 << layer.sum_bits - 1


def test_gates_saturate():
    layer, _ = one_neuron()
    full = np.array([[HIGH, HIGH, HIGH]])
    at = np.array([[layer.state.max]])
    assert gate_step(at, at, full, layer) == 255, "a gate never is 1"
    assert gate_step(at, at, np.array([[LOW, LOW, LOW]]), layer) == 0
    assert gate_step(at * 0, at * 0, full * 0, layer) == 128
    # the old half, the x half and the bias have weights of their own: 32/32 of 1.0 is 1
    for k in range(3):
        row = np.zeros((1, 3), np.int64)
        row[0, k] = 32
        assert gate_step(np.array([[4096]]), np.array([[4096]]), row, layer) == 187


def test_readout_leaks_at_the_pace_of_its_gate():
    layer = Readout(inputs=2, outputs=1, lanes=1, **PLAIN)
    params = ReadoutParams(gate=np.zeros((1, 3), np.int64), weight=np.array([[64, -64]]), bias=np.array([32]))
    y, s = np.array([[0]]), np.array([[1, 0]])
    out = readout_step(y, s, params, layer)
    assert (out.z, out.gate, out.y) == (6144, 128, 3072)
    out = readout_step(out.y, np.array([[0, 1]]), params, layer)
    assert (out.z, out.y) == (-2048, 512)


@pytest.mark.parametrize(("fields", "says"), [
    ({"inputs": 0}, "inputs must be an integer in 1..4096, not 0"),
    ({"outputs": 5000}, "outputs must be an integer in 1..4096, not 5000"),
    ({"adaptive": 1}, "adaptive must be true or false, not 1"),
    ({"lanes": 3}, "lanes must be even, half a gate, not 3"),
    ({"lanes": 18}, r"lanes must be an integer in 2\.\.16, not 18"),
    ({"lanes": 9, "adaptive": False}, r"lanes must be an integer in 1\.\.8, not 9"),
    ({"state": QFormat(0, 12)}, "state Q0.12 needs an integer bit"),
    ({"state": QFormat(5, 12)}, "state Q5.12 needs an integer bit and a fraction bit in 17 bits at most"),
    ({"gate": QFormat(1, 8)}, "gate Q1.8 must be a Q0 format"),
    ({"gate": QFormat(0, 1)}, "gate Q0.1 must be a Q0 format of 2 fraction bits"),
    ({"gate": 8}, "gate must be a QFormat, not 8"),
    ({"gate_sum": QFormat(-2, 8)}, "gate_sum Q-2.8 must not have negative integer bits"),
    ({"gate_sum": QFormat(0, 17), "state": QFormat(1, 8)}, "gate_sum Q0.17 is finer than products"),
    ({"weight": QFormat(9, 9)}, "weight Q9.9 has more than 18 bits"),
    ({"threshold": -1}, r"threshold must be an integer in 0\.\.25407, not -1"),
    ({"threshold": True}, "threshold must be an integer"),
    ({"operand": QFormat(0, 7)}, "operand and input_weight belong together"),
    ({"operand": QFormat(0, 7), "input_weight": 3}, "input_weight must be a QFormat, not 3"),
    ({"outputs": 4096, "lanes": 256}, "a lane would hold"),
])
def test_layers_that_cannot_be(fields, says):
    with pytest.raises(ValueError, match=says):
        LtcLayer(**{"inputs": 4, "outputs": 8, "lanes": 4} | PLAIN | fields)


def test_sizes_of_the_built_networks():
    """28-128-128-10 on 64 + 64 lanes."""
    layer = LtcLayer(inputs=28, outputs=128, lanes=64, operand=QFormat(0, 8), input_weight=QFormat(2, 5), **PLAIN)
    assert (layer.gate_rows().folds, layer.gate_rows().depth, layer.lane_depth) == (4, 4 * 257, 4 * 257 + 2 * 28)
    assert (layer.spike_lines, layer.input_folds, layer.sum_frac, layer.sum_shift) == (129, 2, 13, 1)
    above = LtcLayer(inputs=128, outputs=128, lanes=64, **PLAIN)
    assert (above.spike_lines, above.lane_depth, above.sum_shift) == (257, 4 * 257, -6)


def test_lanes_by_default():
    """As few as hold their rows."""
    assert LtcLayer(inputs=3, outputs=8, operand=QFormat(2, 5), input_weight=QFormat(2, 5)).lanes == 2
    assert LtcLayer(inputs=3, outputs=8, adaptive=False).lanes == 1
    # 128 rows of 257 words on 3 lanes a gate: 43 folds, 11,051 words; on 2 they would be 16,448
    assert LtcLayer(inputs=128, outputs=128).lanes == 6
    with pytest.raises(ValueError, match="inputs"):
        LtcLayer(inputs="many", outputs=8)
