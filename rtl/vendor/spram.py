"""iCE40UP5K form of deep banks: SB_SPRAM256KA, 16,384 words of 16 bits behind one port for both reads and writes.

It is never inferred, and holds nothing at configuration. Pins: Lattice FPGA-TN-02022 (memory usage guide).
"""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal

from rtl.pipeline import later
from rtl.vendor import generic

#: words of a block, bits of a word, and bits that a write may leave alone
WORDS, BITS, NIBBLE = 16384, 16, 4
#: words of 4 bits that a block RAM of the same part holds: banks that are deeper go here
SHALLOW = 1024


def is_deep(depth: int) -> bool:
    """Whether a bank of `depth` words is worth it."""
    return SHALLOW < depth <= WORDS


class Bank(generic.Bank):
    """Blocks side by side; a column of a word lies on nibbles of its own, so that a write leaves the others alone.

    The one port is the writer's in a cycle in which any column is written: what is read then is not told. That does for
    parameters that are loaded in place. From `load_begin` until a good commit a device has none (rtl.host.image), and
    says so; nothing holds an image that runs meanwhile, whose synapses are partly old and partly new in every form, and
    which leaves nothing behind: sums and states are cleared with its end. No word that is loaded is lost.

    The latency of a read is that of any Bank: a register before the port, and that of the block. There is none behind
    it, which would cost a logic cell a bit.
    """

    def __init__(self, *, depth: int, width: int, columns: int = 1):
        if depth > WORDS:
            raise ValueError(f"a SB_SPRAM256KA holds {WORDS} words, not {depth}")
        super().__init__(depth=depth, width=width, columns=columns)

    @staticmethod
    def blocks(width: int, columns: int = 1) -> int:
        """Number of blocks that words of `width` bits take."""
        nibbles = columns * -(-(width // columns) // NIBBLE)
        return -(-nibbles // (BITS // NIBBLE))

    def elaborate(self, platform):
        m = Module()
        column = self.width // self.columns
        # the bits of each nibble, and the column that they belong to
        places = [(slice(low, min(low + NIBBLE, (n + 1) * column)), n) for n in range(self.columns)
                  for low in range(n * column, (n + 1) * column, NIBBLE)]
        addr = Signal(WORDS.bit_length() - 1, reset_less=True)
        m.d.sync += addr.eq(Mux(self.write_en.any(), self.write_addr, self.read_addr))
        enable = later(m, self.write_en, 1, name="enable", reset_less=False)
        data = later(m, self.write_data, 1, name="data")
        together = BITS // NIBBLE
        for n in range(self.blocks(self.width, self.columns)):
            mine, read = places[n * together:(n + 1) * together], Signal(BITS, name=f"read{n}")
            mask = Cat(enable[which] for _, which in mine)
            word = Cat(Cat(data[bits], Const(0, NIBBLE))[:NIBBLE] for bits, _ in mine)
            m.submodules[f"block{n}"] = Instance(
                "SB_SPRAM256KA", i_CLOCK=ClockSignal(), i_ADDRESS=addr, i_DATAIN=Cat(word, Const(0, BITS))[:BITS],
                i_MASKWREN=Cat(mask, Const(0, together))[:together], i_WREN=mask.any(), i_CHIPSELECT=Const(1),
                i_STANDBY=Const(0), i_SLEEP=Const(0), i_POWEROFF=Const(1), o_DATAOUT=read)
            for k, (bits, _) in enumerate(mine):
                m.d.comb += self.read_data[bits].eq(read[k * NIBBLE:])
        return m
