"""Icepi Zero (Cheyao): LFE5U-25F, 50 MHz oscillator, serial line over USB.

Pins from amaranth-boards.
"""

from amaranth_boards.icepi_zero import IcepiZero1_3Platform

from boards.base import Board
from boards.families.ecp5 import part
from boards.flash import SpiFlash

BOARDS = (
    Board(name="icepi-zero", title="Icepi Zero", part=part("25", "CABGA256"), platform=IcepiZero1_3Platform,
          clock="clk50", input_mhz=50, clock_mhz=100, baud=1_000_000, reset_button=("button", 0), leds=4,
          flash=SpiFlash("spi_flash_1x", address=0x200000, size=1 << 24, loader="icepi-zero", own_clock=True)),
)
