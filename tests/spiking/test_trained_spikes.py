"""Files of trained spiking networks: saved, read again, refused in one line."""

import dataclasses
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from golden.files import read_safetensors
from golden.fixed import QFormat
from golden.spiking import engine as spiking
from golden.spiking.codes import LatencyCode
from golden.spiking.layer import SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.trained import SpikingTrained
from golden.units.weights import Ternary


def tiny(stored=(False, True)):
    """A network of 3, 4 and 2 neurons with a layer from a seed and one of stored weights."""
    rng, sizes = np.random.default_rng(0), (3, 4, 2)
    layers = tuple(SpikingLayer(
        inputs=sizes[n], outputs=sizes[n + 1], weight=QFormat(2, 5) if kept else Ternary(plus=4, minus=4, seed=17 + n),
        delay_bits=3, state=QFormat(6, 6), leak=(3,), threshold=64) for n, kept in enumerate(stored))
    net = SpikingNetwork(name="tiny", ticks=6, layers=layers, code=LatencyCode(bins=4))
    shapes = [(layer.outputs, layer.inputs) for layer in layers]
    return SpikingTrained(net=net, training={"seed": 1},
                          delays=tuple(rng.uniform(0, 7, shape).astype(np.float32) for shape in shapes),
                          weights=tuple(rng.uniform(-2, 2, shape).astype(np.float32) if kept else None
                                        for shape, kept in zip(shapes, stored, strict=True)))


def test_file_round_trip(tmp_path):
    trained = tiny()
    trained.save(tmp_path / "deep" / "net")
    again = SpikingTrained.load(tmp_path / "deep" / "net")
    assert (again.net, again.training) == (trained.net, trained.training)
    for a, b in zip((*trained.delays, trained.weights[1]), (*again.delays, again.weights[1]), strict=True):
        assert np.array_equal(a, b)
    assert again.weights[0] is None
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["net"]
    words = trained.quantize()
    assert np.array_equal(words[0].delay, np.floor(trained.delays[0].astype(float) + 0.5))
    assert words[0].weight is None
    assert np.array_equal(words[1].weight, np.floor(trained.weights[1].astype(float) * 32 + 0.5))
    spiking.check_synapses(trained.net, words)


def test_sums_of_the_weights_are_known(tmp_path):
    """They are in files already, so nothing about them may change."""
    tiny().save(tmp_path / "net")
    assert read_safetensors(tmp_path / "net")[1]["weights"] == "[320615556, null]"


def test_transposed_arrays_are_saved_as_they_read(tmp_path):
    trained = tiny()
    turned = tuple(np.asfortranarray(delay) for delay in trained.delays)
    dataclasses.replace(trained, delays=turned).save(tmp_path / "t")
    for a, b in zip(trained.delays, SpikingTrained.load(tmp_path / "t").delays, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float64, list])
def test_whole_ticks_of_any_type(kind, tmp_path):
    trained = tiny()
    whole = [np.floor(delay) for delay in trained.delays]
    given = tuple(delay.tolist() if kind is list else delay.astype(kind) for delay in whole)
    dataclasses.replace(trained, delays=given).save(tmp_path / "net")
    assert read_safetensors(tmp_path / "net")[0]["layers.0.delay"].dtype == np.uint8
    for a, b in zip(whole, SpikingTrained.load(tmp_path / "net").delays, strict=True):
        assert np.array_equal(a, b)


