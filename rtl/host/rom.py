"""FrameRom: frames that lie in the bitstream itself, where a flash has none of its own for them (golden/flash.py)."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

#: bytes of a word of the memory, lowest first
WORD = 2
#: of its depth: what puts new contents into a bitstream takes such memories
BLOCK = 256


def rom_words(content: bytes) -> list[int]:
    """The words of a memory that holds these bytes: as many as whole blocks have, erased behind them."""
    padded = content.ljust(-(-len(content) // (WORD * BLOCK)) * WORD * BLOCK, b"\xff")
    return [int.from_bytes(padded[n:n + WORD], "little") for n in range(0, len(padded), WORD)]


class FrameRom(wiring.Component):
    """Gives byte after byte of a block RAM that is never written, for as long as they are taken.

    Parameters: content, bytes; at least one.
    Members: start, for one cycle; o, bytes.
    """

    def __init__(self, content: bytes):
        if not content:
            raise ValueError("frames take a byte at least")
        self.words = rom_words(content)
        super().__init__({"start": In(1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = store = memory.Memory(shape=8 * WORD, depth=len(self.words), init=self.words,
                                                    attrs={"ram_style": "block"})
        read, index, high = store.read_port(), Signal(range(len(self.words))), Signal()
        m.d.comb += [read.addr.eq(index), self.o.payload.eq(read.data.word_select(high, 8))]
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.next = "GIVE"
            with m.State("GIVE"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += Cat(high, index).eq(Cat(high, index) + 1)
                    with m.If(high):
                        m.next = "FETCH"
        return m
