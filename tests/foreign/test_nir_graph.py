"""Graphs of NIR: what is read of files and of objects, the flat form, and what is refused by name."""

import random
import re

import hdf5s
import nirs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nirs import NIRGraph, chain, entrance, exit_, flat, lif, node

from golden.nir.graph import Graph, lagged
from golden.nir.neurons import LI, LIF, NODES, Delay
from golden.nir.read import load, parse, read


@pytest.mark.parametrize("version", ["0.2.0", "1.0.4", "1.0.8"])
def test_files_of_versions(version):
    """Kept files of one graph: names with dots and numbers, an order of edges that is not that of the nodes."""
    graph = read(hdf5s.FILES / f"lif-{version}.nir")
    assert graph.version == version
    made = flat(graph)
    assert set(made.nodes) == {"input", "fc.1", "1", "output"}
    assert set(made.edges) == {("input", "fc.1"), ("fc.1", "1"), ("1", "output")}
    rng = np.random.default_rng(3)
    assert np.array_equal(made.nodes["fc.1"].weight, np.round(rng.normal(size=(4, 3)), 3))
    assert np.array_equal(made.nodes["fc.1"].bias, np.round(rng.normal(size=4), 3))
    one = made.nodes["1"]
    assert type(one) is LIF
    assert [one.tau.tolist(), one.v_threshold.tolist(), one.v_reset.tolist()] == [[0.02] * 4, [1.0] * 4, [0.0] * 4]
    assert made.leaves == {"input": (3,), "fc.1": (4,), "1": (4,), "output": (4,)}


def all_nodes():
    """Every node by its name in NIR: members as the package has them, shape that enters, shape that leaves."""
    x = np.ones
    neuron = {"r": x(4), "v_leak": x(4), "v_threshold": x(4), "v_reset": x(4)}
    conv = {"weight": x((6, 2, 3, 3)), "bias": x(6), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2),
            "groups": 2, "input_shape": (8, 9)}
    pool = {"kernel_size": np.array([2, 2]), "stride": np.array([2, 2]), "padding": np.array([0, 0])}
    return {
        "Linear": ({"weight": x((3, 4))}, (4,), (3,)), "Affine": ({"weight": x((3, 4)), "bias": x(3)}, (4,), (3,)),
        "Conv1d": ({"weight": x((5, 2, 3)), "bias": x(5), "stride": 1, "padding": "same", "dilation": 1, "groups": 1,
                    "input_shape": 8}, (2, 8), (5, 8)),
        "Conv2d": (conv, (4, 8, 9), (6, 4, 5)), "SumPool2d": (pool, (3, 8, 9), (3, 4, 4)),
        "AvgPool2d": (pool, (3, 8, 9), (3, 4, 4)),
        "Flatten": ({"input_type": {"input": np.array([2, 3, 4])}, "start_dim": 0, "end_dim": -1}, (2, 3, 4), (24,)),
        "Scale": ({"scale": x(4)}, (4,), (4,)), "Threshold": ({"threshold": x(4)}, (4,), (4,)),
        "Delay": ({"delay": x(4)}, (4,), (4,)), "I": ({"r": x(4)}, (4,), (4,)),
        "IF": ({"r": x(4), "v_threshold": x(4), "v_reset": x(4)}, (4,), (4,)),
        "LI": ({"tau": x(4), "r": x(4), "v_leak": x(4)}, (4,), (4,)), "LIF": ({"tau": x(4)} | neuron, (4,), (4,)),
        "CubaLI": ({"tau_syn": x(4), "tau_mem": x(4), "r": x(4), "v_leak": x(4), "w_in": x(4)}, (4,), (4,)),
        "CubaLIF": ({"tau_syn": x(4), "tau_mem": x(4), "w_in": x(4)} | neuron, (4,), (4,))}


@pytest.mark.parametrize("kind", sorted(set(NODES) - {"Input", "Output"}))
def test_every_node(kind):
    members, entering, leaving = all_nodes()[kind]
    made = flat(chain(node(kind, **members), entering=entering, leaving=leaving))
    assert made.nodes["n0"].kind == kind
    assert made.leaves["n0"] == leaving
    assert made.enters["n0"] == entering
    with pytest.raises(ValueError, match=r"^node (n0|output) \(\w+\): .*(comes in|fit|expected|not there)"):
        flat(chain(node(kind, **members), entering=(*entering, 3), leaving=leaving))


