"""iCEBreaker (1BitSquared): iCE40UP5K, 12 MHz oscillator, FT2232H serial line over USB.

Pins from amaranth-boards. Its button resets; light 0 is the red one.
"""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from boards.base import Board, Part
from boards.families.ice40 import UP5K
from boards.flash import SpiFlash

# Lattice FPGA-DS-02008, table of the family
_UP5K = Part("iCE40UP5K", ("--up5k", "--package", "sg48"), UP5K, lut4=5_280, bram=30, dsp=8, spram=4)

BOARDS = (
    Board(name="icebreaker", title="iCEBreaker", part=_UP5K, platform=ICEBreakerPlatform, clock="clk12", input_mhz=12,
          clock_mhz=24, baud=1_000_000, reset_button=("button", 0), leds=2,
          flash=SpiFlash("spi_flash_1x", address=0x20000, size=1 << 24, loader="ice40_generic")),
)
