"""Event-driven networks in integers: a second definition, forward Euler, runs that go on, files and errors."""

import dataclasses
import re

import events
import numpy as np
import pytest

from golden.event import engine
from golden.event.network import EventNetwork
from golden.event.params import Dense, Neurons, Sparse, random_params
from golden.event.parts import INPUT, Block, Population
from golden.event.trained import EventTrained
from golden.image import build_image, image_params
from golden.nir import euler, neurons, nodes
from golden.nir.graph import Graph, flatten
from golden.nir.options import Options


def test_a_second_definition():
    """100 networks with any options, spikes and membranes; thresholds are reached and not always."""
    total = silent = membranes = 0
    for n in range(100):
        net, params, x = events.case(f"golden {n}", 1)
        found, _ = engine.advance(net, params, x)
        want = events.left(net, params, x[0])
        assert np.array_equal(found[0], want), (n, np.argwhere(found[0] != want)[:3])
        fires = np.repeat([each.fires for each in net.populations], [each.size for each in net.populations])
        total, silent = total + np.count_nonzero(want[:, fires]), silent + np.count_nonzero(want[:, fires] == 0)
        membranes += np.count_nonzero(want[:, ~fires])
    assert total > 2000
    assert silent > 2000
    assert membranes > 2000


def test_runs_go_on():
    for n in range(10):
        net, params, x = events.case(f"on {n}", 3)
        whole, end = engine.advance(net, params, x)
        first, state = engine.advance(net, params, x[:, :7])
        second, other = engine.advance(net, params, x[:, 7:], state)
        assert np.array_equal(np.concatenate([first, second], 1), whole), n
        assert np.array_equal(other.v, end.v)
        assert other.tick == end.tick
        assert np.array_equal(net.run(params, x), whole[..., list(net.raster)])


def test_image_and_back():
    for n in range(30):
        net, params, x = events.case(f"image {n}", 1)
        image = build_image(net, params)
        back = image_params(image, net)
        assert np.array_equal(build_image(net, back).pairs, image.pairs), n
        assert np.array_equal(net.run(back, x), net.run(params, x)), n
        assert EventNetwork.from_json(net.to_json()) == net


def test_words_of_a_device():
    """What is said of a sequence, and what answers mean."""
    net = EventNetwork(name="words", lines=3, input_bits=4, populations=(Population(size=18), Population(size=2)),
                       raster=(17, 0, 19), entries=1)
    units = net.units(np.array([[[0, 1, -2], [0, 0, 0]], [[3, 3, 1], [1, 0, 0]]]))
    first, end = 1 << 31, 1 << 16
    assert units.words.tolist() == [first | 1, 3 << 16 | 0xFFFE, 2, end, end, first | 3 << 16 | 3, 0, 1, 3 << 16 | 1, 2,
                                    end, 0, end]
    assert units.ends.tolist() == [4, 5, 11, 13]
    assert units.answers == 3
    x = np.zeros((1, 2, 3), int)
    assert net.outputs_of([1, 2, 2, 0, 1, 1], x).tolist() == [[[1, 1, 1], [0, 0, 0]]]
    with pytest.raises(ValueError, match="population 0, which words cannot give"):
        net.outputs_of([0, 4, 0, 0, 0, 0], x)


def test_membranes_that_leave():
    """Spikes of 16 neurons a word, a word for each membrane; whatever the order of outputs."""
    net = EventNetwork(name="both", lines=2, entries=2, raster=(19, 0, 18), populations=(
        Population(size=18), Population(size=2, state=9, leak=None, fires=False)))
    params = (Neurons(threshold=np.ones(18, int)), Neurons(),
              Sparse(*np.array([[20, 0, 5, 0], [0, 19, -100, 1]]).T))
    x = np.zeros((1, 5, 2), int)
    x[0, :4, 0] = 1
    y = net.run(params, x)
    assert y.dtype == np.int32
    assert y[0].tolist() == [[0, 1, 0], [-100, 1, 0], [-200, 1, 0], [-256, 1, 0], [-256, 0, 0]]
    assert net.output_words(params, x)[:6].tolist() == [1, 0, 0, 1, 0, -100]
    assert np.array_equal(net.outputs_of(net.output_words(params, x) & 0x3FFFF, x), y)
    assert net.answers(y).label.tolist() == [1]


