"""Amaranth component -> Verilog for a simulator: plain pin names, with or without reset, cleaned by yosys."""

import re
import tempfile
from itertools import count
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Const, Elaboratable, Module, Signal, Value
from amaranth.lib import wiring

from golden.files import write_whole
from golden.tools import yosys

#: what makes Icarus 4.5 times as fast (no `always @*` is left) and Verilator a third faster
_PASSES = ("proc", "flatten", "opt_clean", "opt", "memory -nomap", "opt_clean")


class Pins(Elaboratable):
    """`component` with one pin a member, named by the path joined by `_`, beside `clk` (and `rst` where `reset`).

    Without `reset` registers only have their initial value, which saves a multiplexer each: a compiled simulation
    begins again by making a new model.
    """

    def __init__(self, component, *, reset: bool = True):
        self.component, self.reset = component, reset
        self.clk, self.rst = Signal(name="clk"), Signal(name="rst")
        self.ports = [self.clk, self.rst] if reset else [self.clk]
        self._pairs = []
        for name, member, value in pins_of(component):
            value = Value.cast(value)
            pin = Signal(value.shape(), name=name)
            self.ports.append(pin)
            self._pairs.append((value, pin) if member.flow == wiring.In else (pin, value))

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = sync = ClockDomain("sync", reset_less=not self.reset)
        m.d.comb += sync.clk.eq(self.clk)
        if self.reset:
            m.d.comb += sync.rst.eq(self.rst)
        m.submodules.unit = self.component
        m.d.comb += [target.eq(value) for target, value in self._pairs]
        return m


def pins_of(component):
    """(name, member, value) of each pin of `component` beside clk and rst."""
    for path, member, value in component.signature.flatten(component):
        if not isinstance(value, Const):        # `ready` of a stream that never stalls
            yield "_".join(map(str, path)), member, value


def input_pins(component) -> list[str]:
    """Names of the pins of `component` that a bench drives, beside clk and rst."""
    return [name for name, member, _ in pins_of(component) if member.flow == wiring.In]


def to_rtlil(component, *, name: str, reset: bool = True) -> str:
    """RTLIL of `component` behind `Pins`: the same text for the same circuit."""
    pins = Pins(component, reset=reset)
    return rtlil.convert(pins, name=name, ports=pins.ports, emit_src=False)


#: a memory that is empty at first, as yosys writes it: a line a word
_EMPTY = re.compile(r"^  initial begin\n    (?P<name>\S+ )\[0\] = (?P<zero>\d+'h0+);\n"
                    r"(?:    (?P=name)\[\d+\] = (?P=zero);\n)*    (?P=name)\[(?P<last>\d+)\] = (?P=zero);\n  end\n",
                    flags=re.MULTILINE)


def to_verilog(text: str) -> str:
    """Verilog of RTLIL `text`, flattened and without `always @*`; memories that are empty at first by a loop each."""
    # the flag does nothing in RTLIL, where cells say how they read, but as a memory's address in Verilog it turns half
    # of the addresses negative (yosys does not write $unsigned there)
    text = re.sub(r"^( *wire [^\\]*?)signed ", r"\1", text, flags=re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "unit.il"), Path(folder, "unit.v")
        write_whole(source, text)
        yosys("\n".join((f"read_rtlil {source.name}", *_PASSES, f"write_verilog -noattr {target.name}")), folder)
        return emptied(target.read_text(encoding="utf-8"))


def emptied(verilog: str) -> str:
    """The same with a loop in the place of zeros word by word, which are most of a network's Verilog."""
    numbers = count()

    def loop(found) -> str:
        last = int(found["last"])
        if found[0].count("\n") != last + 3:        # not every word is said
            return found[0]
        return (f"  initial begin : empty_{next(numbers)}\n    integer at;\n"
                f"    for (at = 0; at != {last + 1}; at = at + 1) {found['name']}[at] = {found['zero']};\n  end\n")
    return _EMPTY.sub(loop, verilog)
