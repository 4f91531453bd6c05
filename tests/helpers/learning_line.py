"""A network that learns on a device in plain Python, and the golden model beside it."""

import numpy as np
from device import Device, Line, learner, learner_params

from firmware.board import Board
from firmware.learning import LearningState
from golden.rate import engine
from golden.rate.learn import learn_tick, registers, start

NET = learner()
PARAMS = learner_params(NET)
STATES = {"fresh": LearningState(loaded=True, learnt=False, running=False, overflow=()),
          "reset": LearningState(loaded=False, learnt=True, running=False, overflow=())}


class Golden:
    """golden.rate.learn beside a device that was loaded with `params`: the same calls."""

    def __init__(self, net, params):
        self.net, self.state, self.noise = net, start(net, params), registers(net)

    def learn(self, x, target, *, first=True, learn=True, teach=True, halvings=0, vectors=None):
        """Rates; `vectors`: only so many, of the streams in turn, (vectors, outputs)."""
        shape = np.shape(x)[:2]
        rates, learn, teach = [], np.broadcast_to(learn, shape), np.broadcast_to(teach, shape)
        for t, s in list(np.ndindex(shape))[:vectors]:
            self.state, out = learn_tick(self.state, s, x[t, s], target[t, s], self.net, first=first and t == 0,
                                         learn=learn[t, s], teach=teach[t, s], halve=halvings, noise=self.noise)
            rates.append(out.rate)
        return np.array(rates) if vectors else np.array(rates).reshape(*shape, -1)

    def infer(self, x):
        """Rates without errors."""
        streams = engine.run(self.net, self.state.params, np.moveaxis(np.asarray(x), 1, 0))
        return np.moveaxis(streams, 0, 1)


def data(net, ticks, seed=2):
    """x, target."""
    rng, fmt, rate = np.random.default_rng(seed), net.layers[0].operand, net.layers[-1].rate
    low, high = (0, net.outputs) if net.teacher.loss == "cross_entropy" else (rate.min, rate.max + 1)
    return (rng.integers(fmt.min, fmt.max + 1, (ticks, net.streams, net.inputs)),
            rng.integers(low, high, (ticks, net.streams, net.targets)))


def board(net=NET, params=PARAMS, faults=None, **options):
    device = Device(net, **options)
    device.params = params
    return Board(Line(device, faults), net, timeout=0.01, patience=0.05), device


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)
