"""RISP: known answers, a second definition, and TENNLab's JSON."""

import json
import random
import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import risps
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.nir.risp import MAX_DELAY, MAX_WORD, Risp, Synapse, run
from golden.nir.risp_json import common, parse, read, write


def chain(*synapses, n=2, **more):
    """Neurons of threshold 1 with these synapses, input 0, output the last."""
    return Risp(**{"ids": tuple(range(n)), "thresholds": (1,) * n, "leaks": (False,) * n, "inputs": (0,),
                   "outputs": (n - 1,), "min_potential": -9, "synapses": tuple(Synapse(*each) for each in synapses)}
                | more)


def raster(net, events, steps):
    """A line of digits a neuron."""
    return ["".join(str(int(each)) for each in row) for row in run(net, events, steps)[0].T]


def test_a_spike_on_its_way():
    assert raster(chain((0, 1, 1, 3)), [(1, 0, 1)], 6) == ["010000", "000010"]
    assert raster(chain((0, 0, 1, 2), (0, 1, 1, 1)), [(0, 0, 1)], 6) == ["101010", "010101"]
    # two synapses of half the threshold, from one neuron to another
    assert raster(chain((0, 1, 1, 2), (0, 1, 1, 2), thresholds=(1, 2)), [(0, 0, 1)], 4) == ["1000", "0010"]


def test_thresholds():
    """Inclusive or not; at 0 and below only what an event reaches fires."""
    assert raster(chain(n=1), [(0, 0, 1), (2, 0, 2)], 4) == ["1010"]
    assert raster(chain(n=1, inclusive=False), [(0, 0, 1), (2, 0, 2)], 4) == ["0010"]
    assert raster(chain(n=1, thresholds=(-1,)), [(1, 0, 0), (3, 0, -1), (4, 0, -2)], 5) == ["01010"]


def test_leaks():
    """What leaks keeps nothing, whenever the next event is."""
    given = [(0, 0, 1), (3, 0, 1)]
    assert raster(chain(n=1, thresholds=(2,)), given, 4) == ["0001"]
    assert raster(chain(n=1, thresholds=(2,), leaks=(True,)), given, 4) == ["0000"]
    assert raster(chain(n=1, thresholds=(2,), leaks=(True,)), [(3, 0, 1), (3, 0, 1)], 4) == ["0001"]


def test_min_potential():
    """The charge is raised before the events of a step are added, and not after them."""
    net = chain(n=1, thresholds=(2,), min_potential=-1)
    assert raster(net, [(0, 0, -50), (1, 0, 3)], 2) == ["01"]
    assert raster(net, [(0, 0, -50), (1, 0, 2)], 2) == ["00"]
    assert raster(net, [(0, 0, -50), (0, 0, 52)], 2) == ["10"]
    _, state = run(net, [(0, 0, -50)], 1)
    assert state.charge.tolist() == [-50]


def test_spikes_shown_later():
    assert raster(chain((0, 1, 1, 2), late=True), [(0, 0, 1)], 5) == ["01000", "00010"]


@pytest.mark.parametrize("longest", [15, 127])
def test_a_second_definition(longest):
    """200 networks, equal spike for spike; and in two runs as in one."""
    rng, spikes = random.Random(f"risp {longest}"), 0
    for n in range(200):
        net = risps.draw(rng, longest)
        steps = rng.randint(1, 40 + longest)
        given = risps.events(net, rng, steps)
        expected = risps.fired(net, given, steps)
        found = run(net, given, steps)[0]
        assert {(int(t), int(k)) for t, k in np.argwhere(found)} == expected, n
        spikes += len(expected)
        half = steps // 2
        first, state = run(net, [each for each in given if each[0] < half], half)
        second, _ = run(net, [(t - half, k, word) for t, k, word in given if t >= half], steps - half, state)
        assert np.array_equal(np.concatenate([first, second]), found), n
    assert spikes > 2000


def test_json_and_back(tmp_path):
    rng = random.Random("json")
    for n in range(200):
        net = risps.draw(rng)
        found = parse(write(net))
        times = net.quantum / found.quantum     # a larger quantum may do
        assert times <= 1, n
        words = [net.min_potential, *net.thresholds, *(one.weight for one in net.synapses)]
        less = [int(word * times) for word in words]
        assert all(a * times == b for a, b in zip(words, less, strict=True)), n
        k = len(net.ids) + 1
        assert found == replace(
            net, quantum=found.quantum, min_potential=less[0], thresholds=tuple(less[1:k]),
            synapses=tuple(one._replace(weight=word) for one, word in zip(net.synapses, less[k:], strict=True))), n
        assert write(found) == write(net), n
    (tmp_path / "x").write_text(write(net))
    assert read(tmp_path / "x") == parse(write(net))


def network(**changes):
    """A JSON of two neurons, its values in columns of no usual order; `changes` by path with __ between."""
    whole = {"Properties": {"node_properties": [{"name": "Leak", "index": 0}, {"name": "Threshold", "index": 1}],
                            "edge_properties": [{"name": "Delay", "index": 2}, {"name": "Weight", "index": 0}],
                            "network_properties": []},
             "Nodes": [{"id": 7, "values": [0, 0.5]}, {"id": 3, "name": "A&B", "values": [1, 0.3]}],
             "Edges": [{"from": 7, "to": 3, "values": [0.1, 99, 4.0]}], "Inputs": [7], "Outputs": [3],
             "Network_Values": [],
             "Associated_Data": {"other": {}, "proc_params": {
                 "discrete": False, "leak_mode": "configurable", "max_delay": 15, "max_weight": 2.0, "min_weight": -1,
                 "min_potential": -1.0, "min_threshold": 0, "max_threshold": 1}}}
    for path, value in changes.items():
        *way, last = (int(each) if each.isdigit() else each for each in path.split("__"))
        inner = whole
        for each in way:
            inner = inner[each]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    return json.dumps(whole)


