"""Latent Equilibrium from its equations ([LE] arXiv 2110.14549), beside what float and integers do here.

    tau du/dt = -u + I + gamma e,  I = W r + b,  r = phi(ubar of the layer below),  ubar = u + tau du/dt
    e = target - ubar on top, phi'(ubar) o W^T e of the layer above elsewhere
    dW/dt ~ (ubar - I) r^T,  db/dt ~ ubar - I

in Euler steps, every layer reading what its neighbours had a step before. The equations leave two things to a program:
whether the teacher pulls its output to the target or pushes it away (with steps that go the other way, too), and how
old the slope phi' is that an error is multiplied by. docs/learning.md has what is done here.
"""

import numpy as np
import pytest

from golden.rate.compiled import CompiledLearner
from golden.tasks import learning as tasks
from golden.train.pm import DelayedNetwork

TICKS = 1000                                    # 20 ms
GAMMA, ETA = 2.0 ** -3, 2.0 ** -11              # of tasks.fourier


class Equations:
    """The network 50-30-1 by the equations; weights and biases a layer.

    pull: the teacher pulls (1) or pushes (-1) the output; older: ticks by which slopes are older than the newest.
    """

    def __init__(self, weight, bias, pull=1, older=0):
        self.w, self.b, self.pull, self.older = [w.copy() for w in weight], [b.copy() for b in bias], pull, older
        self.u = [0 * b for b in bias]
        self.ubar = [self.u] * (1 + older)      # newest first
        self.sent = 0 * weight[1][0]            # W^T e of the layer above

    def tick(self, x, target):
        (below, top), slope = self.ubar[0], 1 - np.tanh(self.ubar[self.older][0]) ** 2
        r, e = (x, np.tanh(below)), (slope * self.sent, self.pull * (target - top))
        self.sent, now = self.w[1].T @ e[1], []
        for n in range(2):
            current = self.w[n] @ r[n] + self.b[n]
            slope_of_u = (-self.u[n] + current + GAMMA * e[n]) / tasks.FOURIER_TAU
            now.append(self.u[n] + tasks.FOURIER_TAU * slope_of_u)
            self.u[n] = self.u[n] + tasks.FOURIER_DT * slope_of_u
            error = self.pull * (now[n] - current) / GAMMA          # the layer's own mismatch
            self.w[n] += ETA * np.outer(error, r[n])
            self.b[n] += ETA * error
        self.ubar = [now, *self.ubar][:1 + self.older]
        return now[1][0]


def waves():
    """Inputs (tick, 50) and target (tick, 1): the words of tasks.fourier as real numbers, and these words.

    The first target is what a network at rest says: the slopes of a device that was just loaded are 0, not phi'(0).
    """
    net = tasks.fourier()
    words = tasks.fourier_stream(net, TICKS * tasks.FOURIER_DT)
    words.target[0] = 0
    return net, words, words.x[:, 0] * net.layers[0].operand.lsb, words.target[:, 0] * net.layers[-1].rate.lsb


@pytest.fixture(scope="module")
def start():
    """Weights and biases that words hold exactly."""
    net = tasks.fourier()
    params = tasks.fourier_start(net, 0)
    return params, *([getattr(p, name) * net.layers[0].weight.lsb for p in params] for name in ("weight", "bias"))


def by_equations(start, **conventions):
    _, _, x, y = waves()
    equations = Equations(*start[1:], **conventions)
    return np.array([equations.tick(*now) for now in zip(x, y, strict=True)]), equations


def delayed_network(start, x, y):
    """golden.train.pm without a delay."""
    net = DelayedNetwork((50, 30, 1), rate=ETA, gamma=GAMMA, leak=tasks.FOURIER_DT / tasks.FOURIER_TAU)
    net.weight, net.bias = ([a.copy() for a in part] for part in start[1:])
    return np.array([net.tick(*now)[0] for now in zip(x, y, strict=True)]), net.weight


def gle_step(start, x, y):
    """golden.train.rates with tau_m = tau_r and errors that are not filtered."""
    rates = pytest.importorskip("golden.train.rates")
    import torch
    layers = []
    for weight, bias, phi in zip(*start[1:], ("tanh", "linear"), strict=True):
        tau = torch.full((len(bias),), tasks.FOURIER_TAU, dtype=torch.float64)
        layers.append(rates.Layer(torch.tensor(weight), torch.tensor(bias), tau, tau, phi))
    states, found = rates.initial_state(layers, 1), []
    for now, target in zip(torch.tensor(x)[:, None], torch.tensor(y), strict=True):
        states, gradients = rates.gle_step(layers, states, now, target - states[-1].r, dt=tasks.FOURIER_DT, gamma=GAMMA,
                                           prospective=False)
        found.append(states[-1].r.item())
        for layer, gradient in zip(layers, gradients, strict=True):
            layer.weight.sub_(ETA * gradient.weight)
            layer.bias.sub_(ETA * gradient.bias)
    return np.array(found), [layer.weight.numpy() for layer in layers]


@pytest.mark.parametrize("model", [delayed_network, gle_step])
def test_float_is_the_equations(model, start):
    """Outputs and weights of 20 ms are equal but for the rounding of doubles."""
    want, equations = by_equations(start)
    got, weights = model(start, *waves()[2:])
    assert np.abs(got - want).max() < 2e-15
    for mine, theirs in zip(weights, equations.w, strict=True):
        assert np.abs(mine - theirs).max() < 2e-15
    assert np.abs(weights[0] - start[1][0]).max() > 1e-3, "nothing was learnt"


def test_integers_are_the_equations_in_words(start):
    net, words, _, _ = waves()
    learner = CompiledLearner(net, start[0])
    got = learner.run(words.x, words.target, first=True)[:, 0, 0] * net.layers[-1].rate.lsb
    off = np.abs(got - by_equations(start)[0])
    assert off.max() < 0.004
    assert off.mean() < 0.001


def test_other_conventions_are_other_networks(start):
    """The other sign moves the output by a quarter of the target's range, the older slope hardly: docs/learning.md."""
    ours = by_equations(start)[0]
    older, pushed, both = (np.abs(by_equations(start, **way)[0] - ours) for way in (
        {"older": 1}, {"pull": -1}, {"pull": -1, "older": 1}))
    assert 1e-5 < older.max() < 1e-4
    assert 0.25 < pushed.max() < 0.3
    assert 0.25 < both.max() < 0.3
    assert pushed.argmax() < 5, "the teacher speaks at once"


def test_both_signs_learn(start):
    """Each descends: what the net says without a teacher comes nearer to the target."""
    _, _, x, y = waves()

    def alone(weight, bias):
        return (weight[1] @ np.tanh(weight[0] @ x.T + bias[0][:, None]) + bias[1][:, None])[0]
    before = np.mean((alone(*start[1:]) - y[:, 0]) ** 2)
    for pull in (1, -1):
        _, equations = by_equations(start, pull=pull)
        assert np.mean((alone(equations.w, equations.b) - y[:, 0]) ** 2) < 0.9 * before, pull
