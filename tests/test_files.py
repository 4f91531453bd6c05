"""Files: whole or not at all, the same bytes each time, what comes back is what went in, and damage is one line."""

import ast
import json
import resource
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from cases import random_learner, random_network, with_delays
from hypothesis import given, settings
from hypothesis import strategies as st
from spikes import random_spiking

from golden import prospective, tasks
from golden.compiled import CompiledLearner
from golden.dense import DenseParams
from golden.engine import random_params
from golden.files import (
    check_writable,
    integers,
    read_npz,
    read_safetensors,
    reals,
    safetensors_bytes,
    to_json,
    write_json,
    write_npz,
    write_safetensors,
    write_together,
    write_whole,
)
from golden.image import Image, build_image, image_params, image_synapses
from golden.network import Network
from golden.quantize import FloatLayer, FloatNetwork
from golden.spiking import Synapses, random_synapses
from golden.spiking_file import SpikingTrained
from golden.spiking_network import SpikingNetwork
from leadlag import flow

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("golden", "rtl", "sim", "boards", "firmware", "leadlag", "docs", "zoo")


# ---- one writer

def test_no_other_module_touches_safetensors():
    """The library writes what lies in memory, in whatever order: golden/files.py sees to that, alone."""
    found = set()
    for path in sorted(p for name in PACKAGES for p in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "safetensors" for name in names):
                found.add(str(path.relative_to(ROOT)))
    assert found == {"golden/files.py"}


