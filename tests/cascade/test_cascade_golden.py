"""The cascade in integers: against its definition, loop by loop, and against known answers."""

import numpy as np
import pytest
from cascades import Definition, affine, convolved, drawn, equal, small, some_frames

from golden.cascade import blocks, engine, words
from golden.cascade.layer import Convolution
from golden.fixed import round_shift

MODES = ({"cut": True, "serial": False}, {"cut": True, "serial": True}, {}, {"cut": None, "serial": False},
         {"cut": True, "serial": False, "rule": "margin", "threshold": 1370},
         {"rule": "softmax", "threshold": 4873})


def test_affine_by_hand():
    net = small(pre=2, post=6)
    # (-7 + 2) >> 2 = -2; -2 * 20 + 5 * 4 = -20; (-20 + 32) >> 6 = 0; and so on
    for total, scale, bias, activation, residual in (
            (-7, 20, 5, 0, 0), (-7, 20, -14, 0, -1), (400, 64, 0, 100, 100), (4096, 64, 16, 255, 1025),
            (1 << 19, -64, 0, 0, -2048), (1 << 21, 1, 0, 255, 2047), (0, 3, 8, 1, 1), (0, 3, 7, 0, 0)):
        given = np.int64(total), np.int64(scale), np.int64(bias), net
        assert [int(engine.affine(*given, engine.LIMITS[kind])) for kind in ("activation", "residual")] == [
            activation, residual], (total, scale, bias)


@pytest.mark.parametrize("pre", [0, 1, 8, 16])
@pytest.mark.parametrize("post", [4, 11, 24])
def test_affine_is_its_definition(pre, post):
    net, rng = small(pre=pre, post=post), np.random.default_rng([pre, post])
    ends = np.array([-1 << 17, -1, 0, 1, (1 << 17) - 1])
    total = np.concatenate([ends << pre, (ends << pre) + (1 << pre) // 2, rng.integers(-1 << 30, 1 << 30, 40)])
    scale, bias = (rng.choice(np.concatenate([ends, rng.integers(-1 << 17, 1 << 17, 9)]), len(total)) for _ in range(2))
    for limits in engine.LIMITS.values():
        assert engine.affine(total, scale, bias, net, limits).tolist() == [
            affine(*map(int, each), net, *limits) for each in zip(total, scale, bias, strict=True)]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4), (1, 6)])
def test_convolve_is_its_definition(size, kernel, stride):
    conv, rng = Convolution(inputs=3, outputs=2, kernel=kernel, stride=stride, height=size[0], width=size[1]), \
        np.random.default_rng(kernel)
    x, weight = rng.integers(0, 256, (2, *size, 3)), rng.integers(-128, 128, (2, kernel, kernel, 3))
    found = engine.convolve(x, weight, conv)
    assert found.tolist() == [convolved(one, weight, conv).tolist() for one in x]
    assert found.shape[1:] == (conv.out_height, conv.out_width, 2)
    # products by real taps
    assert conv.products == convolved(np.ones((*size, 3)), np.ones_like(weight), conv).sum()


def test_runs_of_taps():
    conv = Convolution(inputs=1, outputs=1, kernel=3, stride=2, height=5, width=4)
    assert conv.rows == [(1, 2, 0), (0, 3, 1), (0, 2, 3)]
    assert conv.columns == [(1, 2, 0), (0, 3, 1)]
    assert Convolution(inputs=1, outputs=1, kernel=3, stride=1, height=1, width=1).rows == [(1, 1, 0)]
    assert Convolution(inputs=1, outputs=1, kernel=1, stride=2, height=5, width=4).rows == [(0, 1, 0), (0, 1, 2),
                                                                                            (0, 1, 4)]


@pytest.mark.parametrize("seed", range(12))
def test_run_is_the_definition(seed):
    """In streams, too, where it is only in the definition that a block works whose input has not changed."""
    net = drawn(seed)
    params, mode = engine.random_params(net, seed), MODES[seed % len(MODES)]
    frames = some_frames(net, 4, seed=seed, steps=(None, 1, net.steps + 1)[seed % 3], **mode)
    equal(net.run(params, frames), Definition(net, params).run(frames))


@pytest.mark.parametrize("norm", ["shared", "step"])
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_every_mode_is_the_definition(mode, norm):
    net = small(norm=norm)
    params = engine.random_params(net, 5)
    frames = some_frames(net, 6, seed=2, steps=4, **mode)
    found = net.run(params, frames)
    equal(found, Definition(net, params).run(frames))
    if "rule" in mode:
        assert len(set(words.split(found).computed.sum(1))) > 1, "some frames exit early, others do not"


@pytest.mark.parametrize("steps", [1, 2, 3, 6])
@pytest.mark.parametrize("seed", range(6))
def test_block_by_block(seed, steps):
    """Serial and parallel, against the loop over steps; at the end both say the same."""
    net = small(norm="step") if seed == 5 else drawn(f"blocks {seed}")
    params = engine.random_params(net, seed)
    ends = []
    for serial in (False, True):
        frames = some_frames(net, 3, seed=seed, cut=True, serial=serial, steps=steps)
        found = blocks.logits(net, params, frames[:, 2:], steps, serial=serial)
        assert (found == words.split(net.run(params, frames)).logits).all()
        ends.append(found[:, -1])
    assert (ends[0] == ends[1]).all() or steps <= len(net.blocks)
    told = words.Header(net.steps)
    assert (blocks.logits(net, params, frames[:, 2:]) == words.split(net.run(params, net.frames(
        frames[:, 2:], told))).logits).all()


