"""NIR out: files that our reader and the package take, networks of delays as graphs, who would drop what."""

from dataclasses import replace

import numpy as np
import pytest
from nirs import flat

from golden.fixed import QFormat
from golden.nir import hdf5
from golden.nir.build import parted
from golden.nir.euler import run
from golden.nir.graph import Graph
from golden.nir.hdf5_write import _header, dump
from golden.nir.neurons import IF, LI, LIF, CubaLI, CubaLIF, Delay, Integrator, Scale, Threshold
from golden.nir.nodes import Affine, AvgPool2d, Conv1d, Conv2d, Flatten, Input, Linear, Output, SumPool2d
from golden.nir.options import Options
from golden.nir.read import parse
from golden.nir.synapses import Table
from golden.nir.targets import check_target
from golden.nir.write import to_bytes, write
from golden.spiking import engine
from golden.spiking.layer import Kick, SpikingLayer
from golden.spiking.network import SpikingNetwork
from leadlag.foreign import export


def content() -> dict:
    rng = np.random.default_rng(0)
    return {"text": "τ", "texts": np.array([["a", "b.c"], ["", "τ"]]), "one": 0.1, "int": np.int64(-7),
            "none": np.zeros((0, 3)), "f4": rng.normal(size=(9, 14)).astype(np.float32), "u1": np.arange(3, dtype="u1"),
            "be": np.arange(4, dtype=">i2"), "large": rng.integers(0, 2, (70, 80)) * 1.5, "noise": rng.random(900),
            "zeros": np.zeros(5000, np.int32), "inner": {f"n{k}": {"x": k} for k in range(300)}, "empty": {}}


def same(found: hdf5.Group, wanted: dict) -> None:
    assert set(found.members) == set(wanted)
    for name, value in wanted.items():
        member = found.members[name]
        if isinstance(value, dict):
            same(member, value)
        else:
            read, value = member.read(), np.asarray(value)
            assert np.array_equal(read, value), name
            assert np.shape(read) == value.shape, name
            assert value.dtype.kind in "US" or np.asarray(read).dtype == value.dtype.newbyteorder("="), name


def test_hdf5_comes_back():
    attributes = {"/": {"a": 1.5, "text": "τ", "list": np.arange(3)}, "/inner/n7": {"k": 2}}
    data = dump(content(), attributes)
    assert data == dump(dict(reversed(content().items())), attributes), "the same bytes for the same content"
    assert len(data) < len(dump({"large": content()["noise"]})) + 100_000, "what is regular is compressed"
    found = hdf5.parse(data)
    same(found, content())
    said = found.attributes()
    assert (said["a"], said["text"], said["list"].tolist()) == (1.5, "τ", [0, 1, 2])
    assert found.members["inner"].members["n7"].attributes() == {"k": 2}


def test_hdf5_is_read_by_h5py(tmp_path):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "x.h5").write_bytes(dump(content(), {"/": {"a": 1.5}}))
    with h5py.File(tmp_path / "x.h5") as file:
        assert file.attrs["a"] == 1.5
        assert len(file["inner"]) == 300
        assert file["texts"][()].tolist() == [[b"a", b"b.c"], [b"", "τ".encode()]]
        for name, value in content().items():
            if not isinstance(value, dict) and name[:4] != "text":
                assert np.array_equal(file[name][()], value), name
                assert file[name].dtype == np.asarray(value).dtype.newbyteorder("<"), name


@pytest.mark.parametrize(("root", "said"), [
    ({"a/b": 1}, "/: a/b is no name"), ({"x": {"": 1}}, "/x: '' is no name"), ({"x": 1j}, "/x: values of type complex"),
    ({"x": {"y": np.longdouble(1)}}, "/x/y: values of type")])
