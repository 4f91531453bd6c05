"""Data sets by name and from a user's files: what is read is what was written, what is wrong is said in one line."""

import gzip
import sys

import numpy as np
import pytest
from image_files import idx
from set_files import HEAD, RNG, arrays, saved, written

from golden.data import series, sets
from golden.data.dataset import own
from golden.data.series import Raw
from golden.data.sets import find

# ---- what is read

def test_table():
    for name, entry in sets.SETS.items():
        assert (entry.name, entry.source) == (name, name)
        assert entry.outputs == 10
    x, y, lengths = find("mnist1d").load("held_out")
    assert (x.shape, x.dtype, y.shape, set(lengths.tolist())) == ((800, 360, 1), np.float32, (800,), {360})
    assert (find("mnist1d").unit, find("digits").unit) == ("sequences", "images")
    x, y, lengths = find("digits").load("test")
    assert (x.shape, x.dtype, lengths) == ((360, 64), np.uint8, None)
    assert find("mnist1d").answer_from == 36
    assert find("mnist1d", answer_from=3).answer_from == 3
    with pytest.raises(ValueError, match="a split is one of train, fit, held_out, test, not 'all'"):
        find("digits").load("all")


def test_npz(tmp_path):
    held = arrays(lengths_train=np.array([6] * 19 + [2]))
    path = saved(tmp_path / "mine.npz", **held)
    found = find(path)
    assert (found.name, found.source, found.form, found.inputs, found.classes) == ("mine", path, "sequence", 2, 3)
    assert found.labels == ("0", "1", "2")
    x, y, lengths = found.load("train")
    assert np.array_equal(x[:19], held["x_train"][:19].astype(np.float32))
    assert np.array_equal(x[19, :2], held["x_train"][19, :2].astype(np.float32))
    assert not x[19, 2:].any(), "behind its end a sequence is 0"
    assert lengths.tolist() == [6] * 19 + [2]
    assert y.tolist() == held["y_train"].tolist()
    assert found.load("test").x.shape == (10, 6, 2)
    one = find(saved(tmp_path / "one.npz", x_train=np.ones((20, 6)), x_test=np.ones((10, 6))))
    assert one.load("train").x.shape == (20, 6, 1)


def test_fit_and_held_out_are_a_fixed_partition(tmp_path):
    x = np.arange(50.0)[:, None] * np.ones((1, 4))
    path = saved(tmp_path / "mine.npz", x_train=x, y_train=np.arange(50) % 5, x_test=x[:5], y_test=np.arange(5))
    parts = [find(path).load(split) for split in ("fit", "held_out")]
    values = [part.x[:, 0, 0].tolist() for part in parts]
    assert sorted(values[0] + values[1]) == list(range(50))
    assert all(one == sorted(one) for one in values)
    assert np.bincount(parts[1].y).tolist() == [2] * 5, "one of five of each class"
    assert values[1] == [part.x[:, 0, 0].tolist() for part in [find(path).load("held_out")]][0]


def test_images_and_how_arrays_are_read(tmp_path):
    pixels = RNG.integers(0, 256, (20, 3, 4)).astype(np.uint8)
    path = saved(tmp_path / "p.npz", x_train=pixels, x_test=pixels[:10])
    found = find(path)
    assert (found.form, found.inputs, found.unit) == ("image", 12, "images")
    assert np.array_equal(found.load("train").x, pixels.reshape(20, 12))
    rows = find(path, form="sequence").load("train")
    assert (rows.x.shape, rows.lengths.tolist()) == ((20, 3, 4), [3] * 20)
    path = saved(tmp_path / "f.npz", x_train=pixels / 255, x_test=pixels[:10] / 255)
    assert np.array_equal(find(path, form="image").load("train").x, pixels.reshape(20, 12))
    assert find(path).form == "sequence"


def test_classes_are_numbered_in_order(tmp_path):
    found = find(saved(tmp_path / "a.npz", y_train=np.arange(20) % 2 * 9 - 4, y_test=np.arange(10) % 2 * 9 - 4))
    assert (found.labels, found.load("train").y.tolist()) == (("-4", "5"), [0, 1] * 10)
    found = find(saved(tmp_path / "b.npz", y_train=np.array(["no", "yes"] * 10), y_test=np.array(["yes"] * 10)))
    assert (found.labels, found.load("test").y.tolist()) == (("no", "yes"), [1] * 10)
    ten = np.array(["9", "10"] * 10)
    assert find(saved(tmp_path / "c.npz", y_train=ten, y_test=ten[:10])).labels == ("9", "10"), "in order of numbers"
    mixed = np.array(["x", "x", *ten[2:]])
    assert find(saved(tmp_path / "d.npz", y_train=mixed, y_test=ten[:10])).labels == ("10", "9", "x")


