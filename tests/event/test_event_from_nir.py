"""NIR in: graphs as event-driven networks, exact where a quantum is, near the reference where not, refused by name."""

import random
import re
from dataclasses import fields, replace

import numpy as np
import pytest
from nirs import flat

from golden.event import engine
from golden.event.from_nir import convert
from golden.event.network import EventNetwork
from golden.event.quanta import quanta
from golden.event.real import real
from golden.nir.euler import run
from golden.nir.graph import Graph, flatten
from golden.nir.neurons import IF, LI, LIF, CubaLI, CubaLIF, Delay, Integrator, Scale, Threshold
from golden.nir.nodes import Affine, AvgPool2d, Conv2d, Flatten, Input, Linear, Output, SumPool2d
from golden.nir.options import Options
from leadlag.bench.nir import DT, cases, chain, nested


def spikes(shape, seed=0, share=0.3):
    return (np.random.default_rng(seed).random(shape) < share).astype(float)


def both(graph, x, options, **more):
    """Spikes of every layer by the reference and by the network: {name: (float, integers)}; and the import."""
    made, name = flat(graph), "net"
    found = convert(made, name, options, x, **more)
    net, params = found.trained.net, found.trained.params
    shown = {row["layer"] for row in found.layers}
    layers = [each for each in real(made, options.of(made)).layers if each in shown]
    reference = run(made, x, options, record=layers)
    lines = np.rint(x.reshape(*x.shape[:2], -1) / found.trained.training["input_scale"]).astype(int)
    mine, _ = engine.advance(net, params, lines)
    # in front of them stands the neuron that biases come from, where there is one
    first = len(net.populations) - len(layers) - sum("late" in key for key in found.trained.training["outputs"])
    shown = {each: (reference[each].reshape(*x.shape[:2], -1) > 0, mine[..., net.slice(n)])
             for n, each in enumerate(layers, max(0, first))}
    shown["output"] = reference["output"].reshape(*x.shape[:2], -1) > 0, net.run(params, lines) > 0
    return shown, found


def integers(rng: random.Random):
    """A graph of integrators and of neurons that forget all: integers times a quantum, loops, delays, biases.

    Tenths are no sums of powers of two: the reference would round at a threshold that is one of them.
    """
    size, q = [rng.randint(2, 9) for _ in range(3)], rng.choice((1, 0.1, 0.375, 7))
    draw = np.random.default_rng(rng.randrange(1 << 30))

    def neuron(n):
        kind, off = rng.choice(("IF", "LIF", "Threshold")), rng.choice((0.5, 0.25, 0) if q != 0.1 else (0.5, 0.2))
        th = (draw.integers(1, 9, n) - off) * q
        if kind == "IF":
            return IF(r=np.ones(n), v_threshold=th, v_reset=draw.integers(-2, 1, n) * q)
        if kind == "LIF":
            return LIF(tau=np.full(n, DT), r=np.ones(n), v_leak=0, v_threshold=th, v_reset=0)
        return Threshold(th)

    def weights(a, b):
        w = draw.integers(-4, 6, (b, a)) * q
        return Affine(w, draw.integers(0, 2, b) * q) if rng.random() < 0.3 else Linear(w)

    nodes = {"input": Input((size[0],)), "w0": weights(size[0], size[1]), "a": neuron(size[1]),
             "w1": weights(size[1], size[2]), "b": neuron(size[2]), "output": Output((size[2],))}
    edges = [("input", "w0"), ("w0", "a"), ("a", "w1"), ("w1", "b"), ("b", "output")]
    for k in range(rng.randint(0, 3)):
        ends = rng.choice([("a", "b"), ("b", "a"), ("a", "a"), ("b", "b"), ("input", "b")])
        a, b = (size[{"input": 0, "a": 1, "b": 2}[each]] for each in ends)
        nodes |= {f"d{k}": Delay(draw.integers(1, 9, a) * DT), f"r{k}": weights(a, b)}
        edges += [(ends[0], f"d{k}"), (f"d{k}", f"r{k}"), (f"r{k}", ends[1])]
    return Graph(nodes, tuple(edges))


