"""Gowin GW1N and GW2A: nextpnr-himbaechel and Project Apicula, the extra `gowin` of the package.

nextpnr knows no delays of their multipliers and block RAMs: a way that begins or ends in one is not timed, and what it
calls Fmax is that of the logic alone. The clock that counts here is therefore taken from a rule, `Untimed.fmax`.
"""

from dataclasses import replace
from functools import partial

from amaranth.vendor import GowinPlatform

from boards.clocks import GowinPll
from boards.family import Family, Untimed, columns
from boards.part import Part
from golden.checks import check, nearest
from golden.tools import GOWIN_PACK, NEXTPNR_GOWIN, YOSYS
from rtl.inventory import Memory
from rtl.primitives import in_blocks
from rtl.vendor.gowin import Bank
from rtl.vendor.small import is_small


def _blocks(depth: int, width: int) -> int:
    """Block RAMs that yosys makes of the memory of a FIFO: none while LUT RAM is cheaper (measured)."""
    return 0 if columns(depth, width) < 32 else Bank.blocks(depth, width)


def _small_memory(memory: Memory) -> int:
    is_lut_ram = memory.form == "soft" or memory.form == "bank" and is_small(memory.depth, memory.columns)
    return 0 if is_lut_ram else _memory(memory)


def _memory(memory: Memory) -> int:
    if memory.form == "at_once" or memory.form == "soft" and not in_blocks("gowin", memory.depth):
        return 0
    if memory.form == "soft":
        return Bank.blocks(memory.depth, memory.width)
    if memory.form == "bank":
        return Bank.blocks(memory.depth, memory.width, memory.columns)
    return _blocks(memory.depth, memory.width)


_FAMILY = Family(
    name="gowin", vendor="gowin_small", synth="synth_gowin", synth_options=("-nodsp",), constraints="cst",
    routed="pnr.json", routed_option="--write", constrain=("--vopt", "cst=design.cst"), bitstream="design.fs",
    tools={"yosys": YOSYS, "nextpnr": NEXTPNR_GOWIN, "gowin_pack": GOWIN_PACK},
    pack=("-o", "design.fs", "design.pnr.json"), constrains_clock=True, clock=GowinPll.for_clock,
    instances={"SDPX9B": "bram", "SDPB": "bram", "MULT18X18": "dsp"}, inferred=_blocks, blocks=_small_memory,
    prices={"layer": 240, "mac_lane": 90, "table": 200, "engine": 600, "neuron_lane": 70, "column": 8},
    fill=(0.95, 0.7), base=1250,
    cells={"comb": ("LUT4", "ALU"), "ff": "DFF", "dsp": "MULT18X18", "bram": "BSRAM"},
    lut=("LUT1", "LUT2", "LUT3", "LUT4"),
    platform=GowinPlatform,
    limits={"routed": "nothing here turns what nextpnr-himbaechel routes back into cells that have models: --rung "
                      "netlist is the lowest",
            "bitstream": "gowin_unpack gives neither multipliers nor the contents of block RAMs: --rung netlist is the "
                         "lowest"})

_WHAT = ("nextpnr has no delays for {} multipliers and block RAMs: Fmax is that of a path which is as long as the "
         "slowest timed one behind {:g} ns for a block's pins, at most that of {:g} ns inside a block; both are bounds "
         "that were assumed, not those of a data sheet")


def _family(series: str, device: str, *, inside: float, beyond: float) -> Family:
    own = replace(_FAMILY, clock=partial(GowinPll.for_clock, series=series, device=device),
                   untimed=Untimed(_WHAT.format(series, beyond, inside), inside=inside, beyond=beyond))
    # where there are not cells of LUT RAM enough
    return replace(own, other=replace(own, vendor="gowin", blocks=_memory))


#: ns of speed grades C6/I5 and C8/I7, assumed: larger than what Apycula's chip database has for block RAMs; for
#: multipliers it has none. beyond: from an output register to the pin, and a setup at a pin; inside: from an input
#: register through the multiplier to the next one
GW1N = _family("GW1N", "GW1NR-9C", inside=4.8, beyond=1.2)
GW2A = _family("GW2A", "GW2A-18C", inside=4.8, beyond=1.2)


#: Gowin DS117 and DS102, tables of the series, by chip database. Of a GW1N-9C's 270 cells of LUT RAM nextpnr finds a
#: place for some 200
_HOLDS = {"GW1N-9C": (GW1N, {"lut4": 8_640, "bram": 26, "dsp": 20, "lut_ram": 180}),
          "GW2A-18C": (GW2A, {"lut4": 20_736, "bram": 46, "dsp": 48, "lut_ram": 500})}


def part(name: str, device: str, *, pins: tuple[str, ...] = ()) -> Part:
    """A Gowin part: its whole name, its chip database, and pins of the configuration that are ordinary pins here.

    device: "GW1N-9C" or "GW2A-18C". pins: of "sspi", "mspi", "ready", "done", "jtag" and what else gowin_pack frees.
    ValueError for another device.
    """
    check(device in _HOLDS, f"no device {device!r}{nearest(device, _HOLDS)}: there is {', '.join(_HOLDS)}")
    family, holds = _HOLDS[device]
    return Part(name, ("--device", name, "--vopt", f"family={device}"), family,
                pack=("-d", device, *(f"--{pin}_as_gpio" for pin in pins)), **holds)
