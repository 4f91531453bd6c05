"""Where things stand in an HDF5 file: its bytes, a reader that never leaves them, B-trees and heaps.

Source: HDF5 File Format Specification 3.0, sections II to III.G. Numbers are little-endian and unsigned, addresses
count from the base address of the superblock. Whatever a file says, nothing is read outside of it, every tree is
walked once at most, and what does not fit is a ValueError of one line. Checksums are not looked at: older files have
none, and values have none in any.
"""

from collections.abc import Iterator
from typing import NamedTuple

from golden.checks import check


class File(NamedTuple):
    """The bytes of a file; base address; bytes of an address, and of a length; texts by heap, as far as read."""

    data: memoryview
    base: int
    offsets: int
    lengths: int
    heaps: dict

    def at(self, address: int | None, size: int | None = None) -> "Cursor":
        """A reader of the `size` bytes from an address (None: up to the end of the file)."""
        check(address is not None, "an address is missing")
        start = self.base + address
        end = len(self.data) if size is None else start + size
        check(0 <= start <= end <= len(self.data),
              f"{'something' if size is None else f'{size} bytes'} at {address} would stand behind the end of the file")
        return Cursor(self, start, end)

    def block(self, address: int | None, mark: bytes) -> "Cursor":
        """A reader behind the four letters that a structure begins with."""
        cursor = self.at(address)
        found = cursor.take(4)
        check(found == mark, f"{mark.decode()} is expected at {address}")
        return cursor


