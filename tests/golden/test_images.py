"""Sets of images: the IDX parser on good, bad and random files, every source and its errors, and splits that stay."""

import gzip
import hashlib
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import HEAD, SMALL, answer, idx, peak_below, refuses, sha

from golden.data import images as data
from golden.data.images import COUNTS, images, read_idx

HINTS = {"mnist": "pass the folder of the four IDX files of MNIST",
         "fashion-mnist": "apt install dataset-fashion-mnist, or pass a folder of its IDX files"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """IDX files of 60 + 20 images: image n has n as its first pixel, and class n modulo 10."""
    rng = np.random.default_rng(3)
    for part, count in (("train", 60), ("t10k", 20)):
        x = rng.integers(256, size=(count, 28, 28))
        x[:, 0, 0] = np.arange(count)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(x))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count) % 10))
    monkeypatch.setattr(data, "COUNTS", SMALL)
    return tmp_path


@pytest.fixture
def fashion(folder, monkeypatch):
    """The same files, their sums as those of Fashion-MNIST."""
    sums = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    monkeypatch.setattr(data, "SUMS", sums)
    return folder


def test_idx_by_hand():
    for pack in (bytes, gzip.compress):
        got = read_idx(pack(HEAD + bytes([1, 2, 3, 253, 254, 255])), "x")
        assert got.tolist() == [[[1, 2, 3]], [[253, 254, 255]]]
        assert got.dtype == np.uint8
        assert got.flags.writeable
        assert read_idx(pack(b"\0\0\x08\1\0\0\1\2" + bytes(258)), "x").shape == (258,)
        assert read_idx(pack(b"\0\0\x08\1\0\0\0\2" + b"\7\x08"), "x").tolist() == [7, 8]


@pytest.mark.parametrize(("file", "message"), [
    (b"", "f is no IDX file: it starts with 0x"),
    (b"\0\0\x08", "f is no IDX file: it starts with 0x000008"),
    (b"\x89PNG\r\n", "f is no IDX file: it starts with 0x89504e47"),
    (b"\0\1" + HEAD[2:] + bytes(6), "f is no IDX file: it starts with 0x00010803"),
    (b"\0\0\x0d" + HEAD[3:] + bytes(24), "f has values of type 0x0d, not unsigned bytes (0x08)"),
    (b"\0\0\x08\2" + HEAD[4:] + bytes(6), "f has 2 dimensions, not 1 (labels) or 3 (images)"),
    (b"\0\0\x08\0", "f has 0 dimensions, not 1"),
    (HEAD[:15], "f ends in its header"),
    (b"\0\0\x08\1\0\0\0", "f ends in its header"),
    (HEAD, "f ends after 16 of 22 bytes"),
    (HEAD + bytes(5), "f ends after 21 of 22 bytes"),
    (HEAD + bytes(7), "f is longer than the 22 bytes that its header says"),
    (b"\0\0\x08\1\0\0\0\1" + bytes(40), "f is longer than the 9 bytes that its header says"),
    (HEAD[:4] + bytes(4) + HEAD[8:], "f says that its sizes are (0, 1, 3): empty, or over 100,000,000 bytes"),
    (HEAD[:4] + b"\xff" * 12 + bytes(9), "f says that its sizes are (4294967295, 4294967295, 4294967295): empty"),
    (b"\0\0\x08\1" + struct.pack(">I", data.LIMIT - 15), "empty, or over"),
])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_refuses(file, message, pack):
    refuses(message, read_idx, pack(file), "f")


def test_gzip_that_is_damaged_is_refused():
    good = gzip.compress(HEAD + bytes(6), mtime=0)
    for bad, message in ((good[:-1], "f is damaged: Compressed file ended before"), (good[:5], "f is damaged: "),
                         (good[:12], "f is damaged: "), (b"\x1f\x8b", "f is damaged: "),
                         (good[:-8] + b"\0\0\0\0" + good[-4:], "f is damaged: CRC check failed"),
                         (good[:10] + b"\xff" * 9 + good[19:], "f is damaged: Error -3"),
                         (good + b"more", "f is damaged: Not a gzipped file"),
                         (good + good, "f is longer than the 22 bytes")):
        refuses(message, read_idx, bad, "f")


def test_a_bomb_is_not_unpacked():
    bomb = gzip.compress(HEAD + bytes(40_000_000), 1)
    with peak_below(2_000_000):
        refuses("f is longer than the 22 bytes", read_idx, bomb, "f")


