"""Event-driven networks out as NIR and RISP and in again, files of both, rasters, and what is no equivalent."""

import random
import re
from dataclasses import replace

import numpy as np
import pytest
from events import case
from nirs import flat
from risps import draw, events
from test_event_from_nir import spikes

from golden.event import engine, risp
from golden.event.foreign import read
from golden.event.network import EventNetwork
from golden.event.params import Neurons, Sparse, random_params
from golden.event.parts import INPUT, Block, Population
from golden.nir.euler import run
from golden.nir.hdf5_write import dump
from golden.nir.neurons import IF
from golden.nir.nodes import Linear
from golden.nir.options import Options
from golden.nir.rasters import load as load_rasters
from golden.nir.read import parse
from golden.nir.risp import run as run_risp
from golden.nir.risp_json import parse as parse_risp
from golden.nir.risp_json import write as risp_text
from golden.nir.write import to_bytes, write
from leadlag.bench.nir import cases, chain

DT = 1e-4


def plain(seed: str, **fields):
    """A random network of what NIR has: thresholds above 0, resets to a value, leaks of all or nothing, no bound."""
    net, params, x = case(seed, **fields)
    rng = random.Random(seed)
    kinds = [replace(each, state=18, floor=None, reset=rng.choice(("zero", "value")) if each.fires else "zero",
                     shift=each.shift % 3, leak=rng.choice((None, 0)), bias=each.bias and fields.get("bias", True),
                     current=None, current_leak=None, current_shift=0, on_arrival=False)
             for each in net.populations]
    net = replace(net, populations=kinds)
    found = list(params)
    for n, each in enumerate(kinds):
        words = {name: np.random.default_rng(n).integers(0 if name == "decay" else 1, 2 if name == "decay" else 30,
                                                         each.size) for name in each.words}
        found[n] = Neurons(**{name: -value if name in ("reset", "bias") else value for name, value in words.items()})
    return net, tuple(found), x


@pytest.mark.parametrize("seed", range(40))
def test_equal_to_their_graph(seed, tmp_path):
    """Spikes and membranes, by the reference; and the graph comes in again as a network that gives the same."""
    net, params, x = plain(f"nir {seed}")
    graph, notes = net.graph(params, DT)
    assert notes == ["membranes do not saturate in NIR"]
    made = flat(parse(to_bytes(graph)))
    wanted = net.run(params, x)
    outputs = run(made, x, Options(dt=DT))
    order = net.population_of(net.raster)
    names = [f"output_{n}" if len(set(order)) > 1 else "output" for n in dict.fromkeys(order.tolist())]
    found = np.concatenate([outputs[name] for name in names], 2)
    place = np.argsort(np.argsort([list(dict.fromkeys(order.tolist())).index(each) for each in order], kind="stable"))
    # float64 is a little off where a leak of all is one of nearly all
    assert np.abs(found[..., place] - wanted).max() < 1e-6
    if seed % 4 == 0:
        write(tmp_path / "x.nir", graph)
        again = read(tmp_path / "x.nir", "again", Options(dt=DT), calibrate=x * 1.0).trained
        counts = again.training["outputs"]
        left = again.net.run(again.params, x) * again.net.units_of_outputs
        parts = dict(zip(counts, np.split(left, np.cumsum([*counts.values()])[:-1], 2),
                         strict=True))
        # spikes are the same; membranes that leak by 2**-40 are not integers any more
        assert np.concatenate([parts[name] for name in names], 2)[..., place] == pytest.approx(
            wanted, rel=0, abs=0 if net.spikes_alone else 0.02 * np.abs(wanted).max())


def test_they_fire():
    fired = [net.run(params, x).mean() for net, params, x in (plain(f"nir {seed}") for seed in range(40))]
    assert sum(0.02 < each < 0.98 for each in fired) > 12


@pytest.mark.parametrize(("fields", "said"), [
    ({"reset": "subtract"}, "population 0: NIR has no reset by subtraction"),
    ({"reset": "late"}, "population 0: NIR has no reset by subtraction"),
    ({"floor": -3}, "population 0: NIR has no lower bound"),
    ({"on_arrival": True, "bias": True}, "population 0: in NIR a neuron fires whether or not something arrives"),
    ({"current": "new"}, "population 0: a current, or a membrane behind it, that does not leak")])
