"""Prospective messaging (PM, arXiv 2407.05494) in float: an LE network whose messages arrive late, and what undoes it.

The paper's own equations are not known to us: everything here is [derived]. `leadlag study delays` measures it.
Layers as in golden.train.rates with tau_r = tau_m and errors that are not filtered (LE), batch 1, one step of dt:

    eps_l = phi'(ubar_l) o eb_l                    eb of the top layer: target - r, of the tick before
    d = W_l p_l + b_l + gamma eps_l - u            p_0 = x[n], p_l = what has arrived of r_{l-1}
    ubar = u + d    u += (dt/tau) d    r_l = phi(ubar)
    W_l += rate eps_l p_l^T,  b_l += rate eps_l    with the p_l that was consumed, predicted or not

Rates r_l and errors W_l^T eps_l between layers take `delay` ticks D beyond the one that two phases take. The sender
predicts: at tick n it sends an estimate of m[n + D] made of m[n], m[n - s], ..., which is read at tick n + 1 + D.

    none            m
    linear          m + (D/k) d1                                d1 = m - m[n-k], exact for a line
    second_order    m + h d1 + h (h+1)/2 d2, h = D/k            d2 = m - 2 m[n-k] + m[n-2k], exact for a parabola
    nlms            sum_j a_j m[n-js], taps of each neuron following  a += mu e x / |x|^2,  e = m[n] - a x,  x the
                    regressors of tick n - D
    neural          m + w2 tanh(W1 x + b1) + b2, x_j = m[n-js] - m[n-(j+1)s]; one for all rates, one for all errors
                    (golden.train.pm_neural trains them)

D = 0 sends m. Ticks are those of dt, messages have no unit and stay within BOUND. Arrays are (neuron,), taps (tap,
neuron).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from golden.checks import check, is_int

KINDS = ("none", "linear", "second_order", "nlms", "neural")
NORMALISE = ("exact", "power_of_two")
MAX_DELAY, MAX_HISTORY = 255, 2047      # ticks
BOUND, TAP_BOUND = 2.0, 8.0             # of a message, of a tap
POWER_FLOOR = 2.0 ** -20                # below this |x|^2 the taps stay

DT, TAU, MS = 0.05, 10.0, 1200.0        # ms
SIZES = (10, 30, 1)
TEACH = 2 / 3                           # of the run, then the network is on its own
RATE, GAMMA = 2.0 ** -10, 2.0 ** -3


class Neural(NamedTuple):
    """A trained predictor: w1 (hidden, input), b1 (hidden,), w2 (hidden,), b2 ()."""

    w1: np.ndarray
    b1: np.ndarray
    w2: np.ndarray
    b2: float


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """How the senders of a network make up for a delay.

    Parameters
    ----------
      kind          one of KINDS
      baseline      k of linear and second_order, ticks; None: D
      taps          N of nlms
      spacing       s of nlms and neural, ticks; taps should reach back about one period of the slowest message
      mu, error_mu  steps of nlms in (0, 2), for rates and for errors
      normalise     |x|^2 as it is ("exact") or the power of two that is not below it ("power_of_two": a shift)
      always        nlms follows its messages without a teacher, too
      neural        two of Neural: of the rates, of the errors
    """

    kind: str = "none"
    baseline: int | None = None
    taps: int = 16
    spacing: int = 64
    mu: float = 2.0 ** -6
    error_mu: float = 2.0 ** -7
    normalise: str = "power_of_two"
    always: bool = True
    neural: tuple[Neural, Neural] | None = None

    def __post_init__(self):
        check(self.kind in KINDS, f"predictor: kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        for name, value in (("baseline", 1 if self.baseline is None else self.baseline), ("spacing", self.spacing)):
            check(is_int(value, 1, MAX_HISTORY),
                   f"predictor: {name} must be 1 to {MAX_HISTORY} ticks, not {value!r}")
        check(is_int(self.taps, 1, 64), f"predictor: taps must be an integer in 1..64, not {self.taps!r}")
        for name in ("mu", "error_mu"):
            value = getattr(self, name)
            check(isinstance(value, float | int) and 0 < value < 2,
                   f"predictor: {name} must be in (0, 2), not {value!r}")
        check(self.normalise in NORMALISE,
               f"predictor: normalise must be one of {', '.join(NORMALISE)}, not {self.normalise!r}")
        check((self.neural is not None) == (self.kind == "neural"), "predictor: neural comes with two trained nets")
        for net in self.neural or ():
            check(all(np.isfinite(part).all() for part in net), "predictor: neural has weights that are not finite")

    def history(self, delay: int) -> int:
        """Ticks that the sender looks back; ValueError where that is too long."""
        back = {"linear": self.step(delay), "second_order": 2 * self.step(delay),
                "nlms": (self.taps - 1) * self.spacing + delay,
                "neural": max(net.w1.shape[1] for net in self.neural) * self.spacing if self.neural else 0
                }.get(self.kind, 0)
        check(back <= MAX_HISTORY, f"predictor: {self.kind} looks {back} ticks back, a history has {MAX_HISTORY}")
        return back

    def step(self, delay: int) -> int:
        """The baseline or the spacing in ticks."""
        return self.baseline or max(1, delay) if self.kind in ("linear", "second_order") else self.spacing


def settings(kind: str, delay: int) -> dict:
    """What works best for a kind of predictor at a delay in ticks, as plain values: found with seeds 97 to 99.

    Taps have to reach back, with the delay, about one period of what is learnt (1,000 ticks): half of that fails at
    5 ms. They have to be slow: taps that follow within a period carry the teacher's part of a message away with it.
    """
    if not delay:
        return {}
    return {"linear": {"baseline": delay}, "second_order": {"baseline": 56},
            "nlms": {"taps": 16, "spacing": 64, "mu": 2.0 ** -6, "error_mu": 2.0 ** -7},
            "neural": {"inputs": 8, "hidden": 4, "spacing": 25, "noise": 0.03} if delay <= 60 else
                      {"inputs": 15, "hidden": 4, "spacing": 64, "noise": 0.3}}.get(kind, {})


def predictor(kind: str, delay: int, trained=None) -> Predictor:
    """The predictor of `settings`; trained: (of the rates, of the errors), the parts of a Neural as arrays or lists."""
    if kind != "neural" or not delay:
        return Predictor(kind=kind if delay else "none", **settings(kind, delay))
    check(trained is not None, "predictor: neural needs two trained nets")
    nets = tuple(Neural(*(np.asarray(part, float) for part in net)) for net in trained)
    return Predictor(kind=kind, neural=nets, spacing=settings(kind, delay)["spacing"])


def check_delay(delay) -> int:
    """The delay in ticks; ValueError names what is wrong."""
    check(is_int(delay, 0, MAX_DELAY), f"delay must be 0 to {MAX_DELAY} ticks, not {delay!r}")
    return delay


class Sender:
    """The predictor and the delay of `count` messages of one kind; `send` once a tick.

    `diverged` counts predictions that were no message (beyond BOUND, not finite; m is sent), `resets` taps that were
    beyond TAP_BOUND.
    """

    def __init__(self, predictor: Predictor, delay: int, count: int, of_errors: bool = False):
        self.p, self.delay, self.count = predictor, check_delay(delay), count
        self.back, self.step = predictor.history(delay), predictor.step(delay)
        # every message stands in the ring twice, so that no window wraps round
        self.ring, self.length, self.n = np.zeros((2 * self.back + 2, count)), self.back + 1, 0
        self.line = np.zeros((delay + 1, count))
        self.taps = np.zeros((predictor.taps, count))
        self.taps[0] = 1
        self.mu = predictor.error_mu if of_errors else predictor.mu
        self.net = predictor.neural[of_errors] if predictor.neural else None
        self.diverged = self.resets = 0
        self.active = bool(delay) and predictor.kind != "none"

    def send(self, m, adapt: bool = True):
        """Take m[n] (neuron,); return what arrives for the next tick: the word that was sent D ticks ago."""
        if not self.delay:
            return m
        if self.active:
            here = self.n % self.length
            self.ring[here] = self.ring[here + self.length] = m
            self.now = here + self.length
            y = self.predict(m, adapt)
            if not abs(y).max() <= BOUND:       # not a number is neither
                wrong = ~(abs(y) <= BOUND)
                self.diverged += int(wrong.sum())
                y = np.where(wrong, m, y)
        else:
            y = m
        self.line[self.n % (self.delay + 1)] = y
        self.n += 1
        return self.line[self.n % (self.delay + 1)]

    def window(self, count: int, late: int = 0):
        """m[n - late - js], j < count: (count, neuron), what is before the first tick is zero."""
        last = self.now - late
        return self.ring[last - (count - 1) * self.step:last + 1:self.step][::-1]

    def predict(self, m, adapt: bool = True):
        """The estimate of m[n + D]; until the history is full it is m."""
        kind = self.p.kind
        if kind == "nlms":
            if adapt and self.n >= self.back:
                self._follow(m)
            return (self.taps * self.window(self.p.taps)).sum(0)
        if self.n < self.back:
            return m
        if kind == "neural":
            x = self.window(self.net.w1.shape[1] + 1)
            return m + self.net.w2 @ np.tanh(self.net.w1 @ (x[:-1] - x[1:]) + self.net.b1[:, None]) + self.net.b2
        h, seen = self.delay / self.step, self.window(3 if kind == "second_order" else 2)
        y = m + h * (m - seen[1])
        return y + h * (h + 1) / 2 * (m - 2 * seen[1] + seen[2]) if kind == "second_order" else y

    def _follow(self, m) -> None:
        """One NLMS step of the taps of each neuron."""
        x = self.window(self.p.taps, self.delay)
        power, e = (x * x).sum(0), m - (self.taps * x).sum(0)
        if self.p.normalise == "power_of_two":
            # frexp: power = f 2^k, f in [1/2, 1)
            f, k = np.frexp(power)
            scale = np.ldexp(self.mu, (f == 0.5) - k)
        else:
            scale = self.mu / np.maximum(power, POWER_FLOOR)
        self.taps += np.where(power < POWER_FLOOR, 0, e * scale) * x
        if not abs(self.taps).max() <= TAP_BOUND:
            wrong = ~(abs(self.taps).max(0) <= TAP_BOUND)
            self.resets += int(wrong.sum())
            self.taps[:, wrong] = 0
            self.taps[0, wrong] = 1


class DelayedNetwork:
    """An LE network, tanh below a linear output, whose messages between layers take `delay` ticks.

    Parameters: sizes, neurons of input and layers; delay, ticks; predictor; seed, of weights and biases N(0, 0.05);
    rate, of every step of a weight; gamma, how far an error pulls the membrane; leak = dt/tau.
    """

    def __init__(self, sizes=SIZES, *, delay: int = 0, predictor: Predictor | None = None, seed: int = 0,
                 rate: float = RATE, gamma: float = GAMMA, leak: float = DT / TAU):
        self.rate, self.gamma, self.leak = rate, gamma, leak
        predictor, rng = predictor or Predictor(), np.random.default_rng(seed)
        self.weight, self.bias = [], []
        for i, o in zip(sizes, sizes[1:], strict=False):
            self.weight.append(rng.normal(0, 0.05, (o, i)))
            self.bias.append(rng.normal(0, 0.05, o))
        self.u = [np.zeros(o) for o in sizes[1:]]
        self.slope = [np.ones(o) for o in sizes[1:]]
        self.r = np.zeros(sizes[-1])
        self.rates = [Sender(predictor, delay, o) for o in sizes[1:-1]]
        self.errors = [Sender(predictor, delay, o, of_errors=True) for o in sizes[1:-1]]
        self.arrived = [np.zeros(o) for o in sizes[1:-1]]       # rates, for the layer above
        self.blamed = [np.zeros(o) for o in sizes[1:-1]]        # errors, for the layer below
        self.always = predictor.always

    @property
    def senders(self) -> list[Sender]:
        return self.rates + self.errors

    def tick(self, x, target, learn: bool = True):
        """One tick: x (input,), target (output,) or None; returns r of the output (output,)."""
        top, sent, back = len(self.u) - 1, [], []
        for n, u in enumerate(self.u):
            pre = self.arrived[n - 1] if n else x
            above = self.blamed[n] if n < top else None if target is None else target - self.r
            weight, bias = self.weight[n], self.bias[n]
            d = weight @ pre
            d += bias
            d -= u
            eps = None
            if above is not None:
                eps = above * self.slope[n]
                d += self.gamma * eps
            if n:
                back.append(np.zeros(weight.shape[1]) if eps is None else eps @ weight)
            ubar = u + d
            u += self.leak * d
            if n < top:
                ubar = np.tanh(ubar)
                self.slope[n] = 1 - ubar * ubar
            sent.append(ubar)
            if learn and eps is not None:
                eps *= self.rate
                weight += eps[:, None] * pre
                bias += eps
        adapt = self.always or (learn and target is not None)
        self.r = sent[-1]
        self.arrived = [line.send(m, adapt) for line, m in zip(self.rates, sent, strict=False)]
        self.blamed = [line.send(m, adapt) for line, m in zip(self.errors, back, strict=True)]
        return self.r


def fourier_waves(ms: float = MS, dt: float = DT):
    """Sines of 10 to 100 Hz and a sawtooth of 20 Hz in [-1, 1): x (tick, 10), target (tick, 1)."""
    t = np.arange(round(ms / dt)) * dt * 1e-3
    return np.sin(2 * np.pi * np.outer(t, np.arange(10, 101, 10))), (2 * ((t * 20) % 1) - 1)[:, None]


def fourier_run(delay: int = 0, predictor: Predictor | None = None, seed: int = 0, *, ms: float = MS,
                rate: float = RATE, gamma: float = GAMMA, record=None) -> dict:
    """Learn the sawtooth for TEACH of the run, then none: mse of the rest, diverged predictions, reset taps.

    record, a function of the network, is called after every tick.
    """
    check(math.isfinite(ms) and ms >= 10 * DT, f"a run takes at least {10 * DT:g} ms, not {ms!r}")
    net = DelayedNetwork(delay=check_delay(delay), predictor=predictor, seed=seed, rate=rate, gamma=gamma)
    x, target = fourier_waves(ms)
    taught, total = round(TEACH * len(x)), 0.0
    with np.errstate(over="ignore", invalid="ignore"):      # weights that run away end in a large error, or in none
        for n in range(len(x)):
            r = net.tick(x[n], target[n] if n < taught and n else None)
            if n >= taught:
                total += float((r - target[n])[0]) ** 2
            if record is not None:
                record(net)
    return {"mse": total / (len(x) - taught), "diverged": sum(s.diverged for s in net.senders),
            "resets": sum(s.resets for s in net.senders)}
