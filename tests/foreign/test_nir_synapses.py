"""Tables of synapses do what the graph does, computed from their own definition: a sum over entries."""

import random

import numpy as np
import pytest
from nirs import NIRGraph, chain, entrance, exit_, flat, node

from golden.nir.euler import above, charge_step, fire_step, rest, run
from golden.nir.neurons import Threshold
from golden.nir.nodes import Input
from golden.nir.options import Options
from golden.nir.synapses import ONE, columns, wire

ONE_S = Options(dt=1.0)


def by_tables(made, x, options):
    """What leaves each population (ticks, neurons), for x (ticks, neurons) of the one Input."""
    wiring = wire(made, options)
    size = {name: int(np.prod(made.leaves[name])) for name in wiring.populations}
    said = {name: np.zeros((len(x), size[name])) for name in wiring.populations} | {ONE: np.ones((len(x), 1))}
    state = {name: rest(1, made.leaves[name]) for name in wiring.populations}
    for t in range(len(x)):
        for name in wiring.populations:
            one = made.nodes[name]
            total = np.zeros(size[name])
            for (source, target), table in wiring.tables.items():
                if target == name:
                    here = table.delay <= t
                    value = table.weight[here] * said[source][t - table.delay[here], table.source[here]]
                    np.add.at(total, table.target[here], value)
            shaped = total.reshape(1, *made.leaves[name])
            if one.STATE:
                v, i = charge_step(one, state[name], shaped, options)
                state[name], shaped = fire_step(one, state[name], v, i, options)
            elif isinstance(one, Threshold):
                shaped = above(shaped, one.threshold, options)
            said[name][t] = x[t] if type(one) is Input else shaped.ravel()
    return said


def drawn(rng) -> NIRGraph:
    """Two or three populations, paths of Linear, Affine, Scale and Delay between any of them, both ways."""
    values = np.random.default_rng(rng.randrange(1 << 30))
    sizes = {"input": rng.randint(1, 4)} | {f"p{k}": rng.randint(1, 5) for k in range(rng.randint(2, 3))}
    nodes, edges, names = {"input": entrance(sizes["input"])}, [], list(sizes)
    for name in names[1:]:
        n = sizes[name]
        state = {"tau": values.uniform(1, 4, n), "r": values.uniform(0.5, 3, n), "v_leak": values.normal(0, 0.1, n)}
        nodes[name] = node("LI", **state) if rng.random() < 0.2 else \
            node("LIF", **state, v_threshold=values.uniform(0.2, 1, n), v_reset=np.zeros(n))

    def path(a, b, k):
        made, here = [], sizes[a]
        for _ in range(rng.randint(1, 3)):
            kind = rng.choice(("Linear", "Affine", "Scale", "Delay"))
            if kind in ("Linear", "Affine"):
                there = rng.randint(1, 4)
                bias = {"bias": values.normal(0, 0.3, there)} if kind == "Affine" else {}
                weight = values.normal(0, 1, (there, here)) * (values.random((there, here)) < 0.7)
                made, here = [*made, node(kind, weight=weight, **bias)], there
            else:
                value = values.normal(size=here) if kind == "Scale" else values.integers(0, 4, here).astype(float)
                made.append(node(kind, **{"scale" if kind == "Scale" else "delay": value}))
        made.append(node("Linear", weight=values.normal(0, 1, (sizes[b], here))))
        way = [a, *(f"{a}-{b}-{k}-{n}" for n in range(len(made))), b]
        nodes.update(zip(way[1:-1], made, strict=True))
        edges.extend(zip(way, way[1:], strict=False))

    pairs = list(zip(names, names[1:], strict=False))
    pairs += [(rng.choice(names), rng.choice(names[1:])) for _ in range(rng.randint(0, 4))]
    for k, (a, b) in enumerate(pairs):
        path(a, b, k)
    nodes["output"] = exit_(sizes[names[-1]])
    return NIRGraph(nodes, [*edges, (names[-1], "output")])


def test_random_graphs():
    """80 graphs: recurrent, parallel paths, delays on either side; every spike, and reals to 1e-9."""
    rng, spikes = random.Random("tables"), 0
    for n in range(80):
        made = flat(drawn(rng))
        x = np.random.default_rng(n).integers(0, 2, (25, made.leaves["input"][0])).astype(float)
        options = Options(dt=1.0, reset=rng.choice(("v_reset", "subtract", "late")))
        found = by_tables(made, x, options)
        names = [name for name in made.nodes if name in found]
        expected = run(made, x[None], options, record=names)
        for name in names:
            assert np.allclose(found[name], expected[name][0].reshape(25, -1), atol=1e-9), (n, name)
            spikes += int(expected[name].sum()) if made.nodes[name].SPIKES else 0
    assert spikes > 1000


