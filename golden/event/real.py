"""A graph of NIR as populations of one form, in real numbers: what golden.event.quanta makes words of.

    u = decay v;  c = current_decay c + a;  v = u + bias + (a, or c)          a: sum of effective weights that arrive

What a step of forward Euler (golden.nir.euler) multiplies by is in the weights: dt r / tau of LIF; of CubaLIF, whose
current is counted in what it adds to the membrane, dt r / tau_mem dt w_in / tau_syn. Biases that a Delay is in front
of, and those that go into a current, are synapses of a neuron that fires in every tick. Nothing is rounded here.
"""

from dataclasses import dataclass, field

import numpy as np

from golden.checks import check, listed
from golden.nir.graph import Flat
from golden.nir.neurons import IF, LI, CubaLI, Integrator, Threshold
from golden.nir.nodes import Input, Node, Output
from golden.nir.options import Options, gain
from golden.nir.synapses import ONE, Table, wire

#: population of the neuron that fires in every tick
ALWAYS = "always"


@dataclass
class Layer:
    """A population, (n,) each: real numbers, None where there is no such thing.

    resets: a mode of Population; fires: whether spikes leave, or membranes; tables: what arrives, by source: a
    population's name, or that of an Input.
    """

    name: str
    kind: str
    size: int
    threshold: np.ndarray
    decay: np.ndarray | None = None
    current_decay: np.ndarray | None = None
    bias: np.ndarray | None = None
    resets: str = "zero"
    reset: np.ndarray | None = None
    fires: bool = True
    tables: dict[str, Table] = field(default_factory=dict)


@dataclass
class Real:
    """Layers by name, in the order of a tick; Inputs and their lines; Outputs and the neurons that they show."""

    layers: dict[str, Layer]
    inputs: dict[str, int]
    outputs: dict[str, tuple[str, np.ndarray]]
    options: Options


def real(flat: Flat, options: Options) -> Real:
    """ValueError names the node that has no equivalent: a membrane that goes on, a sum that an Output takes."""
    options = options.of(flat)
    wiring = wire(flat, options)
    for source, target in wiring.tables:
        node = flat.nodes.get(source)
        check(node is None or not node.STATE or node.SPIKES or type(flat.nodes[target]) is Output,
              f"node {listed([source])} ({node and node.kind}): its membrane goes on to node {listed([target])}, a "
              "real number in every step; it may leave by an Output, there is no circuit that takes it")
    found = Real({}, {name: int(np.prod(flat.leaves[name])) for name in wiring.populations
                      if type(flat.nodes[name]) is Input}, {}, options)
    for name in wiring.populations:
        node = flat.nodes[name]
        if not isinstance(node, Input):
            found.layers[name] = _layer(name, node, int(np.prod(flat.leaves[name])), flat.enters[name], options)
    for (source, target), table in wiring.tables.items():
        if target in found.layers:
            layer, node = found.layers[target], flat.nodes[target]
            scaled = table._replace(weight=table.weight * _into(node, flat.enters[target], options)[table.target])
            if source == ONE and not isinstance(node, CubaLI) and not table.delay.any():
                layer.bias = np.zeros(layer.size) if layer.bias is None else layer.bias
                np.add.at(layer.bias, scaled.target, scaled.weight)
            elif len(table.source):
                layer.tables[source or ALWAYS] = scaled
    if any(ALWAYS in layer.tables for layer in found.layers.values()):
        check(ALWAYS not in flat.nodes, f"node {ALWAYS}: the name is that of the neuron that biases come from")
        found.layers = {ALWAYS: Layer(ALWAYS, "always", 1, np.full(1, 0.5), bias=np.ones(1))} | found.layers
    for name, node in flat.nodes.items():
        if type(node) is Output:
            _show(found, name, flat, wiring.tables)
    return found


def _into(node: Node, shape, options: Options) -> np.ndarray:
    """What a spike of weight 1 adds, to the membrane or to the current."""
    if isinstance(node, Threshold):
        found = 1.0
    elif isinstance(node, Integrator | IF):
        found = gain(node, options)
    elif isinstance(node, LI):
        found = options.dt / node.tau * node.r
    else:
        found = options.dt / node.tau_mem * node.r * options.dt / node.tau_syn * node.w_in
    return np.broadcast_to(found, shape).ravel()


def _layer(name: str, node: Node, size: int, shape, options: Options) -> Layer:
    def each(value):
        return np.broadcast_to(value, shape).ravel()

    if isinstance(node, Threshold):
        return Layer(name, node.kind, size, each(node.threshold), decay=np.zeros(size))
    found = Layer(name, node.kind, size, each(node.v_threshold) if node.SPIKES else np.zeros(size), fires=node.SPIKES)
    if not isinstance(node, Integrator | IF):
        leak = each(options.dt / (node.tau_mem if isinstance(node, CubaLI) else node.tau))
        found.decay = 1 - np.minimum(leak, 1)
        found.bias = leak * each(node.v_leak) if np.any(node.v_leak) else None
    if isinstance(node, CubaLI):
        found.current_decay = 1 - np.minimum(each(options.dt / node.tau_syn), 1)
    if not node.SPIKES:
        return found
    value = {"v_reset": node.v_reset, "zero": 0.0}.get(options.reset, node.v_threshold)
    if np.any(value):
        found.reset = each(value)
        found.resets = {"v_reset": "value"}.get(options.reset, options.reset)
    elif options.reset == "late":
        # subtracting nothing: a neuron that is not reset
        found.resets, found.reset = "subtract", each(value)
    return found


def _show(found: Real, name: str, flat: Flat, tables: dict) -> None:
    """Neurons of an Output; one that waits for them where what leads there has a delay."""
    into = {source: table for (source, target), table in tables.items() if target == name}
    me = f"node {listed([name])} (Output)"
    count = int(np.prod(flat.leaves[name]))
    check(len(into) == 1 and ONE not in into, f"{me}: it takes {len(into)} sums; there is no circuit for what is not "
          "what leaves one node")
    (source, table), = into.items()
    check(source in found.layers, f"{me}: what comes in leaves at once; there is no circuit for that")
    check(np.array_equal(np.sort(table.target), np.arange(count)) and bool(np.all(table.weight == 1)),
          f"{me}: sums leave, real numbers; there is no circuit for what does not leave one neuron as it is")
    fires = found.layers[source].fires
    check(fires or count == found.layers[source].size and not table.delay.any(),
          f"{me}: membranes of node {listed([source])} leave in part, or late; a circuit gives all of them as they are")
    if table.delay.any():
        late = f"{name} (late)"
        found.layers[late] = Layer(late, "Delay", count, np.full(count, 0.5), decay=np.zeros(count),
                                   tables={source: table})
        source, table = late, Table(np.arange(count), np.arange(count), table.weight, 0 * table.delay)
    chosen = np.zeros(count, np.int64)
    chosen[table.target] = table.source
    found.outputs[name] = source, chosen
