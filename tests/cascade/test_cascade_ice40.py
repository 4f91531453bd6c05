# amaranth: UnusedElaboratable=no
"""A cascaded network on a part without multipliers: what it takes, what does not fit, the synthesised circuit."""

import re
from dataclasses import replace

import numpy as np
import pytest
from cascades import some_frames

from boards import BOARDS, build
from boards.base import LINK_BLOCKS
from boards.families.ecp5 import ECP5
from boards.families.ice40 import ICE40
from boards.room import check_fits, resources_needed
from golden.cascade.engine import random_params
from golden.cascade.layer import Block, Engine, Head, Stem
from golden.cascade.network import CascadeNetwork
from golden.image import build_image
from golden.regmap import BANK_SHIFT
from leadlag import flow
from rtl.cascade.core import CascadeCore
from rtl.cascade.cost import inventory
from rtl.cascade.head import head_rows
from rtl.cascade.joint import QUEUE, SHORT_QUEUE, Outbox, value_layout
from rtl.cascade.sums import Affine, least_gap
from rtl.cascade.walk import Program
from rtl.primitives import VENDORS
from rtl.vendor.logic import DIGIT
from sim.design import Mapped
from sim.harness.device import Device
from sim.netlist import netlist
from sim.pysim import load, run

HX8K, ULX3S = BOARDS["ice40-hx8k"], BOARDS["ulx3s-85f"]


@pytest.fixture(scope="module")
def digits() -> CascadeNetwork:
    """The residual MLP of the zoo, an engine a layer."""
    return flow.find("cascade-digits").describe()


def mlp(inputs: int, channels: int, blocks: int, **fields) -> CascadeNetwork:
    """A stem, blocks on a map of one pixel, a head of four classes; one engine."""
    one = {"height": 1, "width": 1, "outputs": channels, "kernel": 1}
    layers = (Stem(inputs=inputs, **one), *[Block(inputs=channels, **one)] * blocks,
              Head(inputs=channels, outputs=4, pixels=1, shift=8, fraction=8))
    engines = (Engine(layers=tuple(range(blocks + 1))),)
    return CascadeNetwork(**({"name": "mlp", "steps": blocks + 1, "layers": layers, "pre": 2, "post": 16,
                              "engines": engines} | fields))


def test_fold_on_both_boards(digits):
    """An engine a layer where there is room, else one for all; multipliers are counted, or paid in LUTs."""
    large, small = ULX3S.fold(digits), HX8K.fold(digits)
    assert [unit.layers for unit in large.engines] == [(0,), (1,), (2,), (3,)]
    assert [unit.layers for unit in small.engines] == [(0, 1, 2, 3)]
    assert check_fits(large, ULX3S).dsp == large.lanes + 4 + 1
    need = check_fits(small, HX8K)
    assert need.dsp == 0
    assert need.bram == LINK_BLOCKS + ICE40.block_rams(inventory(small)) <= 32
    assert ICE40.luts(inventory(small)) + ICE40.base <= ICE40.fill[1] * 7680


def test_multipliers_of_luts_have_a_price(digits):
    """A bit times a bit, in the family without multipliers; where there are some they cost no LUTs."""
    need = inventory(HX8K.fold(digits))
    assert need.factors == ((8, 9, 1), (18, DIGIT, 1), (12, head_rows(digits.head).operand, 1))
    assert need.multipliers == 3
    # sums that come too fast for a serial product
    assert inventory(digits.with_lanes([2, 1, 1, 1])).factors[1:3] == ((18, 18, 1), (18, DIGIT, 1))
    without = need._replace(factors=())
    assert ECP5.luts(need) == ECP5.luts(without)
    bits = sum(a * b * count for a, b, count in need.factors)
    assert ICE40.luts(need) - ICE40.luts(without) == pytest.approx(ICE40.prices["product"] * bits, abs=1)


def test_no_cell_multiplies(digits):
    text = build._elaborate(mlp(8, 4, 1), HX8K, None)["design.il"]
    for cell in ("MULT18X18D", "SB_MAC16", "DP16KD"):
        assert f"cell \\{cell} " not in text, cell
    products = [int(width) for width in re.findall(r"cell \$mul .*?parameter \\B_WIDTH (\d+)", text, re.DOTALL)]
    assert products, "yosys makes them of LUTs"


def test_refusals(digits):
    """A line that says what is needed at least, and what there is."""
    wide = mlp(64, 64, 3, engines=())
    for net, least in ((flow.find("cascade-fashion").describe(), "[0-9]{3} block RAMs and [0-9]+ LUTs"),
                       (wide, "[0-9]{2,3} block RAMs and [0-9]+ LUTs")):
        with pytest.raises(ValueError, match=f"^{net.name} needs at least {least}; there are 30 block RAMs and 7680 "
                                             f"LUTs, of which 5[0-9]{{3}} route well$"):
            HX8K.fold(net)
    # a part whose LUTs are too few
    tight = replace(HX8K, part=replace(HX8K.part, lut4=3000))
    with pytest.raises(ValueError, match="needs at least 2[0-9] block RAMs and [345][0-9]{3} LUTs; there are 30 block "
                                         "RAMs and 3000 LUTs, of which [0-9]+ route well$"):
        tight.fold(digits)
    # without a price for them a family does not multiply
    prices = {name: price for name, price in ICE40.prices.items() if name != "product"}
    plain = replace(HX8K, part=replace(HX8K.part, family=replace(ICE40, prices=prices)))
    with pytest.raises(ValueError, match=r"^cascade-digits multiplies, and ice40-hx8k \(iCE40HX8K\) has no multipliers "
                                         r"for it$"):
        plain.fold(digits)


