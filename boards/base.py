"""What a board is, and the design that puts a network on it: clock, reset, serial line, lights.

    clock pin --> [PLL] --> domain sync --> [SerialTop] <--> UART pins
    button, ~lock --> [reset for 1024 input clocks] --^

All that crosses into the clock of the network happens here and in the receiver of the UART.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Const,
    Elaboratable,
    Fragment,
    Instance,
    Module,
    Mux,
    ResetSignal,
    Shape,
    Signal,
)
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer

from boards.floorplan import Grid
from golden.activation import is_tabulated
from golden.network import Network
from golden.spiking_network import SpikingLayer, SpikingNetwork
from rtl import top as tops
from rtl.schedule import banks, fold
from rtl.spiking_schedule import fold_spiking, luts
from rtl.vendor.ecp5 import Bank

#: limits of the EHXPLLL in MHz (Lattice FPGA-DS-02012, sysCLOCK PLL timing)
VCO_MHZ, PHASE_MHZ, OUT_MHZ = (400, 800), Fraction(25, 8), (Fraction(25, 8), 400)
MAX_DIVIDER = 128
#: log2 of the reset's length in cycles of the input clock: longer than any pipeline
RESET_BITS = 10
#: a UART samples the middle of its tenth bit: both ends together may be off by 5 %
MAX_BAUD_ERROR = 0.02
#: block RAMs of the link; its output buffer takes more in networks of more than about 100 outputs
LINK_BLOCKS = 2
#: rough LUTs of the control and link, a layer, a lane, a table; fitted over networks of 1 to 141 lanes, 16-bit words
LUT_BASE, LUT_LAYER, LUT_LANE, LUT_TABLE = 1250, 240, 90, 200


@dataclass(frozen=True)
class Part:
    """An FPGA as the tools call it, and what it holds (block RAMs of 18 kbit, multipliers of 18 x 18 bits).

    With a `grid`, lanes are placed by boards.floorplan.
    """

    name: str
    nextpnr: tuple[str, ...]
    vendor: str
    lut4: int
    bram: int
    dsp: int
    grid: Grid | None = None


@dataclass(frozen=True, kw_only=True)
class Board:
    """One board. `platform` is the Amaranth platform class; resources are named as the platform names them."""

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

    def fold(self, net: Network | SpikingNetwork) -> Network | SpikingNetwork:
        """Give the layers the lanes that the part has multipliers and block RAMs for; spiking layers: LUTs, too."""
        if isinstance(net, SpikingNetwork):
            return fold_spiking(net, self.part.bram - LINK_BLOCKS, self.part.lut4)
        def fits(folded):
            return sum(Bank.blocks(*bank) for bank in banks(folded)) + LINK_BLOCKS <= self.part.bram
        return fold(net, self.part.dsp, fits)

    def pll(self, clock_mhz: float | None = None) -> "Pll":
        """The PLL for `clock_mhz`, or for the board's own clock."""
        return Pll.for_clock(self.input_mhz, self.clock_mhz if clock_mhz is None else clock_mhz)

    def design(self, net: Network, clock_mhz: float | None = None) -> "BoardDesign":
        """The top of the FPGA with `net` on it."""
        pll = self.pll(clock_mhz)
        divisor = uart_divisor(pll.mhz, self.baud)
        return BoardDesign(net, self, pll, divisor)


