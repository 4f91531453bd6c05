"""Output errors: known answers, the softmax against floats, labels that are no output."""

import numpy as np
import pytest

from golden.fixed import QFormat
from golden.loss import cross_entropy_error, softmax, squared_error


def test_squared_error_known_answers():
    fmt, error = QFormat(2, 8), QFormat(1, 10)
    rate, target = np.array([[0, 256, -512, 1000]]), np.array([[256, 0, 511, -1000]])
    assert squared_error(rate, target, fmt, error, 0).tolist() == [[1024, -1024, 2047, -2048]]
    # half of it, a quarter: ties up
    assert squared_error(rate, target, fmt, QFormat(1, 7), 1).tolist() == [[64, -64, 255, -256]]


@pytest.mark.parametrize("fmt", [QFormat(5, 8), QFormat(4, 9), QFormat(2, 12), QFormat(0, 6)], ids=str)
@pytest.mark.parametrize("outputs", [1, 2, 10, 37])
def test_softmax_is_within_its_bound(fmt, outputs):
    """The table's chord and its end at -8 cost less than 5e-4 in every probability of ten."""
    rng = np.random.default_rng(outputs)
    words = rng.integers(fmt.min, fmt.max + 1, (200, outputs))
    words[0], words[1] = fmt.min, fmt.max
    got = softmax(words, fmt) / 2.0 ** 15
    z = words * fmt.lsb
    want = np.exp(z - z.max(1, keepdims=True))
    want /= want.sum(1, keepdims=True)
    assert np.abs(got - want).max() < 5e-4 * max(1, outputs / 10)
    assert (got >= 0).all()
    assert (got <= 1).all()


def test_cross_entropy_sends_onehot_minus_softmax():
    fmt, error = QFormat(4, 9), QFormat(1, 12)
    rate = np.array([[512, -512, 0]])
    e = cross_entropy_error(rate, np.array([1]), fmt, error, 0)[0] / 4096
    p = np.exp([1, -1, 0]) / np.exp([1, -1, 0]).sum()
    assert np.abs(e - ([0, 1, 0] - p)).max() < 1e-3
    # a label that is no output: all are pushed down
    assert (cross_entropy_error(rate, np.array([3]), fmt, error, 0) < 0).all()
