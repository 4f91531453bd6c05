"""The golden network: close to its float equations, the same in torch, delays where they belong, batch independent."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import random_input, random_network

from golden.fixed import QFormat
from golden.rate import engine
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.units.dense import DenseParams


def chain(*delays):
    """Layers of one linear neuron with weight 1 that do not lag: a message moves one layer a tick."""
    fmt = QFormat(3, 8)
    layer = Dense(inputs=1, outputs=1, activation="linear", operand=fmt, weight=fmt, state=fmt, lead=QFormat(1, 8),
                  lag=QFormat(1, 8), rate=fmt, max_delay=9)
    net = Network(name="chain", dt=1.0, layers=tuple(replace(layer, delay=d) for d in delays))
    one = DenseParams(weight=np.array([[256]]), bias=np.array([0]), lead=np.array([256]), lag=np.array([256]))
    return net, (one,) * len(delays)


@pytest.mark.parametrize("delays", [(0,), (0, 0, 0), (2,), (0, 3), (1, 0, 9)])
def test_a_message_takes_a_tick_a_layer_and_its_delay(delays):
    net, params = chain(*delays)
    x = np.arange(1, 31)[None, :, None]
    y = engine.run(net, params, x)[0, :, 0]
    late = len(delays) - 1 + sum(delays)
    assert y.tolist() == [0] * late + x[0, :30 - late, 0].tolist()


def test_rest_with_guard_bits():
    """Membranes that are zero stand half a unit higher, and stay where they are without an input."""
    net, params = chain(0, 0)
    net = replace(net, layers=(replace(net.layers[0], guard=3), net.layers[1]))
    state = engine.reset(net, 2)
    assert [u.tolist() for u in state.u] == [[[4], [4]], [[0], [0]]]
    assert engine.network_step(state, np.zeros((2, 1), np.int64), params, net)[0].u[0].tolist() == [[4], [4]]


def test_close_to_the_equations_in_float():
    rng = np.random.default_rng(7)
    fmt, rate = QFormat(4, 12), QFormat(0, 13)
    sizes, dt, layers, params, real = (3, 9, 9, 4), 0.2, [], [], []
    operand = QFormat(2, 12)
    for n, (i, o) in enumerate(zip(sizes, sizes[1:], strict=False)):
        act = ("linear", "tanh", "linear")[n]
        out = rate if act == "tanh" else QFormat(4, 12)
        layers.append(Dense(inputs=i, outputs=o, activation=act, operand=operand, weight=QFormat(1, 15), state=fmt,
                            lead=QFormat(1, 15), lag=QFormat(0, 15), rate=out))
        operand = out
        w, b = rng.normal(0, 0.4, (o, i)), rng.normal(0, 0.2, o)
        tau_m, tau_r = rng.uniform(0.6, 2, o), rng.uniform(0.2, 0.6, o)
        real.append((w, b, tau_m, tau_r))
        params.append(DenseParams(*(np.floor(v * 2.0**15 + 0.5).astype(np.int64)
                                    for v in (w, b, tau_r / tau_m, dt / tau_m))))
    net = Network(name="real", dt=dt, layers=tuple(layers))
    x = rng.normal(0, 0.5, (5, 60, 3))
    got = engine.run(net, params, np.floor(x * 2.0**12 + 0.5).astype(np.int64)) / 2.0**12
    u, r = [np.zeros((5, n)) for n in sizes[1:]], [np.zeros((5, n)) for n in sizes[1:]]
    for t in range(60):
        pre = [x[:, t], *r[:-1]]
        for n, (w, b, tau_m, tau_r) in enumerate(real):
            du = (pre[n] @ w.T + b - u[n]) / tau_m
            ubar = u[n] + tau_r * du
            r[n] = np.tanh(ubar) if n == 1 else ubar
            u[n] = u[n] + dt * du
        # 14 words are rounded on the way, none by more than a few units
        assert np.abs(got[:, t] - r[-1]).max() < 0.003, f"tick {t}"


@pytest.mark.parametrize("seed", range(8))
def test_numpy_equals_torch_and_batches_are_independent(seed):
    net = random_network(f"engine {seed}", largest=12)
    rng = np.random.default_rng(seed)
    params = engine.random_params(net, rng)
    x = np.stack([random_input(net, rng, 12) for _ in range(3)])
    y = engine.run(net, params, x)
    words = [DenseParams(*(torch.tensor(array) for array in p if array is not None)) for p in params]
    in_torch = engine.run(net, words, torch.tensor(x))
    assert (y == in_torch).all()
    assert (y[1] == engine.run(net, params, x[1:2])[0]).all()


def test_check_params_refuses():
    net = random_network("engine 1", largest=6)
    params = engine.random_params(net, np.random.default_rng(0))
    engine.check_params(net, params)
    with pytest.raises(ValueError, match="layers, the parameters are for"):
        engine.check_params(net, params[:-1])
    first = params[0]
    with pytest.raises(ValueError, match="layer 0: bias has shape"):
        engine.check_params(net, (first._replace(bias=first.bias[None]), *params[1:]))
    with pytest.raises(ValueError, match="layer 0: lag holds words outside of"):
        engine.check_params(net, (first._replace(lag=first.lag + (1 << 20)), *params[1:]))


def test_random_words_reach_both_ends():
    """Words of two bits: all four of weights, those that are not negative of constants."""
    fmt = QFormat(0, 1)
    layer = Dense(inputs=40, outputs=40, activation="linear", operand=fmt, weight=fmt, state=QFormat(1, 2), lead=fmt,
                  lag=fmt, rate=fmt)
    params, = engine.random_params(Network(name="small", dt=1.0, layers=(layer,)), np.random.default_rng(0))
    assert [np.unique(words).tolist() for words in (params.weight, params.bias, params.lead, params.lag)] == [
        [-2, -1, 0, 1], [-2, -1, 0, 1], [0, 1], [0, 1]]