@pytest.mark.parametrize("seed", range(60))
def test_integers_are_equal(seed):
    rng = random.Random(f"exact {seed}")
    graph = integers(rng)
    inputs = graph.nodes["input"].shape
    tenths = np.any(graph.nodes["w0"].weight % 0.125)
    options = Options(dt=DT, reset=rng.choice(("v_reset", "zero") if tenths else ("subtract", "late", "v_reset")),
                      threshold=rng.choice((">", ">=")))
    x = spikes((2, 40, *inputs), seed)
    if rng.random() < 0.3:
        x = x * np.random.default_rng(seed).integers(-3, 6, x.shape)
    found, made = both(graph, x, options)
    assert [row["words"] for row in made.layers] == ["exact"] * 2
    for name, (theirs, mine) in found.items():
        assert np.array_equal(theirs, mine), (name, np.argwhere(theirs != mine)[:3])


def test_they_fire():
    """What the test above compares is not silence."""
    total = 0
    for seed in range(20):
        graph = integers(random.Random(f"exact {seed}"))
        x = spikes((2, 40, *graph.nodes["input"].shape), seed)
        total += run(flat(graph), x, Options(dt=DT))["output"].mean() > 0.02
    assert total > 14


def test_convolutions_and_pools():
    rng = np.random.default_rng(0)
    shape = (2, 8, 8)
    nodes = [Conv2d(rng.integers(-2, 4, (3, 2, 3, 3)), padding=1), IF(np.ones((3, 8, 8)), np.full((3, 8, 8), 2.5)),
             SumPool2d(2, 2), Threshold(np.full((3, 4, 4), 0.5)), AvgPool2d((2, 2), (2, 2)), Scale(2.0),
             IF(np.ones((3, 2, 2)), np.full((3, 2, 2), 2.25)), Flatten(0, -1), Linear(rng.integers(-2, 4, (5, 12))),
             IF(np.ones(5), np.full(5, 3.5))]
    found, made = both(chain(*nodes, entering=shape, leaving=(5,)), spikes((2, 50, *shape)), Options(dt=DT))
    assert {row["words"] for row in made.layers} == {"exact"}
    for name, (theirs, mine) in found.items():
        assert theirs.sum() > 20, name
        assert np.array_equal(theirs, mine), name
    net = made.trained.net
    assert net.lines == 128
    # that of the first convolution is sparse: 27 of 128 lines a neuron
    assert net.entries >= 3 * 64 * 2 * 4


@pytest.mark.parametrize("form", ["flat", "nested"])
@pytest.mark.parametrize("name", ["lif", "delayed", "cuba"])
def test_spikes_agree(name, form):
    graph = cases()[name] if form == "flat" else nested(cases()[name])
    calibration, x = (spikes((4, 100, 20), seed) for seed in (1, 2))
    options = Options(dt=DT)
    trained = convert(flat(graph), name, options, calibration).trained
    theirs = run(flat(graph), x, options)["output"] > 0
    mine = trained.net.run(trained.params, x.astype(int)) > 0
    assert theirs.sum() > 200
    assert np.mean(theirs == mine) >= 0.95
    assert (theirs & mine).sum() / (theirs | mine).sum() >= 0.9


def test_bits_and_report():
    graph, options = cases()["lif"], Options(dt=DT)
    loss = []
    for bits in (3, 6, 12):
        found = convert(flat(graph), "net", options, spikes((4, 100, 20)), bits=bits)
        row, = found.layers
        assert found.trained.net.weight_bits == bits
        assert row["weight error"] <= 0.51 / (2 ** (bits - 1) - 1)
        assert (row["neurons"], row["synapses"], row["saturated"], row["node"]) == (30, 600, 0, "LIF")
        assert row["delays"] == "0 ticks"
        assert row["before"] > 0.02
        loss.append(row["agreement"])
    assert loss[0] < loss[1] <= loss[2]
    assert loss[2] > 0.99
    assert found.notes == ["dt 0.001: as given", "reset v_reset", "threshold >"]
    assert "drawn spikes" in convert(flat(graph), "net", options).notes[-1]


