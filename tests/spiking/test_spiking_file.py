"""Files of trained spiking networks: there and back, seeds that have to give the same weights, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from golden import systems
from golden.files import read_safetensors, write_safetensors
from golden.fixed import QFormat
from golden.spiking.codes import LevelCode
from golden.spiking.layer import SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.trained import SpikingTrained
from golden.units.weights import Ternary

FIELDS = {"delay_bits": 4, "state": QFormat(6, 4), "leak": (4,), "threshold": 40}
NET = SpikingNetwork(name="n", ticks=10, layers=(
    SpikingLayer(inputs=3, outputs=2, weight=Ternary(plus=3, minus=4, seed=9), **FIELDS),
    SpikingLayer(inputs=2, outputs=2, weight=QFormat(1, 2), **FIELDS)))
WHOLE, BROKEN = np.array([[0.0, 15, 3], [7, 0, 1]]), np.array([[0.5, 2], [3, 14.25]])
WEIGHT = np.array([[0.25, -1], [1.5, 0]])


def trained(**changed):
    return SpikingTrained(**{"net": NET, "delays": (WHOLE, BROKEN), "weights": (None, WEIGHT),
                             "training": {"seed": 3}} | changed)


@pytest.fixture
def path(tmp_path):
    trained().save(tmp_path / "a.safetensors")
    return tmp_path / "a.safetensors"


def test_there_and_back(path):
    again = SpikingTrained.load(path)
    assert (again.net, again.training, again.weights[0]) == (NET, {"seed": 3}, None)
    for got, want in zip((*again.delays, again.weights[1]), (WHOLE, BROKEN, WEIGHT), strict=True):
        assert got.tolist() == want.tolist()
    tensors, about = read_safetensors(path)
    # whole ticks take a byte, and only these
    assert {name: str(value.dtype) for name, value in tensors.items()} == {
        "layers.0.delay": "uint8", "layers.1.delay": "float32", "layers.1.weight": "float32"}
    assert about["weights"] == "[1994167827, null]"


@pytest.mark.parametrize(("ticks", "kind"), [(0.0, "uint8"), (255.0, "uint8"), (256.0, "float32"), (-1.0, "float32"),
                                             (1.5, "float32")])
def test_delays_of_whole_ticks(ticks, kind, tmp_path):
    trained(delays=(WHOLE, np.full((2, 2), ticks))).save(tmp_path / "a")
    assert str(read_safetensors(tmp_path / "a")[0]["layers.1.delay"].dtype) == kind
    assert SpikingTrained.load(tmp_path / "a").delays[1].tolist() == [[ticks] * 2] * 2


def test_words():
    """Delays and weights are rounded to nearest, ties up."""
    first, second = trained().quantize()
    assert (first.delay.tolist(), first.weight) == (WHOLE.tolist(), None)
    assert second.delay.tolist() == [[1, 2], [3, 14]]
    assert second.weight.tolist() == [[1, -4], [6, 0]]
    with pytest.raises(ValueError, match="layer 1: delay"):
        trained(delays=(WHOLE, BROKEN + 8)).quantize()
    with pytest.raises(ValueError, match="layer 1: weight"):
        trained(weights=(None, WEIGHT * 8)).quantize()


def test_what_is_a_spiking_network(path, tmp_path):
    assert isinstance(systems.trained(path), SpikingTrained)
    write_safetensors(tmp_path / "b", {"x": np.zeros(1)}, {"net": "{}"})
    with pytest.raises(ValueError, match="b: no network, .*spiking_network.* in the metadata: not a "):
        systems.trained(tmp_path / "b")
    (tmp_path / "c").write_bytes(b"no file of tensors")
    for name in "cd":
        with pytest.raises(ValueError, match=f"{name}: "):
            systems.trained(tmp_path / name)


def damaged(path, drop=(), add=(), **about):
    tensors, found = read_safetensors(path)
    kept = {name: value for name, value in tensors.items() if name not in drop} | dict(add)
    write_safetensors(path, kept, {name: text for name, text in (found | about).items() if text is not None})


@pytest.mark.parametrize(("changed", "message"), [
    ({"drop": ["layers.0.delay"]}, r"tensor layers\.0\.delay is missing"),
    ({"drop": ["layers.1.weight"]}, r"tensor layers\.1\.weight is missing"),
    ({"add": {"layers.0.weight": np.zeros((2, 3))}}, r"tensor layers\.0\.weight belongs to no layer"),
    ({"add": {"layers.1.delay": np.zeros((3, 2))}}, "layer 1: delay"),
    ({"spiking_network": None}, "no 'spiking_network' in the metadata: not a trained spiking network"),
    ({"spiking_network": "{"}, r"a\.safetensors: network description"),
    ({"training": "[]"}, r"a\.safetensors: training"),
    ({"weights": "[1]"}, "weights must list a CRC-32 a layer, null where weights are stored"),
    ({"weights": "[null, null]"}, "weights must list a CRC-32 a layer"),
    ({"weights": "3"}, "weights must list a CRC-32 a layer"),
    ({"weights": "[7, null]"}, r"layer 0: seed 9 gives other weights .*CRC-32 1994167827, not 7"),
])
def test_refused_files(changed, message, path):
    damaged(path, **changed)
    with pytest.raises(ValueError, match=message) as error:
        SpikingTrained.load(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(("changed", "message"), [
    ({"delays": (WHOLE,)}, "n has 2 layers, not 1 of delays"),
    ({"weights": (None,)}, "n has 2 layers, not 1 of weights"),
    ({"training": [3]}, "training must be an object"),
    ({"weights": (WHOLE, WEIGHT)}, "layer 0: weights come from a seed, none are stored"),
    ({"weights": (None, None)}, "layer 1: stored weights are missing"),
    ({"delays": (WHOLE, BROKEN * np.nan)}, "layer 1: delay"), ({"weights": (None, WHOLE)}, "layer 1: weight"),
    ({"net": replace(NET, layers=NET.layers[1:])}, "n has 1 layers, not 2")])
def test_refused_networks(changed, message):
    with pytest.raises(ValueError, match=message):
        trained(**changed)


def test_lines_of_a_code():
    """A code of levels has several for a channel; all others, and samples of another width, one each."""
    net = replace(NET, layers=(replace(NET.layers[0], inputs=9), NET.layers[1]))
    code = LevelCode(levels=((0.5, 1.0), (0.0, 1.0), (2.0, 3.0)))
    own = trained(net=replace(net, code=code), delays=(np.zeros((2, 9)), BROKEN))
    assert (own.lines(3), own.lines(4)) == (code.lines, 4)
    assert trained().lines(3) == 3


def test_descriptions_and_trainers(path, tmp_path, monkeypatch):
    (tmp_path / "network.json").write_text(NET.to_json())
    assert systems.load(tmp_path / "network.json") == NET
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="other.json: network description must be an object"):
        systems.load(tmp_path / "other.json")

    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    for name, error in (("torch", RuntimeError), ("numpy", ModuleNotFoundError)):
        monkeypatch.setattr(systems, "import_module", lambda module, name=name: missing(name))
        with pytest.raises(error):
            systems.trainer("spiking")
