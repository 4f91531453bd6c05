"""Readers of a user's files: raw arrays by split, from .npz, .csv, .ts, or a folder of images. All say one line.

.npz    x_train, y_train, x_test, y_test: sequences (n, ticks) or (n, ticks, channels), images (n, rows, columns) or,
        of bytes, (n, rows, columns, channels); y integers or texts for classes, reals (n,) or (n, targets) for
        regression; lengths_train and lengths_test (n,) where sequences are shorter than their arrays
.csv    a heading, then either a row a sequence: "label" (a class) or "target", "target2", ... (regression), and every
        other column a tick of the one channel, in order, empty behind the end of a sequence; or, with a column
        "series", a row a tick: the other columns are channels, and rows of one series stand together. A column "split"
        says train or test; one that counts series or rows under another name (COUNTS) is refused
.ts     time series of the UCR and UEA archives (with classes or targets): any number of channels, each series of its
        own length; no time stamps, no missing values
folder  the four IDX files of train and t10k, images and labels, gzip or not; or the binary files of CIFAR-10 or -100

Of .csv and .ts the test set stands in a file of its own beside it, NAME_TRAIN.ts and NAME_TEST.ts, of which either is
named. Where there is none, a fixed part of the samples is the test set.
"""

import csv
import io
import os
import re
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np

from golden.checks import check, listed, nearest
from golden.data import cifar
from golden.data.images import LIMIT, read_idx

#: bytes of a file that is read
MOST = 1 << 30
#: of a CSV file, beside those of values
COLUMNS = ("label", "target", "series", "split")
#: what others call the column `series`, or one that counts rows: never a channel, in small letters
COUNTS = ("id", "index", "sequence", "sequence_id", "series_id", "sample", "sample_id", "trial", "recording", "tick")


class Raw(NamedTuple):
    """Of a split, unchecked: x, an array or a list of arrays (ticks, channels); y; lengths; names of the classes."""

    x: np.ndarray | list
    y: np.ndarray
    lengths: np.ndarray | None = None
    labels: tuple | None = None


def read(path: Path) -> dict[str, Raw]:
    """The samples of a file or folder by split, "train" and, where it has one, "test"."""
    if os.path.isdir(path):
        if cifar.is_folder(path):
            return {split: Raw(*arrays) for split, arrays in cifar.read(path).items()}
        return _idx_folder(path)
    return READERS[path.suffix.lower()](path)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    check(len(data) <= MOST, f"{path} has more than {MOST:,} bytes")
    return data


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: {error.reason} at byte {error.start}") from None


# ---- .npz

def _npz(path: Path) -> dict[str, Raw]:
    content = io.BytesIO(_bytes(path))
    try:
        with np.load(content, allow_pickle=False) as file:
            check(hasattr(file, "files"), f"{path} holds one array and no names: np.savez writes what is read here")
            arrays = {name: file[name] for name in file.files}
    except Exception as error:      # of a damaged file numpy raises anything, from zlib.error to TokenError
        said = " ".join(str(error).split())
        raise ValueError(said if said.startswith(str(path)) else f"{path} is no readable .npz file ({said})") from None
    need = ("x_train", "y_train", "x_test", "y_test")
    missing = [name for name in need if name not in arrays]
    check(not missing, f"{path}: no {', '.join(missing)}; it has {listed(sorted(arrays)) or 'nothing'}")
    return {split: Raw(arrays[f"x_{split}"], arrays[f"y_{split}"], arrays.get(f"lengths_{split}"))
            for split in ("train", "test")}


# ---- .csv and .ts: a file for the test beside the one for training

def _pair(path: Path, parse) -> dict[str, Raw]:
    """What `parse(text, path)` makes of a file, and of the one beside it that belongs to it."""
    for split, other in (("TRAIN", "TEST"), ("TEST", "TRAIN")):
        stem, end = path.stem, f"_{split}"
        if stem.upper().endswith(end):
            word = other.lower() if stem.endswith(end.lower()) else other
            beside = path.with_name(f"{stem[:-len(end)]}_{word}{path.suffix}")
            if os.path.isfile(beside) or split == "TEST":
                found = {split.lower(): parse(_text(path), path), other.lower(): parse(_text(beside), beside)}
                check(all(set(parts) == {"train"} for parts in found.values()),
                      f"{path}: a column split, and another file for the {other.lower()} samples")
                return {part: found[part]["train"] for part in ("train", "test")}
    return parse(_text(path), path)


