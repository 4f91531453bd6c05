"""The simulated board: the host driver through the pins of its serial line, byte by byte."""

import os

import numpy as np
import pytest
from cases import random_input, random_network

from firmware.board import Board
from firmware.protocol import LinkError, PortError
from golden.image import build_image
from golden.programs import ToolError
from golden.rate import engine
from sim.harness.board import SimulatedBoard

NET = random_network("board 4", largest=6)
RNG = np.random.default_rng(11)
OLD, NEW = engine.random_params(NET, RNG), engine.random_params(NET, RNG)


@pytest.fixture
def line():
    try:
        return SimulatedBoard(NET, quick=True)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def test_load_run_and_load_again(line):
    with Board(line, NET) as board:
        assert board.identify().fingerprint == NET.fingerprint
        for params in (OLD, NEW):
            board.load(build_image(NET, params))
            for ticks in (1, 40):
                x = random_input(NET, RNG, ticks)
                assert (board.run(x[None])[0] == engine.run(NET, params, x[None])[0]).all()
    with pytest.raises(PortError, match="the simulated board is closed"):
        line.write(b"x")


def test_an_image_for_another_design_is_refused(line):
    other = random_network("board 5", largest=6)
    with Board(line, NET) as board:
        board.load(build_image(NET, OLD))
        with pytest.raises((ValueError, LinkError), match=f"(?s){other.fingerprint}.*{NET.fingerprint}|"
                                                          f"{NET.fingerprint}.*{other.fingerprint}"):
            board.load(build_image(other, engine.random_params(other, RNG)))
        x = random_input(NET, RNG, 5)
        assert (board.run(x[None])[0] == engine.run(NET, OLD, x[None])[0]).all()


class Cut(SimulatedBoard):
    """A board whose cable is pulled after so many bytes."""

    left = None

    def write(self, data):
        if self.left is not None:
            self.left -= len(data)
            if self.left < 0:
                raise PortError("the cable is out")
        super().write(data)


def test_a_cable_pulled_in_mid_load_changes_nothing(line):
    board_line = Cut(NET)
    board = Board(board_line, NET)
    board.load(build_image(NET, OLD))
    board_line.left = 8 * len(build_image(NET, NEW)) // 4      # half of the words, at 4 bytes each
    with pytest.raises(PortError, match="the cable is out"):
        board.load(build_image(NET, NEW))
    board_line.left = None
    x = random_input(NET, RNG, 6)
    again = Board(board_line, NET)
    assert (again.run(x[None])[0] == engine.run(NET, OLD, x[None])[0]).all()
    again.load(build_image(NET, NEW))
    assert (again.run(x[None])[0] == engine.run(NET, NEW, x[None])[0]).all()