def test_silence_is_said():
    graph = chain(Linear(np.eye(4) * 0.3), IF(np.ones(4), np.full(4, 99.0)))
    found = convert(flat(graph), "net", Options(dt=DT), spikes((1, 5, 4)))
    assert found.notes[-1] == "node n1 is silent: nothing of the calibration moves it"
    # a leak that rounds away what every spike brings: 3 bits are too few
    rng = np.random.default_rng(0)
    graph = chain(Linear(np.where(np.arange(64) == 0, 60.0, rng.uniform(0.5, 0.9, (2, 64)))),
                  LIF(0.02, 1.0, 0.0, 2.5), entering=(64,), leaving=(2,))
    x = np.concatenate([np.zeros((2, 80, 1)), spikes((2, 80, 63))], 2)
    found = convert(flat(graph), "net", Options(dt=DT), x, bits=3)
    assert "node n1 falls silent: it gave" in found.notes[-1]


def test_real_inputs():
    """Lines carry words of eight bits; what a word is stands with the network."""
    rng = np.random.default_rng(5)
    graph, x = cases()["lif"], rng.normal(0, 0.5, (3, 60, 20))
    found, made = both(graph, x, Options(dt=DT))
    assert made.trained.net.input_bits == 8
    assert made.trained.training["input_scale"] == pytest.approx(np.abs(x).max() / 127)
    theirs, mine = found["output"]
    assert theirs.sum() > 100
    assert np.mean(theirs == mine) > 0.98


def test_quanta():
    target = np.array([0, 0, 0, 1, 1, 2])
    assert quanta(target, np.array([0.3, -0.5, 0.2, 21, 14, 0]), 3) == pytest.approx([0.1, 7, 1])
    exact = np.array([0.1, 0.25, 0.7], np.float32).astype(float)
    assert quanta(np.zeros(3, int), exact, 1) == pytest.approx([0.05])
    assert quanta(np.zeros(2, int), np.array([1, 2 ** 0.5]), 1) is None
    assert quanta(np.zeros(2, int), np.array([1, 40000.0]), 1) is None


EYE = Linear(np.eye(4))
REFUSED = {
    "node n1 (I): its membrane goes on to node n3, a real number": [EYE, Integrator(1.0), EYE, IF(1, 1)],
    "node output (Output): membranes of node n1 leave in part, or late": [EYE, LI(0.01, 1, 0), Delay(0.003)],
    "node output (Output): sums leave, real numbers": [EYE, IF(1, 1), Linear(np.ones((4, 4)))],
    "node output (Output): it takes 2 sums": [EYE, IF(1, 1), Affine(np.eye(4), 1)],
    "node output (Output): what comes in leaves at once": [Scale(1.0)],
    "node n1 (LIF): tau is 0.0001, below dt = 0.001": [EYE, LIF(1e-4, 1, 0, 1)],
    "node n1 (IF): whether r = 3 is a second or a step": [EYE, IF(3, 1)]}


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_refused(said):
    with pytest.raises(ValueError, match="^" + re.escape(said)):
        convert(flat(chain(*REFUSED[said])), "net", Options(dt=DT))


@pytest.mark.parametrize(("nodes", "entering", "leaving", "said"), [
    ([Linear(np.ones((4097, 2))), IF(1, 1)], 2, 4097, "4,097 neurons are needed, a circuit has 4,096"),
    ([Linear(np.ones((1, 4097))), IF(1, 1)], 4097, 1, "4,097 input lines are needed, a circuit has 4,096"),
    ([Delay(2.0), Linear(np.ones((2, 2))), IF(1, 1)], 2, 2,
     "node 'n2': what comes to it is to be late by 2000 ticks, a circuit has 1023 .delays are in seconds, dt is.*")])
def test_what_is_too_large(nodes, entering, leaving, said):
    with pytest.raises(ValueError, match=f"^{said}$"):
        convert(flat(chain(*nodes, entering=(entering,), leaving=(leaving,))), "net", Options(dt=DT),
                np.zeros((1, 1, entering)))


