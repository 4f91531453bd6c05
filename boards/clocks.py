"""Clocks of the network: the pin's own, or what a PLL makes of it.

A clock has `mhz`, its exact frequency, and `drive(m, port, clock, locked)`, which makes it in a module from the port of
a pin, and gives the clock of that pin.
"""

from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import Const, Instance, Signal
from amaranth.lib import io

#: limits of the EHXPLLL in MHz (Lattice FPGA-DS-02012, sysCLOCK PLL timing)
VCO_MHZ, PHASE_MHZ, OUT_MHZ = (400, 800), Fraction(25, 8), (Fraction(25, 8), 400)
MAX_DIVIDER = 128
#: limits of the SB_PLL40 in MHz (Lattice FPGA-DS-02029, sysCLOCK PLL timing), and its loop filters by phase comparison
ICE40_VCO_MHZ, ICE40_PHASE_MHZ, ICE40_OUT_MHZ = (533, 1066), (10, 133), (16, 275)
ICE40_FILTERS = (17, 26, 44, 66, 101)
#: of the rPLL in a GW1N (C6/I5) and a GW2A (C8/I7): VCO, phase comparison, output, and its output dividers (Gowin
#: DS117, DS102, PLL switching characteristics; UG286)
GOWIN_VCO_MHZ, GOWIN_PHASE_MHZ = {"GW1N": (400, 1200), "GW2A": (500, 1250)}, {"GW1N": (3, 400), "GW2A": (3, 500)}
GOWIN_OUT_MHZ = {"GW1N": (Fraction(25, 8), 600), "GW2A": (Fraction(125, 32), 625)}
GOWIN_OUTPUTS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)


@dataclass(frozen=True)
class PinClock:
    """The clock of the pin as it is."""

    input_mhz: int

    @property
    def mhz(self) -> Fraction:
        return Fraction(self.input_mhz)

    def drive(self, m, port, clock, locked):
        """Connect it; it is always locked."""
        pin = _buffered(m, port)
        m.d.comb += [clock.eq(pin), locked.eq(1)]
        return pin


@dataclass(frozen=True)
class Pll:
    """Dividers of an EHXPLLL whose feedback comes from its output: out = input * feedback / reference."""

    input_mhz: int
    reference: int
    feedback: int
    output: int

    @property
    def mhz(self) -> Fraction:
        """Exact output frequency."""
        return Fraction(self.input_mhz * self.feedback, self.reference)

    @property
    def vco_mhz(self) -> Fraction:
        return self.mhz * self.output

    @classmethod
    def for_clock(cls, input_mhz: int, mhz: float) -> "Pll":
        """Dividers for the frequency nearest to `mhz`; among equals the fastest phase comparison."""
        _check(mhz, OUT_MHZ)
        found = []
        for reference in range(1, int(input_mhz / PHASE_MHZ) + 1):
            middle = round(Fraction(mhz) * reference / input_mhz)
            for feedback in {max(1, middle - 1), max(1, middle), middle + 1}:
                out = Fraction(input_mhz * feedback, reference)
                output = min(max(1, round(sum(VCO_MHZ) / 2 / out)), MAX_DIVIDER)
                if (feedback <= MAX_DIVIDER and OUT_MHZ[0] <= out <= OUT_MHZ[1]
                        and VCO_MHZ[0] <= out * output <= VCO_MHZ[1]):
                    found.append((abs(out - Fraction(mhz)), reference, feedback, output))
        return cls(input_mhz, *min(found)[1:])

    def drive(self, m, port, clock, locked):
        """The primitive. Loop filter as the vendor's generator sets it."""
        phase, pin = self.output // 2, _buffered(m, port)
        m.submodules.pll = Instance(
            "EHXPLLL", a_FREQUENCY_PIN_CLKI=f"{float(self.input_mhz):g}", a_FREQUENCY_PIN_CLKOP=f"{float(self.mhz):g}",
            a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1", a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED", p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED", p_OUTDIVIDER_MUXA="DIVA", p_CLKOP_ENABLE="ENABLED",
            p_CLKI_DIV=self.reference, p_CLKFB_DIV=self.feedback, p_CLKOP_DIV=self.output,
            p_CLKOP_CPHASE=max(0, phase - 1), p_CLKOP_FPHASE=0, p_FEEDBK_PATH="CLKOP",
            i_CLKI=pin, i_CLKFB=clock, i_RST=Const(0), i_STDBY=Const(0), i_PHASESEL0=Const(0), i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1), i_PHASESTEP=Const(1), i_PHASELOADREG=Const(1), i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0), o_CLKOP=clock, o_LOCK=locked)
        return pin