@pytest.mark.parametrize("kind", sorted(set(NODES) - {"Input", "Output"}))
def test_every_node_of_the_package(kind, tmp_path):
    """Objects of the package, and its files of them, are the same graph."""
    nir = pytest.importorskip("nir")
    members, entering, leaving = all_nodes()[kind]
    # 1.0.8 takes the channels of a group for all channels, and so refuses what PyTorch's layers are
    made = nir.NIRGraph({"input": nir.Input(np.array(entering)), "n": getattr(nir, kind)(**members),
                         "output": nir.Output(np.array(leaving))}, [("input", "n"), ("n", "output")],
                        type_check=kind != "Conv2d")
    nir.write(tmp_path / "x.nir", made)
    here, there = flat(load(made)), flat(load(tmp_path / "x.nir"))
    assert here.leaves == there.leaves == {"input": entering, "n": leaving, "output": leaving}
    one, other = vars(here.nodes["n"]), vars(there.nodes["n"])
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert np.array_equal(value, other[name]), name


def test_scalars_and_tensors():
    """Values without axes fit any shape, as Norse and Sinabs export them; tensors come to numpy."""
    torch = pytest.importorskip("torch")
    one = torch.tensor(2.0, requires_grad=True)
    made = flat(chain(node("Linear", weight=torch.ones(3, 1)), node("LIF", tau=one, r=one, v_leak=one, v_threshold=one),
                      node("Scale", scale=np.float32(0.5)), leaving=(3,)))
    assert made.leaves["n1"] == made.leaves["n2"] == (3,)
    assert made.nodes["n1"].at((3,)).tau.tolist() == [2, 2, 2]
    mixed = flat(chain(node("LI", tau=[0.1, 0.2], r=1.0, v_leak=[0.0]), entering=(2,), leaving=(2,)))
    assert mixed.nodes["n0"].r.tolist() == [1, 1]


def test_what_is_absent_has_a_value():
    made = flat(chain(node("LIF", tau=[1.0], r=[1.0], v_leak=[0.0], v_threshold=[1.0]),
                      node("CubaLI", tau_syn=[1.0], tau_mem=[1.0], r=[1.0], v_leak=[0.0])))
    assert made.nodes["n0"].v_reset.tolist() == [0]
    assert made.nodes["n1"].w_in.tolist() == [1]


def test_nested_graphs():
    """Inner nodes are called OUTER.NAME, at any depth; inner doors are gone."""
    inner = NIRGraph({"in": entrance(2), "lif": lif(n=2), "w": node("Linear", weight=np.eye(2)), "out": exit_(2)},
                     [("in", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "out")])
    middle = NIRGraph({"a": entrance(2), "block": inner, "b": exit_(2)}, [("a", "block"), ("block", "b"), ("a", "b")])
    made = flat(chain(middle, entering=(2,), leaving=(2,)))
    assert set(made.nodes) == {"input", "n0.block.lif", "n0.block.w", "output"}
    assert sorted(made.edges) == [("input", "n0.block.lif"), ("input", "output"), ("n0.block.lif", "n0.block.w"),
                                  ("n0.block.lif", "output"), ("n0.block.w", "n0.block.lif")]


def test_nested_file(tmp_path):
    nir = pytest.importorskip("nir")
    inner = nir.NIRGraph({"input": nir.Input(np.array([2])), "s": nir.Scale(np.ones(2)), "output": nir.Output(
        np.array([2]))}, [("input", "s"), ("s", "output")])
    outer = nir.NIRGraph({"input": nir.Input(np.array([2])), "g": inner, "output": nir.Output(np.array([2]))},
                         [("input", "g"), ("g", "output")])
    nir.write(tmp_path / "x", outer)
    assert set(flat(read(tmp_path / "x")).nodes) == {"input", "g.s", "output"}


def test_axes_of_time_before_an_input():
    """Sinabs exports them; what the next node is made for counts, and it is said."""
    made = flat(chain(node("Linear", weight=np.ones((3, 4))), entering=(5, 4), leaving=(5, 3)))
    assert made.leaves["input"] == (4,)
    assert made.notes == ("node input (Input): its shape [5, 4] is taken for [4]: what stands before is time",)


def ring(*between, forward=()):
    """Input -> a -> Output, and a -> what is between -> a."""
    names = [f"r{k}" for k in range(len(between))]
    way = ["a", *names, "a"]
    return NIRGraph({"input": entrance(1), "a": lif(), **dict(zip(names, between, strict=True)), "output": exit_(1)},
                    [("input", "a"), ("a", "output"), *zip(way, way[1:], strict=False), *forward])