MEMBRANES = {
    "LI": (LI([0.02, 0.01, 0.03, 0.005], 1.5, [0.1, 0, -0.1, 0]), Options(dt=DT)),
    "I": (Integrator([1.0, 2.0, 1.0, 1.0]), Options(dt=1.0)),
    "CubaLI": (CubaLI(0.005, 0.02, 2.0, 0.05, 1.5), Options(dt=DT)),
    "CubaLI, old": (CubaLI(0.005, [0.02, 0.01, 0.02, 0.02], 2.0, 0.0, 1.5), Options(dt=DT, current="old"))}


@pytest.mark.parametrize("name", MEMBRANES)
def test_membranes_that_leave(name):
    """Of what does not fire, behind a layer that does: all outputs in one unit; as a file, and back."""
    node, options = MEMBRANES[name]
    rng = np.random.default_rng(8)
    graph = chain(Linear(rng.integers(-1, 4, (6, 4)) * 1.0), IF(np.full(6, 1 / options.dt), 2.0),
                  Affine(rng.normal(0, 1, (4, 6)), [0.2, 0, 0, -0.1]), node, entering=(4,), leaving=(4,))
    x = spikes((4, 80, 4))
    found = convert(flat(graph), "net", options, x)
    net, params, want = found.trained.net, found.trained.params, run(flat(graph), x, options)["output"]
    y = net.run(params, x.astype(int))
    mine = y * net.units_of_outputs
    assert len(set(net.units_of_outputs)) == 1
    assert np.abs(mine - want).max() < 0.02 * np.abs(want).max()
    assert [row["agreement"] > 0.99 for row in found.layers] == [True, True]
    answers = net.answers(y, 40)
    assert np.array_equal(answers.label, want[:, 40:].mean(1).argmax(1))
    assert answers.score == pytest.approx(want[:, 40:].mean(1), abs=0.02 * np.abs(want).max())
    back = flat(net.graph(params, options.dt, "nir")[0])
    again = run(back, x, options)["output"]
    assert np.abs(again - want).max() < 0.02 * np.abs(want).max()
    with pytest.raises(ValueError, match="RISP"):
        net.risp(params)


def test_units_of_membranes_are_not_the_circuits_concern():
    graph = chain(Linear(np.eye(4)), LI(0.02, 1.0, 0.0))
    net = convert(flat(graph), "net", Options(dt=DT), spikes((2, 30, 4))).trained.net
    other = replace(net, populations=(replace(net.populations[0], unit=3.0),))
    assert other.fingerprint == net.fingerprint
    assert EventNetwork.from_json(other.to_json()) == other
    for wrong in (0.0, -1.0, float("nan"), "1"):
        with pytest.raises(ValueError, match="unit must be a number above 0"):
            replace(net.populations[0], unit=wrong)


def test_delay_in_front_of_an_output():
    """A neuron waits for it."""
    graph = chain(Linear(np.eye(4) * 2), IF(1, 1), Delay([1e-3, 2e-3, 0, 5e-3]))
    x = spikes((2, 30, 4))
    trained = convert(flat(graph), "net", Options(dt=DT), x).trained
    assert np.array_equal(trained.net.run(trained.params, x.astype(int)), run(flat(graph), x, Options(dt=DT))["output"])


EXTREME = (0, -1, 1, 1e-3, 1e300, -1e300, 1e-300, 1e9, -1e9, 5e-324, 0.5)


def mutated(graph: Graph, rng: random.Random) -> Graph:
    """Values of nodes, all of them or one, at the ends of what a file can say."""
    nodes = dict(graph.nodes)
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(list(nodes))
        node = nodes[name]
        names = [each.name for each in fields(node) if isinstance(getattr(node, each.name), np.ndarray)]
        if names:
            field = rng.choice(names)
            value = np.array(getattr(node, field))
            value.flat[rng.randrange(value.size) if rng.random() < 0.5 else slice(None)] = rng.choice(EXTREME)
            nodes[name] = replace(node, **{field: value})
    return Graph(nodes, graph.edges)