def test_what_has_no_form(root, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        dump(root)


def every() -> Graph:
    """Every node, a graph within it, and a loop."""
    one = np.ones((3, 4, 4))
    nodes = {"input": Input((2, 6, 6)), "conv": Conv2d(np.ones((3, 2, 3, 3)), padding="same", stride=1),
             "pool": SumPool2d(2, 1), "avg": AvgPool2d((2, 2), (1, 1)), "i": Integrator(one * 1e4),
             "li": LI(0.01, 2, 0), "scale": Scale(0.5), "flat": Flatten(0, -1),
             "fc": Affine(np.full((5, 48), 0.2), 0.1),
             "cuba": CubaLIF(0.01, 0.01, 1, 0, 2, 0.25), "back": Linear(np.eye(5) * 0.5), "wait": Delay(2e-4),
             "inner": Graph({"input": Input((5,)), "n": LIF(0.01, 100, 0, 0.4, 0.1), "output": Output((5,))},
                            (("input", "n"), ("n", "output"))),
             "ci": CubaLI(0.01, 0.02, 1, 0.1), "th": Threshold(0.01), "one": Linear(np.ones((4, 5))), "wide": Linear(
                 np.ones((8, 4))), "shape": Flatten(0, 0), "if": IF(1e4, 1.5, 0.5), "output": Output((8,))}
    way = ["input", "conv", "pool", "avg", "i", "scale", "li", "flat", "fc", "cuba", "inner", "ci", "th", "one", "if",
           "wide", "shape", "output"]
    return Graph(nodes, (*zip(way, way[1:], strict=False), ("cuba", "wait"), ("wait", "back"), ("back", "cuba")))


def test_every_node_comes_back(tmp_path):
    write(tmp_path / "x.nir", every())
    assert (tmp_path / "x.nir").read_bytes() == to_bytes(every())
    x = np.random.default_rng(1).normal(size=(2, 30, 2, 6, 6))
    before, after = (run(flat(each), x, Options(dt=1e-4)) for each in (every(), parse(to_bytes(every()))))
    assert before["output"].any()
    assert np.allclose(before["output"], after["output"], atol=1e-5)
    conv1 = Graph({"input": Input((2, 9)), "c": Conv1d(np.ones((3, 2, 3)), stride=2), "output": Output((3, 4))},
                  (("input", "c"), ("c", "output")))
    assert flat(parse(to_bytes(conv1))).leaves["c"] == (3, 4)


def test_the_package_reads_it(tmp_path):
    nir = pytest.importorskip("nir")
    write(tmp_path / "x.nir", every())
    graph = nir.read(tmp_path / "x.nir")
    assert set(graph.nodes) == set(every().nodes)
    assert set(graph.edges) == set(every().edges)
    assert graph.nodes["conv"].padding == "same"
    nir.write(tmp_path / "y.nir", graph)
    x = np.random.default_rng(1).normal(size=(1, 30, 2, 6, 6))
    ours, theirs = (run(flat(parse((tmp_path / name).read_bytes())), x, Options(dt=1e-4))["output"]
                    for name in ("x.nir", "y.nir"))
    assert ours.any()
    assert np.array_equal(ours, theirs)


# ---- networks of delays

def layer(inputs, outputs, **fields) -> SpikingLayer:
    return SpikingLayer(**{"inputs": inputs, "outputs": outputs, "weight": QFormat(4, 0), "delay_bits": 3, "leak": (),
                           "state": QFormat(20, 3), "threshold": 72} | fields)


def network(*layers, **fields) -> SpikingNetwork:
    return SpikingNetwork(**{"name": "net", "ticks": 40, "layers": layers} | fields)


def drawn(net, seed=0):
    rng = np.random.default_rng(seed)
    return engine.random_synapses(net, rng), rng.random((3, net.ticks, net.inputs)) < 0.2


@pytest.mark.parametrize("fields", [{}, {"refractory": 255}, {"delay_bits": 1}, {"refractory": 39}])
def test_integrators_are_equal(fields):
    """Spike for spike, at every layer: words are multiples of a power of two, and nothing rounds."""
    net = network(layer(9, 12, **fields), layer(12, 8, **fields))
    params, x = drawn(net)
    data, notes = export(net, params)
    ours = engine.run(net, params, x).spikes
    theirs = run(flat(parse(data)), x, Options(dt=1e-4), record=["neurons_0"])
    assert min(int(each.sum()) for each in ours) > 5
    for mine, name in zip(ours, ("neurons_0", "output"), strict=True):
        assert np.array_equal(mine, theirs[name] > 0), name
    assert notes[-1] == "every image starts from rest, and has 40 ticks; membranes do not saturate in NIR"


@pytest.mark.parametrize(("order", "threshold"), [(1, 300), (2, 1500)])
def test_leaks_are_near(order, threshold):
    """Theirs does not round down; a membrane that leaves is near, too."""
    fine = {"state": QFormat(14, 9), "leak": (3,), "order": order, "refractory": 255, "threshold": threshold << 6}
    net = network(layer(9, 12, **fine), layer(12, 8, **fine), decision="potential")
    params, x = drawn(net)
    data, notes = export(net, params)
    ours = engine.run(net, params, x)
    theirs = run(flat(parse(data)), x, Options(dt=1e-4), record=["neurons_0"])
    assert 20 < ours.spikes[0].sum() < 36 or order == 2
    assert np.mean(ours.spikes[0] == (theirs["neurons_0"] > 0)) > 0.99
    off = np.abs(ours.potential * net.layers[0].state.lsb - theirs["output"])
    assert np.median(off) < 0.1
    assert np.abs(theirs["output"]).max() > 10
    assert notes[-2].startswith("layer 1: its leak rounds down here")


@pytest.mark.parametrize(("fields", "said"), [
    ({"refractory": 3}, "layer 0: NIR has no refractory ticks, of which it has 3"),
    ({"order": 2, "leak": (3,)}, "layer 0: a spike clears its current, too"),
    ({"order": 2, "refractory": 255}, "layer 0: a current without a leak"),
    ({"order": 2, "leak": (3,), "kick": Kick(word=3, leak=(1,))}, "layer 0: NIR has no refractory kernel")])
def test_what_nir_cannot_say(fields, said):
    net = network(layer(2, 3, **fields))
    with pytest.raises(ValueError, match=f"^{said}"):
        export(net, drawn(net)[0])


def test_delays_of_a_side_take_one_node():
    """Of sources: a Delay before the weights; of targets: behind them; else a Delay a value."""
    source, target = (each.ravel() for each in np.meshgrid(np.arange(3), np.arange(2)))
    for delay, shown in ((source + 1, (True, False)), (target * 3, (False, True))):
        (before, table, behind), = parted(Table(source, target, np.ones(6), delay), (2, 3))
        assert (before is not None, behind is not None) == shown
        assert len(table.source) == 6
    parts = parted(Table(source, target, np.ones(6), np.arange(6) // 2), (2, 3))
    assert [before if before is None else before.tolist() for before, _, _ in parts] == [None, [1] * 3, [2] * 3]
    assert [table.source.tolist() for _, table, _ in parts] == [[0, 1], [2, 0], [1, 2]]


# ---- who reads it

def package(name):
    torch = pytest.importorskip("torch")
    nir = pytest.importorskip("nir")
    return torch, nir, pytest.importorskip(name, exc_type=ImportError)


def chain(**fields):
    """Two layers without delays: (network, words, spikes, spikes of golden)."""
    net = network(layer(9, 12, **fields), layer(12, 8, **fields))
    params, x = drawn(net)
    params = tuple(each._replace(delay=0 * each.delay) for each in params)
    return net, params, x


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", ["snntorch", "norse"])
@pytest.mark.parametrize("leak", [(), (3,)])
def test_frameworks_give_the_same_spikes(target, leak, tmp_path):
    torch, nir, _ = package("snntorch" if target == "snntorch" else "norse.torch")
    net, params, x = chain(leak=leak)
    data, _ = export(net, params, target)
    (tmp_path / "x.nir").write_bytes(data)
    graph = nir.read(tmp_path / "x.nir")
    if target == "norse":
        import norse.torch
        model = norse.torch.from_nir(graph, dt=1e-4)
    else:
        from snntorch.import_nir import import_from_nir
        model = import_from_nir(graph)
    state, found = None, []
    with torch.no_grad():
        for each in torch.tensor(x.astype(np.float32)).swapaxes(0, 1):
            spikes, state = model(each, state)
            found.append(spikes.numpy())
    found = np.array(found).swapaxes(0, 1) > 0
    wanted = run(flat(parse(data)), x, Options(dt=1e-4))["output"] > 0
    assert wanted.sum() > 20
    assert np.array_equal(found, wanted)
    assert leak or np.array_equal(found, engine.run(net, params, x).spikes[1])


@pytest.mark.parametrize("target", ["snntorch", "norse"])
def test_refused_for_a_framework(target):
    name = {"snntorch": "snnTorch", "norse": "Norse"}[target]
    net = network(layer(9, 12))
    params, _ = drawn(net)
    with pytest.raises(ValueError, match=r"^node synapses_0_1_delay \(Delay\): " + name.split("T")[0]):
        export(net, params, target)
    loop = Graph({"input": Input((2,)), "n": LIF(1e-3, 10, 0, 1), "w": Linear(np.eye(2)), "output": Output((2,))},
                 (("input", "n"), ("n", "w"), ("w", "n"), ("n", "output")))
    with pytest.raises(ValueError, match="^node n: it is in a loop, which " + name):
        check_target(flat(loop), target, 1e-4)


def lone(node, count=2, reset=None) -> Graph:
    return Graph({"input": Input((count,)), "n": node, "output": Output((count,))}, (("input", "n"), ("n", "output")))


@pytest.mark.parametrize(("target", "node", "said"), [
    ("snntorch", IF(1, 1), "gives it a leak"), ("snntorch", LIF(1e-3, 10, 0, 1, 0.5), "does not read v_reset"),
    ("snntorch", LIF(1e-3, 10, 0.1, 1), "does not read v_leak"), ("norse", Scale(1.0), "does not take it"),
    ("snntorch", LIF(1e-3, 10, 0, [1, 2]), "one threshold"), ("snntorch", LIF(1e-3, [10, 20], 0, 1), "one gain"),
    ("snntorch", CubaLIF(1e-3, 1e-3, 1, 0, 10, 1), "tau_mem / dt"), ("norse", LIF(1e-3, 10, 0, 1), "does not read r"),
    ("norse", IF(1e4, 1), "does not read r"), ("norse", IF(1, 1, 0.5), "does not read v_reset"),
    ("norse", CubaLIF(1e-3, 1e-3, 1, 0.1, 10, 1), "does not read v_leak"), ("norse", LI(1e-3, 1, 0), "does not take")])
def test_what_a_framework_drops(target, node, said):
    name = {"snntorch": "snnTorch", "norse": "Norse"}[target]
    with pytest.raises(ValueError, match=rf"^node n \({node.kind}\): {name} .*{said}"):
        check_target(flat(lone(node)), target, 1e-4)
    check_target(flat(lone(node)), "nir", 1e-4)


def test_what_else_is_refused():
    node = LIF(1e-3, 10, 0, 1)
    check_target(flat(lone(node)), "snntorch", 1e-4)
    with pytest.raises(ValueError, match=r"^snnTorch takes every step for 0.0001 s, not 0.001$"):
        check_target(flat(lone(node)), "snntorch", 1e-3)
    with pytest.raises(ValueError, match="^a graph is written for one of nir, snntorch, norse, not 'lava'$"):
        check_target(flat(lone(node)), "lava", 1e-4)
    two = lone(replace(node))
    two = Graph(two.nodes | {"m": node}, (*two.edges, ("input", "m"), ("m", "output")))
    with pytest.raises(ValueError, match=r"^node output \(Output\): several edges lead into it, which snnTorch"):
        check_target(flat(two), "snntorch", 1e-4)


def test_more_members_than_a_header_counts():
    _header(bytearray(), [(0, b"")] * 0xFFFF)
    with pytest.raises(ValueError, match="a group has too many members"):
        _header(bytearray(), [(0, b"")] * 0x10000)
