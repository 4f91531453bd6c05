"""A small network of rates on a device in plain Python, behind a line that may fail."""

import numpy as np
from device import Device, Line

from firmware.board import Board
from golden.fixed import QFormat
from golden.image import build_image
from golden.rate import engine
from golden.rate.engine import random_params
from golden.rate.layer import Dense
from golden.rate.network import Network


def network(inputs=3, outputs=2, hidden=5, lanes=2):
    fields = {"activation": "tanh", "operand": QFormat(0, 15), "weight": QFormat(2, 15), "state": QFormat(4, 12),
              "lead": QFormat(5, 12), "lag": QFormat(0, 17), "rate": QFormat(0, 15), "max_delay": 3}
    return Network(name="test", dt=1.0, layers=(
        Dense(inputs=inputs, outputs=hidden, lanes=min(lanes, inputs + 1), **fields),
        Dense(inputs=hidden, outputs=outputs, **fields)))


NET = network()
PARAMS = random_params(NET, np.random.default_rng(1))
IMAGE = build_image(NET, PARAMS)


def board(net=NET, faults=None, loaded=True, **options):
    device = Device(net, **options)
    if loaded:
        device.params = random_params(net, np.random.default_rng(1))
    return Board(Line(device, faults), net, timeout=0.01, patience=0.05), device


def inputs(net, ticks, seed=2):
    fmt = net.layers[0].operand
    return np.random.default_rng(seed).integers(fmt.min, fmt.max + 1, (ticks, net.inputs))


def expected(net, x, seed=1):
    return engine.run(net, random_params(net, np.random.default_rng(seed)), x[None])[0]


def same(params, others):
    return all(np.array_equal(a, b) for p, q in zip(params, others, strict=True) for a, b in zip(p, q, strict=True))
