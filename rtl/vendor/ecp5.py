"""ECP5 forms: MULT18X18D and DP16KD instantiated with all their registers on.

yosys does not infer these registers, nextpnr knows them: an inferred array of lanes closes at half the clock.
Pins and parameters: Lattice FPGA-TN-02205 (sysDSP), FPGA-TN-02204 (sysMEM).
"""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, signed

from rtl.vendor import blocks, generic
from rtl.vendor.blocks import PAGE, narrowest, parts_of

#: words x bits that a DP16KD may be configured to, widest first
_SHAPES = ((1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
#: the shape in which one port only writes and the other only reads (pseudo dual port; the cell PDPW16KD)
_WIDE = (512, 36)


class Multiplier(generic.Multiplier):
    """MULT18X18D with input, pipeline and output registers."""

    def __init__(self, *, a_width: int, b_width: int):
        if max(a_width, b_width) > 18:
            raise ValueError(f"a MULT18X18D takes factors of 18 bits, not {a_width} and {b_width}")
        super().__init__(a_width=a_width, b_width=b_width)

    def elaborate(self, platform):
        m = Module()
        a, b, p = Signal(18), Signal(18), Signal(36)
        # factors at the upper end: zeros below are tied inside the block, signs above would have to be routed
        up_a, up_b = 18 - self.a_width, 18 - self.b_width
        m.d.comb += [a.eq(Cat(Const(0, up_a), self.a)), b.eq(Cat(Const(0, up_b), self.b)), self.p.eq(p[up_a + up_b:])]
        # nextpnr takes constants on these pins from one LUT of the whole die and hardly routes them: a LUT each
        zero, one = _constant(m, "zero", 0), _constant(m, "one", 1)
        registers = {f"p_REG_{stage}_{kind}": value
                     for stage in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")
                     for kind, value in (("CLK", "CLK0"), ("CE", "CE0"), ("RST", "RST0"))}
        m.submodules.dsp = Instance(
            "MULT18X18D", **registers, p_CLK0_DIV="ENABLED", p_SOURCEB_MODE="B_SHIFT",
            i_CLK0=ClockSignal(), i_CE0=one, i_RST0=zero, i_SIGNEDA=one, i_SIGNEDB=one, i_SOURCEA=zero, i_SOURCEB=zero,
            **{f"i_A{n}": a[n] for n in range(18)}, **{f"i_B{n}": b[n] for n in range(18)},
            **{f"o_P{n}": p[n] for n in range(36)})
        return m


class Bank(blocks.Bank):
    """DP16KD blocks, port A to write, port B to read.

    Up to 512 words of columns take blocks of 36 bits where these are fewer.
    """

    @staticmethod
    def layout(depth, width, columns):
        shapes = [narrowest(_SHAPES, depth, "DP16KD")]
        # not without columns: what stands in bitstreams that there are stays as it is
        if columns > 1 and depth <= _WIDE[0]:
            shapes.append(_WIDE)
        return min(((shape, parts_of(shape[1], width, columns)) for shape in shapes), key=lambda found: len(found[1]))

    def block(self, shape, parts):
        words, bits = shape
        low = (PAGE // words).bit_length() - 1          # address bits below the word
        ada, dia, dob = Signal(14), Signal(18), Signal(18)
        read_addr, read = Cat(Const(0, low), self.read_addr), dob
        ports, data = {}, Const(0, 36)
        if self.writable:
            enables, write = self.enables(bits, parts)
            data = Cat(*self.written(parts), data)
            ports |= {f"i_ADA{n}": Cat(enables, Const(0, low - len(enables)), self.write_addr, Const(0, 14))[n]
                      for n in range(14)}
            ports |= {f"i_DIA{n}": data[n] for n in range(18)}
            ports |= {"i_WEA": write}
        else:
            ports |= {f"i_ADA{n}": ada[n] for n in range(14)} | {f"i_DIA{n}": dia[n] for n in range(18)}
            ports |= {"i_WEA": Const(0)}
        ports |= {f"i_ADB{n}": Cat(read_addr, Const(0, 14))[n] for n in range(14)}
        ports |= {f"i_DIB{n}": data[18 + n] if bits == 36 else Const(0) for n in range(18)}
        ports |= {f"o_DOB{n}": dob[n] for n in range(18)}
        if bits == 36:
            # both ports' outputs make the word that port B reads, the lower half is that of port A
            doa = Signal(18)
            ports |= {f"o_DOA{n}": doa[n] for n in range(18)}
            read = Cat(doa, dob)
        ports |= {f"i_CS{port}{n}": Const(0) for port in "AB" for n in range(3)}
        block = Instance(
            "DP16KD", p_DATA_WIDTH_A=bits, p_DATA_WIDTH_B=bits, p_REGMODE_A="OUTREG" if bits == 36 else "NOREG",
            p_REGMODE_B="OUTREG", p_RESETMODE="SYNC", p_GSR="DISABLED", p_WRITEMODE_A="NORMAL",
            p_WRITEMODE_B="NORMAL", p_CSDECODE_A="0b000", p_CSDECODE_B="0b000",
            **self._initvals(words, bits, parts[0].bits), **ports,
            i_CLKA=ClockSignal(), i_CLKB=ClockSignal(), i_CEA=Const(1), i_CEB=Const(1), i_OCEA=Const(1),
            i_OCEB=Const(1), i_WEB=Const(0), i_RSTA=Const(0), i_RSTB=Const(0))
        return block, read

    def _initvals(self, words, bits, part):
        """INITVAL_00..3F: 16 words of 18 bits, each in a slot of 20."""
        if not any(self.init):
            return {}
        if bits != 18 or self.columns > 1:
            raise ValueError(f"initial contents are supported up to 1024 words without columns, not {self.depth} x "
                             f"{self.columns}")
        mask = (1 << (part.stop - part.start)) - 1
        values = {}
        for row in range(64):
            slots = [(word >> part.start) & mask for word in self.init[row * 16:row * 16 + 16]]
            packed = sum(word << (20 * k) for k, word in enumerate(slots))
            values[f"p_INITVAL_{row:02X}"] = Const(packed, 320)
        return values


class Accumulator(generic.Accumulator):
    """Carry chain whose own tables choose between `start` and the sum.

    yosys puts a table for each bit before the chain, and a wire between the two.
    """

    #: table of a bit: inputs first, x, sum choose the output where D is 1, D stays 1: (sum and not first) xor x; its
    #: lowest four bits are what is carried where that is 0, then both are x. And of the bit of `start`
    _PLAIN, _START = 0xC6CC, 0x36CC

    def elaborate(self, platform):
        m = Module()
        total, added = Signal(signed(self.width), reset_less=True), Signal(self.width)
        m.d.sync += total.eq(added)
        m.d.comb += self.sum.eq(total)
        x, carry = self.x, Const(0)
        for low in range(0, self.width, 2):
            ports, above = {}, Signal(name=f"carry{low + 2}")
            for k, n in enumerate((low, low + 1)):
                inside = n < self.width
                table = self._START if self.start >> n & 1 else self._PLAIN
                ports |= {f"p_INIT{k}": Const(table, 16), f"p_INJECT1_{k}": "NO", f"i_D{k}": Const(1),
                          f"i_A{k}": total[n] if inside else Const(0), f"i_C{k}": self.first if inside else Const(0),
                          f"i_B{k}": x[min(n, self.x_width - 1)] if inside else Const(0)}
                if inside:
                    ports[f"o_S{k}"] = added[n]
            m.submodules[f"carries{low}"] = Instance("CCU2C", **ports, i_CIN=carry, o_COUT=above)
            carry = above
        return m


def _constant(m, name: str, value: int) -> Signal:
    """A constant that the tools do not see through."""
    signal = Signal(name=name)
    m.submodules[name] = Instance("LUT4", a_keep=1, p_INIT=Const(0xFFFF * value, 16), o_Z=signal,
                                  **{f"i_{pin}": Const(0) for pin in "ABCD"})
    return signal
