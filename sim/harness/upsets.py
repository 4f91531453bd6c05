"""Circuits whose memories the harness can write: bits turned over in mid-run, as golden/faults.py has them.

The memories get plain names in the Verilog, and Verilator is told that others write them. That costs time in every
cycle, so such a circuit is built for itself.
"""

import ctypes
import re
from collections.abc import Sequence

import numpy as np

from golden.faults import Flip
from golden.regmap import INPUT, OUTPUT, VALID_BIT, WORD_MASK
from sim.design import Design
from sim.harness.board import SimulatedBoard
from sim.harness.device import Device, SimulationError
from sim.verilated import build_design

#: a memory of a flattened design, or a register
_DECLARED = re.compile(r"^  reg (?P<range>\[\d+:0\] )\\(?P<name>\S+) (?P<words> \[\d+:0\])?(?: = [^;]*)?;$",
                       re.MULTILINE)
#: as Amaranth names the register in which a lane of one neuron has its state
_STATE = ".neuron.$signal"
#: reads of the output for which an answer may be waited for
PATIENCE = 100_000
#: cycles after which nothing moves any more
REST = 5_000


class Writable:
    """What a circuit's memories are called: name, number and bits of each; `design`, with those names."""

    def __init__(self, design: Design):
        text, self.bits = design.verilog(), {}
        for found in _DECLARED.finditer(text):
            if found["words"] or found["name"].endswith(_STATE):
                self.bits[found["name"]] = int(found["range"][1:].split(":")[0]) + 1
        self.numbers = {name: number for number, name in enumerate(self.bits)}
        self._words = {found["name"] for found in _DECLARED.finditer(text) if found["words"]}
        text = re.sub(r"\\(\S+) ", self._renamed, text)
        text = re.sub(r"^(  reg \[\d+:0\] writable_\d+ (?: \[\d+:0\])?)((?: = [^;]*)?;)$",
                      r"\1 /*verilator public_flat_rw*/\2", text, flags=re.MULTILINE)
        self.design = Design(design.name, text, lambda: text, design.times)

    def _renamed(self, found) -> str:
        return f"writable_{self.numbers[found[1]]} " if found[1] in self.numbers else found[0]

    def harness(self, owner: str) -> str:
        """C++: void flip(handle, number, word, bit), for a harness whose handle is a struct `owner`."""
        cases = []
        for name, number in self.numbers.items():
            word = f"h->top.rootp->{self.design.name}__DOT__writable_{number}"
            word += "[word]" if name in self._words else ""
            one = f"{word} ^= 1ull << bit" if self.bits[name] <= 64 else f"{word}[bit / 32] ^= 1u << bit % 32"
            cases.append(f"        case {number}: {one}; break;")
        return "\n".join((f'\nextern "C" void flip({owner}* h, int number, int word, int bit) {{',
                          "    switch (number) {", *cases, "    }", "}", ""))

    def compiled(self, harness: str, owner: str, quick: bool) -> ctypes.CDLL:
        """The library, with `flip`."""
        include = f'#include "V{self.design.name}___024root.h"\n'
        library = build_design(self.design, harness=f"{include}{harness}{self.harness(owner)}", quick=quick)
        library.flip.restype = None
        library.flip.argtypes = [ctypes.c_void_p, *[ctypes.c_int] * 3]
        return library

    def number(self, name: str, bit: int) -> int:
        """ValueError where there is no such memory, or its words have no such bit."""
        if name not in self.numbers:
            raise ValueError(f"no memory {name!r} in {self.design.name}: there is {', '.join(self.numbers)}")
        if not 0 <= bit < self.bits[name]:
            raise ValueError(f"words of {name} have {self.bits[name]} bits, no bit {bit}")
        return self.numbers[name]


class FaultyDevice(Device):
    """A Device whose memories can be changed; `prefix` of the names of the core's."""

    prefix = "unit.core."

    def _compile(self, design, harness, quick):
        self._memories = Writable(design)
        return self._memories.compiled(harness, "Simulation", quick)

    def flip(self, name: str, word: int, bit: int) -> None:
        """Turn over a bit of a word of a memory of the core: its name there, without the core's own."""
        self._library.flip(self._handle, self._memories.number(self.prefix + name, bit), word, bit)

    def run_flipped(self, ticks: Sequence[np.ndarray], answers: int, flips: Sequence[Flip], place) -> np.ndarray:
        """Answers (int64 words of 18 bits, as they are) to one sample, given tick by tick, with flips before ticks.

        place(net, flip, half=, ticks=) says where the circuit has what flips (sim/<kind>/cells.py). Before a flip the
        device comes to rest.
        """
        found = []

        def read() -> bool:
            word = self.read(OUTPUT)
            if word >> VALID_BIT & 1:
                found.append(word & WORD_MASK)
            return bool(word >> VALID_BIT & 1)

        for tick, words in enumerate(ticks):
            if here := [flip for flip in flips if flip.tick == tick]:
                self.idle(REST)
                half, begun = self.register("status") >> 2 & 1, self.register("ticks")
                for flip in here:
                    self.flip(*place(self.net, flip, half=half, ticks=begun), flip.bit)
            for word in words:
                self.write(INPUT, int(word))
            while read():
                pass
        for _ in range(PATIENCE):
            if len(found) >= answers:
                return np.array(found, np.int64)
            read()
        raise SimulationError(f"{self.net.name} gave {len(found)} answers, {answers} expected")


class FaultyBoard(SimulatedBoard):
    """A SimulatedBoard whose memories can be changed."""

    prefix = "unit.top.core."

    def _compile(self, design, harness, quick):
        self._memories = Writable(design)
        return self._memories.compiled(harness, "Board", quick)

    def flip(self, name: str, word: int, bit: int) -> None:
        """Turn over a bit of a word of a memory of the core."""
        self._library.flip(self._require(), self._memories.number(self.prefix + name, bit), word, bit)
