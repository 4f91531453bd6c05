"""HDF5 files for tests of the reader, drawn here, written by h5py: `python tests/helpers/hdf5s.py` writes those kept.

Kept are tests/foreign/files/*.h5 (h5py 3.16, HDF5 2.0), each for one range of format versions, and rasters.h5 and *.nir
(the package `nir`, of the version in the name, or 1.0.8): so readers are tested where neither package is installed.
"""

import sys
from pathlib import Path

import numpy as np

#: this folder is not called nir, since a folder of that name on the path of tests would pass for the package
FILES = Path(__file__).resolve().parent.parent / "foreign" / "files"
#: by the name of a kept file, the least format version that h5py is told to write
VERSIONS = {"old.h5": "earliest", "new.h5": "v108", "latest.h5": "latest"}
TYPES = "i1 u1 >i2 <i4 >u8 i8 f2 >f2 f4 >f4 f8 >f8".split()


def values() -> dict:
    """Data sets by name: value, and options of h5py's create_dataset."""
    rng = np.random.default_rng(16)
    x = rng.normal(size=(9, 14)).astype(np.float32)
    found = {"bool": (np.array([True, False, True]), {}), "true": (np.bool_(True), {}), "text": ("tau: \u03c4", {}),
             "none": (np.zeros((0, 3)), {}), "one": (np.float64(0.1), {}), "int": (7, {}),
             "fixed": (np.array([b"ab", b"cde"]), {}), "texts": (np.array([["a", "b.c"], ["", "\u03c4"]], object), {}),
             "long": (np.array([1.5, -3.25, 0, 2.0 ** 1000, 2.0 ** -1060], np.longdouble), {}),
             "line": (np.arange(700), {"compression": "gzip", "chunks": (3,)}), "plain": (x, {}),
             "gzip": (x, {"compression": "gzip"}), "shuffled": (x, {"compression": 9, "shuffle": True}),
             "checked": (x, {"compression": 1, "fletcher32": True, "shuffle": True}), "chunks": (x, {"chunks": (4, 5)}),
             "whole": (x, {"chunks": (9, 14)}), "pieces": (x, {"chunks": (4, 5), "compression": "gzip"}),
             "points": (x[:2], {"chunks": (1, 1), "compression": "gzip"})}
    return found | {f"t{name.replace('>', 'b').replace('<', 'l')}":
                    ((rng.normal(size=(2, 3)) * 50).astype(np.int64).astype(name), {}) for name in TYPES}


def attributes() -> dict:
    """Attributes of the root: more than a header holds."""
    return {f"a{n}": n / 4 for n in range(12)} | {"__type__": "NIRGraphData", "list": np.arange(3)}


def write(path, version: str) -> None:
    import h5py
    with h5py.File(path, "w", libver=version) as file:
        for name, (value, options) in values().items():
            if isinstance(value, np.ndarray) and value.dtype.kind == "O":
                options = options | {"dtype": h5py.string_dtype()}
            file.create_dataset(f"values/{name}", data=value, **options)
        for n in range(30):
            file[f"groups/a group called {n}/number"] = n
        file.create_dataset("never written", (40,), "f4")
        file.create_dataset("never written, chunks", (40,), "f4", chunks=(7,))
        file.attrs.update(attributes())


if __name__ == "__main__":
    FILES.mkdir(exist_ok=True)
    for name, version in VERSIONS.items():
        write(FILES / name, version)
    sys.exit(0)
