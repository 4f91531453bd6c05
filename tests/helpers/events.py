"""Event-driven networks for tests: drawn at random, and what they do by a second definition, event by event."""

import random

import numpy as np

from golden.event.network import EventNetwork
from golden.event.params import parts, random_params
from golden.event.parts import CURRENTS, INPUT, RESETS, Block, Population


def population(rng: random.Random, largest: int) -> Population:
    """Any options."""
    state = rng.randint(6, 18)
    current = rng.choice((None, None, *CURRENTS))
    fires = rng.random() < 0.8
    return Population(
        size=rng.randint(1, largest), state=state, shift=rng.choice((0, 0, 1, 3)), fires=fires,
        leak=rng.choice((None, 0, rng.randint(1, 16))), bias=rng.random() < 0.3,
        reset=rng.choice(RESETS) if fires else "zero",
        floor=rng.choice((None, None, 0, -rng.randint(1, 1 << state - 2), 3)), on_arrival=fires and rng.random() < 0.3,
        current=current, current_leak=rng.choice((None, rng.randint(0, 16))) if current else None,
        current_shift=rng.choice((0, 2)) if current else 0)


def random_network(seed: str, *, largest: int = 20, lanes=None, **more) -> EventNetwork:
    """1 to 3 populations, any blocks, sparse synapses now and then."""
    rng = random.Random(seed)
    populations = tuple(population(rng, largest) for _ in range(rng.randint(1, 3)))
    lines, pops = rng.randint(1, largest), len(populations)
    blocks = []
    for _ in range(rng.randint(0, 3)):
        source = rng.choice([INPUT, *(n for n, each in enumerate(populations) if each.fires)])
        size = lines if source == INPUT else populations[source].size
        first = rng.choice((0, 0, rng.randrange(size)))
        blocks.append(Block(source=source, target=rng.randrange(pops), first=first,
                            count=rng.choice((None, rng.randint(1, size - first)))))
    if rng.random() < 0.4:
        target = rng.randrange(pops)
        count = rng.randint(1, min(lines, populations[target].size))
        blocks.append(Block(source=INPUT, target=target, kind="direct", count=count,
                            first=rng.randint(0, lines - count),
                            into=rng.randint(0, populations[target].size - count)))
    neurons = sum(each.size for each in populations)
    fields = {"entries": rng.choice((0, rng.randint(1, 3 * neurons))) if blocks else rng.randint(1, 3 * neurons),
              "delay_bits": rng.choice((1, 3, 5, 6, 7)), "axonal": rng.random() < 0.3,
              "input_bits": rng.choice((1, 1, rng.randint(2, 8))),
              "folded": rng.choice((1, 1, 2, 4)) if lanes is None else lanes}
    # a sum has 24 bits
    fields["weight_bits"] = rng.choice((2, 3, 5, 9, 14, 16)) if fields["input_bits"] == 1 else rng.randint(2, 9)
    return EventNetwork(name="random", lines=lines, populations=populations, blocks=tuple(blocks),
                        raster=raster(rng, populations), **fields | more)


def raster(rng: random.Random, populations) -> tuple[int, ...]:
    """Any neurons, and all that do not fire, in any order."""
    fires = [each.fires for each in populations for _ in range(each.size)]
    chosen = set(rng.sample(range(len(fires)), rng.randint(1, len(fires))))
    found = [n for n, one in enumerate(fires) if n in chosen or not one]
    return tuple(rng.sample(found, len(found)))


def case(seed: str, samples: int = 2, **options):
    """A network that fits its memories, its parameters, and sequences for it."""
    for again in range(50):
        net = random_network(f"{seed} {again}", **options)
        rng = np.random.default_rng([*f"{seed} {again}".encode()])
        params = random_params(net, rng, fill=0.8)
        try:
            net.check(params)
            net.pack(params)
        except ValueError:      # too many sparse synapses for one lane
            continue
        return net, params, net.drawn(rng, samples)
    raise AssertionError(seed)


def left(net: EventNetwork, params, x) -> np.ndarray:
    """What leaves all neurons (ticks, neurons) for one sequence x (ticks, lines): a neuron and a synapse at a time."""
    found = parts(net, params)
    synapses = []       # source, target, weight, delay
    for block, p in zip(net.dense, found.dense, strict=True):
        for (k, j), weight in np.ndenumerate(p.weight):
            base = net.neurons if block.source == INPUT else net.starts[block.source]
            synapses.append((base + block.first + j, net.starts[block.target] + k, int(weight),
                             int(p.delay[j] if net.axonal else p.delay[k, j])))
    for block in net.direct:
        synapses += [(net.neurons + block.first + k, net.starts[block.target] + block.into + k, 1, 0)
                     for k in range(net.count(block))]
    if found.sparse is not None:
        synapses += [tuple(map(int, each)) for each in zip(*found.sparse, strict=True)]
    into = {}
    for source, target, weight, delay in synapses:
        into.setdefault(target, []).append((source, weight, delay))
    sent = {}           # (tick, source) -> value
    v, c, spikes = [0] * net.neurons, [0] * net.neurons, np.zeros((len(x), net.neurons), int)
    for n in range(len(x)):
        sent |= {(n, net.neurons + line): int(value) for line, value in enumerate(x[n]) if value}
        for k, (pop, p) in enumerate(zip(net.populations, found.neurons, strict=True)):
            for i in range(pop.size):
                me = net.starts[k] + i
                came = [(weight, sent[n - delay, source]) for source, weight, delay in into.get(me, ())
                        if (n - delay, source) in sent]
                arrived = sum(weight * value for weight, value in came) * 2 ** pop.shift
                word = {name: int(value[i]) for name, value in p._asdict().items() if value is not None}
                v[me], c[me], fires = _neuron(pop, word, v[me], c[me], arrived, bool(came),
                                              n > 0 and bool(spikes[n - 1, me]))
                spikes[n, me] = fires if pop.fires else v[me]
                if fires:
                    sent[n, me] = 1
    return spikes


def _neuron(pop, word, v, c, arrived, came, before):
    def clip(value):
        return max(-2 ** (pop.state - 1), min(2 ** (pop.state - 1) - 1, value))

    def part(value, factor, bits):
        """Nearest, ties up."""
        return value if factor is None else (2 * value * factor + 2 ** bits) // 2 ** (bits + 1)

    v = part(v, word.get("decay"), pop.leak)
    v = v if pop.floor is None else max(v, pop.floor)
    total = v + word.get("bias", 0) - (word["reset"] if pop.reset == "late" and before else 0)
    if pop.current is None:
        total += arrived
    else:
        old, c = c, clip(part(c, word.get("current_decay"), pop.current_leak) + arrived)
        total += part(c if pop.current == "new" else old, 1, pop.current_shift)
    v = clip(total)
    fires = pop.fires and v >= word["threshold"] and (came or not pop.on_arrival)
    if fires and pop.reset != "late":
        v = {"zero": 0, "value": word.get("reset"), "subtract": clip(v - word.get("reset", 0))}[pop.reset]
    return v, c, fires