def test_regression(tmp_path):
    y = RNG.normal(0, 1, (20, 3))
    found = find(saved(tmp_path / "a.npz", y_train=y, y_test=y[:10]))
    assert (found.classes, found.targets, found.outputs, found.labels) == (None, 3, 3, ())
    assert np.array_equal(found.load("train").y, y.astype(np.float32))
    found = find(saved(tmp_path / "b.npz", y_train=y[:, 0], y_test=np.arange(10)))
    assert (found.targets, found.load("test").y.shape) == (1, (10, 1))


def test_csv_of_rows(tmp_path):
    rows = [[n % 2, *map(float, range(n, n + 3)), "" if n == 1 else 9] for n in range(10)]
    found = find(written(tmp_path / "a.csv", [["label", "t0", "t1", "t2", "t3"], *rows]))
    assert (found.inputs, found.labels) == (1, ("0", "1"))
    train, test = found.load("train"), found.load("test")
    both = dict(zip([*train.x[:, 0, 0].tolist(), *test.x[:, 0, 0].tolist()],
                    [*train.lengths.tolist(), *test.lengths.tolist()], strict=True))
    assert both == {float(n): 3 if n == 1 else 4 for n in range(10)}
    assert len(test.y) == 2, "a fifth of each class"


def test_csv_of_ticks_and_splits(tmp_path):
    rows = [[n, "train" if n < 8 else "test", n / 2, t, 10 * n + t] for n in range(12) for t in range(2 + n % 3)]
    found = find(written(tmp_path / "a.csv", [["series", "split", "target", "a", "b"], *rows]))
    train, test = found.load("train"), found.load("test")
    assert (found.inputs, found.targets) == (2, 1)
    assert train.y[:, 0].tolist() == [n / 2 for n in range(8)]
    assert train.lengths.tolist() == [2 + n % 3 for n in range(8)]
    assert train.x[2, :4].tolist() == [[t, 20 + t] for t in range(4)]
    assert test.y[:, 0].tolist() == [n / 2 for n in range(8, 12)]


def test_ts(tmp_path):
    lines = [f"{n},1.5{',2' * (n % 2)}:{-n},0{',3' * (n % 2)}:{'ab'[n % 2]}\n" for n in range(10)]
    for word, part in (("TRAIN", lines), ("TEST", lines[:4])):
        (tmp_path / f"Two_{word}.ts").write_text(HEAD + "".join(part))
    for word in ("TRAIN", "TEST"):
        found = find(str(tmp_path / f"Two_{word}.ts"))
        assert (found.inputs, found.labels) == (2, ("b", "a")), "in the order of the header"
        x, y, lengths = found.load("train")
        assert (lengths.tolist(), y.tolist()) == ([2, 3] * 5, [1, 0] * 5)
        assert x[3].tolist() == [[3, -3], [1.5, 0], [2, 3]]
        assert len(found.load("test").y) == 4
    (tmp_path / "alone.ts").write_text(HEAD.replace("classLabel true b a", "targetLabel true") +
                                       "".join(line[:-2] + "0.5\n" for line in lines))
    found = find(str(tmp_path / "alone.ts"))
    assert (found.classes, found.targets, len(found.load("test").y)) == (None, 1, 2)


@pytest.mark.parametrize("packed", [False, True])
def test_idx_folder(tmp_path, packed):
    x, y = RNG.integers(0, 256, (12, 3, 5)), np.arange(12) % 3
    for prefix, n in (("train", 12), ("t10k", 6)):
        for name, values in ((f"{prefix}-images-idx3-ubyte", x[:n]), (f"{prefix}-labels.idx1-ubyte", y[:n])):
            data = gzip.compress(idx(values)) if packed else idx(values)
            (tmp_path / (name + ".gz" * packed)).write_bytes(data)
    found = find(str(tmp_path))
    assert (found.form, found.inputs, found.classes) == ("image", 15, 3)
    assert np.array_equal(found.load("train").x, x.reshape(12, 15))
    assert np.array_equal(found.load("test").y, y[:6])


LOADER = """
import numpy as np
def good(split):
    n = 20 if split == "train" else 10
    return [np.ones((2 + k % 3, 2)) * k for k in range(n)], np.arange(n) % 2
def lengths(split):
    return np.ones((20, 5, 1)), np.arange(20) % 2, np.full(20, 3)
def raises(split):
    raise KeyError("no\\nsuch key")
def nothing(split):
    return None
def ragged(split):
    return np.ones((4, 3)), [[1], [1, 2]]
def columns(split):
    return [np.ones((3, 2)), np.ones((3, 1))] * 5, np.arange(10) % 2
thing = 3
"""


