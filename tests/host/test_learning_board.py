"""Learning on the simulated board: words of golden, errors that fit, a cable pulled."""

import os

import numpy as np
import pytest
from learning_line import NET, PARAMS, STATES, Golden, data, one_line
from rate_line import same

from firmware.board import Board
from firmware.learning import Learner, LearningState
from firmware.protocol import PortError
from golden.image import build_image
from golden.programs import ToolError
from sim.harness.board import SimulatedBoard


class Cut(SimulatedBoard):
    """A board whose cable is pulled after so many bytes, one of them in the middle of a frame."""

    left = None

    def write(self, data):
        if self.left is None:
            super().write(data)
            return
        super().write(data[:self.left])
        if len(data) > self.left:
            self.left = 0
            raise PortError("the cable is out")
        self.left -= len(data)


@pytest.fixture(scope="module")
def line():
    try:
        return Cut(NET, quick=True)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def test_the_board_learns_as_golden(line):
    host, golden = Board(line, NET), Golden(NET, PARAMS)
    host.load(build_image(NET, PARAMS))
    assert not Learner(host).learning_state().learnt
    x, target = data(NET, 40)
    flags = np.random.default_rng(4).random((2, *x.shape[:2])) < 0.8
    for options in ({"halvings": 1}, {"first": False, "learn": flags[0], "teach": flags[1]}, {"halvings": 3}):
        assert np.array_equal(Learner(host).learn(x, target, **options), golden.learn(x, target, **options)), options
        assert same(Learner(host).read_parameters(PARAMS), golden.state.params), options
    assert not same(golden.state.params, PARAMS)
    layers = tuple(n for n, layer in enumerate(golden.state.overflow) if layer)
    assert layers
    assert Learner(host).learning_state() == LearningState(loaded=True, learnt=True, running=True, overflow=layers)
    Learner(host).clear_flags()
    assert Learner(host).learning_state().overflow == ()
    assert np.array_equal(host.run(x[None])[0], golden.infer(x))
    assert np.array_equal(host.run(x[:7, 0][None])[0], golden.infer(x[:7])[:, 0])
    assert same(Learner(host).read_parameters(PARAMS), golden.state.params), "inference moves nothing"
    # the learnt parameters as an image for a device that starts anew
    found = Learner(host).read_parameters(PARAMS)
    host.load(build_image(NET, found))
    assert Learner(host).learning_state() == STATES["fresh"]
    golden = Golden(NET, found)
    assert np.array_equal(Learner(host).learn(x, target), golden.learn(x, target))
    assert same(Learner(host).read_parameters(found), golden.state.params)


def test_errors_that_fit_set_no_overflow(line):
    params = tuple(p._replace(**{name: getattr(p, name) * 0 for name in ("weight", "bias")}) for p in PARAMS)
    host, golden = Board(line, NET), Golden(NET, params)
    host.load(build_image(NET, params))
    Learner(host).clear_flags()
    x, target = data(NET, 6)
    target >>= 7
    assert np.array_equal(Learner(host).learn(x >> 5, target, halvings=3), golden.learn(x >> 5, target, halvings=3))
    assert golden.state.overflow == (False, False)
    assert Learner(host).learning_state().overflow == ()


@pytest.mark.parametrize("left", [0, 5, 33, 300, 1100, 2001, 2777])
def test_a_cable_pulled_in_mid_learning(line, left):
    """The weights stay, those of the ticks that the device had; then it aligns without moving them, and learns on."""
    host, golden = Board(line, NET), Golden(NET, PARAMS)
    host.load(build_image(NET, PARAMS))
    x, target = data(NET, 60)
    begin = host._begin

    def pulled_later(*arguments):
        room = begin(*arguments)
        host.set("ticks", 0)
        line.left = left
        return room

    host._begin = pulled_later
    with pytest.raises(PortError, match=r"^learning was cut short when \d+ of 60 ticks had come back: the cable is "
                                        "out; the weights stay on the device") as error:
        Learner(host).learn(x, target)
    line.left = None
    again = Board(line, NET)
    found = Learner(again).read_parameters(PARAMS)
    ticks = again.get("ticks")
    back = int(one_line(error).split("when ")[1].split()[0])
    assert back * NET.streams <= ticks
    assert ticks > 0 or left < 300
    if ticks:
        golden.learn(x, target, vectors=ticks)
    assert same(found, golden.state.params)
    assert Learner(again).learning_state().learnt == bool(ticks)
    assert np.array_equal(again.run(x[None])[0], golden.infer(x))
    assert same(Learner(again).read_parameters(PARAMS), golden.state.params), "aligning moves nothing"
    again.load(build_image(NET, found))
    golden = Golden(NET, found)
    assert np.array_equal(Learner(again).learn(x, target), golden.learn(x, target))
    assert same(Learner(again).read_parameters(found), golden.state.params)