@contextmanager
def full_disk(size):
    """No file grows beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_what_was_there(tmp_path):
    small, large = tmp_path / "a", tmp_path / "b"
    write_whole(small, "old")
    with full_disk(1 << 20), pytest.raises(OSError, match="b cannot be written: File too large") as error:
        write_together({small: b"new", large: bytes(1 << 21)})
    assert str(error.value).startswith(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert small.read_text() == "old", "one of two took its place"


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a", b"x")
    assert not list(tmp_path.iterdir())


def places(folder):
    """Paths that cannot be written, and what is said of them."""
    (folder / "file").write_text("x")
    (folder / "folder").mkdir()
    return ((folder / "file" / "a", "file is no folder"), (folder / "file" / "b" / "a", "Not a directory"),
            (folder / "folder", "it is there already, and is no file"), (Path("/dev/null"), "is no file"),
            (Path("/proc/nothing/a"), "No such file or directory"))


@pytest.mark.parametrize("n", range(5))
def test_a_place_that_cannot_be_written(n, tmp_path):
    path, message = places(tmp_path)[n]
    for do in (lambda: write_whole(path, b"x"), lambda: check_writable(path), lambda: write_json(path, {}),
               lambda: FloatNetwork(name="a", dt=1, layers=(layer(),), training={}).save(path)):
        with pytest.raises(OSError, match=message) as error:
            do()
        assert str(error.value).startswith(f"{path} cannot be written: ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
    assert Path("/dev/null").is_char_device()


def test_whole_files(tmp_path):
    path = tmp_path / "new" / "deep" / "a"
    check_writable(path)
    assert not list(path.parent.iterdir())
    for content in (b"\0\xff", "\u00fc\n"):
        write_whole(path, content)
        assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert [p.name for p in path.parent.iterdir()] == ["a"]
    (tmp_path / "other").write_text("")
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode, "not readable as other files are"


def test_json_of_numpy(tmp_path):
    write_json(tmp_path / "a", {"a": np.float32(0.5), "b": np.arange(2), "c": [np.bool_(True)], "d": Path("x")})
    assert json.loads((tmp_path / "a").read_text()) == {"a": 0.5, "b": [0, 1], "c": [True], "d": "x"}
    for value in ({1, 2}, {(1, 2): 3}, 1j):
        with pytest.raises(ValueError, match="no form in JSON"):
            to_json({"a": value} if not isinstance(value, dict) else value)


# ---- arrays come back as they were

def orders(rng):
    """The same words in every order that memory may have."""
    a = rng.integers(-9, 9, (3, 4)).astype(np.int32)
    yield from (a, np.asfortranarray(a), a.T, a[::-1], a[:, ::2], a.astype(">i4"), a[1:, 1], a[2, 3],
                np.broadcast_to(a[0], (5, 4)), a.T.astype(np.int16), np.zeros((0, 3), np.float32, order="F"))


def test_every_order_of_memory(tmp_path):
    arrays = {f"a{n}": value for n, value in enumerate(orders(np.random.default_rng(0)))}
    write_safetensors(tmp_path / "a", arrays, {"z": "1", "b": "\u00fc\n\""})
    found, about = read_safetensors(tmp_path / "a")
    assert about == {"z": "1", "b": "\u00fc\n\""}
    assert list(found) == sorted(arrays)
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
        assert found[name].shape == value.shape
        assert found[name].dtype == value.dtype.newbyteorder("=")


def test_bytes_do_not_depend_on_the_order_of_anything():
    a, b = np.arange(6, dtype=np.int16).reshape(2, 3), np.ones(3, np.float32)
    names = [f"name {n}" for n in range(9)]
    one = safetensors_bytes({"a": a, "b": b}, dict.fromkeys(names, "1"))
    assert one == safetensors_bytes({"b": b, "a": np.asfortranarray(a)}, dict.fromkeys(reversed(names), "1"))
    size = int.from_bytes(one[:8], "little")
    assert list(json.loads(one[8:8 + size])["__metadata__"]) == names
    assert size % 8 == 0
    # known answer: header, then b (larger numbers first), then a
    assert one[8 + size:] == b.tobytes() + a.tobytes()


@pytest.mark.parametrize("value", [np.ones(2, complex), np.ones(2, bool), np.array(["a"]), np.array([None])])
def test_what_is_no_real_number(value, tmp_path):
    with pytest.raises(ValueError, match=r"a must be real numbers, not"):
        reals("a", value)
    with pytest.raises(ValueError, match=r"a must be real numbers, not"):
        write_safetensors(tmp_path / "a", {"a": value}, {})
    with pytest.raises(ValueError, match=r"a must be integers, not"):
        integers("a", value, np.int32)
    assert not list(tmp_path.iterdir())


def test_reals():
    given_ = np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3))
    found = reals("a", given_, (2, 3))
    assert (found.dtype, found.flags.c_contiguous, found.tolist()) == (np.float64, True, [[0, 1, 2], [3, 4, 5]])
    assert not np.shares_memory(reals("a", found), found)
    with pytest.raises(ValueError, match=r"a has shape \(2, 3\), expected \(3, 2\)"):
        reals("a", given_, (3, 2))
    for bad in (np.nan, np.inf, np.longdouble(1e308) * 10):
        with pytest.raises(ValueError, match=r"a\[1\] is (nan|inf), not a finite number"):
            reals("a", np.array([1, bad]))


def test_integers_that_a_file_does_not_hold():
    assert integers("a", [-32768, 32767], np.int16).dtype == np.int16
    for bad in ([32768], [-40000, 1]):
        with pytest.raises(ValueError, match="a does not fit int16"):
            integers("a", bad, np.int16)


def test_npz(tmp_path):
    a = np.asfortranarray(np.arange(6).reshape(2, 3))
    write_npz(tmp_path / "a.npz", {"a": a, "b": a[0]})
    for found, want in zip(read_npz(tmp_path / "a.npz", "a", "b"), (a, a[0]), strict=True):
        np.testing.assert_array_equal(found, want)
    with pytest.raises(ValueError, match=r"a.npz is damaged \(.*\): delete it, it is made again"):
        read_npz(tmp_path / "a.npz", "c")


# ---- file and image agree, word for word, for every kind

def learnt_late():
    """Taps that have moved: what the compiled model gives back is transposed in memory."""
    net = prospective.late_fourier(5, "nlms")
    words = prospective.stream(net, 30)
    learner = CompiledLearner(net, prospective.start(net, 0))
    learner.run(words.x, words.target, first=True, teach=words.teach)
    return net, learner.params


def learnt():
    """Weights and time constants that have moved."""
    net = tasks.lagline()
    words = tasks.lagline_stream(net, 300)
    learner = CompiledLearner(net, tasks.lagline_start(net, 0))
    learner.run(words.x, words.target, first=True, learn=words.learn, teach=words.teach)
    return net, learner.params


def drawn(net):
    """Random words, columns first in memory."""
    return net, tuple(DenseParams(**{name: np.asfortranarray(value) for name, value in p._asdict().items()
                                     if value is not None}) for p in random_params(net, np.random.default_rng(1)))


def spiking(stored):
    """A network all of whose weights are stored, or come from seeds."""
    net = next(net for net in map(random_spiking, map(str, range(99)))
               if all(one.regenerates != stored for one in net.layers) and len(net.layers) > 1)
    return net, tuple(Synapses(*(None if value is None else np.asfortranarray(value) for value in p))
                      for p in random_synapses(net, np.random.default_rng(2)))


KINDS = {"inference": lambda: drawn(random_network("file")), "a learner": lambda: drawn(random_learner("file")),
         "late, with predictors": lambda: drawn(with_delays(random_learner("late"), "late")),
         "learnt": learnt, "learnt late": learnt_late,
         "stored weights": lambda: spiking(True), "weights from a seed": lambda: spiking(False)}


@pytest.mark.parametrize("kind", KINDS)
def test_file_and_image_agree(kind, tmp_path):
    net, params = KINDS[kind]()
    files = flow.write_words(net, params, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in files)
    tensors, about = read_safetensors(tmp_path / "out" / "parameters.safetensors")
    image, rate = Image.load(tmp_path / "out" / "parameters.image"), isinstance(net, Network)
    text = about["network" if rate else "spiking_network"]
    assert text == (tmp_path / "out" / "network.json").read_text()
    assert (Network if rate else SpikingNetwork).from_json(text) == net
    names = [{name: f"layers.{n}.{name}" for name, value in p._asdict().items() if value is not None}
             for n, p in enumerate(params)]
    again = tuple((DenseParams if rate else Synapses)(**{"weight": None} | {k: tensors.pop(v) for k, v in each.items()})
                  for each in names)
    assert not tensors, "tensors of no parameter"
    assert build_image(net, again) == image, "other words, or in other places"
    held = image_params(image, net)[0] if rate else image_synapses(image, net)
    for n, (file, loaded, given_) in enumerate(zip(again, held, params, strict=True)):
        for name, value in file._asdict().items():
            if value is not None:
                np.testing.assert_array_equal(value, getattr(loaded, name), err_msg=f"layer {n}: {name}")
                np.testing.assert_array_equal(value, getattr(given_, name), err_msg=f"layer {n}: {name}")


def test_the_kinds_have_what_they_are_for():
    """Predictors of both ways, and taps that nothing made equal."""
    net, params = learnt_late()
    assert net.layers[1].taps == ("taps", "error_taps")
    assert len(np.unique(params[1].taps)) > 10
    assert not params[1].taps.flags.c_contiguous, "the case that was scrambled is not tried"
    assert {name for one in random_late().layers for name in one.taps} == {"taps", "error_taps"}


def random_late():
    return KINDS["late, with predictors"]()[0]


# ---- what training leaves

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
    flow.write_words(*drawn(random_network("file")), tmp_path)
    with pytest.raises(ValueError, match="it describes words for a circuit, not the real numbers that training leaves"):
        FloatNetwork.load(tmp_path / "parameters.safetensors")


# ---- damaged files

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
    """A folder, and good files of both kinds."""
    folder = tmp_path_factory.mktemp("good")
    FloatNetwork(name="n", dt=0.2, layers=(layer(), layer(3, 2)), training={"seed": 1}).save(folder / "rate")
    net, words = spiking(True)
    SpikingTrained(net=net, training={"seed": 1}, delays=tuple(p.delay for p in words), weights=tuple(
        p.weight * one.weight.lsb for p, one in zip(words, net.layers, strict=True))).save(folder / "spiking")
    return folder


LOAD = {"rate": FloatNetwork.load, "spiking": SpikingTrained.load}


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
        assert not one_line(load, good / {"rate": "spiking", "spiking": "rate"}[kind]), "one kind for the other"
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
