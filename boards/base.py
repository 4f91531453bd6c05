"""What a board is, and the design that puts a network on it: clock, reset, serial line, lights.

    clock pin --> [clock] --> domain sync --> [SerialTop] <--> UART pins
    button, ~lock --> [reset for 1024 input clocks] --^     clock: boards.clocks

All that crosses into the clock of the network happens here and in the receiver of the UART.
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Real

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Elaboratable,
    Module,
    Mux,
    ResetSignal,
    Signal,
)
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer

from boards.clocks import GowinPll, Ice40Pll, PinClock, Pll
from boards.family import Family
from boards.flash import SpiFlash
from boards.part import Part
from boards.pins import check_platform, facts
from golden.checks import check, is_int
from golden.description import Description
from golden.flash import noise
from golden.keeper import Slots, processor, slot_bytes
from rtl.host import top as tops
from rtl.host.rom import WORD, rom_words
from rtl.inventory import Budget
from rtl.systems import circuit

#: lights that say something
LIGHTS = 4
#: of a board, with what stands behind it: a folder of its builds has it
NAME = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)
#: log2 of the reset's length in cycles of the input clock: longer than any pipeline
RESET_BITS = 10
#: a UART samples the middle of its tenth bit: both ends together may be off by 5 %
MAX_BAUD_ERROR = 0.02
#: block RAMs of the link; its output buffer takes more in networks of more than about 100 outputs
LINK_BLOCKS = 2
#: what the name of a board ends with where it plays what its flash holds
BOOTING = "+flash"
#: and where it keeps what it learns, too
KEEPING = "+learn"
#: and where it holds its parameters against their checksum, alone or behind BOOTING
SCRUBBING = "+scrub"
#: and where it plays frames that lie in the bitstream itself (boards.bake)
ROM = "+rom"
#: the clock that is asked for where it scrubs, at most: gle-mnist1d reached 127 MHz on an ECP5, where 140 were asked
SCRUB_MHZ = 120
#: rough LUTs of what does that, and of what mends from the flash
LUT_SCRUB, LUT_MENDER = 250, 350
#: rough LUTs of the processor for that, its ports and its gate
LUT_KEEPER = 750
#: the clock that the processor reaches on an ECP5
KEEPER_MHZ = 80
#: rough LUTs of the control and link
LUT_BASE = 1700

Clock = PinClock | Pll | Ice40Pll | GowinPll


@dataclass(frozen=True, kw_only=True)
class Board:
    """One board.

    Parameters: name, of builds and tables: letters, digits, `-`, `_` and `.`; title, what it is; part, from
    `boards.families`; platform, the Amaranth platform class; clock and uart, resources of it by name, number 0;
    input_mhz, what the oscillator has; clock_mhz, what builds ask of the PLL, at most; baud, of the serial line;
    reset_button, a resource by name and number; leds, 0 to 4, so many resources `led` show something; flash, where it
    has one.

    ValueError, one line, where the platform has not what is named, is of another family, part or package, or has two
    signals at one ball, or a clock of another frequency than input_mhz, and for numbers that are none.

    boots: frames in the flash are played at power-up (golden/flash.py); `booting` is the board with that.
    keeps: what is learnt is kept in the flash (golden/keeper.py); `keeping` is the board with both.
    scrubs: parameters are held against their checksum (rtl/host/scrub.py); `scrubbing` is the board with that.
    holds: frames in the bitstream are played at power-up (rtl/host/rom.py); `holding` is the board with that.
    """

    name: str
    title: str
    part: Part
    platform: type
    clock: str
    input_mhz: int
    clock_mhz: float
    baud: int
    uart: str = "uart"
    reset_button: tuple[str, int] | None = None
    leds: int = 0
    flash: SpiFlash | None = None
    boots: bool = False
    keeps: bool = False
    scrubs: bool = False
    holds: bool = False

    def __post_init__(self):
        check(isinstance(self.name, str) and NAME.fullmatch(self.name),
              f"the name of a board is letters, digits, '-', '_' and '.', not {self.name!r}")
        for name in ("input_mhz", "clock_mhz", "baud"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not value > 0:
                raise ValueError(f"{self.name}: {name} is a positive number, not {value!r}")
        check(isinstance(self.part, Part), f"{self.name}: part is a Part of boards.families, not {self.part!r}")
        check(is_int(self.leds, 0, LIGHTS), f"{self.name}: leds is 0 to {LIGHTS}, not {self.leds!r}")
        if self.reset_button is not None and not (
                isinstance(self.reset_button, tuple) and [*map(type, self.reset_button)] == [str, int]):
            raise ValueError(f'{self.name}: reset_button is a name and a number, ("button", 0), not '
                             f"{self.reset_button!r}")
        check_platform(self.name, self.platform, self.part, self.wanted, self.clock, self.input_mhz)
        room = self.flash is None or self.flash.apart or self.flash.address >= self.part.bitstream
        check(room, f"{self.name}: a bitstream of {self.part.name} has {self.part.bitstream:,} bytes, and the address "
                    f"of the flash is byte {getattr(self.flash, 'address', 0):,}, inside it")

    @property
    def wanted(self) -> dict[tuple[str, int], dict[str, str]]:
        """The resources of the platform that it uses, by name and number: signals and their directions."""
        found = {(self.clock, 0): {"": "i"}, (self.uart, 0): {"rx": "i", "tx": "o"}}
        if self.reset_button is not None:
            found[self.reset_button] = {"": "i"}
        found |= {("led", n): {"": "o"} for n in range(self.leds)}
        if self.flash is not None:
            clock = {} if self.part.family.clocks_flash else {"clk": "o"}
            found[self.flash.resource, 0] = {"cs": "o", **clock, "copi": "o", "cipo": "i"}
        return found

    @property
    def facts(self) -> dict[str, str]:
        """What a bitstream has built in of the board, whatever the network: pins, oscillator, flash; for a report."""
        found = {"part": self.part.name, "oscillator": f"{self.input_mhz:g} MHz", "baud": f"{self.baud:,}"}
        if self.boots:
            found |= {"flash address": f"0x{self.flash.address:06x}", "flash size": f"0x{self.flash.size:x}"}
        return found | facts(self.platform, self.wanted)

    @property
    def booting(self) -> "Board":
        """The same board, which plays what its flash holds; ValueError where that is not known."""
        if self.flash is None:
            raise ValueError(f"{self.name} has no flash that a design could read")
        return replace(self, name=f"{self.name}{BOOTING}", boots=True)

    @property
    def keeping(self) -> "Board":
        """The same board, which also keeps what it learns; ValueError as for `booting`."""
        return replace(self.booting, name=f"{self.name}{KEEPING}", keeps=True,
                       clock_mhz=min(self.clock_mhz, KEEPER_MHZ))

    @property
    def scrubbing(self) -> "Board":
        """The same board, which holds its parameters against their checksum; mends them where it `boots`."""
        return replace(self, name=f"{self.name}{SCRUBBING}", scrubs=True, clock_mhz=min(self.clock_mhz, SCRUB_MHZ))

    @property
    def holding(self) -> "Board":
        """The same board, which plays what its bitstream holds; ValueError where no tool changes that."""
        if self.part.family.routed not in ("config", "asc"):
            raise ValueError(f"{self.name}: no tool puts new contents into a routed design of {self.part.family.name}")
        return replace(self, name=f"{self.name}{ROM}", holds=True)

    def slots(self, net: Description) -> Slots | None:
        """Where `net` keeps what it learns: at the end of the flash."""
        size = slot_bytes(net)
        return Slots(self.flash.size - 2 * size, size) if self.keeps else None

    @property
    def extra(self) -> int:
        """Rough LUTs of what it does beside the network."""
        return LUT_KEEPER * self.keeps + LUT_SCRUB * self.scrubs + LUT_MENDER * (self.scrubs and self.boots)

    @property
    def verilog(self) -> str:
        """Of what a design has from others."""
        return processor() if self.keeps else ""

    @property
    def budget(self) -> Budget:
        """Room beside the link."""
        return self._room(self.part.family)

    def _room(self, family: Family, net: Description | None = None) -> Budget:
        part, bram = self.part, self.part.bram - LINK_BLOCKS
        if self.holds and net is not None:
            bram -= family.inferred(len(rom_words(noise(net))), 8 * WORD)

        def luts(need):
            # what has no cells of LUT RAM left, or no large RAM, has no room, however many LUTs there are
            return family.luts(need) if self._holds_other(need, family) else 2 * part.lut4
        lut4, fill = part.lut4 - self.extra, family.fill
        return Budget(multipliers=None if self._multiplies_in_luts else part.dsp, bram=bram, lut4=lut4,
                      routable_bram=fill[0] * bram, routable_lut4=fill[1] * part.lut4 - family.base - self.extra,
                      blocks=family.block_rams, luts=luts, spram=part.spram if family.deep else 0,
                      shared=family.shared)

    @property
    def _multiplies_in_luts(self) -> bool:
        return not self.part.dsp and "product" in self.part.family.prices

    def fold(self, net: Description) -> Description:
        """Give the layers the lanes that the part has room for; ValueError where there is none.

        Where block RAMs are short, short memories go to LUT RAM, if the family has it, or the other way round; where
        that does not do, parameters are loaded in place (Description.in_place), if the network can.
        """
        self.check_kind(net)
        smaller, wanted = net.in_place(), circuit(net)
        for form in (net,) if smaller is None else (net, smaller):
            held = []
            for family in self._families:
                try:
                    found, error = wanted.fold(form, self._room(family, net)), None
                except ValueError as why:
                    found, error = None, why
                if found is not None and self._holds(found, family):
                    held.append(found)
                    if form is net:
                        break
            if held:
                # what is loaded in place is another design anyway: the form with more lanes
                return max(held, key=lambda found: found.lanes)
        if error is not None:
            raise error
        return found

    @property
    def _families(self) -> tuple[Family, ...]:
        family = self.part.family
        return (family,) if family.other is None else (family, family.other)

    def family_for(self, net: Description) -> Family:
        """The form that a folded network is built in: the first for which there is room, or the last."""
        return next((family for family in self._families if self._holds(net, family)), self._families[-1])

    def _holds(self, net: Description, family: Family) -> bool:
        need, room = circuit(net).inventory(net), self._room(family, net)
        # where there is a slimmer form, this one has to have the logic cells, too
        slims = need.shared is not None and family.other is not None and family.other.shared
        return family.block_rams(need) <= room.bram and self._holds_other(need, family) and (
            not slims or family.luts(need) <= room.routable_lut4)

    def _holds_other(self, need, family: Family) -> bool:
        """Whether there is room in memories that are no block RAM."""
        part = self.part
        return family.sprams(need) <= part.spram and (part.lut_ram is None or family.columns(need) <= part.lut_ram)

    def check_kind(self, net: Description) -> None:
        """ValueError for a network that multiplies where nothing can."""
        need = circuit(net).inventory(net)
        if need.multipliers and not self.part.dsp and not (need.factors and self._multiplies_in_luts):
            raise ValueError(f"{net.name} multiplies, and {self.name} ({self.part.name}) has no multipliers for it")

    def clock_for(self, clock_mhz: float | None = None, net: Description | None = None) -> Clock:
        """What makes `clock_mhz`; by default the board's own clock, or what circuits of the kind of `net` reach."""
        if clock_mhz is None:
            limit = circuit(net).clock(net) if net is not None else {}
            clock_mhz = min(self.clock_mhz, limit.get(self.part.family.name, self.clock_mhz))
        return self.part.family.clock(self.input_mhz, clock_mhz)

    def design(self, net: Description, clock_mhz: float | None = None) -> "BoardDesign":
        """The top of the FPGA with `net` on it."""
        clock = self.clock_for(clock_mhz, net)
        divisor = uart_divisor(clock.mhz, self.baud)
        return BoardDesign(net, self, clock, divisor)

    def top(self, net: Description, clock: Clock, divisor: int) -> tops.SerialTop:
        """What is the same on all boards."""
        played = tops.Rom(noise(net)) if self.holds else None
        return tops.SerialTop(net, divisor=divisor, vendor=self.family_for(net).vendor, scrubs=self.scrubs,
                              flash=self.flash.read(clock.mhz, self.slots(net)) if self.boots else played)


