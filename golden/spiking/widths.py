"""Word lengths for one trained spiking network: the format of its membranes, from what they reach on some samples.

Integer bits hold what was seen and MARGIN more. Fraction bits are FRACTION, and more where integers then lose more than
a bound; thresholds are rounded to them, so that a finer membrane has a finer threshold, too.
"""

import math
from dataclasses import replace

import numpy as np

from golden.checks import check
from golden.data.dataset import Samples
from golden.fixed import QFormat
from golden.spiking.codes import LatencyCode
from golden.spiking.engine import arrivals, encode, neuron_step, rest, run
from golden.spiking.layer import SpikingLayer
from golden.spiking.trained import SpikingTrained
from golden.widths import POINTS, Report

MARGIN, FRACTION, MOST, MOST_KICK = 1.25, 6, 24, (1 << 17) - 1
#: samples that formats are chosen on, at most
SAMPLES = 500


def choose(trained: SpikingTrained, samples: Samples, answer_from: int = 0, *, bits: int | None = None,
           points: float = POINTS) -> tuple[SpikingTrained, Report]:
    """The network with membranes of formats of its own, and what they cost; `bits`, membranes so long.

    samples: SAMPLES of them are looked at; y may be None. Membranes of MOST bits stand for real numbers. ValueError,
    one line with layer and value, where `bits` do not hold what membranes reach.
    """
    check((samples.lengths is None) == isinstance(trained.net.code, LatencyCode),
          f"{trained.net.name}: samples must be what its code takes: images or sequences")
    check(bits is None or 4 <= bits <= MOST, f"membranes have 4 to {MOST} bits, not {bits}")
    samples = _some(samples)
    layers = trained.net.layers
    fraction = [max(FRACTION, 0 if layer.regenerates else layer.weight.frac_bits) for layer in layers]
    roomy = _with(trained, [MOST] * len(layers), [MOST - 1 - n for n in fraction])
    peaks = [max(peak, layer.threshold * layer.state.lsb)
             for peak, layer in zip(_reached(roomy, samples)[0], layers, strict=True)]
    whole = [max(0, math.ceil(math.log2(peak * MARGIN))) for peak in peaks]
    finest = _with(trained, [MOST] * len(whole), whole)
    real = _labels(finest, samples)
    widths = [bits or 1 + n + k for n, k in zip(whole, fraction, strict=True)]
    for n, (layer, width, most, peak) in enumerate(zip(layers, widths, whole, peaks, strict=True)):
        least = 1 + most + (0 if layer.regenerates else layer.weight.frac_bits)
        check(width >= least, f"{trained.net.name}: layer {n}: a membrane of {peak:g} takes {least} bits, not {width}")
    found = _with(trained, widths, whole)
    while bits is None and _loss(found, samples, real) > points and max(widths) < MOST:
        widths = [min(MOST, width + 2) for width in widths]
        found = _with(trained, widths, whole)
    return found, _measure(found, samples, real)


def _labels(trained: SpikingTrained, samples: Samples) -> np.ndarray:
    """What the integers answer."""
    spikes = trained.inputs_of(samples.x, trained.net, samples.lengths)
    return run(trained.net, trained.quantize(), spikes).answers.label


def _measure(trained: SpikingTrained, samples: Samples, real) -> Report:
    """What the formats of a network cost, layer by layer; `real`, labels by real numbers."""
    net = trained.net
    peaks, ends, spikes = _reached(trained, samples)
    finest = _with(trained, [MOST] * len(net.layers), [layer.state.int_bits for layer in net.layers])
    changed = [float((a != b).sum() / max(b.sum(), 1))
               for a, b in zip(spikes, _reached(finest, samples)[2], strict=True)]
    rows = ({"layer": n, "weight": "seed" if layer.regenerates else str(layer.weight), "state": str(layer.state),
             "threshold": layer.threshold * layer.state.lsb, "largest state": peaks[n], "saturated": ends[n],
             "error": changed[n]} for n, layer in enumerate(net.layers))
    loss, what = _points(_labels(trained, samples), samples, real)
    return Report(tuple(rows), loss, what, len(samples.x))


def _some(samples: Samples) -> Samples:
    chosen = np.sort(np.random.default_rng(0).permutation(len(samples.x))[:SAMPLES])
    return Samples(*(None if part is None else part[chosen] for part in samples))


def _with(trained: SpikingTrained, widths: list, whole: list) -> SpikingTrained:
    """The network with membranes of these bits, of which so many stand before the point."""
    layers = (_rescaled(layer, QFormat(before, min(width - 1 - before, _finest(layer))))
              for layer, width, before in zip(trained.net.layers, widths, whole, strict=True))
    return replace(trained, net=replace(trained.net, layers=tuple(layers)))


def _finest(layer: SpikingLayer) -> int:
    """Fraction bits that a membrane may have: a kick is a word, too."""
    return MOST if layer.kick is None else layer.state.frac_bits + ((MOST_KICK // layer.kick.word).bit_length() - 1)


def _rescaled(layer: SpikingLayer, state: QFormat) -> SpikingLayer:
    """A layer with another format of the membrane; what stands in its words is rounded to it."""
    theta = layer.threshold * layer.state.lsb
    kick = layer.kick and replace(layer.kick, word=max(1, round(layer.kick.word * layer.state.lsb / state.lsb)))
    return replace(layer, state=state, threshold=max(1, round(theta / state.lsb)), kick=kick)


def _reached(trained: SpikingTrained, samples: Samples) -> tuple[list, list, list]:
    """By layer: the largest membrane, the share of membranes at the end of their format, spikes."""
    net, peaks, ends, all_spikes = trained.net, [], [], []
    spikes = encode(net.code, net.ticks, samples.x, samples.lengths)
    for layer, synapses in zip(net.layers, trained.quantize(), strict=True):
        came, state, fired, most, full = arrivals(layer, synapses, spikes), rest(layer, len(spikes)), [], 0, 0
        for tick in range(net.ticks):
            state, now, x = neuron_step(state, came[:, tick], layer)
            most = max(most, int(abs(x).max(initial=0)))
            full += int(((x == layer.state.max) | (x == layer.state.min)).sum())
            fired.append(now)
        spikes = np.stack(fired, 1)
        peaks.append(most * layer.state.lsb)
        ends.append(full / spikes.size)
        all_spikes.append(spikes)
    return peaks, ends, all_spikes


def _loss(trained: SpikingTrained, samples: Samples, real) -> float:
    return _points(_labels(trained, samples), samples, real)[0]


def _points(labels, samples: Samples, real) -> tuple[float, str]:
    """Points that labels in integers lose against those in real numbers, and how they are counted."""
    if samples.y is None:
        return float(100 * (labels != real).mean()), "answers that differ from those in real numbers"
    right = [float((each == samples.y).mean()) for each in (real, labels)]
    return 100 * (right[0] - right[1]), f"accuracy {right[1]:.2%}, in real numbers {right[0]:.2%}"
