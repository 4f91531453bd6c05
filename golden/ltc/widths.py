"""Word lengths for one trained liquid-time-constant network, from what its values reach on calibration data.

Weights hold the largest of their layer and sums what was seen and MARGIN more, in words of usual lengths. Where
integers then lose more than a bound against the real numbers, the layers that cost most get longer ones. Spikes that
differ change answers either way, right to wrong and wrong to right: what so many changes make by chance does not count.
"""

from dataclasses import replace

import numpy as np

from golden.checks import check
from golden.data.dataset import Samples
from golden.fixed import QFormat
from golden.ltc import engine
from golden.ltc.layer import ADAPT, ADAPT_SHIFT
from golden.ltc.trained import LtcTrained, usual
from golden.widths import POINTS, SEQUENCES, Calibration, Report, calibration, holding, lost, widened

#: sums and states may go so far beyond what was seen
MARGIN = 1.25
#: bits of words: as a rule, and of the layers that cost most
USUAL = {"weight": 8, "state": 16, "gate": 9, "operand": 12}
MOST = {"weight": 12, "state": 17, "gate": 12, "operand": 16}
SHORTEST, LONGEST = 4, 17
#: sequences that are looked at, at most, and ticks of all of them, but SEQUENCES in any case
MOST_SEQUENCES, TICKS = 2000, 60_000


