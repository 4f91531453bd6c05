"""RISP networks on the event engine: drawn ones, spike for spike, in golden, in the circuit and on the simulated board.

The definition that all are compared with is golden.nir.risp, which tests hold against one of its lines.
"""

import random

import numpy as np

from golden.event.risp import convert, inputs
from golden.event.risp_frame import frame, framed, framed_inputs
from golden.image import build_image
from golden.nir.risp import Risp, Synapse, run
from leadlag.terminal import bars

NETWORKS, NEURONS, SYNAPSES = 200, 12, 64
#: least potentials; a board is built for each of them
LEAST = (0, -5, -99)


def drawn(rng: random.Random, longest: int, least: int) -> Risp:
    """A network: loops, several synapses a pair, any leak and threshold, inclusive or not."""
    n, leak = rng.randint(1, NEURONS), rng.choice(("all", "none", "each"))
    synapses = [Synapse(rng.randrange(n), rng.randrange(n), rng.randint(-9, 9), rng.randint(1, longest))
                for _ in range(rng.randint(0, 4 * n))]
    synapses += [rng.choice(synapses) for _ in range(rng.randint(0, 3))] if synapses else []
    return Risp(ids=tuple(range(n)), thresholds=tuple(rng.randint(-2, 9) for _ in range(n)), synapses=tuple(synapses),
                leaks=tuple(leak == "all" or leak == "each" and rng.random() < 0.5 for _ in range(n)),
                inputs=tuple(sorted(rng.sample(range(n), rng.randint(1, n)))), outputs=(), min_potential=least,
                inclusive=rng.random() < 0.5)


def events(rng: random.Random, net: Risp, steps: int) -> list[tuple[int, int, int]]:
    """Charges at inputs, several in a step now and then, 0 among them."""
    count = rng.randint(1, 2 * steps)
    return [(rng.randrange(steps), rng.choice(net.inputs), rng.randint(-3, 9)) for _ in range(count)]


def cases(least: int, count: int, seed: int = 0):
    """Networks with delays up to 15 and up to 127 in turn: (network, events, steps, spikes by the definition)."""
    rng = random.Random(f"risp {seed} {least}")
    for n in range(count):
        longest = (15, 127)[n % 2]
        net = drawn(rng, longest, least)
        steps = rng.randint(20, 40 + longest)
        given = events(rng, net, steps)
        yield net, given, steps, run(net, given, steps)[0]


def risp(console, networks: int = NETWORKS) -> dict:
    """RISP networks on the event engine: golden, circuit and simulated board against the definition, by spikes."""
    from firmware.board import Board
    from sim.event.core import EventSimulation
    from sim.harness.board import SimulatedBoard
    equal, spikes, done = {"golden": 0, "rtl": 0, "board": 0}, 0, 0
    with bars(console) as bar:
        task = bar.add_task("RISP networks", total=networks)
        for k, least in enumerate(LEAST):
            into = frame(f"risp-{-least}", neurons=NEURONS, synapses=SYNAPSES, delay_bits=7, min_potential=least)
            simulation = EventSimulation(into)
            with Board(SimulatedBoard(into), into) as board:
                for net, given, steps, want in cases(least, len(range(k, networks, len(LEAST)))):
                    charge = max((abs(charge) for _, _, charge in given), default=1) * len(given)
                    trained, params = convert(net, charge=charge), framed(net, into)
                    x = framed_inputs(into, given, steps)
                    simulation.load(params)
                    board.load(build_image(into, params))
                    found = {"golden": trained.net.run(trained.params, inputs(net, given, steps)),
                             "rtl": simulation.run(x).outputs, "board": board.run(x)}
                    for name, outputs in found.items():
                        equal[name] += bool(np.array_equal(outputs[0, :, :len(net.ids)], want))
                    spikes, done = spikes + int(want.sum()), done + 1
                    bar.advance(task)
    return {"networks": done, **{f"{name}_equal": count for name, count in equal.items()}, "spikes": spikes, "seed": 0}


GROUPS = {"event.risp": risp}
