"""Where families of FPGAs differ: how yosys, nextpnr and the packer are called, their names, clocks, memories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from amaranth.build import TemplatedPlatform

from golden.tools import Tool
from rtl.inventory import Inventory, Memory
from rtl.primitives import shares_neurons


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of FPGAs and its tools.

    Parameters
    ----------
      name                  of the family
      vendor                form of memories and multipliers (rtl.primitives)
      tools                 of golden.tools, by what each does; the last one packs
      platform              Amaranth's class that platforms of its boards are derived from
      package               a package as Amaranth calls it -> as nextpnr does
      synth, synth_options  pass of yosys
      constraints, routed   endings of nextpnr's files, and with -- before them its options (`routed`: another option)
      constrain             the option that names the file of constraints, where it is not that one
      bitstream             what the packer leaves
      pack                  arguments of the packer, behind those of the part
      constrains_clock      whether nextpnr has to be told the frequency that a PLL makes
      clock                 (MHz of the pin, MHz wanted) -> a clock of boards.clocks
      instances             block RAMs and multipliers in the elaborated circuit
      inferred              (depth, width) -> block RAMs that yosys makes of a memory which is read a cycle late
      blocks                Memory -> block RAMs of each of its `count`
      deep                  Memory -> large RAMs of each, where a family has them
      prices                LUTs of a feature of an Inventory; "column": of 4 bits of 16 words of LUT RAM, "state" and
                            "ring": of a bit of memories that are registers, read at once or a cycle late; "product": of
                            a bit times a bit of a multiplier of LUTs, in families without multipliers
      fill                  shares of block RAMs and LUTs beyond which a design hardly routes
      base                  LUTs of the link that count beside the layers when lanes are dealt out
      cells                 what nextpnr calls the figures of a report; several are added up
      lut, registers        what yosys calls LUTs; how names of its flip-flops begin where nextpnr does not count them
      other                 the same with another form of short memories, LUT RAM or not, for networks that this one has
                            not room for
      clocks_flash          whether a primitive, no pin, is the clock of the flash that the FPGA is loaded from
      untimed               what nextpnr has no delays for, and what counts in its place
      limits                rungs of `leadlag verify` that its tools do not reach, and why
    """

    name: str
    vendor: str
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
    cells: dict[str, str | tuple[str, ...]]
    lut: str | tuple[str, ...]
    registers: str = ""
    constrain: tuple[str, ...] = ()
    bitstream: str = "design.bit"
    other: Family | None = None
    untimed: Untimed | None = None
    limits: dict[str, str] = field(default_factory=dict)
    deep: Callable[[Memory], int] | None = None
    clocks_flash: bool = False
    platform: type = TemplatedPlatform
    package: Callable[[str], str] = str

    @property
    def shared(self) -> bool:
        """Whether lanes of spiking layers share a neuron unit in this form."""
        return shares_neurons(self.vendor)

    def in_form(self, need: Inventory) -> Inventory:
        """What an inventory is in the form of this family."""
        return need.shared if self.shared and need.shared is not None else need

    def block_rams(self, need: Inventory) -> int:
        """Block RAMs of an inventory."""
        return sum(memory.count * self.blocks(memory) for memory in self.in_form(need).memories)

    def sprams(self, need: Inventory) -> int:
        """Single-port RAMs of an inventory."""
        return sum(memory.count * self.deep(memory) for memory in self.in_form(need).memories) if self.deep else 0

    def luts(self, need: Inventory) -> int:
        """Rough number of LUTs of an inventory, of logic cells where each has its flip-flop."""
        need = self.in_form(need)
        found = sum(self.prices[name] * amount for name, amount in need.logic.items())
        found += self.prices.get("product", 0) * sum(a * b * count for a, b, count in need.factors)
        found += self.prices.get("column", 0) * self.columns(need)
        for memory in need.memories:
            if self._is_small(memory):
                bits = self.prices.get("state" if memory.form == "at_once" else "ring", 0) * memory.depth * memory.width
                found += memory.count * bits
        return int(found)

    def columns(self, need: Inventory) -> int:
        """Cells of LUT RAM, each 16 words of 4 bits, where a family has them."""
        if "column" not in self.prices:
            return 0
        return sum(memory.count * columns(memory.depth, memory.width) for memory in need.memories
                   if self._is_small(memory))

    def _is_small(self, memory: Memory) -> bool:
        return memory.form not in ("inferred", "store") and not self.blocks(memory)

    @property
    def packer(self) -> str:
        return list(self.tools)[-1]

    @property
    def files(self) -> tuple[str, ...]:
        """What a build leaves behind."""
        return (self.bitstream, f"design.{self.routed}", "report.json", "yosys.log", "nextpnr.log",
                f"design.{self.constraints}")


@dataclass(frozen=True)
class Untimed:
    """Hard blocks that nextpnr has no delays for, and the delays in ns that count in the place of theirs.

    inside: the longest way between two registers of a block; beyond: from a block's last register to its pin and, at
    the other end, from a pin to its first register. `what` says so in one line.
    """

    what: str
    inside: float
    beyond: float

    def fmax(self, found: float) -> float:
        """MHz of a design whose longest timed path allows `found` MHz: no way from a block is longer than that path."""
        return min(1e3 / (1e3 / found + self.beyond), 1e3 / self.inside)


def columns(depth: int, width: int) -> int:
    """Cells of 16 x 4 bits of LUT RAM that a memory takes."""
    return -(-depth // 16) * -(-width // 4)