@pytest.mark.filterwarnings("error")
def test_extreme_values():
    """A network, or one line; no overflow is passed over."""
    graphs, fine, said = list(cases().values()), 0, []
    for n in range(150):
        rng = random.Random(f"extreme {n}")
        graph = rng.choice(graphs) if rng.random() < 0.2 else integers(rng)
        options = Options(dt=rng.choice((DT, DT, 1e-4, 1, 1e-300)), integrator=rng.choice((None, "euler", "step")),
                          reset=rng.choice(("v_reset", "zero", "subtract", "late")))
        try:
            graph = mutated(graph, rng)
            x = spikes((1, 12, *graph.nodes["input"].shape), n)
            convert(flat(graph), "net", options, x, bits=rng.choice((None, 2, 16)))
            fine += 1
        except ValueError as error:
            said.append(str(error))
    assert 30 < fine < 120
    assert not [each for each in said if "\n" in each]


def test_file_comes_back(tmp_path):
    from golden.event.trained import EventTrained
    trained = convert(flat(cases()["cuba"]), "cuba", Options(dt=DT)).trained
    trained.save(tmp_path / "x.safetensors")
    again = EventTrained.load(tmp_path / "x.safetensors")
    assert again.net == trained.net
    assert again.training == trained.training
    x = spikes((1, 50, 20)).astype(int)
    assert np.array_equal(again.net.run(again.params, x), trained.net.run(trained.params, x))


def test_biases_come_as_late_as_they_do_there():
    """One behind a Delay, at a delay a channel; one that goes into a current, from the first tick on."""
    late = chain(Affine(np.eye(4) * 2, [1.0, 2, 0, 3]), Delay([3e-3, 1e-3, 0, 9e-3]), IF(1.0, 3.5))
    x = spikes((2, 40, 4))
    found, made = both(late, x, Options(dt=DT))
    assert [row["delays"] for row in made.layers] == ["0 to 9 ticks"]
    for name, (theirs, mine) in found.items():
        assert np.array_equal(theirs, mine), name
        assert theirs.sum() > 40
    current = chain(Affine(np.eye(4), 1.0), CubaLIF(5e-3, 2e-2, 1.0, 0.0, 1.0, 0.4))
    found, made = both(current, x * 0, Options(dt=DT))
    assert made.trained.net.populations[0].size == 1
    assert "neurons that the file does not have: 1, for biases that a current takes or that come late (layer always)" \
        in made.notes
    theirs, mine = found["output"]
    assert theirs.sum() > 10
    assert np.mean(theirs == mine) > 0.98


def test_lines_of_spikes_take_nothing_else():
    """What a line of spikes cannot carry is refused, not cut to a spike; lines of words are cut to their longest."""
    found = convert(flat(chain(Linear(np.ones((2, 2))), IF(1, 1), entering=(2,), leaving=(2,))), "net",
                    Options(dt=DT)).trained
    x = np.zeros((1, 3, 2))
    x[0, 1] = 1, 1 - 1e-9
    assert found.inputs_of(x, found.net).tolist() == [[[0, 0], [1, 1], [0, 0]]]
    assert found.inputs_of(x > 0, found.net).tolist() == [[[0, 0], [1, 1], [0, 0]]]
    for value in (2, 0.5, -1):
        x[0, 2, 0] = value
        with pytest.raises(ValueError, match=f"^net: lines carry spikes, 0 or 1, and {value} is to come; an import "):
            found.inputs_of(x, found.net)
    words = replace(found.net, input_bits=3)
    assert found.inputs_of(9 * x, words)[0].tolist() == [[0, 0], [3, 3], [-4, 0]]


def test_the_report_goes_from_the_inputs_on():
    """Layers as spikes pass them, whatever the names and the order of the file."""
    far = IF(1, 1)
    graph = Graph({"y": Output((2,)), "a": far, "b": Linear(np.eye(2)), "c": far, "d": Linear(np.eye(2)),
                   "x": Input((2,))}, [("x", "d"), ("d", "c"), ("c", "b"), ("b", "a"), ("a", "y")])
    found = convert(flatten(graph), "net", Options(dt=DT))
    assert [row["layer"] for row in found.layers] == ["c", "a"]
