"""Values of an HDF5 file: types, shapes, where the bytes of a data set stand, and the filters that they went through.

Source: HDF5 File Format Specification 3.0, sections IV.A.2.b, d, i, l. What `h5py` writes of numbers, truth values and
texts is read; what else there is (compound types, references, external files, virtual data sets) is refused by name.
"""

import math
import zlib
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from golden.checks import check
from golden.nir.hdf5_bytes import Cursor, File, global_object, leaves

CLASSES = ("integer", "float", "time", "text", "bit field", "opaque", "compound", "reference", "enumeration",
           "text of any length", "array", "complex")
#: no stream of deflate gives more bytes than this for each of its own
MOST = 1032
#: sign, exponent (bit, bits), mantissa (bit, bits), bias of the floats that numpy has, by bytes
FLOATS = {2: (15, 10, 5, 0, 10, 15), 4: (31, 23, 8, 0, 23, 127), 8: (63, 52, 11, 0, 52, 1023)}


class Type(NamedTuple):
    """Of one value: class, bytes, numpy's type where it has one; fields of a float; of a text: whether any length."""

    kind: str
    size: int
    dtype: np.dtype | None = None
    fields: tuple[int, ...] = ()
    order: str = "<"


def parse_type(cursor: Cursor, depth: int = 0) -> Type:
    """Message 3: the type of values. ValueError for those that are not read."""
    first = cursor.uint(1)
    bits, size = cursor.uint(3), cursor.uint(4)
    kind = CLASSES[first & 15] if first & 15 < len(CLASSES) else "unknown"
    check(size > 0, "values have no bytes")
    check(depth < 4, "types stand within types without end")
    order = ">" if bits & 1 else "<"
    if kind == "integer":
        offset, precision = cursor.uint(2), cursor.uint(2)
        check(size in (1, 2, 4, 8) and offset == 0 and precision == 8 * size,
              f"integers of {precision} bits are not read")
        return Type(kind, size, np.dtype(f"{order}{'i' if bits & 8 else 'u'}{size}"))
    if kind == "float":
        check(not bits & 64, "floats of the VAX are not read")
        offset, precision = cursor.uint(2), cursor.uint(2)
        place, width, low, digits = (cursor.uint(1) for _ in range(4))
        fields = (bits >> 8 & 255, place, width, low, digits, cursor.uint(4))
        implied = bits >> 4 & 3 == 2
        check(size <= 16 and 1 <= width <= 16 and 1 <= digits <= 113, "the type of floats is damaged")
        check(max(fields[0], place + width - 1, low + digits - 1) < 8 * size, "the type of floats is damaged")
        if FLOATS.get(size) == fields and implied and offset == 0:
            return Type(kind, size, np.dtype(f"{order}f{size}"))
        return Type(kind, size, None, (*fields, int(implied)), order)
    if kind == "text":
        return Type(kind, size, None, (bits & 15,))
    if kind == "enumeration":
        base = parse_type(cursor, depth + 1)
        names = [_name(cursor, padded=first >> 4 < 3) for _ in range(min(bits & 0xFFFF, 3))]
        truth = names == [b"FALSE", b"TRUE"] and base.dtype is not None and base.size == 1
        return Type("bool" if truth else kind, size, base.dtype)
    if kind == "text of any length":
        check(bits & 15 == 1, "sequences of any length are not read")
        check(size == 8 + cursor.file.offsets, "the type of texts is damaged")
        return Type(kind, size)
    raise ValueError(f"values of type {kind} are not read")


def _name(cursor: Cursor, padded: bool) -> bytes:
    name = b""
    while (letter := cursor.take(1)) != b"\0":
        name += letter
    if padded:
        cursor.skip(-(len(name) + 1) % 8)
    return name


def parse_shape(cursor: Cursor) -> tuple[int, ...] | None:
    """Message 1: the shape, () for one value; None: no value at all."""
    version, rank, flags = cursor.version("a shape", 1, 2), cursor.uint(1), cursor.uint(1)
    kind = cursor.uint(1)
    if version == 1:
        kind = 1
        cursor.skip(4)
    check(rank <= 32 and flags < 4, "a shape is damaged")
    return None if kind == 2 else tuple(cursor.length() for _ in range(rank))


class Layout(NamedTuple):
    """Where the bytes are: in the header (`inline`), or at an address, whole or in chunks of a shape."""

    inline: Cursor | None = None
    address: int | None = None
    size: int | None = None
    chunk: tuple[int, ...] | None = None
    index: str = ""
    more: tuple[int, ...] = ()


