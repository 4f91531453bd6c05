"""The dense layer of rate neurons in integers: the schedule of one tick, in hardware order.

s = W x + b ;  (u, ubar) = leadlag(u, s) ;  r = phi(ubar)          [GLE] arXiv 2403.16933, factorised form, gamma = 0
"""

from typing import NamedTuple

from golden.fixed import round_shift, saturate
from golden.units.activation import activation_step
from golden.units.leadlag import leadlag_step
from golden.units.rows import Rows, row_sums


class DenseParams(NamedTuple):
    """Words of one layer, formats as in `Dense`; what the layer does not have is None.

    weight (outputs, inputs); bias and `Dense.constants` (outputs,); taps and error_taps (rows, coefficients), of the
    predictors of its messages and of the errors that it sends down.
    """

    weight: object
    bias: object
    lead: object = None
    lag: object = None
    error_lead: object = None
    error_lag: object = None
    tau: object = None
    tau_r: object = None
    taps: object = None
    error_taps: object = None


class DenseOut(NamedTuple):
    """u: next membrane, ubar: prospective membrane (both in state), rate: outgoing message."""

    u: object
    ubar: object
    rate: object


def dense_rows(layer) -> Rows:
    """The rows of a layer's lanes: a bias, the weight of a one, then the weights."""
    return Rows(count=layer.outputs, words=layer.inputs + 1, lanes=layer.lanes, weight=layer.weight.width,
                operand=layer.multiplicand.width, shift=layer.shift, halves=getattr(layer, "halves", 2))


def dense_sum(x, params: DenseParams, layer):
    """S = sat(round_shift(W x + b, shift)): (batch, inputs) operand words -> (batch, outputs) state words."""
    total = row_sums(x, params.weight, dense_rows(layer)) + (params.bias << layer.operand.frac_bits)
    return saturate(total >> layer.shift, layer.state)


def neuron_lead(params: DenseParams, layer):
    """G = tau_r / tau_m in words of layer.lead: as loaded, or made from tau_r and dt / tau_m where tau_m is learnt."""
    if params.tau_r is None:
        return params.lead
    bits = layer.plastic.tau_r.frac_bits + layer.lag.frac_bits - layer.lead.frac_bits
    return saturate(round_shift(params.tau_r * params.lag, bits), layer.lead)


def dense_step(u, x, params: DenseParams, layer) -> DenseOut:
    """One tick of `layer`: u (batch, outputs) in state, x (batch, inputs) in operand."""
    s = dense_sum(x, params, layer)
    unit = leadlag_step(u, s, neuron_lead(params, layer), params.lag, layer)
    return DenseOut(u=unit.x, ubar=unit.y,
                    rate=activation_step(unit.y, layer.activation, layer.state, layer.rate))
