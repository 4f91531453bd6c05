"""What a data set is, for networks of every kind, and how arrays of a user's become one: `own` checks everything."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from golden.checks import check, listed
from golden.data.series import Raw
from golden.files import reals

SPLITS = ("train", "fit", "held_out", "test")
FORMS = ("sequence", "image")
SPLIT_SEED = 1711
#: of every so many samples of a class (of all, for regression) one is kept back
HELD_BACK = 5
WHOLE = re.compile(r"-?[0-9]{1,9}")


class Samples(NamedTuple):
    """What a split holds: x, y and lengths.

    Sequences  x float32 (n, ticks, channels), as long as the longest one, and 0 behind the end of the others;
               lengths int64 (n,), the ticks of each
    Images     x uint8 (n, pixels), row after row, 0..255; lengths None
    Both       y int64 (n,), classes 0..classes - 1, or float32 (n, targets) for regression
    """

    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set: `load(split)` gives Samples; splits are train, its fixed parts fit and held_out, and test.

    name         as in SETS, or of the user's file; `source` is what `find` takes to find the set again
    form         "sequence" or "image"
    inputs       channels, or pixels
    classes      None: regression of `targets` numbers a sample
    answer_from  first tick whose outputs count for the answer to a sequence
    labels       what the classes are called in the user's file
    shape        of images: rows, columns and channels, in the order of x
    """

    name: str
    doc: str
    form: str
    inputs: int
    classes: int | None
    read: Callable
    source: str = ""
    targets: int = 0
    answer_from: int = 0
    labels: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()

    @property
    def outputs(self) -> int:
        """Outputs that a network for it has."""
        return self.targets if self.classes is None else self.classes

    @property
    def unit(self) -> str:
        """What its samples are called."""
        return "images" if self.form == "image" else "sequences"

    def load(self, split: str) -> Samples:
        """The samples of a split; ValueError where there is no such split, or files are missing or damaged."""
        check(split in SPLITS, f"a split is one of {', '.join(SPLITS)}, not {split!r}")
        return self.read(split)


def own(raw: dict[str, Raw], *, name: str, source: str = "", form: str | None = None,
        labels: tuple | None = None) -> DataSet:
    """A data set of raw arrays {"train": ..., "test": ...}; without "test" a fixed part of "train" takes its place."""
    check("train" in raw, f"{name}: no training samples")
    form = form or ("image" if _is_images(raw["train"].x) else "sequence")
    parts = {split: _checked(part, f"{name} {split}", form) for split, part in raw.items()}
    train, shape = parts["train"][0], _shape(raw["train"].x, form)
    for split, (x, *_) in parts.items():
        inputs = x.shape[-1]
        check(inputs == train.shape[-1], f"{name} {split}: {inputs} {_inputs(form)}, the training samples have "
                                         f"{train.shape[-1]}")
        found = _shape(raw[split].x, form)
        check(found == shape, f"{name} {split}: images of {found}, the training samples are of {shape}")
    targets, names = _targets({split: part.y for split, part in raw.items()}, name,
                              {split: len(part[0]) for split, part in parts.items()}, labels or raw["train"].labels)
    whole = {split: Samples(x, targets[split], lengths) for split, (x, lengths) in parts.items()}
    drawn = "" if "test" in whole else f", one of {HELD_BACK} kept back for the test"
    if drawn:
        left, kept = _partition(whole["train"].y)
        whole = {"train": _chosen(whole["train"], left), "test": _chosen(whole["train"], kept)}
    left, kept = _partition(whole["train"].y)
    whole |= {"fit": _chosen(whole["train"], left), "held_out": _chosen(whole["train"], kept)}
    classes = len(names) if names else None
    counts = f"{len(whole['train'].y):,} training and {len(whole['test'].y):,} test {_inputs(form, True)}"
    what = f"{classes} classes" if names else f"{targets['train'].shape[1]} targets"
    channels = "1 channel" if form != "image" and train.shape[-1] == 1 else f"{train.shape[-1]} {_inputs(form)}"
    doc = f"{what}, {channels}; {counts}{_ticks(whole)}{drawn}, from {source or 'arrays'}"
    return DataSet(name=name, doc=doc,
                   form=form, inputs=train.shape[-1], classes=classes, read=whole.__getitem__, source=source,
                   targets=0 if names else targets["train"].shape[1], labels=names, shape=shape)


