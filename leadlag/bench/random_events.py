"""Random event-driven networks, and a host that does odd but lawful things to them, with golden tick by tick beside.

One of them again: python -m leadlag.bench.random_events INDEX SEED
"""

import random
import sys
import time
from collections import Counter

import numpy as np

from golden.event import engine, words
from golden.event.network import EventNetwork
from golden.event.params import random_params
from golden.event.parts import CURRENTS, INPUT, RESETS, Block, Population
from golden.image import build_image
from golden.regmap import FIRST_BIT
from leadlag.bench.random_hosts import RESET, InPlaceHost
from leadlag.terminal import bars
from rtl.event.core import EventCore
from rtl.host.top import NetworkTop
from sim.harness import script
from sim.harness.bare import Bare
from sim.harness.script import Reset

SEED, NETWORKS, BUDGET = 1, 24, 12_000


def network(rng: random.Random, largest: int = 9) -> EventNetwork:
    """1 to 3 populations of any options, any blocks, sparse synapses now and then."""
    populations = tuple(_population(rng, largest) for _ in range(rng.choice((1, 1, 2, 3))))
    lines, blocks, fires = rng.randint(1, largest), [], [each.fires for each in populations for _ in range(each.size)]
    neurons, sources = len(fires), [INPUT, *(n for n, each in enumerate(populations) if each.fires)]
    for _ in range(rng.choice((0, 1, 2, 3))):
        source, target = rng.choice(sources), rng.randrange(len(populations))
        size = lines if source == INPUT else populations[source].size
        first = rng.choice((0, 0, rng.randrange(size)))
        blocks.append(Block(source=source, target=target, first=first,
                            count=rng.choice((None, rng.randint(1, size - first)))))
    if rng.random() < 0.4:
        target = rng.randrange(len(populations))
        count = rng.randint(1, min(lines, populations[target].size))
        blocks.append(Block(source=INPUT, target=target, kind="direct", count=count,
                            first=rng.randint(0, lines - count),
                            into=rng.randint(0, populations[target].size - count)))
    entries, chosen = rng.randint(1, 3 * neurons), set(rng.sample(range(neurons), rng.randint(1, neurons)))
    shown = [n for n, one in enumerate(fires) if n in chosen or not one]
    return EventNetwork(
        name="random", lines=lines, populations=populations, blocks=tuple(blocks),
        entries=rng.choice((0, entries)) if blocks else entries, weight_bits=rng.randint(2, 9),
        delay_bits=rng.choice((1, 2, 5, 6, 7)), axonal=rng.random() < 0.3, folded=rng.choice((1, 1, 2, 4)),
        input_bits=rng.choice((1, 1, rng.randint(2, 8))),
        raster=tuple(rng.sample(shown, len(shown))))


def _population(rng: random.Random, largest: int) -> Population:
    state, current = rng.choice((2, rng.randint(6, 18), 18)), rng.choice((None, None, *CURRENTS))
    low, fires = -1 << state - 1, rng.random() < 0.8
    return Population(
        size=rng.randint(1, largest), state=state, shift=rng.choice((0, 0, 1, 16)), current=current,
        leak=rng.choice((None, 0, rng.randint(1, 16))), bias=rng.random() < 0.3, fires=fires,
        reset=rng.choice(RESETS) if fires else "zero",
        floor=rng.choice((None, None, 0, rng.randint(low, -low - 1))), on_arrival=fires and rng.random() < 0.3,
        current_leak=rng.choice((None, rng.randint(0, 16))) if current else None,
        current_shift=rng.choice((0, 2, 16)) if current else 0)


class EventHost(InPlaceHost):
    """Ticks of any input, that go on where the last ones ended, begin anew, or are cut short."""

    actions = (*("run",) * 6, "load", "repeat", "refused", "partial", "drop", "reset")
    polls = 20_000

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


def check(index: int, seed: int = SEED) -> tuple[EventHost, int]:
    """Draw network number `index` of `seed`, and compare its circuit with golden: the host, and cycles."""
    rng, numbers = random.Random(f"event {seed}/{index}"), np.random.default_rng([seed, index])
    while True:
        try:
            net = network(rng)
            break
        except ValueError:      # fields that do not go together are drawn again
            pass
    bare = rng.random() < 0.7
    host = EventHost(net, rng, numbers, budget=BUDGET, button=True, bare=bare)
    if not bare:
        return host, script.amaranth(NetworkTop(net), host.script())
    host.device = Bare(EventCore(net), pace_in=host.pace_in, pace_out=host.pace_out, seed="stalls")
    return host, host.device.run(host.script())


def random_events(console, *, seed: int = SEED, networks: int = NETWORKS) -> dict:
    """Random event-driven networks, circuit against golden word for word, with resets, reloads and cut sequences."""
    began, actions, compared, cycles = time.monotonic(), Counter(), 0, 0
    with bars(console) as bar:
        task = bar.add_task("random event-driven networks", total=networks)
        for index in range(networks):
            try:
                host, took = check(index, seed)
            except Exception as error:
                raise RuntimeError(f"network {index} of seed {seed}: {error}") from error
            actions.update(host.trace)
            compared, cycles = compared + host.compared, cycles + took
            bar.advance(task)
    return {"networks": networks, "equal": networks, "seed": seed, "words_compared": compared, "cycles": cycles,
            "actions": dict(sorted(actions.items())), "wall_s": round(time.monotonic() - began)}


GROUPS = {"event.random": random_events}


if __name__ == "__main__":
    found, taken = check(*map(int, sys.argv[1:]))
    print(f"{found.compared} words equal in {taken} cycles: {', '.join(found.trace)}\n{found.net.to_json()}")
