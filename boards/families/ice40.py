"""iCE40 (Lattice): nextpnr-ice40 and Project IceStorm. HX parts have no multipliers, the UP5K has eight."""

from dataclasses import replace

from amaranth.vendor import SiliconBluePlatform

from boards.clocks import Ice40PadPll, Ice40Pll
from boards.family import Family
from boards.part import Part
from golden.checks import check, nearest
from golden.tools import ICEPACK, NEXTPNR_ICE40, YOSYS
from rtl.inventory import Memory
from rtl.primitives import SPRAM
from rtl.vendor import scratch, spram

#: words x bits of a block RAM of an iCE40, and up to how many bits a block yosys takes registers (measured)
ICE40_SHAPES, ICE40_LEAST = ((256, 16), (512, 8), (1024, 4), (2048, 2)), 66


def ice40_blocks(depth: int, width: int) -> int:
    """Block RAMs of 4 kbit that yosys makes of a memory which is read a cycle late."""
    found = min(-(-depth // words) * -(-width // bits) for words, bits in ICE40_SHAPES)
    return 0 if depth * width <= ICE40_LEAST * found else found


#: a logic cell is a LUT and a flip-flop together; multipliers are made of them
ICE40 = Family(
    name="ice40", vendor="ice40", synth="synth_ice40", synth_options=(), constraints="pcf", routed="asc",
    routed_option="--asc", tools={"yosys": YOSYS, "nextpnr": NEXTPNR_ICE40, "icepack": ICEPACK},
    pack=("design.asc", "design.bit"), constrains_clock=True, clock=Ice40Pll.for_clock, instances={},
    inferred=ice40_blocks, blocks=lambda memory: 0 if memory.form == "at_once" else ice40_blocks(memory.depth,
                                                                                                 memory.width),
    prices={"engine": 650, "neuron_lane": 184, "state": 2.1, "ring": 1.5, "layer": 700, "mac_lane": 120,
            "product": 3.4}, fill=(1.0, 0.93), base=1250,
    cells={"comb": "ICESTORM_LC", "bram": "ICESTORM_RAM"}, lut="SB_LUT4", registers="SB_DFF",
    platform=SiliconBluePlatform, package=str.lower,
    limits={"routed": "what nextpnr-ice40 writes of a routed design has no clock at its pad: --rung bitstream goes "
                      "further"})

def _blocks(memory: Memory) -> int:
    if memory.form != "store":
        return ICE40.blocks(memory)
    # what is instantiated is a block RAM however few words it has
    return 0 if _deep(memory) else scratch.blocks(memory.depth, memory.width) or ICE40.blocks(memory)


def _deep(memory: Memory) -> int:
    return spram.Bank.blocks(memory.width, memory.columns) if memory.form == "store" and spram.is_deep(memory.depth) \
        else 0


#: multipliers are instantiated, with all their registers on
_UP5K = replace(ICE40, name="up5k", vendor="up5k", clock=Ice40PadPll.for_clock,
                instances={"SB_MAC16": "dsp", "SB_SPRAM256KA": "spram", "SB_RAM40_4K": "bram"},
                prices=ICE40.prices | {"table": 300},
                cells=ICE40.cells | {"dsp": "ICESTORM_DSP", "spram": "ICESTORM_SPRAM"})
#: spiking networks that have not room so: synapses in large RAMs, neurons one after the other
UP5K = replace(_UP5K, other=replace(_UP5K, vendor=f"up5k{SPRAM}", blocks=_blocks, deep=_deep,
                                    prices=_UP5K.prices | {"shared_engine": 1050, "way": 60}))

#: packages as nextpnr calls them, family, what it holds (Lattice FPGA-DS-02029, FPGA-DS-02008, tables of the families)
_8K = {"lut4": 7_680, "bram": 32, "dsp": 0, "bitstream": 135_100}
_HOLDS = {"HX8K": (("bg121", "cb132", "cm225", "ct256"), ICE40, _8K), "LP8K": (("cm81", "cm121", "cm225"), ICE40, _8K),
          "UP5K": (("sg48", "uwg30"), UP5K, {"lut4": 5_280, "bram": 30, "dsp": 8, "spram": 4, "bitstream": 104_090})}
#: the pin of the PLL of a UP5K
_CLOCKS = {"sg48": ("35",)}


def part(name: str, package: str) -> Part:
    """An iCE40 ("HX8K", "LP8K" or "UP5K") in a package of nextpnr's. ValueError for another one.

    Smaller ones are not there: they do not hold the link and ten outputs.
    """
    check(name in _HOLDS, f"no iCE40 {name!r}{nearest(name, _HOLDS)}: there is {', '.join(_HOLDS)}")
    packages, family, holds = _HOLDS[name]
    check(package in packages, f"no package {package!r}{nearest(package, packages)}: nextpnr's of an iCE40{name} are "
                               f"{', '.join(packages)}")
    return Part(f"iCE40{name}", (f"--{name.lower()}", "--package", package), family, **holds,
                clock_balls=_CLOCKS.get(package, ()))
