# amaranth: UnusedElaboratable=no
"""Plasticity: the register, rounding by chance, and rtl against golden."""

import random

import numpy as np
import pytest
from cases import corners

from golden.fixed import QFormat
from golden.units.plasticity import BITS, PERIOD, Noise, lfsr_leap, lfsr_step, plasticity_step, spread
from rtl.units.plasticity import Plasticity
from sim.pysim import receive_all, run


def test_register_visits_every_state():
    seen, state = set(), 1
    while state not in seen:
        seen.add(state)
        state = lfsr_step(state)
    assert len(seen) == PERIOD
    assert 0 not in seen


def test_noise_is_the_register():
    noise, state = Noise(0xACE1), 0xACE1
    for n in range(200):
        assert noise[n] == state
        state = lfsr_leap(state)
    assert noise[[0, PERIOD, 3 * PERIOD]].tolist() == [0xACE1] * 3
    assert len(set(noise[np.arange(PERIOD)].tolist())) == PERIOD
    for seed in (0, PERIOD + 1):
        with pytest.raises(ValueError, match=f"a seed is 1 to 131071, not {seed}"):
            Noise(seed)


def test_neighbours_do_not_tell_of_each_other():
    x = Noise(1)[np.arange(PERIOD)] / PERIOD - 0.5
    for lag in (1, 2, 3, 16, 53, 54):
        assert abs((x * np.roll(x, lag)).mean() / x.var()) < 0.02


@pytest.mark.parametrize("shift", [0, 1, 7, 17, 20])
def test_the_mean_move_is_exact(shift):
    """Over a whole cycle of the register, moves far below the last bit add up to what they are."""
    fmt, noise = QFormat(4, 11), Noise(77)[np.arange(PERIOD)]
    for eps, r in ((3, 5), (-3, 5), (-1, 1), (127, -100), (0, 3)):
        moves = plasticity_step(np.zeros(PERIOD, dtype=np.int64), eps, r, noise, shift, fmt)
        assert abs(moves.mean() - eps * r / 2**shift) <= 2 / PERIOD + (shift > BITS) * 2.0**-BITS


def test_known_answers():
    fmt = QFormat(3, 4)
    assert spread(0x1FFFF, 4) == 15
    assert spread(1, 20) == 8
    assert plasticity_step(10, 3, 5, 0x0000, 3, fmt) == 11      # 15 / 8 = 1.875
    assert plasticity_step(10, 3, 5, 0x4000, 3, fmt) == 12
    assert plasticity_step(10, -3, 5, 0x1FFFF, 3, fmt) == 9      # -15 / 8 = -1.875
    assert plasticity_step(10, -3, 5, 0x0000, 3, fmt) == 8
    assert plasticity_step(127, 100, 100, 0, 3, fmt) == 127
    assert plasticity_step(-127, 100, -100, 0, 3, fmt) == -128


@pytest.mark.parametrize(("weight", "error", "rate", "shift"), [
    (QFormat(4, 11), QFormat(3, 12), QFormat(0, 9), 10), (QFormat(1, 16), QFormat(0, 17), QFormat(5, 8), 22),
    (QFormat(2, 3), QFormat(1, 1), QFormat(1, 2), 0), (QFormat(0, 7), QFormat(2, 3), QFormat(0, 3), 16)], ids=str)
def test_rtl_equals_golden(weight, error, rate, shift):
    rng = random.Random(f"plasticity {shift}")
    words = [tuple(rng.choice(corners(f)) if rng.random() < 0.2 else rng.randint(f.min, f.max)
                   for f in (weight, error, rate)) for _ in range(1500)]
    dut, got = Plasticity(weight, error.width + rate.width, shift=shift, seed=0x1D0F), []
    payloads = []
    for word in words:
        payloads += [None] * (rng.random() < 0.2) + [{"w": word[0], "product": word[1] * word[2]}]
    run(dut, receive_all(dut, payloads, got, dut.LATENCY), cycles=len(payloads) + 50)
    w, eps, r = np.array(words).T
    want = plasticity_step(w, eps, r, Noise(0x1D0F)[np.arange(len(words))], shift, weight)
    assert got == want.tolist()


@pytest.mark.parametrize("arguments", [{"shift": -1, "seed": 1}, {"shift": 1, "seed": 0},
                                       {"shift": 1, "seed": 1 << 17}])
def test_bad_parameters(arguments):
    fmt = QFormat(1, 6)
    with pytest.raises(ValueError, match="shift must not be negative|a seed is 1 to 131071"):
        Plasticity(fmt, 16, **arguments)
