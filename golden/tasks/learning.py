"""What networks learn on the chip: descriptions, starting points and streams of words, for golden and circuit alike.

lagline    [GLE] figure 5: a chain 1-1-1 learns two weights and two time constants of a teacher
fourier    [LE] figure 2a: 50 sines, a network 50-30-1 learns a sawtooth
mnist1d    [GLE] figure 10: a fixed chain of lags and a plastic 10-60-60-10 network
"""

import math
from typing import NamedTuple

import numpy as np

from golden.data.mnist1d import ANSWER_FROM
from golden.fixed import QFormat, quantize
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from golden.units.dense import DenseParams


class Stream(NamedTuple):
    """Words for a device: x (ticks, streams, inputs), target (ticks, streams, targets).

    teach, learn: (ticks, streams), or one for all.
    """

    x: np.ndarray
    target: np.ndarray
    teach: object = True
    learn: object = True


# ---- LagLine

LAGLINE_DT, LAGLINE_TAU_R, LAGLINE_PERIOD, LAGLINE_SETTLE = 0.01, 0.1, 400, 1000
LAGLINE_TEACHER = ((1.0, 1.0), (2.0, 2.0))          # w, tau_m of each neuron
LAGLINE_TICKS = 200_000


def lagline(prospective: bool = True) -> Network:
    """The chain 1-1-1 of softplus neurons; without `prospective`, errors are instantaneous.

    The nudging strength is in gamma, not in beta: 12 fraction bits hold the errors.
    """
    word = QFormat(2, 14)

    def layer(tau_rate):
        own = Plastic(error=QFormat(2, 14), slope=QFormat(1, 14), rate=7, bias=False, gamma=7,
                      lead=QFormat(7, 10) if prospective else None, lag=QFormat(0, 15) if prospective else None,
                      guard=4 if prospective else 0, tau=QFormat(10, 7), tau_r=QFormat(5, 12), tau_rate=tau_rate,
                      tau_min=10)
        return Dense(inputs=1, outputs=1, activation="softplus", operand=word, weight=QFormat(2, 15), state=word,
                     lead=QFormat(1, 16), lag=QFormat(-3, 20), rate=word, guard=4, plastic=own)
    return Network(name="lagline", dt=LAGLINE_DT, layers=(layer(-5), layer(-10)),
                   teacher=Teacher(loss="squared_error"))


def lagline_start(net: Network, seed: int) -> tuple[DenseParams, ...]:
    """Random weights in [-1, 1) and time constants in [0.1, 1), as in [GLE]."""
    rng = np.random.default_rng(seed)
    w, tau = rng.uniform(-1, 1, 2), np.maximum(rng.uniform(0, 1, 2), LAGLINE_TAU_R)
    found = []
    for n, layer in enumerate(net.layers):
        ticks = tau[n:n + 1] / LAGLINE_DT
        words = {"tau": ticks, "tau_r": [LAGLINE_TAU_R / LAGLINE_DT], "lag": 1 / ticks,
                 "error_lag": [LAGLINE_DT / LAGLINE_TAU_R]}
        found.append(DenseParams(
            weight=quantize(w[n].reshape(1, 1), layer.weight), bias=np.zeros(1, np.int64),
            **{name: quantize(words[name], layer.format(name), name=name) for name in layer.constants}))
    return tuple(found)


def lagline_stream(net: Network, ticks: int = LAGLINE_TICKS) -> Stream:
    """A square wave rounded by a Gaussian, and what the teacher makes of it; the first ticks have no teacher."""
    n = np.arange(LAGLINE_PERIOD)
    kernel = np.exp(-((n - LAGLINE_PERIOD / 2) / 5.0) ** 2 / 2)
    square = np.where(n < LAGLINE_PERIOD / 2, 1.0, -1.0)
    wave = np.fft.irfft(np.fft.rfft(square) * np.fft.rfft(kernel / kernel.sum()))
    x = quantize(wave, net.layers[0].operand)
    seen, u, r = x * net.layers[0].operand.lsb, [0.0, 0.0], [math.log(2.0)] * 2
    target = np.zeros(LAGLINE_PERIOD)
    for t in range(5000):
        before, r = [seen[t % LAGLINE_PERIOD], r[0]], []
        for i, (w, tau) in enumerate(LAGLINE_TEACHER):
            d = w * before[i] - u[i]
            r.append(math.log1p(math.exp(-abs(v := u[i] + LAGLINE_TAU_R / tau * d))) + max(v, 0.0))
            u[i] += LAGLINE_DT / tau * d
        target[t % LAGLINE_PERIOD] = r[1]
    total = LAGLINE_SETTLE + ticks
    # the output that meets the target is that of the tick before
    y = np.roll(quantize(target, net.layers[-1].rate), 1)
    taught = (np.arange(total) >= LAGLINE_SETTLE)[:, None]
    return Stream(x=np.resize(x, total)[:, None, None], target=np.resize(y, total)[:, None, None], teach=taught,
                  learn=taught)


