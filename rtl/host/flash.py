"""FlashReader: the bytes of an SPI flash from an address on."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
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
        # one register: bits leave at its top and come in at its end
        bits, left, cipo = Signal(8, reset_less=True), Signal(range(9)), Signal(reset_less=True)
        asked = data.ArrayLayout(8, 4).const([READ, *self.address.to_bytes(3, "big")])
        place, last = Signal(2), Signal()
        timer, wait = Signal(range(self.half)), Signal(WAKE_BITS)
        m.d.sync += cipo.eq(self.cipo)
        m.d.comb += [self.copi.eq(bits[-1]), self.o.payload.eq(bits)]

        def shift():
            """One bit in two halves of a period: out on the falling edge, in at the end of the high half."""
            m.d.sync += timer.eq(timer + 1)
            with m.If(timer == self.half - 1):
                m.d.sync += [timer.eq(0), self.clk.eq(~self.clk)]
                with m.If(self.clk):
                    m.d.sync += [bits.eq(Cat(cipo, bits)), left.eq(left - 1)]
                    m.d.comb += last.eq(left == 1)

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [bits.eq(WAKE), left.eq(8)]
                with m.If(self.start):
                    m.d.sync += self.cs.eq(1)
                    m.next = "WAKE"
            with m.State("WAKE"):
                shift()
                with m.If(last):
                    m.next = "AWAKE"
            with m.State("AWAKE"):
                m.d.sync += [self.cs.eq(0), wait.eq(wait + 1), bits.eq(READ), left.eq(8)]
                with m.If(wait.all()):
                    m.d.sync += self.cs.eq(1)
                    m.next = "ASK"
            with m.State("ASK"):
                shift()
                with m.If(last):
                    m.d.sync += [place.eq(place + 1), bits.eq(asked[(place + 1)[:2]]), left.eq(8)]
                    with m.If(place == 3):
                        m.next = "NEXT"
            with m.State("NEXT"):
                m.d.sync += left.eq(8)
                m.next = "BYTE"
            with m.State("BYTE"):
                shift()
                with m.If(last):
                    m.next = "GIVE"
            with m.State("GIVE"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "NEXT"
        return m
