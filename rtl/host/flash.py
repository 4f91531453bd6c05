"""FlashReader: the bytes of an SPI flash from an address on."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

#: commands of every SPI flash: leave power-down, read
WAKE, READ = 0xAB, 0x03
#: clock cycles after WAKE until the flash listens: 40 us at 100 MHz, the slowest of the data sheets names 35
WAKE_BITS = 12


class FlashReader(wiring.Component):
    """Wakes the flash, asks for what is at `address` and gives byte after byte, for as long as they are taken.

    SPI mode 0, most significant bit first; the flash's clock stands still while a byte is not taken. A byte takes
    16 * half cycles and two more.

    Parameters: address, 24 bits; half, clock cycles of half a period of the flash's clock, LEAST_HALF or more.
    Members: start, for one cycle; o, bytes; cs (high: selected), clk, copi, cipo, the pins.
    """

    #: `cipo` passes a register before it is looked at
    LEAST_HALF = 2

    def __init__(self, *, address: int, half: int):
        if not isinstance(address, int) or not 0 <= address < 1 << 24:
            raise ValueError(f"a flash has addresses 0 to 0xFFFFFF, not {address!r}")
        if not isinstance(half, int) or half < self.LEAST_HALF:
            raise ValueError(f"half a period of the flash's clock takes {self.LEAST_HALF} cycles or more, not {half!r}")
        self.address, self.half = address, half
        super().__init__({"start": In(1), "o": Out(stream.Signature(8)),
                          "cs": Out(1), "clk": Out(1), "copi": Out(1), "cipo": In(1)})

    def elaborate(self, platform):
        m = Module()
        sent, bits = Signal(32, reset_less=True), Signal(6)
        got, cipo = Signal(8, reset_less=True), Signal(reset_less=True)
        timer, wait = Signal(range(self.half)), Signal(WAKE_BITS)
        m.d.sync += cipo.eq(self.cipo)
        m.d.comb += [self.copi.eq(sent[-1]), self.o.payload.eq(got)]

        def shift(then):
            """One bit in two halves of a period: out on the falling edge, in at the end of the high half."""
            m.d.sync += timer.eq(timer + 1)
            with m.If(timer == self.half - 1):
                m.d.sync += [timer.eq(0), self.clk.eq(~self.clk)]
                with m.If(self.clk):
                    m.d.sync += [sent.eq(sent << 1), got.eq(Cat(cipo, got)), bits.eq(bits - 1)]
                    with m.If(bits == 1):
                        m.next = then

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [sent.eq(WAKE << 24), bits.eq(8)]
                with m.If(self.start):
                    m.d.sync += self.cs.eq(1)
                    m.next = "WAKE"
            with m.State("WAKE"):
                shift("AWAKE")
            with m.State("AWAKE"):
                m.d.sync += [self.cs.eq(0), wait.eq(wait + 1)]
                with m.If(wait.all()):
                    m.d.sync += [self.cs.eq(1), sent.eq(Cat(Const(self.address, 24), Const(READ, 8))), bits.eq(32)]
                    m.next = "ASK"
            with m.State("ASK"):
                shift("NEXT")
            with m.State("NEXT"):
                m.d.sync += bits.eq(8)
                m.next = "BYTE"
            with m.State("BYTE"):
                shift("GIVE")
            with m.State("GIVE"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "NEXT"
        return m
