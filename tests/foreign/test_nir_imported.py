"""What frameworks export, as event-driven networks: their own models' spikes, at every neuron and step but a few.

Where a package is missing the test is skipped. What NIR does not say is an option of the import (docs/nir.md).
"""

import numpy as np
import pytest
from test_nir_frameworks import STEPS, N, drawn, package, snntorch

from golden.event.foreign import read
from golden.nir.options import Options

pytestmark = pytest.mark.filterwarnings("ignore")


def agreement(graph, x, expected, **options):
    """Share of neurons and steps, and of spikes, that are equal in integers; formats are chosen on other samples."""
    others = np.concatenate([drawn(seed) for seed in (7, 8, 9)])
    found = read(graph, "net", Options(**options), calibrate=others).trained
    mine = found.net.run(found.params, x.astype(int)) > 0
    assert expected.sum() > 50
    return float(np.mean(mine == expected)), float((mine & expected).sum() / (mine | expected).sum())


@pytest.mark.parametrize(("kind", "options", "reset"), [
    ("Leaky", {}, "late"), ("Leaky", {"reset_mechanism": "zero"}, "v_reset"), ("Synaptic", {}, "late"),
    ("Synaptic", {"reset_mechanism": "zero", "reset_delay": False}, "v_reset")])
def test_snntorch(kind, options, reset):
    torch, _ = package("snntorch")
    from snntorch.export_nir import export_to_nir
    gain = 2.0 if kind == "Leaky" else 1.0
    graph, model, x = export_to_nir(snntorch(kind, gain, **options), torch.rand(N)), snntorch(kind, gain, **options), \
        drawn()
    with torch.no_grad():
        expected = np.array([model(torch.tensor(each)).numpy() for each in x[0]])[None] > 0
    share, spikes = agreement(graph, x, expected, reset=reset)
    assert share >= 0.98
    assert spikes >= 0.9


def test_recurrence_of_snntorch():
    """RLeaky, of which its export makes two nodes in a loop."""
    torch, snn = package("snntorch")
    from snntorch.export_nir import export_to_nir
    torch.manual_seed(5)
    shape = {"beta": torch.full((N,), 0.9), "threshold": torch.ones(N), "linear_features": N}
    layer, first = snn.RLeaky(**shape), torch.nn.Linear(N, N)
    first.weight.data *= 2
    spk, mem = layer.init_rleaky()
    expected, x = [], drawn()
    with torch.no_grad():
        for each in x[0]:
            spk, mem = layer(first(torch.tensor(each)), spk, mem)
            expected.append(spk.numpy())
    hidden = snn.RLeaky(**shape, init_hidden=True)
    hidden.recurrent.load_state_dict(layer.recurrent.state_dict())
    graph = export_to_nir(torch.nn.Sequential(first, hidden), torch.rand(N))
    share, _ = agreement(graph, x, np.array(expected)[None] > 0, reset="late")
    assert share >= 0.95


def test_norse():
    """Its export of LIFBoxCell, whose tau is too small by its dt."""
    torch, norse = package("norse.torch")
    torch.manual_seed(1)
    shape = {"tau_mem_inv": torch.full((N,), 100.0), "v_th": torch.full((N,), 0.3), "v_leak": torch.zeros(N),
             "v_reset": torch.zeros(N)}
    model = norse.SequentialState(torch.nn.Linear(N, N), norse.LIFBoxCell(norse.LIFBoxParameters(**shape)))
    model[0].weight.data *= 3
    graph, state, expected, x = norse.to_nir(model, torch.rand(1, N)), None, [], drawn()
    with torch.no_grad():
        for each in x[0]:
            spikes, state = model(torch.tensor(each)[None], state)
            expected.append(spikes[0].numpy())
    share, spikes = agreement(graph, x, np.array(expected)[None] > 0, dt=1e-6)
    assert share >= 0.98
    assert spikes >= 0.9


def test_norse_recurrent_cells_are_refused():
    """Its export has nothing in their place."""
    torch, norse = package("norse.torch")
    model = norse.SequentialState(torch.nn.Linear(N, N), norse.LIFBoxRecurrentCell(N, N)) \
        if hasattr(norse, "LIFBoxRecurrentCell") else norse.SequentialState(torch.nn.Linear(N, N),
                                                                            norse.LIFRecurrentCell(N, N))
    try:
        graph = norse.to_nir(model, torch.rand(1, N))
    except Exception as error:      # the export itself fails: then there is nothing to read
        pytest.skip(f"Norse exports none: {type(error).__name__}")
    with pytest.raises(ValueError, match=r"^node [^\n]+: None is no node: the export did not know this layer$"):
        read(graph, "net", Options(dt=1e-3))


@pytest.mark.parametrize(("kind", "gain", "least"), [("IAF", 3, 0.99), ("LIF", 12, 0.95)])
def test_sinabs(kind, gain, least):
    torch, layers = package("sinabs.layers")
    import sinabs.activation as how
    import sinabs.nir
    torch.manual_seed(2)
    options = {"spike_fn": how.SingleSpike, "reset_fn": how.MembraneReset()}
    options |= {"tau_mem": 20.0} if kind == "LIF" else {}
    model = torch.nn.Sequential(torch.nn.Linear(N, N), getattr(layers, kind)(**options))
    model[0].weight.data *= gain
    x = drawn()
    with torch.no_grad():
        expected = model(torch.tensor(x)).numpy() > 0
    model[1].reset_states()
    share, _ = agreement(sinabs.nir.to_nir(model, torch.rand(1, 7, N)), x, expected, dt=1.0, threshold=">=")
    assert share >= least


class ChannelDelay:
    """What snnTorch's SynapticDelay does with whole delays: each channel waits; max_delay, delay, channels."""

    def __init__(self, delay):
        self.delay = np.asarray(delay)
        self.channels, self.max_delay = len(self.delay), int(self.delay.max())


def test_delays_behind_the_weights_of_snntorch():
    """Current = delay(fc(x)), a delay a target, as snnTorch's SynapticDelay (not in 1.0.0): put into its export."""
    torch, _ = package("snntorch")
    import nir
    from snntorch.export_nir import export_to_nir
    delay = ChannelDelay(np.random.default_rng(0).integers(0, 15, N))
    model, x = snntorch("Leaky", 2.0), drawn()
    graph = export_to_nir(snntorch("Leaky", 2.0), torch.rand(N))
    weights, neurons = next(edge for edge in graph.edges if isinstance(graph.nodes[edge[0]], nir.Affine)
                            and any(a == edge[1] for a, _ in graph.edges))
    graph.nodes["wait"] = nir.Delay(delay.delay * 1e-4)
    graph.edges = [edge for edge in graph.edges if edge != (weights, neurons)] + [(weights, "wait"), ("wait", neurons)]
    fc, lif, second, last = model
    expected, held = [], np.zeros((delay.max_delay + 1, N), np.float32)
    with torch.no_grad():
        for t in range(STEPS):
            held = np.roll(held, 1, 0)
            held[0] = fc(torch.tensor(x[0, t])).numpy()
            current = held[delay.delay, np.arange(N)]
            expected.append(last(second(lif(torch.tensor(current)))).numpy())
    share, spikes = agreement(graph, x, np.array(expected)[None] > 0, reset="late")
    assert share >= 0.98
    assert spikes >= 0.9
