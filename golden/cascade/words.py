"""Frames on the way to a board, and its answers: what firmware, simulation and circuit agree on.

A frame is two words and its values, row after row, channels innermost. Word 0: steps in bits 3..0, CUT_BIT (what the
network remembers of earlier frames is forgotten first), SERIAL_BIT (a block works once, when all blocks below it have
contributed), the rule of the early exit in bits 7..6. Word 1: its threshold.
A word with END_BIT, wherever it comes, ends a frame that was cut short: nothing comes of it. Where the network has a
detector, a frame that differs much from the one before is a cut as well, and so is one behind a frame cut short.
For each step come the logits and a word of what happened: the step in bits 3..0, COMPUTED_BIT (unset behind an exit:
logits are 0 then), EXIT_BIT in the last computed step, and from BLOCKS_BIT on a bit a block that worked.
"""

from typing import NamedTuple

import numpy as np

from golden.checks import check

CUT_BIT, SERIAL_BIT, RULE_SHIFT, END_BIT = 4, 5, 6, 17
COMPUTED_BIT, EXIT_BIT, BLOCKS_BIT = 4, 5, 6
#: a frame has its steps in 4 bits
MAX_STEPS = 15
HEADER_WORDS = 2
#: when a frame is answered: behind its last step; when the two largest logits are so far apart, or when the largest
#: softmax is so large
RULES = ("never", "margin", "softmax")
#: fraction bits of 1 / q, the threshold of "softmax"
INVERSE_FRACTION = 11
MAX_THRESHOLD = (1 << END_BIT) - 1


class Header(NamedTuple):
    """What a frame is told with; threshold is a word."""

    steps: int
    cut: bool = True
    serial: bool = False
    rule: str = "never"
    threshold: int = 0

    @property
    def words(self) -> tuple[int, int]:
        check(1 <= self.steps <= MAX_STEPS, f"a frame has 1 to {MAX_STEPS} steps, not {self.steps}")
        check(self.rule in RULES, f"rule must be one of {', '.join(RULES)}, not {self.rule!r}")
        check(0 <= self.threshold <= MAX_THRESHOLD,
              f"a threshold is a word of 0 to {MAX_THRESHOLD}, not {self.threshold}")
        return (self.steps | self.cut << CUT_BIT | self.serial << SERIAL_BIT | RULES.index(self.rule) << RULE_SHIFT,
                self.threshold)


def header(words) -> Header:
    """The header of its two words."""
    first, threshold = (int(word) for word in words)
    rule = first >> RULE_SHIFT & 3
    check(rule < len(RULES), f"a frame has a rule of 0 to {len(RULES) - 1}, not {rule}")
    found = Header(first & 15, bool(first >> CUT_BIT & 1), bool(first >> SERIAL_BIT & 1), RULES[rule], threshold)
    check(found.steps >= 1 and first >> RULE_SHIFT + 2 == 0, f"0x{first:x} is no header of a frame")
    return found


def drawn(rng: np.random.Generator, steps: int, classes: int) -> Header:
    """A random header; thresholds are such that some frames reach them."""
    rule = str(rng.choice(RULES))
    least = 1 << INVERSE_FRACTION       # of the sum of exp, 1 to as many as there are classes
    threshold = {"never": 0, "margin": int(rng.choice((0, 30, 300, 3000, 30_000))),
                 "softmax": int(rng.integers(least, least * classes))}[rule]
    return Header(steps, bool(rng.random() < 0.6), bool(rng.random() < 0.3), rule, threshold)


def threshold_word(rule: str, value: float, fraction: int) -> int:
    """The word of a threshold: a margin in logits, or a softmax in 0..1; ValueError outside."""
    if rule == "margin":
        check(0 <= value <= MAX_THRESHOLD / (1 << fraction),
              f"a margin must be in 0..{MAX_THRESHOLD / (1 << fraction):g}, not {value!r}")
        return round(value * (1 << fraction))
    if rule == "softmax":
        check(0 <= value <= 1, f"a threshold of softmax must be in 0..1, not {value!r}")
        return MAX_THRESHOLD if value * MAX_THRESHOLD < 1 << INVERSE_FRACTION else \
            round((1 << INVERSE_FRACTION) / value)
    check(rule == "never", f"rule must be one of {', '.join(RULES)}, not {rule!r}")
    return 0


class Steps(NamedTuple):
    """Of outputs (n, steps, classes + 1): logits (n, steps, classes), computed and exits (n, steps), blocks."""

    logits: np.ndarray
    computed: np.ndarray
    exits: np.ndarray
    blocks: np.ndarray


def split(outputs) -> Steps:
    """Outputs of `run` by what they say."""
    said = outputs[..., -1]
    return Steps(outputs[..., :-1], (said >> COMPUTED_BIT & 1).astype(bool), (said >> EXIT_BIT & 1).astype(bool),
                 said >> BLOCKS_BIT)
