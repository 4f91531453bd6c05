"""Clocks of the network: the pin's own, or what a PLL makes of it.

A clock has `mhz`, its exact frequency, and `drive(m, pin, clock, locked)`, which makes it in a module.
"""

from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import Const, Instance

#: limits of the EHXPLLL in MHz (Lattice FPGA-DS-02012, sysCLOCK PLL timing)
VCO_MHZ, PHASE_MHZ, OUT_MHZ = (400, 800), Fraction(25, 8), (Fraction(25, 8), 400)
MAX_DIVIDER = 128
#: limits of the SB_PLL40 in MHz (Lattice FPGA-DS-02029, sysCLOCK PLL timing), and its loop filters by phase comparison
ICE40_VCO_MHZ, ICE40_PHASE_MHZ, ICE40_OUT_MHZ = (533, 1066), (10, 133), (16, 275)
ICE40_FILTERS = (17, 26, 44, 66, 101)


@dataclass(frozen=True)
class PinClock:
    """The clock of the pin as it is."""

    input_mhz: int

    @property
    def mhz(self) -> Fraction:
        return Fraction(self.input_mhz)

    def drive(self, m, pin, clock, locked) -> None:
        """Connect it; it is always locked."""
        m.d.comb += [clock.eq(pin), locked.eq(1)]


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

    def drive(self, m, pin, clock, locked) -> None:
        """The primitive. Loop filter as the vendor's generator sets it."""
        phase = self.output // 2
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

    def drive(self, m, pin, clock, locked) -> None:
        """The primitive."""
        m.submodules.pll = Instance(
            "SB_PLL40_CORE", p_FEEDBACK_PATH="SIMPLE", p_DIVR=Const(self.reference - 1, 4),
            p_DIVF=Const(self.feedback - 1, 7), p_DIVQ=Const(self.output, 3),
            p_FILTER_RANGE=Const(1 + sum(self.phase_mhz >= limit for limit in ICE40_FILTERS), 3),
            i_REFERENCECLK=pin, i_RESETB=Const(1), i_BYPASS=Const(0), o_PLLOUTGLOBAL=clock, o_LOCK=locked)


def _check(mhz, limits) -> None:
    low, high = limits
    if not low <= mhz <= high:
        raise ValueError(f"a PLL makes {float(low):g} to {high} MHz, not {mhz:g} MHz")
