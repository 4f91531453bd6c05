"""Tang Nano 9K (Sipeed): GW1NR-9C, 27 MHz oscillator, serial line over the USB of its programmer.

Pins from amaranth-boards. The bitstream lies in a flash inside the FPGA, the one on the board is free for frames.
"""

from amaranth_boards.tang_nano_9k import TangNano9kPlatform

from boards.base import Board
from boards.families.gowin import part
from boards.flash import SpiFlash

_PART = part("GW1NR-LV9QN88PC6/I5", "GW1N-9C", pins=("sspi", "mspi"))

BOARDS = (
    Board(name="tang-nano-9k", title="Tang Nano 9K", part=_PART, platform=TangNano9kPlatform, clock="clk27",
          input_mhz=27, clock_mhz=54, baud=1_000_000, reset_button=("button", 0), leds=4,
          flash=SpiFlash("spi_flash_1x", address=0, size=1 << 22, loader="tangnano9k", apart=True)),
)
