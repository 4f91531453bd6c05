"""Liquid-time-constant networks for tests, all from a seed; and their definition in plain integers."""

import random
from fractions import Fraction
from math import exp, floor

import numpy as np

from golden.fixed import QFormat
from golden.ltc.layer import LtcLayer, Readout
from golden.ltc.network import LtcNetwork
from golden.ltc.step import LtcParams, ReadoutParams
from golden.ltc.trained import LtcTrained, RealLayer, RealReadout


def nearest(value: Fraction) -> int:
    """To the nearest integer, ties up."""
    return floor(value + Fraction(1, 2))


def clipped(value: int, fmt: QFormat) -> int:
    top = 2 ** (fmt.int_bits + fmt.frac_bits)
    return max(-top, min(top - 1, value))


def scaled(value, source: int, fmt: QFormat) -> int:
    """An integer of `source` fraction bits as a word of `fmt`."""
    return clipped(nearest(Fraction(value, 2 ** source) * 2 ** fmt.frac_bits), fmt)


def sigmoid(word: int, fmt: QFormat, gate: QFormat) -> int:
    """The chord of 1 / (1 + exp(-v)) between edges of segments of [-2**m, 2**m), edges rounded; 0 or 1 outside."""
    m = min(4, fmt.int_bits)
    segments = 2 ** min(10, m + 1 + fmt.frac_bits)
    wide = Fraction(2 ** (m + 1), segments)
    value = Fraction(word, 2 ** fmt.frac_bits)
    if not -2 ** m <= value < 2 ** m:
        return clipped(2 ** gate.frac_bits if value > 0 else 0, gate)
    index = floor((value + 2 ** m) / wide)
    edges = [nearest(Fraction(1 / (1 + exp(-float(wide * k - 2 ** m))) * 2 ** gate.frac_bits))
             for k in (index, index + 1)]
    share = (value + 2 ** m) / wide - index
    return clipped(edges[0] + nearest((edges[1] - edges[0]) * share), gate)


def toward(x: int, i: int, share: int, layer) -> int:
    return clipped(x + nearest(Fraction(share * (i - x), 2 ** layer.gate.frac_bits)), layer.state)


def gate(old, x, row, layer) -> int:
    """One gate of one neuron; old, x lists of words."""
    factors = [*old, *x, 2 ** layer.state.frac_bits]
    total = sum(int(w) * f for w, f in zip(row, factors, strict=True))
    word = scaled(total, layer.weight.frac_bits + layer.state.frac_bits, layer.gate_sum)
    return sigmoid(word, layer.gate_sum, layer.gate)


def neurons(state, i, p, layer):
    """One tick of a layer for one sample: state (u, b, s) lists -> the next one, with x, gates and thresholds."""
    u, b, s = state
    one, sums = 2 ** layer.state.frac_bits, []
    for j in range(layer.outputs):
        total = Fraction(int(p.bias[j]) + sum(int(w) * k for w, k in zip(p.recurrent[j], s, strict=True)),
                         2 ** layer.spike_weight.frac_bits)
        unit = layer.input_weight.frac_bits + layer.operand.frac_bits if layer.dense else layer.spike_weight.frac_bits
        total += Fraction(sum(int(w) * int(k) for w, k in zip(p.weight[j], i, strict=True)), 2 ** unit)
        sums.append(clipped(nearest(total * one), layer.state))
    alpha = [gate(u, sums, row, layer) for row in p.alpha]
    r, theta = None, [layer.threshold] * layer.outputs
    if layer.adaptive:
        r = [gate(b, sums, row, layer) for row in p.rho]
        b = [toward(b[j], s[j] * one, r[j], layer) for j in range(layer.outputs)]
        theta = [layer.threshold + nearest(Fraction(115 * each, 64)) for each in b]
    ut = [toward(u[j], sums[j], alpha[j], layer) for j in range(layer.outputs)]
    s = [int(a > t) for a, t in zip(ut, theta, strict=True)]
    return ([0 if k else a for a, k in zip(ut, s, strict=True)], b, s), sums, alpha, r, theta, ut


def outputs(y, s, p, layer):
    """One tick of the readout for one sample."""
    z = [scaled(int(p.bias[j]) + sum(int(w) * k for w, k in zip(p.weight[j], s, strict=True)),
                layer.spike_weight.frac_bits, layer.state) for j in range(layer.outputs)]
    return [toward(y[j], z[j], gate(y, z, p.gate[j], layer), layer) for j in range(layer.outputs)]


def random_formats(rng: random.Random) -> dict:
    state = QFormat(rng.randint(1, 4), rng.randint(3, 12))
    weight = QFormat(rng.randint(-1, 3), rng.randint(3, 8))
    frac = rng.randint(0, min(9, weight.frac_bits + state.frac_bits))
    return {"state": state, "weight": weight, "gate": QFormat(0, rng.randint(2, 10)),
            "gate_sum": QFormat(rng.randint(1, 5), frac),
            "spike_weight": QFormat(rng.randint(-1, 3), rng.randint(2, 14))}


