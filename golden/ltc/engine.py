"""A liquid-time-constant network tick by tick: each layer reads the spikes that the one below sends in the same tick.

The circuit runs an upper layer a tick later; that is skew, and no part of what is computed.
"""

from typing import NamedTuple

import numpy as np

from golden.ltc.step import LtcOut, LtcParams, LtcState, ReadoutOut, ReadoutParams, ltc_step, readout_step

#: sequences that golden runs at once
CHUNK = 250


class State(NamedTuple):
    """layers: an LtcState each; y (batch, outputs) of the readout."""

    layers: tuple
    y: object


class Tick(NamedTuple):
    """What a tick makes: an LtcOut a layer, a ReadoutOut."""

    layers: tuple[LtcOut, ...]
    readout: ReadoutOut

    @property
    def state(self) -> State:
        """What the next tick begins with."""
        return State(tuple(out.state for out in self.layers), self.readout.y)


def rest(net, batch: int, like=None) -> State:
    """All that is remembered is nought. `like`: a torch int64 tensor to make torch state, else numpy."""
    def zeros(n):
        return np.zeros((batch, n), np.int64) if like is None else like.new_zeros((batch, n))
    states = tuple(LtcState(*(None if name == "b" and not layer.adaptive else zeros(layer.outputs)
                              for name in LtcState._fields)) for layer in net.hidden)
    return State(states, zeros(net.outputs))


def network_step(state: State, x, params, net) -> Tick:
    """One tick: x (batch, inputs) words."""
    outs, line = [], x
    for own, p, layer in zip(state.layers, params, net.hidden, strict=False):
        outs.append(ltc_step(own, line, p, layer))
        line = outs[-1].state.s
    return Tick(tuple(outs), readout_step(state.y, line, params[-1], net.readout))


def run(net, params, x, *, state: State | None = None) -> np.ndarray:
    """Sequences side by side, from rest unless `state` is given: (batch, ticks, inputs) -> (batch, ticks, outputs)."""
    state = rest(net, len(x)) if state is None else state
    found = np.zeros((len(x), x.shape[1], net.outputs), np.int64)
    for t in range(x.shape[1]):
        tick = network_step(state, x[:, t], params, net)
        found[:, t], state = tick.readout.y, tick.state
    return found


def trace(net, params, x) -> list[Tick]:
    """All that happens in one sequence (ticks, inputs)."""
    found, state = [], rest(net, 1)
    for word in x:
        found.append(network_step(state, word[None], params, net))
        state = found[-1].state
    return found


def random_params(net, rng: np.random.Generator) -> tuple:
    """Parameters over the whole of their formats, most of them small, so that neurons spike now and then."""
    found = []
    for layer in net.layers:
        arrays = {}
        for name, (shape, fmt) in layer.shapes().items():
            words = np.clip(rng.normal(0, fmt.max / 6, shape), fmt.min, fmt.max).astype(np.int64)
            ends = rng.choice([fmt.min, fmt.max, 0, 1, -1], shape)
            arrays[name] = np.where(rng.random(shape) < 0.05, ends, words)
        found.append((ReadoutParams if layer is net.readout else LtcParams)(**arrays))
    return tuple(found)
