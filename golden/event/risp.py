"""RISP networks (golden.nir.risp) as event-driven ones, to the bit: one population, all synapses sparse.

Thresholds that no charge is needed for (0 and below, or below min_potential) fire where something arrives; then every
input has a second line, whose synapse has weight 0: it says that an event has come, whatever its charge. A network that
shows its spikes late (fire_like_ravens) gives the same spikes: who shows them does so a step later.
"""

import numpy as np

from golden.checks import check
from golden.event.network import EventNetwork
from golden.event.params import Neurons, Sparse
from golden.event.parts import INPUT, MAX_STATE, Block, Population
from golden.event.trained import EventTrained
from golden.nir.risp import Risp


def touched(net: Risp) -> bool:
    """Whether it matters that an event comes, beside its charge."""
    return min(net.thresholds) + (not net.inclusive) <= max(0, net.min_potential)


def convert(net: Risp, name: str = "risp", *, charge: int | None = None, sequences: dict | None = None) -> EventTrained:
    """The event-driven network of a RISP network; its raster is the outputs, in their order, or all neurons.

    charge: the largest word that comes in at an input in a step, by default that of an input of 1.
    ValueError where charges, weights or delays are too large for a circuit.
    """
    charge = max(1, abs(int(net.factor / net.quantum))) if charge is None else charge
    size, lines = len(net.ids), len(net.inputs)
    weights = np.array([one.weight for one in net.synapses], np.int64)
    target = np.array([one.target for one in net.synapses], np.int64)
    order = [*net.inputs, *(n for n in range(size) if n not in set(net.inputs))]     # lines lead to the first ones
    place = np.argsort(order)
    into = np.zeros(size, np.int64)
    np.add.at(into, target, np.abs(weights))
    into[list(net.inputs)] += 1 << charge.bit_length()
    threshold = np.array(net.thresholds, np.int64) + (not net.inclusive)
    most = int((np.maximum(np.abs(threshold), abs(net.min_potential)) + 2 * into).max())
    state = most.bit_length() + 1
    check(state <= MAX_STATE, f"{name}: charges up to {most} take {state} bits, {MAX_STATE} at most")
    arrives = touched(net)
    late = np.arange(lines) if arrives else np.arange(0)
    source = np.concatenate([place[[one.source for one in net.synapses]].astype(np.int64), size + lines + late])
    sparse = Sparse(source, np.concatenate([place[target].astype(np.int64), late]),
                    np.concatenate([weights, 0 * late]),
                    np.concatenate([np.array([one.delay for one in net.synapses], np.int64), 0 * late]))
    leaks = len(set(net.leaks)) > 1 or net.leaks[0]
    found = EventNetwork(
        name=name, lines=lines * (1 + arrives), populations=(Population(
            size=size, state=max(2, state), leak=0 if leaks else None, floor=net.min_potential, on_arrival=arrives),),
        blocks=(Block(source=INPUT, target=0, kind="direct", count=lines),), entries=len(source),
        weight_bits=max(2, int(np.abs(weights).max(initial=0)).bit_length() + 1),
        delay_bits=max(1, net.longest.bit_length()), input_bits=charge.bit_length() + 1,
        sum_bits=max(2, int(into.max()).bit_length() + 1),
        raster=tuple(place[list(net.outputs or range(size))].tolist()))
    neurons = Neurons(threshold=threshold[order], decay=1 - np.array(net.leaks, np.int64)[order] if leaks else None)
    return EventTrained(net=found, params=(neurons, *((sparse,) if found.entries else ())),
                        training=sequences or {"format": "risp"})


def inputs(net: Risp, events, steps: int) -> np.ndarray:
    """Events (k, 3) as golden.nir.risp.run takes them -> x (1, steps, lines) of the converted network."""
    lines, arrives = len(net.inputs), touched(net)
    x = np.zeros((1, steps, lines * (1 + arrives)), np.int64)
    number = {neuron: n for n, neuron in enumerate(net.inputs)}
    for step, neuron, charge in events:
        x[0, step, number[neuron]] += charge
        if arrives:
            x[0, step, lines + number[neuron]] = 1
    return x
