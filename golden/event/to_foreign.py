"""An event-driven network for others: as a graph of NIR, and as a RISP network; what has no equivalent is refused.

Numbers are words, so NIR's float is exact as long as nothing leaks by a part: what a decay rounds here, it does not
there, and no membrane saturates there. RISP is integers, and its neurons fire only where something arrives: with
thresholds above 0 that is no difference.
"""

import numpy as np

from golden.checks import check
from golden.event.engine import rows
from golden.event.params import parts
from golden.event.parts import INPUT
from golden.nir.build import FOR_EVER, Builder, Scale
from golden.nir.graph import Graph
from golden.nir.nodes import Affine, Input, Linear, Output
from golden.nir.risp import Risp, Synapse
from golden.nir.synapses import Table


def columns(net, params) -> Table:
    """All synapses, by flat numbers."""
    found = rows(net, params)
    return Table(np.repeat(np.arange(len(found.start) - 1), np.diff(found.start)), *found[1:])


def to_graph(net, params, dt: float, target: str = "nir") -> tuple[Graph, list[str]]:
    """The graph at `dt` seconds a tick, and lines that say what is not the same; ValueError names the population."""
    builder, notes, whole = Builder(Scale(1.0, dt, target)), [], columns(net, params)
    builder.door("input", Input, net.lines)
    heard = _heard(net, whole)
    for n, (population, p) in enumerate(zip(net.populations, parts(net, params).neurons, strict=True)):
        if n not in heard:      # NIR has no nodes that nobody takes
            continue
        _check(population, p, n)
        size, me = population.size, f"neurons_{n}"
        leak = _leak(p.decay, population.leak)
        current = None if population.current is None else _leak(p.current_decay, population.current_leak)
        check(current is None or bool(np.all(current) and np.all(leak)), f"population {n}: a current, or a membrane "
              "behind it, that does not leak has no time constant")
        builder.neurons(me, size, leak, p.threshold, current, 0 if p.reset is None else p.reset,
                        0 if p.bias is None or not np.any(leak) else
                        p.bias * population.unit / np.where(leak > 0, leak, 1 / FOR_EVER))
        if p.bias is not None and not np.any(leak):
            builder.nodes[f"bias_{n}"] = Affine(np.zeros((size, net.lines)), p.bias * population.unit)
            builder.edge("input", f"bias_{n}", me)
        if leak[(leak > 0) & (leak < 1)].size or current is not None and np.any(current < 1):
            notes.append(f"population {n}: its decay rounds here, and does not in NIR: spikes may differ")
        if population.current == "old":
            notes.append(f"population {n}: its membrane sees the current of a tick before: read it with --current old")
        into = np.flatnonzero((whole.target >= net.starts[n]) & (whole.target < net.starts[n + 1]))
        by, gain = net.population_of(whole.source[into]), builder.gain(leak) if current is None else 1.0
        for source in np.unique(by):
            own = Table(*(column[into[by == source]] for column in whole))
            lines = source == len(net.populations)
            first = net.neurons if lines else net.starts[source]
            own = Table(own.source - first, own.target - net.starts[n],
                        own.weight * population.unit * 2.0 ** (population.shift - population.current_shift), own.delay)
            count = net.lines if lines else net.populations[source].size
            builder.synapses(f"synapses_{'input' if lines else source}_{n}", "input" if lines else f"neurons_{source}",
                             me, own, (size, count), gain)
        if not any(b == me for _, b in builder.edges):
            _nothing(builder, net, n)
    if not any(a == "input" for a, _ in builder.edges):
        _nothing(builder, net, min(heard))
    _outputs(builder, net)
    notes.append("membranes do not saturate in NIR")
    return builder.graph(), notes


def _heard(net, synapses: Table) -> set[int]:
    """Populations that are looked at, or lead to one that is."""
    source, target = net.population_of(synapses.source), net.population_of(synapses.target)
    found, more = set(net.population_of(net.raster).tolist()), {-1}
    while more:
        more = set(source[np.isin(target, list(found))].tolist()) - found - {len(net.populations)}
        found |= more
    return found


def _nothing(builder: Builder, net, n: int) -> None:
    """Weights of 0 from the lines to a population that nothing leads into: NIR has no nodes without that."""
    builder.nodes[f"nothing_{n}"] = Linear(np.zeros((net.populations[n].size, net.lines)))
    builder.edge("input", f"nothing_{n}", f"neurons_{n}")


