"""iCEBreaker (1BitSquared): iCE40UP5K, 12 MHz oscillator, FT2232H serial line over USB.

Pins from amaranth-boards. Its button resets; light 0 is the red one.
"""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from boards.base import Board
from boards.families.ice40 import part
from boards.flash import SpiFlash

BOARDS = (
    Board(name="icebreaker", title="iCEBreaker", part=part("UP5K", "sg48"), platform=ICEBreakerPlatform, clock="clk12",
          input_mhz=12, clock_mhz=24, baud=1_000_000, reset_button=("button", 0), leds=2,
          flash=SpiFlash("spi_flash_1x", address=0x20000, size=1 << 24, loader="ice40_generic")),
)
