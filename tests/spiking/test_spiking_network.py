"""The description of spiking networks, their images, and the lanes that boards give them: round trips and refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spikes import random_spiking

from boards import BOARDS
from boards.families.ecp5 import ECP5
from boards.families.ice40 import ICE40
from golden.fixed import QFormat
from golden.image import Image, build_image, image_addresses, image_params, parameter_words
from golden.spiking.codes import LatencyCode
from golden.spiking.engine import random_synapses
from golden.spiking.layer import Kick, SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import FIRED_BIT, IMAGE_BIT, TICK_BIT, answers, input_words
from golden.units.weights import Ternary
from rtl.spiking.cost import block_rams, inventory, layer_inventory

GOOD = {"inputs": 20, "outputs": 24, "weight": Ternary(plus=3, minus=4, seed=9), "delay_bits": 4,
        "state": QFormat(6, 4), "leak": (4,), "threshold": 40}


def network(*layers, **fields) -> SpikingNetwork:
    return SpikingNetwork(**({"name": "n", "ticks": 10, "layers": layers} | fields))


def large(hidden: int) -> SpikingNetwork:
    """784-hidden-10."""
    return network(SpikingLayer(**GOOD | {"inputs": 784, "outputs": hidden}),
                   SpikingLayer(**GOOD | {"inputs": hidden, "outputs": 10}))


@pytest.mark.parametrize("n", range(8))
def test_round_trips(n):
    net = random_spiking(f"trip {n}")
    if n % 2:
        net = replace(net, code=LatencyCode(bins=min(net.ticks, 3), dark=7))
    assert SpikingNetwork.from_json(net.to_json()) == net
    params = random_synapses(net, np.random.default_rng(n))
    image = build_image(net, params)
    assert len(image) == parameter_words(net)
    assert (np.diff(image_addresses(net).astype(np.int64)) > 0).all()
    for a, b in zip(image_params(Image.from_bytes(image.to_bytes()), net), params, strict=True):
        np.testing.assert_array_equal(a.delay, b.delay)
        assert (a.weight is None) == (b.weight is None)
        if a.weight is not None:
            np.testing.assert_array_equal(a.weight, b.weight)


def test_known_image():
    """Two lanes side by side, two folds, the neuron that is not there, then the seeds."""
    layer = SpikingLayer(**GOOD | {"inputs": 2, "outputs": 3, "weight": QFormat(1, 0), "delay_bits": 3, "lanes": 2})
    seeded = SpikingLayer(**GOOD | {"inputs": 3, "outputs": 1, "weight": Ternary(plus=1, minus=1, seed=0x12345678)})
    net = network(layer, seeded)
    params = random_synapses(net, np.random.default_rng(0))
    params[0].delay[:] = [[1, 2], [3, 4], [5, 6]]
    params[0].weight[:] = [[-2, 1], [0, -1], [1, -2]]
    params[1].delay[:] = [[7, 8, 9]]
    pairs = build_image(net, params).pairs
    assert [hex(a) for a in pairs[:, 0]] == [
        *(f"0x8000000{n}" for n in range(4)), *(f"0x8001000{n}" for n in range(3)), "0x80020002", "0x80020003"]
    assert pairs[:, 1].tolist() == [
        1 | 2 << 3 | (3 | 0 << 3) << 5, 2 | 1 << 3 | (4 | 3 << 3) << 5, 5 | 1 << 3, 6 | 2 << 3, 7, 8, 9, 0x5678, 0x1234]


def test_an_image_for_another_seed_is_refused():
    net = network(SpikingLayer(**GOOD))
    other = network(SpikingLayer(**GOOD | {"weight": Ternary(plus=3, minus=4, seed=10)}))
    assert other.fingerprint == net.fingerprint         # one bitstream serves all seeds
    image = build_image(other, random_synapses(other, np.random.default_rng(0)))
    with pytest.raises(ValueError, match="layer 0: the image is for weights of seed 10, the description has seed 9"):
        image_params(image, net)


def test_another_shape_or_hash_has_another_fingerprint(monkeypatch):
    net = network(SpikingLayer(**GOOD))
    for change in ({"threshold": 41}, {"leak": (3,)}, {"outputs": 23}, {"delay_bits": 3}, {"order": 2},
                   {"weight": Ternary(plus=4, minus=4, seed=9)}, {"refractory": 1}, {"state": QFormat(6, 5)}):
        assert network(SpikingLayer(**GOOD | change)).fingerprint != net.fingerprint, change
    assert replace(net, ticks=11).fingerprint != net.fingerprint
    assert replace(net, decision="potential").fingerprint != net.fingerprint
    assert replace(net, name="other", code=LatencyCode(bins=2)).fingerprint == net.fingerprint
    text = net.to_json()
    monkeypatch.setattr("golden.units.weights.HASH_VERSION", 2)
    with pytest.raises(ValueError, match="layer 0: ternary weights: made by hash version 1, this program has version"):
        SpikingNetwork.from_json(text)


@pytest.mark.parametrize(("change", "message"), [
    ({"inputs": 0}, "inputs must be an integer in 1..4096, not 0"),
    ({"delay_bits": 9}, "delay_bits must be an integer in 1..8, not 9"),
    ({"order": 3}, "order must be an integer in 1..2"),
    ({"leak": (0,)}, "leak must be up to three shifts"),
    ({"leak": (1, 1)}, "that leave something"),
    ({"weight": 3}, "weight must be Ternary or a QFormat, not 3"),
    ({"weight": QFormat(3, 5)}, "state Q6.4 is coarser than the weight Q3.5"),
    ({"weight": QFormat(12, 2)}, "take 19 bits, 18 at most"),
    ({"state": QFormat(20, 4)}, "24 bits at most"),
    ({"threshold": 0}, "threshold must be a word of Q6.4 in 1..1023, not 0"),
    ({"threshold": 1024}, "in 1..1023, not 1024"),
    ({"kick": Kick(word=1, leak=(1,))}, "kick must be None or, with order 2, a Kick"),
    ({"kick": Kick(word=1, leak=(1,)), "order": 2, "refractory": 1}, "takes the place of refractory ticks"),
    ({"lanes": 12}, "12 lanes for 24 neurons: with weights from a seed a multiple of 8"),
    ({"lanes": 25}, "lanes must be an integer in 1..24"),
    ({"inputs": 4096, "lanes": 8, "outputs": 48}, "a lane would hold 24576 synapses, 16384 at most: more lanes"),
])
def test_layers_that_are_refused(change, message):
    with pytest.raises(ValueError, match=f"spiking layer: .*{message}"):
        SpikingLayer(**GOOD | change)


def test_ends_of_a_kick():
    for word in (1, (1 << 17) - 1):
        assert Kick(word=word, leak=(1,)).word == word
    for word in (0, 1 << 17):
        with pytest.raises(ValueError, match=f"kick: word must be in 1..131071, not {word}"):
            Kick(word=word, leak=(1,))


def test_pinned_fingerprint():
    assert network(SpikingLayer(**GOOD)).fingerprint == "39c8eb13aca52d0c"


@pytest.mark.parametrize(("fields", "message"), [
    ({"ticks": 256}, "ticks must be in 1..255"), ({"name": "A b"}, "name must be"),
    ({"decision": "vote"}, "decision must be one of first_spike, potential, not 'vote'"),
    ({"code": LatencyCode(bins=11)}, "spikes in 11 ticks do not fit in 10"), ({"layers": ()}, "1 to 16 layers, not 0"),
    ({"layers": (SpikingLayer(**GOOD | {"outputs": 40}),)}, "at most 32 classes, not 40"),
    ({"layers": (SpikingLayer(**GOOD),) * 2}, "layer 1 has 20 inputs, layer 0 has 24 outputs"),
    ({"layers": (SpikingLayer(**GOOD | {"lanes": 8}),)}, "the last layer decides at once, with 24 lanes"),
])
def test_networks_that_are_refused(fields, message):
    with pytest.raises(ValueError, match=f"network: .*{message}"):
        network(**{"layers": (SpikingLayer(**GOOD),)} | fields)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_descriptions_give_one_line(data):
    """Any value anywhere: a network or one line."""
    top = json.loads(random_spiking("trip 1").to_json())
    where = data.draw(st.sampled_from(["top", "layer", "weight"]))
    entry = {"top": top, "layer": top["layers"][0], "weight": top["layers"][0]}[where]
    key = data.draw(st.sampled_from(sorted(entry)) | st.just("other"))
    junk = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    entry[key] = data.draw(junk | st.lists(junk, max_size=3) | st.dictionaries(st.text(max_size=5), junk, max_size=3))
    assert "\n" not in refusal(json.dumps(top))


def test_unknown_fields_stay_in_a_line():
    top = json.loads(random_spiking("trip 1").to_json())
    top["layers"][0] |= {"\n": None, " ": 1, "pace": 2}
    assert refusal(json.dumps(top)).endswith("unknown fields '\\n', ' ', pace")


def refusal(text) -> str:
    """What is said of a description; nothing of a good one."""
    try:
        SpikingNetwork.from_json(text)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, json.dumps({"leadlag_spiking_network": 1})])
def test_what_is_no_description(text):
    with pytest.raises(ValueError, match="network description"):
        SpikingNetwork.from_json(text)


def test_words():
    net = network(SpikingLayer(**GOOD | {"inputs": 3, "outputs": 2}), ticks=2)
    spikes = np.zeros((2, 2, 3), bool)
    spikes[0, 1, [0, 2]] = spikes[1, 0, 1] = True
    tick, image = 1 << TICK_BIT, 1 << IMAGE_BIT
    assert input_words(net, spikes).tolist() == [tick, 0, 2, tick, image, 1, tick, tick, image]
    found = answers([3 | 7 << 8 | 1 << FIRED_BIT, 31 | 255 << 8])
    assert (found.label.tolist(), found.tick.tolist(), found.fired.tolist()) == ([3, 31], [7, 255], [True, False])
    with pytest.raises(ValueError, match="spikes must be bool"):
        input_words(net, spikes[:, :, :2])


@pytest.mark.parametrize(("inputs", "outputs", "lanes"), [
    (1, 40, 18), (1024, 40, 18), (1025, 40, 9), (2048, 40, 9), (2049, 40, 4), (4096, 40, 4), (4096, 80, 2)])
def test_lanes_side_by_side(inputs, outputs, lanes):
    """Synapses of a bit: as many as a block RAM of that depth is wide, groups of 32 lanes on their own."""
    layer = SpikingLayer(**GOOD | {"inputs": inputs, "outputs": outputs, "delay_bits": 1, "lanes": 40})
    assert layer.bank_lanes == lanes
    assert layer.bank_first == (*range(0, 32, lanes), *range(32, 40, lanes), 40)
    assert replace(layer, delay_bits=5, state=QFormat(6, 4)).bank_lanes == max(1, lanes // 5)


@pytest.mark.parametrize(("fields", "ecp5", "ice40"), [
    ({}, 600 + 24 * (70 + 9 * 2), 650 + 24 * 184),
    # accumulators of 56 bits are registers on an iCE40
    ({"delay_bits": 3}, 600 + 24 * (70 + 9 * 2), 650 + 24 * (184 + 84)),
    ({"lanes": 8}, 600 + 8 * (70 + 9 * 9), 650 + 2076)], ids=str)
def test_luts_by_hand(fields, ecp5, ice40):
    layer = SpikingLayer(**GOOD | fields)
    need = layer_inventory(layer, is_last=False)
    # the queue behind the lanes is a memory that tools make what they like of
    assert (ECP5.luts(need), ICE40.luts(need)) == (ecp5, ice40)


def test_memories_by_hand():
    """Queues: a word a fold and a few more, of all lanes; the last layer has one of answers."""
    below = SpikingLayer(**GOOD | {"inputs": 3, "outputs": 5, "weight": QFormat(1, 0), "lanes": 3})
    last = SpikingLayer(**GOOD | {"inputs": 5, "outputs": 2, "weight": QFormat(1, 0)})
    found = inventory(network(below, last))
    assert found.memories == layer_inventory(below, False).memories + layer_inventory(last, True).memories
    queues = [(memory.depth, memory.width) for memory in found.memories if memory.form == "inferred"]
    assert queues == [(8 + 2 + 3, 20), (16, 17)]
    assert (found.multipliers, found.logic) == (0, {"engine": 2, "neuron_lane": 5})


def test_the_deepest_bank():
    deep = {"inputs": 4096, "outputs": 32, "lanes": 8}
    assert SpikingLayer(**GOOD | deep).bank_depth == 16384
    with pytest.raises(ValueError, match="a lane would hold 20480 synapses, 16384 at most"):
        SpikingLayer(**GOOD | deep | {"outputs": 40})


def test_lanes_of_boards():
    """Fewest folds within block RAMs and LUTs; without a seed the large one does not fit."""
    board = BOARDS["ulx3s-85f"]
    small, wide = board.fold(large(256)), board.fold(large(800))
    assert [layer.folds for layer in small.layers] == [1, 1]
    assert [layer.lanes for layer in wide.layers] == [160, 10]
    assert sum(map(block_rams, wide.layers)) == 163
    stored = network(*(replace(layer, weight=QFormat(0, 1), lanes=layer.outputs) for layer in large(800).layers))
    with pytest.raises(ValueError, match="has 635200 synapses: there is no number of lanes with which they fit"):
        board.fold(stored)
