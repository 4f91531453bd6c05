"""What training leaves comes back as it was; damaged files, of networks and images, are one line or say the truth."""

import json
import re
from dataclasses import replace

import ltcs
import numpy as np
import pytest
from cases import random_learner, random_network, with_delays
from hypothesis import given, settings
from hypothesis import strategies as st
from spikes import random_spiking

from golden.files import read_safetensors, write_safetensors
from golden.image import Image, build_image, image_params
from golden.ltc import engine
from golden.ltc.network import LtcNetwork
from golden.ltc.trained import LtcTrained, usual
from golden.rate.engine import random_params
from golden.rate.layout import bank_layout
from golden.rate.network import Network
from golden.rate.trained import FloatLayer, FloatNetwork
from golden.regmap import parameter_address
from golden.spiking.engine import random_synapses
from golden.spiking.network import SpikingNetwork
from golden.spiking.trained import SpikingTrained
from golden.tasks import late as prospective
from leadlag import flow


def layer(outputs=2, inputs=1, **fields):
    rng = np.random.default_rng(outputs)
    return FloatLayer(**{"weight": rng.normal(0, 1, (outputs, inputs)), "bias": np.zeros(outputs),
                         "tau_m": np.ones(outputs), "tau_r": np.ones(outputs), "activation": "tanh"} | fields)


def test_a_float_network_comes_back(tmp_path):
    turned = np.asfortranarray(np.random.default_rng(1).normal(0, 1, (3, 2)))
    exact = np.asfortranarray(turned.astype(np.float32))
    for weight, kept in ((turned, np.float64), (exact, np.float32), ([[1, 2], [3, 4], [5, 6]], np.float32)):
        net = FloatNetwork(name="n", dt=np.float32(0.25), layers=(layer(), layer(3, 2, weight=weight)),
                           training={"seed": np.int64(3), "accuracy": np.float32(0.5)})
        net.save(tmp_path / "net.safetensors")
        again = FloatNetwork.load(tmp_path / "net.safetensors")
        assert (again.name, again.dt, again.training) == ("n", 0.25, {"seed": 3, "accuracy": 0.5})
        assert read_safetensors(tmp_path / "net.safetensors")[0]["layers.1.weight"].dtype == kept
        for a, b in zip(again.layers, net.layers, strict=True):
            for name in ("weight", "bias", "tau_m", "tau_r"):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
            assert a.activation == b.activation


@pytest.mark.parametrize(("fields", "message"), [
    ({"weight": np.ones((2, 1), complex)}, "weight must be real numbers, not complex128"),
    ({"weight": np.ones((2, 1), bool)}, "weight must be real numbers, not bool"),
    ({"bias": ["1", "2"]}, "bias must be real numbers, not <U1"),
    ({"tau_m": np.array([1, np.nan])}, r"tau_m\[1\] is nan")])
def test_layers_that_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        layer(**fields)


@pytest.mark.parametrize(("fields", "message"), [
    ({"name": 3}, "name must be a text, not 3"), ({"dt": True}, "dt must be a positive number, not True"),
    ({"dt": np.nan}, "dt must be a positive number, not nan"), ({"dt": "1"}, "dt must be a positive number, not '1'"),
    ({"training": []}, "training must be an object"), ({"layers": ()}, "n has no layers"),
    ({"layers": (layer(), layer(2, 3))}, "layer 1 takes 3 inputs, the layer below it has 2 neurons")])
def test_networks_that_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        FloatNetwork(**{"name": "n", "dt": 1.0, "layers": (layer(),), "training": {}} | fields)


def test_words_are_no_training(tmp_path):
    """What `leadlag quantize` writes is refused by its right name."""
    net = random_network("file")
    flow.write_words(net, random_params(net, np.random.default_rng(0)), tmp_path)
    with pytest.raises(ValueError, match="it describes words for a circuit, not the real numbers that training leaves"):
        FloatNetwork.load(tmp_path / "parameters.safetensors")


# ---- damaged files

