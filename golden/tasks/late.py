"""Fourier synthesis with late messages: what delays cost, and what predictors save ([PM] arXiv 2407.05494).

An LE network 10-30-1 learns a sawtooth of 20 Hz from sines of 10 to 100 Hz. Rates of the hidden
layer and the errors that come back to it take `delay` ticks of 0.05 ms more; the input does not. Descriptions, starting
points and words for golden and circuit alike; the same in float is golden.train.pm. Neural predictors are trained in
float (golden.train.pm_neural) and come here as lists; `quantized` makes words of them.
"""

import math

import numpy as np

from golden.fixed import MULTIPLIER_BITS, QFormat, quantize
from golden.rate.compiled import CompiledLearner
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from golden.tasks.learning import Stream
from golden.train import pm
from golden.units.dense import DenseParams
from golden.units.extrapolator import Predictor, identity

DT, TAU, MS = 0.05, 10.0, 1200.0                            # ms
TEACH = 2 / 3                                               # of the run; then the network is on its own
DELAYS = (0, 5, 10, 20, 40, 100)                            # ticks: 0, 0.25, 0.5, 1, 2, 5 ms
PREDICTORS = ("none", "linear", "second_order", "nlms", "neural")
MAX_DELAY = 255
RATE, ERROR = QFormat(1, 12), QFormat(2, 14)
#: chosen with seeds 98 and 99, of which no figure is reported: 16 words over 48 ms, and slow steps. Second order with
#: a baseline of the delay diverges below 2 ms
NLMS_TAPS, NLMS_SPACING, NLMS_RATE, NLMS_ERROR_RATE, NLMS_QUIET = 16, 64, 6, 7, 16
SECOND_ORDER_BASELINE = 56
MAX_SCALE = 16


def predictor(kind: str, delay: int, *, errors: bool = False) -> Predictor | None:
    """The predictor of a message, by a name of PREDICTORS, for delays of up to `delay` ticks."""
    if kind not in PREDICTORS:
        raise ValueError(f"no predictor {kind!r}: there is {', '.join(PREDICTORS)}")
    if kind == "none" or not delay:
        return None
    if kind == "linear":
        return Predictor(kind="linear", history=delay)
    if kind == "second_order":
        return Predictor(kind="second_order", spacing=SECOND_ORDER_BASELINE, history=2 * SECOND_ORDER_BASELINE,
                         gain=QFormat(4, 13))
    if kind == "nlms":
        return Predictor(kind="fir", taps=NLMS_TAPS, spacing=NLMS_SPACING, quiet=NLMS_QUIET,
                         rate=NLMS_ERROR_RATE if errors else NLMS_RATE,
                         history=delay + (NLMS_TAPS - 1) * NLMS_SPACING)
    raise ValueError("a neural predictor has to be trained first: golden.train.pm_neural")


def quantized(net, fmt: QFormat, spacing: int) -> tuple[Predictor, np.ndarray]:
    """A trained predictor of messages in `fmt`: its description, and its words (1, coefficients).

    net: w1 (hidden, inputs), b1 (hidden,), w2 (hidden,), b2 () of golden.train.pm.Neural; its inputs are differences of
    words `spacing` ticks apart, so W has one column more. Words of W are differences of the words of w1: its rows sum
    to exactly zero, and a message that stands still is predicted alike wherever it does. ValueError where a part is not
    finite, or larger than any gain holds.

    gain and scale: powers of two that go from W to V and c, so that all of them take the fewest integer bits.
    """
    w1, b1, w2, b2 = (np.asarray(part, float) for part in net)
    if not all(np.isfinite(part).all() for part in (w1, b1, w2, b2)):
        raise ValueError("a trained predictor has weights that are not finite")

    def int_bits(scale):
        differences = np.diff(w1, axis=1, prepend=0, append=0)
        most = max(abs(differences).max() / 2 ** scale, abs(b1).max(), max(abs(w2).max(), abs(b2)) * 2 ** scale)
        return max(1, math.ceil(math.log2(max(most, 1) * 1.001)))       # with room for rounding

    scale = min(range(min(fmt.frac_bits, MAX_SCALE) + 1), key=int_bits)
    whole = int_bits(scale)
    if whole > MULTIPLIER_BITS - 2:
        raise ValueError(f"a trained predictor has weights that take {whole} integer bits, a gain has "
                         f"{MULTIPLIER_BITS - 2} at most")
    gain = QFormat(whole, MULTIPLIER_BITS - 1 - whole)
    # a row of w1 that rises and falls again, 15 inputs: 8 times as large as its differences
    first = quantize(w1 / 2 ** scale, QFormat(whole + 3, gain.frac_bits))
    first = np.column_stack((quantize(b1, gain), np.diff(first, axis=1, prepend=0, append=0)))
    words = np.concatenate((first.ravel(), quantize(np.append(b2, w2) * 2 ** scale, gain)))
    hidden, inputs = w1.shape
    return Predictor(kind="neural", taps=inputs + 1, hidden=hidden, spacing=spacing, history=inputs * spacing,
                     gain=gain, scale=scale), words[None]


