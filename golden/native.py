"""C++ beside a Python file as a library: compiled once, and its structures as ctypes has them."""

import ctypes
import hashlib
import os
import re
from pathlib import Path

import numpy as np

from golden.fixed import QFormat
from golden.programs import build_once, compiler, run

CACHE = Path("build/compiled")
_FLAGS = ("-std=c++17", "-O3", "-march=native", "-fPIC", "-fvisibility=hidden", "-shared", "-w",
          "-fwrapv")        # as numpy


def build(source: Path, name: str) -> Path:
    """The library of a C++ file, built once a text, compiler and processor; RuntimeError where that fails."""
    text, program = source.read_text(encoding="utf-8"), compiler()
    target = run([program, "-march=native", "-dM", "-E", "-x", "c++", os.devnull]).stdout
    key = hashlib.sha256("\0".join((text, target, *_FLAGS)).encode()).hexdigest()[:16]

    def make(folder):
        run([program, *_FLAGS, str(source), "-o", str(folder / "built.so")])
        return folder / "built.so"
    return build_once((CACHE / f"{name}-{key}.so").absolute(), make)


def structures(text: str) -> dict[str, type]:
    """The structures of a C++ text as ctypes has them."""
    kinds = {"int64_t": ctypes.c_int64}
    for name, body in re.findall(r"^struct (\w+) \{(.*?)\};", re.sub("//.*", "", text), re.S | re.M):
        fields = []
        for kind, names in re.findall(r"(\w+)\b([^;]+);", body):
            fields += [(field.strip(" *\n"), ctypes.c_void_p if "*" in field else kinds[kind])
                       for field in names.split(",")]
        kinds[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
    return kinds


def fill(known, kind: str, values: dict):
    """A structure of a C++ text: integers, arrays for pointers, a QFormat for a Format, an integer for a Shift.

    `values` holds what the structure points to, and has to stay for as long.
    """
    found = known[kind]()
    for name, of in found._fields_:
        value = values.get(name)
        if value is None:
            continue
        if of is ctypes.c_void_p:
            value = value.ctypes.data if isinstance(value, np.ndarray) else ctypes.addressof(value)
        elif isinstance(value, dict):
            value = fill(known, of.__name__, value)
        elif isinstance(value, QFormat):
            value = of(value.min, value.max)
        elif of is not ctypes.c_int64:      # words are of less than 62 bits: beyond, all is rounded off
            right = min(value, 62)
            value = of(max(-value, 0), 1 << right - 1 if right > 0 else 0, max(right, 0))
        setattr(found, name, value)
    return found


def zeros(shape, dtype=np.int32) -> np.ndarray:
    """Zeros that begin at a line of the cache."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    offset = -raw.ctypes.data % 64
    return raw[offset:offset + size].view(dtype).reshape(shape)
