"""TimeConstant: steps of tau_m and of its reciprocal by hand, and rtl against golden on corners and random words."""

import random

import numpy as np
import pytest
from cases import corners

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.learn import tau_step
from golden.rate.plastic import Plastic, increment_format, tau_shift
from golden.units.dense import DenseParams
from golden.units.plasticity import Noise
from rtl.rate.tau import TimeConstant
from sim.pysim import receive_all, run

#: tau_m, lag, error, tau_rate, tau_min
FORMATS = [(QFormat(8, 7), QFormat(0, 15), QFormat(1, 11), 0, 4), (QFormat(8, 7), QFormat(1, 12), QFormat(1, 11), 3, 1),
           (QFormat(4, 5), QFormat(0, 9), QFormat(3, 6), 2, 2)]


def layer(tau, lag, error, tau_rate, tau_min):
    return Dense(inputs=1, outputs=1, activation="linear", operand=QFormat(1, 9), weight=QFormat(1, 10),
                 state=QFormat(3, 10), lead=QFormat(1, 10), lag=lag, rate=QFormat(0, 9), plastic=Plastic(
                     error=error, slope=QFormat(1, 10), lead=QFormat(4, 8), lag=QFormat(0, 12), rate=3, tau=tau,
                     tau_r=QFormat(4, 8), tau_rate=tau_rate, tau_min=tau_min))


def step(p, eps, increment, tau, lag, noise):
    """Words of the next tau_m and lag."""
    none = np.zeros(1, np.int64)
    found = tau_step(DenseParams(weight=none, bias=none, lead=none, lag=np.array(lag), tau=np.array(tau)), p,
                     np.array(eps), np.array(increment), np.array(noise))
    return found.tau.tolist(), found.lag.tolist()


def test_known_answers():
    p = layer(*FORMATS[0])
    assert tau_shift(p) == 14
    assert increment_format(p) == QFormat(7, 10)
    # eps = du = 1: tau_m falls from 10 to 9 ticks, 1 - 9 * 3277 / 2**15 is 3275 words, of which lag takes 0.1
    assert step(p, [2048], [1024], [1280], [3277], [0]) == ([1152], [3277 + 328])
    # and rises with an error of the other sign
    assert step(p, [-2048], [1024], [1280], [3277], [0]) == ([1408], [3277 - 328])
    # the noise decides: a step of -1/4 word
    assert step(p, [16], [256], [1280], [3277], [0])[0] == [1279]
    assert step(p, [16], [256], [1280], [3277], [1 << 15])[0] == [1280]
    # no faster than tau_min
    assert step(p, [2047], [131071], [600], [3277], [0])[0] == [4 << 7]
    # ties go up: 1.5 * 21845 = 32767.5 is 1.0, so nothing is left to correct
    assert step(layer(QFormat(8, 7), QFormat(0, 15), QFormat(1, 11), 0, 1), [0], [0], [192], [21845], [0]) == \
        ([192], [21845])


def test_reciprocal_follows():
    """Some steps after tau_m was moved, tau_m times lag is 1 within a word."""
    p = layer(*FORMATS[0])
    tau, lag = [1280], [3000]
    for _ in range(5):
        tau, lag = step(p, [0], [0], tau, lag, [0])
    assert tau == [1280]
    assert abs(lag[0] * 10 - (1 << 15)) <= 10


@pytest.mark.parametrize("formats", FORMATS, ids=str)
def test_rtl_equals_golden(formats):
    p, seed, rng = layer(*formats), 0x1D0F, random.Random(f"tau {formats}")
    tau, one = p.plastic.tau, 1 << p.plastic.tau.frac_bits + p.lag.frac_bits
    words = []
    for _ in range(1500):
        eps, du, t, lag = (rng.choice(corners(f)) if rng.random() < 0.15 else rng.randint(f.min, f.max)
                           for f in (p.plastic.error, increment_format(p), tau, p.lag))
        if rng.random() < 0.7:      # as it is when it learns
            eps, du = eps >> rng.randrange(p.plastic.error.width), du >> rng.randrange(12)
            t = rng.randint(1 << tau.frac_bits, tau.max)
            lag = min(max(one // t + rng.randint(-2, 2), p.lag.min), p.lag.max)
        words.append((eps, du, t, lag))
    dut, got, payloads = TimeConstant(p, seed=seed), [], []
    for word in words:
        payloads += [None] * (rng.random() < 0.2) + [dict(zip(("eps", "step", "tau", "lag"), word, strict=True))]
    run(dut, receive_all(dut, payloads, got, dut.LATENCY), cycles=len(payloads) + 60)
    want = zip(*step(p, *np.array(words).T, Noise(seed)[np.arange(len(words))]), strict=True)
    assert len(got) == len(words)
    for word, out, right in zip(words, got, want, strict=True):
        assert (out.tau, out.lag) == right, f"{word}: {out} != {right}"


def test_reseed_starts_the_register_again():
    p, got = layer(*FORMATS[0]), []
    dut = TimeConstant(p, seed=5)

    async def bench(ctx):
        for first in (True, False):
            for name, value in (("eps", 16), ("step", 256), ("tau", 1280), ("lag", 3277)):
                ctx.set(dut.i.p[name], value)
            ctx.set(dut.i.valid, 1)
            for cycle in range(20 + dut.LATENCY):
                ctx.set(dut.i.valid, cycle < 20)
                if ctx.get(dut.o.valid):
                    got.append(ctx.get(dut.o.p.tau))
                await ctx.tick()
            ctx.set(dut.reseed, first)
            await ctx.tick()
            ctx.set(dut.reseed, 0)
    run(dut, bench, cycles=200)
    assert got[:20] == got[20:]
    assert set(got) == {1279, 1280}
