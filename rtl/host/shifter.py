"""SpiShifter: bytes to and from an SPI flash, one at a time."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.host.flash import FlashReader


class SpiShifter(wiring.Component):
    """Sends a byte and takes the one that comes for it. SPI mode 0, most significant bit first.

    A byte takes 16 * half cycles, from `start` to `done`.

    Parameters: half, clock cycles of half a period of the flash's clock, FlashReader.LEAST_HALF or more.
    Members: start, for one cycle, with `sent`; done, for one cycle; got, holds until the next start; clk, copi, cipo,
    the pins.
    """

    def __init__(self, half: int):
        if not isinstance(half, int) or half < FlashReader.LEAST_HALF:
            raise ValueError(f"half a period of the flash's clock takes {FlashReader.LEAST_HALF} cycles or more, not "
                             f"{half!r}")
        self.half = half
        super().__init__({"start": In(1), "sent": In(8), "done": Out(1), "got": Out(8), "clk": Out(1), "copi": Out(1),
                          "cipo": In(1)})

    def elaborate(self, platform):
        m = Module()
        # one register: bits leave at its top and come in at its end
        bits, timer, left, cipo = Signal(8), Signal(range(self.half)), Signal(range(9)), Signal(reset_less=True)
        m.d.sync += [cipo.eq(self.cipo), self.done.eq(0)]
        m.d.comb += [self.copi.eq(bits[-1]), self.got.eq(bits)]
        with m.If(self.start):
            m.d.sync += [bits.eq(self.sent), left.eq(8), timer.eq(0)]
        with m.Elif(left != 0):
            m.d.sync += timer.eq(timer + 1)
            with m.If(timer == self.half - 1):
                m.d.sync += [timer.eq(0), self.clk.eq(~self.clk)]
                with m.If(self.clk):
                    m.d.sync += [bits.eq(Cat(cipo, bits)), left.eq(left - 1), self.done.eq(left == 1)]
        return m
