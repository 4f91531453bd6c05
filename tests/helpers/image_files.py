"""IDX files and npm archives made here, and what a reader says of damaged ones."""

import contextlib
import hashlib
import re
import struct
import tracemalloc

import numpy as np
import pytest

HEAD = b"\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\3"      # two images of 1x3
SMALL = {"fashion-mnist": (60, 20, 12), "mnist": (60, 20, 12), "mnist-10k": (24, 6, 5), "digits": (1437, 360, 287)}


def sha(*arrays):
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()


def idx(values):
    """An IDX file of bytes."""
    array = np.asarray(values)
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def refuses(message, call, *args, **kwargs):
    """Whether one line says `message`."""
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        call(*args, **kwargs)
    assert "\n" not in str(error.value)


def answer(call, *args, **kwargs):
    """What it returns, or the text of its ValueError."""
    try:
        return call(*args, **kwargs)
    except ValueError as error:
        return str(error)


@contextlib.contextmanager
def peak_below(limit):
    """Whether Python never has `limit` bytes more than before."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()
