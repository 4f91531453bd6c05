"""What random networks are drawn with: numbers, formats, and again what does not go together."""

import random

from golden.fixed import QFormat


def pick(rng: random.Random, low: int, high: int) -> int:
    """A number in low..high, each end in one of six draws and more."""
    return rng.choice((low, high, *[rng.randint(low, high)] * 4))


def valid(make):
    """The first of what `make` gives that is a valid description."""
    for _ in range(300):
        try:
            return make()
        except ValueError:
            pass
    raise ValueError("nothing goes together with what was drawn before")


def word_format(rng, widest: int, *, least_int: int = -3, least_frac: int = 0, most_frac: int = 16) -> QFormat:
    """A format of 2 to `widest` bits."""
    width = pick(rng, 2, widest)
    frac = rng.randint(least_frac, max(least_frac, min(most_frac, width - 1 - least_int)))
    return QFormat(width - 1 - frac, frac)
