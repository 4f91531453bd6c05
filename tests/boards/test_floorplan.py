"""The floorplan: every site once, neighbours in the chain next to each other, weights beside their multiplier."""

import re
from dataclasses import replace

import pytest

from boards import BOARDS
from boards.floorplan import CORE, floorplan, place
from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from golden.units.extrapolator import Predictor
from leadlag.flow import prepare
from rtl.rate.chain import chain

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


def test_the_chain_of_a_layer_by_hand():
    """Lines and weights of one block beside their layer; what ends a sum in the middle; what learns behind it."""
    fields = {"activation": "tanh", "operand": QFormat(0, 9), "weight": QFormat(3, 12), "state": QFormat(3, 10),
              "lead": QFormat(1, 10), "lag": QFormat(0, 12), "rate": QFormat(0, 9)}
    own = Plastic(error=QFormat(2, 10), slope=QFormat(1, 8), rate=4)
    net = Network(name="chain", dt=1.0, teacher=Teacher(loss="cross_entropy"), layers=(
        Dense(inputs=3, outputs=5, lanes=3, **fields),
        Dense(inputs=5, outputs=4, lanes=1, **fields, predictor=Predictor(kind="linear", history=2), max_delay=2,
              delay=1),
        Dense(inputs=4, outputs=2, lanes=2, **fields | {"activation": "linear"}, plastic=own)))

    def found(net, kind):
        return [cell.path for cell in chain(net) if cell.block == kind]
    assert found(net, "ram") == [f"layer{n}.{name}.block0" for n, names in enumerate((
        ("line.ring", "lanes.bank0", "lanes.bank1", "membranes", "activation.table", "lanes.bank2"),
        ("lanes.bank0", "membranes", "activation.table"),
        ("line.ring", "lanes.bank0", "membranes", "lanes.bank1"))) for name in names]
    assert found(net, "multiplier") == [f"layer{n}.{name}.dsp" for n, names in enumerate((
        ("lanes.multiplier0", "lanes.multiplier1", "unit.lag_multiplier", "unit.lead_multiplier", "lanes.multiplier2"),
        ("lanes.multiplier0", "unit.lag_multiplier", "unit.lead_multiplier"),
        ("lanes.multiplier0", "unit.lag_multiplier", "unit.lead_multiplier", "lanes.multiplier1"))) for name in names] \
        + ["teacher.p_multiplier.dsp"]
    squared = replace(net, teacher=Teacher(loss="squared_error"))
    assert found(squared, "multiplier") == found(net, "multiplier")[:-1]


@pytest.mark.parametrize(("n", "max_delay", "streams", "ring"), [
    (0, 14, 1, True), (0, 15, 1, False), (0, 7, 2, True), (0, 8, 2, False), (1, 6, 2, True), (1, 7, 2, False)])
def test_a_line_of_several_pages_is_left_to_the_placer(n, max_delay, streams, ring):
    """A page holds 16 messages of 1024 words: one that arrives, and those of D ticks of each stream.

    The first layer's message is there when its tick starts, that of others is made in a tick of all streams.
    """
    fields = {"activation": "linear", "operand": QFormat(0, 9), "weight": QFormat(3, 12), "state": QFormat(3, 10),
              "lead": QFormat(1, 10), "lag": QFormat(0, 12), "rate": QFormat(0, 9), "lanes": 1}
    own = Plastic(error=QFormat(2, 10), slope=QFormat(1, 8), rate=4)
    wide = Dense(inputs=1024, outputs=1, **fields, max_delay=max_delay, plastic=own)
    layers = (Dense(inputs=2, outputs=1024, **fields | {"lanes": 3}), wide)[1 - n:]
    net = Network(name="wide", dt=1.0, layers=layers, teacher=Teacher(loss="squared_error", streams=streams))
    assert (f"layer{n}.line.ring.block0" in [cell.path for cell in chain(net)]) == ring
