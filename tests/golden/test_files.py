"""Files: whole or not at all, the same bytes each time, what comes back is what went in, and damage is one line."""

import ast
import json
import resource
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from cases import random_learner, random_network, with_delays
from spikes import random_spiking

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
from golden.image import Image, build_image, image_params
from golden.rate.compiled import CompiledLearner
from golden.rate.engine import random_params
from golden.rate.network import Network
from golden.spiking.engine import Synapses, random_synapses
from golden.spiking.network import SpikingNetwork
from golden.tasks import late as prospective
from golden.tasks import learning as tasks
from golden.units.dense import DenseParams
from leadlag import flow

ROOT = Path(__file__).resolve().parent.parent.parent
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


def test_no_other_module_writes_files():
    """What pathlib and numpy write may end half-way, and what they raise then does not name the file."""
    found = {str(path.relative_to(ROOT)) for path in (p for name in PACKAGES for p in (ROOT / name).rglob("*.py"))
             for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)
             and (node.attr in ("write_text", "write_bytes", "savez", "savez_compressed", "tofile")
                  or ast.unparse(node) in ("json.dump", "pickle.dump"))}
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
    # nothing can be written: known before the work
    with full_disk(1 << 10), pytest.raises(OSError, match="b cannot be written: File too large"):
        check_writable(large)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a", b"x")
    assert not list(tmp_path.iterdir())


def places(folder):
    """Paths that cannot be written, and what is said of them."""
    (folder / "file").write_text("x")
    (folder / "folder").mkdir()
    return ((folder / "file" / "a", "file is no folder"), (folder / "file" / "b" / "a", "Not a dir|file is no"),
            (folder / "folder", "it is there already, and is no file"), (Path("/dev/null"), "is no file"),
            (Path("/proc/nothing/a"), "No such file or directory"))


@pytest.mark.parametrize("n", range(5))
def test_a_place_that_cannot_be_written(n, tmp_path):
    path, message = places(tmp_path)[n]
    for do in (lambda: write_whole(path, b"x"), lambda: check_writable(path), lambda: write_json(path, {}),
               lambda: Image("0" * 16, b"").save(path)):
        with pytest.raises(OSError, match=message) as error:
            do()
        assert str(error.value).startswith(f"{path} cannot be written: ")
        assert str(error.value).count(str(path)) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
    assert Path("/dev/null").is_char_device()


def test_whole_files(tmp_path):
    path = tmp_path / "new" / "deep" / "a"
    check_writable(path)
    assert not list(tmp_path.iterdir()), "asking has left something"
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
    held = image_params(image, net) if rate else image_params(image, net)
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
