"""What boards count of a network that learns is what its circuit has; and what parts have no room for."""

from collections import Counter

import pytest
from amaranth.hdl import Fragment
from taught import taught

from golden.fixed import QFormat
from rtl.inventory import Budget
from rtl.ltc.taught.core import TaughtCore
from rtl.primitives import Bank, Multiplier
from rtl.systems import circuit


def built(net, kind, monkeypatch) -> list:
    """Every Bank or Multiplier of the core."""
    found, elaborate = [], kind.elaborate

    def noted(unit, platform):
        found.append(unit)
        return elaborate(unit, platform)
    monkeypatch.setattr(kind, "elaborate", noted)
    todo = [Fragment.get(TaughtCore(net), None)]
    while todo:
        todo += [fragment for fragment, *_ in todo.pop().subfragments]
    return found


@pytest.mark.parametrize("changed", [{}, {"scope": "readout", "outputs": 1}, {"inputs": 9, "size": 4, "streams": 1},
                                     {"state": QFormat(2, 10), "error": QFormat(1, 12), "gate": QFormat(0, 6)}],
                         ids=str)
def test_counted_as_built(changed, monkeypatch):
    net = taught(**changed)
    need = circuit(net).inventory(net)
    want = Counter()
    for memory in need.memories:
        if memory.form == "bank":
            want[memory.depth, memory.width] += memory.count
    assert Counter((bank.depth, bank.width) for bank in built(net, Bank, monkeypatch)) == want
    answers, = (memory.depth for memory in need.memories if memory.form == "inferred")
    assert answers == net.outputs * TaughtCore(net).info.constants["output_ticks"]
    assert len(built(net, Multiplier, monkeypatch)) == need.multipliers


def test_it_is_taken_as_it_is_or_refused():
    net, blocks = taught(), lambda need: 30
    room = {"lut4": 1000, "routable_bram": 1, "routable_lut4": 1, "blocks": blocks, "luts": lambda need: 0}
    assert circuit(net).fold(net, Budget(multipliers=27, bram=30, **room)) == net
    for multipliers, bram in ((26, 30), (27, 29)):
        with pytest.raises(ValueError, match="taught needs 27 multipliers and 30 block RAMs; there are"):
            circuit(net).fold(net, Budget(multipliers=multipliers, bram=bram, **room))
    with pytest.raises(ValueError, match="no multipliers for it"):
        circuit(net).fold(net, Budget(multipliers=None, bram=30, **room))


def test_pace_and_hard_blocks():
    net = taught()
    pace = circuit(net).pace(net, 100.0, 120.0)
    assert pace["learn_ticks_per_s"] == 1e8 / pace["learn_cycles_per_tick"]
    assert 0.1 < pace["learn_lane_use"] < 1
    cells = [cell for cell in circuit(net).chain(net) if cell.block != "gap"]
    assert len(set(cells)) == len(cells)
    assert sum(cell.block == "multiplier" for cell in cells) == circuit(net).inventory(net).multipliers