@pytest.fixture
def loader(tmp_path, monkeypatch):
    """A module of the user's in the folder where the command runs."""
    (tmp_path / "my_loader.py").write_text(LOADER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_loader", raising=False)
    yield "my_loader"
    sys.modules.pop("my_loader", None)


def test_loader(loader):
    before = list(sys.path)
    found = find(f"{loader}:good")
    assert (found.name, found.source, found.inputs) == ("good", "my_loader:good", 2)
    assert found.load("train").lengths.tolist() == [2 + n % 3 for n in range(20)]
    assert found.load("test").x[5, 0].tolist() == [5, 5]
    assert find(f"{loader}:lengths").load("train").lengths.tolist() == [3] * 20
    assert sys.path == before


@pytest.mark.parametrize(("name", "said"), [
    ("raises", r"loader my_loader:raises raised KeyError: 'no\\nsuch key'"),
    ("nothing", "must return \\(x, y\\) or \\(x, y, lengths\\) for 'train', not NoneType"),
    ("ragged", "y is no array"), ("columns", "sequence 1 has 1 channels, sequence 0 has 2"),
    ("absent", "raised AttributeError"), ("thing", "raised TypeError")])
def test_a_loader_that_fails(loader, name, said):
    with pytest.raises(ValueError, match=said) as failed:
        find(f"{loader}:{name}")
    assert "\n" not in str(failed.value)


# ---- what is refused

NPZ = {
    "missing": ({"y_test": None}, "no y_test; it has x_test, x_train, y_train"),
    "nan": ({"x_train": np.where(np.arange(240).reshape(20, 6, 2) == 17, np.nan, 1)}, r"x\[1, 2, 1\] is nan, not a"),
    "huge": ({"x_train": np.full((20, 6, 2), 1e31)}, "values of 1e\\+31"),
    "text": ({"x_train": np.full((20, 6, 2), "a")}, "x must be real numbers, not <U1"),
    "complex": ({"x_train": np.full((20, 6, 2), 1j)}, "x must be real numbers, not complex128"),
    "objects": ({"y_train": np.array([1, None] * 10, dtype=object)}, "no readable .npz file"),
    "flat": ({"x_train": np.ones(20)}, r"sequences are \(n, ticks\) or \(n, ticks, channels\), not of shape \(20,\)"),
    "none": ({"x_train": np.ones((0, 6, 2))}, "nothing in an array"),
    "count": ({"y_train": np.arange(19) % 3}, "train: 20 samples and 19 of y"),
    "channels": ({"x_test": np.ones((10, 6, 3))}, "test: 3 channels, the training samples have 2"),
    "lengths": ({"lengths_train": np.full(20, 7)}, r"the length of sequence \[0\] is not in 1..6"),
    "no length": ({"lengths_train": np.zeros(20, int)}, "is not in 1..6"),
    "real lengths": ({"lengths_train": np.ones(20)}, "lengths must be 20 integers, not float64"),
    "one class": ({"y_train": np.full(20, 4), "y_test": np.full(10, 4)}, "one class only, 4: there is nothing"),
    "many classes": ({"y_train": np.arange(20), "y_test": np.arange(10)}, "20 training samples of 20 classes: two a"),
    "texts and numbers": ({"y_test": np.array(["0"] * 10)}, "classes are numbers in one split and texts in another"),
    "few a class": ({"x_train": np.ones((5, 6, 2)), "y_train": np.array([0, 1, 2, 0, 1])}, "5 training samples of 3"),
    "strange class": ({"y_test": np.full(10, 7)}, "test: class 7 is none of the training set: 0, 1, 2"),
    "reals for classes": ({"y_test": np.full(10, 0.5)}, "classes are one integer or text a sample, not float64"),
    "classes by two": ({"y_train": np.ones((20, 2), int)}, "classes are one integer or text a sample, not int64"),
    "nan target": ({"y_train": np.full(20, np.nan), "y_test": np.ones(10)}, r"y\[0\] is nan"),
    "target widths": ({"y_train": np.ones((20, 2)), "y_test": np.ones((10, 3))}, "targets a sample differ"),
    "dates": ({"y_train": np.zeros(20, "M8[D]")}, "y must be classes or real numbers, not datetime64"),
}


@pytest.mark.parametrize("name", NPZ)
def test_npz_refusals(tmp_path, name):
    changed, said = NPZ[name]
    path = saved(tmp_path / "bad.npz", **changed)
    with pytest.raises(ValueError, match=said) as failed:
        find(path)
    assert "\n" not in str(failed.value)
    assert "bad" in str(failed.value), "the file is not named"


@pytest.mark.parametrize(("values", "said"), [
    (np.full((20, 3, 4), 256.0), "images are whole numbers of 0 to 255, or reals of 0 to 1, not 256 to 256"),
    (np.full((20, 3, 4), -0.5), "not -0.5 to -0.5"), (np.full((20, 3, 4), 1.5), "not 1.5 to 1.5"),
    (np.ones((20, 3)), r"images are \(n, rows, columns\) or \(n, rows, columns, channels\), not of shape \(20, 3\)")])
def test_images_refusals(tmp_path, values, said):
    with pytest.raises(ValueError, match=said):
        find(saved(tmp_path / "a.npz", x_train=values, x_test=values[:10]), form="image")


ROWS = {
    "heading": ("a,b\n1,2\n", "needs a column label \\(classes\\) or target"),
    "both": ("label,target,a\n1,2,3\n", "and not both"), "twice": ("label,a,a\n1,2,3\n", "column a is there twice"),
    "no values": ("label,split\n1,train\n", "no columns of values"), "empty": ("", "no rows under a heading"),
    "only heading": ("label,a\n", "no rows under a heading"),
    "cells": ("label,a\n1,2\n1\n", "line 3: 1 cells under 2 headings"),
    "text": ("label,a\n1,x\n", "line 2: a is no number: 'x'"), "gap": ("label,a,b\n1,,2\n", "line 2: a is a missing"),
    "nothing": ("label,a\n1,\n", "line 2: no values"), "no label": ("label,a\n,1\n", "line 2: no label"),
    "split": ("label,split,a\n1,dev,2\n", "split is train or test, not 'dev'"),
    "label changes": ("series,label,a\n1,2,3\n1,3,3\n", r"line 3: another label than in line 2, in"),
    "channels": ("series,label,a,b\n1,2,3,4\n1,2,3,\n", "line 3: b is a missing value"),
    "apart": ("series,label,a\n1,2,3\n7,2,3\n1,2,3\n", "line 4: series 1 goes on behind another one; the rows of a"),
    "not finite": ("series,label,a\n1,2,3\n2,2,nan\n", "line 3: a is nan, not a finite number"),
    "series by another name": ("label,Trial,a\n1,2,3\n", "a column Trial: which series a row is of stands in a"),
    "series in capitals": ("label,Series,a\n1,2,3\n", r"a column Series \(did you mean series\?\)"),
    "in capitals": ("Label,a\n1,2\n", r"and not both; it has Label, a \(did you mean label\?\)"),
    "misspelt": ("label,a,spilt\n1,2,test\n", r"line 2: spilt is no number: 'test' \(did you mean split\?\)"),
    "only test": ("label,split,a\n1,test,2\n", "no training samples"),
    "nan": ("label,a\n1,nan\n2,1\n1,1\n2,1\n1,3\n2,3\n", "is nan, not a finite number"),
}
SERIES = {
    "no data": ("@classLabel true a b\n", "no @data$"), "none": (HEAD, "nothing behind @data"),
    "early": ("1,2:a\n", "line 1: no @data before '1,2:a'"),
    "length": (HEAD + "1,2:1,2,3:a\n", "line 8: channel 1 has 3 values, channel 0 has 2"),
    "channels": (HEAD + "1,2:a\n", "line 8: 1 channels, not 2"), "class": (HEAD + "1:2:c\n", "class 'c' is none of"),
    "missing": (HEAD + "1,?:1,2:a\n", "line 8: channel 0 is a missing value"),
    "number": (HEAD + "1,x:1,2:a\n", "line 8: channel 0 is no number: 'x'"),
    "label": (HEAD + "1,2\n", "line 8: no label behind a colon"),
    "stamps": (HEAD.replace("Stamps false", "Stamps true"), "with time stamps are not read"),
    "gaps": (HEAD.replace("@data", "@missing true\n@data"), "with missing values are not read"),
    "flag": (HEAD.replace("Stamps false", "Stamps perhaps"), "@timestamps is true or false, not 'perhaps'"),
    "labels": (HEAD.replace("b a", "b b"), "lists no classes, or one of them twice"),
    "neither": (HEAD.replace("@classLabel true b a\n", ""), "@classLabel true or @targetLabel true is needed"),
    "dimensions": (HEAD.replace("dimensions 2", "dimensions two"), "@dimensions is a number, not 'two'"),
}


@pytest.mark.parametrize(("end", "name"), [*(("csv", name) for name in ROWS), *(("ts", name) for name in SERIES)])
def test_text_refusals(tmp_path, end, name):
    text, said = (ROWS if end == "csv" else SERIES)[name]
    (tmp_path / f"bad.{end}").write_text(text)
    with pytest.raises(ValueError, match=said) as failed:
        find(str(tmp_path / f"bad.{end}"))
    assert "\n" not in str(failed.value)
    assert "bad" in str(failed.value)


@pytest.mark.parametrize(("text", "said"), [
    ("cifar", "no data set 'cifar': there is mnist1d, .*, or a file .npz"),
    ("mnst1d", r"no data set 'mnst1d' \(did you mean mnist1d\?\)"), ("mnist1d=here", "mnist1d takes no folder"),
    ("no/such.npz", "no/such.npz: no such file"), ("no_TEST.ts", "no_TEST.ts: no such file"), ("", "named by a text"),
    ("no.such:loader", "loader no.such:loader raised ModuleNotFoundError")])
def test_names(text, said):
    with pytest.raises(ValueError, match=said):
        find(text)


def test_forms(tmp_path):
    with pytest.raises(ValueError, match="data are read as sequence or image, not 'film'"):
        find("digits", form="film")
    with pytest.raises(ValueError, match="mnist1d has sequences: they cannot be read as image"):
        find("mnist1d", form="image")
    rows, whole = (find("digits", form=form) for form in ("sequence", "image"))
    assert (rows.form, rows.inputs, rows.classes, whole) == ("sequence", 8, 10, find("digits"))
    x, y, lengths = rows.load("test")
    assert np.array_equal(x.reshape(-1, 64), whole.load("test").x)
    assert (x.dtype, set(lengths.tolist())) == (np.float32, {8})
    found, _ = sets.learnt(sets.written(rows, "fit", "sequence"))
    assert (found.form, found.name) == ("sequence", "digits")
    with pytest.raises(ValueError, match="no train-images-idx3-ubyte, and no train-images-idx3-ubyte.gz"):
        find(str(tmp_path))


def test_what_a_network_learnt(tmp_path):
    path = saved(tmp_path / "with blank.npz")
    found, split = sets.learnt({"data": f"{path} fit", "answer_from": 2})
    assert (found.source, found.answer_from, split) == (path, 2, "fit")
    assert sets.learnt({"data": "mnist1d train"}) == (sets.SETS["mnist1d"], "train")
    assert sets.learnt({"data": "gone.npz train"}) == (None, "train")
    assert sets.unknown("net", {"data": "gone.npz train"}).startswith("net has learnt 'gone.npz', which cannot be read")
    assert sets.unknown("net", {}).startswith("net does not say what data it is for: give --data, one of ")
    for data, form, said in (
            (find("mnist1d"), None, {"data": "mnist1d train"}), (find(path), None, {"data": f"{path} train"}),
            (find("mnist1d", answer_from=0), None, {"data": "mnist1d train", "answer_from": 0}),
            (find(path, answer_from=2), "sequence", {"data": f"{path} train", "answer_from": 2, "read_as": "sequence"}),
            (own({"train": Raw(np.ones((4, 2)), np.arange(4) % 2)}, name="arrays"), None, {})):
        assert sets.written(data, "train", form) == said
        assert not said or sets.learnt(said)[0].answer_from == data.answer_from
    for training in ({}, {"data": "mnist1d"}, {"data": 3}, {"data": "mnist1d all"}):
        assert sets.learnt(training) == (None, "")


def test_images_have_no_lengths(tmp_path):
    pixels = np.ones((20, 3, 4), np.uint8)
    for x in (pixels, list(pixels)):
        with pytest.raises(ValueError, match="it train: images have one size, no lengths"):
            own({"train": Raw(x, np.arange(20) % 2, np.full(20, 3))}, name="it", form="image")
    with pytest.raises(ValueError, match="images have one size"):
        find(saved(tmp_path / "a.npz", x_train=pixels, x_test=pixels[:10], lengths_train=np.full(20, 3)), form="image")


def test_files_that_are_too_long(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("label,a\n1,2\n2,1\n1,1\n2,2\n")
    monkeypatch.setattr(series, "MOST", path.stat().st_size)
    assert find(str(path)).classes == 2
    monkeypatch.setattr(series, "MOST", path.stat().st_size - 1)
    with pytest.raises(ValueError, match="a.csv has more than 23 bytes"):
        find(str(path))
