"""Where families of FPGAs differ: how yosys, nextpnr and the packer are called, their names, clocks, memories."""

from collections.abc import Callable
from dataclasses import dataclass, field

from boards.clocks import Ice40Pll, Pll
from golden.tools import ECPPACK, ICEPACK, NEXTPNR_ECP5, NEXTPNR_ICE40, YOSYS, Tool
from rtl.inventory import Inventory, Memory
from rtl.vendor.ecp5 import Bank


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
      blocks                Memory -> block RAMs of each of its `count`
      prices                LUTs of a feature of an Inventory; "column": of 4 bits of 16 words of LUT RAM, "state" and
                            "ring": of a bit of memories that are registers, read at once or a cycle late; "product": of
                            a bit times a bit of a multiplier of LUTs, in families without multipliers
      fill                  shares of block RAMs and LUTs beyond which a design hardly routes
      base                  LUTs of the link that count beside the layers when lanes are dealt out
      cells                 what nextpnr calls the figures of a report
      limits                rungs of `leadlag verify` that its tools do not reach, and why
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
    blocks: Callable[[Memory], int]
    prices: dict[str, float]
    fill: tuple[float, float]
    base: int
    cells: dict[str, str]
    lut: str
    limits: dict[str, str] = field(default_factory=dict)

    def block_rams(self, need: Inventory) -> int:
        """Block RAMs of an inventory."""
        return sum(memory.count * self.blocks(memory) for memory in need.memories)

    def luts(self, need: Inventory) -> int:
        """Rough number of LUTs of an inventory, of logic cells where each has its flip-flop."""
        found = sum(self.prices[name] * amount for name, amount in need.logic.items())
        found += self.prices.get("product", 0) * sum(a * b * count for a, b, count in need.factors)
        for memory in need.memories:
            if memory.form != "inferred" and not self.blocks(memory):
                columns = -(-memory.depth // 16) * -(-memory.width // 4)
                bits = self.prices.get("state" if memory.form == "at_once" else "ring", 0) * memory.depth * memory.width
                found += memory.count * (self.prices.get("column", 0) * columns + bits)
        return int(found)

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


def _ecp5_memory(memory: Memory) -> int:
    if memory.form in ("soft", "at_once"):
        return 0
    if memory.form == "bank":
        return Bank.blocks(memory.depth, memory.width, memory.columns)
    return _ecp5_blocks(memory.depth, memory.width)


#: words x bits of a block RAM of an iCE40, and up to how many bits a block yosys takes registers (measured)
ICE40_SHAPES, ICE40_LEAST = ((256, 16), (512, 8), (1024, 4), (2048, 2)), 72


def ice40_blocks(depth: int, width: int) -> int:
    """Block RAMs of 4 kbit that yosys makes of a memory which is read a cycle late."""
    found = min(-(-depth // words) * -(-width // bits) for words, bits in ICE40_SHAPES)
    return 0 if depth * width <= ICE40_LEAST * found else found


ECP5 = Family(
    name="ecp5", synth="synth_ecp5",
    # multipliers are instantiated: yosys would turn the small products of table interpolation into DSPs
    synth_options=("-nodsp",), constraints="lpf", routed="config", routed_option="--textcfg",
    tools={"yosys": YOSYS, "nextpnr": NEXTPNR_ECP5, "ecppack": ECPPACK},
    pack=("--compress", "--input", "design.config", "--bit", "design.bit"), constrains_clock=False,
    clock=Pll.for_clock, instances={"DP16KD": "bram", "MULT18X18D": "dsp"}, inferred=_ecp5_blocks,
    # rough LUTs, fitted over networks of 1 to 141 lanes of 16-bit words, and over spiking ones
    blocks=_ecp5_memory, prices={"layer": 240, "mac_lane": 90, "table": 200, "engine": 600, "neuron_lane": 70,
                                 "column": 9}, fill=(0.9, 0.6), base=0,
    cells={"comb": "TRELLIS_COMB", "ff": "TRELLIS_FF", "dsp": "MULT18X18D", "bram": "DP16KD"}, lut="LUT4",
    limits={"bitstream": "no tool makes a netlist of an ECP5 bitstream (ecpunpack and ecppack only give the same bits "
                         "again): --rung routed is the lowest"})

#: a logic cell is a LUT and a flip-flop together; multipliers are made of them
ICE40 = Family(
    name="ice40", synth="synth_ice40", synth_options=(), constraints="pcf", routed="asc", routed_option="--asc",
    tools={"yosys": YOSYS, "nextpnr": NEXTPNR_ICE40, "icepack": ICEPACK},
    pack=("design.asc", "design.bit"), constrains_clock=True, clock=Ice40Pll.for_clock, instances={},
    inferred=ice40_blocks, blocks=lambda memory: 0 if memory.form == "at_once" else ice40_blocks(memory.depth,
                                                                                                 memory.width),
    prices={"engine": 650, "neuron_lane": 184, "state": 2.1, "ring": 1.5, "layer": 700, "mac_lane": 120,
            "product": 3.4}, fill=(1.0, 0.93), base=1250,
    cells={"comb": "ICESTORM_LC", "bram": "ICESTORM_RAM"}, lut="SB_LUT4",
    limits={"routed": "what nextpnr-ice40 writes of a routed design has no clock at its pad: --rung bitstream goes "
                      "further"})
