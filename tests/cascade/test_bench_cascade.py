"""Accuracy against time: curves and areas by hand, streams against still images, ranks, noise."""

import numpy as np
import pytest

from leadlag.bench import cascade, cascade_noise
from leadlag.flow import find

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")


def logits_of(p):
    return np.log(np.array(p, np.float64))


#: three images, two steps, two classes; right at first and sure, right at last only, never
THREE = logits_of([[[0.9, 0.1], [0.8, 0.2]], [[0.65, 0.35], [0.3, 0.7]], [[0.7, 0.3], [0.9, 0.1]]])
LABEL = np.array([0, 1, 1])


def test_exits_by_hand():
    curve = cascade.exits(THREE, LABEL, thresholds=11)
    assert curve.shape == (12, 2)
    found = {round(t, 1): tuple(row) for t, row in zip(np.linspace(0, 1, 11), curve, strict=False)}
    assert found[0.0] == found[0.6] == (0.0, 1 / 3)
    assert found[0.8] == (2 / 3, 2 / 3), "the first image goes at once; the second waits and is right"
    assert found[1.0] == tuple(curve[-1]) == (1.0, 2 / 3)
    assert cascade.by_step(THREE, LABEL) == [0.3333, 0.6667]


def test_area_by_hand():
    assert cascade.area(np.array([[0, 0.5], [2, 0.9], [4, 0.9]])) == pytest.approx(100 * (0.7 + 0.9) / 2)
    assert cascade.area(np.array([[4, 0.9], [0, 0.5], [2, 0.9]])) == pytest.approx(80), "in the order of time"
    assert cascade.area(np.array([[0, 0.5], [0, 0.5], [1, 0.5], [1, 0.5]])) == pytest.approx(50)


def test_a_network_that_is_sure_at_once_still_has_a_last_step():
    sure = np.zeros((4, 3, 2))
    sure[..., 0] = 1000
    curve = cascade.exits(sure, np.zeros(4, int), thresholds=5)
    assert curve[-1].tolist() == [2.0, 1.0]
    assert cascade.area(curve) == 100


def test_ranks():
    assert cascade_noise.ranks(np.array([3.0, 1.0, 2.0])).tolist() == [2, 0, 1]
    assert cascade_noise.ranks(np.array([5, 5, 1, 5])).tolist() == [2, 2, 0, 2]


def test_streams():
    x = np.full((40, 50), 128, np.uint8)
    found = cascade_noise.streams(x, 3)
    assert (found["clean"] == 128).all()
    held, fresh = found["persistent"].astype(float), found["transient"].astype(float)
    assert held.shape == fresh.shape == (40, 3, 50)
    assert (held[:, 0] == held[:, 2]).all()
    assert (fresh[:, 0] != fresh[:, 2]).mean() > 0.9
    for frames in (held, fresh):
        assert 55 < frames.std() < 66, "256 / 4, less what was cut at black and white"
    again = cascade_noise.streams(x, 3)
    assert all(np.array_equal(found[name], again[name]) for name in found), "the same frames each time"


@pytest.fixture(scope="module")
def learnt():
    pytest.importorskip("sklearn")
    from golden.cascade.recipe import CascadeRecipe
    from golden.data.sets import find
    from golden.train import cascade as trainer
    recipe = CascadeRecipe(name="maps", data="digits", channels=[6, 6, 8], strides=[2, 1, 2], epochs=2, batch=32,
                           warm=20, norm="step", heads="step")
    digits = find("digits")
    return trainer.fit(recipe, digits, hold_out=True), digits.load("held_out")


def test_a_still_stream_is_a_still_image(learnt):
    from golden.train.cascade import float_steps
    from golden.train.cascade_stream import float_stream
    net, asked = learnt
    still = np.repeat(asked.x[:30, None], 3, 1)
    want = float_steps(net, asked.x[:30])
    assert np.allclose(float_stream(net, still), want, atol=1e-5)
    # after a cut, what was before does not count
    mixed = np.concatenate([still[::-1, :2], still], 1)
    assert np.allclose(float_stream(net, mixed, cuts=(0, 2))[:, 2:], want, atol=1e-5)
    assert not np.allclose(float_stream(net, mixed)[:, 2:], want, atol=0.1)
    # beyond the last step nothing changes while a frame stands
    longer = float_stream(net, np.repeat(asked.x[:30, None], 6, 1))
    assert np.allclose(longer[:, 3:], longer[:, 2:3], atol=1e-5)
    with pytest.raises(ValueError, match="the first frame comes after nothing: cuts must have 0, not \\[1\\]"):
        float_stream(net, still, cuts=(1,))


def test_noisy_frames(learnt):
    net, asked = learnt
    frames = cascade_noise.streams(asked.x, 3)
    clean = cascade_noise.cascaded(net, frames["clean"], asked.y)
    assert clean[-1] == pytest.approx(net.training["held_out_accuracy"], abs=1e-3)
    assert cascade_noise.plain(net, frames["clean"], asked.y) == [clean[-1]] * 3
    held = cascade_noise.plain(net, frames["persistent"], asked.y)
    assert held[0] == held[2] < clean[-1]
    fresh = cascade_noise.plain(net, frames["transient"], asked.y)
    assert len(set(fresh)) > 1


def test_a_network_of_the_zoo():
    """Integers beside float, at every step, of as many test images as there are."""
    pytest.importorskip("sklearn")
    found = cascade.of_the_zoo("cascade-digits", None)
    assert found["float_accuracy_steps"] == find("cascade-digits").training["float_accuracy_steps"]
    off = max(abs(a - b) for a, b in zip(found["float_accuracy_steps"], found["integer_accuracy_steps"], strict=True))
    assert found["integer_points_off"] == pytest.approx(100 * off, abs=0.01)
    assert found["integer_points_off"] <= 0.3
