"""One circuit for many RISP networks: all that a board is built for once, and networks that are loaded into it.

Neuron n of a network is neuron n of the frame. Every neuron has two lines: n carries charges, neurons + n says by a
synapse of weight 0 that an event has come. Neurons that a network has not are never reached, and so never fire.
"""

import numpy as np

from golden.checks import check
from golden.event.network import EventNetwork
from golden.event.params import Neurons, Sparse
from golden.event.parts import INPUT, Block, Population
from golden.nir.risp import Risp


def frame(name: str = "risp", *, neurons: int, synapses: int, delay_bits: int = 4, weight_bits: int = 8,
          charge_bits: int = 9, state: int = 18, min_potential: int = -128) -> EventNetwork:
    """The description for networks of up to so many neurons and synapses, all of one min_potential.

    charge_bits: of the word that comes in at an input in a step.
    """
    return EventNetwork(
        name=name, lines=2 * neurons, entries=synapses + neurons, weight_bits=weight_bits, delay_bits=delay_bits,
        input_bits=charge_bits, sum_bits=state, raster=tuple(range(neurons)), populations=(
            Population(size=neurons, state=state, leak=0, floor=min_potential, on_arrival=True),),
        blocks=(Block(source=INPUT, target=0, kind="direct", count=neurons),))


def framed(net: Risp, into: EventNetwork) -> tuple:
    """Parameters of a network in a frame; ValueError where it does not fit."""
    size, own = into.neurons, len(net.ids)
    check(own <= size, f"{into.name} has {size} neurons, not {own}")
    check(net.min_potential == into.populations[0].floor,
          f"{into.name} was built for a min_potential of {into.populations[0].floor}, not {net.min_potential}")
    threshold, decay = np.full(size, into.populations[0].high), np.zeros(size, np.int64)
    threshold[:own] = np.array(net.thresholds, np.int64) + (not net.inclusive)
    decay[:own] = 1 - np.array(net.leaks, np.int64)
    columns = np.array([tuple(one) for one in net.synapses], np.int64).reshape(-1, 4)
    each = np.array(net.inputs, np.int64)
    events = np.column_stack([2 * size + each, each, 0 * each, 0 * each])
    params = (Neurons(threshold, decay), Sparse(*np.concatenate([columns, events]).T))
    into.check(params)
    return params


def framed_inputs(into: EventNetwork, events, steps: int) -> np.ndarray:
    """Events (k, 3) as golden.nir.risp.run takes them -> x (1, steps, lines)."""
    x = np.zeros((1, steps, into.lines), np.int64)
    for step, neuron, charge in events:
        x[0, step, neuron] += charge
        x[0, step, into.neurons + neuron] = 1
    return x
