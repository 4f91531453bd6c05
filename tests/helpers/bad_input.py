"""A folder of files that commands are to refuse, and of some that they would take."""

import gzip
import json
import os
from pathlib import Path

import ltcs
import numpy as np
from image_files import idx
from safetensors.numpy import save_file

from golden.data.images import COUNTS
from golden.files import read_safetensors

ROOT = Path(__file__).resolve().parent.parent.parent


def network(path, title="tiny", sizes=(1, 4, 10), activations=("linear", "tanh"), **tensors):
    """A network as training would leave it; tensors take the place of its own."""
    rng, own, kind = np.random.default_rng(0), {}, np.float32
    for n, (i, o) in enumerate(zip(sizes, sizes[1:], strict=False)):
        own |= {f"layers.{n}.weight": rng.normal(0, 1, (o, i)).astype(kind), f"layers.{n}.bias": np.zeros(o, kind),
                f"layers.{n}.tau_m": np.ones(o, kind), f"layers.{n}.tau_r": np.full(o, 0.2, kind)}
    own |= {name.replace("__", "."): value for name, value in tensors.items()}
    save_file({key: value for key, value in own.items() if value is not None}, path,
              {"network": json.dumps({"name": title, "dt": 0.2, "activations": list(activations)})})
    return path


def wrong_files(folder):
    """Fill a folder with files that are wrong, each in its own way."""
    whole = network(folder / "tiny.safetensors").read_bytes()
    for name, content in {"cut": whole[:-5], "short": whole[:5], "empty": b"", "text": b"not a network",
                          "long": (2**62).to_bytes(8, "little") + whole[8:]}.items():
        (folder / f"{name}.safetensors").write_bytes(content)
    (folder / "folder.safetensors").mkdir()
    (folder / "file").write_text("a file")
    os.symlink("nowhere", folder / "dangling")
    wrong = {"layers__1__weight": np.full((10, 4), np.nan, np.float32)}
    network(folder / "nan.safetensors", **wrong)
    network(folder / "inf.safetensors", layers__0__bias=np.full(4, np.inf, np.float32))
    network(folder / "less.safetensors", layers__1__tau_r=None)
    network(folder / "more.safetensors", layers__2__weight=np.ones((10, 10), np.float32))
    network(folder / "chain.safetensors", layers__1__weight=np.ones((10, 5), np.float32))
    network(folder / "flat.safetensors", layers__1__weight=np.ones(12, np.float32))
    network(folder / "still.safetensors", layers__0__tau_m=np.zeros(4, np.float32))
    network(folder / "wide.safetensors", layers__0__weight=np.full((4, 1), 99, np.float32))
    network(folder / "slash.safetensors", title="../outside")
    network(folder / "relu.safetensors", activations=("linear", "swish"))
    network(folder / "many.safetensors", "many", sizes=[64] * 8, activations=["tanh"] * 7)
    save_file({"x": np.ones(1, np.float32)}, folder / "bare.safetensors")
    save_file({"x": np.ones(1, np.float32)}, folder / "spiking.safetensors", {"spiking_network": "{}", "weights": "[]"})
    save_file({"x": np.ones(1, np.float32)}, folder / "json.safetensors", {"network": "{"})
    network(folder / "list.safetensors", title=["a"])
    images, labels = (COUNTS["mnist"][1], 28, 28), (COUNTS["mnist"][1],)
    whole_x, whole_y = idx(np.zeros(images)), idx(np.zeros(labels))
    names = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
    for name, (x, y) in {"cut-idx": (whole_x[:-9], whole_y), "label": (whole_x, idx(np.full(labels, 10))),
                         "gzip": (gzip.compress(whole_x)[:-9], whole_y), "few": (idx(np.zeros((9, 28, 28))), whole_y),
                         "ints": (b"\0\0\x0c\3" + bytes(12), whole_y), "png": (b"\x89PNG" * 9, whole_y),
                         "none": (b"", b"")}.items():
        (folder / name).mkdir()
        for file, content in zip(names, (x, y), strict=True):
            (folder / name / file).write_bytes(content)
    (folder / "film.avi").write_bytes(b"RIFF" + bytes(99))
    own_files(folder)
    ltc_files(folder)
    # MNIST-1D is made once for all
    (folder / "data").mkdir()
    return folder


def ltc_files(folder):
    """Networks with liquid time constants, each wrong in its own way, and a recipe of one."""
    real = ltcs.random_trained(1, sizes=(2, 4, 2))
    real.save(folder / "ltc.safetensors")
    (folder / "ltc.toml").write_text('kind = "ltc"\nname = "liquid"\nlayers = [4]\n')
    tensors, about = read_safetensors(folder / "ltc.safetensors")
    head = json.loads(about["ltc_network"])
    for name, more, changed in (("ltc-less", {"layers.0.Wm": None}, {}), ("ltc-base", {}, {"b0": [-0.1]}),
                                ("ltc-shape", {"layers.0.Wr": np.ones((4, 5), np.float32)}, {}),
                                ("ltc-gate", {"readout.bg": np.full(2, 1e4, np.float32)}, {}),
                                ("ltc-top", {}, {"b0": [7.0]}), ("ltc-form", {}, {"formats": [["Q1.6"] * 7] * 2})):
        own = {key: value for key, value in (tensors | more).items() if value is not None}
        save_file(own, folder / f"{name}.safetensors", about | {"ltc_network": json.dumps(head | changed)})
    np.savez(folder / "nine.npz", x_train=np.ones((18, 5, 2)), y_train=np.arange(18) % 9, x_test=np.ones((9, 5, 2)),
             y_test=np.arange(9))
    np.savez(folder / "short.npz", x_train=np.ones((4, 5, 2)), y_train=np.arange(4) % 2, x_test=np.ones((4, 5, 2)),
             y_test=np.arange(4) % 2, lengths_train=np.array([5, 0, 3, 3]), lengths_test=np.full(4, 5))


def own_files(folder):
    """A recipe, and data of a user's, most of them wrong."""
    x, y = np.ones((8, 5, 2)), np.arange(8) % 2
    (folder / "mine.toml").write_text('kind = "rate"\nname = "mine"\n[[layers]]\nneurons = 4\ntau_m = 1\ntau_r = 0.2\n')
    (folder / "misspelt.toml").write_text('kind = "rate"\nname = "mine"\nepoch = 3\nlayers = []\n')
    (folder / "cut.toml").write_text('kind = "ra')
    files = {"late": {}, "nan": {"x_train": np.where(np.arange(80).reshape(8, 5, 2) == 10, np.nan, x)},
             "one": {"y_train": np.full(8, 3), "y_test": np.full(8, 3)}, "shape": {"x_train": np.ones(8)},
             "few": {"x_train": x[:4], "y_train": np.arange(4)}, "type": {"x_train": np.full((8, 5, 2), "a")}}
    for name, changed in files.items():
        np.savez(folder / f"{name}.npz", **({"x_train": x, "y_train": y, "x_test": x, "y_test": y} | changed))
    np.savez(folder / "names.npz", x_train=x, y_train=y)
    (folder / "channels.ts").write_text("@dimensions 2\n@classLabel true a b\n@data\n1,2:1,2,3:a\n")
    (folder / "cells.csv").write_text("label,a,b\n1,2,3\n1,2\n")
    network(folder / "big.safetensors", "big", sizes=(2, 4, 2),
            layers__1__weight=np.full((2, 4), 1e6, np.float32))
