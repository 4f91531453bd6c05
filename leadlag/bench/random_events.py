"""A host of event-driven networks that does odd but lawful things to them, with golden tick by tick beside."""

import numpy as np

from golden.event import engine, words
from golden.event.params import random_params
from golden.image import build_image
from golden.regmap import FIRST_BIT
from leadlag.bench.random_hosts import RESET, InPlaceHost
from sim.harness.script import Reset


class EventHost(InPlaceHost):
    """Ticks of any input, that go on where the last ones ended, begin anew, or are cut short."""

    actions = (*("run",) * 6, "load", "repeat", "refused", "partial", "drop", "reset")
    polls = 20_000
    #: a sequence begins with a cycle a sum
    least_budget = 5_000

    def __init__(self, net, *args, **options):
        super().__init__(net, *args, **options)
        #: golden's; None: the next tick begins a sequence
        self.state, self.params, self.rows = None, None, None

    def any_params(self):
        return random_params(self.net, self.words, fill=self.rng.choice((0.0, 0.5, 1.0)))

    def new_image(self):
        """Words of any size."""
        self.params = self.any_params()
        self.rows = engine.rows(self.net, self.params)
        self.pairs = build_image(self.net, self.params).pairs.tolist()

    def take_image(self):
        self.state = None

    def commit(self):
        """What is in force anew begins a sequence."""
        yield from super().commit()
        self.state = None

    def values(self) -> np.ndarray:
        """What lines are given in a tick."""
        high, rate = 1 << self.net.input_bits - 1, self.rng.choice((0.0, 0.1, 0.5, 1.0))
        drawn = self.words.integers(-high, high, self.net.lines) if self.net.input_bits > 1 else 1
        return np.where(self.words.random(self.net.lines) < rate, drawn, 0)

    def tick(self, *, end: int = words.TICK, first: bool | None = None):
        """A tick; first: whether it begins a sequence. Its last word is of kind `end`."""
        first = self.state is None or (self.rng.random() < 0.1 if first is None else first)
        x = self.values()
        sent = self.net.units(x[None, None]).words.tolist()
        sent[-1] = end << words.KIND_SHIFT | (1 << FIRST_BIT if len(sent) == 1 else 0)
        if not first:
            sent[0] &= (1 << FIRST_BIT) - 1
        for word in sent:
            yield from self.input(word)
        if first:
            self.state = None
        if end == words.DROP and len(sent) == 1:
            self.state = self.state if not first else engine.rest(self.net, 1)
            return
        spikes, self.state = engine.advance(self.net, self.params, x[None, None], self.state, self.rows)
        answer = words.answered(self.net, spikes)
        self.due += [(int(word), int(n == len(answer) - 1), f"tick {self.sent}, word {n}")
                     for n, word in enumerate(answer)]
        self.sent += 1
        self.ticks += 1

    def run(self):
        """Some ticks."""
        for _ in range(self.rng.choice((1, 3, 8, 40))):
            yield from self.tick()

    def part(self):
        """Words of a tick whose end never comes."""
        for word in self.net.units(self.values()[None, None]).words.tolist()[:-1]:
            yield from self.input(word & (1 << FIRST_BIT) - 1)
        self.state = None

    def partial(self):
        """A sequence begins behind what was cut short, and knows nothing of it."""
        if self.state is not None:
            yield from self.part()
        yield from self.tick()

    def drop(self):
        """What is cut short is a tick, too, unless nothing has come."""
        yield from self.tick(end=words.DROP)
        yield from self.tick(end=words.DROP, first=False)

    def reset(self):
        """The button, at times in the middle of a tick."""
        if not self.button:
            return
        yield from self.drain()
        if self.rng.random() < 0.5 and self.state is not None:
            yield from self.part()
        self.cost += RESET
        yield Reset(RESET)
        self.ticks, self.state = 0, None
        yield from self.load()

    def finish(self):
        """What is left, and the counters."""
        yield from self.drain()
        self.expect((yield from self.get("ticks")), self.ticks, "ticks")
        self.expect((yield from self.get("errors")), 0, "errors")
