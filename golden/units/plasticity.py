"""Plasticity: a weight moves by error times rate, rounded by chance so that the smallest moves are not lost.

    w <- sat(w + floor((eps r + noise) / 2**shift)),   noise uniform in [0, 2**shift)

The expectation of the move is eps r / 2**shift in words of w, however far below the last bit of w it lies:
[GLE] dW = eta eps r, with eta a power of two that `shift` holds. The noise comes from a linear feedback shift register
that the circuit has and golden models: both round every weight of every tick alike.
"""

import numpy as np

from golden.fixed import QFormat, saturate

#: Galois register of 17 bits, x^17 + x^14 + 1: all states but 0 in one cycle. Its length is a prime, so a weight that
#: is visited every n-th number sees all of them, whatever n.
TAPS, BITS, PERIOD = 0x12000, 17, (1 << 17) - 1
#: steps between two numbers: none of the bits of one is in the next
LEAP = BITS
#: numbers between the registers of two lanes in the one cycle that all share
SPACING = 48_271


def lfsr_step(state):
    """One step of the register (an int or an array of states)."""
    return state >> 1 ^ (state & 1) * TAPS


def lfsr_leap(state):
    """The next number: LEAP steps."""
    for _ in range(LEAP):
        state = lfsr_step(state)
    return state


def _cycle() -> np.ndarray:
    states = np.empty(PERIOD, dtype=np.int64)
    states[0] = 1
    for n in range(1, PERIOD):
        states[n] = lfsr_leap(int(states[n - 1]))
    return states


class Noise:
    """The numbers of a register in advance: state n leaps after `seed`, for any array of n.

    seed is a state: 1 .. PERIOD. Registers of lanes have seeds of their own, so their numbers are far apart in the one
    cycle that all share.
    """

    _states = _index = None

    def __init__(self, seed: int):
        if not 1 <= seed <= PERIOD:
            raise ValueError(f"a seed is 1 to {PERIOD}, not {seed}")
        if Noise._states is None:
            Noise._states = _cycle()
            Noise._index = np.zeros(PERIOD + 1, dtype=np.int64)
            Noise._index[Noise._states] = np.arange(PERIOD)
        self.start = int(Noise._index[seed])

    def __getitem__(self, n):
        return Noise._states[(self.start + np.asarray(n)) % PERIOD]


def spread(noise, shift: int):
    """A number of the register as noise of `shift` bits: its upper bits, or zeros below it."""
    return noise >> BITS - shift if shift <= BITS else noise << shift - BITS


def plasticity_step(w, eps, r, noise, shift: int, fmt: QFormat):
    """The next weight, in words of `fmt`.

    w weight, eps error, r presynaptic rate: words of any formats; shift >= 0: fraction bits of eps and r together, less
    those of w, less log2 of the learning rate; noise: a number of the register.
    """
    return saturate(w + (eps * r + spread(noise, shift) >> shift), fmt)
