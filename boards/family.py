"""Where families of FPGAs differ: how yosys, nextpnr and the packer are called, their names, clocks, memories."""

from collections.abc import Callable
from dataclasses import dataclass

from boards.clocks import Ice40Pll, Pll
from golden.tools import ECPPACK, ICEPACK, NEXTPNR_ECP5, NEXTPNR_ICE40, YOSYS, Tool
from rtl.spiking.schedule import ice40_blocks


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of FPGAs and its tools.

    Parameters
    ----------
      name                  vendor form of rtl
      tools                 of golden.tools, by what each does; the last one packs
      synth, synth_options  pass of yosys
      constraints, routed   endings of nextpnr's files, and with -- before them its options (`routed`: another option)
      pack                  arguments of the packer
      constrains_clock      whether nextpnr has to be told the frequency that a PLL makes
      clock                 (MHz of the pin, MHz wanted) -> a clock of boards.clocks
      instances             block RAMs and multipliers in the elaborated circuit
      inferred              (depth, width) -> block RAMs that yosys makes of a memory which is read a cycle late
      cells                 what nextpnr calls the figures of a report
    """

    name: str
    tools: dict[str, Tool]
    synth: str
    synth_options: tuple[str, ...]
    constraints: str
    routed: str
    routed_option: str
    pack: tuple[str, ...]
    constrains_clock: bool
    clock: Callable
    instances: dict[str, str]
    inferred: Callable[[int, int], int]
    cells: dict[str, str]
    lut: str

    @property
    def packer(self) -> str:
        return list(self.tools)[-1]

    @property
    def files(self) -> tuple[str, ...]:
        """What a build leaves behind."""
        return ("design.bit", f"design.{self.routed}", "report.json", "yosys.log", "nextpnr.log",
                f"design.{self.constraints}")


def _ecp5_blocks(depth: int, width: int) -> int:
    """Block RAMs that yosys makes of the memory of a FIFO: none while it fits 24 LUT RAM cells of 16 x 4 (measured)."""
    if -(-depth // 16) * -(-width // 4) <= 24:
        return 0
    return min(-(-depth // words) * -(-width // bits)
               for words, bits in ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)))


ECP5 = Family(
    name="ecp5", synth="synth_ecp5",
    # multipliers are instantiated: yosys would turn the small products of table interpolation into DSPs
    synth_options=("-nodsp",), constraints="lpf", routed="config", routed_option="--textcfg",
    tools={"yosys": YOSYS, "nextpnr": NEXTPNR_ECP5, "ecppack": ECPPACK},
    pack=("--compress", "--input", "design.config", "--bit", "design.bit"), constrains_clock=False,
    clock=Pll.for_clock, instances={"DP16KD": "bram", "MULT18X18D": "dsp"}, inferred=_ecp5_blocks,
    cells={"comb": "TRELLIS_COMB", "ff": "TRELLIS_FF", "dsp": "MULT18X18D", "bram": "DP16KD"}, lut="LUT4")

#: a logic cell is a LUT and a flip-flop together; nothing here multiplies
ICE40 = Family(
    name="ice40", synth="synth_ice40", synth_options=(), constraints="pcf", routed="asc", routed_option="--asc",
    tools={"yosys": YOSYS, "nextpnr": NEXTPNR_ICE40, "icepack": ICEPACK},
    pack=("design.asc", "design.bit"), constrains_clock=True, clock=Ice40Pll.for_clock, instances={},
    inferred=ice40_blocks, cells={"comb": "ICESTORM_LC", "bram": "ICESTORM_RAM"}, lut="SB_LUT4")
