"""CIFAR-10 and CIFAR-100 in small files of their binary format: what is read is what was written, or one line."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golden.data import cifar
from golden.data.dataset import own
from golden.data.series import Raw
from golden.data.sets import find, learnt, written

TEN = [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]
RNG = np.random.default_rng(10)


def packed(x, *labels):
    """Images uint8 (n, 32, 32, 3) and bytes of classes as the published files have them."""
    planes = np.stack([x[..., channel].reshape(len(x), -1) for channel in range(3)], 1).reshape(len(x), -1)
    return np.concatenate([*(np.asarray(y, np.uint8)[:, None] for y in labels), planes], 1).tobytes()


def ten(folder, each=8, classes=10):
    """A CIFAR-10 of `each` images a file; returns images and classes by file."""
    found = {}
    for name in TEN:
        x, y = RNG.integers(0, 256, (each, 32, 32, 3)).astype(np.uint8), np.arange(each) % classes
        (folder / name).write_bytes(packed(x, y))
        found[name] = x, y
    return found


def refused(folder):
    found = answer(folder)
    assert isinstance(found, str), "it was read"
    assert "\n" not in found
    return found


def answer(folder):
    """The data set of a folder, or the text of its ValueError."""
    try:
        return find(str(folder))
    except ValueError as error:
        return str(error)


def test_ten(tmp_path):
    files = ten(tmp_path, each=8, classes=4)
    found = find(str(tmp_path))
    assert (found.form, found.unit, found.inputs, found.shape, found.classes) == ("image", "images", 3072,
                                                                                (32, 32, 3), 4)
    train, test = found.load("train"), found.load("test")
    assert (train.x.shape, train.x.dtype, train.y.dtype, train.lengths) == ((40, 3072), np.uint8, np.int64, None)
    assert np.array_equal(train.x.reshape(-1, 32, 32, 3), np.concatenate([files[name][0] for name in TEN[:5]]))
    assert train.y.tolist() == [0, 1, 2, 3] * 10
    assert np.array_equal(test.x.reshape(-1, 32, 32, 3), files["test_batch.bin"][0])
    assert len(found.load("held_out").y) == 8
    assert learnt(written(found, "fit"))[0].shape == (32, 32, 3)


def test_a_hundred_learns_the_fine_class(tmp_path):
    for name, count in (("train.bin", 300), ("test.bin", 100)):
        x = RNG.integers(0, 256, (count, 32, 32, 3)).astype(np.uint8)
        (tmp_path / name).write_bytes(packed(x, np.arange(count) % 20, (np.arange(count) + 1) % 100))
    found = find(str(tmp_path))
    assert (found.classes, found.shape) == (100, (32, 32, 3))
    assert found.load("train").y.tolist() == [(n + 1) % 100 for n in range(300)]
    assert np.array_equal(found.load("test").x.reshape(x.shape), x)


def test_where_a_pixel_is(tmp_path):
    """One literal byte: red comes first, then green, then blue, each row after row."""
    data = bytearray(2 * 3073)
    data[0], data[3073], data[1 + 1024 + 32 * 5 + 7] = 3, 4, 200     # green, row 5, column 7
    for name in TEN:
        (tmp_path / name).write_bytes(bytes(data))
    x = find(str(tmp_path)).load("train").x.reshape(-1, 32, 32, 3)
    assert np.argwhere(x[0]).tolist() == [[5, 7, 1]]
    assert x[0, 5, 7, 1] == 200
    assert not x[1].any()


@pytest.mark.parametrize(("name", "change", "message"), [
    ("data_batch_3.bin", lambda data: data[:-1], "has 24,583 bytes, no multiple of the 3,073 that an image takes"),
    ("test_batch.bin", lambda data: data + b"\0", "has 24,585 bytes, no multiple of the 3,073 that an image takes"),
    ("data_batch_1.bin", lambda data: b"", "has 0 bytes, no multiple of the 3,073 that an image takes"),
    ("data_batch_2.bin", lambda data: data[:3073] + b"\x0a" + data[3074:], "image 1 has class 10, there are 0..9")])
def test_a_damaged_file(tmp_path, name, change, message):
    ten(tmp_path)
    path = tmp_path / name
    path.write_bytes(change(path.read_bytes()))
    assert refused(tmp_path) == f"{path} {message}" if "bytes" in message else f"{path}: {message}"


def test_a_missing_file(tmp_path):
    ten(tmp_path)
    (tmp_path / "data_batch_4.bin").unlink()
    assert refused(tmp_path) == f"{tmp_path / 'data_batch_4.bin'}: no such file, and the set has one"
    (tmp_path / "data_batch_4.bin").mkdir()
    assert refused(tmp_path) == f"{tmp_path / 'data_batch_4.bin'} cannot be read: Is a directory"
    (tmp_path / "data_batch_1.bin").unlink()
    assert "a folder of data has four IDX files" in refused(tmp_path)


def test_a_file_that_is_too_long(tmp_path, monkeypatch):
    ten(tmp_path)
    monkeypatch.setattr(cifar, "MOST", 20_000)
    assert refused(tmp_path) == f"{tmp_path / 'data_batch_1.bin'} has more than 20,000 bytes"


def test_the_hundred_has_two_bytes_of_classes(tmp_path):
    x = np.zeros((20, 32, 32, 3), np.uint8)
    for coarse, fine, message in ((20, 0, "image 0 has class 20, there are 0..19"),
                                  (0, 100, "image 0 has class 100, there are 0..99")):
        (tmp_path / "train.bin").write_bytes(packed(x, np.full(20, coarse), np.full(20, fine)))
        assert refused(tmp_path) == f"{tmp_path / 'train.bin'}: {message}"
    (tmp_path / "train.bin").write_bytes(packed(x, np.zeros(20)))
    assert refused(tmp_path).endswith("has 61,460 bytes, no multiple of the 3,074 that an image takes")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=64), repeat=st.integers(0, 200), name=st.sampled_from([*TEN, "train.bin", "test.bin"]))
def test_any_bytes(tmp_path, data, repeat, name):
    """Whatever a file holds: images of the format, or one line with its name."""
    ten(tmp_path, each=2, classes=2)
    (tmp_path / name).write_bytes(data * repeat)
    found = answer(tmp_path)
    (tmp_path / name).unlink()
    if isinstance(found, str):
        assert "\n" not in found
        assert str(tmp_path) in found or re.match(rf"{tmp_path.name}( |:)", found)
    else:
        assert found.load("train").x.shape[1] == 3072


def test_arrays_with_channels(tmp_path):
    x = RNG.integers(0, 256, (20, 3, 4, 2)).astype(np.uint8)
    np.savez(tmp_path / "own.npz", x_train=x, y_train=np.arange(20) % 2, x_test=x, y_test=np.arange(20) % 2)
    found = find(str(tmp_path / "own.npz"))
    assert (found.form, found.shape, found.inputs) == ("image", (3, 4, 2), 24)
    assert np.array_equal(found.load("train").x.reshape(x.shape), x)
    y = np.arange(20) % 2
    assert own({"train": Raw(x[..., 0], y)}, name="grey").shape == (3, 4, 1)
    assert own({"train": Raw(x[..., 0], y)}, name="rows", form="sequence").shape == ()
    with pytest.raises(ValueError, match=r"turned test: images of \(4, 3, 2\), the training .* \(3, 4, 2\)"):
        own({"train": Raw(x, y), "test": Raw(x.transpose(0, 2, 1, 3), y)}, name="turned")
    assert find("digits").shape == (8, 8, 1)
    assert find("digits", form="sequence").shape == ()