@dataclass(frozen=True)
class Ice40Pll:
    """Dividers of an SB_PLL40_CORE, feedback from its VCO: out = input * feedback / reference / 2**output."""

    input_mhz: int
    reference: int
    feedback: int
    output: int

    @property
    def mhz(self) -> Fraction:
        """Exact output frequency."""
        return self.vco_mhz / (1 << self.output)

    @property
    def vco_mhz(self) -> Fraction:
        return self.phase_mhz * self.feedback

    @property
    def phase_mhz(self) -> Fraction:
        return Fraction(self.input_mhz, self.reference)

    @classmethod
    def for_clock(cls, input_mhz: int, mhz: float) -> "Ice40Pll | PinClock":
        """The clock nearest to `mhz`: the pin's own where that is asked for, else the PLL's."""
        if mhz == input_mhz:
            return PinClock(input_mhz)
        _check(mhz, ICE40_OUT_MHZ)
        plls = (cls(input_mhz, reference, feedback, output)
                for reference in range(1, min(input_mhz // ICE40_PHASE_MHZ[0], 16) + 1)
                for feedback in range(1, 129) for output in range(1, 7))
        limits = ((ICE40_PHASE_MHZ, "phase_mhz"), (ICE40_VCO_MHZ, "vco_mhz"), (ICE40_OUT_MHZ, "mhz"))
        return min((pll for pll in plls if all(low <= getattr(pll, name) <= high for (low, high), name in limits)),
                   key=lambda pll: abs(pll.mhz - Fraction(mhz)))

    def drive(self, m, port, clock, locked):
        """The primitive."""
        pin = _buffered(m, port)
        m.submodules.pll = Instance("SB_PLL40_CORE", **self._options(), i_REFERENCECLK=pin, i_RESETB=Const(1),
                                    i_BYPASS=Const(0), o_PLLOUTGLOBAL=clock, o_LOCK=locked)
        return pin

    def _options(self) -> dict:
        return {"p_FEEDBACK_PATH": "SIMPLE", "p_DIVR": Const(self.reference - 1, 4),
                "p_DIVF": Const(self.feedback - 1, 7), "p_DIVQ": Const(self.output, 3),
                "p_FILTER_RANGE": Const(1 + sum(self.phase_mhz >= limit for limit in ICE40_FILTERS), 3)}


class Ice40PadPll(Ice40Pll):
    """The same for a part whose only PLL is at the pin of the clock, through which that then comes, too."""

    def drive(self, m, port, clock, locked):
        """The primitive: port A is the clock of the pin, port B that of the PLL."""
        pin = Signal(name="pin")
        m.submodules.pll = Instance("SB_PLL40_2_PAD", **self._options(), i_PACKAGEPIN=port.io, i_RESETB=Const(1),
                                    i_BYPASS=Const(0), o_PLLOUTGLOBALA=pin, o_PLLOUTGLOBALB=clock, o_LOCK=locked)
        return pin


@dataclass(frozen=True)
class GowinPll:
    """Dividers of an rPLL, feedback inside: out = input * feedback / reference, its VCO `output` times as fast."""

    input_mhz: int
    reference: int
    feedback: int
    output: int
    device: str

    @property
    def mhz(self) -> Fraction:
        """Exact output frequency."""
        return Fraction(self.input_mhz * self.feedback, self.reference)

    @property
    def vco_mhz(self) -> Fraction:
        return self.mhz * self.output

    @property
    def phase_mhz(self) -> Fraction:
        return Fraction(self.input_mhz, self.reference)

    @classmethod
    def for_clock(cls, input_mhz: int, mhz: float, *, series: str, device: str) -> "GowinPll | PinClock":
        """The clock nearest to `mhz`: the pin's own where that is asked for, else the PLL's; the fastest comparison.

        series: GW1N or GW2A; device: as the primitive names it.
        """
        if mhz == input_mhz:
            return PinClock(input_mhz)
        _check(mhz, GOWIN_OUT_MHZ[series])
        limits = ((GOWIN_PHASE_MHZ[series], "phase_mhz"), (GOWIN_VCO_MHZ[series], "vco_mhz"),
                  (GOWIN_OUT_MHZ[series], "mhz"))
        # of each reference the feedbacks around the wish
        near = ((reference, feedback) for reference in range(1, 65)
                for middle in [int(Fraction(mhz) * reference / input_mhz)]
                for feedback in range(max(1, middle - 1), min(64, middle + 2) + 1))
        plls = (cls(input_mhz, *pair, output, device) for pair in near for output in GOWIN_OUTPUTS)
        return min((pll for pll in plls if all(low <= getattr(pll, name) <= high for (low, high), name in limits)),
                   key=lambda pll: (abs(pll.mhz - Fraction(mhz)), pll.reference, pll.output))

    def drive(self, m, port, clock, locked):
        """The primitive."""
        pin = _buffered(m, port)
        m.submodules.pll = Instance(
            "rPLL", p_FCLKIN=str(self.input_mhz), p_DEVICE=self.device, p_IDIV_SEL=self.reference - 1,
            p_FBDIV_SEL=self.feedback - 1, p_ODIV_SEL=self.output, p_DYN_IDIV_SEL="false", p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false", p_DYN_DA_EN="false", p_PSDA_SEL="0000", p_DUTYDA_SEL="1000",
            p_CLKFB_SEL="internal", p_CLKOUT_BYPASS="false", p_CLKOUTP_BYPASS="false", p_CLKOUTD_BYPASS="false",
            p_DYN_SDIV_SEL=2, p_CLKOUTD_SRC="CLKOUT", p_CLKOUTD3_SRC="CLKOUT",
            i_CLKIN=pin, i_CLKFB=Const(0), i_RESET=Const(0), i_RESET_P=Const(0), i_FBDSEL=Const(0, 6),
            i_IDSEL=Const(0, 6), i_ODSEL=Const(0, 6), i_PSDA=Const(0, 4), i_DUTYDA=Const(0, 4), i_FDLY=Const(0, 4),
            o_CLKOUT=clock, o_LOCK=locked)
        return pin


def _buffered(m, port):
    """The clock of a pin."""
    m.submodules.clock = pin = io.Buffer("i", port)
    return pin.i


def _check(mhz, limits) -> None:
    low, high = limits
    if not low <= mhz <= high:
        raise ValueError(f"a PLL makes {float(low):g} to {high} MHz, not {mhz:g} MHz")
