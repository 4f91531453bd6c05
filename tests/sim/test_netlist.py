"""Netlists in the place of RTL: the same words, planted faults found; what is spelt out of a routed ECP5."""

import copy
import ctypes
import os

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.programs import ToolError, timed
from rtl.primitives import bank
from sim import bitstream, faults, routed, whole
from sim.design import MODELS, Mapped, design_of
from sim.netlist import CELLS, netlist
from sim.verilated import build_library

CYCLES = 500
SYNTH = {"ecp5": "synth_ecp5 -nodsp", "ice40": "synth_ice40"}
#: y for a word that counts up in large steps
HARNESS = """
#include "Vsmall.h"
extern "C" void small_run(int64_t cycles, uint32_t* y) {
    VerilatedContext context;
    Vsmall top{&context};
    for (int64_t n = 0; n < cycles; n++) {
        top.x = uint8_t(n * 37);
        top.clk = 0, top.eval();
        top.clk = 1, top.eval();
        y[n] = top.y;
    }
}
"""


ROWS = [row * 40503 % (1 << 18) for row in range(256)]


class Core(wiring.Component):
    """A table, a sum, and words that are written and read back."""

    def __init__(self, vendor):
        self.vendor = vendor
        super().__init__({"x": In(8), "y": Out(18)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = bank(self.vendor, depth=256, width=18, init=ROWS, writable=False)
        m.submodules.kept = kept = bank(self.vendor, depth=256, width=18)
        m.d.comb += [table.read_addr.eq(self.x), kept.read_addr.eq(self.x + 3), kept.write_addr.eq(self.x),
                     kept.write_en.eq(1), kept.write_data.eq(table.read_data + self.x)]
        mixed = Signal(18)
        m.d.sync += [mixed.eq(Mux(self.x[0], table.read_data, kept.read_data) ^ mixed[3:]),
                     self.y.eq(table.read_data + (mixed ^ self.y[1:]))]
        return m


class Small(wiring.Component):
    """The core below a top, as in a device."""

    def __init__(self, vendor):
        self.vendor = vendor
        super().__init__({"x": In(8), "y": Out(18)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = Core(self.vendor)
        m.d.comb += [core.x.eq(self.x), self.y.eq(core.y)]
        return m


def words(vendor, mapped=None) -> np.ndarray:
    """What comes out; without tools the test skips, and fails on the build server."""
    try:
        library = build_library(Small(vendor), name="small", harness=HARNESS, vendor=vendor, quick=True, mapped=mapped)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    found = np.zeros(CYCLES, np.uint32)
    library.small_run.argtypes = [ctypes.c_int64, ctypes.c_void_p]
    library.small_run(CYCLES, found.ctypes.data)
    return found


def expected() -> list[int]:
    """The same by hand: banks read two cycles late, and the old word."""
    kept, found = [0] * 256, []
    table = table_next = back = back_next = mixed = y = 0
    for n in range(CYCLES):
        x = n * 37 % 256
        y = (table + (mixed ^ y >> 1)) % (1 << 18)
        mixed = (table if x & 1 else back) ^ mixed >> 3
        table_now, table, table_next = table, table_next, ROWS[x]
        back, back_next = back_next, kept[(x + 3) % 256]
        kept[x] = (table_now + x) % (1 << 18)
        found.append(y)
    return found


@pytest.mark.parametrize("vendor", ["ecp5", pytest.param("ice40", marks=pytest.mark.slow)])
def test_netlist_does_what_the_circuit_does(vendor):
    found = words(vendor, netlist(vendor, SYNTH[vendor]))
    np.testing.assert_array_equal(found, expected())
    assert len(set(found.tolist())) > CYCLES // 2


@pytest.mark.slow
@pytest.mark.parametrize("vendor", SYNTH)
@pytest.mark.parametrize("fault", faults.FAULTS)
def test_netlist_with_a_fault_differs(vendor, fault):
    assert (words(vendor, netlist(vendor, SYNTH[vendor], fault)) != expected()).any()


@pytest.mark.slow
def test_circuit_does_what_it_should():
    np.testing.assert_array_equal(words("ecp5"), expected())


def test_design_is_rtl_or_what_is_mapped():
    plain = design_of(Small("ecp5"), name="small", vendor="ecp5")
    mapped = Mapped("some way", lambda text, top, times: f"// {top} of {len(text)} characters\n")
    found = design_of(Small("ecp5"), name="small", vendor="ecp5", mapped=mapped)
    models = MODELS["ecp5"].read_text()
    assert found.verilog().startswith("// small of ")
    assert found.verilog().endswith(models)
    assert plain.key.endswith(models)
    assert len({plain.key, found.key, design_of(Small("ecp5"), name="small", mapped=mapped).key,
                design_of(Small("ecp5"), name="small", mapped=mapped._replace(key="other")).key}) == 4
    # a fault, other cells and another synthesis are other netlists
    ways = ("ecp5", "a"), ("ecp5", "b"), ("ecp5", "a", "lut"), ("ice40", "a")
    assert len({netlist(*each).key for each in ways}) == 4


def test_time_is_that_of_the_cpu():
    times = {"step": 1.0}
    with timed(times, "step"):
        sum(range(3_000_000))
    assert 1.0 < times["step"] < 30


def cell(kind, connections, parameters=(), **attributes) -> dict:
    return {"type": kind, "parameters": dict(parameters), "attributes": attributes,
            "connections": {port: [bits] if isinstance(bits, int) else bits for port, bits in connections.items()},
            "port_directions": {port: "output" if port in ("Z", "F", "Q", "O", "RDATA", "B", "CLKO", "CLKOP", "LOCK",
                                                           "DOA0", "DOB1", "FCO", "OFX") else "input"
                                for port in connections}}


def module(cells, **nets) -> dict:
    """A module in yosys' JSON; nets by name, `_` for `.`."""
    return {"cells": cells, "ports": {}, "netnames": {
        name.replace("_", "."): {"hide_name": 0, "bits": bits, "attributes": {}} for name, bits in nets.items()}}


def small_netlist():
    """Three tables in front of registers, two of them of the core."""
    cells = {f"table{n}": cell("LUT4", {"A": 2, "Z": 10 + n}, {"INIT": "0000111100110101"}) for n in range(3)}
    cells |= {f"register{n}": cell("TRELLIS_FF", {"DI": 10 + n, "Q": 20 + n}) for n in range(3)}
    return module(cells, top_link=[20], top_core_a=[21], top_core_b=[22])


def test_fault_in_a_table():
    found = small_netlist()
    assert faults.plant(found, CELLS["ecp5"].sites, "lut") == "table2"
    want = small_netlist()
    want["cells"]["table2"]["parameters"]["INIT"] = "1111000011001010"
    assert found == want


def test_fault_in_what_a_block_ram_holds():
    sites = CELLS["ice40"].sites
    cells = {"a": cell("SB_RAM40_4K", {"RDATA": [5, 6]}, {"INIT_0": "0" * 32, "READ_MODE": "1"}),
             "b": cell("SB_RAM40_4K", {"RDATA": [7, 8]}, {"INIT_0": "0" * 32, "INIT_1": "x" * 15 + "1" + "0" * 16})}
    found = module(copy.deepcopy(cells), o=[5, 6, 7, 8])
    assert faults.plant(found, sites, "ram") == "b"
    flipped = ("0" * 15 + "1") * 2
    assert found["cells"]["b"]["parameters"] == {"INIT_0": flipped, "INIT_1": "0" * 31 + "1"}
    assert found["cells"]["a"] == cells["a"]
    # nothing held before it is loaded: a bit that is read is stuck, for all that read it
    found = module({"a": cells["a"], "reader": cell("SB_LUT4", {"I0": 5, "I1": 6, "O": 9})}, o=[5, 6, 9])
    assert faults.plant(found, sites, "ram") == "a"
    assert found["cells"]["reader"]["connections"]["I0"] == ["1"]
    assert found["cells"]["reader"]["connections"]["I1"] == [6]
    assert found["cells"]["a"]["connections"]["RDATA"] == [10, 6]


def test_faults_that_have_no_place():
    empty = module({"a": cell("OTHER", {"A": 1})})
    for fault, what in (("lut", "no look-up table"), ("ram", "no block RAM"), ("dsp", "a fault is one of lut, ram")):
        with pytest.raises(ValueError, match=what):
            faults.plant(empty, CELLS["ecp5"].sites, fault)


def spelt(kind, connections, parameters=()):
    """The connections and parameters of a routed cell, and the inverters beside it."""
    found = module({"it": cell(kind, connections, parameters)}, some=[1000])
    routed.tied(found)
    it = found["cells"].pop("it")
    return it["connections"], it["parameters"], found["cells"], it["type"]


def test_what_is_not_connected_in_a_routed_cell():
    connections, parameters, inverters, _ = spelt("TRELLIS_COMB", {"A": 2, "B": [], "F": 3}, {"INITVAL": "01"})
    assert connections["A"] == [2]
    assert connections["B"] == connections["M"] == connections["WRE"] == ["1"]
    assert connections["F"] == [3]
    assert parameters == {"INITVAL": "01", "IS_Z1": 0}
    assert not inverters
    assert spelt("TRELLIS_COMB", {"FXA": 2, "FXB": 3, "OFX": 4})[1] == {"IS_Z1": 1}
    assert spelt("TRELLIS_RAMW", {"A0": 2, "B1": [], "WDO3": 9})[0] == {
        "A0": [2], "B0": ["1"], "C0": ["1"], "D0": ["1"], "A1": ["1"], "B1": ["1"], "C1": ["1"], "D1": ["1"],
        "WDO3": [9]}


def test_register_takes_m_or_di_and_no_reset():
    said = {"REGSET": "SET", "CLKMUX": "CLK", "LSRMUX": "LSR", "GSR": "DISABLED"}
    connections, parameters, inverters, _ = spelt("TRELLIS_FF", {"DI": 2, "M": 3, "CLK": 4, "CE": 5, "Q": 6},
                                                  said | {"SD": "0 ", "CEMUX": "INV"})
    wire, = connections["CE"]
    assert connections == {"CLK": [4], "CE": [wire], "LSR": ["0"], "DI": [3], "Q": [6]}
    assert parameters == {"REGSET": "SET"}
    (inverter, *none) = inverters.values()
    assert not none
    assert inverter["connections"] == {"A": [5], "Y": [wire]}
    assert wire == 1001
    connections = spelt("TRELLIS_FF", {"DI": 2, "M": 3, "CLK": 4, "LSR": 5}, said | {"SD": "1 ", "CEMUX": "1 "})[0]
    assert (connections["DI"], connections["CE"], connections["LSR"]) == ([2], ["1"], [5])
    for wrong in ({"GSR": "ENABLED"}, {"SRMODE": "ASYNC"}):
        with pytest.raises(ValueError, match="is not modelled"):
            spelt("TRELLIS_FF", {"CLK": 4}, said | {"SD": "1 "} | wrong)


def test_constants_and_inverters_of_hard_blocks():
    connections, parameters, inverters, _ = spelt(
        "DP16KD", {"ADA0": 2, "WEA": 3, "CLKA": 4, "DOA0": 5, "DOB1": []},
        {"ADA0MUX": "0 ", "ADA1MUX": "1 ", "WEAMUX": "INV", "RSTAMUX": "INV", "CEAMUX": "CEA", "REGMODE_A": "NOREG"})
    assert (connections["ADA0"], connections["ADA1"], connections["CEA"]) == (["0"], ["1"], ["1"])
    assert connections["RSTA"] == ["0"]     # of an input that is not connected
    assert connections["WEA"] == [1001]
    assert len(inverters) == 1
    assert (connections["DOA0"], "DOB1" in connections) == ([5], False)
    assert parameters == {"REGMODE_A": "NOREG"}
    with pytest.raises(ValueError, match="DP16KD: CEA is said to be 'CEB'"):
        spelt("DP16KD", {}, {"CEAMUX": "CEB"})


def test_multiplier_uses_one_pin_of_four():
    registers = ("REG_INPUTA", "REG_INPUTB", "REG_PIPELINE", "REG_OUTPUT")
    said = {f"{name}_{what}": f"{what}2" for name in registers for what in ("CLK", "CE", "RST")}
    connections, parameters, *_ = spelt("MULT18X18D", {"CE2": 7, "CLK2": 8, "RST2": 9, "CE0": 3, "A0": 4}, said)
    assert (connections["CE0"], connections["CLK0"], connections["RST0"]) == ([7], [8], [9])
    assert (connections["A0"], connections["B17"], connections["SIGNEDA"]) == ([4], ["1"], ["1"])
    assert set(parameters.values()) == {"CE0", "CLK0", "RST0"}
    with pytest.raises(ValueError, match="registers of several CE"):
        spelt("MULT18X18D", {}, said | {"REG_OUTPUT_CE": "CE3"})


def test_pads_clocks_and_cells_without_a_model():
    assert spelt("TRELLIS_IO", {"B": 2, "O": 3}, {"DIR": "INPUT"})[::3] == ({"B": [2], "O": [3]}, "TRELLIS_INPUT")
    assert spelt("TRELLIS_IO", {"B": 2, "I": 3, "T": 4}, {"DIR": "OUTPUT"})[::3] == (
        {"B": [2], "I": [3]}, "TRELLIS_OUTPUT")
    assert spelt("DCCA", {"CLKI": 2, "CLKO": 3})[0] == {"CLKI": [2], "CE": ["1"], "CLKO": [3]}
    assert spelt("EHXPLLL", {"CLKI": 2, "CLKOP": 3, "LOCK": 4, "RST": 5}, {"CLKI_DIV": "1"})[:2] == (
        {"CLKI": [2], "CLKOP": [3], "LOCK": [4]}, {})
    with pytest.raises(ValueError, match="a pad of direction BIDIR is not modelled"):
        spelt("TRELLIS_IO", {"B": 2}, {"DIR": "BIDIR"})
    with pytest.raises(ValueError, match="there is no model of ALU54B"):
        spelt("ALU54B", {})
    # tables that only hand on what LUT RAM writes
    found = module({"it": cell("TRELLIS_COMB", {}, {"MODE": "RAMW_BLOCK"})}, some=[1])
    routed.tied(found)
    assert not found["cells"]


def test_ports_of_a_whole_board():
    ports = {"clk25": ("input", 2), "rx_pad": ("input", 3), "tx_pad": ("output", 4), "led": ("output", 5),
             "fire": ("input", 6)}
    made = module({"a": cell("LUT4", {"A": 6, "B": 3, "Z": 4})}, some=[6])
    made["ports"] = {name: {"direction": way, "bits": [bit]} for name, (way, bit) in ports.items()}
    pads = {"clk": "clk25", "rx": "rx_pad", "tx": "tx_pad"}
    found = whole.whole_board(copy.deepcopy(made), pads, {"fire": 0})
    assert {name: port["bits"] for name, port in found["ports"].items()} == {"clk": [2], "rx": [3], "tx": [4]}
    assert found["cells"]["a"]["connections"] == {"A": ["0"], "B": [3], "Z": [4]}
    with pytest.raises(ValueError, match="nothing drives fire"):
        whole.whole_board(copy.deepcopy(made), pads, {})
    with pytest.raises(ValueError, match="no pad for tx"):
        whole.whole_board(copy.deepcopy(made), pads | {"tx": "tx"}, {"fire": 0})


def test_table_of_a_bitstream():
    rows = ["0" * 54 for _ in range(16)]
    asc = f".device 8k\n.logic_tile 3 5\n{'x' * 54}\n.logic_tile 3 50\n" + "\n".join(rows) + "\n.sym 1 a\n"
    found = bitstream.invert_table(asc, "X3/Y50/lc2").splitlines()
    before = asc.splitlines()
    assert [n for n, (a, b) in enumerate(zip(found, before, strict=True)) if a != b] == [8, 9]
    assert found[8] == found[9] == "0" * 36 + "1" * 8 + "0" * 10
    with pytest.raises(ValueError, match="there is no logic cell X4/Y50/lc2"):
        bitstream.invert_table(asc, "X4/Y50/lc2")
