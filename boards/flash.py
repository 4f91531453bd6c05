"""The flash of a board: where frames for power-up lie behind the bitstream, and the pins that they are read over."""

from dataclasses import dataclass
from math import ceil

from amaranth.hdl import Const, Instance, Module
from amaranth.lib import io

from golden.checks import check
from golden.keeper import Slots
from rtl.host.flash import FlashReader
from rtl.host.top import Flash

#: what every SPI flash reads at with the plain command (03), and pins without constraints carry
READ_MHZ = 20
#: what addresses and sizes are multiples of: the largest block that SPI flashes erase
BLOCK = 1 << 16


@dataclass(frozen=True)
class SpiFlash:
    """An SPI flash.

    Parameters: resource, a name of the platform, number 0; address of what is played at power-up, a multiple of 64 KiB
    behind the longest bitstream; size in bytes; loader, the board as openFPGALoader names it, "" where it does not;
    own_clock, whether the clock's pin is that of the FPGA's own loader, which takes no other signal, though the
    platform names it; apart, whether the bitstream is no part of the file for the flash: openFPGALoader makes of it
    what the FPGA loads, in this flash or in one of its own.
    """

    resource: str
    address: int
    size: int
    loader: str
    own_clock: bool = False
    apart: bool = False

    def __post_init__(self):
        check(isinstance(self.resource, str), f"resource of a flash is a name of the platform, not {self.resource!r}")
        for name in ("address", "size"):
            value = getattr(self, name)
            check(isinstance(value, int) and value >= 0 and value % BLOCK == 0,
                  f"{name} of a flash is a multiple of 0x{BLOCK:x}, not {value!r}")
        check(self.address < self.size, f"a flash of 0x{self.size:x} bytes has no address 0x{self.address:x}")

    def read(self, mhz, slots: Slots | None = None) -> Flash:
        """How a design with a clock of `mhz` reads it; slots: where that keeps what it learns."""
        return Flash(self.address, max(FlashReader.LEAST_HALF, ceil(mhz / (2 * READ_MHZ))), slots)

    def connect(self, m: Module, platform, top) -> None:
        """The pins of a SerialTop that plays frames. An ECP5 has the clock's pin behind a primitive of its own."""
        pins = platform.request(self.resource, 0, dir="-")
        plain = hasattr(pins, "clk") and not self.own_clock
        for name, value in (("cs", top.flash_cs), *([("clk", top.flash_clk)] if plain else []),
                            ("copi", top.flash_copi), ("wp", 0), ("hold", 0)):
            if hasattr(pins, name):
                m.submodules[f"flash_{name}"] = pin = io.Buffer("o", getattr(pins, name))
                m.d.comb += pin.o.eq(value)
        if not plain:
            m.submodules.flash_clk = Instance("USRMCLK", i_USRMCLKI=top.flash_clk, i_USRMCLKTS=Const(0))
        m.submodules.flash_cipo = cipo = io.Buffer("i", pins.cipo)
        m.d.comb += top.flash_cipo.eq(cipo.i)
