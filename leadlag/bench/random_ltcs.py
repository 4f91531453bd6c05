"""The host of a random liquid-time-constant network (leadlag.bench.random_hosts), with golden tick by tick beside."""

import numpy as np

from golden.image import build_image
from golden.ltc import engine
from golden.regmap import FIRST_BIT, TEACH_BIT, WORD_MASK
from leadlag.bench.random_hosts import RESET, Host
from rtl.ltc.schedule import cycles_per_tick, latency
from sim.harness.script import Idle, Reset

_MODES = ("random", "random", "random", "ends", "zero", "min", "max", "still")


def params_of(net, rng: np.random.Generator) -> tuple:
    """Parameters of any size; in one of four, whole arrays are at the ends of their formats."""
    params = engine.random_params(net, rng)
    if rng.random() < 0.75:
        return params
    found = []
    for layer, own in zip(net.layers, params, strict=True):
        ends = {name: rng.choice((fmt.min, fmt.max, 0, -1), shape)
                for name, (shape, fmt) in layer.shapes().items() if rng.random() < 0.4}
        found.append(own._replace(**ends))
    return tuple(found)


class LtcHost(Host):
    """Ticks of any input; sequences start at a mark on any word of a vector, or where an image was put in force."""

    actions = ("run",) * 5 + ("load", "load_behind", "repeat", "refused", "reset", "full")

    def __init__(self, net, *args, **options):
        super().__init__(net, *args, **options)
        #: golden's; None: the next tick begins a sequence
        self.state, self.params, self.behind, self.period = None, None, [], cycles_per_tick(net)

    def any_params(self):
        """Parameters of the network."""
        return params_of(self.net, self.words)

    def room(self):
        """Ticks whose outputs may wait: one vector more is taken, and then no word."""
        return self.buffered

    def new_image(self):
        """Words of every layer."""
        self.params = self.any_params()
        self.pairs = build_image(self.net, self.params).pairs.tolist()

    def take_image(self):
        """What is in force anew begins a sequence."""
        self.state = None

    def load(self):
        """Between ticks where there is one half only: it is loaded in place."""
        if self.net.halves == 1:
            yield from self.drain()
        yield from super().load()

    def commit(self):
        """While no tick is under way: which is the first with the new words is not for the host to say otherwise."""
        yield from self.drain()
        yield from super().commit()
        self.take_image()

    def lost_image(self):
        """Of two halves the other one is still in force; of one, nothing."""
        if self.net.halves == 2:
            return
        self.expect((yield from self.get("status")) & 1, 0, "bit 0 of status after a load that was refused")
        if self.pairs is not None:
            yield from self.send_image(self.pairs)
            yield from self.commit()

    def load_behind(self):
        """Words of an image between those of a run, in force behind it."""
        if self.net.halves == 1:
            yield from self.load()
            return
        before = self.params
        self.new_image()
        after, self.params = self.params, before
        yield from self.put("load_begin", 1)
        self.behind = list(reversed(self.pairs))
        yield from self.run()
        while self.behind:
            yield from self.access(True, *self.behind.pop())
        self.params = after
        yield from self.commit()

    def full(self):
        """As many ticks as go into the output queue and one more, which waits."""
        tick = max(self.period, self.net.outputs * (1 if self.bare else 14))
        if (self.buffered + 1) * tick < self.budget // 2:
            yield from self.drain()
            greed, self.greed = self.greed, 0.0
            yield from self.run(self.buffered + 1)
            yield Idle((self.buffered + 2) * self.period + latency(self.net))
            self.greed = greed

    def run(self, ticks: int | None = None):
        """Ticks; a sequence starts at the first word, elsewhere, or goes on."""
        rng = self.rng
        ticks = ticks or min(rng.choice((1, 2, 3, 5, 8, 13)), max(2, self.budget // (4 * self.period)))
        mode, still = rng.choice(_MODES), None
        for n in range(ticks):
            first = self.state is None or rng.random() < (0.4 if n == 0 else 0.08)
            x = self.vector(mode)
            if mode == "still":
                still = x = x if still is None else still
            # behind an image a sequence begins without a mark, too
            marked = first and (self.state is not None or rng.random() < 0.7)
            where = rng.choice((0, rng.randrange(len(x)))) if marked else None
            for k, word in enumerate(x):
                for _ in range(rng.choice((0, 0, 1, 4)) if self.behind else 0):
                    if self.behind:
                        yield from self.access(True, *self.behind.pop())
                flags = rng.choice((0, 3)) << TEACH_BIT
                yield from self.input(int(word) & WORD_MASK | flags | (k == where) << FIRST_BIT)
            self.expected(x, first)

    def expected(self, x, first: bool) -> None:
        """What golden gives for a tick."""
        state = engine.rest(self.net, 1) if first else self.state
        tick = engine.network_step(state, x[None], self.params, self.net)
        self.state, y = tick.state, tick.readout.y[0]
        self.due += [(int(word), int(n == len(y) - 1), f"tick {self.sent}, output {n}") for n, word in enumerate(y)]
        self.sent += 1
        self.ticks += 1

    def vector(self, mode: str):
        """An input vector."""
        fmt, size = self.net.layers[0].operand, self.net.inputs
        ends = {"zero": [0], "min": [fmt.min], "max": [fmt.max], "ends": [fmt.min, fmt.max, -1, 0]}
        if mode in ends:
            return self.words.choice(np.array(ends[mode]), size)
        return self.words.integers(fmt.min, fmt.max + 1, size)

    def reset(self):
        """The button, at rest or amid a tick; the host loads again."""
        if not self.button:
            return
        if self.rng.random() < 0.5:
            yield from self.drain()
        else:
            yield from self.run(self.rng.randint(1, 3))
            yield Idle(self.rng.randint(0, 2 * self.period))
        self.cost += RESET
        yield Reset(RESET)
        self.due.clear()
        self.received, self.ticks, self.state = self.sent, 0, None
        yield from self.load()

    def finish(self):
        """What is left, and the counters."""
        yield from self.drain()
        self.expect((yield from self.get("ticks")), self.ticks, "ticks")
        self.expect((yield from self.get("errors")), 0, "errors")
