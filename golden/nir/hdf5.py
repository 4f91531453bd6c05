"""HDF5 as `nir` and h5py write it, read with the standard library and numpy: groups, data sets, attributes.

Read are superblocks 0 to 3; groups old (symbol tables) and new (links in the header or in a heap); values contiguous,
in the header or in chunks (golden/nir/hdf5_values.py). A file is read whole; its values only when they are asked for,
so that what nobody needs may be of any kind. Errors are one line, a ValueError that begins with the path of the object.
Source: HDF5 File Format Specification 3.0.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from golden.checks import check, listed
from golden.nir.hdf5_bytes import Cursor, File, FractalHeap, heap_text, leaves, local_heap, records
from golden.nir.hdf5_values import decode, parse_filters, parse_layout, parse_shape, parse_type, read_bytes

SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: groups within groups, at most
DEEPEST = 64
SHAPE, LINKS, TYPE, LINK, LAYOUT, FILTERS, ATTRIBUTE, MORE, TABLE, ATTRIBUTES = 1, 2, 3, 6, 8, 11, 12, 16, 17, 21


class Message(NamedTuple):
    """Of an object: what it says (`kind`), and the bytes."""

    kind: int
    flags: int
    body: Cursor

    def reader(self) -> Cursor:
        check(not self.flags & 2, "a type, or a shape, that objects share is not read")
        return Cursor(self.body.file, self.body.at, self.body.end)


class Dataset:
    """Values at a path; `read` gives them: a number, bool or str for one value, an array for others."""

    def __init__(self, file: File, path: str, messages: list[Message]):
        self.file, self.path, self.messages = file, path, messages

    def read(self):
        """ValueError, with the path, where the values are damaged or of a kind that is not read."""
        try:
            return self._values()
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None

    @property
    def shape(self) -> tuple[int, ...] | None:
        return parse_shape(self._one(SHAPE, "shape").reader())

    def _one(self, kind: int, what: str) -> Message:
        found = [message for message in self.messages if message.kind == kind]
        check(len(found) == 1, f"the {what} is missing" if not found else f"there is more than one {what}")
        return found[0]

    def _values(self):
        kind, shape = parse_type(self._one(TYPE, "type").reader()), self.shape
        check(shape is not None, "there is no value")
        layout = parse_layout(self._one(LAYOUT, "layout").reader())
        filters = [parse_filters(message.reader()) for message in self.messages if message.kind == FILTERS]
        check(len(filters) < 2, "there is more than one list of filters")
        data = read_bytes(self.file, layout, filters[0] if filters else (), shape, kind.size)
        return decode(self.file, kind, shape, data)


class Group:
    """Members by name, each a Group or a Dataset; attributes, by name, are read when asked for."""

    def __init__(self, file: File, path: str, members: dict, messages: list[Message]):
        self.file, self.path, self.members, self.messages = file, path, members, messages

    def attributes(self) -> dict:
        """Values by name. ValueError where one is damaged or of a kind that is not read."""
        try:
            return dict(_attribute(body) for body in _attributes(self.file, self.messages))
        except ValueError as error:
            raise ValueError(f"{self.path}: attributes: {error}") from None


def parse(data: bytes) -> Group:
    """The root of the bytes of a file, and all that is below it; ValueError where that cannot be read."""
    file, root = _superblock(memoryview(data))
    seen = set()

    def read(address: int | None, path: str, depth: int):
        check(address not in seen, f"{path}: the same object has two names, or stands within itself")
        check(depth <= DEEPEST, f"{path}: groups stand within groups {DEEPEST} deep")
        seen.add(address)
        try:
            messages = _messages(file, address)
            if any(message.kind == LAYOUT for message in messages):
                return Dataset(file, path, messages)
            links = {}
            for name, target in _links(file, messages):
                check(name not in links, f"two members are called {listed([name])}")
                links[name] = target
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        below = "" if path == "/" else path
        return Group(file, path, {name: read(target, f"{below}/{listed([name])}", depth + 1)
                                  for name, target in links.items()}, messages)

    found = read(root, "/", 0)
    check(isinstance(found, Group), "/: the root is no group")
    return found


def _superblock(data: memoryview) -> tuple[File, int | None]:
    """The file, and the address of its root; a user's block of 512, 1024, .. bytes may stand before."""
    start = 0
    while data[start:start + 8] != SIGNATURE:
        start = max(2 * start, 512)
        check(start < len(data), "this is no HDF5 file")
    cursor = Cursor(File(data, 0, 8, 8, {}), start + 8, len(data))
    version = cursor.version("a superblock", 0, 1, 2, 3)
    if version < 2:
        cursor.skip(4)
    offsets, lengths = cursor.uint(1), cursor.uint(1)
    check(offsets in (2, 4, 8) and lengths in (2, 4, 8), f"addresses of {offsets} and lengths of {lengths} bytes")
    cursor.skip(1 if version >= 2 else 9 if version == 0 else 13)
    cursor.file = File(data, 0, offsets, lengths, {})
    base = cursor.address()
    check(base in (0, start), "the base address is not where the file begins")
    cursor.address()
    end = cursor.address()
    check(end is None or end <= len(data), f"the file is cut short: {len(data)} of {end} bytes are there")
    if version < 2:
        cursor.address()
        cursor.skip(offsets)            # of the root's name
    return File(data, base, offsets, lengths, {}), cursor.address()


