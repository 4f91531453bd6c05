"""Random networks, parameters and inputs for tests, all from a seed."""

import random

import numpy as np

from golden.fixed import QFormat
from golden.network import ACTIVATIONS, Dense, Network


def corners(fmt: QFormat) -> list[int]:
    """Words at which arithmetic breaks first."""
    return sorted({fmt.min, fmt.min + 1, -1, 0, 1, fmt.max - 1, fmt.max})


def random_network(seed: str, *, largest: int = 40) -> Network:
    """1 to 4 layers of 1 to `largest` neurons, any format, lanes, delay 0 to 14 and activation."""
    rng = random.Random(seed)

    def size():
        # mostly small, now and then up to the largest: time goes into the words of the weights
        return rng.randint(1, rng.choice((4, 12, largest)))

    def message():
        int_bits = rng.choice((-2, -1, 0, 0, 1, 2, 3, 5))
        return QFormat(int_bits, rng.randint(2 - min(int_bits, 0), 11))

    inputs, operand, layers = size(), message(), []
    for _ in range(rng.randint(1, 4)):
        outputs, state = size(), QFormat(rng.randint(0, 5), rng.randint(4, 11))
        weight = QFormat(rng.randint(-2, 4), max(rng.randint(3, 13), state.frac_bits - operand.frac_bits))
        max_delay = rng.choice((0, 0, 1, 2, 3, 6, 9, 14))
        rate = QFormat(rng.choice((-1, 0, 0, 1, 3, 5)), rng.randint(3, min(11, state.frac_bits + 4)))
        layers.append(Dense(
            inputs=inputs, outputs=outputs, activation=rng.choice(ACTIVATIONS), operand=operand, weight=weight,
            state=state, lead=QFormat(rng.randint(-1, 3), rng.randint(2, 14)), lag=QFormat(1, rng.randint(1, 16)),
            rate=rate, max_delay=max_delay, delay=rng.randint(0, max_delay),
            lanes=rng.randint(1, min(outputs, inputs + 1))))
        inputs, operand = outputs, rate
    return Network(name="random", dt=0.1, layers=tuple(layers))


def random_input(net: Network, rng: np.random.Generator, ticks: int) -> np.ndarray:
    """Words (ticks, inputs): random, with corners of the format among them."""
    fmt = net.layers[0].operand
    x = rng.integers(fmt.min, fmt.max + 1, (ticks, net.inputs), dtype=np.int64)
    return np.where(rng.random(x.shape) < 0.2, rng.choice(corners(fmt), x.shape), x)
