"""ULX3S (Radiona): ECP5 in four sizes, 25 MHz oscillator, FT231X serial line over USB.

https://radiona.org/ulx3s; pins from amaranth-boards. The FT231X takes baud rates up to 3,000,000.
"""

from amaranth_boards import ulx3s

from boards.base import Board, Part
from boards.family import ECP5
from boards.flash import SpiFlash
from boards.floorplan import Grid

# Lattice FPGA-DS-02012, table of the family; the 12F is sold as half of a 25F, and counted as sold
_OPTIONS = ("--package", "CABGA381", "--speed", "6")
_25K = Grid(columns=(4, 13, 22, 33, 42, 51, 60), multipliers=(13,), rams=(25, 37))
_45K = Grid(columns=(4, 13, 22, 31, 42, 51, 60, 69, 78), multipliers=(22, 46), rams=(34, 58, 10))
_85K = Grid(columns=(4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114), multipliers=(10, 34, 58),
            rams=(22, 46, 70, 82))
_PARTS = {
    "12f": Part("LFE5U-12F", ("--12k", *_OPTIONS), ECP5, lut4=12_000, bram=32, dsp=28, grid=_25K),
    "25f": Part("LFE5U-25F", ("--25k", *_OPTIONS), ECP5, lut4=24_288, bram=56, dsp=28, grid=_25K),
    "45f": Part("LFE5U-45F", ("--45k", *_OPTIONS), ECP5, lut4=43_848, bram=108, dsp=72, grid=_45K),
    "85f": Part("LFE5U-85F", ("--85k", *_OPTIONS), ECP5, lut4=83_640, bram=208, dsp=156, grid=_85K),
}

BOARDS = tuple(
    Board(name=f"ulx3s-{size}", title=f"ULX3S with {part.name}", part=part,
          platform=getattr(ulx3s, f"ULX3S_{size.upper()}_Platform"), clock="clk25", input_mhz=25, clock_mhz=140,
          baud=1_000_000, reset_button=("button_fire", 0), leds=4,
          flash=SpiFlash("spi_flash", address=0x200000, size=1 << 24, loader="ulx3s"))
    for size, part in _PARTS.items())
