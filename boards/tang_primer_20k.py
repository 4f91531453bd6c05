"""Tang Primer 20K on its dock (Sipeed): GW2A-18C, 27 MHz oscillator, serial line over USB.

Pins from amaranth-boards.
"""

from amaranth_boards.tang_primer_20k import TangPrimer20kDockPlatform

from boards.base import Board
from boards.families.gowin import GW2A, part
from boards.flash import SpiFlash

# Gowin DS102, table of the series
_PART = part("GW2A-LV18PG256C8/I7", "GW2A-18C", GW2A, pins=("sspi", "mspi", "ready", "done"), lut4=20_736, bram=46,
             dsp=48, lut_ram=500)

BOARDS = (
    Board(name="tang-primer-20k", title="Tang Primer 20K", part=_PART, platform=TangPrimer20kDockPlatform,
          clock="clk27", input_mhz=27, clock_mhz=81, baud=1_000_000, reset_button=("button", 0), leds=4,
          flash=SpiFlash("spi_flash_1x", address=0x100000, size=1 << 22, loader="tangprimer20k", apart=True)),
)
