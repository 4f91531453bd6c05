"""iCESugar-Pro (Muse Lab): LFE5U-25F, 25 MHz oscillator, serial line over the USB of its programmer.

Pins from amaranth-boards. It has no button and no plain LED. Of its 32 MiB of flash a design reads the first half.
"""

from amaranth_boards.icesugar_pro import ICESugarProPlatform

from boards.base import Board
from boards.families.ecp5 import part
from boards.flash import SpiFlash

BOARDS = (
    Board(name="icesugar-pro", title="iCESugar-Pro", part=part("25", "CABGA256"), platform=ICESugarProPlatform,
          clock="clk25", input_mhz=25, clock_mhz=100, baud=1_000_000,
          flash=SpiFlash("spi_flash_1x", address=0x200000, size=1 << 24, loader="", own_clock=True)),
)
