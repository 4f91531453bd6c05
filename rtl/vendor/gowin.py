"""Gowin forms (GW1N, GW2A): MULT18X18, SDPX9B and SDPB instantiated with all their registers on.

yosys does not infer these registers. Pins and parameters: Gowin UG287 (DSP), UG285 (BSRAM and SSRAM).
"""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal

from rtl.vendor import blocks, generic
from rtl.vendor.blocks import narrowest, parts_of

#: words x bits of a block, widest first; the narrow ones leave the ninth bit of a byte alone: SDPB, the others SDPX9B
_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
#: narrowest one with the ninth bit
_NINE = 9
#: parameters of initial contents
_ROWS = 64


class Multiplier(generic.Multiplier):
    """MULT18X18 with input, pipeline and output registers."""

    def __init__(self, *, a_width: int, b_width: int):
        if max(a_width, b_width) > 18:
            raise ValueError(f"a MULT18X18 takes factors of 18 bits, not {a_width} and {b_width}")
        super().__init__(a_width=a_width, b_width=b_width)

    def elaborate(self, platform):
        m = Module()
        a, b, p = Signal(18), Signal(18), Signal(36)
        # factors at the upper end: zeros below are constants, signs above would have to be routed
        up_a, up_b = 18 - self.a_width, 18 - self.b_width
        m.d.comb += [a.eq(Cat(Const(0, up_a), self.a)), b.eq(Cat(Const(0, up_b), self.b)), self.p.eq(p[up_a + up_b:])]
        m.submodules.dsp = Instance(
            "MULT18X18", **{f"p_{name}": Const(1, 1) for name in ("AREG", "BREG", "PIPE_REG", "OUT_REG")},
            p_MULT_RESET_MODE="SYNC", i_CLK=ClockSignal(), i_CE=Const(1), i_RESET=Const(0), i_ASIGN=Const(1),
            i_BSIGN=Const(1), i_ASEL=Const(0), i_BSEL=Const(0), i_A=a, i_B=b, i_SIA=Const(0, 18), i_SIB=Const(0, 18),
            o_DOUT=p)
        return m


class Bank(blocks.Bank):
    """SDPX9B blocks, of few and of many words SDPB ones: port A to write, port B to read."""

    @staticmethod
    def layout(depth, width, columns):
        shapes = [shape for shape in _SHAPES if shape[0] >= depth and (columns == 1 or shape[1] >= _NINE)]
        shapes = shapes or [narrowest(_SHAPES, depth, "SDPB")]
        # among equals the shape with the fewest words: fewer address bits
        return min(((shape, parts_of(shape[1], width, columns)) for shape in shapes), key=lambda found: len(found[1]))

    def block(self, shape, parts):
        words, bits = shape
        low = (blocks.PAGE // words).bit_length() - 1           # address bits below the word
        size = 36 if bits >= _NINE else 32
        read, data = Signal(size), Const(0, size)
        enables, write, addr = Const(0, 0), Const(0), Const(0, 14)
        if self.writable:
            enables, write = self.enables(bits, parts)
            if bits <= _NINE:
                enables = Const(0, 0)
            data = Cat(*self.written(parts), data)[:size]
            addr = Cat(enables, Const(0, low - len(enables)), self.write_addr, Const(0, 14))[:14]
        block = Instance(
            "SDPX9B" if bits >= _NINE else "SDPB", p_READ_MODE=Const(1, 1), p_BIT_WIDTH_0=bits, p_BIT_WIDTH_1=bits,
            p_BLK_SEL_0=Const(0, 3), p_BLK_SEL_1=Const(0, 3), p_RESET_MODE="SYNC",
            **self._initial(words, bits, parts[0].bits), i_CLKA=ClockSignal(), i_CLKB=ClockSignal(), i_CEA=write,
            i_CEB=Const(1), i_OCE=Const(1), i_RESETA=Const(0), i_RESETB=Const(0), i_BLKSELA=Const(0, 3),
            i_BLKSELB=Const(0, 3), i_ADA=addr, i_ADB=Cat(Const(0, low), self.read_addr, Const(0, 14))[:14], i_DI=data,
            o_DO=read)
        return block, read

    def _initial(self, words, bits, part):
        """INIT_RAM_00..3F: words one after the other."""
        if not any(self.init):
            return {}
        if bits < _NINE or self.columns > 1:
            raise ValueError(f"initial contents are supported up to 2048 words without columns, not {self.depth} x "
                             f"{self.columns}")
        mask, each = (1 << (part.stop - part.start)) - 1, words // _ROWS
        values = {}
        for row in range(_ROWS):
            found = [(word >> part.start) & mask for word in self.init[row * each:(row + 1) * each]]
            packed = sum(word << (bits * k) for k, word in enumerate(found))
            values[f"p_INIT_RAM_{row:02X}"] = Const(packed, bits * each)
        return values
