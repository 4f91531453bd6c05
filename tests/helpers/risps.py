"""RISP networks for tests: drawn at random, and what they do by a second definition, event by event."""

from fractions import Fraction

from golden.nir.risp import Risp, Synapse


def draw(rng, longest: int = 15, neurons: int = 12) -> Risp:
    """A network of up to `neurons`: loops, several synapses a pair, every kind of leak and threshold."""
    n, discrete = rng.randint(1, neurons), rng.random() < 0.7
    leak = rng.choice(("all", "none", "each"))
    quantum = Fraction(1) if discrete else Fraction(1, rng.choice((2, 10, 8, 100)))
    synapses = [Synapse(rng.randrange(n), rng.randrange(n), rng.randint(-9, 9), rng.randint(1, longest))
                for _ in range(rng.randint(0, 4 * n))]
    synapses += [rng.choice(synapses) for _ in range(rng.randint(0, 3))] if synapses else []
    if synapses and rng.random() < 0.5:
        synapses.append(synapses[0]._replace(delay=longest))
    return Risp(ids=tuple(rng.sample(range(99), n)), thresholds=tuple(rng.randint(-2, 9) for _ in range(n)),
                leaks=tuple(leak == "all" or leak == "each" and rng.random() < 0.5 for _ in range(n)),
                synapses=tuple(synapses), inputs=tuple(sorted(rng.sample(range(n), rng.randint(1, n)))),
                outputs=tuple(sorted(rng.sample(range(n), rng.randint(0, n)))), min_potential=rng.choice((0, -5, -99)),
                inclusive=rng.random() < 0.5, late=rng.random() < 0.3, discrete=discrete, quantum=quantum,
                factor=rng.choice((1, 9, 3)) * quantum)


def events(net: Risp, rng, steps: int) -> list[tuple[int, int, int]]:
    """Charges at inputs, several in a step now and then, 0 among them."""
    return [(rng.randrange(steps), rng.choice(net.inputs), rng.randint(-3, 9))
            for _ in range(rng.randint(0, 2 * steps))] if steps else []


def fired(net: Risp, given, steps: int) -> set[tuple[int, int]]:
    """(step, neuron) of each spike: the lines of the document, one neuron and one event at a time."""
    waiting = {}
    for step, neuron, word in given:
        waiting.setdefault((step, neuron), []).append(word * net.quantum)
    charges, shown = {}, set()
    for step in range(steps):
        for neuron in range(len(net.ids)):
            came = waiting.pop((step, neuron), None)
            if came is None:
                continue
            charge = Fraction(0) if net.leaks[neuron] else charges.get(neuron, Fraction(0))
            least, threshold = net.min_potential * net.quantum, net.thresholds[neuron] * net.quantum
            charge = least if charge < least else charge
            for each in came:
                charge += each
            if charge > threshold or charge == threshold and net.inclusive:
                charge = Fraction(0)
                shown.add((step + net.late, neuron))
                for source, target, weight, delay in net.synapses:
                    if source == neuron:
                        waiting.setdefault((step + delay, target), []).append(weight * net.quantum)
            charges[neuron] = charge
    return {(step, neuron) for step, neuron in shown if step < steps}