def test_what_json_says():
    net = parse(network())
    assert net == Risp(ids=(7, 3), thresholds=(5, 3), leaks=(False, True), synapses=(Synapse(0, 1, 1, 4),),
                       inputs=(0,), outputs=(1,), min_potential=-10, quantum=Fraction(1, 10), discrete=False,
                       factor=Fraction(2))
    assert net.charge(1) == 20
    assert net.charge(0.05) == 1
    with pytest.raises(ValueError, match=r"^an input of 0.01 is no multiple of 0.05$"):
        net.charge(0.01)
    whole = replace(net, discrete=True, quantum=Fraction(1))
    assert [whole.charge(value) for value in (1, 0.7, -0.1)] == [2, 1, -1]
    assert parse(network(Associated_Data__proc_params__leak_mode="all")).leaks == (True, True)
    assert parse(network(Associated_Data__proc_params__leak_mode="none")).leaks == (False, False)


def test_quanta():
    assert common([Fraction(1, 2), Fraction(1, 3)]) == Fraction(1, 6)
    assert common([Fraction(6), Fraction(-4), Fraction(0)]) == 2
    assert common([]) == common([Fraction(0)]) == 1


PARAMS, EDGE, NODE = "Associated_Data__proc_params__", "Edges__0__", "Nodes__1__"
WRONG = {
    "Nodes must be a list": {"Nodes": 3}, "Properties must be an object": {"Properties": None},
    "node_properties: Threshold is missing": {"Properties__node_properties": []},
    "edge_properties: Delay is missing": {"Properties__edge_properties": [{"name": "Weight", "index": 0}]},
    "edge_properties: name and index are expected": {"Properties__edge_properties": [3]},
    "there are no neurons": {"Nodes": [], "Edges": [], "Inputs": [], "Outputs": []},
    "node 1 of the list has no id": {f"{NODE}id": -1}, "two nodes have the same id": {f"{NODE}id": 7},
    "node 3: Threshold is missing": {f"{NODE}values": [1]},
    "node 3: Threshold must be a number": {f"{NODE}values": [1, "a"]},
    "node 3: Leak must be 0 or 1": {f"{NODE}values": [0.5, 1]},
    "edge 7 -> 4: there is no node 4": {f"{EDGE}to": 4}, "edge None -> 3: there is no node None": {f"{EDGE}from": None},
    "edge 7 -> 3: Delay must be a whole number of steps from 1 on, not 0": {f"{EDGE}values": [1, 0, 0]},
    "edge 7 -> 3: Delay must be a whole number of steps from 1 on, not 1.5": {f"{EDGE}values": [1, 0, 1.5]},
    "edge 7 -> 3: Delay is missing": {f"{EDGE}values": [1]},
    "edge 7 -> 3: Weight must be a number": {f"{EDGE}values": [float("nan"), 0, 1]},
    "synapse 7 -> 3: delay must be in 1..65536": {f"{EDGE}values": [1, 0, MAX_DELAY + 1]},
    "Inputs: there is no node 9": {"Inputs": [9]}, "Outputs: a node is there twice": {"Outputs": [3, 3]},
    "0.5 is no integer, and the network is discrete": {f"{PARAMS}discrete": True},
    "proc_params: discrete must be true or false": {f"{PARAMS}discrete": None},
    "proc_params: min_potential must be a number": {f"{PARAMS}min_potential": None},
    "proc_params: leak_mode must be one of none, all, configurable, not 'some'": {f"{PARAMS}leak_mode": "some"},
    "proc_params: noisy_stddev = 0.5 is not supported":
        {f"{PARAMS}noisy_stddev": 0.5}, "proc_params: weights = [1] is not supported": {f"{PARAMS}weights": [1]},
    "proc_params: 'plastic' is not known": {f"{PARAMS}plastic": True},
    "values have no quantum": {f"{EDGE}values": [1e-12, 0, 1]}}


@pytest.mark.parametrize("said", WRONG)
def test_json_that_is_refused(said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}[^\n]*$"):
        parse(network(**WRONG[said]))


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3))


@settings(max_examples=300, deadline=None)
@given(path=st.lists(st.integers(0, 99), min_size=1, max_size=5), value=JSON)
def test_json_with_other_values(path, value):
    """Any value anywhere: a network, or one line."""
    whole = json.loads(network())
    inner = whole
    for n, step in enumerate(path):
        keys = sorted(inner) if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else []
        if not keys:
            break
        key = keys[step % len(keys)]
        if n == len(path) - 1 or not isinstance(inner[key], dict | list):
            inner[key] = value
            break
        inner = inner[key]
    try:
        parse(json.dumps(whole))
        said = ""
    except ValueError as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b"[" * 9999, b"3"])
def test_text_that_is_no_network(data):
    with pytest.raises(ValueError, match="^the network is n"):
        parse(data)


def test_events_that_are_refused():
    net = chain((0, 1, 1, 1))
    for events, said in (([(0, 1, 1)], "not at an input"), ([(2, 0, 1)], r"outside of steps 0\.\.1"),
                         ([(0, 0, MAX_WORD)], "does not fit")):
        with pytest.raises(ValueError, match=said):
            run(net, events, 2)
    with pytest.raises(ValueError, match="65536 steps do not fit"):
        chain((0, 0, 1, MAX_DELAY), n=2000)
    assert run(net, [], 0)[0].shape == (0, 2)
