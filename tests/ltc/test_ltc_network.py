"""Networks: golden against its definition, JSON and image both ways, words of the registers, what is refused."""

import json
from dataclasses import replace

import ltcs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.fixed import QFormat
from golden.image import Image, build_image, image_params
from golden.ltc import engine, layout
from golden.ltc.layer import LtcLayer, Readout
from golden.ltc.network import LtcNetwork
from golden.regmap import FIRST_BIT, WORD_MASK

DENSE = {"operand": QFormat(0, 8), "input_weight": QFormat(2, 5)}


def network(**fields):
    layers = (LtcLayer(inputs=3, outputs=6, lanes=4, **DENSE), LtcLayer(inputs=6, outputs=5, lanes=2),
              Readout(inputs=5, outputs=2))
    return LtcNetwork(**{"name": "net", "layers": layers} | fields)


@pytest.mark.parametrize("seed", range(30))
def test_golden_is_its_definition(seed):
    net, rng = ltcs.random_network(f"net {seed}"), np.random.default_rng(seed)
    params = engine.random_params(net, rng)
    x = ltcs.random_input(net, rng, 3, 8)
    net.check(params)
    found = net.run(params, x)
    assert found.shape == (3, 8, net.outputs)
    for n in range(3):
        assert found[n].tolist() == ltcs.defined(net, params, x[n]), n


def test_random_networks_do_something():
    """The above is worth little where nothing spikes, gates stand still or all sequences are alike."""
    rates, moves = [], 0
    for seed in range(30):
        net, rng = ltcs.random_network(f"net {seed}"), np.random.default_rng(seed)
        params = engine.random_params(net, rng)
        x = ltcs.random_input(net, rng, 3, 8)
        ticks = engine.trace(net, params, x[0])
        rates += [np.mean([tick.layers[n].state.s for tick in ticks]) for n in range(len(net.hidden))]
        shapes = net.layers[0].shapes()
        full = [np.isin(getattr(params[0], name), (fmt.min, fmt.max)).mean() for name, (_, fmt) in shapes.items()]
        assert np.mean(full) < 0.3, "most words are not at the ends of their formats"
        moves += len(np.unique([tick.readout.gate for tick in ticks])) > 1
    assert 0.1 < np.mean(rates) < 0.6
    assert np.mean([0 < rate < 1 for rate in rates]) > 0.6
    assert moves > 15


def test_sequences_do_not_see_one_another():
    net, rng = ltcs.random_network("net 4"), np.random.default_rng(4)
    params = engine.random_params(net, rng)
    x = ltcs.random_input(net, rng, engine.CHUNK + 3, 4)
    told = []
    found = net.run(params, x, told.append)
    assert told == [engine.CHUNK, 3]
    for n in (0, 1, engine.CHUNK - 1, engine.CHUNK, engine.CHUNK + 2):
        assert np.array_equal(found[n:n + 1], net.run(params, x[n:n + 1]))
    longer = net.run(params, np.concatenate([x[:5], x[5:10]], 1))
    assert np.array_equal(longer[:, :4], found[:5]), "what comes later changes nothing"


def test_a_run_goes_on_where_it_was_left():
    net, rng = ltcs.random_network("net 6"), np.random.default_rng(6)
    params, x = engine.random_params(net, rng), ltcs.random_input(net, rng, 2, 7)
    tick, state = None, engine.rest(net, 2)
    for t in range(3):
        tick = engine.network_step(state, x[:, t], params, net)
        state = tick.state
    assert np.array_equal(engine.run(net, params, x[:, 3:], state=state), net.run(params, x)[:, 3:])


@pytest.mark.parametrize("seed", range(30))
def test_json_and_image(seed):
    """Both ways; the words of the image lie where golden.ltc.layout says."""
    net, rng = ltcs.random_network(f"net {seed}"), np.random.default_rng(seed)
    assert LtcNetwork.from_json(net.to_json()) == net
    params = engine.random_params(net, rng)
    image = Image.from_bytes(build_image(net, params).to_bytes())
    for a, b in zip(params, image_params(image, net), strict=True):
        for name, value in a._asdict().items():
            assert (value is None and getattr(b, name) is None) or np.array_equal(value, getattr(b, name)), name
    packed = net.pack(params)
    assert [len(words) for words in packed] == [len(bank.words) for bank in net.layout()]
    assert all(len(words) and words.max() <= WORD_MASK for words in packed)
    assert layout.bank_starts(net)[-1] == len(packed)
    for layer, p, first in zip(net.layers, params, layout.bank_starts(net), strict=False):
        _check_banks(layer, p, [(bank.words, words) for bank, words in zip(net.layout(), packed, strict=True)][first:])