@pytest.mark.parametrize("load", [Network.load, SpikingNetwork.load, LtcNetwork.load, Image.load])
def test_descriptions_and_images_that_cannot_be_read(load, tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xfa")
    for name, message in (("none", ": no such file"), ("", " cannot be read: Is a directory"), ("bytes", ": ")):
        with pytest.raises(ValueError, match=re.escape(f"{tmp_path / name}{message}")) as error:
            load(tmp_path / name)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(("dtype", "shape", "message"), [
    ("BF16", [1], "a tensor has a type that numpy lacks"), ("F8_E4M3", [2], "a tensor has a type that numpy lacks"),
    ("F4", [1], "not a safetensors file"), ("F32", [2 ** 63, 0], "not a safetensors file"),
    ("F32", [0] * 70, "not a safetensors file"), ("F32", [2], "not a safetensors file")])
def test_arrays_that_numpy_lacks(dtype, shape, message, tmp_path):
    text = json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, 0 if 0 in shape else 2]}}).encode()
    (tmp_path / "a").write_bytes(len(text).to_bytes(8, "little") + text + bytes(0 if 0 in shape else 2))
    with pytest.raises(ValueError, match=f"a: {message}"):
        read_safetensors(tmp_path / "a")


def test_tensors_that_do_not_fit_the_layers(tmp_path):
    net = FloatNetwork(name="n", dt=0.2, layers=(layer(), layer(3, 2)), training={})
    net.save(tmp_path / "a")
    tensors, about = read_safetensors(tmp_path / "a")
    head = json.loads(about["network"])
    for changed, message in ((["tanh"], "8 tensors for 1 activations, 4 expected"),
                             (["tanh"] * 3, "tensor 'layers.2.bias' is missing"), ("tt", "activations must be a list"),
                             (["tanh", ["tanh"]], "layer 1: activation must be one of")):
        write_safetensors(tmp_path / "b", tensors, {"network": json.dumps(head | {"activations": changed})})
        with pytest.raises(ValueError, match=f"b: .*{message}"):
            FloatNetwork.load(tmp_path / "b")
    write_safetensors(tmp_path / "b", tensors | {"layers.1.more": tensors["layers.1.bias"]}, about)
    with pytest.raises(ValueError, match="b: 9 tensors for 2 activations, 8 expected"):
        FloatNetwork.load(tmp_path / "b")


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
                    max_leaves=6)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder, and good files of several kinds."""
    folder = tmp_path_factory.mktemp("good")
    FloatNetwork(name="n", dt=0.2, layers=(layer(), layer(3, 2)), training={"seed": 1}).save(folder / "rate")
    net = next(net for net in map(random_spiking, map(str, range(99))) if not any(
        one.regenerates for one in net.layers))
    words = random_synapses(net, np.random.default_rng(2))
    SpikingTrained(net=net, training={"seed": 1}, delays=tuple(p.delay for p in words), weights=tuple(
        p.weight * one.weight.lsb for p, one in zip(words, net.layers, strict=True))).save(folder / "spiking")
    real = ltcs.random_trained(1, sizes=(2, 3, 2, 2), mean=[0, 1], deviation=[1, 2])
    replace(real, formats=usual(real)).save(folder / "ltc")
    return folder


LOAD = {"rate": FloatNetwork.load, "spiking": SpikingTrained.load, "ltc": LtcTrained.load}


def one_line(load, path):
    """Whether it loads; where it does not, one line that begins with the path."""
    try:
        load(path)
    except ValueError as error:
        said = str(error)
    else:
        return True
    assert said.startswith(f"{path}: "), said
    assert "\n" not in said
    return False


def test_good_files_load(good):
    for kind, load in LOAD.items():
        assert one_line(load, good / kind)
        for other in LOAD.keys() - {kind}:
            assert not one_line(load, good / other), f"{other} for {kind}"
        assert not one_line(load, good)
        assert not one_line(load, good / "none")


@pytest.mark.parametrize("kind", LOAD)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_bytes_that_are_changed(kind, good, data):
    whole = (good / kind).read_bytes()
    head = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, head) | st.integers(0, len(whole) - 1))
        new = data.draw(st.binary(max_size=3))
        whole = whole[:at] + new + whole[at + data.draw(st.sampled_from((len(new), 0, 1))):]
    path = good / "changed"
    path.write_bytes(whole[:data.draw(st.none() | st.integers(0, len(whole)))])
    one_line(LOAD[kind], path)
    one_line(read_safetensors, path)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(head=JSON | st.fixed_dictionaries({"a": st.fixed_dictionaries({
    "dtype": st.sampled_from(("F32", "BF16", "F8_E4M3", "I64", "BOOL", "C64", "F4", "nothing")),
    "shape": st.lists(st.integers(-1, 2 ** 64), max_size=3), "data_offsets": st.lists(st.integers(0, 64), max_size=3)
    })}), body=st.binary(max_size=64), size=st.none() | st.integers(0, 2 ** 64 - 1))
def test_heads_of_any_kind(good, head, body, size):
    text = json.dumps(head).encode()
    (good / "head").write_bytes((len(text) if size is None else size).to_bytes(8, "little") + text + body)
    one_line(read_safetensors, good / "head")


@pytest.mark.parametrize("kind", LOAD)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_metadata_of_any_kind(kind, good, data):
    """Other values, types and shapes in a file that is sound as such."""
    tensors, about = read_safetensors(good / kind)
    key = data.draw(st.sampled_from(sorted(about)))
    what = data.draw(st.sampled_from(("text", "value", "field", "tensor")))
    if what == "text":
        about[key] = data.draw(st.text(max_size=9) | st.sampled_from(("[" * 99999, "NaN", "1e999", "{\"a\": ")))
    elif what == "value":
        about[key] = json.dumps(data.draw(JSON))
    elif what == "field":
        value = json.loads(about[key])
        if isinstance(value, dict):
            value[data.draw(st.sampled_from(sorted(value)))] = data.draw(JSON)
        about[key] = json.dumps(value)
    else:
        name = data.draw(st.sampled_from(sorted(tensors)))
        shape = data.draw(st.sampled_from((tensors[name].shape, tensors[name].shape[::-1], (), (0,), (2, 2, 2))))
        fill = data.draw(st.sampled_from((0.5, np.nan, np.inf, 1e4, -1, 3)))
        tensors[name] = np.full(shape, fill, data.draw(st.sampled_from((np.float64, np.float16)))) \
            if not isinstance(fill, int) else np.full(shape, fill, np.int64)
    write_safetensors(good / "other", tensors, about)
    one_line(LOAD[kind], good / "other")


def timed(net, image):
    """The network with the delays that an image has."""
    words = dict(image.pairs.tolist())
    return replace(net, layers=tuple(
        replace(one, delay=words[parameter_address(banks.delay, 0)],
                error_delay=words[parameter_address(banks.delay, 1)] if one.max_error_delay else 0)
        for one, banks in zip(net.layers, bank_layout(net), strict=True)))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(n=st.integers(0, 39), changes=st.lists(st.tuples(st.integers(0, 2 ** 20), st.integers(0, 2 ** 18 - 1) |
                                                        st.integers(0, 9)), max_size=3))
def test_images_with_other_words(n, changes):
    """An image says what its parameters say, delays and taps that go with them included, or is refused."""
    net = (lambda: with_delays(random_learner(f"image {n}"), "i"), lambda: random_network(f"image {n}"),
           lambda: random_spiking(f"image {n}"), lambda: ltcs.random_network(f"image {n}", largest=5))[n % 4]()
    rate, rng = n % 4 < 2, np.random.default_rng(n)
    drawn = random_params if rate else random_synapses if n % 4 == 2 else engine.random_params
    pairs = build_image(net, drawn(net, rng)).pairs.copy()
    for at, word in changes:
        pairs[at % len(pairs), 1] = word
    image = Image(net.fingerprint, pairs.astype("<u4").tobytes())
    try:
        found = image_params(image, net)
    except ValueError as error:
        said = str(error)
    else:
        assert build_image(timed(net, image) if rate else net, found) == image
        return
    assert "\n" not in said


@pytest.mark.parametrize(("word", "name"), [(0, "delay"), (1, "error_delay")])
def test_delays_shorter_than_the_circuit_relies_on(word, name):
    net = prospective.late_fourier(4, least=2)
    pairs = build_image(net, prospective.start(net, 0)).pairs.copy()
    at = np.flatnonzero(pairs[:, 0] == parameter_address(bank_layout(net)[1].delay, word))
    for value in (2, 4, 1):
        pairs[at, 1] = value
        image = Image(net.fingerprint, pairs.tobytes())
        if value >= 2:
            image_params(image, net)
    with pytest.raises(ValueError, match=f"layer 1: {name} is 1, the design holds 2..4"):
        image_params(image, net)


def test_delays_and_what_goes_with_them():
    """Spacing and taps of a predictor that are those of another description: parameters and delays do not tell them."""
    net = next(net for net in (with_delays(random_learner(f"image {n}"), "i") for n in range(99))
               if any(one.predictor and not one.predictor.has_taps for one in net.layers))
    good = build_image(net, random_params(net, np.random.default_rng(0)))
    n = next(n for n, one in enumerate(net.layers) if one.predictor and not one.predictor.has_taps)
    pairs = good.pairs.copy()
    at = np.flatnonzero(pairs[:, 0] == parameter_address(bank_layout(net)[n].delay, 2))
    pairs[at, 1] += 1
    with pytest.raises(ValueError, match=f"layer {n}: word 2 of the delays is .*, the description makes it"):
        image_params(Image(net.fingerprint, pairs.tobytes()), net)
