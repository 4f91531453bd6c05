"""One table of data sets for networks of every kind, and the door for a user's own files: `find`.

    mnist1d, digits ...         a set of SETS, by name
    mnist=FOLDER                a set whose files are in a folder
    FILE.npz, FILE.csv, FILE.ts, FOLDER of IDX files          golden.data.series says what is in them
    package.module:function     a loader of one's own: function("train") and function("test") return x, y

Everything is checked when a set is found, before anything runs: ValueError, one line.
"""

import importlib
import math
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from golden.checks import check, nearest
from golden.data import images, mnist1d, series
from golden.data.dataset import FORMS, SPLITS, DataSet, Samples, own


def _mnist1d(split: str) -> Samples:
    x, y = mnist1d.mnist1d(split)
    return Samples(x[..., None], y, np.full(len(x), x.shape[1], np.int64))


def _pictures(name: str, folder: str | None = None, form: str = "image") -> DataSet:
    """A set of images; as sequences, a row a tick and a column a channel, of levels 0..255."""
    side = math.isqrt(images.pixel_count(name))

    def read(split: str) -> Samples:
        x, y = images.images(name, split, folder=folder)
        if form == "image":
            return Samples(x, y)
        return Samples(x.reshape(-1, side, side).astype(np.float32), y, np.full(len(x), side, np.int64))
    return DataSet(name=name, doc=images.DATA_SETS[name], form=form, inputs=side * side if form == "image" else side,
                   classes=images.CLASSES, read=read, source=name if folder is None else f"{name}={folder}",
                   shape=(side, side, 1) if form == "image" else ())


SETS = {"mnist1d": DataSet(
    name="mnist1d", doc="MNIST-1D, 10 classes, 360 ticks; 4,000 training and 1,000 test sequences, generated",
    form="sequence", inputs=1, classes=mnist1d.CLASSES, read=_mnist1d, source="mnist1d",
    answer_from=mnist1d.ANSWER_FROM)} | {name: _pictures(name) for name in images.DATA_SETS}


def find(text: str, *, form: str | None = None, answer_from: int | None = None) -> DataSet:
    """The data set that a text names: of SETS, NAME=FOLDER, a file, a folder or package.module:function.

    form: how three-dimensional arrays of a file are read, "sequence" (n, ticks, channels) or "image" (n, rows,
    columns), by default bytes are images; sets of images give a row a tick as sequences. answer_from: takes the place
    of the set's own.
    """
    check(isinstance(text, str) and text != "", f"a data set is named by a text, not {text!r}")
    check(form is None or form in FORMS, f"data are read as {' or '.join(FORMS)}, not {form!r}")
    name, equals, folder = text.partition("=")
    if name in SETS:
        check(not equals or SETS[name].form == "image", f"{name} takes no folder")
        check(form != "image" or SETS[name].form == "image", f"{name} has sequences: they cannot be read as image")
        rows = form == "sequence" and SETS[name].form == "image"
        found = _pictures(name, folder or None, "sequence" if rows else "image") if folder or rows else SETS[name]
    elif Path(text).suffix.lower() in series.READERS or os.path.isdir(text):
        found = own(series.read(Path(text)), name=Path(text).stem, source=text, form=form)
    elif re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text):
        found = own(_called(text), name=text.rpartition(":")[2], source=text, form=form)
    else:
        raise ValueError(f"no data set {text!r}{nearest(name, SETS)}: there is {', '.join(SETS)}, or a file .npz, .csv "
                         f"or .ts, a folder of IDX files, or package.module:function")
    return found if answer_from is None else replace(found, answer_from=answer_from)


def learnt(training: dict) -> tuple[DataSet | None, str]:
    """The data set that the `training` of a network file names, and the split that it learnt; None where it does not.

    It is written as "SOURCE SPLIT" under "data"; "read_as" and "answer_from" say what `find` was given.
    """
    source, _, split = str(training.get("data", "")).rpartition(" ")
    if split not in SPLITS or not source:
        return None, ""
    try:
        return find(source, form=training.get("read_as"), answer_from=training.get("answer_from")), split
    except ValueError:
        return None, split


def unknown(name: str, training: dict) -> str:
    """Why `learnt` finds nothing for a network of that name, and what to give."""
    source = str(training.get("data", "")).rpartition(" ")[0]
    said = f"has learnt {source!r}, which cannot be read from this folder" if source else \
        "does not say what data it is for"
    return f"{name} {said}: give --data, one of {', '.join(SETS)}, or a file"


def written(data: DataSet, split: str, form: str | None = None) -> dict:
    """What `learnt` reads: that a network learnt a split of a data set, `form` as `find` was given it."""
    if not data.source:     # arrays that nobody can find again
        return {}
    own_tick = find(data.source, form=form).answer_from if data.name in SETS else 0
    found = {"data": f"{data.source} {split}", "answer_from": data.answer_from, "read_as": form}
    return {key: value for key, value in found.items() if value != {"answer_from": own_tick}.get(key)}


# ---- a loader of one's own

def _called(text: str) -> dict[str, series.Raw]:
    """What a loader package.module:function returns for "train" and "test"; modules of this folder are found, too."""
    module, _, name = text.partition(":")
    here = str(Path.cwd())
    sys.path.append(here)
    try:
        function = getattr(importlib.import_module(module), name)
        found = {split: function(split) for split in ("train", "test")}
    except Exception as error:      # a stranger's code raises anything
        raise ValueError(f"loader {text} raised {type(error).__name__}: {' '.join(str(error).split())}") from None
    finally:
        sys.path.remove(here)
    raw = {}
    for split, value in found.items():
        check(isinstance(value, tuple) and len(value) in (2, 3),
              f"loader {text} must return (x, y) or (x, y, lengths) for {split!r}, not {type(value).__name__}")
        x, y = value[0], _array(value[1], f"loader {text}: y")
        raw[split] = series.Raw(x if isinstance(x, list | tuple) else _array(x, f"loader {text}: x"), y,
                                value[2] if len(value) == 3 else None)
    return raw


def _array(value, what: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{what} is no array: {' '.join(str(error).split())}") from None