@pytest.mark.parametrize(("fields", "message"), [
    ({"raster": (0, 1)}, "population 1 does not fire: all of its neurons must be in raster"),
    ({"blocks": (Block(source=1, target=0),)}, "block 0: its source never fires"),
    ({"populations": (Population(size=1, fires=False),), "raster": (0,), "entries": 1}, None),
])
def test_what_does_not_fire(fields, message):
    net = {"name": "mute", "lines": 1, "raster": (1, 2), "populations": (
        Population(size=1), Population(size=2, fires=False))} | fields
    if message is not None:
        with pytest.raises(ValueError, match=message):
            EventNetwork(**net)
        return
    with pytest.raises(ValueError, match="sparse synapse 0: its source is of a population that never fires"):
        EventNetwork(**net).check((Neurons(), Sparse(*np.array([[0], [0], [1], [1]]))))
    for wrong in ({"reset": "late"}, {"on_arrival": True}):
        with pytest.raises(ValueError, match="population: what does not fire is not reset, and waits for nothing"):
            Population(size=1, fires=False, **wrong)


@pytest.mark.parametrize("reset", ["zero", "value", "subtract", "late"])
@pytest.mark.parametrize("threshold", [">", ">="])
def test_forward_euler_of_integers(reset, threshold):
    """IF, and LIF of tau = dt, recurrent with a delay in the loop: no rounding, golden.nir.euler spike for spike."""
    rng, fired, lines, size = np.random.default_rng(7), 0, 5, 8
    for n in range(20):
        weight, recurrent = rng.integers(-3, 4, (size, lines)), rng.integers(-3, 4, (size, size))
        theta, back, d = rng.integers(2, 9, size), rng.integers(-2, 3, size), int(rng.integers(1, 5))
        common = {"v_threshold": theta.astype(float), "v_reset": back.astype(float), "r": np.ones(size)}
        cell = neurons.IF(**common) if n % 2 else neurons.LIF(tau=np.full(size, 1e-3), v_leak=np.zeros(size), **common)
        graph = {"i": nodes.Input(shape=(lines,)), "w": nodes.Linear(weight=weight.astype(float)), "n": cell,
                 "d": neurons.Delay(delay=np.full(size, d * 1e-3)), "r": nodes.Linear(weight=recurrent.astype(float)),
                 "o": nodes.Output(shape=(size,))}
        edges = (("i", "w"), ("w", "n"), ("n", "d"), ("d", "r"), ("r", "n"), ("n", "o"))
        x = rng.integers(0, 2, (2, 30, lines))
        options = Options(dt=1e-3, reset="v_reset" if reset == "value" else reset, threshold=threshold)
        want = euler.run(flatten(Graph(graph, edges)), x.astype(float), options)["o"]
        net = EventNetwork(
            name="euler", lines=lines, delay_bits=3, axonal=True, raster=tuple(range(size)),
            populations=(Population(size=size, leak=None if n % 2 else 0, reset=reset),),
            blocks=(Block(source=INPUT, target=0), Block(source=0, target=0)))
        params = (Neurons(threshold=theta + (threshold == ">"), decay=None if n % 2 else np.zeros(size, int),
                          reset=None if reset == "zero" else back if reset == "value" else theta),
                  Dense(weight, np.zeros(lines, int)), Dense(recurrent, np.full(size, d)))
        assert np.array_equal(net.run(params, x), want), n
        fired += int(want.sum())
    assert fired > 500