def _ticks(whole: dict) -> str:
    """How long sequences are."""
    lengths = [length for part in whole.values() if part.lengths is not None for length in (part.lengths.min(),
                                                                                            part.lengths.max())]
    if not lengths:
        return ""
    low, high = min(lengths), max(lengths)
    return f" of {low:,} ticks" if low == high else f" of {low:,} to {high:,} ticks"


def _inputs(form: str, samples: bool = False) -> str:
    return ("images" if samples else "pixels") if form == "image" else ("sequences" if samples else "channels")


def _shape(x, form: str) -> tuple[int, ...]:
    """Rows, columns and channels of images; nothing of sequences."""
    return (*x.shape[1:], 1)[:3] if form == "image" else ()


def _is_images(x) -> bool:
    return isinstance(x, np.ndarray) and x.ndim in (3, 4) and x.dtype == np.uint8


def _checked(raw: Raw, what: str, form: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Samples as the form has them, and lengths."""
    if form == "image":
        check(isinstance(raw.x, np.ndarray) and raw.lengths is None, f"{what}: images have one size, no lengths")
        return _pixels(raw.x, what), None
    x, lengths = _padded(raw.x, what) if isinstance(raw.x, list | tuple) else (np.asarray(raw.x), raw.lengths)
    check(x.ndim in (2, 3), f"{what}: sequences are (n, ticks) or (n, ticks, channels), not of shape {x.shape}")
    check(0 not in x.shape, f"{what}: nothing in an array of shape {x.shape}")
    x = x[..., None] if x.ndim == 2 else x
    if lengths is None:
        lengths = np.full(len(x), x.shape[1], np.int64)
    lengths = np.asarray(lengths)
    check(lengths.shape == (len(x),) and lengths.dtype.kind in "iu",
          f"{what}: lengths must be {len(x)} integers, not {lengths.dtype} of shape {lengths.shape}")
    wrong = np.flatnonzero((lengths < 1) | (lengths > x.shape[1]))
    check(not len(wrong), f"{what}: the length of sequence {wrong[:1].tolist()} is not in 1..{x.shape[1]}")
    inside = np.arange(x.shape[1]) < lengths[:, None]
    check(x.dtype.kind in "iufb", f"{what}: x must be real numbers, not {x.dtype}")
    # behind its end a sequence is 0, whatever stood there
    x = reals(f"{what}: x", np.where(inside[..., None], x, 0).astype(np.float64))
    check(np.abs(x).max() < 1e30, f"{what}: x has values of {np.abs(x).max():g}: 1e30 and more have no use")
    return x.astype(np.float32), lengths.astype(np.int64)


def _padded(found, what: str) -> tuple[np.ndarray, np.ndarray]:
    """A list of arrays (ticks,) or (ticks, channels) as one array and lengths."""
    arrays = [np.asarray(one) for one in found]
    check(len(arrays) > 0, f"{what}: no sequences")
    arrays = [one[:, None] if one.ndim == 1 else one for one in arrays]
    for n, one in enumerate(arrays):
        check(one.ndim == 2 and 0 not in one.shape and one.dtype.kind in "iufb",
              f"{what}: sequence {n} must be real numbers (ticks, channels), not {one.dtype} of shape {one.shape}")
        check(one.shape[1] == arrays[0].shape[1],
              f"{what}: sequence {n} has {one.shape[1]} channels, sequence 0 has {arrays[0].shape[1]}")
    lengths = np.array([len(one) for one in arrays])
    x = np.zeros((len(arrays), lengths.max(), arrays[0].shape[1]))
    for row, one in zip(x, arrays, strict=True):
        row[:len(one)] = one
    return x, lengths


def _pixels(x: np.ndarray, what: str) -> np.ndarray:
    check(x.ndim in (3, 4) and 0 not in x.shape, f"{what}: images are (n, rows, columns) or (n, rows, columns, "
                                                 f"channels), not of shape {x.shape}")
    if x.dtype == np.uint8:
        return x.reshape(len(x), -1).copy()
    x = reals(f"{what}: x", x)
    top = 1 if x.max() <= 1 and not (x == np.floor(x)).all() else 255
    check(x.min() >= 0 and x.max() <= 255 and (top == 1 or (x == np.floor(x)).all()),
          f"{what}: images are whole numbers of 0 to 255, or reals of 0 to 1, not {x.min():g} to {x.max():g}")
    return np.rint(x * (255 / top)).astype(np.uint8).reshape(len(x), -1)


def _targets(found: dict, name: str, counts: dict, labels: tuple | None) -> tuple[dict, tuple[str, ...]]:
    """Classes 0..k - 1 of each split and their names, or float32 (n, targets) and no names."""
    found = {split: np.asarray(y) for split, y in found.items()}
    for split, y in found.items():
        check(len(y.shape) > 0 and len(y) == counts[split],
              f"{name} {split}: {counts[split]} samples and {len(y) if y.ndim else 0} of y")
        check(y.dtype.kind in "iufbUS", f"{name} {split}: y must be classes or real numbers, not {y.dtype}")
    if found["train"].dtype.kind == "f":
        return _numbers(found, name), ()
    texts = [y.dtype.kind in "US" for y in found.values()]
    if all(texts) and labels is None and all(WHOLE.fullmatch(str(text)) for y in found.values() for text in y.flat):
        found = {split: y.astype(np.int64) for split, y in found.items()}       # so that 10 comes behind 9
    check(all(texts) or not any(texts), f"{name}: classes are numbers in one split and texts in another")
    for split, y in found.items():
        check(y.dtype.kind != "f" and y.ndim == 1,
              f"{name} {split}: classes are one integer or text a sample, not {y.dtype} of shape {y.shape}")
    known = np.unique(found["train"]) if labels is None else np.array(labels)
    for split, y in found.items():
        strange = np.setdiff1d(y, known)
        check(not len(strange), f"{name} {split}: class {listed(strange[:1])} is none of the training set: "
                                f"{listed(known[:12])}")
    classes, samples = len(known), counts["train"]
    check(classes > 1, f"{name}: one class only, {listed(known)}: there is nothing to learn")
    check(samples >= 2 * classes, f"{name}: {samples} training samples of {classes} classes: two a class at least "
                                  f"(for regression y has to be real numbers)")
    order = np.argsort(known)
    return {split: order[np.searchsorted(known, y, sorter=order)].astype(np.int64) for split, y in found.items()}, \
        tuple(map(str, known.tolist()))


def _numbers(found: dict, name: str) -> dict:
    numbers = {}
    for split, y in found.items():
        check(y.dtype.kind in "iuf" and y.ndim in (1, 2) and 0 not in y.shape,
              f"{name} {split}: targets are real numbers (n,) or (n, targets), not {y.dtype} of shape {y.shape}")
        numbers[split] = reals(f"{name} {split}: y", y).astype(np.float32).reshape(len(y), -1)
        check(np.isfinite(numbers[split]).all(), f"{name} {split}: y has values beyond those of float32")
    widths = {split: y.shape[1] for split, y in numbers.items()}
    check(len(set(widths.values())) == 1, f"{name}: targets a sample differ: {widths}")
    check(len(numbers["train"]) >= 2, f"{name}: one training sample only")
    return numbers


def _partition(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of what is left and of what is kept back: one of HELD_BACK of each class, always the same."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(y))
    if y.ndim == 1:
        order = order[np.argsort(y[order], kind="stable")]
    kept = np.zeros(len(y), bool)
    kept[order[HELD_BACK // 2::HELD_BACK]] = True
    kept[order[-1]] |= not kept.any()
    return np.flatnonzero(~kept), np.flatnonzero(kept)


def _chosen(samples: Samples, which: np.ndarray) -> Samples:
    return Samples(*(None if part is None else part[which] for part in samples))