def test_queues_of_one_pixel_take_no_block_ram():
    assert (Outbox.size(1), Outbox.size(2), Outbox(1).depth, Outbox(49).depth) == (SHORT_QUEUE, QUEUE, SHORT_QUEUE,
                                                                                  QUEUE)
    width = value_layout().size
    assert ICE40.inferred(SHORT_QUEUE - 1, width) == 0 < ICE40.inferred(QUEUE - 1, width)


def outputs_of(net, params, frames) -> np.ndarray:
    """Words of the core in its form for an iCE40, in Amaranth's simulator."""
    core, got = CascadeCore(net, vendor="ice40"), []
    count = len(frames) * net.steps * (net.outputs + 1)
    pairs = [(addr >> BANK_SHIFT & 0xFFF, addr & 0x3FFF, data)
             for addr, data in build_image(net, params).pairs.tolist()]

    async def send(ctx):
        await load(ctx, core.params, pairs, half=0, settle=core.info.settle)
        for word in frames.ravel().tolist():
            ctx.set(core.i.p.x, word)
            ctx.set(core.i.valid, 1)
            await ctx.tick().until(core.i.ready)
        ctx.set(core.i.valid, 0)

    async def receive(ctx):
        ctx.set(core.o.ready, 1)
        async for *_, valid, word in ctx.tick().sample(core.o.valid, core.o.p.y):
            got.extend([word] * valid)
            if len(got) == count:
                break
    run(core, send, receive, cycles=30_000)
    return net.outputs_of(got, frames)


@pytest.mark.parametrize(("channels", "serial"), [(14, True), (13, False)])
def test_core_equals_golden(channels, serial):
    """With serial products where sums leave each other the time, with parallel ones else."""
    net = mlp(15, channels, 1)
    program = Program(net.engines[0], tuple(net.program(net.engines[0])))
    assert least_gap(program) == channels
    assert Affine(net, width=30, words=9, bank0=0, vendor="ice40", gap=channels).serial == serial
    params, frames = random_params(net, channels), some_frames(net, 4)
    np.testing.assert_array_equal(outputs_of(net, params, frames), net.run(params, frames))


def test_a_cycle_less_is_too_fast(monkeypatch):
    """Serial products of sums that come a cycle sooner than they may."""
    monkeypatch.setattr(Affine, "may_be_serial", classmethod(lambda cls, gap: True))
    net = mlp(15, 13, 1)
    params, frames = random_params(net, 13), some_frames(net, 1, cut=True)
    assert (outputs_of(net, params, frames) != net.run(params, frames)).any()


def test_only_parts_without_multipliers_multiply_serially(digits):
    for vendor in VENDORS:
        assert Affine(digits, width=30, words=9, bank0=0, vendor=vendor, gap=99).serial == (vendor == "ice40")
    assert least_gap(Program(digits.engines[0], tuple(digits.program(digits.engines[0])))) == 64
    fast = digits.with_lanes([2, 1, 1, 1])
    assert least_gap(Program(fast.engines[0], tuple(fast.program(fast.engines[0])))) == 1


@pytest.mark.slow
def test_resources_against_tools(digits, tmp_path):
    """Block RAMs to two: yosys drops bits that are never set. Logic cells within a fifth."""
    net = HX8K.fold(digits)
    need = resources_needed(net, HX8K)
    for name, text in build._elaborate(net, HX8K, None).items():
        (tmp_path / name).write_text(text)
    cells = build._synthesise(tmp_path, ICE40, ICE40.synth_options, {})
    assert need.bram - 2 <= cells["SB_RAM40_4K"] <= need.bram
    build._run(ICE40, "nextpnr", [*HX8K.part.nextpnr, "-q", "-l", "nextpnr.log", "--json", "design.json", "--pcf",
                                  "design.pcf", "--pack-only"], tmp_path, "nextpnr.log")
    packed = sum(map(int, re.findall(r"(\d+) LCs used", (tmp_path / "nextpnr.log").read_text())))
    assert need.lut4 == pytest.approx(packed, rel=0.2)


@pytest.mark.slow
def test_synthesised_circuit_equals_golden():
    """Logic cells and block RAMs as yosys models them, on random frames in both modes, ended early too."""
    way = netlist("ice40", "synth_ice40")

    def in_block_rams(text, top, times):
        verilog = way.verilog(text, top, times)
        assert len(re.findall(r"reg \[\d+:0\] \S+\.memory +\[255:0\]", verilog)) >= 10
        return verilog
    net = mlp(12, 12, 2, engines=(Engine(layers=(0, 1, 2), lanes=2, side=2),))
    params = random_params(net, 4)
    device = Device(net, vendor="ice40", quick=True, mapped=Mapped(way.key, in_block_rams))
    device.load(build_image(net, params).pairs)
    for rule, threshold in (("never", 0), ("margin", 400), ("softmax", 40_000)):
        frames = some_frames(net, 30, rule=rule, threshold=threshold)
        np.testing.assert_array_equal(device.run(frames), net.run(params, frames), err_msg=rule)
