"""What networks take of a part: lanes that are dealt out, memories and multipliers as the circuit has them, cycles."""

import re
from dataclasses import replace
from itertools import product

import pytest
from ltcs import random_network

from boards import BOARDS
from boards.floorplan import CORE, floorplan
from boards.room import resources_needed
from golden.fixed import QFormat
from golden.ltc.layer import LtcLayer, Readout
from golden.ltc.network import LtcNetwork
from rtl.ltc import CIRCUIT
from rtl.ltc.cost import SLACK
from rtl.ltc.schedule import cycles_per_tick, lane_use, latency, plan, timing
from rtl.systems import circuit

BOARD = BOARDS["ulx3s-85f"]


def network(*sizes, halves=2) -> LtcNetwork:
    inputs, *hidden, outputs = sizes
    layers = []
    for n, size in enumerate(hidden):
        real = {"operand": QFormat(3, 8), "input_weight": QFormat(2, 5)} if n == 0 else {}
        layers.append(LtcLayer(inputs=inputs, outputs=size, lanes=2 * size, **real))
        inputs = size
    return LtcNetwork(name="net", layers=(*layers, Readout(inputs=inputs, outputs=outputs)), halves=halves)


def test_rows_of_images():
    """28-128-128-10 on an 85F: what shared figures of the system promise, and one half of the parameters."""
    net = BOARD.fold(network(28, 128, 128, 10))
    assert (net.lanes_by_layer, net.halves) == ([64, 64, 1], 1)
    assert cycles_per_tick(net) == 4 * 257 + 2 * 32 == 1092
    assert lane_use(net) > 0.96
    # 28 ticks of 130 MHz behind one another, the last one through both layers and the readout
    assert (27 * cycles_per_tick(net) + latency(net)) / 130 < 250
    need = CIRCUIT.inventory(net)
    assert need.multipliers == 134
    assert BOARD.budget.blocks(need) < 198


def test_small_networks_keep_two_halves():
    net = BOARD.fold(network(12, 64, 9))
    assert net.halves == 2
    assert BOARD.fold(replace(net, halves=1)).halves == 1
    assert net.lanes_by_layer == [128, 1]


@pytest.mark.parametrize("seed", range(4))
def test_counted_as_it_is_built(seed):
    """Block RAMs and multipliers of the inventory are those of the elaborated circuit; the queue is inferred."""
    net = random_network(f"cost {seed}", largest=12)
    need, built = CIRCUIT.inventory(net), resources_needed(net, BOARD)
    assert built.dsp == need.multipliers
    # the link has two beside them
    assert built.bram == BOARD.budget.blocks(need) + 2


@pytest.mark.parametrize("seed", range(4))
def test_hard_blocks_have_their_places(seed):
    """Every lane and its weights in chain order, each cell once."""
    net = random_network(f"chain {seed}", largest=12)
    cells = [cell for cell in circuit(net).chain(net) if cell.block != "gap"]
    assert len({cell.path for cell in cells}) == len(cells)
    assert sum(cell.block == "multiplier" for cell in cells) == CIRCUIT.inventory(net).multipliers
    assert len(set(floorplan(net, BOARD.part.grid).values())) == len(cells) + 2


def test_lanes_lie_beside_their_weights():
    """28-128-128-10: the die has multipliers to spare beside the spike rows of its first layer."""
    net = BOARD.fold(network(28, 128, 128, 10))
    plan = floorplan(net, BOARD.part.grid)
    sites = {name: tuple(map(int, re.match(r"X(\d+)/Y(\d+)/", site).groups())) for name, site in plan.items()}
    for n, chain, k in product(range(2), range(2), range(32)):
        lanes = f"{CORE}.layer{n}.gates.lanes{chain}"
        (x, y), (x_bank, y_bank) = sites[f"{lanes}.multiplier{k}.dsp"], sites[f"{lanes}.bank{k}.block0"]
        assert abs(x - x_bank) <= 20
        assert y_bank - y in (12, 24)
    assert sites[f"{CORE}.vectors.block0"][1] == sites[f"{CORE}.layer1.gates.lanes0.bank31.block0"][1]


def test_what_does_not_fit():
    small = BOARDS["ulx3s-12f"]
    with pytest.raises(ValueError, match=r"net needs at least \d+ multipliers and 1\d\d block RAMs; there are 28"):
        small.fold(network(28, 128, 128, 10))


@pytest.mark.parametrize("seed", range(6))
def test_schedule(seed):
    """No tick is shorter than what fits; slots cost nothing; a pace has what a report shows."""
    net = random_network(f"schedule {seed}", largest=20)
    period, slots = plan(net)
    assert timing(net, slots, period)[1]
    assert not timing(net, [1] * len(net.layers), period - 1)[1]
    pace = CIRCUIT.pace(net, 100.0, 130.0)
    assert pace["ticks_per_s"] == 1e8 / period
    assert 0 < pace["lane_use"] < 1
    assert len(CIRCUIT.notes(net)) == len(net.layers)


def test_the_last_multipliers_are_left():
    """A tick may be up to SLACK longer where that needs fewer lanes."""
    net = BOARD.fold(network(28, 128, 128, 10))
    longest = replace(net, layers=(replace(net.layers[0], lanes=86), *net.layers[1:]))
    assert cycles_per_tick(longest) < cycles_per_tick(net) <= SLACK * cycles_per_tick(longest)
