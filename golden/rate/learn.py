"""A network that learns, in integers: one tick with errors running backwards and weights that move.

Every layer reads tick n - 1 of its neighbours ([GLE] arXiv 2403.16933); the input x and the target are those of tick n:

    e_in = eb o phi'[n-1]                         eb = W_above^T eps_above of tick n - 1; on top the output error
    eps, v = leadlag(v, e_in)                     time constants swapped; without a filter eps = e_in
    u, r, phi'  as in golden.units.dense, the sum pulled by eps / 2**gamma
    eb for the layer below = W^T eps              with the weights of this tick
    W += eps r_pre, b += eps, tau_m -= eps du     by golden.units.plasticity: the weights of the next tick

Messages and errors take as many ticks more as their ways say (golden.units.extrapolator); eb and r_pre are what has
arrived, hence, with predictors, predictions. Predictors that learn do so while weights may move.

`streams` inputs take turns: each has an Activity of its own, all share the parameters, which move every tick.
"""

from typing import NamedTuple

import numpy as np

from golden.fixed import exact_matmul, round_shift, saturate
from golden.rate.engine import check_params
from golden.rate.loss import output_error
from golden.rate.network import Network
from golden.rate.plastic import increment_format, tau_shift, weight_shift
from golden.units import extrapolator
from golden.units.activation import activation_step, derivative_step
from golden.units.delay import delay_write
from golden.units.dense import DenseParams, dense_sum, neuron_lead
from golden.units.leadlag import at_rest, lag_step, leadlag_step
from golden.units.plasticity import PERIOD, SPACING, Noise, plasticity_step


class Activity(NamedTuple):
    """State of one stream, a tuple with an array (1, ...) a layer.

    u, membranes; lines, of messages into the layers; v and slope; errors, lines of eb into the layer from above (the
    last layer and those below the first that learns have none); and rate, the output of the last tick.
    """

    u: tuple
    lines: tuple
    v: tuple
    slope: tuple
    errors: tuple
    rate: object


class LearnState(NamedTuple):
    """streams: an Activity each; params; ticks in which errors ran so far.

    Flags by layer: overflow, an error saturated; lost, a prediction of a message into it, or of an error that it sends
    down, was replaced by the message itself (two flags).
    """

    streams: tuple
    params: tuple
    ticks: int
    overflow: tuple
    lost: tuple


class LearnOut(NamedTuple):
    """rate (outputs,) of this tick; eps, a tuple with (outputs,) a layer; all in words."""

    rate: object
    eps: tuple


def rest(net: Network) -> Activity:
    """An Activity of zeros."""
    def zeros(n):
        return np.zeros((1, n), np.int64)
    outputs = tuple(zeros(layer.outputs) for layer in net.layers)
    v = tuple(zeros(layer.outputs) + (at_rest(layer.plastic) if layer.plastic else 0) for layer in net.layers)
    return Activity(u=tuple(zeros(layer.outputs) + at_rest(layer) for layer in net.layers),
                    lines=tuple(extrapolator.line(zeros(layer.inputs), layer.way) for layer in net.layers),
                    v=v, slope=outputs, rate=zeros(net.outputs),
                    errors=tuple(extrapolator.line(zeros(layer.outputs), net.error_way(n + 1))
                                 if net.sends_errors(n + 1) else () for n, layer in enumerate(net.layers)))


def start(net: Network, params) -> LearnState:
    """A device that was just loaded with `params`."""
    check_params(net, params)
    if net.teacher is None:
        raise ValueError(f"{net.name} has no teacher and no plastic layer: nothing in it learns")
    return LearnState(streams=(rest(net),) * net.streams, params=tuple(params), ticks=0,
                      overflow=(False,) * len(net.layers), lost=((False, False),) * len(net.layers))


class Registers(NamedTuple):
    """The noise registers of a layer: one a lane, one for tau_m, one for each predictor that learns, by its taps."""

    lanes: list
    tau: Noise
    taps: dict


def registers(net: Network) -> list[Registers | None]:
    """The registers of each layer that learns; None of others."""
    first, count, found = Noise(net.teacher.seed), 0, []
    for layer in net.layers:
        mine = None
        if layer.plastic is not None:
            row = [Noise(int(first[SPACING * (count + k) % PERIOD])) for k in range(layer.lanes + 1)]
            mine, count = Registers(row[:-1], row[-1], {}), count + layer.lanes + 1
        found.append(mine)
    # behind all others, whose numbers do not depend on what predicts
    for layer, mine in zip(net.layers, found, strict=True):
        for name, p in (("taps", layer.predictor), ("error_taps", layer.error_predictor)):
            if p is not None and p.learns:
                mine.taps[name] = Noise(int(first[SPACING * count % PERIOD]))
                count += 1
    return found