def test_what_nir_cannot_say(fields, said):
    net = EventNetwork(name="net", lines=2, populations=(Population(size=3, **fields),), raster=(0,),
                       blocks=(Block(source=INPUT, target=0),))
    with pytest.raises(ValueError, match=f"^{said}"):
        net.graph(random_params(net, np.random.default_rng(0)), DT)


def test_currents_and_leaks_are_near():
    """A network of currents comes back from its graph as what it was, but for what rounds."""
    net = EventNetwork(name="net", lines=12, raster=tuple(range(20)), weight_bits=8, delay_bits=3, populations=(
        Population(size=20, state=18, leak=12, bias=True, current="new", current_leak=12, current_shift=3, shift=2),),
        blocks=(Block(source=INPUT, target=0), Block(source=0, target=0)))
    rng = np.random.default_rng(0)
    params = (Neurons(threshold=rng.integers(200, 400, 20), decay=rng.integers(3500, 4000, 20),
                      bias=rng.integers(-3, 4, 20), current_decay=rng.integers(2000, 3500, 20)),
              *random_params(net, rng)[1:])
    graph, notes = net.graph(params, DT)
    assert notes[0].startswith("population 0: its decay rounds")
    x = spikes((3, 80, 12)).astype(int)
    wanted, found = net.run(params, x), run(flat(graph), x, Options(dt=DT))["output"]
    assert 0.05 < wanted.mean() < 0.6
    assert np.mean(wanted == found) > 0.98


# ---- RISP

@pytest.mark.parametrize("seed", range(30))
def test_risp_comes_back(seed):
    """In as TENNLab's JSON, out again: the same spikes, by golden.nir.risp."""
    rng = random.Random(f"risp out {seed}")
    net = draw(rng)
    net = replace(net, thresholds=tuple(max(1, each) for each in net.thresholds), late=False)
    given = [(step, neuron, charge) for step, neuron, charge in events(net, rng, 30) if charge]
    trained = risp.convert(net, charge=20)
    found, notes = trained.net.risp(trained.params)
    again = parse_risp(risp_text(found))
    assert notes == []
    assert again.outputs
    order = [*net.inputs, *(n for n in range(len(net.ids)) if n not in set(net.inputs))]
    place = {neuron: n for n, neuron in enumerate(order)}
    wanted, _ = run_risp(net, given, 30)
    shown, _ = run_risp(again, [(step, place[neuron], charge) for step, neuron, charge in given], 30)
    assert np.array_equal(shown[:, [place[n] for n in range(len(net.ids))]], wanted)


def test_risp_of_dense_lines():
    """A neuron of its own stands for each line, and all is a step later."""
    net = EventNetwork(name="net", lines=4, populations=(Population(size=5), Population(size=3, leak=0)),
                       raster=tuple(range(8)), weight_bits=4, delay_bits=3, entries=9, blocks=(
                           Block(source=INPUT, target=0), Block(source=0, target=0)))
    rng = np.random.default_rng(1)
    leaks = Neurons(threshold=np.array([1, 2, 3]), decay=np.array([0, 1, 0]))
    params = (Neurons(threshold=rng.integers(1, 9, 5)), leaks,
              *random_params(net, rng)[2:4], Sparse(rng.integers(0, 5, 9), rng.integers(5, 8, 9),
                                                    rng.integers(1, 5, 9), rng.integers(1, 8, 9)))
    found, notes = net.risp(params)
    assert notes == ["everything happens a step later: a neuron of its own stands for each line"]
    x = spikes((1, 60, 4)).astype(int)
    wanted, _ = engine.advance(net, params, x)
    given = [(int(t), 8 + int(line), 1) for t, line in np.argwhere(x[0])]
    shown, _ = run_risp(found, given, 61)
    assert wanted.sum() > 20
    assert np.array_equal(shown[1:, :8], wanted[0])
    with pytest.raises(ValueError, match="^a synapse of no delay between populations"):
        net.risp((*params[:4], params[4]._replace(delay=0 * params[4].delay)))


