"""MNIST-1D as it is made: what it holds is pinned, its splits stay, and what is made once is read again."""

import sys
import zlib

import numpy as np
import pytest

from golden.data import mnist1d as data
from golden.data.mnist1d import mnist1d


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.mark.parametrize(("split", "count", "labels", "place", "word"), [
    ("train", 4000, 2162126422, 0, -0.33216), ("test", 1000, 2669080857, 0, -0.07808),
    ("fit", 3200, 2237189715, 0, -0.01841), ("held_out", 800, 920508049, 0, -0.33216)])
def test_splits(cache, split, count, labels, place, word):
    x, y = mnist1d(split, cache=cache)
    assert (x.shape, x.dtype, y.dtype) == ((count, 360), np.float32, np.int64)
    assert zlib.crc32(y.astype(np.uint8).tobytes()) == labels
    assert x[place, 0] == pytest.approx(word, abs=1e-4)
    assert sorted(set(y.tolist())) == list(range(data.CLASSES))


def test_all_together(cache):
    """Mean 0 and deviation 1 over all; fit and held out are the training sequences, in their order."""
    train, test, fit, held = (mnist1d(split, cache=cache) for split in ("train", "test", "fit", "held_out"))
    x = np.concatenate([train.x, test.x]).astype(float)
    assert abs(x.mean()) < 1e-6
    assert x.std() == pytest.approx(1, abs=1e-5)
    place = {row.tobytes(): n for n, row in enumerate(train.x)}
    found = [[place[row.tobytes()] for row in part.x] for part in (fit, held)]
    assert all(one == sorted(one) for one in found)
    assert sorted(found[0] + found[1]) == list(range(4000))
    for part, where in zip((fit, held), found, strict=True):
        assert part.y.tolist() == train.y[where].tolist()


def test_made_once(cache, monkeypatch):
    assert [path.name for path in cache.iterdir()] == ["mnist1d-360.npz"]
    monkeypatch.setitem(sys.modules, "mnist1d.data", None)
    assert len(mnist1d("test", cache=cache).y) == 1000


def test_refusals(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match='split must be "train", "test", "fit" or "held_out", not "all"'):
        mnist1d("all", cache=tmp_path)
    monkeypatch.setitem(sys.modules, "mnist1d.data", None)
    with pytest.raises(ModuleNotFoundError, match="MNIST-1D needs its generator: pip install mnist1d"):
        mnist1d("test", cache=tmp_path)


def test_answers_begin_where_the_chain_has_settled():
    assert data.ANSWER_FROM == 36