def test_lagged_edges():
    """What the farthest state of a loop says, in whatever order the edges are."""
    w, rng = node("Linear", weight=np.ones((1, 1))), random.Random("edges")
    graph = NIRGraph({"input": entrance(1), "fc": w, "a": lif(), "w": w, "b": lif(), "back": w, "own": w,
                      "output": exit_(1)},
                     [("input", "fc"), ("fc", "a"), ("a", "w"), ("w", "b"), ("b", "back"), ("back", "a"), ("a", "own"),
                      ("own", "a"), ("b", "output")])
    for _ in range(9):
        rng.shuffle(graph.edges)
        made = flat(graph)
        assert lagged(made.nodes, made.edges, ()) == {("b", "back"), ("a", "own")}
    through = flat(ring(node("Delay", delay=[1e-3])))
    assert lagged(through.nodes, through.edges, {"r0"}) == set()
    assert lagged(through.nodes, through.edges, ()) == {("a", "r0")}


W = node("Linear", weight=np.ones((1, 1)))
WRONG = {
    "node a: a loop without a state and without a delay (a, b)":
        NIRGraph({"input": entrance(1), "a": W, "b": W, "output": exit_(1)},
                 [("input", "a"), ("a", "b"), ("b", "a"), ("b", "output")]),
    "node b: a loop without a state and without a delay (b, c)":
        NIRGraph({"input": entrance(1), "b": W, "c": node("Delay", delay=[0.0]), "output": exit_(1)},
                 [("input", "b"), ("b", "c"), ("c", "b"), ("c", "output")]),
    "node n1 (Linear): nothing leads into it": NIRGraph({"input": entrance(1), "n0": W, "n1": W, "output": exit_(1)},
                                                        [("input", "n0"), ("n0", "output"), ("n1", "output")]),
    "node n1 (Linear): nobody takes": NIRGraph({"input": entrance(1), "n0": W, "n1": W, "output": exit_(1)},
                                               [("input", "n0"), ("n0", "output"), ("n0", "n1")]),
    "an edge n0 -> out names out, and there is no such node": NIRGraph({"input": entrance(1), "n0": W},
                                                                      [("input", "n0"), ("n0", "out")]),
    "the edge input -> n0 is there twice": NIRGraph({"input": entrance(1), "n0": W, "output": exit_(1)},
                                                    [("input", "n0"), ("n0", "output"), ("input", "n0")]),
    "there is no Input": NIRGraph({"output": exit_(1)}, []), "there is no Output": NIRGraph({"input": entrance(1)}, []),
    "node n0: type 'CubaLiF' is unknown (did you mean CubaLIF?)": chain(node("CubaLiF")),
    "node n0 (LIF): v_leak is missing": chain(node("LIF", tau=[1.0], r=[1.0], v_threshold=[1.0])),
    "node n0 (Scale): gain is not known of a Scale": chain(node("Scale", scale=[1.0], gain=[1.0])),
    "node n0 (LIF): tau must be above 0": chain(lif(tau=0.0)),
    "node n0 (LIF): r[0] is nan": chain(lif(r=float("nan"))),
    "node n0 (LIF): shapes differ": chain(node("LIF", tau=[1.0, 2.0], r=[1.0] * 3, v_leak=0.0, v_threshold=1.0)),
    "node n0 (Delay): delay must be at least 0, not -0.1": chain(node("Delay", delay=[-0.1])),
    "node n0 (Delay): delay[0] is inf": chain(node("Delay", delay=[float("inf")])),
    "node n0 (Linear): weight must be a matrix": chain(node("Linear", weight=np.ones((2, 1, 1)))),
    "node n0 (Affine): bias has shape [2], expected [3]":
        chain(node("Affine", weight=np.ones((3, 1)), bias=[1.0, 2.0])),
    "node n1 (Linear): [3] comes in, [1] is expected": chain(node("Linear", weight=np.ones((3, 1))), W),
    "node output (Output): [3] comes in, [1] is expected": chain(node("Linear", weight=np.ones((3, 1)))),
    "node n0 (Conv1d): padding must be": chain(node("Conv1d", weight=np.ones((1, 1, 3)), bias=[0.0], padding="full",
                                                    stride=1, dilation=1, groups=1), entering=(1, 9)),
    "node n0 (Conv1d): padding same needs": chain(node("Conv1d", weight=np.ones((1, 1, 3)), bias=[0.0], padding="same",
                                                       stride=2, dilation=1, groups=1), entering=(1, 9)),
    "node n0 (Conv1d): a window of [3] does not fit into [2]":
        chain(node("Conv1d", weight=np.ones((1, 1, 3)), bias=[0.0], padding=0, stride=1, dilation=1, groups=1),
              entering=(1, 2)),
    "node n0 (NIRGraph): it has 0 Output nodes": chain(NIRGraph({"in": entrance(1), "s": W}, [("in", "s")])),
    "node n0.s: type 'X' is unknown": chain(NIRGraph({"in": entrance(1), "s": node("X"), "out": exit_(1)}, [])),
    "two nodes are called n0.s": NIRGraph(
        {"input": entrance(1), "n0.s": W, "n0": NIRGraph({"in": entrance(1), "s": W, "out": exit_(1)},
                                                         [("in", "s"), ("s", "out")]), "output": exit_(1)},
        [("input", "n0"), ("n0", "n0.s"), ("n0.s", "output")]),
    "edges must be pairs of names": NIRGraph({"input": entrance(1)}, [("input",)]),
    "node input (Input): shape must be at least 1": NIRGraph({"input": entrance(0)}, []),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_refused(said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}[^\n]*$"):
        flat(WRONG[said])


def test_graphs_without_end():
    graph = NIRGraph({"input": entrance(1), "output": exit_(1)}, [])
    graph.nodes["g"] = graph
    with pytest.raises(ValueError, match="graphs stand within graphs"):
        load(graph)
    with pytest.raises(ValueError, match=r"a path or a nir.NIRGraph, not a int"):
        load(3)


def test_files_of_something_else(tmp_path):
    with pytest.raises(ValueError, match="no group called node: this is no file of NIR"):
        parse((hdf5s.FILES / "old.h5").read_bytes())
    with pytest.raises(ValueError, match=r"x: no such file$"):
        read(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"hello")
    with pytest.raises(ValueError, match=r"x: this is no HDF5 file$"):
        read(tmp_path / "x")


def test_damaged_graphs():
    """1,000 damaged files of NIR: a graph, or one line."""
    from test_hdf5 import damaged
    rng, files, fine = random.Random("graphs"), sorted(hdf5s.FILES.glob("*.nir")), 0
    for n in range(1000):
        try:
            flat(parse(damaged(rng.choice(files).read_bytes(), rng)))
            said = ""
        except ValueError as error:
            said = str(error)
        fine += not said
        assert "\n" not in said, n
    assert 100 < fine < 900


def test_no_recursion_in_long_chains():
    """A chain, and a loop, of thousands of nodes."""
    from golden.nir.graph import components
    names = [str(n) for n in range(5000)]
    edges = list(zip(names, names[1:], strict=False))
    assert components(names, edges) == []
    assert components(names, [*edges, (names[-1], names[0])]) == [names]
    assert components("abcd", ["ab", "ba", "cc"]) == [["a", "b"], ["c"]]


def test_empty_edges():
    assert Graph({}, ()).edges == ()
    assert load(NIRGraph({"input": entrance(1)}, np.zeros((0, 2)))).edges == ()
    assert nirs.spikes("1 0").shape == (1, 2, 1)


ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3) | \
    st.lists(st.integers(-1, 3) | st.floats() | st.text(max_size=1), max_size=3) | \
    st.sampled_from([np.ones(4), np.ones((4, 4)), np.array(np.inf), np.array([1e300]), np.array(["a"]), {}, object(),
                     np.array([None]), {"input": 3}, (), ((),), [[1], [1, 2]], np.ones((2, 2), complex),
                     np.zeros((0, 3))])


