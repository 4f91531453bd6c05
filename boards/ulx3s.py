"""ULX3S (Radiona): ECP5 in four sizes, 25 MHz oscillator, FT231X serial line over USB.

https://radiona.org/ulx3s; pins from amaranth-boards. The FT231X takes baud rates up to 3,000,000.
"""

from amaranth_boards import ulx3s

from boards.base import Board
from boards.families.ecp5 import part
from boards.flash import SpiFlash

_PARTS = {f"{size}f": part(size, "CABGA381") for size in ("12", "25", "45", "85")}

BOARDS = tuple(
    Board(name=f"ulx3s-{size}", title=f"ULX3S with {part.name}", part=part,
          platform=getattr(ulx3s, f"ULX3S_{size.upper()}_Platform"), clock="clk25", input_mhz=25, clock_mhz=140,
          baud=1_000_000, reset_button=("button_fire", 0), leds=4,
          flash=SpiFlash("spi_flash", address=0x200000, size=1 << 24, loader="ulx3s"))
    for size, part in _PARTS.items())
