"""HDF5 as the other half of golden/nir/hdf5.py: groups and data sets, the same bytes for the same content.

Written is what every version of the library since 1.8 reads: superblock 0, headers of version 1 with links in them,
values contiguous, or in one chunk behind gzip where that is shorter. Source: HDF5 File Format Specification 3.0.
"""

import struct
import zlib

import numpy as np

from golden.checks import check, listed
from golden.nir.hdf5 import SIGNATURE

UNDEFINED = (1 << 64) - 1
#: values from this many bytes on are worth a chunk; what gzip gains must be more than its index takes
LARGE, INDEX = 4096, 24 + 64 * 8
#: entries of an index of chunks that a superblock of version 0 implies
FANOUT = 64
#: sign bit, exponent (bit, bits), mantissa bits, bias
FLOATS = {4: (31, 23, 8, 23, 127), 8: (63, 52, 11, 52, 1023)}


def dump(root: dict, attributes: dict | None = None) -> bytes:
    """The bytes of a file whose root holds `root`: a dict is a group, a text or an array of numbers a data set.

    attributes: of groups, by their paths, {"/": {"name": value}}. ValueError names what has no form.
    """
    out = bytearray(96)
    top = _group(out, root, "/", attributes or {})
    out += bytes(-len(out) % 8)
    out[:96] = SIGNATURE + bytes((0, 0, 0, 0, 0, 8, 8, 0)) + struct.pack("<HHI", 4, 16, 0) \
        + struct.pack("<QQQQ", 0, UNDEFINED, len(out), UNDEFINED) + struct.pack("<QQII16x", 0, top, 0, 0)
    return bytes(out)


def _put(out: bytearray, data: bytes) -> int:
    """Behind what is there, at a multiple of 8; the address."""
    out += bytes(-len(out) % 8)
    out += data
    return len(out) - len(data)


def _header(out: bytearray, messages: list[tuple[int, bytes]]) -> int:
    body = b""
    for kind, content in messages:
        content += bytes(-len(content) % 8)
        check(len(content) < 1 << 16, "a value in a header is too large")
        body += struct.pack("<HHB3x", kind, len(content), 0) + content
    check(len(messages) < 1 << 16, "a group has too many members")
    return _put(out, struct.pack("<BxHIIxxxx", 1, len(messages), 1, len(body)) + body)


def _group(out: bytearray, members: dict, path: str, attributes: dict) -> int:
    # no heap, no tree: links stand in the header
    messages = [(2, struct.pack("<BBQQ", 0, 0, UNDEFINED, UNDEFINED)), (10, bytes(2))]
    for name in sorted(members):
        check(isinstance(name, str) and 0 < len(name.encode()) < 1 << 15 and "/" not in name and name not in (".", "..")
              and "\0" not in name, f"{path}: {listed([name])} is no name of a member")
        full, value = f"{path.rstrip('/')}/{name}", members[name]
        address = _group(out, value, full, attributes) if isinstance(value, dict) else _dataset(out, value, full)
        text = name.encode()
        # the length of a name takes two bytes, and it is UTF-8
        messages.append((6, struct.pack("<BBBH", 1, 0x11, 1, len(text)) + text + struct.pack("<Q", address)))
    messages += [(12, _attribute(name, value, path)) for name, value in sorted(attributes.get(path, {}).items())]
    return _header(out, messages)


def _attribute(name: str, value, path: str) -> bytes:
    kind, shape, data = _values(value, path)
    parts = [name.encode() + b"\0", kind, _shape(shape)]
    sizes = struct.pack("<BxHHH", 1, *map(len, parts))
    return sizes + b"".join(part + bytes(-len(part) % 8) for part in parts) + data


def _dataset(out: bytearray, value, path: str) -> int:
    kind, shape, data = _values(value, path)
    packed = zlib.compress(data, 6) if shape and len(data) >= LARGE else data
    messages = [(1, _shape(shape)), (3, kind), (5, bytes((2, 2, 0, 0)))]
    if len(packed) + INDEX < len(data):
        at = _put(out, packed)
        item, rank = len(data) // int(np.prod(shape)), len(shape)
        key = struct.pack("<II", len(packed), 0) + bytes(8 * (rank + 1))
        behind = struct.pack("<II", 0, 0) + struct.pack(f"<{rank + 1}Q", *shape, 0)
        tree = b"TREE" + struct.pack("<BBHQQ", 1, 0, 1, UNDEFINED, UNDEFINED) + key + struct.pack("<Q", at) + behind
        whole = 24 + (FANOUT + 1) * len(key) + FANOUT * 8
        at = _put(out, tree + bytes(whole - len(tree)))
        layout = struct.pack("<BBBQ", 3, 2, rank + 1, at) + struct.pack(f"<{rank + 1}I", *shape, item)
        messages.append((11, struct.pack("<BB6xHHHHII", 1, 1, 1, 0, 1, 1, 6, 0)))
    else:
        layout = struct.pack("<BBQQ", 3, 1, _put(out, data) if data else UNDEFINED, len(data))
    return _header(out, [*messages, (8, layout)])


def _shape(shape: tuple[int, ...]) -> bytes:
    return struct.pack("<BBB5x", 1, len(shape), 0) + struct.pack(f"<{len(shape)}Q", *shape)


def _values(value, path: str) -> tuple[bytes, tuple[int, ...], bytes]:
    """Type, shape and bytes of a number, a text, or an array of such."""
    value = np.asarray(value)
    if value.dtype.kind in "UO":
        texts = [str(each).encode() for each in value.ravel()]
        size = max(map(len, texts), default=0) + 1
        # zeros behind, UTF-8
        return bytes((0x13, 0x11, 0, 0)) + struct.pack("<I", size), value.shape, \
            b"".join(text.ljust(size, b"\0") for text in texts)
    if value.dtype.kind == "b":
        value = value.astype(np.int8)
    check(value.dtype.kind in "iu" or value.dtype.kind == "f" and value.dtype.itemsize in FLOATS,
          f"{path}: values of type {value.dtype} are not written")
    size = value.dtype.itemsize
    data = value.astype(value.dtype.newbyteorder("<")).tobytes()
    if value.dtype.kind != "f":
        signed = 8 if value.dtype.kind == "i" else 0
        return bytes((0x10, signed, 0, 0)) + struct.pack("<IHH", size, 0, 8 * size), value.shape, data
    sign, place, width, digits, bias = FLOATS[size]
    return bytes((0x11, 0x20, sign, 0)) + struct.pack("<IHHBBBBI", size, 0, 8 * size, place, width, 0, digits, bias), \
        value.shape, data