class Cursor:
    """Reads on from a place of a file, up to an end."""

    def __init__(self, file: File, at: int, end: int):
        self.file, self.at, self.end = file, at, end

    @property
    def left(self) -> int:
        return self.end - self.at

    def take(self, size: int) -> bytes:
        check(0 <= size <= self.left, "the file is cut short, or damaged")
        self.at += size
        return bytes(self.file.data[self.at - size:self.at])

    def uint(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def skip(self, size: int) -> None:
        check(0 <= size <= self.left, "the file is cut short, or damaged")
        self.at += size

    def length(self) -> int:
        return self.uint(self.file.lengths)

    def address(self) -> int | None:
        """An address; None, all bits set, is undefined."""
        found = self.uint(self.file.offsets)
        return None if found == (1 << 8 * self.file.offsets) - 1 else found

    def version(self, what: str, *known: int) -> int:
        found = self.uint(1)
        check(found in known, f"{what} of version {found} is unknown")
        return found

    def part(self, size: int) -> "Cursor":
        """A reader of the next `size` bytes, which are passed."""
        start = self.at
        self.skip(size)
        return Cursor(self.file, start, self.at)


def bytes_of(count: int) -> int:
    """Bytes that hold the numbers 0..count."""
    return max(1, (count.bit_length() + 7) // 8)


# ---- B-trees of version 1: symbol tables, chunks

def leaves(file: File, address: int | None, kind: int, key: int) -> Iterator[tuple["Cursor", int | None]]:
    """(reader of the key before it, address) of each child of the leaves; kind 0: groups, 1: chunks; `key` in bytes."""
    seen, todo = set(), [(address, None)]
    while todo:
        address, above = todo.pop()
        check(address not in seen, "a B-tree leads back into itself")
        seen.add(address)
        node = file.block(address, b"TREE")
        found, level, count = node.uint(1), node.uint(1), node.uint(2)
        check(found == kind and (above is None or level == above - 1), "a B-tree is damaged")
        node.skip(2 * file.offsets)
        children = []
        for _ in range(count):
            before = node.part(key)
            children.append((before, node.address()))
        if level == 0:
            yield from children
        else:
            todo += [(child, level) for _, child in reversed(children)]


# ---- B-trees of version 2: records, in no order that matters here

def records(file: File, address: int | None, kinds: tuple[int, ...]) -> Iterator["Cursor"]:
    """A reader of each record of a B-tree whose type is one of `kinds`."""
    head = file.block(address, b"BTHD")
    head.version("a B-tree", 0)
    kind, node_size, size, depth = head.uint(1), head.uint(4), head.uint(2), head.uint(2)
    head.skip(2)
    root, count = head.address(), head.uint(2)
    check(kind in kinds, f"a B-tree has records of type {kind}")
    check(depth < 16 and size > 0 and node_size > 10 + size, "a B-tree is damaged")
    most = (node_size - 10) // size
    counter, total, pointers = bytes_of(most), most, [0]        # bytes of a pointer to a node of each level below
    for level in range(1, depth + 1):
        pointer = file.offsets + counter + (bytes_of(total) if level > 1 else 0)
        pointers.append(pointer)
        most = (node_size - 10 - pointer) // (size + pointer)
        check(most > 0, "a B-tree is damaged")
        total = (most + 1) * total + most
    seen, todo = set(), [(root, count, depth)] if count else []
    while todo:
        address, count, level = todo.pop()
        check(address not in seen, "a B-tree leads back into itself")
        seen.add(address)
        node = file.block(address, b"BTIN" if level else b"BTLF")
        node.skip(2)
        for _ in range(count):
            yield node.part(size)
        for _ in range(count + 1 if level else 0):
            pointer = node.part(pointers[level])
            todo.append((pointer.address(), pointer.uint(counter), level - 1))


# ---- heaps

def local_heap(file: File, address: int | None) -> Cursor:
    """The names of an old group."""
    heap = file.block(address, b"HEAP")
    heap.version("a heap", 0)
    heap.skip(3)
    size = heap.length()
    heap.length()
    return file.at(heap.address(), size)


def heap_text(heap: Cursor, offset: int) -> bytes:
    """The name at an offset, up to its zero."""
    check(offset < heap.left, "a name is outside of its heap")
    data = heap.file.data[heap.at + offset:heap.end].tobytes()
    check(b"\0" in data, "a name has no end")
    return data[:data.index(b"\0")]


def global_object(file: File, address: int | None, index: int) -> bytes:
    """An object of a collection of the global heap: a text of any length."""
    if address not in file.heaps:
        file.heaps[address] = _global_objects(file, address)
    found = file.heaps[address].get(index)
    check(found is not None, "a text is missing in its heap")
    return file.at(*found).take(found[1])


def _global_objects(file: File, address: int | None) -> dict[int, tuple[int, int]]:
    """Address and bytes of each object of a collection, by its number, up to where it makes no sense."""
    heap = file.block(address, b"GCOL")
    heap.version("a heap", 1)
    heap.skip(3)
    heap = file.at(address, heap.length())
    heap.skip(8 + file.lengths)
    found = {}
    while heap.left >= 8 + file.lengths:
        number = heap.uint(2)
        heap.skip(6)
        size = heap.length()
        if number == 0 or size > heap.left:
            break
        found.setdefault(number, (heap.at - file.base, size))
        heap.skip(min(-(-size // 8) * 8, heap.left))
    return found


class FractalHeap:
    """Links or attributes of an object that has many: managed objects only, without filters."""

    def __init__(self, file: File, address: int | None):
        head = file.block(address, b"FRHP")
        head.version("a heap", 0)
        head.skip(2)
        check(head.uint(2) == 0, "a compressed heap is not read")
        head.skip(1)
        largest = head.uint(4)
        head.skip(8 * file.lengths + 2 * file.offsets + 2 * file.lengths)   # counts, free space, huge, tiny
        self.file, self.width = file, head.uint(2)
        self.start, self.direct, bits = head.length(), head.length(), head.uint(2)
        head.skip(2)
        self.root, self.rows = head.address(), head.uint(2)
        check(self.width > 0 and self.start > 0 and self.start & self.start - 1 == 0 and bits <= 64
              and self.direct >= self.start and self.direct & self.direct - 1 == 0, "a heap is damaged")
        self.offset = (bits + 7) // 8
        self.size = min((self.direct.bit_length() + 6) // 8, bytes_of(largest))
        self.head = 5 + file.offsets + self.offset      # of a block: mark, version, address of the heap, own offset

    def object(self, key: Cursor) -> Cursor:
        """A reader of the object that an identifier names."""
        kind = key.uint(1)
        check(kind & 0xF0 == 0, "an object of a heap is not where small ones are: a name, or a value, is very long")
        offset, size = key.uint(self.offset), key.uint(self.size)
        if self.rows == 0:
            return self.within(self.root, offset, size, self.start)
        return self.below(self.root, self.rows, offset, size)

    def below(self, address: int | None, rows: int, offset: int, size: int) -> Cursor:
        """The object at an offset from the begin of an indirect block."""
        for _ in range(64):         # each block is smaller than the one that it stands in
            node = self.file.block(address, b"FHIB")
            node.skip(self.head - 4)
            lines = self.direct.bit_length() - self.start.bit_length() + 2      # rows of direct blocks
            begin = 0
            for row in range(rows):
                block = self.start << max(row - 1, 0)
                if offset < begin + self.width * block:
                    break
                begin += self.width * block
            else:
                raise ValueError("an object is outside of its heap")
            column, offset = divmod(offset - begin, block)
            node.skip((row * self.width + column) * self.file.offsets)
            address = node.address()
            if row < lines:
                return self.within(address, offset, size, block)
            rows = block.bit_length() - (self.start * self.width).bit_length() + 1
        raise ValueError("a heap is damaged")

    def within(self, address: int | None, offset: int, size: int, block: int) -> Cursor:
        self.file.block(address, b"FHDB")
        check(self.head <= offset and offset + size <= block, "an object is outside of its heap")
        return self.file.at(address + offset, size)
