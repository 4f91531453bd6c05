"""iCE40-HX8K breakout board (Lattice), for small networks: 12 MHz oscillator, FT2232H serial line over USB.

Pins from amaranth-boards. Smaller parts of the family do not hold the link and ten outputs.
"""

from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

from boards.base import Board
from boards.families.ice40 import part
from boards.flash import SpiFlash

BOARDS = (
    Board(name="ice40-hx8k", title="iCE40-HX8K breakout board", part=part("HX8K", "ct256"),
          platform=ICE40HX8KBEVNPlatform, clock="clk12", input_mhz=12, clock_mhz=60, baud=1_000_000, leds=4,
          flash=SpiFlash("spi_flash_1x", address=0x40000, size=1 << 22, loader="ice40_generic")),
)
