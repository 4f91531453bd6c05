"""LeadLag: golden against hand and float, rtl against golden on corners and random words, latency."""

import itertools
import random

import numpy as np
import pytest
import torch
from cases import corners

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.units.leadlag import at_rest, integrator, lag_step, leadlag_step
from rtl.units.leadlag import LeadLag
from sim.pysim import receive_all, run


def layer(state, lead, lag, guard=0):
    return Dense(inputs=1, outputs=1, activation="linear", operand=QFormat(1, 6), weight=QFormat(1, state.frac_bits),
                 state=state, lead=lead, lag=lag, rate=QFormat(1, 4), guard=guard)


FORMATS = [(QFormat(3, 4), QFormat(1, 6), QFormat(0, 7)), (QFormat(0, 2), QFormat(2, 1), QFormat(1, 2)),
           (QFormat(5, 11), QFormat(0, 15), QFormat(1, 16))]


def test_known_answers():
    p = layer(QFormat(3, 4), QFormat(1, 6), QFormat(0, 7))
    # d = 40: 40 * 96/64 = 60, 40 * 32/128 = 10; d = -5: -7.5 -> -7, -1.25 -> -1; then saturation at 127
    assert leadlag_step(8, 48, 96, 32, p) == (18, 68)
    assert leadlag_step(8, 3, 96, 32, p) == (7, 1)
    assert leadlag_step(100, 127, 127, 127, p) == (127, 127)
    assert leadlag_step(-100, -128, 127, 127, p) == (-128, -128)
    # a tie rounds up, in both directions
    assert leadlag_step(0, 1, 32, 64, p) == (1, 1)
    assert leadlag_step(0, -1, 32, 64, p) == (0, 0)


def test_numpy_equals_torch():
    rng = np.random.default_rng(1)
    p = layer(*FORMATS[2])
    words = [rng.integers(fmt.min, fmt.max + 1, 500) for fmt in (p.state, p.state, p.lead, p.lag)]
    by_numpy, by_torch = leadlag_step(*words, p), leadlag_step(*map(torch.tensor, words), p)
    for a, b in zip(by_numpy, by_torch, strict=True):
        assert a.tolist() == b.tolist()


def test_follows_the_differential_equation():
    """A step response stays within the rounding of tau du/dt = in - u, r = u + tau_r du/dt."""
    p, dt, tau_m, tau_r = layer(QFormat(3, 12), QFormat(1, 15), QFormat(0, 15)), 0.01, 1.0, 0.4
    lead, lag = round(tau_r / tau_m * 2**15), round(dt / tau_m * 2**15)
    u, i, x = 0, 2 * 4096, 0.0
    for n in range(400):
        step = leadlag_step(u, i, lead, lag, p)
        assert abs(u / 4096 - x) < 60 / 4096, f"step {n}"
        assert abs(step.y / 4096 - (x + tau_r / tau_m * (2 - x))) < 60 / 4096
        u, x = step.x, x + dt / tau_m * (2 - x)


def test_guard_bits_keep_small_steps():
    """Without them the state stops half a unit / lag short of its input; with them it arrives."""
    formats = QFormat(3, 8), QFormat(1, 15), QFormat(0, 15)
    for guard, arrives in ((0, False), (6, True)):
        p = layer(*formats, guard)
        x = at_rest(p)
        for _ in range(4000):
            x = leadlag_step(x, 256, 0, round(0.01 * 2**15), p).x
        assert ((x >> guard) == 256) == arrives, x
    assert leadlag_step(at_rest(p), 0, 100, 100, p) == (at_rest(p), 0)


def test_rest_and_guard_bits_by_hand():
    """Golden, circuit and compiled take the rest value from one function: only a number can tell that it is wrong."""
    formats = QFormat(3, 8), QFormat(1, 15), QFormat(0, 15)
    assert [at_rest(layer(*formats, guard)) for guard in (0, 1, 2, 3, 8)] == [0, 1, 2, 4, 128]
    p = layer(QFormat(3, 4), QFormat(1, 6), QFormat(0, 7), 3)
    assert integrator(p) == QFormat(3, 7)
    # seen = 68 >> 3 = 8, d = 40; the state moves by 40 * 32/128 units of 1/8 word
    assert leadlag_step(68, 48, 96, 32, p) == (68 + 80, 68)
    # a sixteenth of a unit and more is a step: 1 * 1/128 * 8 is not, 1 * 8/128 * 8 is a tie
    assert leadlag_step(4, 1, 0, 1, p).x == 4
    assert leadlag_step(4, 1, 0, 8, p).x == 5
    assert leadlag_step(4, -1, 0, 8, p).x == 4
    assert leadlag_step(1000, -128, 0, -128, p).x == 1023


@pytest.mark.parametrize(("state", "lead", "lag", "guard"), [
    # a lag has more fraction bits than there are guard bits
    *((*formats, 0) for formats in FORMATS), *((*formats, 3) for formats in FORMATS if formats[2].frac_bits > 3)],
    ids=str)
def test_rtl_equals_golden(state, lead, lag, guard):
    p = layer(state, lead, lag, guard)
    words = list(itertools.product(corners(integrator(p)), corners(state), corners(lead), corners(lag)))
    rng = random.Random("leadlag")
    words = rng.sample(words, min(len(words), 1200))
    words += [tuple(rng.randint(fmt.min, fmt.max) for fmt in (integrator(p), state, lead, lag)) for _ in range(500)]
    dut, got = LeadLag(p), []
    payloads = [None if rng.random() < 0.2 else dict(zip(("x", "i", "lead", "lag"), word, strict=True))
                for word in words]
    run(dut, receive_all(dut, payloads, got, dut.LATENCY), cycles=len(words) + 50)
    sent = [p for p in payloads if p is not None]
    assert len(got) == len(sent)
    for payload, out in zip(sent, got, strict=True):
        want = leadlag_step(payload["x"], payload["i"], payload["lead"], payload["lag"], p)
        assert (out.x, out.y) == want, f"{payload}: {out} != {want}"
        assert out.step == lag_step(payload["i"] - (payload["x"] >> guard), payload["lag"], p)


def test_without_a_lead():
    """A state that nothing looks ahead of: no y, one multiplier, the same x and step."""
    p, rng = layer(*FORMATS[0], 3), random.Random("no lead")
    dut, got = LeadLag(p, has_lead=False), []
    formats = {"x": integrator(p), "i": p.state, "lag": p.lag}
    payloads = [{name: rng.choice((*corners(fmt), rng.randint(fmt.min, fmt.max))) for name, fmt in formats.items()}
                for _ in range(600)]
    run(dut, receive_all(dut, payloads, got, dut.LATENCY), cycles=700)
    assert set(dut.o.payload.shape().members) == {"x", "step"}
    for payload, out in zip(payloads, got, strict=True):
        assert out.x == leadlag_step(payload["x"], payload["i"], 0, payload["lag"], p).x, payload
        assert out.step == lag_step(payload["i"] - (payload["x"] >> p.guard), payload["lag"], p)
