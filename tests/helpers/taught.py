"""Small networks that learn on the chip by FPTT, their words, and the rule once more in plain integers."""

import numpy as np

from golden.fixed import QFormat
from golden.ltc.layer import LtcLayer, Readout
from golden.ltc.learn import registers
from golden.ltc.network import LtcNetwork
from golden.ltc.step import LtcParams, ReadoutParams
from golden.ltc.teacher import Teacher
from golden.units.activation import activation_step
from golden.units.plasticity import lfsr_leap, spread
from golden.units.softmax import softmax

WEIGHT, STATE, GATE = QFormat(2, 13), QFormat(3, 12), QFormat(0, 8)


def taught(inputs=3, size=5, outputs=4, *, weight=WEIGHT, state=STATE, gate=GATE, **teacher) -> LtcNetwork:
    """A network with a teacher."""
    formats = {"weight": weight, "spike_weight": weight, "state": state, "gate": gate}
    return LtcNetwork(name="taught", halves=1, layers=(
        LtcLayer(inputs=inputs, outputs=size, lanes=2 * size, operand=state, input_weight=weight, **formats),
        Readout(inputs=size, outputs=outputs, lanes=outputs, **formats)),
        teacher=Teacher(**{"rate": 3, "streams": 2} | teacher))


def random_params(net, rng, spread_of=0.5) -> tuple:
    """Normal words."""
    found = []
    for layer in net.layers:
        arrays = {name: np.clip(rng.normal(0, spread_of * 2 ** fmt.frac_bits, shape), fmt.min, fmt.max).astype(np.int64)
                  for name, (shape, fmt) in layer.shapes().items()}
        found.append((ReadoutParams if layer is net.readout else LtcParams)(**arrays))
    return tuple(found)