def test_convolutions_and_pools():
    """A path of each linear node, over shapes of three axes, with every option of a convolution."""
    rng = np.random.default_rng(4)
    conv = {"stride": (1, 2), "padding": (2, 1), "dilation": (2, 1), "groups": 2}
    pool = {"kernel_size": np.array([2, 3]), "stride": np.array([2, 1]), "padding": np.array([1, 1])}
    flatten = {"input_type": {"input": None}, "start_dim": 0, "end_dim": -1}
    nodes = [node("Conv2d", weight=rng.normal(size=(4, 1, 3, 2)), bias=rng.normal(size=4), **conv),
             node("Delay", delay=rng.integers(0, 3, (4, 7, 4)).astype(float)), node("AvgPool2d", **pool),
             node("SumPool2d", **pool), node("Flatten", **flatten)]
    shapes = [(4, 7, 4), (4, 7, 4), (4, 4, 4), (4, 3, 4), (48,)]
    for end, shape in enumerate(shapes, 1):
        graph = chain(*nodes[:end], entering=(2, 7, 6), leaving=shape)
        made, x = flat(graph), rng.normal(size=(5, 84))
        expected = run(made, x.reshape(1, 5, 2, 7, 6), ONE_S)["output"][0].reshape(5, -1)
        assert np.allclose(by_tables(made, x, ONE_S)["output"], expected, atol=1e-12), end


def test_parallel_paths_stay():
    """A delay a matrix, as one Delay -> Linear pair for each value: one table, an entry a synapse."""
    same = node("Linear", weight=[[2.0, 0.0]])
    graph = NIRGraph({"input": entrance(2), "d1": node("Delay", delay=[1.0, 2.0]), "d3": node("Delay", delay=[3.0] * 2),
                      "w": same, "v": node("Linear", weight=[[2.0, 5.0]]), "u": same, "output": exit_(1)},
                     [("input", "d1"), ("input", "d3"), ("input", "u"), ("d1", "v"), ("d3", "w"), ("v", "output"),
                      ("w", "output"), ("u", "output")])
    (pair, table), = wire(flat(graph), ONE_S).tables.items()
    assert pair == ("input", "output")
    rows = sorted(zip(*(column.tolist() for column in table), strict=True))
    assert rows == [(0, 0, 2.0, 0), (0, 0, 2.0, 1), (0, 0, 2.0, 3), (1, 0, 5.0, 2)]


def test_biases_wait_behind_delays():
    table = wire(flat(chain(node("Affine", weight=[[1.0]], bias=[0.5]), node("Delay", delay=[2.0]))), ONE_S).tables
    assert [column.tolist() for column in table[ONE, "output"]] == [[0], [0], [0.5], [2]]


def test_loops():
    """A step's lag where nothing else waits, and none beside a delay."""
    def loop(*between):
        one = node("LIF", tau=[1.0], r=[1.0], v_leak=[0.0], v_threshold=[0.5])
        names = [f"m{k}" for k in range(len(between))]
        way = ["a", *names, "a"]
        return wire(flat(NIRGraph({"input": entrance(1), "a": one, "output": exit_(1)} |
                                  dict(zip(names, between, strict=True)),
                                  [("input", "a"), ("a", "output"), *zip(way, way[1:], strict=False)])), ONE_S)
    same = node("Linear", weight=[[1.0]])
    assert loop(same).tables["a", "a"].delay.tolist() == [1]
    assert loop(same, node("Delay", delay=[3.0])).tables["a", "a"].delay.tolist() == [3]
    assert loop(same).populations == ("input", "a", "output")


def test_loops_of_delays_alone_have_no_table():
    graph = NIRGraph({"input": entrance(1), "s": node("Scale", scale=[0.5]), "d": node("Delay", delay=[1.0]),
                      "output": exit_(1)}, [("input", "s"), ("s", "d"), ("d", "s"), ("s", "output")])
    assert run(flat(graph), np.array([[[1.0], [0], [0]]]), ONE_S)["output"].ravel().tolist() == [0.5, 0.25, 0.125]
    with pytest.raises(ValueError, match="^node d: a loop without a state has no table of synapses$"):
        wire(flat(graph), ONE_S)


def test_columns_of_what_is_no_map():
    with pytest.raises(ValueError, match="^a LI is not linear$"):
        columns(flat(chain(node("LI", tau=[1.0], r=[1.0], v_leak=[0.0]))).nodes["n0"], (1,))
