"""Word lengths for one trained network: formats a layer, from what its values reach on calibration data.

The networks of the zoo share one set of formats (golden.rate.trained.Widths), so that a bitstream serves every training
of a shape. Here integer bits hold what was seen and MARGIN more, and the words are of usual lengths; where integers
then lose more than a bound against the real numbers, the layers that cost most get the longest words that there are.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from golden.checks import check
from golden.data.dataset import Samples
from golden.fixed import QFormat
from golden.rate import engine
from golden.rate.plastic import MULTIPLIER_BITS
from golden.rate.trained import FloatLayer, FloatNetwork, Formats, describe, quantize_input, quantize_params
from golden.widths import POINTS, Calibration, Report, calibration, holding, lost, widened

#: states and rates may go so far beyond what was seen
MARGIN = 1.25
#: bits of words: as a rule, and at most. A difference of states has a bit more, and an operand below 1 holds the 1 of
#: the bias, too
USUAL = {"input": 16, "weight": 14, "state": 16, "rate": 14, "bounded": 10}
MOST = {"input": MULTIPLIER_BITS - 1, "weight": MULTIPLIER_BITS, "state": MULTIPLIER_BITS - 1,
        "rate": MULTIPLIER_BITS - 1, "bounded": MULTIPLIER_BITS - 1}
BOUNDED = ("tanh", "sigmoid", "hard_sigmoid")
#: half a unit of the state over the least lag is how far it stops short of its input: so many units are allowed
SHORT = 4

_PHI = {"linear": lambda u: u, "tanh": np.tanh, "sigmoid": lambda u: 0.5 + 0.5 * np.tanh(u / 2),
        "softplus": lambda u: np.logaddexp(u, 0), "hard_sigmoid": lambda u: np.clip(u, 0, 1),
        "relu": lambda u: np.maximum(u, 0)}


def choose(real: FloatNetwork, samples: Samples, answer_from: int = 0, *, bits: int | None = None,
           points: float = POINTS) -> tuple[FloatNetwork, Report]:
    """The network with formats of its own, and what they cost; `bits`, all words so long, and nothing is widened.

    samples: sequences, of which SEQUENCES are looked at; y may be None. ValueError, one line with layer and value, for
    what no word holds. Whether the loss is within `points` at last is Report.check's to say.
    """
    data = calibration(real, samples, real.layers[0].weight.shape[1], answer_from)
    check(bits is None or 4 <= bits <= MULTIPLIER_BITS, f"words have 4 to {MULTIPLIER_BITS} bits, not {bits}")
    seen, real_answers = _ranges(real, data), _answers(real, data)
    found = widened(lambda wide: _fitted(real, seen, wide, bits), lambda each: _loss(each, data, real_answers),
                    0 if bits else len(real.layers), points)
    return found, _measure(found, data, real_answers)


# ---- real numbers

def _steps(real: FloatNetwork, x):
    """Tick by tick, for every layer: summed input, prospective membrane, rate (n, outputs)."""
    u = [np.zeros((len(x), len(layer.bias))) for layer in real.layers]
    r = [np.zeros_like(each) for each in u]
    for now in np.moveaxis(x, 1, 0):
        into, found = [now, *r[:-1]], []
        for n, layer in enumerate(real.layers):
            s = into[n] @ layer.weight.T + layer.bias
            d = s - u[n]
            ahead = u[n] + layer.tau_r / layer.tau_m * d
            u[n] = u[n] + real.dt / layer.tau_m * d
            r[n] = _PHI[layer.activation](ahead)
            found.append((s, ahead, r[n]))
        yield found


class _Seen(NamedTuple):
    """Largest magnitudes: of inputs; of states and rates, (layers, 2)."""

    input: float
    layers: np.ndarray


def _ranges(real: FloatNetwork, data: Calibration) -> _Seen:
    """What values reach; behind their ends sequences do not count."""
    seen = np.zeros((len(real.layers), 2))
    inside = np.arange(data.x.shape[1]) < data.lengths[:, None]
    for tick, layers in enumerate(_steps(real, data.x)):
        live = tick < data.lengths
        for n, (s, ahead, rate) in enumerate(layers):
            for k, value in enumerate((np.maximum(abs(s), abs(ahead))[live], abs(rate)[live])):
                seen[n, k] = max(seen[n, k], value.max(initial=0))
    return _Seen(abs(data.x[inside]).max(), seen)


def _answers(real: FloatNetwork, data: Calibration) -> np.ndarray:
    """Mean outputs over the ticks that count, (n, outputs)."""
    return _mean((layers[-1][2] for layers in _steps(real, data.x)), data)


def _mean(outputs, data: Calibration) -> np.ndarray:
    total = 0
    for tick, rate in enumerate(outputs):
        if tick >= data.answer_from:
            total = total + rate * (tick < data.lengths)[:, None]
    return total / (data.lengths - data.answer_from)[:, None]


# ---- formats

def _fitted(real: FloatNetwork, seen: _Seen, wide: set, bits: int | None) -> FloatNetwork:
    """The network with formats for the values seen; the layers in `wide` with the longest words."""
    def width(n, name):
        return min(bits, MOST[name]) if bits else (MOST if n in wide else USUAL)[name]
    formats = []
    operand = holding(f"{real.name}: an input of {seen.input:g}", seen.input * MARGIN, width(0, "input"))
    for n, (layer, (state, rate)) in enumerate(zip(real.layers, seen.layers, strict=True)):
        largest = max(abs(layer.weight).max(), abs(layer.bias).max())
        weight = holding(f"{real.name}: layer {n}: {_where(layer)}", largest, width(n, "weight"))
        form = holding(f"{real.name}: layer {n}: a state of {state:g}", state * MARGIN, width(n, "state"))
        form = replace(form, frac_bits=min(form.frac_bits, weight.frac_bits + operand.frac_bits))
        check(form.frac_bits > 0, f"{real.name}: layer {n}: a state of {state:g} leaves no fraction bit in "
                                  f"{width(n, 'state')} bits")
        bounded = layer.activation in BOUNDED
        out = holding(f"{real.name}: layer {n}: a rate of {rate:g}", min(rate, 0.99) if bounded else rate * MARGIN,
                      width(n, "bounded" if bounded else "rate"))
        out = replace(out, frac_bits=min(out.frac_bits, form.frac_bits + 4))
        lag, guard = _lag(real, layer, n)
        lead = holding(f"{real.name}: layer {n}: tau_r / tau_m of {(layer.tau_r / layer.tau_m).max():g}",
                       (layer.tau_r / layer.tau_m).max(), MULTIPLIER_BITS if n in wide else 12)
        formats.append(Formats(operand, weight, form, lead, lag, out, guard))
        operand = out
    return replace(real, formats=tuple(formats))


def _where(layer: FloatLayer) -> str:
    """The largest weight or bias, with its place."""
    name = "weight" if abs(layer.weight).max() >= abs(layer.bias).max() else "bias"
    value = getattr(layer, name)
    at = np.unravel_index(abs(value).argmax(), value.shape)
    return f"{name}{[int(k) for k in at]} of {value[at]:g}"


def _lag(real: FloatNetwork, layer: FloatLayer, n: int) -> tuple[QFormat, int]:
    """Format of dt / tau_m, in which the least has six bits, and guard bits, so that slow membranes arrive."""
    least = (real.dt / layer.tau_m).min()
    fraction = max(10, math.ceil(-math.log2(least)) + 6)
    check(fraction <= MULTIPLIER_BITS - 2, f"{real.name}: layer {n}: tau_m of {layer.tau_m.max():g} is too slow for a "
                                           f"word of {MULTIPLIER_BITS} bits: {least:g} of it in a tick")
    guard = max(0, math.ceil(math.log2(0.5 / least / SHORT)))
    return QFormat(1, fraction), min(guard, 8)


# ---- integers

def _loss(real: FloatNetwork, data: Calibration, answers) -> float:
    """Points by which words are too short: of answers that change, which are more than those of accuracy lost."""
    net = describe(real)
    outputs = engine.run(net, quantize_params(real, net), quantize_input(data.x, net))
    found = _mean(np.moveaxis(outputs, 1, 0), data) * net.layers[-1].rate.lsb
    classes = data.y is None or data.y.dtype.kind in "iu"
    return lost(found, answers, None if classes else data.y)[0]


def _measure(real: FloatNetwork, data: Calibration, answers) -> Report:
    """What the formats of a network cost, layer by layer: real numbers and integers side by side."""
    net = describe(real)
    params, words = quantize_params(real, net), quantize_input(data.x, net)
    seen, state, outputs = _ranges(real, data).layers, engine.reset(net, len(words)), []
    error, square, ends, count = (np.zeros(len(net.layers)) for _ in range(4))
    for tick, layers in enumerate(_steps(real, data.x)):
        state, outs = engine.network_step(state, words[:, tick], params, net)
        outputs.append(outs[-1].rate)
        live = tick < data.lengths
        for n, (layer, out, (_, _, rate)) in enumerate(zip(net.layers, outs, layers, strict=True)):
            error[n] += ((out.rate * layer.rate.lsb - rate)[live] ** 2).sum()
            square[n] += (rate[live] ** 2).sum()
            ends[n] += ((out.ubar == layer.state.max) | (out.ubar == layer.state.min))[live].sum()
            count[n] += live.sum() * layer.outputs
    loss, what = lost(_mean(outputs, data) * net.layers[-1].rate.lsb, answers, data.y)
    rows = ({"layer": n, "weight": str(layer.weight), "state": str(layer.state), "rate": str(layer.rate),
             "largest weight": float(max(abs(own.weight).max(), abs(own.bias).max())),
             "largest state": float(seen[n, 0]), "largest rate": float(seen[n, 1]),
             "saturated": float(ends[n] / count[n]), "error": float(np.sqrt(error[n] / max(square[n], 1e-30)))}
            for n, (own, layer) in enumerate(zip(real.layers, net.layers, strict=True)))
    return Report(tuple(rows), float(loss), what, len(data.x))