def lagline_values(net: Network, params) -> dict[str, list[float]]:
    """Weights and time constants as real numbers."""
    return {"w": [float(p.weight[0, 0] * layer.weight.lsb) for layer, p in zip(net.layers, params, strict=True)],
            "tau": [float(p.tau[0] * layer.plastic.tau.lsb * net.dt)
                    for layer, p in zip(net.layers, params, strict=True)]}


# ---- Fourier synthesis

FOURIER_DT, FOURIER_TAU, FOURIER_MS = 0.02, 10.0, 600.0     # ms
FOURIER_TEACH = 2 / 3                                       # of the run; then the network is on its own


def fourier() -> Network:
    """The LE network 50-30-1 with tanh, plain gradient steps."""
    def layer(inputs, outputs, activation, operand, rate, lanes):
        own = Plastic(error=QFormat(2, 14), slope=QFormat(1, 12), rate=11, gamma=3)
        return Dense(inputs=inputs, outputs=outputs, activation=activation, operand=operand, weight=QFormat(3, 14),
                     state=QFormat(3, 12), lead=QFormat(1, 14), lag=QFormat(0, 17), rate=rate, guard=4, lanes=lanes,
                     plastic=own)
    inner = QFormat(1, 12)
    return Network(name="fourier", dt=FOURIER_DT, teacher=Teacher(loss="squared_error"),
                   layers=(layer(50, 30, "tanh", inner, inner, 15), layer(30, 1, "linear", inner, QFormat(2, 12), 1)))


def fourier_start(net: Network, seed: int) -> tuple[DenseParams, ...]:
    """Weights and biases N(0, 0.05); tau_m = tau_r."""
    rng, found = np.random.default_rng(seed), []
    for layer in net.layers:
        lag = np.full(layer.outputs, FOURIER_DT / FOURIER_TAU)
        found.append(DenseParams(weight=quantize(rng.normal(0, 0.05, layer.shape("weight")), layer.weight),
                                 bias=quantize(rng.normal(0, 0.05, layer.outputs), layer.weight),
                                 lead=quantize(np.ones(layer.outputs), layer.lead), lag=quantize(lag, layer.lag)))
    return tuple(found)


def fourier_stream(net: Network, ms: float = FOURIER_MS) -> Stream:
    """Sines of 10 to 500 Hz and a sawtooth of 20 Hz in [-1, 1); the teacher leaves after FOURIER_TEACH of the run."""
    ticks = round(ms / FOURIER_DT)
    t = np.arange(ticks) * FOURIER_DT * 1e-3
    x = np.sin(2 * np.pi * np.outer(t, np.arange(10, 501, 10)))
    y = 2 * ((t * 20) % 1) - 1
    taught = (np.arange(ticks) < FOURIER_TEACH * ticks)[:, None]
    return Stream(x=quantize(x, net.layers[0].operand)[:, None], teach=taught, learn=taught,
                  target=quantize(y, net.layers[-1].rate)[:, None, None])


def fourier_error(net: Network, stream: Stream, rates) -> float:
    """Mean squared error of the ticks without a teacher; rates (ticks, 1, 1) words."""
    alone = ~np.broadcast_to(stream.teach, stream.x.shape[:2])[:, 0]
    difference = (np.asarray(rates)[alone, 0, 0] - stream.target[alone, 0, 0]) * net.layers[-1].rate.lsb
    return float((difference ** 2).mean())


# ---- MNIST-1D: fixed lags, a plastic network above

MNIST_DT, MNIST_STREAMS = 0.2, 16
MNIST_EPOCHS, MNIST_HALVE_EVERY = 32, 4
MNIST_CLASSES = 10