def tap_noise(p, size: int, register: Noise, ticks: int) -> np.ndarray:
    """Numbers for the taps of a message of `size` elements in tick number `ticks`: (size, taps), in this order."""
    return register[(ticks * size + np.arange(size))[:, None] * p.taps + np.arange(p.taps)]


def weight_noise(layer, lanes: list[Noise], ticks: int) -> np.ndarray:
    """Numbers for all weights of a layer in its tick number `ticks`: (outputs, 1 + inputs), the bias first.

    A lane draws one a weight, row by row as it holds them.
    """
    words, row = layer.inputs + 1, np.arange(layer.outputs)
    index = (ticks * layer.folds + row // layer.lanes)[:, None] * words + np.arange(words)
    found = np.empty(index.shape, np.int64)
    for k in range(min(layer.lanes, layer.outputs)):
        found[k::layer.lanes] = lanes[k][index[k::layer.lanes]]
    return found


def learn_tick(state: LearnState, stream: int, x, target, net: Network, *, first: bool = False, learn: bool = True,
               teach: bool = True, halve: int = 0, noise=None):
    """One tick of one stream -> (next state, LearnOut).

    x (inputs,) and target (net.targets,) words; first: the stream starts from rest; learn: the weights move;
    teach: there is an output error; halve: rates are divided by 2**halve (at most `Plastic.halvings`);
    noise: `registers(net)`, which a loop makes once.
    """
    noise = registers(net) if noise is None else noise
    old = rest(net) if first else state.streams[stream]
    lines = (delay_write(old.lines[0], np.asarray(x, np.int64)[None]), *old.lines[1:])
    target = np.asarray(target, np.int64)[None]
    top = output_error(old.rate, target, net) * int(teach and not first)
    outs = []
    for n, layer in enumerate(net.layers):
        above = top if n == len(net.layers) - 1 else \
            extrapolator.read(old.errors[n], net.error_way(n + 1)) if net.sends_errors(n + 1) else 0 * old.u[n]
        outs.append(layer_tick(old, n, extrapolator.read(lines[n], layer.way), above, state.params[n], net))
    params, ticks = state.params, state.ticks
    if learn:
        params = tuple(_learn_taps(move(p, layer, out, noise[n], ticks, halve), n, old, noise[n], ticks, net)
                       for n, (p, layer, out) in enumerate(zip(params, net.layers, outs, strict=True)))
    sent, errors, lost = [lines[0]], list(old.errors), []
    for n, (layer, p) in enumerate(zip(net.layers, state.params, strict=True)):
        wrong = [False, False]
        if n:
            line, wrong[0] = extrapolator.write(lines[n], outs[n - 1].rate, layer.way, p.taps)
            sent.append(line)
        if net.sends_errors(n):
            errors[n - 1], wrong[1] = extrapolator.write(old.errors[n - 1], outs[n].below, net.error_way(n),
                                                         p.error_taps)
        lost.append(tuple(was or bool(np.any(now)) for was, now in zip(state.lost[n], wrong, strict=True)))
    now = Activity(u=tuple(out.u for out in outs), v=tuple(out.v for out in outs),
                   slope=tuple(out.slope for out in outs), rate=outs[-1].rate, errors=tuple(errors), lines=tuple(sent))
    overflow = tuple(was or bool(out.overflow) for was, out in zip(state.overflow, outs, strict=True))
    streams = (*state.streams[:stream], now, *state.streams[stream + 1:])
    return (LearnState(streams, params, ticks + 1, overflow, tuple(lost)),
            LearnOut(rate=outs[-1].rate[0], eps=tuple(out.eps[0] for out in outs)))


def _learn_taps(p: DenseParams, n: int, old: Activity, noise: Registers | None, ticks: int,
                net: Network) -> DenseParams:
    """The taps of layer n in the next tick."""
    for name, register in noise.taps.items() if noise else ():
        way, line = (net.layers[n].way, old.lines[n]) if name == "taps" else (net.error_way(n), old.errors[n - 1])
        if way.delay:
            number = tap_noise(way.predictor, way.size, register, ticks)
            p = p._replace(**{name: extrapolator.nlms_step(line.history, getattr(p, name), number, way)})
    return p


class LayerTick(NamedTuple):
    """What a layer makes of a tick.

    Next u and v, rate, slope; eps, the presynaptic words and d = input - membrane, which steps are made of; the errors
    `below` for the layer underneath, and whether an error word saturated.
    """

    u: object
    v: object
    rate: object
    slope: object
    eps: object
    pre: object
    d: object
    below: object
    overflow: object


def layer_tick(old: Activity, n: int, pre, above, p: DenseParams, net: Network) -> LayerTick:
    """One tick of layer n of a stream: pre, the words of its message, above, the errors into it."""
    layer, plastic = net.layers[n], net.layers[n].plastic
    u, s, below, eps, v, overflow = old.u[n], dense_sum(pre, p, layer), None, above * 0, old.v[n], False
    if plastic is not None:
        eps, v = error_step(v, round_shift(above * old.slope[n], plastic.slope.frac_bits), p, plastic)
        overflow = any((words == end).any() for words in (above, eps) for end in (plastic.error.min, plastic.error.max))
        if plastic.gamma is not None:
            s = saturate(s + round_shift(eps, layer.gamma_shift), layer.state)
    if net.sends_errors(n):
        below = saturate(round_shift(exact_matmul(eps, p.weight.T), net.back_shift(n)),
                         net.layers[n - 1].plastic.error)
    unit = leadlag_step(u, s, neuron_lead(p, layer), p.lag, layer)
    slope = old.slope[n] if plastic is None else \
        derivative_step(unit.y, layer.activation, layer.state, plastic.slope)
    return LayerTick(u=unit.x, v=v, rate=activation_step(unit.y, layer.activation, layer.state, layer.rate),
                     slope=slope, eps=eps, pre=pre, d=s - (u >> layer.guard), below=below, overflow=overflow)


def error_step(v, e_in, p: DenseParams, plastic):
    """Eps and the next v: the lead-lag unit with tau_m and tau_r swapped, or eps = e_in where there is no filter."""
    if not plastic.is_filtered:
        return e_in, v
    lead = p.error_lead
    if plastic.tau is not None:         # tau_m / tau_r, both in ticks
        bits = plastic.tau.frac_bits + plastic.lag.frac_bits - plastic.lead.frac_bits
        lead = saturate(round_shift(p.tau * p.error_lag, bits), plastic.lead)
    unit = leadlag_step(v, e_in, lead, p.error_lag, plastic)
    return unit.y, unit.x


def move(p: DenseParams, layer, out: LayerTick, noise: Registers | None, ticks: int, halve: int = 0) -> DenseParams:
    """The parameters of the next tick."""
    plastic = layer.plastic
    if plastic is not None and plastic.rate is not None:
        number, shift, eps = weight_noise(layer, noise.lanes, ticks), weight_shift(layer), plastic.paced(out.eps[0])
        up = plastic.halvings - min(halve, plastic.halvings)
        p = p._replace(weight=plasticity_step(p.weight, eps[:, None], out.pre << up, number[:, 1:], shift,
                                              layer.weight))
        if plastic.bias:
            one = 1 << layer.operand.frac_bits + up
            p = p._replace(bias=plasticity_step(p.bias, eps, one, number[:, 0], shift, layer.weight))
    if plastic is not None and plastic.tau is not None:
        number = noise.tau[ticks * layer.outputs + np.arange(layer.outputs)]
        increment = saturate(lag_step(out.d[0], p.lag, layer), increment_format(layer))
        p = tau_step(p, layer, out.eps[0], increment, number)
    return p


def tau_step(p: DenseParams, layer, eps, increment, noise) -> DenseParams:
    """tau_m <- tau_m - eps du, du = (dt/tau_m) d the increment of the membrane; then one Newton step for dt/tau_m.

        tau <- max(tau_min, plasticity_step(tau, -eps, increment))          in ticks
        lag <- sat(round_shift(lag (2 - tau lag), ..))                      in the format of the lag

    The reciprocal follows as tau moves by little a tick: its relative error is squared by each step.
    """
    plastic = layer.plastic
    tau = plasticity_step(p.tau, -eps, increment, noise, tau_shift(layer), plastic.tau)
    tau = tau.clip(plastic.tau_min << plastic.tau.frac_bits)
    # 1 - tau lag is small: words of the lag's format hold it
    rest_of_one = saturate((1 << layer.lag.frac_bits) - round_shift(tau * p.lag, plastic.tau.frac_bits), layer.lag)
    lag = saturate(p.lag + round_shift(p.lag * rest_of_one, layer.lag.frac_bits), layer.lag)
    return p._replace(tau=tau, lag=lag)