def test_known_answers():
    """A leak of a half, rounded up; a floor; what arrives late; the current before and after its tick."""
    net = EventNetwork(name="known", lines=1, input_bits=6, raster=(0,), delay_bits=7, entries=2,
                       populations=(Population(size=1, leak=1, floor=-3, reset="value"),))
    params = (Neurons(threshold=np.array([12]), decay=np.array([1]), reset=np.array([-9])),
              Sparse(np.array([1, 0]), np.array([0, 0]), np.array([1, 100]), np.array([3, 127])))
    x = np.zeros((1, 140, 1), np.int64)
    x[0, :3, 0] = 5, 9, 0
    found, state = engine.advance(net, params, x[:, :5])
    assert np.flatnonzero(found).tolist() == [4]
    assert state.v.item() == -9
    found, state = engine.advance(net, params, x[:, 5:6], state)
    assert not found.any()
    assert state.v.item() == -3
    found, _ = engine.advance(net, params, x[:, 6:], state)
    assert np.flatnonzero(found).tolist() == [4 + 127 - 6]
    for current, want in (("new", [8, 12]), ("old", [0, 8])):
        one = EventNetwork(name="current", lines=1, raster=(0,), entries=1, populations=(
            Population(size=1, current=current, current_leak=1),))
        params = (Neurons(threshold=np.array([99]), current_decay=np.array([1])),
                  Sparse(*(np.array([value]) for value in (1, 0, 8, 0))))
        seen = [engine.advance(one, params, np.eye(1, n, dtype=int)[..., None])[1].v.item() for n in (1, 2)]
        assert seen == want


@pytest.mark.parametrize(("change", "says"), [
    ({"lines": 0}, "lines must be an integer in 1..4096"), ({"folded": 3}, "lanes must be one of"),
    ({"populations": ()}, "no populations"), ({"raster": (5,)}, "raster must be neurons in 0..4"),
    ({"raster": (1, 1)}, "each once"), ({"blocks": (Block(source=1, target=0),)}, "populations 0..0"),
    ({"blocks": (Block(source=0, target=0, first=3, count=3),)}, "sources 3..5 are not within 0..4"),
    ({"blocks": (Block(source=-1, target=0, kind="direct", into=4),)}, "reaches beyond population 0"),
    ({"sum_bits": 1}, "sum_bits must be"), ({"name": "A b"}, "name must be"),
    ({"weight_bits": 16, "entries": 60_000}, "say sum_bits"), ({"axonal": 1}, "axonal must be")])
def test_descriptions_that_are_wrong(change, says):
    fine = {"name": "fine", "lines": 2, "populations": (Population(size=5),), "raster": (0,), "entries": 3}
    with pytest.raises(ValueError, match=re.escape(says)):
        EventNetwork(**fine | change)


@pytest.mark.parametrize(("change", "says"), [
    ({"size": 0}, "size must be"), ({"state": 19}, "state must be an integer in 2..18"), ({"leak": 17}, "leak must be"),
    ({"reset": "soft"}, "reset must be one of"), ({"current": "late"}, "current must be"), ({"floor": 1 << 15}, "floo"),
    ({"current_leak": 3}, "no current to leak"), ({"bias": 1}, "bias must be true or false")])
def test_populations_that_are_wrong(change, says):
    with pytest.raises(ValueError, match=says):
        Population(**{"size": 3} | change)


@pytest.mark.parametrize(("change", "says"), [
    ({"source": -2}, "source must be"), ({"kind": "sparse"}, "kind must be one of dense, direct"),
    ({"source": 0, "kind": "direct"}, "direct ones have input lines"), ({"into": 1}, "reaches all of its target"),
    ({"count": 0}, "count must be")])
def test_blocks_that_are_wrong(change, says):
    with pytest.raises(ValueError, match=says):
        Block(**{"source": -1, "target": 0} | change)


