"""NIRData: rasters as the package writes them."""

import random

import hdf5s
import numpy as np
import pytest
from test_hdf5 import damaged

from golden.nir.rasters import parse, read


def write(path):
    """A file of every kind of observable, by the package; the kept one is of 1.0.8."""
    nir = pytest.importorskip("nir")
    spikes, membrane = content()
    grid = nir.TimeGriddedData(spikes, dt=1e-3)
    events = grid.to_event(n_events=20, time_shift=2e-4)
    valued = nir.ValuedEventData(events.idx, events.time, 3, 0.03, np.where(events.idx >= 0, 2.5, 0))
    nir.write_data(path, nir.NIRGraphData({"lif": nir.NIRNodeData(
        {"spikes": grid, "v": nir.TimeGriddedData(membrane, dt=1e-3), "events": events, "valued": valued})}))


def content():
    """Spikes, and reals."""
    rng = np.random.default_rng(6)
    return rng.random((2, 30, 3)) < 0.2, rng.normal(size=(2, 30, 3))


@pytest.fixture(params=["kept", "package"])
def drawn(request, tmp_path):
    """A file, and what is in it."""
    path = hdf5s.FILES / "rasters.h5"
    if request.param == "package":
        path = tmp_path / "x.nir"
        write(path)
    return path, *content()


def test_what_is_read(drawn):
    path, spikes, membrane = drawn
    found = read(path, dt=1e-3)
    assert list(found) == ["lif"]
    for name, expected in (("spikes", spikes), ("v", membrane), ("events", spikes), ("valued", 2.5 * spikes)):
        assert np.array_equal(found["lif"][name].values, expected), name
        assert found["lif"][name].values.dtype == expected.dtype, name
        assert found["lif"][name].dt == pytest.approx(1e-3)


def test_what_is_refused(drawn):
    path, *_ = drawn
    with pytest.raises(ValueError, match="node lif: /nodes/lif/observables/events holds events: dt is needed$"):
        read(path)
    with pytest.raises(ValueError, match=r"has dt 0.001, not 0.002$"):
        read(path, dt=2e-3)
    with pytest.raises(ValueError, match="dt must be a number of seconds above 0"):
        read(path, dt=-1.0)
    with pytest.raises(ValueError, match="^this is no file of NIRData$"):
        parse((hdf5s.FILES / "lif-1.0.8.nir").read_bytes())


def test_times_on_the_edge_of_a_step(tmp_path):
    """Multiples of a step belong to the step that they begin, whatever floats make of them."""
    nir = pytest.importorskip("nir")
    time = np.arange(1000)[None] * 1e-4
    data = nir.EventData(np.zeros((1, 1000), int), time, 1, 0.1)
    nir.write_data(tmp_path / "x", nir.NIRGraphData({"a": nir.NIRNodeData({"s": data})}))
    assert read(tmp_path / "x", dt=1e-4)["a"]["s"].values.all()
    late = nir.EventData(np.zeros((1, 1), int), np.full((1, 1), 0.1), 1, 0.1)
    nir.write_data(tmp_path / "x", nir.NIRGraphData({"a": nir.NIRNodeData({"s": late})}))
    with pytest.raises(ValueError, match="an event is outside of 1000 ticks and 1 neurons"):
        read(tmp_path / "x", dt=1e-4)


def test_damaged_files():
    """300 damaged files: rasters, or one line."""
    rng, data = random.Random("rasters"), (hdf5s.FILES / "rasters.h5").read_bytes()
    for n in range(300):
        try:
            parse(damaged(data, rng), dt=1e-3)
            said = ""
        except ValueError as error:
            said = str(error)
        assert "\n" not in said, n
