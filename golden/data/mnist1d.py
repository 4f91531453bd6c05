"""Data sets, made or loaded without torch and without a download.

MNIST-1D: ten templates of 12 points, padded, shifted, scaled, sheared and buried in noise
(Greydanus, arXiv 2011.14439; PyPI `mnist1d`, Apache-2.0). [GLE] (arXiv 2403.16933) feeds it as one
channel over 360 time steps, one value a step: the generator's defaults but for the length.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from golden.files import read_npz, write_npz

CACHE = Path("build") / "data"

MNIST1D_ARGUMENTS = {
    "num_samples": 5000,        # 4000 for training, 1000 for the test
    "train_split": 0.8,
    "padding": [36, 60],
    "max_translation": 48,
    "scale_coeff": 0.4,
    "iid_noise_scale": 0.02,
    "corr_noise_scale": 0.25,
    "shear_scale": 0.75,
    "shuffle_seq": False,
    "final_seq_length": 360,    # 12 points and 60 of padding, supersampled five times
    "seed": 42,
}
HELD_OUT = 800                  # training sequences kept back for every choice
SPLIT_SEED = 2403
CLASSES = 10
#: first tick of a sequence whose output counts for its answer: before it, the chain still leaves the state that it
#: starts from (rest, or what the sequence before left), and outputs say little of the input. Chosen on "held_out".
ANSWER_FROM = 36


class Split(NamedTuple):
    """Sequences x float32 (n, 360), mean 0 and deviation 1 over all 5000; labels y int64 (n,)."""

    x: np.ndarray
    y: np.ndarray


def mnist1d(split: str, *, cache: str | Path = CACHE) -> Split:
    """Return one split of MNIST-1D x 360: "train" (4000), "test" (1000), "fit", or "held_out".

    "fit" (3200) and "held_out" (800) are a fixed partition of "train": every setting is chosen on
    them. The first call makes the data (the generator seeds numpy's global one) and caches them.
    """
    if split not in ("train", "test", "fit", "held_out"):
        raise ValueError(f'split must be "train", "test", "fit" or "held_out", not "{split}"')
    file = Path(cache) / f"mnist1d-{MNIST1D_ARGUMENTS['final_seq_length']}.npz"
    if not file.exists():
        write_npz(file, _make_mnist1d())
    part = "test" if split == "test" else "train"
    x, y = read_npz(file, f"{part}_x", f"{part}_y")
    if split in ("train", "test"):
        return Split(x, y)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(y))
    chosen = np.sort(order[:HELD_OUT] if split == "held_out" else order[HELD_OUT:])
    return Split(x[chosen], y[chosen])


def _make_mnist1d() -> dict[str, np.ndarray]:
    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("MNIST-1D needs its generator: pip install mnist1d") from error
    return _made_once(get_dataset_args, make_dataset)


# two seconds and more: a process that keeps the data in several folders makes them once
@functools.cache
def _made_once(get_dataset_args, make_dataset) -> dict[str, np.ndarray]:
    arguments = get_dataset_args()
    for name, value in MNIST1D_ARGUMENTS.items():
        setattr(arguments, name, value)
    made = make_dataset(arguments)
    return {
        "train_x": made["x"].astype(np.float32), "train_y": made["y"].astype(np.int64),
        "test_x": made["x_test"].astype(np.float32), "test_y": made["y_test"].astype(np.int64),
    }
