"""ECP5 (Lattice): nextpnr-ecp5 and Project Trellis."""

from dataclasses import replace

from amaranth.vendor import LatticePlatform

from boards.clocks import Pll
from boards.family import Family, columns
from boards.floorplan import Grid
from boards.part import Part
from golden.checks import check, nearest
from golden.tools import ECPPACK, NEXTPNR_ECP5, YOSYS
from rtl.inventory import Memory
from rtl.vendor.ecp5 import Bank
from rtl.vendor.small import is_small


def _blocks(depth: int, width: int) -> int:
    """Block RAMs that yosys makes of the memory of a FIFO: none while it fits 24 LUT RAM cells of 16 x 4 (measured)."""
    if columns(depth, width) <= 24:
        return 0
    return min(-(-depth // words) * -(-width // bits)
               for words, bits in ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)))


def _memory(memory: Memory) -> int:
    if memory.form in ("soft", "at_once"):
        return 0
    if memory.form == "bank":
        return Bank.blocks(memory.depth, memory.width, memory.columns)
    return _blocks(memory.depth, memory.width)


def _small_memory(memory: Memory) -> int:
    return 0 if memory.form == "bank" and is_small(memory.depth, memory.columns) else _memory(memory)


_PLAIN = Family(
    name="ecp5", vendor="ecp5", synth="synth_ecp5",
    # multipliers are instantiated: yosys would turn the small products of table interpolation into DSPs
    synth_options=("-nodsp",), constraints="lpf", routed="config", routed_option="--textcfg",
    tools={"yosys": YOSYS, "nextpnr": NEXTPNR_ECP5, "ecppack": ECPPACK},
    pack=("--compress", "--input", "design.config", "--bit", "design.bit"), constrains_clock=False,
    clock=Pll.for_clock, instances={"DP16KD": "bram", "MULT18X18D": "dsp"}, inferred=_blocks,
    # rough LUTs, fitted over networks of 1 to 141 lanes of 16-bit words, and over spiking ones
    blocks=_memory, prices={"layer": 240, "mac_lane": 90, "table": 200, "engine": 600, "neuron_lane": 70,
                            "column": 9}, fill=(0.9, 0.6), base=0,
    cells={"comb": "TRELLIS_COMB", "ff": "TRELLIS_FF", "dsp": "MULT18X18D", "bram": "DP16KD"}, lut="LUT4",
    clocks_flash=True, platform=LatticePlatform, package=lambda name: _AMARANTHS.get(name, name),
    limits={"bitstream": "no tool makes a netlist of an ECP5 bitstream (ecpunpack and ecppack only give the same bits "
                         "again): --rung routed is the lowest"})
ECP5 = replace(_PLAIN, other=replace(_PLAIN, vendor="ecp5_small", blocks=_small_memory))

_25K = Grid(columns=(4, 13, 22, 33, 42, 51, 60), multipliers=(13,), rams=(25, 37))
_45K = Grid(columns=(4, 13, 22, 31, 42, 51, 60, 69, 78), multipliers=(22, 46), rams=(34, 58, 10))
_85K = Grid(columns=(4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114), multipliers=(10, 34, 58),
            rams=(22, 46, 70, 82))
#: LUTs, block RAMs, multipliers. Lattice FPGA-DS-02012, table of the family; the 12F is sold as half of a 25F, and
#: counted as sold
_HOLDS = {"12": (12_000, 32, 28, _25K), "25": (24_288, 56, 28, _25K), "45": (43_848, 108, 72, _45K),
          "85": (83_640, 208, 156, _85K)}


#: of the LFE5U, as nextpnr calls them, and what Amaranth calls them
PACKAGES = ("TQFP144", "CABGA256", "CSFBGA285", "CABGA381", "CABGA554", "CABGA756")
_AMARANTHS = {"BG256": "CABGA256", "MG285": "CSFBGA285", "BG381": "CABGA381", "BG554": "CABGA554", "BG756": "CABGA756"}


def part(size: str, package: str) -> Part:
    """An LFE5U of so many thousand LUTs, of speed grade 6, in a package of nextpnr's. ValueError for another one."""
    check(size in _HOLDS, f"no LFE5U-{size}F: sizes are {', '.join(_HOLDS)}")
    check(package in PACKAGES, f"no package {package!r}{nearest(package, PACKAGES)}: nextpnr's are "
                               f"{', '.join(PACKAGES)}; a BG256 is a CABGA256")
    lut4, bram, dsp, grid = _HOLDS[size]
    return Part(f"LFE5U-{size}F", (f"--{size}k", "--package", package, "--speed", "6"), ECP5, lut4=lut4, bram=bram,
                dsp=dsp, grid=grid)
