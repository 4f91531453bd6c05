"""Random event-driven networks: populations of any options, any blocks, sparse synapses now and then."""

import random

from golden.event.network import EventNetwork
from golden.event.parts import CURRENTS, INPUT, RESETS, Block, Population


def event_network(rng: random.Random, largest: int) -> EventNetwork:
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
