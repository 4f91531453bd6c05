"""The lead-lag unit: the one filter that neurons, error units and extrapolators are made of.

    d = in - x ;  y = x + g d ;  x <- x + a d          (y uses the OLD x)

Membrane and prospective rate: a = dt/tau_m, g = tau_r/tau_m [GLE eq. of motion, papers.md 2.2]. LE is g = 1.
"""

from typing import NamedTuple

from golden.fixed import round_shift, saturate


class LeadLag(NamedTuple):
    """x: the next state; y: the look-ahead output. Both in the state format."""

    x: object
    y: object


def leadlag_step(x, i, lead, lag, p) -> LeadLag:
    """One Euler step in words.

    x  state (batch, neuron) in p.state          i     input (batch, neuron) in p.state
    lead  g = tau_r/tau_m (neuron,) in p.lead    lag   a = dt/tau_m (neuron,) in p.lag

        d = i - x                                   exact, one bit wider than the state
        y = sat(x + round_shift(lead * d, p.lead.frac_bits))
        x = sat(x + round_shift(lag * d, p.lag.frac_bits))
    """
    d = i - x
    return LeadLag(x=saturate(x + round_shift(lag * d, p.lag.frac_bits), p.state),
                   y=saturate(x + round_shift(lead * d, p.lead.frac_bits), p.state))