@pytest.mark.parametrize(("fields", "said"), [
    ({"reset": "value"}, "population 0: RISP has no currents"), ({"leak": 3}, "population 0: in RISP all leaks"),
    ({"bias": True}, "population 0: RISP has no currents and no biases")])
def test_what_risp_cannot_say(fields, said):
    net = EventNetwork(name="net", lines=2, populations=(Population(size=3, **fields),), raster=(0,),
                       blocks=(Block(source=INPUT, target=0),))
    with pytest.raises(ValueError, match=f"^{said}"):
        net.risp(random_params(net, np.random.default_rng(0)))


def test_risp_that_fires_on_arrival_only():
    net = EventNetwork(name="net", lines=2, populations=(Population(size=2),), raster=(0,),
                       blocks=(Block(source=INPUT, target=0),))
    params = (Neurons(threshold=np.array([0, 1])), random_params(net, np.random.default_rng(0))[1])
    with pytest.raises(ValueError, match="^population 0: in RISP a neuron fires only where something arrives"):
        net.risp(params)


# ---- files

def test_formats_are_told_apart(tmp_path):
    write(tmp_path / "a", cases()["lif"])
    rng = random.Random(5)
    (tmp_path / "b").write_text(risp_text(replace(draw(rng), discrete=True)))
    (tmp_path / "c").write_text("[3]")
    assert read(tmp_path / "a", "a", Options(dt=1e-3)).layers[0]["node"] == "LIF"
    assert read(tmp_path / "b", "b", Options()).layers[0]["node"] == "RISP"
    with pytest.raises(ValueError, match=r"/c: this is neither HDF5 \(NIR\) nor JSON \(RISP\)$"):
        read(tmp_path / "c", "c", Options())
    with pytest.raises(ValueError, match=r"/b: this is no HDF5 file$"):
        read(tmp_path / "b", "b", Options(), form="nir")


def test_rasters(tmp_path):
    x = spikes((2, 30, 4))
    np.savez(tmp_path / "x.npz", x=x)
    np.savez(tmp_path / "named.npz", input=x.astype(bool), other=x)
    assert np.array_equal(load_rasters(tmp_path / "x.npz")["x"], x)
    graph = chain(Linear(np.eye(4)), IF(1.0, 0.5))
    write(tmp_path / "n.nir", graph)
    for name in ("x.npz", "named.npz"):
        found = read(tmp_path / "n.nir", "net", Options(dt=1e-3), calibrate=tmp_path / name)
        assert found.layers[0]["before"] == pytest.approx(x.mean())
    np.savez(tmp_path / "bad.npz", x=x[..., :3])
    (tmp_path / "worse.npz").write_bytes(b"PK\3\4")
    for name, said in (("bad.npz", r"rasters of input must be \(samples, ticks, \*\[4\]\)"),
                       ("worse.npz", "this is no readable .npz"), ("none.npz", "no such file")):
        with pytest.raises(ValueError, match=re.escape(str(tmp_path)) + ".*" + said):
            read(tmp_path / "n.nir", "net", Options(dt=1e-3), calibrate=tmp_path / name)


def test_rasters_of_nirdata(tmp_path):
    """TimeGriddedData of the node of the Input."""
    x = spikes((2, 30, 4), share=0.4)
    where = "/nodes/input/observables/spikes"
    (tmp_path / "x.nir").write_bytes(dump({"nodes": {"input": {"observables": {"spikes": {"data": x}}}}}, {
        "/": {"__type__": "NIRGraphData"}, "/nodes/input": {"__type__": "NIRNodeData"},
        where: {"__type__": "TimeGriddedData", "dt": 1e-3}}))
    write(tmp_path / "n.nir", chain(Linear(np.eye(4)), IF(1.0, 0.5)))
    found = read(tmp_path / "n.nir", "net", Options(dt=1e-3), calibrate=tmp_path / "x.nir")
    assert found.layers[0]["before"] == pytest.approx(x.mean())
    with pytest.raises(ValueError, match=r"has dt 0.001, not 1.0$"):
        read(tmp_path / "n.nir", "net", Options(dt=1.0), calibrate=tmp_path / "x.nir")
