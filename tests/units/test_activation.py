"""Activation: golden close to the real function, rtl equal to golden over the whole input range."""

import math

import numpy as np
import pytest

from golden.fixed import QFormat
from golden.units.activation import ACTIVATIONS, activation_step, derivative_step, table
from rtl.units.activation import Activation
from sim.pysim import receive_all, run

REAL = {
    "linear": lambda x: x, "tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)), "hard_sigmoid": lambda x: np.clip(x, 0, 1),
    "relu": lambda x: np.maximum(x, 0),
}
SLOPE = {
    "linear": lambda x: x * 0 + 1, "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "sigmoid": lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2, "softplus": lambda x: 1 / (1 + np.exp(-x)),
    "hard_sigmoid": lambda x: ((x >= 0) & (x < 1)) * 1.0, "relu": lambda x: (x >= 0) * 1.0,
}
STATE, OUT = QFormat(5, 11), QFormat(5, 11)


def every_word(fmt):
    return np.arange(fmt.min, fmt.max + 1)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_golden_is_close(name):
    x = every_word(STATE)
    # half a unit for each edge and for the interpolation, plus the curvature: 2**-12 of sigmoid'' / 8 and less
    bound = 1.6 * OUT.lsb
    got = activation_step(x, name, STATE, OUT) * OUT.lsb
    want = np.minimum(REAL[name](x * STATE.lsb), OUT.max * OUT.lsb)
    assert np.abs(got - want).max() <= bound
    slope = derivative_step(x, name, STATE, OUT) * OUT.lsb
    assert np.abs(slope - SLOPE[name](x * STATE.lsb)).max() <= bound


def test_known_answers():
    fmt, out = QFormat(3, 4), QFormat(1, 6)
    x = np.array([-128, -16, -1, 0, 1, 8, 16, 127])
    assert activation_step(x, "tanh", fmt, out).tolist() == [-64, -49, -4, 0, 4, 30, 49, 64]
    assert activation_step(x, "sigmoid", fmt, out).tolist() == [0, 17, 31, 32, 33, 40, 47, 64]
    assert activation_step(x, "relu", fmt, out).tolist() == [0, 0, 0, 0, 4, 32, 64, 127]
    assert activation_step(x, "hard_sigmoid", fmt, out).tolist() == [0, 0, 0, 0, 4, 32, 64, 64]
    assert activation_step(x, "linear", fmt, out).tolist() == [-128, -64, -4, 0, 4, 32, 64, 127]
    assert activation_step(x, "softplus", fmt, out).tolist() == [0, 20, 42, 44, 46, 62, 84, 127]
    assert derivative_step(x, "tanh", fmt, out).tolist() == [0, 27, 64, 64, 64, 50, 27, 0]


def test_monotonic():
    for name in ACTIVATIONS:
        # softplus is a sum of two rounded terms
        least = -1 if name == "softplus" else 0
        assert np.diff(activation_step(every_word(STATE), name, STATE, QFormat(5, 9))).min() >= least, name


def test_saturates_where_one_does_not_fit():
    assert activation_step(np.array([32767]), "tanh", QFormat(4, 11), QFormat(0, 7)).tolist() == [127]
    assert activation_step(np.array([-32768]), "tanh", QFormat(4, 11), QFormat(0, 7)).tolist() == [-128]


FORMATS = [(QFormat(4, 6), QFormat(0, 9)), (QFormat(2, 8), QFormat(3, 5)), (QFormat(0, 4), QFormat(2, 8)),
           (QFormat(5, 5), QFormat(5, 3))]


@pytest.mark.parametrize("suffix", ["", "_derivative"])
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("state", "out"), FORMATS, ids=str)
def test_rtl_equals_golden(name, suffix, state, out):
    dut = Activation(name + suffix, state, out)
    x = every_word(state)
    # gaps must not matter
    words = [None if k % 7 == 3 else int(word) for k, word in enumerate(np.repeat(x, 1))]
    got = []
    run(dut, receive_all(dut, words, got, dut.LATENCY), cycles=len(words) + dut.LATENCY + 5)
    step = derivative_step if suffix else activation_step
    sent = np.array([word for word in words if word is not None])
    want = step(sent, name, state, out)
    wrong = np.flatnonzero(np.array(got) != want)
    assert not len(wrong), f"x = {sent[wrong[0]]}: {got[wrong[0]]} != {want[wrong[0]]}"


def test_table_fits_one_block_ram():
    tab = table("tanh", QFormat(5, 11), QFormat(0, 11))
    assert len(tab.left) == 1024
    assert max(tab.rise) <= 1 << 5
    assert math.log2(tab.limit) == 3 + 11
