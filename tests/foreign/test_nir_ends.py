"""Ends of what files of others may say: the last value that is taken, and the first that is not."""

import json
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import hdf5s
import numpy as np
import pytest
from nirs import flat

from golden.nir import hdf5, rasters
from golden.nir.euler import run
from golden.nir.graph import DEEPEST, Graph
from golden.nir.neurons import IF, LI, Delay
from golden.nir.nodes import Conv1d, Conv2d, Flatten, Input, Linear, Output
from golden.nir.options import Options
from golden.nir.read import load
from golden.nir.risp import MAX_WORD, Risp, Synapse
from golden.nir.risp_json import write
from golden.nir.write import to_bytes
from leadlag.bench.nir import chain

NET = Risp(ids=(4, 7), thresholds=(1, 2), leaks=(True, False), inputs=(0,), outputs=(1,), min_potential=0,
           synapses=(Synapse(0, 1, 2, 3), Synapse(1, 0, -1, 9)))


@pytest.mark.parametrize("wrong", [1.5, [1, 2], "1", None])
def test_axes_of_flatten(wrong):
    assert Flatten(np.array([2]), 3).start_dim == 2
    with pytest.raises(ValueError, match="start_dim must be an integer"):
        Flatten(wrong, -1)


def test_delays_that_are_steps():
    graph = chain(Delay([0.002, 0.001, 0.0, 0.005]), Linear(np.eye(4)), IF(1.0, 0.5))
    x = np.ones((1, 9, 4))
    late = run(flat(graph), x, Options(dt=1e-3, delays="exact"))["output"][0]
    assert late.argmax(0).tolist() == [2, 1, 0, 5]
    with pytest.raises(ValueError, match="a delay of 0.0015 is no number of steps of 0.001$"):
        run(flat(chain(Delay([0.002, 0.0015, 0, 0]), IF(1.0, 0.5))), x, Options(dt=1e-3, delays="exact"))


def test_rasters_by_name(tmp_path):
    found = rasters.load(hdf5s.FILES / "rasters.h5", 1e-3)
    assert list(found) == ["lif"]
    assert found["lif"].shape == (2, 30, 3)
    np.savez(tmp_path / "x.npz", a=np.arange(3))
    assert rasters.load(tmp_path / "x.npz")["a"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("wrong", [0, -1.0, float("inf"), float("nan"), "1", None])
def test_numbers_of_rasters(wrong):
    def group(value):
        return SimpleNamespace(attributes=lambda: {"dt": value}, path="/x")
    assert rasters._number(group(np.float32(0.5)), "dt") == 0.5
    with pytest.raises(ValueError, match="^/x: dt must be a number above 0, not "):
        rasters._number(group(wrong), "dt")


class NIRGraph(SimpleNamespace):
    """An object that looks like the package's."""


def test_nodes_that_are_none():
    with pytest.raises(ValueError, match="its nodes are not a group of nodes"):
        load(NIRGraph(nodes=5, edges=[]))


@pytest.mark.parametrize("deep", [DEEPEST, DEEPEST + 1])
def test_graphs_within_graphs(deep):
    """A graph within a graph `deep` times."""
    graph = NIRGraph(nodes={}, edges=[])
    for _ in range(deep):
        graph = NIRGraph(nodes={"g": graph}, edges=[])
    try:
        found = str(load(graph).nodes.keys())
    except ValueError as error:
        found = str(error)
    assert ("stand within" in found) == (deep > DEEPEST), found


def test_charges_that_fit():
    double = replace(NET, factor=Fraction(2))
    assert double.charge(MAX_WORD // 2 - 1) == MAX_WORD - 2
    with pytest.raises(ValueError, match=f"an input of {MAX_WORD // 2} does not fit"):
        double.charge(MAX_WORD // 2)


@pytest.mark.parametrize("ends", [(0, 2), (2, 0), (-1, 0), (0, -1)])
def test_synapses_without_an_end(ends):
    with pytest.raises(ValueError, match="a synapse has no neuron at an end"):
        replace(NET, synapses=(Synapse(*ends, 1, 1),))


def test_what_json_says_of_properties():
    said = json.loads(write(NET))
    leak, (_, delay) = said["Properties"]["node_properties"][1], said["Properties"]["edge_properties"]
    assert (leak["name"], chr(leak["type"])) == ("Leak", "B")
    assert (chr(delay["type"]), delay["min_value"], delay["max_value"]) == ("I", 1, 9)
    params = said["Associated_Data"]["proc_params"]
    assert (params["max_delay"], params["run_time_inclusive"], params["leak_mode"]) == (9, False, "configurable")


def test_what_has_one_axis():
    """A number to the package where it is of a convolution, but for shapes."""
    one = Conv1d(np.ones((2, 1, 3)), np.zeros(2), stride=2, padding=1)
    graph = Graph({"input": Input((1, 9)), "c": one, "output": Output((2, 5))}, (("input", "c"), ("c", "output")))
    nodes = hdf5.parse(to_bytes(graph)).members["node"].members["nodes"].members
    assert np.shape(nodes["c"].members["stride"].read()) == ()
    assert nodes["input"].members["shape"].read().tolist() == [1, 9]
    flat_one = chain(Linear(np.eye(4)), IF(1.0, 0.5))
    nodes = hdf5.parse(to_bytes(flat_one)).members["node"].members["nodes"].members
    assert nodes["input"].members["shape"].read().tolist() == [4]
    two = Conv2d(np.ones((2, 1, 3, 3)), np.zeros(2), stride=(2, 1), padding=(1, 1))
    graph = Graph({"input": Input((1, 9, 9)), "c": two, "output": Output((2, 5, 9))}, (("input", "c"), ("c", "output")))
    nodes = hdf5.parse(to_bytes(graph)).members["node"].members["nodes"].members
    assert nodes["c"].members["stride"].read().tolist() == [2, 1]


def test_a_loop_whose_shape_nothing_says():
    nodes = {"input": Input((4,)), "w": Linear(np.eye(4)), "n": IF(1.0, 1.0), "output": Output((4,)),
             "a": LI(1.0, 1.0, 0.0), "b": LI(1.0, 1.0, 0.0)}
    edges = (("input", "w"), ("w", "n"), ("n", "output"), ("a", "b"), ("b", "a"))
    with pytest.raises(ValueError, match="^node a: its shape is not given, and cannot be derived$"):
        flat(Graph(nodes, edges))
