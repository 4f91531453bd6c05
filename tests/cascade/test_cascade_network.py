"""Description and image of a cascaded network: what comes back is what went in, and what cannot be is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cascades import LAYERS, drawn, refused, small

from golden import systems
from golden.cascade import engine, layout
from golden.cascade.layer import Block, Engine, Head, Stem
from golden.cascade.network import CascadeNetwork
from golden.image import build_image, image_params

STEM, FIRST, SECOND, HEAD = LAYERS


def said(value) -> str:
    """What a test is called by; a function has no name that stays."""
    return "" if callable(value) else str(value)


def test_json_both_ways():
    for net in (small(), small(scheme="serial", rule="margin", threshold=7, norm="step"), *map(drawn, range(5))):
        assert systems.parse(net.to_json()) == net
        assert CascadeNetwork.from_json(net.to_json().encode()) == net
    # what frames are told with may be left out
    entry = {name: value for name, value in json.loads(small().to_json()).items() if name not in (
        "scheme", "rule", "threshold")}
    assert CascadeNetwork.from_json(json.dumps(entry)) == small()


def test_fingerprint():
    """Of what shapes the circuit or its words; not of names, or of what frames are told with."""
    net = small()
    assert net.fingerprint == "045b2e2f69a949cd"
    assert replace(net, name="other", scheme="serial", rule="softmax", threshold=9).fingerprint == net.fingerprint
    others = [small(steps=4), small(pre=3), small(post=15), small(norm="step"), net.with_lanes((2, 2)),
              small(engines=(Engine(layers=(0, 1, 2), side=2),)), small(engines=()),
              small(layers=(STEM, replace(FIRST, kernel=1), SECOND, HEAD)),
              small(layers=(STEM, FIRST, SECOND, replace(HEAD, shift=7)))]
    assert len({one.fingerprint for one in (net, *others)}) == 1 + len(others)


def test_sizes():
    net = small(norm="step")
    assert (net.inputs, net.outputs, net.lanes, net.lanes_by_layer) == (40, 3, 10, [6, 4])
    # stem 4 x 18 and 2 pairs of 4; blocks 2 x 144, 2 pairs of 4; 216 + 324 + 24, 2 pairs of 6 in 2 rows; head 3 x 7
    assert net.parameters == 72 + 8 + 288 + 16 + 216 + 324 + 24 + 48 + 21
    assert net.size == "1,017 parameters"
    # an engine of 2 lanes: 2 folds of 2 x 3 pixels with 4 to 6 real taps of 2 groups, stride 1, 2 convolutions
    first = FIRST.main[0]
    assert net.engines[1].cycles(first) == 2 * 2 * (4 + 6 + 4) * 2
    assert Engine(layers=(1,), lanes=4, side=4).cycles(FIRST.main[0]) == 2 * (4 + 6 + 4)
    # sums leave one a cycle: 4 lanes want 4 cycles a pixel; a walk makes a pixel in three
    assert Engine(layers=(2,), lanes=4, side=4).cycles(SECOND.shortcut) == 2 * 2 * 4
    assert [task[:2] for task in net.program(net.engines[1])] == [
        (2, "shortcut"), (1, "first"), (1, "second"), (2, "first"), (2, "second")]
    head, rows = net.table()
    assert len(head) == 6
    assert [row[0] for row in rows] == ["stem", "block 1", "block 2", "head"]
    assert rows[2][1:] == ("3x2x4 -> 2x1x6", "3x3/2", "564", "2 x 2", str(3 * 2 * (3 + 4 * 2 + 2 * 3)))


@pytest.mark.parametrize("seed", range(8))
def test_image_and_back(seed):
    net = small(norm="step") if seed == 7 else drawn(f"image {seed}")
    params = engine.random_params(net, seed)
    again = image_params(build_image(net, params), net)
    for mine, theirs in zip(params, again, strict=True):
        assert mine._fields == theirs._fields
        for name, one, other in zip(mine._fields, mine, theirs, strict=True):
            assert (one is None and other is None) or np.array_equal(one, other), name
    assert [len(words) for words in net.pack(params)] == [len(bank.words) for bank in net.layout()]
    assert [bank.number for bank in net.layout()] == list(range(len(net.layout())))


def test_where_words_lie():
    """Literal addresses: banks a lane, scales, biases; taps, then groups; two weights a word of the bus."""
    net = small(layers=(STEM, FIRST, replace(SECOND, outputs=8), replace(HEAD, inputs=8)), engines=(
        Engine(layers=(0,), lanes=3, side=2), Engine(layers=(1, 2), lanes=2, side=4)))
    params = engine.random_params(net, 1)
    banks = net.pack(params)
    stem, second = params[0].weight, params[2]
    assert layout.first_banks(net) == [0, 5, 9]
    # bank 1: output channels 1 and 4, of which there is no fourth; word 9 + 5 is tap 5 of the second fold
    pair = stem[1, 1, 2]
    assert banks[1][5] == (int(pair[0]) & 255) | (int(pair[1]) & 255) << 8
    assert (banks[1][9:] == 0).all()
    assert banks[0][9 + 5] == (int(stem[3, 1, 2, 0]) & 255) | (int(stem[3, 1, 2, 1]) & 255) << 8
    # bank 6: lane 1 of the other engine begins with the shortcut, 4 folds of a word in 2 columns
    for fold in range(4):
        taps = [int(w) & 255 for w in second.shortcut[2 * fold + 1, 0, 0]]
        assert banks[6][2 * fold:2 * fold + 2].tolist() == [taps[0] | taps[1] << 8, taps[2] | taps[3] << 8]
    assert banks[7].tolist() == [*second.shortcut_scale[0], *params[1].scale1[0], *params[1].scale2[0],
                                 *second.scale1[0], *second.scale2[0]]
    assert banks[8].tolist() == [*[0] * 8, *params[1].bias1[0], *params[1].bias2[0], *second.bias1[0],
                                 *second.bias2[0]]
    assert banks[9].tolist() == [word for bias, row in zip(params[3].bias, params[3].weight, strict=True)
                                 for word in (bias, *row)]


def test_bits_that_belong_to_no_weight():
    net = small()
    sent = np.concatenate(net.pack(engine.random_params(net)))
    # above two weights, in the fold that the last lane lacks, in the bias of a shortcut
    for at in (9, 3 * 18 - 1, 3 * 18 + 8 + 2 * layout.lane_words(net, net.engines[1]) + 26):
        wrong = sent.copy()
        wrong[at] ^= 1 << (16 if at == 9 else 3)
        with pytest.raises(ValueError, match=rf"image word {at} is 0x[0-9a-f]+, with bits that belong to no weight"):
            net.unpack(wrong)


GOOD = {"height": 5, "width": 4, "inputs": 2, "outputs": 4}


@pytest.mark.parametrize(("part", "fields", "message"), [
    *[(kind, {name: value}, f"{kind.__name__.lower()}: {name} must be an integer in 1..{most}, not {value!r}")
      for kind in (Stem, Block) for name, most in (("height", 64), ("width", 64), ("inputs", 512), ("outputs", 512))
      for value in (0, most + 1, 2.0, True)],
    (Stem, {"kernel": 2}, "stem: kernel must be 1 or 3, not 2"), (Block, {"kernel": 5}, "block: kernel must be 1 or 3"),
    (Stem, {"stride": 0}, "stem: stride must be 1 or 2, not 0"), (Block, {"stride": 3}, "block: stride must be 1 or 2"),
    (Stem, {"height": 64, "width": 64, "inputs": 5}, "stem: a map has at most 16384 values"),
    (Block, {"height": 64, "width": 64, "outputs": 5}, "block: a map has at most 16384 values"),
    (Head, {"inputs": 0}, "head: inputs must be an integer in 1..512, not 0"),
    (Head, {"outputs": 1}, "head: outputs must be an integer in 2..32, not 1"),
    (Head, {"outputs": 33}, "head: outputs must be an integer in 2..32, not 33"),
    (Head, {"pixels": 0}, "head: pixels must be an integer in 1..16384, not 0"),
    (Head, {"pixels": 515}, "head: a sum over 515 pixels has 18 bits, 17 at most"),
    (Head, {"shift": 0}, "head: shift must be an integer in 1..16, not 0"),
    (Head, {"shift": 17}, "head: shift must be an integer in 1..16, not 17"),
    (Head, {"fraction": 3}, "head: fraction must be an integer in 4..12, not 3"),
    (Head, {"fraction": 13}, "head: fraction must be an integer in 4..12, not 13"),
    (Head, {"inputs": 512, "outputs": 32}, "head: its lane would hold 16416 words, 16384 at most"),
    (Engine, {"layers": ()}, "engine: layers must be numbers in ascending order, not []"),
    (Engine, {"layers": (1, 1)}, "engine: layers must be numbers in ascending order, not [1, 1]"),
    (Engine, {"layers": (2, 1)}, "engine: layers must be numbers in ascending order, not [2, 1]"),
    (Engine, {"layers": (13,)}, "engine: layers must be numbers in ascending order, not [13]"),
    (Engine, {"layers": (0,), "lanes": 0}, "engine: lanes must be in 1..512, not 0"),
    (Engine, {"layers": (0,), "lanes": 513}, "engine: lanes must be in 1..512, not 513"),
    (Engine, {"layers": (0,), "side": 3}, "engine: side must be one of 1, 2, 4, 8, not 3")], ids=str)
def test_parts_that_are_refused(part, fields, message):
    good = {Head: {"inputs": 6, "outputs": 3, "pixels": 2, "shift": 6}, Engine: {}}.get(part, GOOD)
    with refused(message):
        part(**(good | fields))


def test_the_largest_parts():
    assert Head(inputs=511, outputs=32, pixels=514, shift=16, fraction=12).pool_bits == 17
    assert Stem(height=64, width=64, inputs=4, outputs=4).out == (64, 64, 4)
    assert Block(height=63, width=1, inputs=1, outputs=512, stride=2).out == (32, 1, 512)


TALL = Block(height=1, width=1, inputs=512, outputs=512)


@pytest.mark.parametrize(("fields", "message"), [
    ({"name": "Large"}, "network: name must be lower-case letters"),
    ({"steps": 0}, "network: steps must be in 1..15, not 0"),
    ({"steps": 16}, "network: steps must be in 1..15, not 16"),
    ({"steps": 2.0}, "network: steps must be in 1..15, not 2.0"),
    ({"pre": -1}, "network: pre must be in 0..16, not -1"), ({"pre": 17}, "network: pre must be in 0..16, not 17"),
    ({"post": 3}, "network: post must be in 4..24, not 3"), ({"post": 25}, "network: post must be in 4..24, not 25"),
    ({"norm": "batch"}, "network: norm must be one of shared, step, not 'batch'"),
    ({"scheme": "both"}, "network: scheme must be one of parallel, serial, not 'both'"),
    ({"rule": "always"}, "network: rule must be one of never, margin, softmax, not 'always'"),
    ({"threshold": -1}, "network: threshold must be a word of 0..131071, not -1"),
    ({"threshold": 1 << 17}, "network: threshold must be a word of 0..131071, not 131072"),
    ({"layers": (STEM, HEAD)}, "network: a stem, 1 to 12 blocks and a head, not 2 layers"),
    ({"layers": (STEM, *[FIRST] * 13, HEAD)}, "network: a stem, 1 to 12 blocks and a head, not 15 layers"),
    ({"layers": (FIRST, FIRST, HEAD)}, "network: layer 0 must be a Stem, not Block"),
    ({"layers": (STEM, STEM, HEAD)}, "network: layer 1 must be a Block, not Stem"),
    ({"layers": (STEM, FIRST, SECOND)}, "network: layer 2 must be a Head, not Block"),
    ({"layers": (STEM, replace(FIRST, height=4), SECOND, HEAD)},
     "network: block 1 takes 4x2x4, the layer below gives 3x2x4"),
    ({"layers": (STEM, FIRST, replace(SECOND, inputs=5), HEAD)},
     "network: block 2 takes 3x2x5, the layer below gives 3x2x4"),
    ({"layers": (STEM, FIRST, SECOND, replace(HEAD, pixels=1))},
     "network: the head takes 1 pixels of 6 channels, the last block gives 2x1x6"),
    ({"layers": (STEM, FIRST, SECOND, replace(HEAD, inputs=5))},
     "network: the head takes 2 pixels of 5 channels, the last block gives 2x1x6"),
    ({"engines": (Engine(layers=(0, 1)),)}, "network: engines work on layers [0, 1], each of 0..2 belongs to one"),
    ({"engines": (Engine(layers=(0, 1)), Engine(layers=(1, 2)))}, "network: engines work on layers [0, 1, 1, 2]"),
    ({"engines": (Engine(layers=(0, 1, 2, 3)),)}, "network: engines work on layers [0, 1, 2, 3]"),
    ({"engines": (Engine(layers=(0, 1, 2), side=4),)},
     "engine 0: 6 channels of layer 2 are no multiple of its 4 inputs at once"),
    ({"engines": (Engine(layers=(0,)), Engine(layers=(1, 2), lanes=5))},
     "engine 1: 5 lanes, and layer 1 has 4 channels"),
    ({"layers": (replace(STEM, kernel=1), FIRST, SECOND, HEAD),
      "engines": (Engine(layers=(0,), lanes=2, side=2), Engine(layers=(1, 2)))},
     "engine 0: 2 lanes, and its longest pixel has 1 words: sums leave one a cycle"),
    ({"layers": (Stem(height=1, width=1, inputs=512, outputs=512), TALL, replace(HEAD, inputs=512, pixels=1)),
      "engines": (Engine(layers=(0,), lanes=512), Engine(layers=(1,), lanes=100))},
     "engine 1: a lane would hold 55296 words of the bus, 16384 at most: more lanes"),
    ({"layers": (Stem(height=1, width=1, inputs=4, outputs=512), replace(TALL, outputs=512),
                 replace(HEAD, inputs=512, pixels=1)), "norm": "step",
      "engines": (Engine(layers=(0, 1), lanes=512),)},
     "engine 0: 1536 scales, 1024 at most: more engines")], ids=str)
def test_networks_that_are_refused(fields, message):
    with refused(message):
        small(**fields)


@pytest.mark.parametrize(("change", "message"), [
    (lambda top: top.pop("head"), "network description has the fields ["),
    (lambda top: top.update(more=1), "network description has the fields ["),
    (lambda top: top.update(blocks={}), "network description: blocks must be a list"),
    (lambda top: top.update(engines=3), "network description: engines must be a list"),
    (lambda top: top.update(stem=[]), "stem: must be an object, not list"),
    (lambda top: top["blocks"][1].pop("width"), "block 2: missing fields"),
    (lambda top: top["head"].update(bias=1, also=2), "head: unknown fields also, bias"),
    (lambda top: top["engines"][0].update(layers=0), "engine 0: layers must be a list"),
    (lambda top: top["engines"][1].update(layers=[[1], 2]), "engine 1: layers must be numbers in ascending order"),
    (lambda top: top["blocks"][0].update(kernel=2), "block 1: kernel must be 1 or 3, not 2"),
    (lambda top: top.update(steps="3"), "network: steps must be in 1..15, not '3'"),
    (lambda top: top.update(leadlag_cascade_network=2), "network description must be an object with")], ids=said)
def test_json_that_is_refused(change, message):
    top = json.loads(small().to_json())
    change(top)
    with refused(message):
        CascadeNetwork.from_json(json.dumps(top))


def test_lanes():
    assert small().with_lanes((1, 4)).lanes_by_layer == [2, 8]
    with pytest.raises(ValueError, match="network: 2 engines, 3 lane numbers"):
        small().with_lanes((1, 1, 1))
    tall = small(layers=(Stem(height=1, width=1, inputs=512, outputs=512), TALL, replace(HEAD, inputs=512, pixels=1)),
                 engines=())
    # a fold has 9 x 512 words, and a lane three of them; the block has two convolutions
    assert [(unit.layers, unit.lanes, unit.side) for unit in tall.engines] == [((0,), 171, 1), ((1,), 512, 1)]


def test_dealings():
    net = small(engines=())
    assert [[unit.layers for unit in layout.dealt(net, name)] for name in ("layer", "blocks", "all")] == [
        [(0,), (1,), (2,)], [(0,), (1, 2)], [(0, 1, 2)]]
    assert net.engines == layout.dealt(net, "layer")
    thin = small(layers=(Stem(height=1, width=1, inputs=2, outputs=4), Block(height=1, width=1, inputs=4, outputs=256),
                         replace(HEAD, inputs=256, pixels=1)), engines=())
    with refused("layers 0, 1: their weights do not fit 4 lanes of one engine"):
        layout.dealt(thin, "all")


@pytest.mark.parametrize(("change", "message"), [
    (lambda params: params[:-1], "small has 4 layers, not 3 of parameters"),
    (lambda params: (params[0]._replace(weight=params[0].weight[:3]), *params[1:]),
     "layer 0: weight must be (4, 3, 3, 2)"),
    (lambda params: (params[0]._replace(weight=params[0].weight * 1.0), *params[1:]),
     "layer 0: weight must be integers, not float64"),
    (lambda params: (params[0]._replace(weight=params[0].weight * 0 + 128), *params[1:]),
     "layer 0: weight must lie in -128..127"),
    (lambda params: (params[0], params[1]._replace(bias2=params[1].bias2 * 0 - (1 << 17) - 1), *params[2:]),
     "layer 1: bias2 must lie in -131072..131071"),
    (lambda params: (*params[:2], params[2]._replace(shortcut=None), params[3]),
     "layer 2: shortcut must be (6, 1, 1, 4), not ()"),
    (lambda params: (*params[:3], params[3]._replace(bias=params[3].bias * 0 + 2048)),
     "layer 3: bias must lie in -2048..2047")], ids=said)
def test_parameters_that_are_refused(change, message):
    net = small()
    with refused(message):
        net.check(change(engine.random_params(net)))