@st.composite
def files(draw):
    """A valid file, plain or gzip; or one whose header, bytes or length were changed; or anything."""
    shape = draw(st.sampled_from([(3,), (1,), (300,), (2, 1, 3), (4, 5, 6)]))
    file = bytearray(idx(np.arange(np.prod(shape)).reshape(shape) % 251))
    change = st.tuples(st.integers(0, 30), st.integers(0, 255))
    for at, value in draw(st.lists(change, max_size=3)):
        file[at % len(file)] = value
    if draw(st.booleans()):
        file = bytearray(gzip.compress(bytes(file), mtime=0))
        for at, value in draw(st.lists(change, max_size=2)):
            file[(at - 15) % len(file)] = value
    cut = draw(st.integers(0, 40))
    return draw(st.sampled_from([bytes(file), bytes(file[:cut]), bytes(file[:-cut]), bytes(file) + b"\0" * cut,
                                 draw(st.binary(max_size=60)), bytes(file[:4]) + draw(st.binary(max_size=60))]))


@settings(max_examples=600, deadline=None)
@given(files())
def test_any_bytes_are_an_array_or_one_line(file):
    got = answer(read_idx, file, "f")
    if isinstance(got, str):
        assert re.fullmatch("f .*", got), got
    else:
        assert idx(got) == (gzip.decompress(file) if file[:2] == b"\x1f\x8b" else file)


@pytest.mark.parametrize(("name", "want"), [("fashion-mnist", "f56f8fc1d26dac02"), ("mnist", "f56f8fc1d26dac02"),
                                            ("mnist-10k", "0fb510a34b31f1d6"), ("digits", "5420f3d16a896023")])
def test_fit_and_held_out_partition_train_and_stay(name, want):
    train, _, held = COUNTS[name]
    fit, held_out = (data._chosen(name, split) for split in ("fit", "held_out"))
    assert len(held_out) == held
    assert sorted([*fit, *held_out]) == list(range(train))
    assert hashlib.sha256(held_out.astype("<i8").tobytes()).hexdigest()[:16] == want


@pytest.mark.parametrize("name", ["fashion-mnist", "mnist"])
def test_idx_files_by_every_name_are_the_same(name, request):
    folder = request.getfixturevalue("fashion" if name == "fashion-mnist" else "folder")
    plain = {split: images(name, split, folder=folder) for split in ("train", "test", "fit", "held_out")}
    for split, (x, y) in plain.items():
        assert (x.dtype, y.dtype, x.shape) == (np.uint8, np.int64, (len(y), 784))
        assert np.array_equal(y, x[:, 0] % 10), f"{split}: labels are not those of their images"
    assert [len(part.y) for part in plain.values()] == [60, 20, 48, 12]
    assert plain["test"].x[:, 0].tolist() == list(range(20))
    assert plain["train"].x[:, 0].tolist() == list(range(60))
    for split in ("fit", "held_out"):
        chosen = plain[split].x[:, 0]
        assert (np.diff(chosen.astype(int)) > 0).all(), f"{split} is not in the order of train"
        assert np.array_equal(plain["train"].x[chosen], plain[split].x)
    assert not set(plain["fit"].x[:, 0]) & set(plain["held_out"].x[:, 0])
    for number, file in enumerate(sorted(folder.iterdir())):
        packed = number % 2 == 0
        other = file.with_name(file.name.replace("-idx", ".idx") + ".gz" * packed)
        other.write_bytes(gzip.compress(file.read_bytes()) if packed else file.read_bytes())
        file.unlink()
    for split, part in plain.items():
        assert all(map(np.array_equal, images(name, split, folder=str(folder)), part)), split


@pytest.mark.parametrize("name", ["fashion-mnist", "mnist"])
def test_a_missing_idx_file_is_one_line(name, request, monkeypatch, tmp_path):
    monkeypatch.setattr(data, "FASHION", tmp_path / "not installed")
    refuses(f"no package brings mnist: {HINTS[name]}" if name == "mnist" else
            f"no train-images-idx3-ubyte or train-images-idx3-ubyte.gz in {data.FASHION}: {HINTS[name]}",
            images, name, "train")
    for place in (tmp_path / "none", Path(__file__)):
        refuses(f"no t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz in {place}: {HINTS[name]}",
                images, name, "test", folder=place)
    folder = request.getfixturevalue("fashion" if name == "fashion-mnist" else "folder")
    (folder / "train-labels-idx1-ubyte").unlink()
    refuses("no train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz in", images, name, "fit", folder=folder)
    assert len(images(name, "test", folder=folder).y) == 20