def _check_banks(layer, p, banks):
    """Word by word."""
    gates, n = (("gate",) if isinstance(layer, Readout) else ("alpha", "rho")[:layer.chains]), layer.outputs
    lanes, size = layer.lanes // len(gates), layer.gate_words
    for chain, name in enumerate(gates):
        for j in range(n):
            assert np.array_equal(_at(banks[chain * lanes + j % lanes], j // lanes * size, size), getattr(p, name)[j])
    for j in range(n if layer.dense else 0):
        chain, i = (j % 2, j // 2) if layer.adaptive else (0, j)
        at = -(-n // lanes) * size + i // lanes * layer.inputs
        assert np.array_equal(_at(banks[chain * lanes + i % lanes], at, layer.inputs), p.weight[j])
    lines = [p.bias, *(p.recurrent.T if isinstance(layer, LtcLayer) else ()), *(() if layer.dense else p.weight.T)]
    bits, pairs = layer.spike_weight.width, layer.spike_weight.width <= 9
    for line, weights in enumerate(lines):
        for j, weight in enumerate(weights):
            word = _at(banks[layer.lanes + (j // 2 if pairs else j)], line, 1)[0]
            assert ((word >> bits * (j % 2)) & (1 << bits) - 1 if pairs else word) == \
                (int(weight) & (1 << bits) - 1 if pairs else weight)


def _at(bank, address, count):
    """Words at an address and behind it, of a bank given as (its addresses, its words)."""
    addresses, words = bank
    found = dict(zip(addresses, words.tolist(), strict=True))
    return [found[address + k] for k in range(count)]


def test_bits_of_no_weight_are_refused():
    net = network()
    params = engine.random_params(net, np.random.default_rng(0))
    words = np.concatenate(net.pack(params)) & WORD_MASK
    last = layout.bank_starts(net)[2] - 1       # of layer 1: neuron 4, and none above it
    at = sum(len(bank.words) for bank in net.layout()[:last])
    words[at + 1] ^= 1 << 8
    with pytest.raises(ValueError, match=rf"image word {at + 1} is 0x\w+, with bits that belong to no weight"):
        net.unpack(words)
    words = np.concatenate(net.pack(params)) & WORD_MASK
    words[0] = 1 << 9
    with pytest.raises(ValueError, match="layer 0: alpha holds words outside of Q2.5"):
        net.unpack(words)


def test_registers():
    net = network()
    x = ltcs.random_input(net, np.random.default_rng(0), 2, 4)
    units = net.units(x)
    assert units.answers == 2
    assert units.ends.tolist() == [3, 6, 9, 12, 15, 18, 21, 24]
    assert np.array_equal(units.words & WORD_MASK, x.ravel() & WORD_MASK)
    assert np.flatnonzero(units.words >> FIRST_BIT).tolist() == [0, 12]
    y = net.run(engine.random_params(net, np.random.default_rng(1)), x)
    assert np.array_equal(net.outputs_of(y.ravel() & 0xFFFF, x), y)


def test_answers_are_those_of_the_last_tick():
    net = network()
    outputs = np.array([[[1, 2], [5, 3], [-4096, -8192]], [[1, 0], [0, 1], [9, 9]]])
    found = net.answers(outputs)
    assert found.label.tolist() == [0, 0]
    assert found.score[0].tolist() == [-1, -2]
    assert net.answers(outputs, since=2, lengths=[1, 2]).label.tolist() == [1, 1]


@pytest.mark.parametrize("lengths", [[0, 3], [3, 4]])
def test_lengths_that_cannot_be(lengths):
    with pytest.raises(ValueError, match="a sequence has 1 to 3 ticks, not [04]"):
        network().answers(np.zeros((2, 3, 2)), lengths=lengths)


@pytest.mark.parametrize("x", [np.zeros((2, 0, 3), int), np.zeros((0, 4, 3), int), np.zeros((2, 4, 2), int),
                               np.zeros((2, 4, 3)), np.full((1, 1, 3), 256)])
def test_inputs_that_cannot_be(x):
    with pytest.raises(ValueError, match="inputs"):
        network().units(x)


def test_fingerprints():
    """What shapes the circuit is in it, its name is not."""
    net = network()
    assert replace(net, name="other").fingerprint == net.fingerprint
    others = [replace(net, halves=1), net.with_lanes((2, 2, 1)), replace(net, layers=(
        replace(net.layers[0], threshold=5), *net.layers[1:])), replace(net, layers=(
            *net.layers[:-1], replace(net.layers[-1], gate=QFormat(0, 9))))]
    assert len({net.fingerprint, *(each.fingerprint for each in others)}) == 5
    assert net.fingerprint == "ac2c3ef25df8f10b"
    assert (net.lanes, net.lanes_by_layer, net.inputs, net.outputs) == (7, [4, 2, 1], 3, 2)


def broken(**fields):
    top = json.loads(network().to_json())
    layers = top["layers"]
    for name, value in fields.items():
        if name[5:].isdigit():
            layers[int(name[5:])].update(value)
        else:
            top[name] = value
    return json.dumps(top)


@pytest.mark.parametrize(("fields", "says"), [
    ({"name": "A b"}, "name must be lower-case letters"),
    ({"halves": 3}, "halves must be 1 or 2, not 3"),
    ({"layers": {}}, "layers must be a list"),
    ({"layers": []}, "1 to 8 layers and a readout, not 0 in all"),
    ({"layers": [7]}, "layer 0: must be an object, not int"),
    ({"tau": 1}, "network description has the fields"),
    ({"layer0": {"kind": "dense"}}, "layer 0: kind must be one of ltc, readout, not 'dense'"),
    ({"layer0": {"kind": "readout"}}, "layer 0: unknown fields adaptive, input_weight, operand, threshold"),
    ({"layer2": {"kind": "ltc", "lanes": 2}}, "network: layer 2 must be a Readout, not LtcLayer"),
    ({"layer1": {"laness": 2}}, r"layer 1: unknown fields laness \(did you mean lanes\?\)"),
    ({"layer1": {"state": "Q3"}}, "layer 1: a format is written like Q5.11, not 'Q3'"),
    ({"layer1": {"gate": "Q1.8"}}, "layer 1: ltc layer: gate Q1.8 must be a Q0 format"),
    ({"layer1": {"inputs": 7}}, "layer 1 has 7 inputs, layer 0 has 6 outputs"),
    ({"layer1": {"operand": "Q0.8", "input_weight": "Q2.5"}}, "layer 1 takes real inputs: the first layer, and no"),
    ({"layer1": {"inputs": "6"}}, "layer 1: ltc layer: inputs must be an integer in 1..4096, not '6'"),
])
def test_descriptions_that_cannot_be(fields, says):
    with pytest.raises(ValueError, match=says):
        LtcNetwork.from_json(broken(**fields))


VALUES = st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | st.text(max_size=5) | st.lists(
    st.integers(), max_size=2) | st.sampled_from(("Q1.6", "Q-3.9", "Q0.17", "Q15.2", "Q4.0", "ltc", "readout")) | \
    st.just({}) | st.integers(10 ** 6, 10 ** 30)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data())
def test_descriptions_of_any_kind(data):
    """A changed field is refused in one line, or the network that it makes works, and comes back from its own JSON."""
    top = json.loads(network().to_json())
    for _ in range(data.draw(st.integers(1, 2))):
        at = top if data.draw(st.integers(0, 4)) == 0 else data.draw(st.sampled_from([
            layer for layer in top["layers"] if isinstance(layer, dict)])) if isinstance(top["layers"], list) else top
        at[data.draw(st.sampled_from(sorted(at)))] = data.draw(VALUES)
    try:
        net = LtcNetwork.from_json(json.dumps(top))
    except ValueError as error:
        said = str(error)
    else:
        said = None
    if said is not None:
        assert "\n" not in said
        return
    assert LtcNetwork.from_json(net.to_json()) == net
    params = engine.random_params(net, np.random.default_rng(0))
    image_params(build_image(net, params), net)
    assert net.run(params, ltcs.random_input(net, np.random.default_rng(0), 1, 2)).shape == (1, 2, net.outputs)


def test_as_many_layers_as_there_may_be():
    net = network()
    tall = replace(net, layers=(net.layers[0], *[LtcLayer(inputs=6, outputs=6)] * 7, Readout(inputs=6, outputs=2)))
    assert len(tall.hidden) == 8
    with pytest.raises(ValueError, match="1 to 8 layers and a readout, not 10 in all"):
        replace(net, layers=(net.layers[0], *[LtcLayer(inputs=6, outputs=6)] * 8, Readout(inputs=6, outputs=2)))


def test_missing_fields():
    top = json.loads(network().to_json())
    del top["layers"][1]["outputs"]
    with pytest.raises(ValueError, match="layer 1: missing fields outputs"):
        LtcNetwork.from_json(json.dumps(top))
    del top["layers"][0]["operand"], top["layers"][0]["input_weight"]
    top["layers"][1]["outputs"] = 5
    with pytest.raises(ValueError, match="layer 0 takes spikes: the first layer, and no other, has real inputs"):
        LtcNetwork.from_json(json.dumps(top))


@pytest.mark.parametrize(("change", "says"), [
    (lambda p: p[:-1], "net has 3 layers, the parameters are for 2"),
    (lambda p: (p[0]._replace(rho=None), *p[1:]), "layer 0: rho is missing"),
    (lambda p: (p[0]._replace(alpha=p[0].alpha[:, 1:]), *p[1:]), r"layer 0: alpha has shape \(6, 12\), expected"),
    (lambda p: (p[0]._replace(bias=p[0].bias * 1.0), *p[1:]), "layer 0: bias must be integer words, not float64"),
    (lambda p: (*p[:2], p[2]._replace(gate=p[2].gate + 300)), "layer 2: gate holds words outside of Q2.5"),
])
def test_parameters_that_do_not_fit(change, says):
    net = network()
    with pytest.raises(ValueError, match=says):
        net.check(change(engine.random_params(net, np.random.default_rng(0))))


def test_a_fixed_threshold_has_no_rho():
    net = network()
    net = replace(net, layers=(replace(net.layers[0], adaptive=False), *net.layers[1:]))
    params = engine.random_params(network(), np.random.default_rng(0))
    with pytest.raises(ValueError, match="layer 0: has no rho, its parameters are alpha, weight, recurrent, bias"):
        net.check(params)
    net.check((params[0]._replace(rho=None), *params[1:]))


def test_what_happens_in_one_sequence():
    net, rng = network(), np.random.default_rng(3)
    params, x = engine.random_params(net, rng), ltcs.random_input(network(), rng, 1, 9)
    found = dict(net.signals(params, x[0]))
    assert list(found) == ["input", *(f"layer {n}: {name}" for n in (0, 1) for name in (
        "spikes", "ut - theta", "gate")), "output"]
    assert [value.shape for value in found.values()] == [(9, 3), *[(9, 6)] * 3, *[(9, 5)] * 3, (9, 2)]
    assert np.array_equal(found["output"] * 4096, net.run(params, x)[0])
    assert np.array_equal(found["input"] * 256, x[0])
    for n in (0, 1):
        assert ((found[f"layer {n}: ut - theta"] > 0) == found[f"layer {n}: spikes"]).all()
        assert 0 <= found[f"layer {n}: gate"].min() < found[f"layer {n}: gate"].max() < 1
    # what a spike leaves is nought: the membrane of the next tick is its gate times x
    ticks = engine.trace(net, params, x[0])
    assert 0 < found["layer 0: spikes"].mean() < 1
    assert all((tick.layers[0].state.u[tick.layers[0].state.s == 1] == 0).all() for tick in ticks)


def test_accuracy_against_time():
    net = network()
    outputs = np.array([[[0, 1], [1, 0], [1, 0]], [[0, 1], [0, 1], [1, 0]]])
    line, = net.sections(outputs, None, np.array([0, 1]))["lines"]["series"]
    assert line["values"] == [50, 100, 50]
    line, = net.sections(outputs, None, np.array([0, 1]), np.array([3, 2]))["lines"]["series"]
    assert line["values"] == [50, 100, 100]
    assert net.sections(outputs, None, np.array([0.5, 1.0])) == {}
    assert net.sections(outputs[:, :1], None, np.array([0, 1])) == {}
    assert net.sections(np.repeat(outputs, 20, 1), None, np.array([0, 1])) == {}
    assert net.sections(outputs[:0], None, np.zeros(0, int)) == {}


def test_table():
    heading, rows = network().table()
    assert rows[0] == ("0", "3 x 6", "real", "Q2.5", "Q1.6", "Q3.12", "Q0.8", "4", "3")
    assert rows[2][0] == "readout"
    assert len({len(heading), *map(len, rows)}) == 1
    assert network().size == "408 parameters"
