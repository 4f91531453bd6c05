"""Parameter images: the layout by hand, there and back, and every kind of damage is one clear line."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from device import learner, learner_params
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.fixed import QFormat
from golden.image import HEADER_BYTES, Image, build_image, image_addresses, image_params, parameter_words
from golden.rate.engine import random_params
from golden.rate.layer import Dense
from golden.rate.layout import bank_layout, delays, timing
from golden.rate.network import Network
from golden.regmap import parameter_address
from golden.units.extrapolator import Predictor


def network(sizes=(3, 5, 2), lanes=None, **changes):
    """Layers of the sizes given, delays 0, 1, 2, 0, ..."""
    layers = []
    for n, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
        fields = {"inputs": inputs, "outputs": outputs, "activation": "tanh", "operand": QFormat(0, 15),
                  "weight": QFormat(2, 15), "state": QFormat(4, 12), "lead": QFormat(5, 12), "lag": QFormat(0, 17),
                  "rate": QFormat(0, 15), "max_delay": 7, "delay": n % 3, "lanes": 1 if lanes is None else lanes[n]}
        layers.append(Dense(**fields | changes))
    return Network(name="test", dt=1.0, layers=tuple(layers))


@st.composite
def networks(draw):
    sizes = draw(st.lists(st.integers(1, 9), min_size=2, max_size=4))
    lanes = [draw(st.integers(1, min(b, a + 1))) for a, b in zip(sizes, sizes[1:], strict=False)]
    return network(sizes, lanes)


def build(net, seed=0):
    params = random_params(net, np.random.default_rng(seed))
    return params, build_image(net, params)


def test_layout_by_hand():
    """Three neurons on two lanes: rows 0 and 2 in bank 0, row 1 in bank 1, then lead, lag, delay."""
    net = network((2, 3), [2], delay=5)
    (p,), image = build(net)
    mask = (1 << 18) - 1
    expected = [(0x8000_0000 + k, word) for k, word in enumerate(
        [p.bias[0], *p.weight[0], p.bias[2], *p.weight[2]])]
    expected += [(0x8001_0000 + k, word) for k, word in enumerate([p.bias[1], *p.weight[1]])]
    expected += [(0x8002_0000 + k, word) for k, word in enumerate(p.lead)]
    expected += [(0x8003_0000 + k, word) for k, word in enumerate(p.lag)]
    expected += [(0x8004_0000, 5)]
    assert image.pairs.tolist() == [[addr, int(word) & mask] for addr, word in expected]
    assert image.crc == zlib.crc32(b"".join(int(addr).to_bytes(4, "little") + (int(word) & mask).to_bytes(4, "little")
                                            for addr, word in expected))


@pytest.mark.parametrize(("predictor", "delay", "words"), [
    (None, 2, {0: 2}), ({"kind": "linear"}, 2, {0: 2, 2: 2}), ({"kind": "linear"}, 0, {0: 0, 2: 0}),
    ({"kind": "linear", "spacing": 3}, 6, {0: 6, 2: 3, 4: 3 << 14, 5: -2 << 14}),
    ({"kind": "linear", "spacing": 3}, 0, {0: 0, 2: 3, 4: 1 << 14, 5: 0}),
    ({"kind": "fir", "spacing": 5, "taps": 2}, 0, {0: 0, 2: 5})])
def test_words_of_the_delays(predictor, delay, words):
    p = None if predictor is None else Predictor(history=14, **predictor)
    net = network((3, 5, 2))
    assert timing(replace(net.layers[1], delay=delay, predictor=p)) == words


def test_banks():
    net = network((3, 5, 2), [2, 1])
    assert [banks.lanes for banks in bank_layout(net)] == [0, 5]
    assert bank_layout(net)[1] == (5, {"lead": 6, "lag": 7}, 8, {}, 9)


def test_header_by_hand():
    """The file format is pinned: an error shared by writer and reader would hide."""
    data = Image("0123456789abcdef", bytes(range(8))).to_bytes()
    assert data[:28] == (b"LLAGIMG\n" + b"\1\0\0\0" + bytes.fromhex("efcdab8967452301") + b"\1\0\0\0"
                         + zlib.crc32(bytes(range(8))).to_bytes(4, "little"))
    assert data[28:] == zlib.crc32(data[:28]).to_bytes(4, "little") + bytes(range(8))


@settings(max_examples=60, deadline=None)
@given(networks(), st.integers(0, 1000))
def test_there_and_back(net, seed):
    params, image = build(net, seed)
    assert len(image) == parameter_words(net)
    addresses = image_addresses(net)
    assert len(set(addresses.tolist())) == len(addresses)
    assert Image.from_bytes(image.to_bytes()) == image
    found = image_params(image, net)
    assert delays(net, image.pairs[:, 1]) == tuple(layer.delay for layer in net.layers)
    for n, (p, q) in enumerate(zip(params, found, strict=True)):
        for name in p._fields:
            assert np.array_equal(getattr(p, name), getattr(q, name)), (n, name)


NET = network()
PARAMS, IMAGE = build(NET)
FILE = IMAGE.to_bytes()


def one_line(error):
    text = str(error.value)
    assert text
    assert "\n" not in text
    return text


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 8 * len(FILE) - 1))
def test_flipped_bit(bit):
    data = bytearray(FILE)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match="damaged|not a parameter image") as error:
        Image.from_bytes(data)
    one_line(error)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(FILE) - 1))
def test_truncated(length):
    with pytest.raises(ValueError, match="truncated" if length >= 8 else "not a parameter image") as error:
        Image.from_bytes(FILE[:length])
    one_line(error)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes(data, with_magic):
    with pytest.raises(ValueError, match="image") as error:
        Image.from_bytes(FILE[:8] * with_magic + data)
    one_line(error)


def test_other_version_and_length():
    header = bytearray(FILE[:28])
    header[8] = 2
    with pytest.raises(ValueError, match=r"version 2\.0, this program reads 1\.0"):
        Image.from_bytes(bytes(header) + zlib.crc32(header).to_bytes(4, "little") + FILE[HEADER_BYTES:])
    with pytest.raises(ValueError, match="too long"):
        Image.from_bytes(FILE + b"\0")


def test_other_design():
    other = network((3, 4, 2))
    with pytest.raises(ValueError, match=f"{NET.fingerprint}.*{other.fingerprint}"):
        IMAGE.check(other)
    # delays are loaded at run time: the same design takes them
    IMAGE.check(replace(NET, layers=tuple(replace(layer, delay=3) for layer in NET.layers)))


def pairs_changed(row, column, value):
    pairs = IMAGE.pairs.copy()
    pairs[row, column] = value
    return Image(NET.fingerprint, pairs.tobytes())


@pytest.mark.parametrize(("image", "message"), [
    (pairs_changed(4, 0, 0x8000_0000), "word 4 is for address 0x80000000, expected 0x80000004"),
    (pairs_changed(2, 1, 1 << 18), "word 2 is 0x40000, a word has 18 bits"),
    (pairs_changed(-1, 1, 8), r"layer 1: delay is 8, the design holds 0\.\.7"),
    (Image(NET.fingerprint, IMAGE.body[:-8]), "the image has 47 words, test takes 48"),
])
def test_image_of_other_words(image, message):
    with pytest.raises(ValueError, match=message):
        image_params(image, NET)


@pytest.mark.parametrize(("word", "value", "message"), [
    (0, 2, None), (0, 3, r"layer 1: delay is 3, the design holds 0\.\.2"), (0, -1, "layer 1: delay is -1"),
    (1, 5, None), (1, 6, r"layer 1: error_delay is 6, the design holds 0\.\.5"), (1, -1, "layer 1: error_delay is -1")])
def test_delays_of_messages_and_errors(word, value, message):
    net = learner()
    late = replace(net.layers[1], max_delay=2, delay=1, max_error_delay=5, error_delay=3)
    net = replace(net, layers=(net.layers[0], late))
    pairs = build_image(net, learner_params(net)).pairs.copy()
    at = np.flatnonzero(pairs[:, 0] == parameter_address(bank_layout(net)[1].delay, word))
    assert pairs[at, 1].tolist() == [(1, 3)[word]]
    pairs[at, 1] = value & (1 << 18) - 1
    image = Image(net.fingerprint, pairs.tobytes())
    if message is None:
        assert image_params(image, net)
        assert delays(net, image.pairs[:, 1]) == (1, value if word == 0 else 1)
        return
    with pytest.raises(ValueError, match=message):
        image_params(image, net)


def test_words_outside_their_format():
    net = network((1, 1), weight=QFormat(2, 13))
    _, image = build(net)
    pairs = image.pairs.copy()
    pairs[0, 1] = 1 << 15
    with pytest.raises(ValueError, match="bias holds words outside of Q2.13"):
        image_params(Image(net.fingerprint, pairs.tobytes()), net)


def test_parameters_that_do_not_fit():
    wide = PARAMS[0]._replace(bias=PARAMS[0].bias + (1 << 18))
    with pytest.raises(ValueError, match="layer 0: bias holds words outside"):
        build_image(NET, (wide, PARAMS[1]))
    with pytest.raises(ValueError, match="layer 0: lag must be integer words, not float64"):
        build_image(NET, (PARAMS[0]._replace(lag=PARAMS[0].lag / 1.0), PARAMS[1]))
    with pytest.raises(ValueError, match="a lane would hold 20100 words, 16384 at most"):
        network((200, 100))


@pytest.mark.parametrize(("fingerprint", "body", "message"), [
    ("0123", b"", "16 hex digits"), ("0123456789ABCDEF", b"", "16 hex digits"),
    ("0" * 16, b"abc", "3 bytes, 8 a word"),
])
def test_image_fields(fingerprint, body, message):
    with pytest.raises(ValueError, match=message):
        Image(fingerprint, body)


def test_files(tmp_path):
    path = tmp_path / "deep" / "net.image"
    IMAGE.save(path)
    assert Image.load(path) == IMAGE
    assert [p.name for p in path.parent.iterdir()] == ["net.image"]
    path.write_bytes(FILE[:40])
    with pytest.raises(ValueError, match=r"net\.image: image truncated: 40 bytes, its 48 words take 416"):
        Image.load(path)
