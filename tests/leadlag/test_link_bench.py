"""Group `link` of the bench: trials under noise on the simulated board, and its figures in words."""

import os
import random

import pytest

from docs import link_figures
from golden.programs import ToolError
from leadlag.bench.link import noise_network, noisy_trials
from sim.harness.board import SimulatedBoard
from sim.harness.line import Noisy


@pytest.mark.slow
def test_loads_and_runs_under_noise():
    """Five of each at a rate at which no load and no run of version 1 came to its end; none is wrong."""
    net = noise_network()
    try:
        board = SimulatedBoard(net, quick=True)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    line = Noisy(board, 0, random.Random("a test"))
    assert noisy_trials(line, net, 1e-3, 5) == {"loads_right": 5, "runs_right": 5, "wrong": 0}
    assert line.rate == 0


def test_figures_in_words():
    """A row a rate, one of the fuzz, two of what the line carries; none of a record that is not whole."""
    record = {"trials": 60, "loads_right": {"0.001": 59}, "runs_right": {"0.001": 58}, "wrong": {"0.001": 0},
              "raw_bytes": 2_000_000, "mutated_frames": 20_000, "frames_at_crc": 12_345, "accepted_different": 0,
              "goodput_load": {"a": 0.9}, "goodput_stream": {"a": 0.87, "b": 0.9}}
    rows = link_figures.summary({"link": record})
    assert [value for _, value, _ in rows] == [
        "59, 58 of 60; 0", "2,000,000, 20,000; 12,345; 0", "90.0% (`a`)", "87.0% (`a`), 90.0% (`b`)"]
    assert {group for *_, group in rows} == {"link"}
    del record["frames_at_crc"]
    assert link_figures.summary({"link": record}) == []
    assert link_figures.link(None, {}) == "Not measured yet: `leadlag bench link`."