def _check(population, p, n: int) -> None:
    me = f"population {n}"
    check(population.reset in ("zero", "value"), f"{me}: NIR has no reset by subtraction")
    check(population.floor is None, f"{me}: NIR has no lower bound of a membrane")
    check(not population.on_arrival or _waits(population, p), f"{me}: in NIR a neuron fires whether or not something "
                                                              "arrives")


def _waits(population, p) -> bool:
    """Whether a neuron can fire only where something arrives."""
    return population.current is None and p.bias is None and bool(np.all(np.asarray(p.threshold) > 0))


def _leak(decay, bits) -> np.ndarray:
    return np.zeros(1) if decay is None else 1 - np.asarray(decay, float) / 2.0 ** bits


def _outputs(builder: Builder, net) -> None:
    """An Output for each population that is looked at."""
    raster = np.array(net.raster)
    chosen = net.population_of(raster)
    for n in dict.fromkeys(chosen.tolist()):
        name = "output" if len(set(chosen.tolist())) == 1 else f"output_{n}"
        own, size = raster[chosen == n] - net.starts[n], net.populations[n].size
        builder.door(name, Output, len(own))
        if np.array_equal(own, np.arange(size)):
            builder.edge(f"neurons_{n}", name)
        else:
            builder.nodes[f"{name}_choice"] = Linear(np.eye(size)[own])
            builder.edge(f"neurons_{n}", f"{name}_choice", name)


# ---- RISP

def to_risp(net, params) -> tuple[Risp, list[str]]:
    """(network, what is not the same in it). ValueError names the population that RISP has no neurons like."""
    found, notes = parts(net, params), []
    floors = {each.low if each.floor is None else each.floor for each in net.populations}
    check(len(floors) == 1, "populations differ in the lower bound of their membranes: RISP has one")
    for n, (population, p) in enumerate(zip(net.populations, found.neurons, strict=True)):
        me = f"population {n}"
        check(population.fires, f"{me}: in RISP all neurons fire")
        check(population.reset == "zero" and population.current is None and p.bias is None,
              f"{me}: RISP has no currents and no biases, and resets to 0")
        check(p.decay is None or population.leak == 0, f"{me}: in RISP all leaks, or nothing")
        check(population.on_arrival or _waits(population, p), f"{me}: in RISP a neuron fires only where something "
                                                              "arrives")
    synapses = columns(net, params)
    shift = np.array([each.shift for each in net.populations])
    weight = synapses.weight << shift[net.population_of(synapses.target)]
    lines, late = _lines(net, synapses)
    if late:
        notes.append("everything happens a step later: a neuron of its own stands for each line")
    thresholds = np.concatenate([np.asarray(p.threshold) for p in found.neurons])
    leaks = np.concatenate([np.zeros(each.size, bool) if p.decay is None else np.asarray(p.decay) == 0
                            for each, p in zip(net.populations, found.neurons, strict=True)])
    extra = net.lines if late else 0
    early = (synapses.delay == 0) & (synapses.source < net.neurons)
    check(not np.any(early), "a synapse of no delay between populations: in RISP it takes a step at least")
    use = np.flatnonzero((synapses.source < net.neurons) | late)
    made = tuple(Synapse(*map(int, each)) for each in zip(
        synapses.source[use], synapses.target[use], weight[use],
        synapses.delay[use] + (synapses.source[use] >= net.neurons), strict=True))
    return Risp(ids=tuple(range(net.neurons + extra)), thresholds=(*map(int, thresholds), *[1] * extra),
                leaks=(*map(bool, leaks), *[True] * extra), synapses=made, inputs=tuple(lines),
                outputs=tuple(net.raster), min_potential=floors.pop()), notes


def _lines(net, synapses: Table) -> tuple[list[int], bool]:
    """The neuron that stands for each line; whether these are neurons of their own."""
    if net.dense and any(block.source == INPUT for block in net.dense) or not net.direct:
        direct = np.zeros(0, np.int64)
    else:
        direct = np.flatnonzero(synapses.source >= net.neurons)
    source, target = synapses.source[direct] - net.neurons, synapses.target[direct]
    if len(direct) == net.lines and np.array_equal(np.sort(source), np.arange(net.lines)) \
            and len(np.unique(target)) == len(target) and not np.any(synapses.delay[direct]) \
            and np.all(synapses.weight[direct] == 1):
        return [int(each) for each in target[np.argsort(source)]], False
    check(net.input_bits == 1, "lines carry values, and lead to more than a neuron each: RISP has no such input")
    return list(range(net.neurons, net.neurons + net.lines)), True
