"""Learning on the chip in integers: FPTT with an update every tick, plain steps, no history.

Forward as in golden.ltc.step. Then, everything of the past being constant, from the output's error
dy = onehot - softmax y downwards, with the weights that the tick began with:

    q  = dy (z - y[t-1]) g (1 - g)                 g gate of the readout
    dz = g dy + Wg_z^T q
    ds = Wo^T dz
    du = psi(ut - theta) ds                        psi(v) = max(0, 3/4 - |v|)
    da = du (x - u[t-1]) alpha (1 - alpha)         the gate alpha
    dr = -1.8 du (s[t-1] - b[t-1]) r (1 - r)       the gate r = 1 - rho
    dx = alpha du + Wm_x^T da + Wa_x^T dr

and only then every weight moves, W += error presynaptic / 2**(rate + halvings), rounded by chance
(golden.units.plasticity); a presynaptic word loses what halvings push out of it:

    Wg by q [y[t-1]; z; 1]      Wo by dz [s; 1]     Wm by da [u[t-1]; x; 1]     Wa by dr [b[t-1]; x; 1]
    Wx by dx in                 bx by dx            Wr by dx s[t-1]

Errors lead upwards where the loss falls, so steps are added. `streams` sequences take turns, tick by tick; each has a
state of its own, all share the weights, which move in every tick. The regulariser of FPTT changes a step by a share of
rate times alpha: with rates of 2**-5 nothing of it is left, and no weight has a second word.
"""

from typing import NamedTuple

import numpy as np

from golden.fixed import exact_matmul, round_shift, saturate
from golden.ltc.engine import State, Tick, network_step, rest
from golden.ltc.layer import ADAPT, ADAPT_SHIFT
from golden.ltc.layout import check_params
from golden.ltc.taught import Lanes, depth, from_lanes, readout_depth, to_lanes
from golden.ltc.teacher import factor_bits, peak, step_shift
from golden.units.plasticity import PERIOD, SPACING, Noise, plasticity_step
from golden.units.softmax import EXP, softmax


class LearnState(NamedTuple):
    """streams: a golden.ltc.engine.State each, of one sequence; params; ticks in which errors ran so far.

    overflow: by layer, an error word was at an end of its format.
    """

    streams: tuple[State, ...]
    params: tuple
    ticks: int
    overflow: tuple[bool, bool]


class Errors(NamedTuple):
    """Error words (1, n) of a tick: of the readout's outputs dy, gates q and sums dz; of the layer below, as above."""

    dy: object
    q: object
    dz: object
    ds: object
    du: object
    da: object
    dr: object
    dx: object


class LearnOut(NamedTuple):
    """Of a tick: y (outputs,) words, and its errors."""

    y: object
    errors: Errors


def start(net, params) -> LearnState:
    """A device that was just loaded with `params`."""
    if net.teacher is None:
        raise ValueError(f"{net.name} has no teacher: nothing in it learns")
    check_params(net, params)
    return LearnState((rest(net, 1),) * net.streams, tuple(params), 0, (False, False))


def registers(net) -> Lanes:
    """The register of each lane: of alpha, then of rho, then of the readout."""
    first, found, count = Noise(net.teacher.seed), [], 0
    for lanes in (net.layers[0].outputs, net.layers[0].outputs, net.outputs):
        found.append([Noise(int(first[SPACING * (count + k) % PERIOD])) for k in range(lanes)])
        count += lanes
    return Lanes(*found)


def noise_of(lanes: list[Noise], words: int, ticks: int) -> np.ndarray:
    """Numbers of a tick, (lanes, words): a lane draws one for every word, in the order of their addresses."""
    return np.stack([lane[ticks * words + np.arange(words)] for lane in lanes])


def learn_tick(state: LearnState, stream: int, x, label: int, net, *, fresh: bool = False, learn: bool = True,
               teach: bool = True, halve: int = 0, noise: Lanes | None = None):
    """One tick of one stream -> (next state, LearnOut).

    x (inputs,) words; fresh: the stream begins a sequence; learn: the weights move; teach: there is an error; halve:
    steps are divided by 2**halve; noise: `registers(net)`, which a loop makes once.
    """
    noise = registers(net) if noise is None else noise
    old = rest(net, 1) if fresh else state.streams[stream]
    tick = network_step(old, np.asarray(x, np.int64)[None], state.params, net)
    errors = backward(old, tick, label if teach else None, state.params, net)
    pre = presynaptic(old, np.asarray(x, np.int64), tick, net)
    params = _moved(pre, errors, state, net, noise, halve) if learn else state.params
    streams = (*state.streams[:stream], tick.state, *state.streams[stream + 1:])
    overflow = tuple(was or any(_at_end(words, net) for words in each) for was, each in zip(
        state.overflow, ((errors.ds, errors.da, errors.dr, errors.dx), (errors.q, errors.dz)), strict=True))
    return LearnState(streams, params, state.ticks + 1, overflow), LearnOut(tick.readout.y[0], errors)


