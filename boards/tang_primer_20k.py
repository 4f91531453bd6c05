"""Tang Primer 20K on its dock (Sipeed): GW2A-18C, 27 MHz oscillator, serial line over USB.

Pins from amaranth-boards.
"""

from amaranth_boards.tang_primer_20k import TangPrimer20kDockPlatform

from boards.base import Board
from boards.families.gowin import part
from boards.flash import SpiFlash

_PART = part("GW2A-LV18PG256C8/I7", "GW2A-18C", pins=("sspi", "mspi", "ready", "done"))

BOARDS = (
    Board(name="tang-primer-20k", title="Tang Primer 20K", part=_PART, platform=TangPrimer20kDockPlatform,
          clock="clk27", input_mhz=27, clock_mhz=81, baud=1_000_000, reset_button=("button", 0), leds=4,
          flash=SpiFlash("spi_flash_1x", address=0x100000, size=1 << 22, loader="tangprimer20k", apart=True)),
)
