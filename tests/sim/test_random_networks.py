"""Random networks of every family, the circuit against golden word by word, and that the comparison can fail."""

import random
from collections import Counter

import pytest
from core import strict_bank

from golden.cascade.network import CascadeNetwork
from golden.event.network import EventNetwork
from golden.event.parts import CURRENTS, RESETS
from golden.ltc.network import LtcNetwork
from golden.rate.network import Network
from golden.spiking.network import SpikingNetwork
from leadlag.bench import random as bench_random
from leadlag.bench.random_networks import FAMILIES, draw

#: of `leadlag bench random_networks`, in parts that may run side by side; compiled networks are left to the bench
NETWORKS, PARTS = 44, 8
INDICES = [n for n in range(NETWORKS) if not FAMILIES[n % len(FAMILIES)].startswith("wide")]


@pytest.mark.parametrize("part", range(PARTS))
def test_random_networks(part, monkeypatch):
    """A word that is read while it is written is nonsense here."""
    monkeypatch.setattr("rtl.primitives.Bank.elaborate", strict_bank)
    for index in INDICES[part::PARTS]:
        found = bench_random.check(index)
        assert not found.message, found.message
        assert found.words > 5


def test_the_drawing_covers_every_option():
    nets = [draw(FAMILIES[n % len(FAMILIES)], random.Random(f"1/{n}")) for n in range(bench_random.NETWORKS)]
    cascades = [net for net in nets if isinstance(net, CascadeNetwork)]
    engines = [unit for net in cascades for unit in net.engines]
    maps = [layer for net in cascades for layer in net.layers[:-1]]
    assert {unit.side for unit in engines} == {1, 2, 4, 8}
    assert any(unit.lanes > 4 and unit.side > 2 for unit in engines)
    assert {len(net.engines) for net in cascades} >= {1, 2, 4}
    assert any(0 in unit.layers and 1 < len(unit.layers) < len(net.layers) - 1 for net in cascades
               for unit in net.engines)
    assert {(layer.kernel, layer.stride) for layer in maps} == {(1, 1), (1, 2), (3, 1), (3, 2)}
    assert any(layer.height == layer.width == 1 for layer in maps)
    assert {net.norm for net in cascades} == {"shared", "step"}
    assert {net.pre for net in cascades} >= {0, 8}
    assert {net.post for net in cascades} >= {4, 24}
    assert any(net.steps > len(net.blocks) for net in cascades)
    taught = [net for net in nets if isinstance(net, LtcNetwork) and net.teacher]
    assert {net.teacher.scope for net in taught} == {"all", "readout"}
    assert len({net.streams for net in taught}) > 1
    gated = [net for net in nets if isinstance(net, LtcNetwork) and not net.teacher]
    assert {len(net.hidden) for net in gated} == {1, 2, 3}
    assert {net.halves for net in gated} == {1, 2}
    assert {layer.adaptive for net in gated for layer in net.hidden} == {True, False}
    assert {2 * layer.spike_weight.width > 18 for net in gated for layer in net.layers} == {True, False}
    assert any(layer.lanes == layer.chains * layer.outputs > 4 for net in gated for layer in net.layers)
    events = [net for net in nets if isinstance(net, EventNetwork)]
    populations = [each for net in events for each in net.populations]
    assert {net.folded for net in events} == {1, 2, 4}
    assert {net.axonal for net in events} == {True, False}
    assert {bool(net.entries) for net in events} == {True, False}
    assert {each.fires for each in populations} == {True, False}
    assert {each.reset for each in populations} == set(RESETS)
    assert {each.current for each in populations} == {None, *CURRENTS}
    assert any(net.neurons > 60 for net in events)
    rates = [layer for net in nets if isinstance(net, Network) for layer in net.layers]
    spikes = [layer for net in nets if isinstance(net, SpikingNetwork) for layer in net.layers]
    plastic = [layer.plastic for layer in rates if layer.plastic is not None]
    predictors = [p for layer in rates for p in (layer.predictor, layer.error_predictor) if p is not None]
    kinds = Counter(p.kind for p in predictors)
    assert len({layer.activation for layer in rates}) == 6
    assert set(kinds) == {"linear", "second_order", "fir", "neural"}
    assert any(p.learns for p in predictors)
    assert any(p.history == 1 for p in predictors)
    assert any(layer.predictor and not layer.delay for layer in rates)
    assert any(layer.least_delay for layer in rates)
    assert any(layer.error_delay for layer in rates)
    assert {layer.guard for layer in rates} >= {0, 8}
    for name, widths in (("operand", {2, 17}), ("state", {2, 17}), ("weight", {2, 18}), ("rate", {2, 17}),
                         ("lead", {2, 18}), ("lag", {2, 18})):
        assert {getattr(layer, name).width for layer in rates} >= widths, name
    assert {p.rule for p in plastic} == {"plain", "sign"}
    assert any(p.tau for p in plastic)
    assert any(p.is_filtered for p in plastic)
    losses = {net.teacher.loss for net in nets if isinstance(net, Network) and net.teacher}
    assert losses == {"squared_error", "cross_entropy"}
    assert {net.streams for net in nets} == {1, 2, 4}
    assert any(layer.lanes == 1 < layer.outputs for layer in rates)
    assert any(all(layer.inputs == layer.outputs == 1 for layer in net.layers) for net in nets
               if isinstance(net, Network))
    for order, seeded in ((1, False), (1, True), (2, False), (2, True)):
        mine = [layer for layer in spikes if (layer.order, layer.regenerates) == (order, seeded)]
        assert {layer.refractory for layer in mine} >= {0, 1, 255}
    assert any(layer.folds > 1 for layer in spikes)
    assert any(layer.kick for layer in spikes)
    assert {layer.delay_bits for layer in spikes} >= {1, 8}
    assert any(layer.lanes > 32 for layer in spikes)
    assert {net.decision for net in nets if isinstance(net, SpikingNetwork)} == {"first_spike", "potential"}


def test_a_fault_is_named(monkeypatch):
    """A golden model that says something else: the message has all that runs the network again."""
    monkeypatch.setattr("leadlag.bench.random_rates.Twin.tick",
                        lambda self, x, *rest, **gates: [1 << 20] * self.net.outputs)
    found = bench_random.check(0, 1)
    assert "Mismatch: tick 0" in found.message
    assert "python -m leadlag.bench.random 0 1" in found.message
    assert Network.from_json(found.message[found.message.index("{"):]) == draw("rate", random.Random("1/0"))


def test_a_network_is_drawn_from_seed_and_index_alone():
    first, again = bench_random.check(0), bench_random.check(0)
    assert first == again
    assert bench_random.check(0, 2) != first
