"""What an FPGA is called and what it holds."""

from dataclasses import dataclass

from boards.family import Family
from boards.floorplan import Grid


@dataclass(frozen=True)
class Part:
    """An FPGA as the tools call it, and what it holds; `part` of a module of boards.families makes one.

    Parameters: name; nextpnr, its arguments; family; lut4, bram and dsp, LUTs, block RAMs and multipliers that the flow
    can use; spram, large RAMs with one port; lut_ram, cells of 16 x 4 bits of LUT RAM that the placer finds a place
    for, where they are fewer than LUTs; pack, arguments of the packer; clock_balls, where the oscillator has to be, if
    the PLL is at a pin; bitstream, bytes of one, where they are known. With a `grid`, lanes are placed by
    boards.floorplan.
    """

    name: str
    nextpnr: tuple[str, ...]
    family: Family
    lut4: int
    bram: int
    dsp: int
    grid: Grid | None = None
    lut_ram: int | None = None
    pack: tuple[str, ...] = ()
    spram: int = 0
    clock_balls: tuple[str, ...] = ()
    bitstream: int = 0

    @property
    def package(self) -> str | None:
        """As nextpnr calls it; None where the name of the part says it."""
        return self.nextpnr[self.nextpnr.index("--package") + 1] if "--package" in self.nextpnr else None
