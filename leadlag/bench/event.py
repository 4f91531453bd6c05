"""The event engine as it is measured: 256 neurons, each with a synapse to each, and how many cycles a tick takes."""

import numpy as np

from golden.event.network import EventNetwork
from golden.event.params import Dense, Neurons
from golden.event.parts import INPUT, Block, Population

#: neurons; bits of weights and delays, as those of the peers, and of what one of 256 sums may be
SIZE, WEIGHT_BITS, DELAY_BITS, SUM_BITS = 256, 4, 7, 12
#: spikes a tick for which it is measured
SPIKES = (1, 10, 100)
#: ticks before the ones that count: until spikes are visited for the last time
BEFORE, COUNTED = 1 << DELAY_BITS, 8


def described(lanes: int = 2, axonal: bool = False) -> EventNetwork:
    """The network: leaky neurons, a line for each, all to all with a delay of 1..127 a synapse (axonal: a source)."""
    return EventNetwork(
        name="event-256-axonal" if axonal else "event-256", lines=SIZE, raster=tuple(range(SIZE)), folded=lanes,
        populations=(Population(size=SIZE, leak=8),), weight_bits=WEIGHT_BITS, delay_bits=DELAY_BITS,
        blocks=(Block(source=0, target=0), Block(source=INPUT, target=0, kind="direct")), axonal=axonal,
        sum_bits=SUM_BITS)


def drawn(lanes: int = 2, axonal: bool = False, seed: int = 0) -> tuple[EventNetwork, tuple]:
    """The network with random weights of zero mean, delays from 1 on, and thresholds that some of it reaches."""
    net, rng = described(lanes, axonal), np.random.default_rng(seed)
    delay = rng.integers(1, net.max_delay + 1, (SIZE,) if axonal else (SIZE, SIZE))
    weight = rng.integers(-7, 8, (SIZE, SIZE))
    return net, (Neurons(threshold=rng.integers(20, 60, SIZE), decay=rng.integers(200, 257, SIZE)),
                 Dense(weight, delay))


def cycles_by_spikes(net: EventNetwork, params, spikes=SPIKES, seed: int = 0) -> dict[int, float]:
    """Mean cycles of a tick in which so many neurons fire, everything counted, from the compiled core.

    Which neurons is drawn for each tick; lines make them fire, as weights are 0, which takes as long as any others.
    """
    from sim.event.core import EventSimulation
    simulation, rng, found = EventSimulation(net), np.random.default_rng(seed), {}
    silent = (Neurons(threshold=np.ones(SIZE, int), decay=np.zeros(SIZE, int)),
              params[-1]._replace(weight=np.zeros((SIZE, SIZE), int)))
    for count in spikes:
        x = np.zeros((1, BEFORE + COUNTED + 1, SIZE), np.int64)
        for tick in x[0]:
            tick[rng.choice(SIZE, count, replace=False)] = 1
        simulation.load(silent)
        ran = simulation.run(x)
        if not np.array_equal(ran.outputs, x):
            raise AssertionError(f"{net.name}: other neurons fired than were to fire")
        found[count] = float(ran.cycles[BEFORE:].mean())
    return found
