"""Learning by FPTT through the host driver on the simulated board: ticks, weights read back, inference between them."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from taught import random_params, taught

from firmware.board import Board
from firmware.learning import Learner
from golden.image import build_image
from golden.ltc.compiled import CompiledLearner
from golden.ltc.teacher import FRESH_BIT
from golden.programs import ToolError
from sim.harness.board import SimulatedBoard

NET = taught(outputs=3)


@pytest.fixture(scope="module")
def line():
    try:
        return SimulatedBoard(NET, quick=True)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def drawn(ticks):
    rng = np.random.default_rng(ticks)
    shape = (ticks, NET.streams)
    given = SimpleNamespace(x=rng.integers(-6000, 6000, (*shape, NET.inputs)), label=rng.integers(0, 3, shape),
                            fresh=rng.random(shape) < 0.3, learn=rng.random(shape) < 0.8, teach=rng.random(shape) < 0.8)
    given.fresh[0] = True
    given.target = (given.label | given.fresh.astype(int) << FRESH_BIT)[..., None]
    return given


def test_the_board_learns_and_gives_its_weights_back(line):
    host, params = Board(line, NET), random_params(NET, np.random.default_rng(1))
    host.load(build_image(NET, params))
    golden, learner = CompiledLearner(NET, params), Learner(host)
    for n, given in enumerate((drawn(9), drawn(5))):
        flags = {"learn": given.learn, "teach": given.teach}
        found = learner.learn(given.x, given.target, first=n == 0, halvings=n, **flags)
        assert (found == golden.run(given.x, given.label, fresh=given.fresh, halve=n, **flags)).all()
    back = learner.read_parameters(params)
    for own, other, old in zip(back, golden.params, params, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(own, other, strict=True))
        assert any((a != b).any() for a, b in zip(own, old, strict=True))
    assert learner.learning_state().learnt
    x = drawn(4).x[:, 0][None]
    assert (host.run(x) == NET.run(back, x)).all()


def test_a_label_that_is_no_output_is_refused_before_anything_is_sent(line):
    given = drawn(2)
    with pytest.raises(ValueError, match="label 3, taught has 3 outputs"):
        Learner(Board(line, NET)).learn(given.x, given.target * 0 + 3)
