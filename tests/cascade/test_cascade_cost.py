"""What a cascaded network takes of a part: the memories and multipliers that its circuit makes."""

import re
from collections import Counter
from dataclasses import replace

import pytest
from cascades import LAYERS, drawn, refused, small

from golden.cascade.layer import Block, Engine, Head, Stem
from golden.cascade.network import CascadeNetwork
from leadlag import flow
from rtl.cascade.chain import LINK, chain
from rtl.cascade.core import CascadeCore
from rtl.cascade.cost import fold_within, inventory, options, pace
from rtl.inventory import Budget
from rtl.vendor import ecp5, generic
from sim.verilog import to_rtlil

ROOMY = Budget(multipliers=100, bram=200, lut4=80_000, routable_bram=200, routable_lut4=80_000,
               blocks=lambda need: sum(memory.count for memory in need.memories),
               luts=lambda need: int(sum(need.logic.values())))


@pytest.mark.parametrize("net", [small(), small(engines=(Engine(layers=(0, 1, 2), lanes=3),)), drawn(0)],
                         ids=["two engines", "one engine", "drawn"])
def test_memories_and_multipliers_are_those_of_the_circuit(net, monkeypatch):
    made, multipliers = Counter(), Counter()
    bank, multiplier = generic.Bank.__init__, generic.Multiplier.__init__

    def remember(self, **fields):
        bank(self, **fields)
        made[self.depth, self.width, self.columns] += 1

    def count(self, **fields):
        multiplier(self, **fields)
        multipliers[self.a_width] += 1
    monkeypatch.setattr(generic.Bank, "__init__", remember)
    monkeypatch.setattr(generic.Multiplier, "__init__", count)
    to_rtlil(CascadeCore(net), name="core")
    need, wanted = inventory(net), Counter()
    for memory in need.memories:
        if memory.form == "bank":
            wanted[memory.depth, memory.width, memory.columns] += memory.count
    assert made == wanted
    assert need.multipliers == multipliers.total() == net.lanes + len(net.engines) + 1


@pytest.mark.parametrize("net", [small(), small(engines=(Engine(layers=(0,)), Engine(layers=(1, 2), lanes=4)))],
                         ids=["by two", "by one"])
def test_the_chain_has_every_hard_block_once(net):
    module, blocks = "", []
    for line in to_rtlil(CascadeCore(net, vendor="ecp5"), name="core").splitlines():
        if match := re.match(r"module \\core\.?(\S*)", line):
            module = match[1]
        elif match := re.match(r"\s*cell \\(DP16KD|MULT18X18D) \\(\S+)", line):
            path = f"{module}.{match[2]}".removeprefix("unit.")
            blocks.append(("ram" if match[1] == "DP16KD" else "multiplier", path))
    found = [tuple(cell) for cell in chain(net) if cell.block != "room"]
    # the table of exp is left to the placer
    assert sorted(found) == sorted(block for block in blocks if "head.exp" not in block[1])
    assert sum(kind == "ram" for kind, _ in blocks) == sum(
        memory.count * ecp5.Bank.blocks(memory.depth, memory.width, memory.columns)
        for memory in inventory(net).memories if memory.form == "bank")


def test_room_is_left_so_that_block_rams_keep_up_with_multipliers():
    """The block RAMs of a lane lie beside its multipliers: never behind them, and no room where they are ahead."""
    rooms = 0
    for net in (small(), flow.prepare("cascade-fashion").net):
        rams, multipliers = LINK, 0
        for cell in chain(net):
            if cell.block == "multiplier":
                multipliers += 1
                continue
            if cell.block == "room":
                rooms += 1
                assert rams < multipliers
            else:
                assert rams >= multipliers
            rams += 1
    assert rooms


def test_engines_whose_lanes_would_be_too_deep_are_no_options():
    wide = CascadeNetwork(name="wide", steps=2, pre=2, post=14, layers=(
        Stem(height=2, width=2, inputs=1, outputs=256), Block(height=2, width=2, inputs=256, outputs=256),
        Head(inputs=256, outputs=2, pixels=4, shift=6, fraction=12)), engines=(
            Engine(layers=(0,), lanes=1), Engine(layers=(1,), lanes=256, side=8)))
    found = [unit for _, _, unit in options(wide, (1,))]
    assert found
    for unit in found:
        assert replace(wide, engines=(wide.engines[0], unit)).engines[1] == unit


def test_options_are_all_that_there_are():
    net = small()
    for layers in ((0,), (1, 2)):
        found = {unit: (cycles, products) for cycles, products, unit in options(net, layers)}
        for side in (1, 2, 4, 8):
            for lanes in range(1, 8):
                others = [unit for unit in net.engines if unit.layers != layers]
                try:
                    unit = Engine(layers=layers, lanes=lanes, side=side)
                    changed = replace(net, engines=(unit, *others))
                except ValueError:
                    assert not any((unit.lanes, unit.side) == (lanes, side) for unit in found)
                    continue
                assert found[unit] == (sum(unit.cycles(task.conv) for task in changed.program(unit)), lanes * side)


def test_a_part_with_room_has_the_shortest_step():
    net = fold_within(small(), ROOMY)
    assert [unit.layers for unit in net.engines] == [(0,), (1, 2)]
    least = min(cycles for cycles, _, _ in options(net, (1, 2)))
    assert pace(net, 100, 120)["cycles_per_step"] == least
    # less room, longer steps, and never more than there is
    longest = 0
    for multipliers in (20, 14, 10, 7, 5):
        net = fold_within(small(), ROOMY._replace(multipliers=multipliers))
        assert inventory(net).multipliers <= multipliers
        assert pace(net, 100, 120)["cycles_per_step"] >= longest
        longest = pace(net, 100, 120)["cycles_per_step"]
    assert longest > least


def test_one_engine_where_there_is_no_room_for_two():
    """Two engines scale their sums with a multiplier each."""
    net = fold_within(small(), ROOMY._replace(multipliers=4))
    assert ([unit.layers for unit in net.engines], net.lanes) == ([(0, 1, 2)], 2)
    with refused("small needs at least 3 multipliers, "):
        fold_within(small(), ROOMY._replace(multipliers=2))
    with refused("small needs at least"):
        fold_within(small(), ROOMY._replace(bram=10))
    with refused("small needs at least"):
        fold_within(small(), ROOMY._replace(routable_lut4=3))


def test_pace():
    net = small()
    found = pace(net, 100, 120)
    unit = net.engines[1]
    cycles = sum(unit.cycles(task.conv) for task in net.program(unit))
    assert found["cycles_per_step"] == cycles
    assert (found["frames_per_s"], found["frames_per_s_at_fmax"]) == (1e8 / cycles, 1.2e8 / cycles)
    products = sum(task.conv.products for task in net.program(unit))
    assert found["tap_use"] == products / (cycles * 4)
    assert [engine["name"] for engine in found["engines"]] == ["stem", "blocks 1 to 2"]
    assert sum(conv.products for layer in LAYERS[1:3] for conv in layer.main) + LAYERS[2].shortcut.products == products
