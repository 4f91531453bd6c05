"""Verilog for simulators: memories that are empty at first are emptied by a loop, all others word by word."""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from sim.verilog import emptied, to_rtlil, to_verilog

EMPTY = """  initial begin
    \\a.m [0] = 18'h00000;
    \\a.m [1] = 18'h00000;
    \\a.m [2] = 18'h00000;
  end
"""
LOOP = """  initial begin : empty_0
    integer at;
    for (at = 0; at != 3; at = at + 1) \\a.m [at] = 18'h00000;
  end
"""


def test_words_of_zero():
    assert emptied(EMPTY) == LOOP
    twice = emptied(EMPTY + EMPTY.replace("a.m", "b"))
    assert twice == LOOP + LOOP.replace("empty_0", "empty_1").replace("a.m", "b")


def test_everything_else_stays():
    filled, other = EMPTY.replace("[1] = 18'h00000", "[1] = 18'h00100"), EMPTY.replace("[1] = 18'h0", "[1] = 17'h0")
    gap, two = EMPTY.replace("    \\a.m [1] = 18'h00000;\n", ""), EMPTY.replace("\\a.m [2]", "\\b [2]")
    for text in (filled, other, gap, two, "  assign a = 1;\n"):
        assert emptied(text) == text


class Table(wiring.Component):
    """A memory with the words of `init`."""

    def __init__(self, init):
        self.init = init
        super().__init__({"addr": In(3), "data": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = memory.Memory(shape=8, depth=8, init=self.init)
        port = words.write_port()
        value = Signal(8)
        m.d.sync += value.eq(value + 1)
        m.d.comb += [port.addr.eq(self.addr), port.data.eq(value), port.en.eq(1)]
        read = words.read_port(domain="comb")
        m.d.comb += [read.addr.eq(self.addr), self.data.eq(read.data)]
        return m


def test_what_yosys_writes():
    assert to_verilog(to_rtlil(Table([]), name="t")).count("for (at = 0; at != 8; at = at + 1)") == 1
    filled = to_verilog(to_rtlil(Table([0, 0, 3]), name="t"))
    assert "for" not in filled
    assert filled.count("8'h03;") == 1