@dataclass(frozen=True)
class Pll:
    """Dividers of an EHXPLLL whose feedback comes from its output: out = input * feedback / reference."""

    input_mhz: int
    reference: int
    feedback: int
    output: int

    @property
    def mhz(self) -> Fraction:
        """Exact output frequency."""
        return Fraction(self.input_mhz * self.feedback, self.reference)

    @property
    def vco_mhz(self) -> Fraction:
        return self.mhz * self.output

    @classmethod
    def for_clock(cls, input_mhz: int, mhz: float) -> "Pll":
        """Dividers for the frequency nearest to `mhz`; among equals the fastest phase comparison."""
        if not OUT_MHZ[0] <= mhz <= OUT_MHZ[1]:
            raise ValueError(f"a PLL makes {float(OUT_MHZ[0]):g} to {OUT_MHZ[1]} MHz, not {mhz:g} MHz")
        found = []
        for reference in range(1, int(input_mhz / PHASE_MHZ) + 1):
            middle = round(Fraction(mhz) * reference / input_mhz)
            for feedback in {max(1, middle - 1), max(1, middle), middle + 1}:
                out = Fraction(input_mhz * feedback, reference)
                output = min(max(1, round(sum(VCO_MHZ) / 2 / out)), MAX_DIVIDER)
                if (feedback <= MAX_DIVIDER and OUT_MHZ[0] <= out <= OUT_MHZ[1]
                        and VCO_MHZ[0] <= out * output <= VCO_MHZ[1]):
                    found.append((abs(out - Fraction(mhz)), reference, feedback, output))
        return cls(input_mhz, *min(found)[1:])

    def instance(self, *, i, o, locked) -> Instance:
        """The primitive. Loop filter as the vendor's generator sets it."""
        phase = self.output // 2
        return Instance(
            "EHXPLLL", a_FREQUENCY_PIN_CLKI=f"{float(self.input_mhz):g}", a_FREQUENCY_PIN_CLKOP=f"{float(self.mhz):g}",
            a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1", a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED", p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED", p_OUTDIVIDER_MUXA="DIVA", p_CLKOP_ENABLE="ENABLED",
            p_CLKI_DIV=self.reference, p_CLKFB_DIV=self.feedback, p_CLKOP_DIV=self.output,
            p_CLKOP_CPHASE=max(0, phase - 1), p_CLKOP_FPHASE=0, p_FEEDBK_PATH="CLKOP",
            i_CLKI=i, i_CLKFB=o, i_RST=Const(0), i_STDBY=Const(0), i_PHASESEL0=Const(0), i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1), i_PHASESTEP=Const(1), i_PHASELOADREG=Const(1), i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0), o_CLKOP=o, o_LOCK=locked)


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

    The reset lasts 1024 cycles of the input clock after the PLL has locked or the button was let go.
    """

    def __init__(self, net: Network, board: Board, pll: Pll, divisor: int):
        self.net, self.board, self.pll, self.divisor = net, board, pll, divisor

    def elaborate(self, platform):
        m = Module()
        board = self.board
        m.domains.sync, m.domains.start = ClockDomain("sync"), ClockDomain("start", reset_less=True)
        m.submodules.clock = clock = io.Buffer("i", platform.request(board.clock, 0, dir="-"))
        locked, pressed = Signal(), Signal()
        m.submodules.pll = self.pll.instance(i=clock.i, o=ClockSignal(), locked=locked)
        if board.reset_button:
            m.submodules.button = button = io.Buffer("i", platform.request(*board.reset_button, dir="-"))
            m.d.comb += pressed.eq(button.i)
        # The reset reaches thousands of registers over nets that take longer than a cycle of `sync`. It comes from a
        # register on the pin's clock, so that its paths are not timed, and lasts until every pipeline has drained. When
        # it ends nothing moves (no byte has arrived yet): registers that see it a cycle apart keep their reset values.
        m.d.comb += ClockSignal("start").eq(clock.i)
        quiet, hold, reset = Signal(), Signal(RESET_BITS), Signal(init=1)
        m.submodules.quiet = FFSynchronizer(locked & ~pressed, quiet, o_domain="start")
        m.d.start += [hold.eq(Mux(quiet, Mux(hold.all(), hold, hold + 1), 0)), reset.eq(~hold.all())]
        m.d.comb += ResetSignal().eq(reset)
        m.submodules.top = top = tops.SerialTop(self.net, divisor=self.divisor, vendor=board.part.vendor)
        line = platform.request(board.uart, 0, dir="-")
        m.submodules.line_in = line_in = io.Buffer("i", line.rx)
        m.submodules.line_out = line_out = io.Buffer("o", line.tx)
        rx, tx = Signal(init=1, reset_less=True), Signal(init=1, reset_less=True)
        # the receiver synchronises the line itself; a register keeps glitches off the pin
        m.d.sync += [rx.eq(line_in.i), tx.eq(top.tx)]
        m.d.comb += [top.rx.eq(line_in.i), line_out.o.eq(tx)]
        if board.leds:
            count = Signal(max(2, int(self.pll.mhz * 1_000_000).bit_length() - 1))
            m.d.sync += count.eq(count + 1)
            for n, light in enumerate((count[-1], ~rx, ~tx, top.busy)[:board.leds]):
                m.submodules[f"led{n}"] = led = io.Buffer("o", platform.request("led", n, dir="-"))
                m.d.comb += led.o.eq(light)
        return m


@dataclass(frozen=True)
class Resources:
    """Block RAMs and multipliers are counted; LUTs (two for a carry cell) are estimated to +-20 %."""

    lut4: int
    bram: int
    dsp: int
    details: dict = field(default_factory=dict, compare=False)


def resources_needed(net: Network, board: Board) -> Resources:
    """What the design of `net` takes, counted in the elaborated circuit: true whatever that is made of."""
    counts = {"bram": 0, "dsp": 0, "inferred": 0}
    top = tops.SerialTop(net, divisor=uart_divisor(board.pll().mhz, board.baud), vendor=board.part.vendor)
    _count(Fragment.get(top, None), counts)
    lut4 = LUT_BASE + sum(map(_layer_luts, net.layers))
    return Resources(lut4=lut4, bram=counts["bram"] + counts["inferred"], dsp=counts["dsp"], details=counts)


def _layer_luts(layer) -> int:
    if isinstance(layer, SpikingLayer):
        return luts(layer)
    return LUT_LAYER + LUT_LANE * layer.lanes + LUT_TABLE * is_tabulated(layer.activation)


def check_fits(net: Network, board: Board) -> Resources:
    """`resources_needed`; ValueError (one line) where the part has less."""
    need = resources_needed(net, board)
    for name, words, exact in (("dsp", "multipliers", True), ("bram", "block RAMs", True), ("lut4", "LUTs", False)):
        needed, available = getattr(need, name), getattr(board.part, name)
        if needed > available:
            about = "" if exact else "about "
            raise ValueError(f"{net.name} needs {about}{needed} {words}, {board.name} ({board.part.name}) "
                             f"has {available}")
    return need


def _count(fragment, counts) -> None:
    for entry in fragment.subfragments:
        part = entry[0]
        if isinstance(part, Instance):
            kind = {"DP16KD": "bram", "MULT18X18D": "dsp"}.get(part.type)
            if kind:
                counts[kind] += 1
        elif type(part).__name__ == "MemoryInstance":
            counts["inferred"] += _inferred_blocks(part._data)
        _count(part, counts)


def _inferred_blocks(memory) -> int:
    """Block RAMs that yosys makes of the memory of a FIFO: none while it fits 24 LUT RAM cells of 16 x 4 (measured)."""
    depth, width = memory.depth, Shape.cast(memory.shape).width
    if -(-depth // 16) * -(-width // 4) <= 24:
        return 0
    return min(-(-depth // words) * -(-width // bits)
               for words, bits in ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)))