def _number(text: str, where: str, hint: str = "") -> float:
    try:
        value = float(text)
    except ValueError:
        said = "a missing value" if text in ("", "?") else f"no number: {text[:20]!r}"
        raise ValueError(f"{where} is {said}{hint}") from None
    check(isfinite(value), f"{where} is {text[:20]}, not a finite number")
    return value


def _csv(text: str, path: Path) -> dict[str, Raw]:
    try:
        rows = [(n, [cell.strip() for cell in row]) for n, row in enumerate(csv.reader(io.StringIO(text)), 1)
                if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV file: {error}") from None
    check(len(rows) > 1, f"{path}: no rows under a heading")
    heading = rows[0][1]
    twice = sorted({name for name in heading if heading.count(name) > 1})
    check(not twice, f"{path}: column {listed(twice[:1])} is there twice")
    place = {name: n for n, name in enumerate(heading)}
    targets = [name for name in heading if re.fullmatch(r"target\d*", name)]
    check(bool(targets) != ("label" in place),
          f"{path}: the heading needs a column label (classes) or target (regression), and not both; it has "
          f"{listed(heading[:12])}{next(filter(None, map(_resembling, heading)), '')}")
    odd = [name for name in heading if name not in COLUMNS and name.lower() in COLUMNS]
    check(not odd, f"{path}: a column {listed(odd[:1])}{_resembling(odd[0]) if odd else ''}")
    counts = [name for name in heading if name.lower() in COUNTS]
    check(not counts, f"{path}: a column {listed(counts[:1])}: which series a row is of stands in a column series; "
                      f"leave out what counts rows, and give a channel another name")
    values = [name for name in heading if name not in ("label", "series", "split", *targets)]
    check(values != [], f"{path}: no columns of values beside {listed(heading)}")
    groups, last = {}, None
    for n, row in rows[1:]:
        check(len(row) == len(heading), f"{path} line {n}: {len(row)} cells under {len(heading)} headings")
        key = row[place["series"]] if "series" in place else n
        again = key in groups and key != last
        check(not again, f"{path} line {n}: series {listed([key[:20]]) if again else ''} goes on behind another one; "
                         f"the rows of a series stand together, in order")
        last = key
        groups.setdefault(key, []).append((n, row))
    found: dict = {}
    for lines in groups.values():
        first, row = lines[0]
        for name in ("label", "split", *targets):
            odd = [n for n, other in lines if name in place and other[place[name]] != row[place[name]]]
            check(not odd, f"{path} line {(odd or [0])[0]}: another {name} than in line {first}, in the same series")
        split = row[place["split"]].lower() if "split" in place else "train"
        check(split in ("train", "test"), f"{path} line {first}: split is train or test, not {split[:20]!r}")
        if targets:
            y = [_number(row[place[name]], f"{path} line {first}: {name}") for name in targets]
        else:
            y = row[place["label"]]
            check(y != "", f"{path} line {first}: no label")
        x = _ticks(lines, values, place, path) if "series" in place else _one_channel(lines[0], values, place, path)
        found.setdefault(split, []).append((x, y))
    return {split: _raw(found[split]) for split in ("train", "test") if split in found}


def _resembling(name: str) -> str:
    """The offer of a column that is known, where one is called much like it."""
    small = name.lower()
    return f" (did you mean {small}?)" if small != name and small in COLUMNS else nearest(name, COLUMNS)


def _ticks(lines, values, place, path) -> np.ndarray:
    hints = {name: _resembling(name) for name in values}
    return np.array([[_number(row[place[name]], f"{path} line {n}: {name}", hints[name]) for name in values]
                     for n, row in lines])


def _one_channel(line, values, place, path) -> np.ndarray:
    n, row = line
    cells = [row[place[name]] for name in values]
    while cells and not cells[-1]:
        cells.pop()
    check(cells != [], f"{path} line {n}: no values")
    return np.array([[_number(cell, f"{path} line {n}: {name}", _resembling(name))]
                     for cell, name in zip(cells, values, strict=False)])


def _raw(samples: list, labels: tuple | None = None) -> Raw:
    x, y = zip(*samples, strict=True)
    return Raw(list(x), np.array(y), labels=labels)


# ---- .ts

def _ts(text: str, path: Path) -> dict[str, Raw]:
    head, samples, labels, begun, channels = {}, [], None, False, None
    for n, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        where = f"{path} line {n}"
        if not line or line.startswith("#"):
            continue
        if not begun:
            check(line.startswith("@"), f"{where}: no @data before {line[:20]!r}")
            word, *rest = line[1:].split() or [""]
            begun, head[word.lower()] = word.lower() == "data", rest
            if begun:
                labels, channels = _ts_head(head, where)
            continue
        *parts, target = line.split(":")
        check(parts != [], f"{where}: no label behind a colon")
        series = [part.split(",") for part in parts]
        channels = channels or len(series)
        check(len(series) == channels, f"{where}: {len(series)} channels, not {channels}")
        for c, one in enumerate(series):
            check(len(one) == len(series[0]), f"{where}: channel {c} has {len(one)} values, channel 0 has "
                                              f"{len(series[0])}")
        x = np.array([[_number(cell.strip(), f"{where}: channel {c}") for cell in one] for c, one in enumerate(series)])
        target = target.strip()
        if labels is None:
            target = [_number(target, f"{where}: target")]
        else:
            check(target in labels, f"{where}: class {target[:20]!r} is none of @classLabel")
        samples.append((x.T, target))
    check(begun, f"{path}: no @data")
    check(samples != [], f"{path}: nothing behind @data")
    return {"train": _raw(samples, labels)}


def _ts_head(head: dict, where: str) -> tuple[tuple[str, ...] | None, int | None]:
    """Class labels (None: targets) and channels (None: not said) of the header."""
    def says(name, default):
        word = (head.get(name) or [default])[0].lower()
        check(word in ("true", "false"), f"{where}: @{name} is true or false, not {word[:20]!r}")
        return word == "true"
    check(not says("timestamps", "false"), f"{where}: series with time stamps are not read")
    check(not says("missing", "false"), f"{where}: series with missing values are not read")
    classes, targets = says("classlabel", "false"), says("targetlabel", "false")
    check(classes != targets, f"{where}: @classLabel true or @targetLabel true is needed, and not both")
    labels = tuple(head["classlabel"][1:]) if classes else None
    check(labels is None or len(labels) == len(set(labels)) > 0,
          f"{where}: @classLabel lists no classes, or one of them twice")
    count = (head.get("dimensions") or head.get("dimension") or ["1" if says("univariate", "false") else "0"])[0]
    check(count.isascii() and count.isdigit() and len(count) < 9,
          f"{where}: @dimensions is a number, not {count[:20]!r}")
    return labels, int(count) or None


# ---- IDX

def _idx_folder(folder: Path) -> dict[str, Raw]:
    found = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        arrays = []
        for kind, dims in (("images", 3), ("labels", 1)):
            usual = f"{prefix}-{kind}-idx{dims}-ubyte"
            files = [folder / (stem + end) for stem in (usual, usual.replace("-idx", ".idx")) for end in ("", ".gz")]
            path = next((file for file in files if file.is_file()), None)
            check(path is not None, f"{folder}: no {usual}, and no {usual}.gz: a folder of data has four IDX files")
            data = _bytes(path)
            check(len(data) <= LIMIT, f"{path} has more than {LIMIT:,} bytes")
            array = read_idx(data, str(path))
            check(array.ndim == dims, f"{path} has {array.ndim} dimensions, not {dims}")
            arrays.append(array)
        found[split] = Raw(*arrays)
    return found


READERS = {".npz": _npz, ".csv": lambda path: _pair(path, _csv), ".ts": lambda path: _pair(path, _ts)}
