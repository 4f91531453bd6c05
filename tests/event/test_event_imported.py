"""Imported networks in the circuit: the words of golden, of the compiled circuit and of the simulated board are one."""

import numpy as np
import pytest

from golden.event.foreign import read
from golden.event.from_nir import convert
from golden.image import build_image
from golden.nir.graph import flatten
from golden.nir.options import Options
from golden.nir.write import write
from leadlag.bench.nir import DT, cases, drawn, nested, readout
from leadlag.foreign import Foreign
from rtl.systems import circuit

GRAPHS = cases() | {"readout": readout()}


@pytest.mark.parametrize("name", GRAPHS)
def test_circuit_equals_golden(name):
    from sim.harness.device import Device
    trained = convert(flatten(GRAPHS[name]), name, Options(dt=DT), drawn(1, samples=2, ticks=80)).trained
    net, x = trained.net, drawn(2, samples=2, ticks=60)
    device = Device(net, quick=True)
    device.load(build_image(net, trained.params).pairs)
    want = net.run(trained.params, x)
    assert np.abs(want).sum() > 50
    assert np.array_equal(device.run(x, stalls="random", output_stalls="bursts"), want)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["flat", "nested"])
@pytest.mark.parametrize("name", GRAPHS)
def test_simulated_board_equals_golden(name, form, tmp_path):
    """With as many lanes as the default board has room for; `run` compares every word."""
    graph = GRAPHS[name] if form == "flat" else nested(GRAPHS[name])
    write(tmp_path / "x.nir", graph)
    found = Foreign(*read(tmp_path / "x.nir", name, Options(dt=DT)))
    assert circuit(found.case.net).core
    assert found.case.net.lanes > 1
    assert np.abs(found.run(drawn(2, samples=2, ticks=50), rtl=True, port="sim")).sum() > 50