def test_training_in_numbers_of_numpy(tmp_path):
    training = {"seed": np.int64(3), "accuracy": np.float32(0.5), "curve": np.arange(3), "done": np.bool_(True)}
    dataclasses.replace(tiny(), training=training).save(tmp_path / "net")
    assert SpikingTrained.load(tmp_path / "net").training == {"seed": 3, "accuracy": 0.5, "curve": [0, 1, 2],
                                                             "done": True}
    with pytest.raises(ValueError, match="dict has no form in JSON: .* is a set"):
        dataclasses.replace(tiny(), training={"a": {1}}).save(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def rewritten(path, *, tensors=None, about=None):
    """A good file at `path` with some tensors and metadata changed; None: left out."""
    from safetensors.numpy import save_file
    tiny().save(path)
    kept, told = read_safetensors(path)
    kept, told = kept | (tensors or {}), told | (about or {})
    save_file({key: value for key, value in kept.items() if value is not None}, path,
              metadata={key: value for key, value in told.items() if value is not None})


def described(**changes):
    """The description of `tiny`, with other values in its first layer's weights."""
    entry = json.loads(tiny().net.to_json())
    entry["layers"][0]["weight"] |= changes
    return json.dumps(entry)


@pytest.mark.parametrize(("changes", "message"), [
    ({"tensors": {"layers.0.delay": None}}, "tensor layers.0.delay is missing"),
    ({"tensors": {"layers.1.weight": None}}, "tensor layers.1.weight is missing"),
    ({"tensors": {"layers.0.weight": np.zeros((4, 3), np.float32)}}, "tensor layers.0.weight belongs to no layer"),
    ({"tensors": {"layers.1.delay": np.zeros((4, 2), np.float32)}},
     "layer 1: delay has shape (4, 2), expected (2, 4)"),
    ({"tensors": {"layers.1.weight": np.zeros(8, np.float32)}}, "layer 1: weight has shape (8,), expected (2, 4)"),
    ({"tensors": {"layers.0.delay": np.full((4, 3), np.nan, np.float32)}},
     "layer 0: delay[0, 0] is nan, not a finite number"),
    ({"tensors": {"layers.0.delay": np.ones((4, 3), bool)}}, "layer 0: delay must be real numbers, not bool"),
    ({"about": {"spiking_network": None}}, "no 'spiking_network' in the metadata: not a trained spiking network"),
    ({"about": {"weights": None}}, "no 'weights' in the metadata"),
    ({"about": {"spiking_network": "{"}}, "network description is not JSON"),
    ({"about": {"training": "[]"}}, "training must be an object"),
    ({"about": {"weights": "[1]"}}, "weights must list a CRC-32 a layer, null where weights are stored, not [1]"),
    ({"about": {"weights": "[1, 2]"}}, "weights must list a CRC-32 a layer"),
    ({"about": {"weights": "[1, null]"}},
     "layer 0: seed 17 gives other weights than those of the training: hash version 1"),
    ({"about": {"spiking_network": described(seed=18)}}, "layer 0: seed 18 gives other weights"),
    ({"about": {"spiking_network": described(hash_version=2)}},
     "layer 0: ternary weights: made by hash version 2, this program has version 1"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_load_says_what_is_wrong(changes, message, tmp_path):
    rewritten(tmp_path / "net", **changes)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        SpikingTrained.load(tmp_path / "net")
    assert str(error.value).startswith(str(tmp_path / "net")), "which file?"
    assert "\n" not in str(error.value)


def test_load_of_other_files(tmp_path):
    with pytest.raises(ValueError, match="net: no such file"):
        SpikingTrained.load(tmp_path / "net")
    (tmp_path / "net").write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="net: not a safetensors file"):
        SpikingTrained.load(tmp_path / "net")
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file
    save_file({"layers.0.delay": torch.zeros(4, 3, dtype=torch.bfloat16)}, tmp_path / "net")
    with pytest.raises(ValueError, match="a tensor has a type that numpy lacks"):
        SpikingTrained.load(tmp_path / "net")


@pytest.mark.parametrize(("changes", "message"), [
    ({"delays": ()}, "tiny has 2 layers, not 0 of delays"),
    ({"weights": (None,)}, "tiny has 2 layers, not 1 of weights"),
    ({"training": [1]}, "training must be an object, not [1]"),
    ({"delays": (None, np.ones((2, 4)))}, "layer 0: delay must be real numbers, not object"),
    ({"delays": (np.ones((4, 3), complex), np.ones((2, 4)))}, "layer 0: delay must be real numbers, not complex128"),
    ({"weights": (None, np.ones((2, 4)) + 1j)}, "layer 1: weight must be real numbers, not complex128"),
    ({"weights": (None, np.ones((2, 4), bool))}, "layer 1: weight must be real numbers, not bool"),
    ({"weights": (None, None)}, "layer 1: stored weights are missing"),
    ({"weights": (np.zeros((4, 3)), np.zeros((2, 4)))}, "layer 0: weights come from a seed, none are stored")])
def test_trained_says_what_is_wrong(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        dataclasses.replace(tiny(), **changes)


@pytest.mark.parametrize(("kind", "value", "message"), [
    ("delays", 7.6, "layer 1: delay[0, 2] is 7.6, beyond the 7 ticks"),
    ("delays", -0.1, "layer 1: delay[0, 2] is -0.1, negative"),
    ("weights", 4.0, "layer 1: weight[0, 2] is 4, outside of Q2.5")])
def test_quantize_says_what_does_not_fit(kind, value, message):
    trained = tiny()
    getattr(trained, kind)[1][0, 2] = value
    with pytest.raises(ValueError, match=re.escape(message)):
        trained.quantize()


def test_the_file_needs_no_torch():
    code = "import sys; sys.modules['torch'] = None; import golden.spiking.trained"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