def random_layer(seed: str, *, largest: int = 12, inputs: int | None = None, dense: bool | None = None) -> LtcLayer:
    """Any formats, sizes and lanes; real inputs or spikes, a threshold that moves or not."""
    rng = random.Random(seed)
    size, adaptive = rng.randint(1, largest), rng.random() < 0.75
    formats, more = random_formats(rng), {}
    if rng.random() < 0.5 if dense is None else dense:
        more = {"operand": QFormat(rng.randint(0, 3), rng.randint(3, 9)),
                "input_weight": QFormat(rng.randint(-1, 3), rng.randint(3, 9))}
    chains = 1 + adaptive
    one = 1 << formats["state"].frac_bits
    most = formats["state"].max - (115 * one + 32 >> 6 if adaptive else 0)
    return LtcLayer(inputs=inputs or rng.randint(1, largest), outputs=size, adaptive=adaptive,
                    threshold=rng.choice((0, rng.randint(0, one >> 4), rng.randint(0, one >> 4), rng.randint(0, most))),
                    lanes=chains * rng.randint(1, size),
                    **formats, **more)


def random_readout(seed: str, inputs: int, *, largest: int = 5) -> Readout:
    rng = random.Random(seed)
    size, formats = rng.randint(1, largest), random_formats(rng)
    return Readout(inputs=inputs, outputs=size, lanes=rng.randint(1, size), **formats)


def random_params(layer, rng: np.random.Generator, *, share: float = 0.2):
    """Words of a layer: small ones, so that gates and membranes move, with ends of the formats among them."""
    found = {}
    for name, (shape, fmt) in layer.shapes().items():
        words = np.clip(rng.normal(0, fmt.max / 4, shape), fmt.min, fmt.max).astype(np.int64)
        ends = rng.choice([fmt.min, fmt.max, 0, 1, -1], shape)
        found[name] = np.where(rng.random(shape) < share, ends, words)
    return (ReadoutParams if isinstance(layer, Readout) else LtcParams)(**found)


def random_network(seed: str, *, largest: int = 10, layers: int = 3) -> LtcNetwork:
    """1 to `layers` layers of any formats and lanes, and a readout."""
    rng = random.Random(seed)
    found, inputs = [], None
    for n in range(rng.randint(1, layers)):
        found.append(random_layer(f"{seed} {n}", largest=largest, inputs=inputs, dense=n == 0))
        inputs = found[-1].outputs
    return LtcNetwork(name="random", layers=(*found, random_readout(f"{seed} readout", inputs)),
                      halves=rng.randint(1, 2))


def random_input(net: LtcNetwork, rng: np.random.Generator, count: int, ticks: int) -> np.ndarray:
    """Words (count, ticks, inputs), the ends of their format among them."""
    fmt = net.layers[0].operand
    x = rng.integers(fmt.min, fmt.max + 1, (count, ticks, net.inputs))
    return np.where(rng.random(x.shape) < 0.1, rng.choice([fmt.min, fmt.max, 0, 1, -1], x.shape), x)


def defined(net: LtcNetwork, params, x) -> list[list[int]]:
    """The outputs of one sequence (ticks, inputs), in plain integers."""
    states = [([0] * layer.outputs, [0] * layer.outputs, [0] * layer.outputs) for layer in net.hidden]
    y, found = [0] * net.outputs, []
    for word in x.tolist():
        for n, layer in enumerate(net.hidden):
            states[n] = neurons(states[n], word, params[n], layer)[0]
            word = states[n][2]
        y = outputs(y, word, params[-1], net.readout)
        found.append(y)
    return found


def random_trained(seed: int, sizes=(3, 8, 6, 2), *, adaptive: bool = True, scale: float = 1.0, **more) -> LtcTrained:
    """Real weights of about the size that training leaves, for inputs of deviation 1."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.normal(0, scale / np.sqrt(shape[-1]) if len(shape) > 1 else 0.1, shape).astype(np.float32)
    layers = []
    for n, (inputs, size) in enumerate(zip(sizes[:-2], sizes[1:-1], strict=True)):
        rho = {"Wa": normal(size, 2 * size), "ba": normal(size)} if adaptive else {}
        layers.append(RealLayer(Wx=(1 + (n > 0)) * normal(size, inputs), Wr=normal(size, size), bx=normal(size) + 0.2,
                                Wm=normal(size, 2 * size), bm=normal(size), **rho))
    top, outputs = sizes[-2:]
    readout = RealReadout(Wo=normal(outputs, top), bo=normal(outputs), Wg=normal(outputs, 2 * outputs),
                          bg=normal(outputs))
    return LtcTrained(name="real", layers=tuple(layers), readout=readout, training={"seed": seed}, **more)