def small(**more):
    net = EventNetwork(**{"name": "small", "lines": 2, "populations": (Population(size=2), Population(size=3)),
                          "raster": (0, 4), "blocks": (Block(source=0, target=1), Block(source=1, target=1)),
                          "entries": 2, "weight_bits": 4} | more)
    return net, (Neurons(np.full(2, 3)), Neurons(np.full(3, 3)), Dense(np.ones((3, 2), int), np.zeros((3, 2), int)),
                 Dense(np.ones((3, 3), int), np.ones((3, 3), int)),
                 Sparse(*(np.array(each) for each in ([0, 5], [1, 2], [3, -3], [1, 0]))))


@pytest.mark.parametrize(("at", "change", "says"), [
    (0, {"threshold": None}, "population 0: threshold is missing"),
    (0, {"bias": np.zeros(2, int)}, "population 0: its description has no bias"),
    (1, {"threshold": np.zeros(2, int)}, "threshold has shape (2,), expected (3,)"),
    (2, {"weight": np.full((3, 2), 8)}, "dense block 0: weight[0, 0] is 8, outside of -8..7"),
    (2, {"weight": np.ones((3, 2))}, "must be integers"),
    (3, {"delay": np.zeros((3, 3), int)}, "dense block 1: delay[0, 0] is 0, outside of 1..1"),
    (4, {"delay": np.array([0, 0])}, "a delay of 0 leads"), (4, {"target": np.array([5, 0])}, "target[0] is 5"),
    (4, {"weight": np.array([1])}, "columns differ in length"),
    (4, {name: np.zeros(3, int) for name in Sparse._fields}, "room for 2 sparse synapses, not 3")])
def test_parameters_that_are_wrong(at, change, says):
    net, params = small()
    net.check(params)
    params = list(params)
    params[at] = params[at]._replace(**change)
    with pytest.raises(ValueError, match=re.escape(says)):
        net.check(tuple(params))


def test_sums_that_are_too_short():
    net, params = small(sum_bits=3)
    with pytest.raises(ValueError, match=r"neuron 2: up to 8 may arrive in a tick, sums of 3 bits hold 3"):
        net.check(params)
    with pytest.raises(ValueError, match="has 5 sets of parameters, not 4"):
        net.check(params[:4])


def test_inputs_that_are_wrong():
    net, params = small()
    for x, says in ((np.zeros((1, 2, 3), int), "integers of shape (n, ticks, 2)"), (np.zeros((1, 2, 2)), "float64"),
                    (np.full((1, 2, 2), 2), "outside of 0..1")):
        with pytest.raises(ValueError, match=re.escape(says)):
            net.run(params, x)


def test_files(tmp_path):
    for n in range(10):
        net, params, x = events.case(f"file {n}", 1)
        path = tmp_path / "net.safetensors"
        EventTrained(net=net, params=params, training={"seed": n}).save(path)
        back = EventTrained.load(path)
        assert back.net == net
        assert back.training == {"seed": n}
        assert back.name == net.name
        assert np.array_equal(net.run(back.quantize(net), back.inputs_of(x, net)), net.run(params, x))


def test_answers():
    net, _ = small()
    outputs = np.array([[[1, 0], [0, 1], [0, 1], [1, 0]]])
    assert net.answers(outputs).label.tolist() == [0]
    assert net.answers(outputs, 1, [3]).label.tolist() == [1]
    assert net.answers(outputs).score.tolist() == [[0.5, 0.5]]
    with pytest.raises(ValueError, match="no tick counts"):
        net.answers(outputs, 4)
    head, rows = net.table()
    assert len(head) == len(rows[0])
    assert net.size == "5 neurons, 17 synapses"


def test_random_params_fit():
    for n in range(40):
        net = events.random_network(f"fit {n}")
        params = random_params(net, np.random.default_rng(n))
        net.check(params)
        assert all(dataclasses.replace(net, folded=lanes).shape()["lanes"] == lanes for lanes in (1, 2, 4))
