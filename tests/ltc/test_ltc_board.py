"""A network of liquid time constants on the simulated board: the host driver through the pins of its serial line."""

import os
from dataclasses import replace

import numpy as np
import pytest
from ltcs import random_input, random_network

from firmware.board import Board
from golden.image import build_image
from golden.ltc.engine import random_params
from golden.programs import ToolError
from rtl.ltc.schedule import cycles_per_tick
from sim.harness.board import SimulatedBoard


@pytest.mark.parametrize("halves", [1, 2])
def test_load_run_and_load_again(halves):
    """Images one after the other, sequences of one tick and of some; a mark says that there is one half only."""
    net = replace(random_network("board 3", largest=6, layers=2), halves=halves)
    rng = np.random.default_rng(halves)
    try:
        line = SimulatedBoard(net, quick=True)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    with Board(line, net) as board:
        about = board.identify()
        assert about.fingerprint == net.fingerprint
        assert board.get("cycles_per_tick") == cycles_per_tick(net)
        for _ in range(2):
            params = random_params(net, rng)
            board.load(build_image(net, params))
            assert board.get("status") >> 6 & 1 == (halves == 1)
            for count, ticks in ((3, 1), (2, 9)):
                x = random_input(net, rng, count, ticks)
                assert board.run(x).tolist() == net.run(params, x).tolist()