def mnist1d_net(lanes: tuple[int, ...] = (1, 2, 2, 2, 10, 60, 10)) -> Network:
    """LagNet: four layers of ten neurons, each passing on what it gets with its own lag; above it 10-60-60-10."""
    message = QFormat(3, 7)

    def lag(inputs, operand, n):
        return Dense(inputs=inputs, outputs=10, activation="linear", operand=operand, weight=QFormat(1, 8),
                     state=QFormat(3, 12), lead=QFormat(1, 12), lag=QFormat(1, 12),
                     rate=message if n == 3 else QFormat(3, 10), lanes=lanes[n])

    def plastic(inputs, outputs, activation, operand, rate, eta, n):
        own = Plastic(error=QFormat(3, 13), slope=QFormat(1, 12), rate=eta, halvings=7)
        return Dense(inputs=inputs, outputs=outputs, activation=activation, operand=operand, weight=QFormat(4, 13),
                     state=QFormat(5, 10), lead=QFormat(1, 10), lag=QFormat(0, 12), rate=rate, lanes=lanes[n],
                     plastic=own)
    hidden = QFormat(0, 9)
    return Network(name="le-mnist1d", dt=MNIST_DT, layers=(
        lag(1, QFormat(3, 12), 0), *(lag(10, QFormat(3, 10), n) for n in (1, 2, 3)),
        plastic(10, 60, "tanh", message, hidden, 8, 4), plastic(60, 60, "tanh", hidden, hidden, 10, 5),
        plastic(60, MNIST_CLASSES, "linear", hidden, QFormat(4, 9), 12, 6)),
        teacher=Teacher(loss="cross_entropy", streams=MNIST_STREAMS, seed=1))


def mnist1d_start(net: Network, seed: int) -> tuple[DenseParams, ...]:
    """The lags of LagNet, tau_r = dt; uniform weights and biases within 1 / sqrt(inputs), tau_m = tau_r = 2."""
    rng, found = np.random.default_rng(seed), []
    tau = np.round(np.linspace(MNIST_DT, 1.8, 10), 2)
    for n, layer in enumerate(net.layers):
        if layer.plastic is None:
            weight = np.ones((10, 1)) if n == 0 else np.eye(10)
            bias, lead, lag = np.zeros(10), MNIST_DT / tau, MNIST_DT / tau
        else:
            bound = 1 / math.sqrt(layer.inputs)
            weight, bias = rng.uniform(-bound, bound, layer.shape("weight")), rng.uniform(-bound, bound, layer.outputs)
            lead, lag = np.ones(layer.outputs), np.full(layer.outputs, MNIST_DT / 2.0)
        found.append(DenseParams(weight=quantize(weight, layer.weight), bias=quantize(bias, layer.weight),
                                 lead=quantize(lead, layer.lead), lag=quantize(lag, layer.lag)))
    return tuple(found)


def balanced_order(labels, rng: np.random.Generator, classes: int = MNIST_CLASSES) -> np.ndarray:
    """An order in which as many sequences in a row as there are classes have all labels once.

    A network that learns all the time follows what it was shown last; shown all labels alike, it follows none.
    """
    queues = [rng.permutation(np.flatnonzero(labels == c)) for c in range(classes)]
    groups = len(labels) // classes
    return np.concatenate([[queues[c][g % len(queues[c])] for c in rng.permutation(classes)]
                           for g in range(groups)])


def mnist1d_blocks(net: Network, data, rng: np.random.Generator):
    """An epoch as Streams: all streams change to their next sequence at once; steps begin at ANSWER_FROM."""
    x, order = quantize(data.x, net.layers[0].operand, clip_range=True), balanced_order(data.y, rng)
    on = (np.arange(x.shape[1]) >= ANSWER_FROM)[:, None]
    for start in range(0, len(order) - net.streams + 1, net.streams):
        chosen = order[start:start + net.streams]
        target = np.broadcast_to(data.y[chosen], (x.shape[1], net.streams))
        yield Stream(x=x[chosen].T[..., None], target=target[..., None], learn=on)


def mnist1d_accuracy(rates, labels) -> float:
    """Share of sequences whose summed output is largest for their label: rates (ticks, sequences, outputs)."""
    if len(rates) <= ANSWER_FROM:
        raise ValueError(f"sequences of {len(rates)} ticks: answers count from tick {ANSWER_FROM} on")
    return float((np.asarray(rates)[ANSWER_FROM:].sum(0).argmax(1) == labels).mean())