def neural(delay: int, trained) -> tuple[tuple[Predictor, Predictor] | None, dict]:
    """Predictors of rates and of errors, and their words by name.

    trained: two nets for this delay, as golden.train.pm_neural.to_lists has them.
    """
    if not delay:
        return None, {}
    if trained is None:
        predictor("neural", delay)
    spacing = pm.settings("neural", delay)["spacing"]
    (rates, taps), (errors, error_taps) = (quantized(net, fmt, spacing)
                                           for net, fmt in zip(trained, (RATE, ERROR), strict=True))
    return (rates, errors), {"taps": taps, "error_taps": error_taps}


def late_fourier(delay: int, kind: str = "none", *, max_delay: int | None = None, inputs: int = 10,
                 least: int = 0, predictors: tuple | None = None) -> Network:
    """The network with `delay` ticks on messages and errors; max_delay: what the circuit holds, `delay` by default.

    predictors: those of messages and errors, instead of `kind`; inputs: sines of 10 Hz to 10 Hz times as many; least:
    ticks of the delay that the circuit relies on (Dense.least_delay).
    """
    if not isinstance(delay, int) or isinstance(delay, bool) or not 0 <= delay <= MAX_DELAY:
        raise ValueError(f"a delay is 0 to {MAX_DELAY} ticks, not {delay!r}")
    most = delay if max_delay is None else max_delay
    messages, errors = predictors or (predictor(kind, most), predictor(kind, most, errors=True))

    def layer(inputs, outputs, activation, rate, lanes, **late):
        own = Plastic(error=ERROR, slope=QFormat(1, 12), rate=10, gamma=3)
        return Dense(inputs=inputs, outputs=outputs, activation=activation, operand=RATE, weight=QFormat(3, 14),
                     state=QFormat(3, 12), lead=QFormat(1, 14), lag=QFormat(0, 17), rate=rate, guard=4, lanes=lanes,
                     plastic=own, **late)
    top = layer(30, 1, "linear", QFormat(2, 12), 1, delay=delay, max_delay=most, predictor=messages,
                error_delay=delay, max_error_delay=most, error_predictor=errors, least_delay=least)
    return Network(name="late-fourier", dt=DT, layers=(layer(inputs, 30, "tanh", RATE, 10, ), top),
                   teacher=Teacher(loss="squared_error"))


def start(net: Network, seed: int, **taps) -> tuple[DenseParams, ...]:
    """Weights and biases N(0, 0.05), tau_m = tau_r; taps that learn start from the newest word."""
    rng, found = np.random.default_rng(seed), []
    for layer in net.layers:
        lag = np.full(layer.outputs, DT / TAU)
        both = {"taps": layer.predictor, "error_taps": layer.error_predictor}
        found.append(DenseParams(
            weight=quantize(rng.normal(0, 0.05, layer.shape("weight")), layer.weight),
            bias=quantize(rng.normal(0, 0.05, layer.outputs), layer.weight),
            lead=quantize(np.ones(layer.outputs), layer.lead), lag=quantize(lag, layer.lag),
            **{name: taps[name] if name in taps else identity(both[name], layer.inputs) for name in layer.taps}))
    return tuple(found)


def stream(net: Network, ms: float = MS) -> Stream:
    """Sines of 10 Hz and its multiples, and a sawtooth of 20 Hz in [-1, 1); the teacher leaves after TEACH of the run.

    Weights may move to the end, which they do not where there is no error; taps do.
    """
    ticks = round(ms / DT)
    t = np.arange(ticks) * DT * 1e-3
    x = np.sin(2 * np.pi * np.outer(t, 10 * np.arange(1, net.inputs + 1)))
    y = 2 * ((t * 20) % 1) - 1
    return Stream(x=quantize(x, net.layers[0].operand)[:, None], teach=(np.arange(ticks) < TEACH * ticks)[:, None],
                  target=quantize(y, net.layers[-1].rate)[:, None, None])


def error(net: Network, words: Stream, rates) -> float:
    """Mean squared error of the ticks without a teacher; rates (ticks, 1, 1) words."""
    alone = ~np.broadcast_to(words.teach, words.x.shape[:2])[:, 0]
    difference = (np.asarray(rates)[alone, 0, 0] - words.target[alone, 0, 0]) * net.layers[-1].rate.lsb
    return float((difference ** 2).mean())


def late_fourier_mse(delay: int, kind: str, seed: int, *, ms: float = MS, trained=None) -> dict:
    """A run in integers: mse, and whether a prediction of a message or of an error was not sent.

    trained: what `neural` takes, for that kind.
    """
    predictors, taps = neural(delay, trained) if kind == "neural" else (None, {})
    net = late_fourier(delay, kind, predictors=predictors)
    words = stream(net, ms)
    learner = CompiledLearner(net, start(net, seed, **taps))
    rates = learner.run(words.x, words.target, first=True, teach=words.teach)
    return {"mse": error(net, words, rates), "lost": list(learner.lost[-1])}