def parse_layout(cursor: Cursor) -> Layout:
    """Message 8."""
    version, kind = cursor.version("a layout", 3, 4, 5), cursor.uint(1)
    if kind == 0:
        return Layout(inline=cursor.part(cursor.uint(2)))
    if kind == 1:
        address = cursor.address()
        return Layout(address=address, size=cursor.length())
    check(kind == 2, "a data set of other files is not read")
    if version == 3:
        rank = cursor.uint(1)
        address = cursor.address()
        return Layout(address=address, chunk=tuple(cursor.uint(4) for _ in range(rank))[:-1], index="tree")
    flags, rank, width = cursor.uint(1), cursor.uint(1), cursor.uint(1)
    chunk, index = tuple(cursor.uint(width) for _ in range(rank))[:-1], cursor.uint(1)
    check(index in (1, 2, 3), "chunks of a data set that may grow are not read")
    if index == 1:
        more = (cursor.length(), cursor.uint(4)) if flags & 2 else ()
    else:
        more = (cursor.uint(1),) if index == 3 else ()
    return Layout(address=cursor.address(), chunk=chunk, index={1: "single", 2: "all", 3: "array"}[index], more=more)


def parse_filters(cursor: Cursor) -> tuple[int, ...]:
    """Message 11: what the bytes of a chunk went through, in the order of writing."""
    version, count = cursor.version("a list of filters", 1, 2), cursor.uint(1)
    if version == 1:
        cursor.skip(6)
    found = []
    for _ in range(count):
        number = cursor.uint(2)
        named = cursor.uint(2) if version == 1 or number >= 256 else 0
        cursor.skip(2)
        values = cursor.uint(2)
        name = cursor.take(-(-named // 8) * 8 if version == 1 else named).rstrip(b"\0").decode("ascii", "replace")
        cursor.skip(4 * (values + (values % 2 if version == 1 else 0)))
        check(number in (1, 2, 3), f"filter {number}{f' ({name!r})' if name else ''} is not read: gzip, shuffle are")
        found.append(number)
    return tuple(found)


def unfilter(data: bytes, filters: tuple[int, ...], mask: int, size: int, item: int) -> bytes:
    """The `size` bytes of a chunk of items of `item` bytes; filter k is left out where bit k of mask is set."""
    for k in reversed(range(len(filters))):
        if mask >> k & 1:
            continue
        if filters[k] == 3:         # a checksum behind the data
            data = data[:-4]
        elif filters[k] == 1:
            # fletcher32 before deflate leaves its four bytes
            inflate = zlib.decompressobj()
            try:
                data = inflate.decompress(data, size + 8)
            except zlib.error as error:
                raise ValueError(f"compressed data are damaged ({error})") from None
        else:
            whole = len(data) // item * item
            planes = np.frombuffer(data[:whole], np.uint8).reshape(item, -1)
            data = planes.T.tobytes() + data[whole:]
    check(len(data) == size, f"a chunk has {len(data)} bytes, expected {size}")
    return data


def read_bytes(file: File, layout: Layout, filters: tuple[int, ...], shape: tuple[int, ...], item: int) -> bytes:
    """All bytes of a data set, in C order. Never more than the file could hold."""
    size = math.prod(shape) * item
    check(size <= MOST * len(file.data), f"{size} bytes are more than the file can hold")
    if layout.inline is not None:
        return layout.inline.take(size)
    if layout.chunk is None:
        # without an address nothing was written: zeros
        check(layout.address is None or layout.size == size,
              f"{size} bytes of data are expected, {layout.size} are there")
        return bytes(size) if layout.address is None else file.at(layout.address, size).take(size)
    chunk = layout.chunk
    check(len(chunk) == len(shape) > 0 and min(chunk) > 0, "the shape of chunks is damaged")
    bytes_each = math.prod(chunk) * item
    check(bytes_each <= MOST * len(file.data), f"chunks of {bytes_each} bytes are more than the file can hold")
    whole = np.zeros((*shape, item), np.uint8)
    for place, address, stored, mask in chunks(file, layout, bool(filters), shape, bytes_each):
        check(all(p % c == 0 and p < n for p, c, n in zip(place, chunk, shape, strict=True)), "a chunk is outside")
        data = file.at(address, stored).take(stored)
        data = np.frombuffer(unfilter(data, filters, mask, bytes_each, item), np.uint8).reshape(*chunk, item)
        inside = tuple(slice(p, p + c) for p, c in zip(place, chunk, strict=True))
        part = whole[inside]
        part[...] = data[tuple(slice(n) for n in part.shape[:-1])]
    return whole.tobytes()


def chunks(file: File, layout: Layout, filtered: bool, shape: tuple[int, ...], size: int):
    """(place of its first value, address, bytes in the file, mask of filters) of each chunk that was written."""
    if layout.address is None or 0 in shape:
        return
    chunk = layout.chunk
    if layout.index == "tree":
        for key, address in leaves(file, layout.address, 1, 8 + 8 * (len(shape) + 1)):
            stored, mask = key.uint(4), key.uint(4)
            yield tuple(key.uint(8) for _ in shape), address, stored, mask
        return
    grid = [-(-n // c) for n, c in zip(shape, chunk, strict=True)]
    count = math.prod(grid)
    if layout.index == "single":
        check(count == 1, "one chunk is too few for the shape")
        found = [(layout.address, *(layout.more or (size, 0)))]
    elif layout.index == "all":
        found = ((layout.address + k * size, size, 0) for k in range(count))
    else:
        found = fixed_array(file, layout, filtered, count, size)
    for k, (address, stored, mask) in enumerate(found):
        if address is not None:
            place = np.unravel_index(k, grid)
            yield tuple(int(p) * c for p, c in zip(place, chunk, strict=True)), address, stored, mask


def fixed_array(file: File, layout: Layout, filtered: bool, count: int, size: int):
    """(address, bytes, mask) of each chunk, in C order: the index of a data set of one size for ever."""
    head = file.block(layout.address, b"FAHD")
    head.version("an index", 0)
    head.skip(1)
    entry, bits, entries = head.uint(1), head.uint(1), head.length()
    check(entries >= count and entry * count <= len(file.data) and bits < 32, "the index of chunks is damaged")
    block = file.block(head.address(), b"FADB")
    block.skip(2 + file.offsets)
    page = 1 << bits
    used = b""
    if entries > page:
        used = block.take((-(-entries // page) + 7) // 8)
        block.skip(4)
    for k in range(count):
        if used and k % page == 0:
            here = block.part(min(page, entries - k) * entry + 4)
        if used and not used[k // page // 8] << k // page % 8 & 128:
            yield None, 0, 0
            continue
        cursor = (here if used else block).part(entry)
        address = cursor.address()
        yield address, *((cursor.uint(entry - file.offsets - 4), cursor.uint(4)) if filtered else (size, 0))


def decode(file: File, kind: Type, shape: tuple[int, ...], data: bytes):
    """What bytes stand for: one value for shape (), else an array; a text is a str, texts an array of objects."""
    if kind.dtype is not None:
        values = np.frombuffer(data, kind.dtype).reshape(shape)
        values = values != 0 if kind.kind == "bool" else values.astype(kind.dtype.newbyteorder("="))
        return values if shape else values[()]
    parts = [data[k:k + kind.size] for k in range(0, len(data), kind.size)]
    if kind.kind == "float":
        values = np.array([_real(int.from_bytes(part, "little" if kind.order == "<" else "big"), kind.fields)
                           for part in parts], np.float64).reshape(shape)
        return values if shape else values[()]
    if kind.kind == "text":
        texts = [_text(part.rstrip(b" ") if kind.fields[0] == 2 else part.split(b"\0")[0]) for part in parts]
    else:
        texts, known = [], {}
        for part in parts:
            if part not in known:
                size, address = int.from_bytes(part[:4], "little"), int.from_bytes(part[4:-4], "little")
                known[part] = _text(global_object(file, address, int.from_bytes(part[-4:], "little"))[:size]) \
                    if size else ""
            texts.append(known[part])
    if not shape:
        return texts[0]
    values = np.empty(len(texts), object)
    values[:] = texts
    return values.reshape(shape)


def _text(data: bytes) -> str:
    try:
        return data.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        raise ValueError("a text is not UTF-8") from None


def _real(word: int, fields: tuple[int, ...]) -> float:
    """A float of any size; its infinities and NaN are NaN, what float64 does not hold is infinite."""
    sign, place, width, low, digits, bias, implied = fields
    exponent, mantissa = word >> place & (1 << width) - 1, word >> low & (1 << digits) - 1
    if exponent == (1 << width) - 1:
        return math.nan
    if implied and exponent:
        mantissa |= 1 << digits
    power = max(exponent, 1) - bias - digits + (0 if implied else 1)
    if mantissa == 0 or power + digits < -1100:
        value = 0.0
    elif power + mantissa.bit_length() > 1024:
        value = math.inf
    else:
        try:
            value = float(Fraction(mantissa) * Fraction(2) ** power)
        except OverflowError:
            value = math.inf
    return -value if word >> sign & 1 else value
