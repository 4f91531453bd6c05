"""iCE40 form: block RAM that is inferred, and SB_MAC16 of the UP5K instantiated with all its registers on.

A block RAM of an iCE40 does not tell what is read of a word that is being written. For a memory in whose circuit that
is told, yosys adds a comparison of addresses to every port, and registers for what is written: about three logic cells
a bit. It leaves them out where a memory has the attribute of UNSEEN and what is read passes a register without reset.

Left to yosys (-dsp), small products of tables would take the eight multipliers that there are. Pins and parameters:
Lattice FPGA-TN-02007 (DSP function usage guide).
"""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, signed
from amaranth.lib import memory

from rtl.pipeline import later
from rtl.vendor import generic

#: attribute of a memory: nobody looks at what is read of a word that is being written
UNSEEN = {"no_rw_check": 1}
#: bits of a factor of the block, and how many more lowest bits are multiplied in LUTs beside it
WIDTH, MORE = 16, 2


class Bank(generic.Bank):
    """SB_RAM40_4K, or registers where there are few words: yosys decides."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = mem = memory.Memory(shape=self.width, depth=self.depth, init=self.init, attrs=UNSEEN)
        read = mem.read_port(domain="comb")
        m.d.comb += read.addr.eq(self.read_addr)
        m.d.sync += self.read_data.eq(later(m, read.data, 1, name="found"))
        if self.writable:
            write = mem.write_port(granularity=self.width // self.columns)
            m.d.comb += [write.addr.eq(self.write_addr), write.data.eq(self.write_data), write.en.eq(self.write_en)]
        return m


class Multiplier(generic.Multiplier):
    """SB_MAC16 with input, pipeline and output registers: 16 x 16 bits.

    Of factors of 17 and 18 bits the lowest ones are multiplied by rows of ANDs beside it, and added behind it.
    """

    def __init__(self, *, a_width: int, b_width: int):
        if max(a_width, b_width) > WIDTH + MORE:
            raise ValueError(f"a SB_MAC16 and what is beside it take factors of {WIDTH + MORE} bits, not {a_width} and "
                             f"{b_width}")
        super().__init__(a_width=a_width, b_width=b_width)

    def elaborate(self, platform):
        m = Module()
        low_a, low_b = (max(0, width - WIDTH) for width in (self.a_width, self.b_width))
        a, b = self.a[low_a:].as_signed(), self.b[low_b:].as_signed()
        product = Signal(signed(2 * WIDTH))
        m.submodules.dsp = self._block(a, b, product)
        total = product << low_a + low_b
        # low_a and low_b bits of the factors: a b = ah bh 2^.. + al b + ah bl 2^low_a
        for name, few, factor, shift in (("a", self.a[:low_a], self.b, 0), ("b", self.b[:low_b], a, low_a)):
            if len(few):
                few, factor = later(m, few, 1, name=f"few_{name}"), later(m, factor, 1, name=f"all_{name}").as_signed()
                part = sum((Mux(few[k], factor, 0) << k for k in range(len(few))), Const(0, signed(1)))
                total += later(m, part, self.LATENCY - 1, name=f"part_{name}").as_signed() << shift
        m.d.comb += self.p.eq(total)
        return m

    def _block(self, a, b, product) -> Instance:
        def wide(factor):
            return Cat(factor, factor[-1].replicate(WIDTH - len(factor)))
        held = {f"i_{name}": Const(0) for name in (
            "AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT",
            "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN")}
        registers = ("A_REG", "B_REG", "TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG", "PIPELINE_16x16_MULT_REG1",
                     "PIPELINE_16x16_MULT_REG2", "A_SIGNED", "B_SIGNED")
        return Instance(
            "SB_MAC16", **{f"p_{name}": Const(1, 1) for name in registers}, p_TOPOUTPUT_SELECT=Const(3, 2),
            p_BOTOUTPUT_SELECT=Const(3, 2), i_CLK=ClockSignal(), i_CE=Const(1), i_A=wide(a), i_B=wide(b),
            i_C=Const(0, WIDTH), i_D=Const(0, WIDTH), o_O=product, **held)
