"""Random networks, parameters and inputs for tests, all from a seed."""

import random
from dataclasses import replace

import numpy as np

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from golden.units.activation import ACTIVATIONS
from golden.units.extrapolator import KINDS, Predictor
from golden.units.plasticity import PERIOD
from sim.vectors import corners


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


def random_learner(seed: str, *, largest: int = 9) -> Network:
    """A network that learns: 0 to 2 fixed layers below 1 to 3 plastic ones, any filter, pull, streams, folds, loss."""
    rng = random.Random(seed)
    while True:
        try:
            return _learner(rng, largest)
        except ValueError:      # formats that do not go together are drawn again
            pass


def _learner(rng, largest) -> Network:
    fixed, plastic = rng.choice((0, 0, 1, 2)), rng.randint(1, 3)
    loss = rng.choice(("squared_error", "cross_entropy"))
    sizes = [rng.randint(1, largest) for _ in range(fixed + plastic + 1)]
    operand = QFormat(rng.randint(0, 3), rng.randint(6, 11))
    layers, error = [], QFormat(rng.randint(0, 4), rng.randint(7, 11))
    for n, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
        top = n == fixed + plastic - 1
        state = QFormat(rng.randint(1, 4), rng.randint(6, 11))
        weight = QFormat(rng.randint(0, 3), rng.randint(max(8, state.frac_bits - operand.frac_bits), 13))
        lanes = rng.randint(1, min(outputs, inputs + 1))
        if inputs < 4 and n >= fixed:
            outputs = sizes[n + 1] = lanes = min(outputs, inputs + 1)
        guard = rng.choice((0, 0, 3))
        lag = QFormat(rng.choice((0, 1)), rng.randint(8, 15))
        rate = QFormat(rng.choice((0, 1, 3)), rng.randint(5, min(11, state.frac_bits + 4)))
        own = None
        if n >= fixed:
            filtered, tau = rng.random() < 0.5, rng.random() < 0.3
            own = Plastic(
                error=error, slope=QFormat(1, rng.randint(6, 12)), halvings=rng.choice((0, 2, 5)),
                bias=rng.random() < 0.8, rule=rng.choice(("plain", "plain", "sign")),
                rate=rng.choice((None, 0, 2, 5, 5)) if not tau else 3, gamma=rng.choice((None, 5, 8)),
                lead=QFormat(4, 8) if filtered else None, lag=QFormat(0, 12) if filtered else None,
                guard=rng.choice((0, 4)) if filtered else 0, tau=QFormat(8, 7) if tau else None,
                tau_r=QFormat(4, 8) if tau else None, tau_rate=rng.choice((0, 3)), tau_min=4)
            # eps of a layer is made of sums over the one above
            error = QFormat(rng.randint(0, 4), rng.randint(7, min(11, weight.frac_bits + error.frac_bits)))
        layers.append(Dense(
            inputs=inputs, outputs=outputs, operand=operand, weight=weight, state=state, rate=rate, lanes=lanes,
            activation="linear" if top and loss == "cross_entropy" else rng.choice(ACTIVATIONS), guard=guard,
            lead=QFormat(1, rng.randint(6, 12)), lag=lag, plastic=own, max_delay=(delay := rng.choice((0, 0, 2))),
            delay=rng.randint(0, delay)))
        operand = rate
    return Network(name="learner", dt=0.1, layers=tuple(layers), teacher=Teacher(
        loss=loss, beta=rng.choice((0, 2)), streams=rng.choice((1, 1, 2, 4)), seed=rng.randint(1, PERIOD)))


def random_predictor(rng: random.Random, delay: int, *, learns: bool = False) -> Predictor | None:
    """Any predictor for a message that is up to `delay` ticks late; learns: one that does, maybe."""
    kind, words = rng.choice((None, *KINDS)), rng.randint(1, 5)
    if kind is None:
        return None
    has_taps = kind in ("fir", "neural")
    spacing = rng.randint(1, 4) if has_taps or rng.random() < 0.5 else None
    learning = kind == "fir" and learns and rng.random() < 0.8
    oldest = ((words if has_taps else 3) - 1) * (spacing or delay) + delay
    return Predictor(kind=kind, history=oldest + rng.randint(0, 3), spacing=spacing, taps=words,
                     gain=QFormat(rng.randint(5, 8), rng.randint(2, 9)), quiet=rng.randint(4, 14),
                     rate=rng.randint(0, 6) if learning else None, hidden=rng.randint(1, 4),
                     shared=rng.random() < 0.5, scale=rng.randint(0, 2))


def with_delays(net: Network, seed: str) -> Network:
    """The network with messages and errors that are late, and predictors for some of them."""
    rng, layers = random.Random(seed), list(net.layers)
    for n, layer in enumerate(layers):
        if n:
            late = rng.choice((0, 1, 2, 5))
            least = rng.choice((0, 0, 1, 2)) if late > 1 else 0
            layer = replace(layer, max_delay=late, delay=rng.randint(least, late), least_delay=least, predictor=_suited(
                layer.operand, random_predictor(rng, late, learns=layer.plastic is not None) if late else None))
        if net.sends_errors(n):
            late = rng.choice((0, 1, 2, 5)) if not layer.least_delay else rng.choice((2, 5))
            layer = replace(layer, max_error_delay=late, error_delay=rng.randint(layer.least_delay, late),
                            error_predictor=_suited(layers[n - 1].plastic.error,
                                                    random_predictor(rng, late, learns=True) if late else None))
        layers[n] = layer
    return replace(net, layers=tuple(layers))


def undelayed(net: Network, p: Predictor | None = None) -> Network:
    """The network with delays of 0; with a predictor wherever one may be, in a circuit that could be late."""
    layers = []
    for n, layer in enumerate(net.layers):
        of, back = (p if n else None), (p if net.sends_errors(n) else None)
        if of and layer.plastic is None:
            of = replace(of, rate=None)
        layers.append(replace(layer, delay=0, error_delay=0, max_delay=3 if of else 0, predictor=of,
                              max_error_delay=3 if back else 0, error_predictor=back))
    return replace(net, layers=tuple(layers))


def _suited(fmt: QFormat, p: Predictor | None) -> Predictor | None:
    return None if p is None or fmt.width > 17 else replace(p, scale=min(p.scale, fmt.frac_bits))
