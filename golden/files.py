"""Files of the project: written whole or not at all, read with one line where something is wrong.

What is written stands beside its place, under a name of its own, until it is complete: a run that ends early, a full
disk or two writers at once leave no half file, and what was there before stays until then.
"""

import errno
import io
import json
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from golden.checks import check

#: bytes that a place is tried with
TRIED = 65_536


def write_whole(path, content: bytes | str) -> None:
    """Write a file (text as UTF-8), and the folders above it where they are missing.

    OSError, one line with `path`, where that cannot be done.
    """
    write_together({path: content})


def write_together(files: dict) -> None:
    """Write several files as `write_whole` does, {path: content}: none takes its place before all are complete."""
    parts = {}
    try:
        for path, content in files.items():
            beside = _beside(path)
            parts[beside] = path
            with beside.open("xb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
        for beside, path in parts.items():
            beside.replace(path)
    except OSError as error:
        if error.strerror is None:      # says it all
            raise
        raise OSError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        for beside in parts:
            beside.unlink(missing_ok=True)


def check_writable(path) -> None:
    """OSError where `path` could not be written: before work that takes long, of which nothing would be left.

    Neither a file nor a folder is left behind. On a full disk a file can be made and not be filled: TRIED bytes are.
    """
    path = Path(path)
    there, missing = path.absolute().parent, [f".{path.name}-{secrets.token_hex(4)}"]
    while not os.path.lexists(there):
        missing.append(there.name)
        there = there.parent
    _check_place(path)
    try:
        if not os.path.isdir(there):
            raise OSError(errno.ENOTDIR, f"{there} is no folder")
        for name in missing:
            with suppress(FileNotFoundError):
                os.lstat(there / name)      # a name may be too long
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(TRIED))
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror}") from None


def _check_place(path: Path) -> None:
    if os.path.lexists(path) and not os.path.isfile(path):  # a folder; or a device, in whose place no file may come
        raise OSError(f"{path} cannot be written: it is there already, and is no file")


def _beside(path) -> Path:
    """A free name beside `path`, whose folder is made where it is missing."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OSError(f"{path} cannot be written: {error.filename} is no folder") from None
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror}") from None
    _check_place(path)
    return path.with_name(f".{path.name}-{secrets.token_hex(4)}")


def parse_file(path, parse):
    """What `parse` makes of the bytes of a file; ValueError, one line with `path`, where that or reading fails."""
    try:
        return parse(Path(path).read_bytes())
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


# ---- JSON

def to_json(value, **options) -> str:
    """JSON of a value, in which numpy's numbers and arrays, and paths, may stand; ValueError for other types."""
    try:
        return json.dumps(value, default=_plain, **options)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"{type(value).__name__} has no form in JSON: {error}") from None


def _plain(value):
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} is a {type(value).__name__}")


def from_json(text: str, what: str):
    """The value of a JSON text; ValueError names `what` it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} is not JSON: {error}") from None


def write_json(path, value) -> None:
    """Write JSON, whole or not at all."""
    write_whole(path, to_json(value, indent=1) + "\n")


# ---- arrays

def reals(name: str, value, shape: tuple | None = None) -> np.ndarray:
    """The array of real numbers, float64, contiguous, a copy; ValueError for other types and shapes, NaN, infinity."""
    value = np.asarray(value)
    check(value.dtype.kind in "iuf", f"{name} must be real numbers, not {value.dtype}")
    check(shape is None or value.shape == shape, f"{name} has shape {value.shape}, expected {shape}")
    with np.errstate(over="ignore"):        # of what is wider than float64
        value = np.array(value, np.float64, order="C")
    bad = np.argwhere(~np.isfinite(value))
    if len(bad):
        raise ValueError(f"{name}{bad[0].tolist()} is {value[tuple(bad[0])]}, not a finite number")
    return value


def narrowest(value: np.ndarray) -> np.ndarray:
    """As float32 where that says the same, else as it is."""
    with np.errstate(over="ignore"):
        single = value.astype(np.float32)
    return single if np.array_equal(single, value) else value


def integers(name: str, value, dtype) -> np.ndarray:
    """The array of integers in the type of a file; ValueError where that does not hold them."""
    value = np.asarray(value)
    check(value.dtype.kind in "iu", f"{name} must be integers, not {value.dtype}")
    found = value.astype(dtype)
    check(np.array_equal(found, value), f"{name} does not fit {np.dtype(dtype)}")
    return found


def write_npz(path, arrays: dict) -> None:
    """Write arrays by name, compressed: what is kept of data that can be made again."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_whole(path, content.getvalue())


def read_npz(path, *names: str) -> tuple[np.ndarray, ...]:
    """The arrays of these names; ValueError says that the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return tuple(arrays[name] for name in names)
    except Exception as error:      # of a damaged file numpy raises anything, from zlib.error to TokenError
        raise ValueError(f"{path} is damaged ({' '.join(str(error).split())}): delete it, it is made again") from None


# ---- safetensors

def safetensors_bytes(tensors: dict, about: dict[str, str]) -> bytes:
    """A safetensors file of arrays of real numbers by name, and metadata: the same bytes each time.

    The library takes an array's memory as it stands, transposed, strided or not, and metadata in an order that changes
    from run to run: here arrays are contiguous, and metadata sorted.
    """
    from safetensors.numpy import save
    found = {}
    for name, value in tensors.items():
        value = np.asarray(value)
        check(value.dtype.kind in "iuf", f"{name} must be real numbers, not {value.dtype}")
        found[name] = np.array(value, value.dtype.newbyteorder("="), order="C")
    for name, text in about.items():
        check(isinstance(text, str), f"metadata {name} must be a text, not {text!r}")
    data = save(found, about)
    start = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:start])
    head["__metadata__"] = dict(sorted(about.items()))
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)         # arrays begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + data[start:]


def write_safetensors(path, tensors: dict, about: dict[str, str]) -> None:
    """Write `safetensors_bytes`, whole or not at all."""
    write_whole(path, safetensors_bytes(tensors, about))


def read_safetensors(path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays by name, and the metadata; ValueError says in one line, with `path`, what is wrong."""
    from safetensors import SafetensorError, safe_open
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in sorted(file.keys())}, file.metadata() or {}
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{path}: not a safetensors file ({' '.join(str(error).split())})") from None
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{path}: a tensor has a type that numpy lacks ({error}); float32 is expected") from None