@pytest.mark.parametrize("part", ["train", "t10k"])
@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
def test_fashion_mnist_has_its_sums(fashion, part, kind):
    file = fashion / f"{part}-{kind}-ubyte"
    good, bad = file.read_bytes(), bytearray(file.read_bytes())
    bad[-1] ^= 1
    want, found = (hashlib.sha256(b).hexdigest()[:12] for b in (good, bad))
    for name, content in ((file.name, bytes(bad)), (f"{file.name}.gz", gzip.compress(bad))):
        file.unlink(missing_ok=True)
        (fashion / name).write_bytes(content)
        refuses(f"{fashion / name} is not the expected data: SHA-256 {found}..., expected {want}...",
                images, "fashion-mnist", "test" if part == "t10k" else "held_out", folder=fashion)


def test_fashion_mnist_is_looked_for_where_debian_has_it(fashion, monkeypatch):
    assert Path("/usr/share/datasets/fashion-mnist") == data.FASHION
    monkeypatch.setattr(data, "FASHION", fashion)
    assert images("fashion-mnist", "test").x[:, 0].tolist() == list(range(20))


def test_mnist_refuses_what_is_not_mnist(folder, fashion, monkeypatch):
    file = folder / "t10k-images-idx3-ubyte"
    refuses(f"{file} is Fashion-MNIST, not MNIST", images, "mnist", "test", folder=folder)
    monkeypatch.setattr(data, "SUMS", dict.fromkeys(data.SUMS, ""))
    for content, message in ((idx(np.zeros((20, 28, 27))), "has the sizes (20, 28, 27), mnist has (20, 28, 28)"),
                             (idx(np.zeros((19, 28, 28))), "has the sizes (19, 28, 28), mnist has (20, 28, 28)"),
                             (idx(np.zeros(20)), "has the sizes (20,), mnist has (20, 28, 28)"),
                             (b"", "is no IDX file"), (gzip.compress(idx(np.zeros(9)))[:-9], "is damaged")):
        file.write_bytes(content)
        refuses(f"{file} {message}", images, "mnist", "test", folder=folder)
    file.write_bytes(idx(np.zeros((20, 28, 28))))
    file = folder / "t10k-labels-idx1-ubyte"
    for content, message in ((idx(np.zeros(21)), "has the sizes (21,), mnist has (20,)"),
                             (idx(np.zeros((20, 28, 28))), "has the sizes (20, 28, 28), mnist has (20,)"),
                             (idx(np.arange(20) % 11), "has a label 10, not 0..9")):
        file.write_bytes(content)
        refuses(f"{file} {message}", images, "mnist", "test", folder=folder)


def test_files_above_the_limit_are_not_read_whole(folder, monkeypatch):
    monkeypatch.setattr(data, "LIMIT", 20 * 784 + 16)
    assert len(images("mnist", "test", folder=folder).y) == 20
    refuses("empty, or over 15,696 bytes", images, "mnist", "train", folder=folder)
    with (folder / "t10k-images-idx3-ubyte").open("ab") as file:
        file.truncate(40_000_000)
    with peak_below(2_000_000):
        refuses("is longer than the 15,696 bytes", images, "mnist", "test", folder=folder)


def test_fashion_mnist_as_installed():
    if not data.FASHION.is_dir():
        pytest.skip("Debian package dataset-fashion-mnist is missing")
    for split, count in (("test", 1000), ("train", 6000)):
        x, y = images("fashion-mnist", split)
        assert x.shape == (10 * count, 784)
        assert np.bincount(y).tolist() == [count] * 10
    held_out = images("fashion-mnist", "held_out")
    assert np.array_equal(held_out.x, x[data._chosen("fashion-mnist", "held_out")])
    assert sha(*held_out)[:12] == "e638290a215b"


def test_names_and_splits_are_checked():
    assert set(data.DATA_SETS) == set(COUNTS)
    for name, line in data.DATA_SETS.items():
        train, test, _ = COUNTS[name]
        assert f"{train:,} + {test:,} of {'8x8' if name == 'digits' else '28x28'}" in line
    refuses('no data set "cifar": there are fashion-mnist, mnist, mnist-10k, digits', images, "cifar", "test")
    refuses('split must be "train", "test", "fit" or "held_out", not "valid"', images, "digits", "valid")
