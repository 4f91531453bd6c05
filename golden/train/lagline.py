"""LagLine, [GLE] figure 5: two softplus neurons learn the weights and the lags of two others.

The best small test of an error path: only prospective errors find the answer.
"""

import math

import torch
from torch import Tensor

from golden.train.rates import Adam, Layer, gle_step, initial_state

DT = 0.01
TAU_R = 0.1
BETA, GAMMA = 0.01, 1.0         # of the error, and of how far the error pulls the membrane
RATE = 1e-4                     # Adam
BATCH = 100
PERIOD, SMOOTH = 400, 5.0       # of the square wave, and of the Gaussian that rounds it, in steps
SETTLE = 5000, 1000             # steps before teaching and learning, to forget the beginning
TEACHER = ((1.0, 2.0), (1.0, 2.0))      # w, tau_m
TAU_MIN = 10 * DT               # Euler steps stay well below every time constant


@torch.no_grad()
def lagline(prospective: bool = True, seed: int = 0, steps: int = 80_000) -> dict:
    """Learn w and tau_m of the chain 1-1-1 online from the teacher's output alone.

    The sequences of a batch are square waves of different phase. Prospective errors reach
    w = (1, 2), tau_m = (1, 2); instantaneous ones do not. Returns w and tau (two floats each), loss
    (mean squared error of the output over the last period) and steps.
    """
    if steps < PERIOD:
        raise ValueError(f"steps must be at least {PERIOD}, not {steps}")
    generator = torch.Generator().manual_seed(seed)
    ticks = torch.arange(PERIOD, dtype=torch.float64)
    kernel = torch.exp(-((ticks - PERIOD / 2) / SMOOTH) ** 2 / 2)
    square = torch.where(ticks < PERIOD / 2, 1.0, -1.0).double()
    wave = torch.fft.irfft(torch.fft.rfft(square) * torch.fft.rfft(kernel / kernel.sum()))
    phase = torch.randint(PERIOD, (BATCH,), generator=generator)
    waves = torch.stack([wave.roll(-n)[phase] for n in range(PERIOD)])[:, :, None]

    teacher = _chain(torch.tensor(TEACHER, dtype=torch.float64).flatten())
    right, target = initial_state(teacher, BATCH), [None] * PERIOD
    for n in range(SETTLE[0]):  # its output becomes periodic: the last period is the target
        right, _ = gle_step(teacher, right, waves[n % PERIOD], None, dt=DT)
        target[n % PERIOD] = right[-1].r

    p = torch.rand(4, generator=generator, dtype=torch.float64)
    p[:2] = 2 * p[:2] - 1
    p[2:].clamp_(min=TAU_MIN)
    student = _chain(p)
    adam, states, loss = Adam(p, 0.0, math.inf), initial_state(student, BATCH), 0.0
    for n in range(-SETTLE[1], steps):
        now = n + SETTLE[1]
        off = states[-1].r - target[(now - 1) % PERIOD]
        error = -BETA * off if n >= 0 else None
        states, g = gle_step(student, states, waves[now % PERIOD], error, dt=DT, gamma=GAMMA,
                             prospective=prospective)
        if n >= 0:
            adam.step(-torch.cat([g[0].weight[0], g[1].weight[0], g[0].tau_m, g[1].tau_m]), RATE)
            p[2:].clamp_(min=TAU_MIN)
        if n >= steps - PERIOD:
            loss += (off ** 2).mean().item() / PERIOD
    return {"w": p[:2].tolist(), "tau": p[2:].tolist(), "loss": loss, "steps": steps}


def _chain(p: Tensor) -> list[Layer]:
    """Two layers of one neuron that are views of p = (w, w, tau_m, tau_m): moving p moves them."""
    none, tau_r = p.new_zeros(1), p.new_full((1,), TAU_R)
    return [Layer(p[i].view(1, 1), none, p[2 + i].view(1), tau_r, "softplus") for i in (0, 1)]
