"""Data sets of a user as files."""

import csv

import numpy as np

RNG = np.random.default_rng(5)
HEAD = "# words\n@problemName Two\n@timeStamps false\n@univariate false\n@dimensions 2\n@classLabel true b a\n@data\n"


def arrays(n=20, ticks=6, channels=2, classes=3, **changed):
    """Arrays of an .npz file."""
    found = {}
    for split, count in (("train", n), ("test", n // 2)):
        found |= {f"x_{split}": RNG.normal(0, 1, (count, ticks, channels)), f"y_{split}": np.arange(count) % classes}
    return found | changed


def saved(path, **changed):
    np.savez(path, **{name: value for name, value in arrays(**changed).items() if value is not None})
    return str(path)


def written(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path)
