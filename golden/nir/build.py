"""A graph of NIR from what networks of ours are made of: integrators with a leak, synapses with a delay each.

One word of a network stands for `quantum`, and a step for `dt` seconds. A neuron that fires at or above a threshold of
theta words has v_threshold = (theta - 1/2) quanta: > and >= then say the same.

    leak f a step         LIF, tau = dt / f, r = tau / dt; f = 0: IF, r = 1 / dt
    leaks g of the current, f    CubaLIF, tau_syn = dt / g, w_in = tau_syn / dt, tau_mem and r as above
    delays of synapses    one Delay and one Linear for each delay; one of each where a source, or a target, has one
"""

from typing import NamedTuple

import numpy as np

from golden.nir.graph import Graph
from golden.nir.neurons import IF, LI, LIF, CubaLI, CubaLIF, Delay, Integrator
from golden.nir.nodes import Input, Linear, Node, Output
from golden.nir.synapses import Table

#: in the place of "no leak" for snnTorch, whose IF leaks: 2**40 steps
FOR_EVER = 1 << 40


class Scale(NamedTuple):
    """What words are in the graph: a quantum for a word of charge, seconds a step; for whom (golden.nir.targets)."""

    quantum: float
    dt: float
    target: str = "nir"


class Builder:
    """Nodes and edges of a graph under way."""

    def __init__(self, scale: Scale):
        self.scale, self.nodes, self.edges = scale, {}, []

    def graph(self) -> Graph:
        return Graph(dict(self.nodes), tuple(self.edges))

    def door(self, name: str, kind: type, count: int) -> None:
        """An Input or an Output."""
        self.nodes[name] = kind((count,))

    def gain(self, leak, current=None) -> np.ndarray | float:
        """What weights into neurons of these leaks take: where a framework does not read r, and of a current a leak."""
        whole = np.asarray(leak, float)
        if current is not None:
            return 1 - whole
        if self.scale.target != "norse" or not np.any(whole):
            return 1.0
        return 1 / np.maximum(whole, 1 / FOR_EVER)

    def neurons(self, name: str, count: int, leak, threshold=None, current=None, reset=0, rest=0) -> None:
        """Neurons: leaks a step (0: none), thresholds, resets and where they leak to in words.

        `threshold` None: their membrane leaves.
        """
        dt, q = self.scale.dt, self.scale.quantum
        if self.scale.target == "snntorch" or np.any(leak):
            leak = np.maximum(leak, 1 / FOR_EVER)
        f = np.broadcast_to(np.asarray(leak, float), count)
        fires = {} if threshold is None else {
            "v_threshold": np.broadcast_to((np.asarray(threshold) - 0.5) * q, count),
            "v_reset": np.broadcast_to(np.asarray(reset) * q, count)}
        tau = dt / np.where(f > 0, f, 1)
        v_leak = np.broadcast_to(np.asarray(rest) * q, count)
        one = self.scale.target == "norse" and current is None
        if current is not None:
            tau_syn = dt / np.broadcast_to(np.asarray(current, float), count)
            self.nodes[name] = (CubaLIF if fires else CubaLI)(
                tau_syn=tau_syn, tau_mem=tau, r=tau / dt, v_leak=v_leak, w_in=tau_syn / dt, **fires)
        elif np.any(f):
            self.nodes[name] = (LIF if fires else LI)(
                tau=tau, r=np.ones(count) if one else tau / dt, v_leak=v_leak, **fires)
        else:
            self.nodes[name] = (IF if fires else Integrator)(r=np.full(count, 1.0 if one else 1 / dt), **fires)

    def edge(self, *names: str) -> None:
        """Edges along a way."""
        self.edges += list(zip(names, names[1:], strict=False))

    def synapses(self, name: str, source: str, target: str, table: Table, shape: tuple[int, int], gain=1.0) -> None:
        """Synapses between two nodes, weights in words; shape: neurons of the target, of the source."""
        q = self.scale.quantum
        for part, (before, entries, behind) in enumerate(parted(table, shape)):
            last = f"{name}_{part}" if part else name
            weight = np.zeros(shape)
            np.add.at(weight, (entries.target, entries.source), entries.weight * q)
            way = {f"{last}_delay": before, last: Linear(weight * np.reshape(gain, (-1, 1))), f"{last}_wait": behind}
            way = {each: node if isinstance(node, Node) else Delay(np.asarray(node) * self.scale.dt)
                   for each, node in way.items() if node is not None}
            self.nodes |= way
            self.edge(source, *way, target)


def parted(table: Table, shape: tuple[int, int]):
    """(delays before, entries, delays behind) of each part of a table that one matrix says; None: no Delay."""
    if not table.delay.any():
        return [(None, table, None)]
    for axis, ends in (("before", table.source), ("behind", table.target)):
        count = shape[1] if axis == "before" else shape[0]
        low, high = np.full(count, table.delay.max()), np.zeros(count, np.int64)
        np.minimum.at(low, ends, table.delay)
        np.maximum.at(high, ends, table.delay)
        if np.array_equal(low[ends], high[ends]):
            return [(low, table, None) if axis == "before" else (None, table, low)]
    values = np.unique(table.delay)
    return [(np.full(shape[1], d) if d else None, Table(*(column[table.delay == d] for column in table)), None)
            for d in values]


def doors(builder: Builder, inputs: int, outputs: int) -> None:
    builder.door("input", Input, inputs)
    builder.door("output", Output, outputs)