class Plain:
    """The network of golden.ltc.learn, a neuron and a weight at a time, all in Python's integers.

    Weights as dictionaries by what they connect; registers that step; states by stream.
    """

    def __init__(self, net, params):
        self.net, (layer, readout) = net, net.layers
        self.n, self.c, self.k = layer.outputs, readout.outputs, layer.inputs
        p, out = params
        self.p = {name: getattr(p, name).tolist() for name in p._fields}
        self.out = {name: getattr(out, name).tolist() for name in out._fields}
        self.streams = [self.rest() for _ in range(net.streams)]
        # where registers begin is a choice, not a rule
        self.registers = [int(lane[0]) for chain in registers(net) for lane in chain]

    def rest(self):
        return {"u": [0] * self.n, "b": [0] * self.n, "s": [0] * self.n, "y": [0] * self.c}

    def saturate(self, x, fmt):
        return max(-(1 << fmt.width - 1), min((1 << fmt.width - 1) - 1, int(x)))

    def round(self, x, bits):
        return x << -bits if bits <= 0 else (x + (1 << bits >> 1)) >> bits

    def gate(self, row, words):
        layer = self.net.layers[0]
        total = self.saturate(self.round(sum(w * x for w, x in zip(row, words, strict=True)), layer.gate_shift),
                              layer.gate_sum)
        return int(activation_step(np.array(total), "sigmoid", layer.gate_sum, layer.gate))

    def back(self, error, rows, column):
        return self.round(sum(e * row[column] for e, row in zip(error, rows, strict=True)),
                          self.net.layers[0].weight.frac_bits)

    def gate_error(self, error, difference, gate):
        layer, fmt = self.net.layers[0], self.net.teacher.error
        part = self.saturate(self.round(error * difference, layer.state.frac_bits), fmt)
        return self.saturate(self.round(part * gate * ((1 << layer.gate.frac_bits) - gate), 2 * layer.gate.frac_bits),
                             fmt)

    def tick(self, stream, x, label, *, fresh, learn, teach, halve):
        """One tick: y; the weights and the state of the stream move."""
        layer, p, out = self.net.layers[0], self.p, self.out
        wide, one, fmt, g = layer.state, 1 << layer.state.frac_bits, self.net.teacher.error, layer.gate.frac_bits
        old = self.rest() if fresh else self.streams[stream]
        line = [int(v) for v in x] + [one] + [one * s for s in old["s"]]
        rows = [p["weight"][i] + [p["bias"][i]] + p["recurrent"][i] for i in range(self.n)]
        sums = [self.saturate(self.round(sum(w * v for w, v in zip(row, line, strict=True)), layer.weight.frac_bits),
                              wide) for row in rows]
        alpha = [self.gate(p["alpha"][i], old["u"] + sums + [one]) for i in range(self.n)]
        r = [self.gate(p["rho"][i], old["b"] + sums + [one]) for i in range(self.n)]
        b = [self.saturate(v + self.round(a * (one * s - v), g), wide)
             for v, a, s in zip(old["b"], r, old["s"], strict=True)]
        theta = [layer.threshold + ((115 * v + 32) >> 6) for v in b]
        ut = [self.saturate(v + self.round(a * (w - v), g), wide)
              for v, a, w in zip(old["u"], alpha, sums, strict=True)]
        s = [int(v > t) for v, t in zip(ut, theta, strict=True)]
        z = [self.saturate(self.round(sum(w * one * v for w, v in zip(row, s, strict=True)) + bias * one,
                                      layer.weight.frac_bits), wide)
             for row, bias in zip(out["weight"], out["bias"], strict=True)]
        gate = [self.gate(row, old["y"] + z + [one]) for row in out["gate"]]
        y = [self.saturate(v + self.round(a * (w - v), g), wide) for v, a, w in zip(old["y"], gate, z, strict=True)]
        p_of = softmax(np.array([y]), wide)[0].tolist()
        dy = [self.saturate(self.round((32768 if k == label else 0) - v, 15 - fmt.frac_bits), fmt) if teach
              else 0 for k, v in enumerate(p_of)]
        q = [self.gate_error(e, w - v, a) for e, w, v, a in zip(dy, z, old["y"], gate, strict=True)]
        dz = [self.saturate(self.round(dy[k] * gate[k], g) + self.back(q, out["gate"], self.c + k), fmt)
              for k in range(self.c)]
        ds = [self.saturate(self.back(dz, out["weight"], i), fmt) for i in range(self.n)]
        du = [self.saturate(self.round(e * max(0, 3 * one // 4 - abs(v - t)), layer.state.frac_bits), fmt)
              for e, v, t in zip(ds, ut, theta, strict=True)]
        da = [self.gate_error(e, w - v, a) for e, w, v, a in zip(du, sums, old["u"], alpha, strict=True)]
        dk = [self.saturate((-115 * e + 32) >> 6, fmt) for e in du]
        dr = [self.gate_error(e, one * w - v, a) for e, w, v, a in zip(dk, old["s"], old["b"], r, strict=True)]
        columns = [self.round(sum(e * row[self.n + k] for e, row in zip(da, p["alpha"], strict=True)) +
                              sum(e * row[self.n + k] for e, row in zip(dr, p["rho"], strict=True)),
                              layer.weight.frac_bits) for k in range(self.n)]
        dx = [self.saturate(self.round(e * a, g) + v, fmt) for e, a, v in zip(du, alpha, columns, strict=True)]
        numbers = [self._draw(k) for k in range(len(self.registers))]
        if learn:
            whole = self.net.teacher.scope == "all"
            self._move(whole, [da, dr, dx, q, dz], [old["u"] + sums + [one], old["b"] + sums + [one], line,
                                                    old["y"] + z + [one], [one * v for v in s] + [one]], numbers,
                       halve)
        self.streams[stream] = {"u": [0 if f else v for f, v in zip(s, ut, strict=True)], "b": b, "s": s, "y": y}
        return y

    def _draw(self, lane):
        """The numbers of a lane in a tick."""
        cut = max(self.k + 1, -(-(self.k + 1 + self.n) // 2))
        words = 2 * self.n + 1 + cut if lane < 2 * self.n else 2 * self.c + 1 + self.n + 1
        found = []
        for _ in range(words):
            found.append(self.registers[lane])
            self.registers[lane] = lfsr_leap(self.registers[lane])
        return found

    def _move(self, whole, errors, lines, numbers, halve):
        net, (da, dr, dx, q, dz), n = self.net, errors, self.n
        layer = net.layers[0]
        shift = net.teacher.error.frac_bits + 18 - layer.state.width + layer.state.frac_bits - \
            layer.weight.frac_bits + net.teacher.rate

        def moved(row, error, line, drawn):
            longer = 18 - layer.state.width
            return [self.saturate(w + ((error * (v << longer >> halve) + int(spread(k, shift))) >> shift), layer.weight)
                    for w, v, k in zip(row, line, drawn, strict=True)]
        for j in range(self.c):
            drawn = numbers[2 * n + j]
            self.out["gate"][j] = moved(self.out["gate"][j], q[j], lines[3], drawn[:2 * self.c + 1])
            row = moved(self.out["weight"][j] + [self.out["bias"][j]], dz[j], lines[4], drawn[2 * self.c + 1:])
            self.out["weight"][j], self.out["bias"][j] = row[:-1], row[-1]
        for i in range(n) if whole else ():
            self.p["alpha"][i] = moved(self.p["alpha"][i], da[i], lines[0], numbers[i][:2 * n + 1])
            self.p["rho"][i] = moved(self.p["rho"][i], dr[i], lines[1], numbers[n + i][:2 * n + 1])
            drawn = numbers[i][2 * n + 1:] + numbers[n + i][2 * n + 1:]
            row = moved(self.p["weight"][i] + [self.p["bias"][i]] + self.p["recurrent"][i], dx[i], lines[2],
                        drawn[:self.k + 1 + n])
            self.p["weight"][i], self.p["bias"][i], self.p["recurrent"][i] = \
                row[:self.k], row[self.k], row[self.k + 1:]
