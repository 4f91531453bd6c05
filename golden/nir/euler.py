"""What a graph of NIR does in float64, step by step: the reference that integers and circuits are compared with.

With forward Euler, a step of length dt and golden.nir.options, x the sum of what comes in:

    I, IF           v = v + g x, g = dt r or r
    LI, LIF         v = v + dt/tau (v_leak - v + r x)
    CubaLI, -LIF    i = i + dt/tau_syn (w_in x - i);  v = v + dt/tau_mem (v_leak - v + r i), i new or old
    then, where spikes leave:  z = v > v_threshold (or >=);  v is reset where z is 1, or a step later

States start at 0. A Delay hands on in step t what came in step t - d, zeros before the first. Nodes without a state
follow within the step. What is in a loop follows golden.nir.graph.lagged. Source: the specification of NIR (nodes);
order of steps and resets [derived], measured against snnTorch and Norse in tests/foreign.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from golden.checks import check, listed
from golden.files import reals
from golden.nir.graph import Flat, around, lagged
from golden.nir.neurons import IF, LI, Delay, Integrator, Scale, Threshold
from golden.nir.nodes import Affine, AvgPool2d, Conv, Flatten, Input, Linear, Node, SumPool2d
from golden.nir.options import DEFAULT, Options, gain, steps

#: numbers that a run may hold of one node; weights of a matrix for each that is not 0, from which on those alone count
MOST, FEW = 1 << 28, 16


class State(NamedTuple):
    """Of a node, (samples, ...): membrane v, synaptic current i, what fired in the last step."""

    v: np.ndarray
    i: np.ndarray
    fired: np.ndarray


def rest(samples: int, shape) -> State:
    zero = np.zeros((samples, *shape))
    return State(zero, zero, zero.astype(bool))


def charge_step(node: Node, state: State, x: np.ndarray, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """Membrane and current of a node once x (samples, ...) has come in, before it fires."""
    v, i = state.v, state.i
    if isinstance(node, Integrator | IF):
        v = v + gain(node, options) * x
    elif isinstance(node, LI):
        v = v + options.dt / node.tau * (node.v_leak - v + node.r * x)
    else:
        i = i + options.dt / node.tau_syn * (node.w_in * x - i)
        v = v + options.dt / node.tau_mem * (node.v_leak - v + node.r * (i if options.current == "new" else state.i))
    if node.SPIKES and options.reset == "late":
        v = v - node.v_threshold * state.fired
    return v, i


def fire_step(node: Node, state: State, v, i, options: Options) -> tuple[State, np.ndarray]:
    """State and what leaves of a node that has been charged to v and i."""
    if not node.SPIKES:
        return State(v, i, state.fired), v
    z = above(v, node.v_threshold, options)
    after = {"v_reset": node.v_reset, "zero": 0.0, "subtract": v - node.v_threshold, "late": v}[options.reset]
    return State(np.where(z, after, v), i, z), z.astype(np.float64)


def above(x, threshold, options: Options) -> np.ndarray:
    return x >= threshold if options.threshold == ">=" else x > threshold


def map_step(node: Node, x: np.ndarray, options: Options) -> np.ndarray:
    """What leaves a node without a state, for what comes in (samples, ...)."""
    if isinstance(node, Linear):
        return x @ node.weight.T + (node.bias if isinstance(node, Affine) else 0.0)
    if isinstance(node, Scale):
        return x * node.scale
    if isinstance(node, Threshold):
        return above(x, node.threshold, options).astype(np.float64)
    if isinstance(node, Flatten):
        return x.reshape(len(x), *node.out(x.shape[1:]))
    if isinstance(node, SumPool2d):
        sums = windows_of(x, node.kernel_size, node.stride, node.pads, (1, 1)).sum(axis=(-2, -1))
        return sums / np.prod(node.kernel_size) if isinstance(node, AvgPool2d) else sums
    return _convolve(node, x) if isinstance(node, Conv) else x      # Output


def windows_of(x: np.ndarray, kernel, stride, pads, dilation, empty=0) -> np.ndarray:
    """(samples, channels, places .., kernel ..) of (samples, channels, ..); `empty` stands around."""
    axes = tuple(range(2, x.ndim))
    x = np.pad(x, ((0, 0), (0, 0), *pads), constant_values=empty)
    wide = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    view = sliding_window_view(x, wide, axis=axes)
    return view[(slice(None), slice(None), *(slice(None, None, s) for s in stride),
                 *(slice(None, None, d) for d in dilation))]


def _convolve(node: Conv, x: np.ndarray) -> np.ndarray:
    n, weight = node.NDIM, node.weight
    view = windows_of(x, weight.shape[2:], node.stride, node.pads, node.dilation)
    inputs, outputs, inner = weight.shape[1], len(weight) // node.groups, tuple(range(n + 2, 2 * n + 2))
    parts = [np.tensordot(view[:, g * inputs:(g + 1) * inputs], weight[g * outputs:(g + 1) * outputs],
                          axes=((1, *inner), tuple(range(1, n + 2)))) for g in range(node.groups)]
    sums = np.moveaxis(np.concatenate(parts, axis=-1), -1, 1)
    return sums + node.bias.reshape(-1, *[1] * n)


class Thin:
    """A Linear of which few weights are not 0, as one after the other: one matrix a delay has few in each."""

    def __init__(self, node: Linear):
        target, self.source = np.nonzero(node.weight)
        self.weight, self.count = node.weight[target, self.source], len(node.weight)
        self.target, self.start = np.unique(target, return_index=True)
        self.bias = node.bias if isinstance(node, Affine) else 0.0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        found = np.zeros((len(x), self.count))
        if len(self.source) and x.any():
            found[:, self.target] = np.add.reduceat(x[:, self.source] * self.weight, self.start, axis=1)
        return found + self.bias


class Ring:
    """What a Delay holds: `put` what came in a step, `get` what leaves in it, a delay a channel in steps."""

    def __init__(self, delay: np.ndarray, samples: int, shape):
        self.delay = np.broadcast_to(delay, shape).ravel()
        self.held = np.zeros((int(self.delay.max()) + 1, samples, self.delay.size))
        self.shape = (samples, *shape)
        self.tick = 0

    def put(self, x: np.ndarray) -> None:
        self.held[self.tick % len(self.held)] = x.reshape(len(x), -1)
        self.tick += 1

    def get(self, ago: int) -> np.ndarray:
        """What came in `delay` steps before the last put (ago 0), or before the one to come (ago 1)."""
        slot = (self.tick - 1 + ago - self.delay) % len(self.held)
        return self.held[slot, :, np.arange(self.delay.size)].T.reshape(self.shape)


def order(flat: Flat, late: set, waiting: set[str]) -> list[str]:
    """Nodes in an order in which each comes behind what it takes in the same step."""
    before, _ = around(flat.nodes, flat.edges)
    left = {name: set() if name in waiting else {a for a in before[name] if (a, name) not in late} for name in before}
    found = []
    while left:
        ready = [name for name, before in left.items() if not before]
        check(bool(ready), f"node {listed([min(left)])}: a loop in which nothing waits")
        found += ready
        left = {name: before.difference(ready) for name, before in left.items() if name not in ready}
    return found


def run(flat: Flat, x, options: Options = DEFAULT, record=(), watch=None) -> dict[str, np.ndarray]:
    """What leaves the Outputs, and the nodes named in `record`, by name (samples, ticks, ...) float64.

    x: (samples, ticks, ...) for the one Input, or a dict of such by name. watch(name, v, i): called in each step with
    membrane and current of each node that has a state or fires, before it does. ValueError for other shapes, and for
    what Options.of refuses.
    """
    options = options.of(flat)
    x = _inputs(flat, x)
    samples, ticks = next(iter(x.values())).shape[:2]
    named = [*dict.fromkeys([*(name for name in flat.nodes if flat.nodes[name].kind == "Output"), *record])]
    for name in named:
        check(name in flat.nodes, f"record: there is no node {listed([name])}")
        check(samples * ticks * int(np.prod(flat.leaves[name], dtype=object)) <= MOST,
              f"node {listed([name])}: {samples} samples of {ticks} ticks are too many to hold")
    rings = {name: Ring(steps(node, options.dt), samples, flat.leaves[name])
             for name, node in flat.nodes.items() if isinstance(node, Delay)}
    waiting = {name for name, ring in rings.items() if ring.delay.all()}
    late = lagged(flat.nodes, flat.edges, waiting)
    into = {name: [(a, (a, name) in late) for a in before]
            for name, before in around(flat.nodes, flat.edges)[0].items()}
    state = {name: rest(samples, flat.leaves[name]) for name, node in flat.nodes.items() if node.STATE}
    last = {a: np.zeros((samples, *flat.leaves[a])) for a, _ in late}
    found = {name: np.zeros((samples, ticks, *flat.leaves[name])) for name in named}
    way = order(flat, late, waiting)
    thin = {name: Thin(node) for name, node in flat.nodes.items() if isinstance(node, Linear)
            and node.weight.size > FEW * np.count_nonzero(node.weight)}

    def sums(name):
        return sum(last[a] if ago else now[a] for a, ago in into[name])

    for t in range(ticks):
        now = {}
        for name in way:
            node = flat.nodes[name]
            if type(node) is Input:
                now[name] = x[name][:, t]
            elif name in waiting:
                now[name] = rings[name].get(1)
            elif name in rings:
                rings[name].put(sums(name))
                now[name] = rings[name].get(0)
            elif node.STATE:
                v, i = charge_step(node, state[name], sums(name), options)
                if watch is not None:
                    watch(name, v, i)
                state[name], now[name] = fire_step(node, state[name], v, i, options)
            else:
                arrived = sums(name)
                if watch is not None and node.SPIKES:
                    watch(name, arrived, 0 * arrived)
                now[name] = thin[name](arrived) if name in thin else map_step(node, arrived, options)
        for name in waiting:
            rings[name].put(sums(name))
        last = {name: now[name] for name in last}
        for name, values in found.items():
            values[:, t] = now[name]
    return found


def _inputs(flat: Flat, x) -> dict[str, np.ndarray]:
    """By name, checked: all of one number of samples and ticks."""
    names = [name for name, node in flat.nodes.items() if type(node) is Input]
    if not isinstance(x, dict):
        check(len(names) == 1, f"there are {len(names)} Inputs: x must be a dict by their names")
        x = {names[0]: x}
    check(set(x) == set(names), f"x has {listed(sorted(x))}, the Inputs are {listed(names)}")
    found = {name: reals(f"x of {name}", np.asarray(value) * 1 if np.asarray(value).dtype == bool else value)
             for name, value in x.items()}
    for name, value in found.items():
        check(value.ndim > 1 and value.shape[2:] == flat.leaves[name],
              f"x of {name} has shape {list(value.shape)}, expected samples, ticks, *{list(flat.leaves[name])}")
    check(len({value.shape[:2] for value in found.values()}) == 1, "Inputs differ in samples or ticks")
    return found