@pytest.mark.parametrize(("steps", "serial", "evaluated"), [(1, False, [1, 1]), (2, False, [1, 2]), (9, False, [1, 2]),
                                                            (1, True, [1]), (2, True, [1, 1]), (9, True, [1, 1])])
def test_block_by_block_evaluates_what_differs(monkeypatch, steps, serial, evaluated):
    seen, net = [], small()
    monkeypatch.setattr(blocks, "branch_step", lambda h, *rest: seen.append(len(h)) or engine.branch_step(h, *rest))
    blocks.logits(net, engine.random_params(net), np.zeros((5, net.inputs), int), steps, serial=serial)
    assert seen == [5 * n for n in evaluated]


def test_block_by_block_needs_a_step():
    net = small()
    with pytest.raises(ValueError, match="a frame has a step at least, not 0"):
        blocks.logits(net, engine.random_params(net), np.zeros((1, net.inputs)), 0)


def test_which_blocks_work():
    """Bits of what happened: k steps from a new frame on in block k, serially one; as long as a frame lasts."""
    net = small()
    params = engine.random_params(net)
    for serial, wanted in ((False, [3, 2, 0, 0]), (True, [1, 2, 0, 0])):
        frames = some_frames(net, 1, cut=True, serial=serial, steps=4)
        assert words.split(net.run(params, frames)).blocks.tolist() == [wanted]
    frames = some_frames(net, 3, cut=False, serial=False, steps=1)
    assert words.split(net.run(params, frames)).blocks.ravel().tolist() == [3, 3, 3]


def test_frames_side_by_side_are_frames_one_by_one(monkeypatch):
    """Of a long batch in parts, with and without cuts."""
    net, params = small(), engine.random_params(small(), 1)
    frames = np.concatenate([some_frames(net, 7, seed=s, cut=cut, serial=False, rule="margin", threshold=90)
                             for s, cut in enumerate((True, None, True, False))])
    frames[0, 0] |= 1 << words.CUT_BIT
    reported = []
    whole = net.run(params, frames, reported.append)
    assert sum(reported) == len(frames)
    assert max(reported) > 1
    monkeypatch.setattr(engine, "CHUNK", 1)
    assert (net.run(params, frames, reported.append) == whole).all()
    assert reported[-len(frames):] == [1] * len(frames)
    monkeypatch.setattr(engine, "CHUNK", 3)
    assert (net.run(params, frames) == whole).all()


def test_margin_at_its_edge():
    logits = np.array([[5, 9, 2], [-7, -7, -20], [9, 2, 4]])
    assert engine.exits(logits, "margin", 4, 8).tolist() == [True, False, True]
    assert engine.exits(logits, "margin", 5, 8).tolist() == [False, False, True]
    assert engine.exits(logits, "margin", 0, 8).tolist() == [True, True, True]
    assert not engine.exits(logits, "never", 0, 8).any()


@pytest.mark.parametrize("fraction", [4, 8, 12])
def test_softmax_exits_where_it_is_large_enough(fraction):
    rng = np.random.default_rng(fraction)
    logits = (rng.normal(0, 3, (400, 5)) * (1 << fraction)).astype(np.int64)
    real = np.exp((logits - logits.max(1)[:, None]) / (1 << fraction))
    largest = 1 / real.sum(1)
    for q in (0.0, 0.25, 0.5, 0.9, 1.0):
        found = engine.exits(logits, "softmax", words.threshold_word("softmax", q, fraction), fraction)
        assert found[largest > q + 0.004].all()
        assert not found[largest < q - 0.004].any()
    assert engine.exits(logits, "softmax", words.threshold_word("softmax", 0.0, fraction), fraction).all()


def test_head_saturates_and_rounds():
    net = small()
    h = np.full((1, 1, 2, 6), 255)
    weight = np.zeros((3, 6), np.int64)
    weight[0], weight[1], weight[2, 0] = 2047, -2048, 1
    found = engine.head_step(h, engine.HeadParams(weight, np.array([2047, 5, -8])), net.head)
    assert found.tolist() == [[int(round_shift(510 * 6 * 2047, 6)) + 2047, -97915, round_shift(510, 6) - 8]]
    tall = small(layers=(*net.layers[:-1], type(net.head)(inputs=6, outputs=3, pixels=2, shift=1))).head
    none = engine.HeadParams(weight, np.zeros(3, np.int64))
    assert engine.head_step(h, none, tall).tolist() == [[131071, -131072, 255]]


def test_known_answers():
    """Literal words: formats and orders that golden and circuit share would hide an error in both."""
    net = small(norm="step")
    params = engine.random_params(net, 3)
    x = (np.arange(2 * net.inputs) * 37 % 256).reshape(2, -1)
    told = words.Header(3, True, True, "margin", 500)
    assert net.run(params, net.frames(x)).tolist() == KNOWN["parallel"]
    assert net.run(params, net.frames(x, told)).tolist() == KNOWN["serial"]


KNOWN = {
    "parallel": [[[-940, 1611, 1182, 208], [-3084, 6973, -1213, 145], [-1835, 2421, 334, 50]],
                 [[-760, 1496, 1259, 208], [-3063, 6933, -1179, 145], [-1923, 3088, 598, 50]]],
    "serial": [[[-940, 1611, 1182, 80], [-863, 1665, 1127, 177], [0, 0, 0, 2]],
               [[-760, 1496, 1259, 80], [-850, 1594, 1151, 145], [-1923, 3088, 598, 50]]]}