@settings(max_examples=400, deadline=None)
@given(kind=st.sampled_from(sorted(NODES)), data=st.data())
def test_members_of_any_kind(kind, data):
    """Any value in the place of any member of any node: a graph, or one line."""
    doors = {"input_type": {"input": np.array([4])}, "output_type": {"output": np.array([4])}}
    members = dict(all_nodes()[kind][0] if kind in all_nodes() else doors)
    for _ in range(data.draw(st.integers(1, 2))):
        members[data.draw(st.sampled_from(sorted(members)))] = data.draw(ANY)
    one = node(kind)
    vars(one).update(members)
    graph = chain(one, entering=(4,), leaving=(4,))
    if data.draw(st.booleans()):
        graph.edges = data.draw(ANY)
    try:
        flat(graph)
        said = ""
    except ValueError as error:
        said = str(error)
    assert "\n" not in said


def test_a_hole_in_the_place_of_a_layer():
    """What Norse exports of recurrent cells."""
    graph = chain(node("LI", tau=[1.0], r=[1.0], v_leak=[0.0]))
    graph.nodes["n0"] = None
    with pytest.raises(ValueError, match="^node n0: None is no node: the export did not know this layer$"):
        load(graph)


def test_one_value_that_is_wrong_is_enough():
    with pytest.raises(ValueError, match="tau must be above 0, not -1"):
        LI(np.array([1.0, -1.0]), 1.0, 0.0)
    with pytest.raises(ValueError, match="delay must be at least 0, not -2"):
        Delay(np.array([0.0, -2.0]))