def _at_end(words, net) -> bool:
    fmt = net.teacher.error
    return bool(((words == fmt.min) | (words == fmt.max)).any())


def output_error(y, label: int | None, net):
    """Onehot - softmax y in error words; None: no teacher, no error."""
    fmt = net.teacher.error
    if label is None:
        return np.zeros_like(y)
    onehot = (label == np.arange(net.outputs)) * (1 << EXP.frac_bits)
    return saturate(round_shift(onehot - softmax(y, net.readout.state), EXP.frac_bits - fmt.frac_bits), fmt)


def gate_error(error, difference, gate, layer, fmt):
    """The error of a gate's sum: error times difference times gate (1 - gate), rounded twice."""
    bits = layer.gate.frac_bits
    part = saturate(round_shift(error * difference, layer.state.frac_bits), fmt)
    return saturate(round_shift(part * gate * ((1 << bits) - gate), 2 * bits), fmt)


def backward(old: State, tick: Tick, label: int | None, params, net) -> Errors:
    """All errors of a tick, from its outputs downwards; where the readout alone learns, those below it are nought."""
    (layer, readout), (p, out), fmt = net.layers, params, net.teacher.error
    gates, weights, states = layer.gate.frac_bits, layer.weight.frac_bits, layer.state.frac_bits

    def back(error, weight):
        return round_shift(exact_matmul(error, weight.T), weights)
    own, z, was = tick.readout, tick.readout.z, old.y
    dy = output_error(own.y, label, net)
    q = gate_error(dy, z - was, own.gate, readout, fmt)
    dz = saturate(round_shift(dy * own.gate, gates) + back(q, out.gate[:, net.outputs:-1]), fmt)
    ds = saturate(back(dz, out.weight), fmt)
    if net.teacher.scope == "readout":
        ds = ds * 0
    hidden, (u, b, s) = tick.layers[0], old.layers[0]
    psi = (peak(net) - abs(hidden.ut - hidden.theta)).clip(0)
    du = saturate(round_shift(ds * psi, states), fmt)
    da = gate_error(du, hidden.x - u, hidden.alpha, layer, fmt)
    dk = saturate(round_shift(-ADAPT * du, ADAPT_SHIFT), fmt)
    dr = gate_error(dk, s * layer.one - b, hidden.r, layer, fmt)
    n = layer.outputs
    columns = exact_matmul(da, p.alpha[:, n:-1].T) + exact_matmul(dr, p.rho[:, n:-1].T)
    dx = saturate(round_shift(du * hidden.alpha, gates) + round_shift(columns, weights), fmt)
    return Errors(dy, q, dz, ds, du, da, dr, dx)


def presynaptic(old: State, x, tick: Tick, net) -> Lanes:
    """What each word of a lane is multiplied by, (words,) for each chain."""
    layer, (u, b, s), out = net.layers[0], old.layers[0], tick.readout
    one = np.array([layer.one])
    row = np.concatenate([x, one, s[0] * layer.one])
    words, first = depth(layer), depth(layer) - layer.gate_words
    rho = np.zeros(words, np.int64)
    rho[:layer.gate_words] = np.concatenate([b[0], tick.layers[0].x[0], one])
    rho[layer.gate_words:layer.gate_words + len(row) - first] = row[first:]
    return Lanes(np.concatenate([u[0], tick.layers[0].x[0], one, row[:first]]), rho,
                 np.concatenate([old.y[0], out.z[0], one, tick.layers[0].state.s[0] * layer.one, one]))


def _moved(pre: Lanes, errors: Errors, state: LearnState, net, noise: Lanes, halve: int) -> tuple:
    """The parameters of the next tick."""
    layer, readout = net.layers
    lanes, shift = to_lanes(net, state.params), step_shift(net)
    found = []
    for name, gate, below, row in (("alpha", errors.da, errors.dx, layer), ("rho", errors.dr, errors.dx, layer),
                                   ("readout", errors.q, errors.dz, readout)):
        weights = getattr(lanes, name)
        words = readout_depth(readout) if name == "readout" else depth(layer)
        error = np.where(np.arange(words) < row.gate_words, gate.T, below.T)
        numbers = noise_of(getattr(noise, name), words, state.ticks)
        factor = getattr(pre, name) << factor_bits(layer) >> halve
        found.append(plasticity_step(weights, error, factor, numbers, shift, layer.weight))
    moved = from_lanes(net, Lanes(*found))
    return moved if net.teacher.scope == "all" else (state.params[0], moved[1])