def choose(real: LtcTrained, samples: Samples, answer_from: int = 0, *, bits: int | None = None,
           points: float = POINTS) -> tuple[LtcTrained, Report]:
    """The network with formats of its own, and what they cost; `bits`, all words so long, and nothing is widened.

    samples: sequences; y may be None. ValueError, one line with layer and value, for what no word holds. Whether the
    loss is within `points` at last is Report.check's to say.
    """
    check(bits is None or SHORTEST <= bits <= LONGEST, f"words have {SHORTEST} to {LONGEST} bits, not {bits}")
    most = max(SEQUENCES, min(MOST_SEQUENCES, TICKS // max(1, np.shape(samples.x)[1])))
    data = calibration(real, samples, real.layers[0].sizes[0], answer_from, most)
    seen, answers = _ranges(real, data), _answers(real, data)
    found = widened(lambda wide: _fitted(real, seen, wide, bits), lambda each: _certain_loss(each, data, answers),
                    0 if bits else len(real.layers) + 1, points)
    return found, _measure(found, data, answers)


# ---- real numbers

def sigmoid(x):
    """1 / (1 + exp(-x)), which no x overflows."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def steps(real: LtcTrained, x):
    """Tick by tick: for each layer (x, u before its reset, s), of the readout (z, y), all (n, neurons)."""
    rest = [np.zeros((len(x), layer.sizes[1])) for layer in real.layers]
    u, b, s = list(rest), list(rest), list(rest)
    y, readout = np.zeros((len(x), real.readout.sizes[1])), real.readout
    for line in np.moveaxis(x, 1, 0):
        found = []
        for n, layer in enumerate(real.layers):
            total = line @ layer.Wx.T + s[n] @ layer.Wr.T + layer.bx
            alpha, theta = sigmoid(np.concatenate([u[n], total], 1) @ layer.Wm.T + layer.bm), layer.b0
            if layer.adaptive:
                rho = sigmoid(np.concatenate([b[n], total], 1) @ layer.Wa.T + layer.ba)
                b[n] = rho * b[n] + (1 - rho) * s[n]
                theta = theta + ADAPT / (1 << ADAPT_SHIFT) * b[n]
            ut = u[n] + alpha * (total - u[n])
            s[n] = (ut > theta) * 1.0
            u[n] = ut * (1 - s[n])
            found.append((total, ut, s[n]))
            line = s[n]
        z = line @ readout.Wo.T + readout.bo
        y = y + sigmoid(np.concatenate([z, y], 1) @ readout.Wg.T + readout.bg) * (z - y)
        yield [*found, (z, y)]


def _ranges(real: LtcTrained, data: Calibration) -> np.ndarray:
    """Largest magnitudes: of inputs, of sums of each layer and of the readout (1 + layers + 1,).

    Membranes and outputs lie between what their sums were. Behind their ends sequences do not count.
    """
    inside = np.arange(data.x.shape[1]) < data.lengths[:, None]
    seen = np.zeros(len(real.layers) + 2)
    seen[0] = abs(data.x[inside]).max()
    for tick, parts in enumerate(steps(real, data.x)):
        live = tick < data.lengths
        for n, part in enumerate(parts, 1):
            seen[n] = max(seen[n], abs(part[0][live]).max(initial=0))
    return seen


def _answers(real: LtcTrained, data: Calibration) -> np.ndarray:
    """Outputs of each sequence's last tick (n, outputs)."""
    return _last((parts[-1][1] for parts in steps(real, data.x)), data)


def _last(outputs, data: Calibration) -> np.ndarray:
    found = np.stack(list(outputs), 1)
    return found[np.arange(len(found)), data.lengths - 1]


# ---- formats

def _fitted(real: LtcTrained, seen, wide: set, bits: int | None) -> LtcTrained:
    """The network with formats for the values seen; the layers in `wide` (the readout is the last) with long words."""
    def width(n, name):
        return bits or (MOST if n in wide else USUAL)[name]
    formats, parts = [], (*real.layers, real.readout)
    operand = holding(f"{real.name}: layer 0: an input of {seen[0]:g}", seen[0] * MARGIN, width(0, "operand"))
    for n, part in enumerate(parts):
        row = usual(real, width(n, "weight"))[n]
        where = f"{real.name}: " + (f"layer {n}" if n < len(real.layers) else "readout")
        top = max(1.0, seen[n + 1] * MARGIN)      # 1.0 is a word of the state
        if n < len(real.layers):
            top = max(top, part.b0 + (ADAPT / (1 << ADAPT_SHIFT) if part.adaptive else 0))
        state = holding(f"{where}: a sum of {seen[n + 1]:g}", top, width(n, "state"), 1)
        check(state.frac_bits > 0, f"{where}: a sum of {seen[n + 1]:g} leaves no fraction bit in "
                                   f"{width(n, 'state')} bits")
        fine = min(row.gate_sum.frac_bits, row.weight.frac_bits + state.frac_bits)
        row = row._replace(state=state, gate=QFormat(0, width(n, "gate") - 1), operand=None if n else operand,
                           gate_sum=replace(row.gate_sum, frac_bits=fine))
        formats.append(row)
    return replace(real, formats=tuple(formats))


# ---- integers

def _certain_loss(real: LtcTrained, data: Calibration, answers) -> float:
    """Points by which words are too short, beyond chance."""
    outputs = _outputs(real, data)
    return lost(outputs, answers, data.y)[0] - _chance(outputs, answers, data.y)


def _chance(outputs, answers, y) -> float:
    """Deviation of the points lost, of classes: that of as many fair coins as answers have become right or wrong."""
    if y is None or y.dtype.kind not in "iu":
        return 0.0
    changed = (outputs.argmax(1) == y) != (answers.argmax(1) == y)
    return float(100 * np.sqrt(changed.sum()) / len(y))


def _outputs(real: LtcTrained, data: Calibration) -> np.ndarray:
    net = real.describe()
    return net.answers(net.run(real.quantize(net), _words(real, data, net)), lengths=data.lengths).score


def _words(real: LtcTrained, data: Calibration, net) -> np.ndarray:
    """Inputs of data that are scaled already."""
    return replace(real, mean=None, deviation=None).inputs_of(data.x, net)


def _measure(real: LtcTrained, data: Calibration, answers) -> Report:
    """What the formats of a network cost, layer by layer: real numbers and integers side by side."""
    net, seen = real.describe(), _ranges(real, data)
    params, words = real.quantize(net), _words(real, data, net)
    state, count = engine.rest(net, len(words)), len(net.layers)
    wrong, of, ends, all_sums = (np.zeros(count) for _ in range(4))
    for tick, parts in enumerate(steps(real, data.x)):
        now = engine.network_step(state, words[:, tick], params, net)
        state, live = now.state, tick < data.lengths
        for n, (layer, out) in enumerate(zip(net.layers, (*now.layers, now.readout), strict=True)):
            sums = out.x if n < count - 1 else out.z
            ends[n] += ((sums == layer.state.max) | (sums == layer.state.min))[live].sum()
            all_sums[n] += live.sum() * layer.outputs
            value, exact = (out.state.s, parts[n][2]) if n < count - 1 else (out.y * layer.state.lsb, parts[n][1])
            wrong[n] += ((value - exact)[live] ** 2).sum()
            of[n] += (exact[live] ** 2).sum()
    share = wrong / np.maximum(of, 1e-30)
    share[-1] = np.sqrt(share[-1])      # of spikes those that differ, of outputs the root mean square
    outputs = _outputs(real, data)
    loss, what = lost(outputs, answers, data.y)
    rows = ({"layer": n, "weight": str(layer.weight), "spike_weight": str(layer.spike_weight),
             "state": str(layer.state), "gate": str(layer.gate), "largest weight": _largest(part),
             "largest state": float(seen[n + 1]), "saturated": float(ends[n] / all_sums[n]),
             "error": float(share[n])}
            for n, (part, layer) in enumerate(zip((*real.layers, real.readout), net.layers, strict=True)))
    return Report(tuple(rows), float(loss), what, len(data.x), _chance(outputs, answers, data.y))


def _largest(part) -> float:
    return float(max(abs(value).max() for value in vars(part).values() if isinstance(value, np.ndarray)))