# ---- objects

def _messages(file: File, address: int | None) -> list[Message]:
    """What an object says of itself."""
    cursor = file.at(address)
    if cursor.take(4) == b"OHDR":
        cursor.version("an object", 2)
        flags = cursor.uint(1)
        cursor.skip((16 if flags & 32 else 0) + (4 if flags & 16 else 0))
        blocks = [cursor.part(cursor.uint(1 << (flags & 3)))]
    else:
        flags = None
        cursor = file.at(address)
        cursor.version("an object", 1)
        cursor.skip(7)
        size = cursor.uint(4)
        cursor.skip(4)
        blocks = [cursor.part(size)]
    found, seen = [], {blocks[0].at}
    for block in blocks:                # grows while it is walked
        for message in _block(block, flags):
            if message.kind != MORE:
                found.append(message)
                continue
            at = message.reader()
            more = file.at(at.address(), at.length())
            check(more.at not in seen, "the header leads back into itself")
            seen.add(more.at)
            if flags is not None:
                check(more.take(4) == b"OCHK" and more.left >= 4, "the header is damaged")
                more.end -= 4
            blocks.append(more)
    return found


def _block(block: Cursor, flags: int | None) -> Iterator[Message]:
    """Messages of a part of a header; flags None: of version 1."""
    head = 8 if flags is None else 6 if flags & 4 else 4
    while block.left >= head:
        kind = block.uint(2 if flags is None else 1)
        size, own = block.uint(2), block.uint(1)
        block.skip(3 if flags is None else head - 4)
        yield Message(kind, own, block.part(size))


def _links(file: File, messages: list[Message]) -> Iterator[tuple[str, int | None]]:
    """Name and address of each member of a group."""
    for message in messages:
        if message.kind == TABLE:
            yield from _symbols(file, message.reader())
        elif message.kind == LINK:
            yield _link(message.reader())
        elif message.kind == LINKS:
            for body in _dense(file, message.reader(), 8, (5, 6), (4, 8)):
                yield _link(body)


def _dense(file: File, cursor: Cursor, order: int, kinds: tuple[int, int], before: tuple[int, int]) -> Iterator[Cursor]:
    """Objects of a heap that a message of version 0 names: links, attributes; none where there are few of them."""
    cursor.version("a list of members", 0)
    flags = cursor.uint(1)
    cursor.skip(order if flags & 1 else 0)
    heap, tree = cursor.address(), cursor.address()
    if heap is not None:
        heap = FractalHeap(file, heap)
        for record in records(file, tree, kinds[:1]):
            record.skip(before[0])
            yield heap.object(record)


def _symbols(file: File, cursor: Cursor) -> Iterator[tuple[str, int | None]]:
    tree = cursor.address()
    heap = local_heap(file, cursor.address())
    for _, address in leaves(file, tree, 0, file.lengths):
        node = file.block(address, b"SNOD")
        node.version("a table of symbols", 1)
        node.skip(1)
        for _ in range(node.uint(2)):
            name, target = heap_text(heap, node.uint(file.offsets)), node.address()
            kind = node.uint(4)
            node.skip(20)
            yield _utf8(name), _hard(name, target, kind != 2)


def _link(cursor: Cursor) -> tuple[str, int | None]:
    cursor.version("a link", 1)
    flags = cursor.uint(1)
    kind = cursor.uint(1) if flags & 8 else 0
    cursor.skip((8 if flags & 4 else 0) + (1 if flags & 16 else 0))
    name = cursor.take(cursor.uint(1 << (flags & 3)))
    return _utf8(name), _hard(name, cursor.address() if kind == 0 else None, kind == 0)


def _hard(name: bytes, target: int | None, is_hard: bool) -> int | None:
    check(is_hard, f"{listed([_utf8(name)])} is a link to a name or to another file: that is not read")
    return target


def _utf8(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise ValueError("a name is not UTF-8") from None


# ---- attributes

def _attributes(file: File, messages: list[Message]) -> Iterator[Cursor]:
    for message in messages:
        if message.kind == ATTRIBUTE:
            yield message.reader()
        elif message.kind == ATTRIBUTES:
            yield from _dense(file, message.reader(), 2, (8, 9), (0, 0))


def _attribute(cursor: Cursor) -> tuple[str, object]:
    """Name and value."""
    version, flags = cursor.version("an attribute", 1, 2, 3), cursor.uint(1)
    check(version == 1 or flags == 0, "a type, or a shape, that objects share is not read")
    sizes = [cursor.uint(2) for _ in range(3)]
    cursor.skip(1 if version == 3 else 0)
    name, kind, shape = (cursor.part(-(-size // 8) * 8 if version == 1 else size) for size in sizes)
    kind, shape = parse_type(kind), parse_shape(shape)
    title = _utf8(name.take(name.left).split(b"\0")[0])
    if shape is None:
        return title, None
    count = int(np.prod(shape, dtype=object))
    return title, decode(cursor.file, kind, shape, cursor.take(count * kind.size))
