"""The lead-lag unit: the one filter that neurons, error units and extrapolators are made of.

    d = in - x ;  y = x + g d ;  x <- x + a d          (y uses the OLD x)

Membrane and prospective rate: a = dt/tau_m, g = tau_r/tau_m [GLE eq. of motion, arXiv 2403.16933]. LE is g = 1.
"""

from typing import NamedTuple

from golden.fixed import QFormat, round_shift, saturate


class LeadLag(NamedTuple):
    """x: the next state, with its guard bits; y: the look-ahead output in the state format."""

    x: object
    y: object


def leadlag_step(x, i, lead, lag, p) -> LeadLag:
    """One Euler step in words.

    x  state (batch, neuron), p.guard bits finer than p.state    i     input (batch, neuron) in p.state
    lead  g = tau_r/tau_m (neuron,) in p.lead                    lag   a = dt/tau_m (neuron,) in p.lag

        seen = floor(x / 2**guard)                  what the look-ahead and the difference see of the state
        d = i - seen                                exact, one bit wider than the state
        y = sat(seen + round_shift(lead * d, p.lead.frac_bits))
        x = sat(x + round_shift(lag * d, p.lag.frac_bits - guard))

    Guard bits keep steps that are smaller than the last bit of the state: without them the state stops short of its
    input by up to half a unit / lag. A state with guard bits is kept half a unit of p.state above its value
    (`at_rest`), so that the floor rounds to nearest.
    """
    seen = x >> p.guard
    d = i - seen
    return LeadLag(x=saturate(x + lag_step(d, lag, p), integrator(p)),
                   y=saturate(seen + round_shift(lead * d, p.lead.frac_bits), p.state))


def at_rest(p) -> int:
    """The word of a state that is zero: half a unit of p.state where there are guard bits."""
    return 1 << p.guard >> 1 if p.guard else 0


def lag_step(d, lag, p):
    """The move of the state for a difference d, in words of the integrator."""
    return round_shift(lag * d, p.lag.frac_bits - p.guard)


def integrator(p) -> QFormat:
    """Format of the state x: p.state and p.guard fraction bits more."""
    return QFormat(p.state.int_bits, p.state.frac_bits + p.guard)
