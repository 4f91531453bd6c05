"""One tick of a liquid-time-constant layer and of the readout in words, as the circuit computes it.

    x     = sat(round(bias + Wr s[t-1] + Wx in[t]))              in: real words, or spikes of the layer below
    alpha = sigmoid(Wm [u[t-1]; x; 1])                           the share of x that the membrane takes
    r     = 1 - rho = sigmoid(-Wa [b[t-1]; x; 1])                the weights of this gate are stored negated
    b     = b[t-1] + r (s[t-1] - b[t-1])                         adaptation, of the PREVIOUS spike
    theta = b0 + 115/64 b
    ut    = u[t-1] + alpha (x - u[t-1])
    s     = ut > theta;   u = 0 where s, else ut

    z     = sat(round(bias + Wo s));   y = y[t-1] + sigmoid(Wg [y[t-1]; z; 1]) (z - y[t-1])

[FPTT] arXiv 2112.11231. Arrays are (batch, neuron), int64, of numpy or torch; formats are those of the layer.
"""

from typing import NamedTuple

from golden.fixed import QFormat, exact_matmul, round_shift, saturate
from golden.ltc.layer import LtcLayer, Readout
from golden.units.activation import activation_step
from golden.units.leadlag import leadlag_step
from golden.units.rows import row_sums


class LtcParams(NamedTuple):
    """Words of a layer, shapes in `LtcLayer.shapes`. A row of alpha and rho: weights of u (b), weights of x, bias.

    rho: of 1 - rho, so the negated weights of the paper; None where the threshold is fixed.
    """

    alpha: object
    weight: object
    recurrent: object
    bias: object
    rho: object = None


class ReadoutParams(NamedTuple):
    """Words of the readout. A row of gate: weights of y, weights of z, bias."""

    gate: object
    weight: object
    bias: object


class LtcState(NamedTuple):
    """u membrane, b adaptation (None where the threshold is fixed), both in state; s, spikes as 0 and 1."""

    u: object
    b: object
    s: object


class LtcOut(NamedTuple):
    """What a tick makes: the next state; gates alpha and r; in state x, theta and ut, the membrane before its reset."""

    state: LtcState
    x: object
    alpha: object
    r: object
    theta: object
    ut: object


class ReadoutOut(NamedTuple):
    """y, the output and next state, and z in state; the gate."""

    y: object
    z: object
    gate: object


class Leak(NamedTuple):
    """Formats of golden.units.leadlag whose lag is a gate and whose look-ahead is not used."""

    state: QFormat
    lag: QFormat
    lead: QFormat
    guard: int = 0


def leak(x, i, gate, layer):
    """The lag half of a lead-lag unit: x + gate (i - x)."""
    return leadlag_step(x, i, 0, gate, Leak(layer.state, layer.gate, layer.gate)).x


def gate_step(old, x, weight, layer):
    """A gate, sigmoid(sat(round(W [old; x; 1]))): (batch, n) words of state -> (batch, n) words of `gate`."""
    n = layer.outputs
    total = row_sums(old, weight[:, :n], layer.gate_rows()) + exact_matmul(x, weight[:, n:-1]) + \
        weight[:, -1] * layer.one
    return activation_step(saturate(total >> layer.gate_shift, layer.gate_sum), "sigmoid", layer.gate_sum, layer.gate)


def sum_step(s, i, params: LtcParams, layer: LtcLayer):
    """The sum x: s own spikes of the last tick; i real words in `operand`, or spikes of this tick from below."""
    own = exact_matmul(s, params.recurrent) + params.bias
    below = exact_matmul(i, params.weight)
    spikes, products = (own, below) if layer.dense else (own + below, None)
    total = spikes << layer.sum_frac - layer.spike_weight.frac_bits
    if layer.dense:
        total = total + (products << layer.sum_frac - layer.product_frac)
    return saturate(round_shift(total, layer.sum_shift), layer.state)


def ltc_step(state: LtcState, i, params: LtcParams, layer: LtcLayer) -> LtcOut:
    """One tick; i (batch, inputs) as `sum_step` takes it."""
    u, b, s = state
    x = sum_step(s, i, params, layer)
    alpha = gate_step(u, x, params.alpha, layer)
    r, theta = None, layer.threshold
    if layer.adaptive:
        r = gate_step(b, x, params.rho, layer)
        b = leak(b, s * layer.one, r, layer)
        theta = theta + layer.theta_rise(b)
    ut = leak(u, x, alpha, layer)
    spike = (ut > theta) * 1
    return LtcOut(LtcState(u=ut * (1 - spike), b=b, s=spike), x, alpha, r, theta, ut)


def readout_step(y, s, params: ReadoutParams, layer: Readout) -> ReadoutOut:
    """One tick: y (batch, outputs) of the last one, s (batch, inputs) spikes of this one."""
    total = exact_matmul(s, params.weight) + params.bias
    z = saturate(round_shift(total, layer.sum_shift), layer.state)
    gate = gate_step(y, z, params.gate, layer)
    return ReadoutOut(leak(y, z, gate, layer), z, gate)
