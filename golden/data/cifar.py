"""CIFAR-10 and CIFAR-100 from a folder of their published binary files (Krizhevsky, 2009); nothing is downloaded.

CIFAR-10    data_batch_1.bin to data_batch_5.bin and test_batch.bin: an image is a byte of its class, 0..9, and 3,072 of
            pixels: 32 rows of 32 of red, then of green, then of blue
CIFAR-100   train.bin and test.bin: a byte of the coarse class, 0..19, one of the fine class, 0..99, and the pixels; the
            fine class is what is learnt

Of each file the length has to be whole images, and the classes in range; how many images there are is not asked, so
that a part of the set can be used as well.
"""

from pathlib import Path

import numpy as np

from golden.checks import check

SIDE, CHANNELS = 32, 3
PIXELS = SIDE * SIDE * CHANNELS
#: by the file that tells them: the files of each split, and the classes that a byte before the pixels may say
KINDS = {
    "data_batch_1.bin": ({"train": tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test": ("test_batch.bin",)},
                         (10,)),
    "train.bin": ({"train": ("train.bin",), "test": ("test.bin",)}, (20, 100)),
}
MOST = 1 << 28      # bytes of a file; the published ones have at most 153,700,000


def is_folder(folder: Path) -> bool:
    """Whether a folder has files of either set."""
    return any((folder / name).is_file() for name in KINDS)


def read(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of "train" and "test": images uint8 (n, 32, 32, 3) and classes int64 (n,); ValueError, one line with the file."""
    files, labels = next(kind for name, kind in KINDS.items() if (folder / name).is_file())
    found = {}
    for split, names in files.items():
        parts = [_file(folder / name, labels) for name in names]
        found[split] = np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
    return found


def _file(path: Path, labels: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file, and the set has one") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    check(len(data) <= MOST, f"{path} has more than {MOST:,} bytes")
    size = PIXELS + len(labels)
    check(data and len(data) % size == 0,
          f"{path} has {len(data):,} bytes, no multiple of the {size:,} that an image takes")
    rows = np.frombuffer(data, np.uint8).reshape(-1, size)
    for n, classes in enumerate(labels):
        wrong = np.flatnonzero(rows[:, n] >= classes)
        if len(wrong):
            raise ValueError(f"{path}: image {wrong[0]} has class {rows[wrong[0], n]}, there are 0..{classes - 1}")
    pixels = rows[:, len(labels):].reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels), rows[:, len(labels) - 1].astype(np.int64)
