"""A network of delays as a graph of NIR: what it means there, and what has no equivalent.

Numbers are those of the words, times the unit of the membrane, a power of two. Leaks round down here (golden.spiking
.engine) and do not there: with `leak` the graph is near, without it equal, spike for spike, as long as no membrane
saturates. A neuron that spikes once an image has a synapse to itself that holds it down from then on.
"""

import numpy as np

from golden.checks import check
from golden.nir.build import Builder, Scale, doors
from golden.nir.graph import Graph
from golden.nir.synapses import Table
from golden.spiking.engine import weights
from golden.spiking.layer import SpikingLayer


def to_graph(net, params, dt: float, target: str = "nir") -> tuple[Graph, list[str]]:
    """The graph at `dt` seconds a tick, and lines that say what is not the same in it. ValueError names the layer."""
    check(len({layer.state.frac_bits for layer in net.layers}) == 1, "membranes of the layers differ in their unit")
    builder = Builder(Scale(net.layers[0].state.lsb, dt, target))
    doors(builder, net.inputs, net.outputs)
    below, notes = "input", []
    for n, (layer, synapses) in enumerate(zip(net.layers, params, strict=True)):
        last = n == len(net.layers) - 1
        once = _once(layer, n, net.ticks)
        name, leak = f"neurons_{n}", sum(2.0 ** -k for k in layer.leak)
        current = leak if layer.order == 2 else None
        spikes = net.decision == "first_spike" or not last
        if layer.leak:
            notes.append(f"layer {n}: its leak rounds down here, and does not in NIR: spikes may differ")
        # of order 2 the membrane sees the current of the tick before, and leaks both: a tick later NIR's is the new one
        table = _table(layer, synapses)
        table = table._replace(delay=table.delay + (layer.order == 2))
        builder.neurons(name, layer.outputs, leak, layer.threshold if spikes else None, current)
        builder.synapses(f"synapses_{n}", below, name, table, (layer.outputs, layer.inputs),
                         builder.gain(leak, current))
        if once and spikes:
            _hold(builder, name, layer, table, leak, net.ticks)
        below = name
    builder.edge(below, "output")
    notes.append(f"every image starts from rest, and has {net.ticks} ticks; membranes do not saturate in NIR")
    return builder.graph(), notes


def _once(layer: SpikingLayer, n: int, ticks: int) -> bool:
    """Whether neurons spike once an image; ValueError where they rest for less, or have what NIR cannot say."""
    check(layer.kick is None, f"layer {n}: NIR has no refractory kernel")
    once = layer.refractory >= ticks - 1
    check(once or not layer.refractory, f"layer {n}: NIR has no refractory ticks, of which it has {layer.refractory}")
    check(once or layer.order == 1, f"layer {n}: a spike clears its current, too, which NIR cannot say")
    check(layer.order == 1 or layer.leak, f"layer {n}: a current without a leak has no time constant")
    return once


def _table(layer: SpikingLayer, synapses) -> Table:
    matrix = weights(layer, synapses)
    target, source = np.nonzero(matrix)
    weight = matrix[target, source].astype(np.float64) * 2 ** layer.shift
    return Table(source, target, weight, np.asarray(synapses.delay, np.int64)[target, source])


def _hold(builder: Builder, name: str, layer: SpikingLayer, table: Table, leak: float, ticks: int) -> None:
    """A synapse of each neuron to itself, a tick later, that no arrivals of an image outweigh."""
    most = np.zeros(layer.outputs)
    np.add.at(most, table.target, np.maximum(table.weight, 0))
    most = (most.max(initial=0) * ticks + layer.threshold) * (1 if layer.order == 1 else ticks)
    down = 2.0 ** np.ceil(np.log2(most / (1 - leak) ** ticks))
    each = np.arange(layer.outputs)
    loop = Table(each, each, np.full(layer.outputs, -down), np.ones(layer.outputs, np.int64))
    builder.synapses(f"{name}_once", name, name, loop, (layer.outputs, layer.outputs), builder.gain(leak))
