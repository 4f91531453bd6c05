"""Banks of block RAMs side by side, and of pages where a block does not hold the words: what vendors have alike."""

from typing import NamedTuple

from amaranth.hdl import Array, Cat, Const, Module

from rtl.pipeline import later
from rtl.vendor import generic

#: bits of a block's word that a write may leave alone, in words of 18 and 36 bits
BYTE = 9
#: bits of the address port, hence words of a page
PAGE = 16384


class Part(NamedTuple):
    """Bits of a bank's word, all of one column, `room` bits for them in a block's word, and where these begin."""

    bits: slice
    column: int
    place: int
    room: int


class Bank(generic.Bank):
    """Blocks side by side, a port to write and a port to read through its output register.

    Columns of a word lie on bytes of nine bits, which a block can write alone, several in a block. A bank of more words
    than a block holds bits is made of pages, whose words meet in a multiplexer behind the output registers.
    """

    @staticmethod
    def layout(depth: int, width: int, columns: int) -> tuple[tuple[int, int], list[list[Part]]]:
        """Shape of a bank's blocks (words, bits), and the parts of each block."""
        raise NotImplementedError

    def block(self, shape, parts):
        """A block, and the word that it reads."""
        raise NotImplementedError

    @classmethod
    def blocks(cls, depth: int, width: int, columns: int = 1) -> int:
        """Number of block RAMs that a bank takes."""
        pages = -(-depth // PAGE)
        return pages * len(cls.layout(min(depth, PAGE), width, columns)[1])

    def elaborate(self, platform):
        m = Module()
        if self.depth > PAGE:
            return self._pages(m)
        shape, blocks = self.layout(self.depth, self.width, self.columns)
        for n, parts in enumerate(blocks):
            block, read = self.block(shape, parts)
            m.submodules[f"block{n}"] = block
            for part in parts:
                m.d.comb += self.read_data[part.bits].eq(read[part.place:])
        return m

    def _pages(self, m):
        low = PAGE.bit_length() - 1
        chosen, pages = later(m, self.read_addr[low:], self.LATENCY, name="page"), []
        for n, first in enumerate(range(0, self.depth, PAGE)):
            m.submodules[f"page{n}"] = page = type(self)(
                depth=min(PAGE, self.depth - first), width=self.width, init=self.init[first:first + PAGE],
                writable=self.writable, columns=self.columns)
            pages.append(page.read_data)
            m.d.comb += page.read_addr.eq(self.read_addr[:low])
            if self.writable:
                mine = self.write_addr[low:] == n
                m.d.comb += [page.write_en.eq(self.write_en & mine.replicate(self.columns)),
                             page.write_addr.eq(self.write_addr[:low]), page.write_data.eq(self.write_data)]
        m.d.comb += self.read_data.eq(Array(pages)[chosen])
        return m

    def enables(self, bits, parts):
        """Byte enables, the lowest address bits of a port that writes 18 or 36 bits, and the enable of the block."""
        if len(parts) == 1:
            count = bits // BYTE if bits > BYTE else 0
            return Const((1 << count) - 1, count), self.write_en[parts[0].column]
        return Cat(self.write_en[part.column].replicate(part.room // BYTE) for part in parts), Const(1)

    def written(self, parts):
        """The word that a block is given, its parts in their places."""
        return (Cat(self.write_data[part.bits], Const(0, 36))[:part.room] for part in parts)


def parts_of(bits: int, width: int, columns: int) -> list[list[Part]]:
    """Parts of each block of `bits` bits a word, for words of `width` bits in `columns`."""
    column = width // columns
    room = -(-column // BYTE) * BYTE
    together = bits // room
    if columns > 1 and together > 1:
        return [[Part(slice(c * column, (c + 1) * column), c, (c - first) * room, room)
                 for c in range(first, min(first + together, columns))] for first in range(0, columns, together)]
    return [[Part(slice(low, min(low + bits, (c + 1) * column)), c, 0, bits)]
            for c in range(columns) for low in range(c * column, (c + 1) * column, bits)]


def narrowest(shapes, depth: int, name: str) -> tuple[int, int]:
    """The first of `shapes` (words, bits), widest first, that holds so many words."""
    for words, bits in shapes:
        if depth <= words:
            return words, bits
    raise ValueError(f"a {name} holds {PAGE} words at most, not {depth}")