def uart_divisor(clock_mhz: Fraction, baud: int) -> int:
    """Clock cycles a bit; ValueError where the clock misses the baud rate."""
    exact = Fraction(clock_mhz) * 1_000_000 / baud
    divisor = round(exact)
    if divisor < 4 or abs(divisor / exact - 1) > MAX_BAUD_ERROR:
        raise ValueError(f"{float(clock_mhz):g} MHz has no divisor for {baud} baud "
                         f"(wanted {float(exact):.2f}, at least 4, within {MAX_BAUD_ERROR:.0%})")
    return divisor


class BoardDesign(Elaboratable):
    """The top: what needs a platform. Lights: 0 heartbeat, 1 receiving, 2 sending, 3 computing.

    The heartbeat stays on where the flash holds frames that were refused, and where a parameter has flipped.

    The reset lasts 1024 cycles of the input clock after the clock has locked or the button was let go.
    """

    def __init__(self, net: Description, board: Board, clock: Clock, divisor: int):
        self.net, self.board, self.clock, self.divisor = net, board, clock, divisor

    def elaborate(self, platform):
        m = Module()
        board = self.board
        m.domains.sync, m.domains.start = ClockDomain("sync"), ClockDomain("start", reset_less=True)
        locked, pressed = Signal(), Signal()
        pin = self.clock.drive(m, platform.request(board.clock, 0, dir="-"), ClockSignal(), locked)
        if board.reset_button:
            m.submodules.button = button = io.Buffer("i", platform.request(*board.reset_button, dir="-"))
            m.d.comb += pressed.eq(button.i)
        # The reset reaches thousands of registers over nets that take longer than a cycle of `sync`. It comes from a
        # register on the pin's clock, so that its paths are not timed, and lasts until every pipeline has drained. When
        # it ends nothing moves (no byte has arrived yet): registers that see it a cycle apart keep their reset values.
        m.d.comb += ClockSignal("start").eq(pin)
        quiet, hold, reset = Signal(), Signal(RESET_BITS), Signal(init=1)
        m.submodules.quiet = FFSynchronizer(locked & ~pressed, quiet, o_domain="start")
        m.d.start += [hold.eq(Mux(quiet, Mux(hold.all(), hold, hold + 1), 0)), reset.eq(~hold.all())]
        m.d.comb += ResetSignal().eq(reset)
        m.submodules.top = top = board.top(self.net, self.clock, self.divisor)
        line = platform.request(board.uart, 0, dir="-")
        m.submodules.line_in = line_in = io.Buffer("i", line.rx)
        m.submodules.line_out = line_out = io.Buffer("o", line.tx)
        rx, tx = Signal(init=1, reset_less=True), Signal(init=1, reset_less=True)
        # the receiver synchronises the line itself; a register keeps glitches off the pin
        m.d.sync += [rx.eq(line_in.i), tx.eq(top.tx)]
        m.d.comb += [top.rx.eq(line_in.i), line_out.o.eq(tx)]
        if board.boots:
            board.flash.connect(m, platform, top)
        if board.leds:
            count = Signal(max(2, int(self.clock.mhz * 1_000_000).bit_length() - 1))
            m.d.sync += count.eq(count + 1)
            beat = count[-1] | top.refused if board.boots or board.holds else count[-1]
            if board.scrubs:
                beat = beat | top.flipped
            for n, light in enumerate((beat, ~rx, ~tx, top.busy)[:board.leds]):
                m.submodules[f"led{n}"] = led = io.Buffer("o", platform.request("led", n, dir="-"))
                m.d.comb += led.o.eq(light)
        return m
