"""The floorplan: every site once, neighbours in the chain next to each other, weights beside their multiplier."""

import re
from dataclasses import replace

import pytest

from boards import BOARDS
from boards.floorplan import CORE, floorplan, place
from leadlag.flow import prepare

ULX3S = BOARDS["ulx3s-85f"]


def where(site):
    """Column and row of a site."""
    return tuple(map(int, re.match(r"X(\d+)/Y(\d+)/", site).groups()))


@pytest.mark.parametrize("name", ["ulx3s-25f", "ulx3s-45f", "ulx3s-85f"])
def test_a_part_has_a_site_for_each_block(name):
    part = BOARDS[name].part
    for sites, count in ((part.grid.multiplier_sites(), part.dsp), (part.grid.ram_sites(), part.bram)):
        found = list(sites)
        assert len(found) == len(set(found)) == count
        for a, b in zip(map(where, found), map(where, found[1:]), strict=False):
            assert a[1] != b[1] or abs(a[0] - b[0]) <= 7
            assert a[1] == b[1] or a[0] == b[0], "a jump across the die"


@pytest.mark.parametrize("network", ["gle-mnist1d", "gle-mnist1d-42k"])
def test_lanes_stand_in_chain_order_near_their_weights(network):
    net = prepare(network).net
    plan = floorplan(net, ULX3S.part.grid)
    tables = sum(layer.activation == "tanh" for layer in net.layers)
    assert len(set(plan.values())) == len(plan) == 2 + 2 * net.lanes + 4 * len(net.layers) + tables
    far = 0
    for n, layer in enumerate(net.layers):
        lanes = [where(plan[f"{CORE}.layer{n}.lanes.multiplier{k}.dsp"]) for k in range(layer.lanes)]
        banks = [where(plan[f"{CORE}.layer{n}.lanes.bank{k}.block0"]) for k in range(layer.lanes)]
        for (x0, y0), (x1, y1) in zip(lanes, lanes[1:], strict=False):
            assert abs(x1 - x0) <= 16, "further than the lead and lag between two lanes take"
            assert y0 == y1 or abs(x1 - x0) <= 8, "a jump across the die"
        for (x0, y0), (x1, y1) in zip(lanes, banks, strict=True):
            far = max(far, abs(x1 - x0) + abs(y1 - y0 - 12))
    assert far <= 42


def test_banks_of_two_blocks_are_left_to_the_placer():
    net = prepare("gle-mnist1d").net
    wide = replace(net, layers=(net.layers[0], replace(net.layers[1], lanes=1), *net.layers[2:]))
    plan = floorplan(wide, ULX3S.part.grid)
    assert f"{CORE}.layer1.lanes.multiplier0.dsp" in plan
    assert f"{CORE}.layer1.lanes.bank0.block0" not in plan
    assert f"{CORE}.layer2.lanes.bank0.block0" in plan


def test_too_many_multipliers_and_unknown_cells():
    net = prepare("gle-mnist1d").net
    with pytest.raises(ValueError, match="gle-mnist1d has more multipliers than the part has sites for"):
        floorplan(net, BOARDS["ulx3s-45f"].part.grid)
    assert floorplan(net, None) == {}
    with pytest.raises(KeyError, match="a.b"):
        place({"a.c": {"attributes": {}}}, {"a.b": "X4/Y10/MULT18_0"})
