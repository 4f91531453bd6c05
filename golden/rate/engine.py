"""The network of layers in the two-phase tick: every layer reads tick n - 1, all commit together.

Layer 0 reads the input of tick n; a message from layer to layer takes one tick and its connection's delay on top,
which its predictor, if it has one, makes up for.
"""

from typing import NamedTuple

import numpy as np

from golden.description import Description
from golden.units import extrapolator
from golden.units.delay import delay_write
from golden.units.dense import DenseParams, dense_step
from golden.units.leadlag import at_rest


class NetworkState(NamedTuple):
    """u: membrane words per layer (batch, outputs); lines: the delay line into each layer."""

    u: tuple
    lines: tuple


def reset(net: Description, batch: int, like=None) -> NetworkState:
    """All membranes and messages zero. `like`: a torch int64 tensor to make torch state, else numpy."""
    def zeros(n):
        return np.zeros((batch, n), np.int64) if like is None else like.new_zeros((batch, n))
    return NetworkState(u=tuple(zeros(layer.outputs) + at_rest(layer) for layer in net.layers),
                        lines=tuple(extrapolator.line(zeros(layer.inputs), layer.way) for layer in net.layers))


def network_step(state: NetworkState, x, params, net: Description):
    """One tick: x (batch, inputs) words -> (next state, outputs of all layers as a tuple of DenseOut)."""
    lines = (delay_write(state.lines[0], x), *state.lines[1:])
    outs = tuple(dense_step(u, extrapolator.read(line, layer.way), p, layer)
                 for u, line, p, layer in zip(state.u, lines, params, net.layers, strict=True))
    later = (lines[0], *(extrapolator.write(line, out.rate, layer.way, p.taps)[0] for line, out, layer, p
                         in zip(lines[1:], outs, net.layers[1:], params[1:], strict=False)))
    return NetworkState(u=tuple(out.u for out in outs), lines=later), outs


def run(net: Description, params, x, *, state=None, progress=None) -> np.ndarray:
    """Run a batch of sequences, from reset unless `state` is given.

    x (batch, ticks, inputs) words -> (batch, ticks, outputs) words; `progress(1)` is called after every tick.
    """
    state = reset(net, len(x), None if isinstance(x, np.ndarray) else x) if state is None else state
    outputs = []
    for n in range(x.shape[1]):
        state, outs = network_step(state, x[:, n], params, net)
        outputs.append(np.asarray(outs[-1].rate))
        if progress is not None:
            progress(1)
    return np.stack(outputs, 1)


def rates(net: Description, params, x) -> list[np.ndarray]:
    """Rates of every layer for one sequence of input words (ticks, inputs): arrays (ticks, neurons), real units."""
    state, found = reset(net, 1), [[] for _ in net.layers]
    for word in x:
        state, outs = network_step(state, word[None], params, net)
        for each, out, layer in zip(found, outs, net.layers, strict=True):
            each.append(out.rate[0] * layer.rate.lsb)
    return [np.array(each) for each in found]


def check_params(net: Description, params) -> None:
    """ValueError where shapes or ranges of the parameter words do not fit the description."""
    if len(params) != len(net.layers):
        raise ValueError(f"{net.name} has {len(net.layers)} layers, the parameters are for {len(params)}")
    for n, (layer, p) in enumerate(zip(net.layers, params, strict=True)):
        names = layer.names
        unknown = [name for name in p._fields if name not in names and getattr(p, name) is not None]
        if unknown:
            raise ValueError(f"layer {n}: has no {unknown[0]}, its parameters are {', '.join(names)}")
        for name in names:
            if getattr(p, name) is None:
                raise ValueError(f"layer {n}: {name} is missing")
            words, fmt = np.asarray(getattr(p, name)), layer.format(name)
            if words.dtype.kind not in "iu":        # nan is outside of no format
                raise ValueError(f"layer {n}: {name} must be integer words, not {words.dtype}")
            if words.shape != layer.shape(name):
                raise ValueError(f"layer {n}: {name} has shape {words.shape}, expected {layer.shape(name)}")
            if words.size and (words.min() < fmt.min or words.max() > fmt.max):
                raise ValueError(f"layer {n}: {name} holds words outside of {fmt}")


def random_params(net: Description, rng: np.random.Generator) -> tuple[DenseParams, ...]:
    """Uniform random words over the full range of every format (constants: not negative); for tests and benches."""
    def words(layer, name):
        fmt = layer.format(name)
        low = fmt.min if name in ("weight", "bias", *layer.taps) else 0
        return rng.integers(low, fmt.max + 1, layer.shape(name), dtype=np.int64)
    return tuple(DenseParams(**{name: words(layer, name) for name in layer.names})
                 for layer in net.layers)
