"""Exports of snnTorch, Norse, Sinabs and SpikingJelly run as their own models do; Norse runs a graph as we do.

What is compared are spikes of two layers of 12 over 300 steps, each of them. Where a package is missing the test is
skipped.
"""

import warnings

import numpy as np
import pytest
from nirs import flat

from golden.nir.euler import run
from golden.nir.options import Options, implied_dt
from golden.nir.read import load

N, STEPS = 12, 300
pytestmark = pytest.mark.filterwarnings("ignore")


def drawn(seed=0):
    """Spikes that go in: (1, steps, N)."""
    return (np.random.default_rng(seed).random((1, STEPS, N)) < 0.3).astype(np.float32)


def package(name):
    """A package that may be missing, or may not load beside the installed ones."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("nirtorch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch, pytest.importorskip(name, exc_type=ImportError)


def snntorch(kind: str, gain=1.0, **options):
    """Two layers: Linear, neurons, Linear, neurons."""
    torch, snn = package("snntorch")
    torch.manual_seed(3)
    options |= {"threshold": torch.ones(N), "init_hidden": True, "beta": torch.full((N,), 0.9)}
    if kind == "Synaptic":
        options["alpha"] = torch.full((N,), 0.8)
    layers = []
    for _ in range(2):
        layers += [torch.nn.Linear(N, N), getattr(snn, kind)(**options)]
        layers[-2].weight.data *= gain
    return torch.nn.Sequential(*layers)


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize(("kind", "options", "reset"), [
    ("Leaky", {}, "late"), ("Leaky", {"reset_mechanism": "zero"}, "zero"),
    ("Leaky", {"reset_mechanism": "zero", "reset_delay": False}, "zero"),
    ("Synaptic", {}, "late"), ("Synaptic", {"reset_mechanism": "zero", "reset_delay": False}, "zero")])
def test_snntorch(kind, options, reset, saved, tmp_path):
    """Its defaults, whose reset comes late, are equal spike for spike too; dt is what its export implies."""
    torch, _ = package("snntorch")
    from snntorch.export_nir import export_to_nir
    gain = 2.0 if kind == "Leaky" else 1.0
    graph = export_to_nir(snntorch(kind, gain, **options), torch.rand(N))
    if saved:
        import nir
        nir.write(tmp_path / "x.nir", graph)
        graph = tmp_path / "x.nir"
    made, x = flat(load(graph)), drawn()
    assert implied_dt(made) == pytest.approx(1e-4, rel=1e-5)
    model = snntorch(kind, gain, **options)
    with torch.no_grad():
        expected = np.array([model(torch.tensor(each)).numpy() for each in x[0]])
    assert expected.sum() > 50
    assert np.array_equal(run(made, x, Options(reset=reset))["output"][0], expected)
    for other in {"zero", "subtract", "late"} - {reset}:
        assert np.count_nonzero(run(made, x, Options(reset=other))["output"][0] != expected) > 50, other


@pytest.mark.parametrize(("options", "reset"), [
    ({"reset_mechanism": "zero", "reset_delay": False}, "zero"), ({}, "late")])
def test_recurrence_of_snntorch(options, reset):
    """RLeaky: its own spikes of the last step come back through weights, with a bias."""
    torch, snn = package("snntorch")
    from snntorch.export_nir import export_to_nir
    torch.manual_seed(5)
    shape = {"beta": torch.full((N,), 0.9), "threshold": torch.ones(N), "linear_features": N} | options
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
    made = flat(load(export_to_nir(torch.nn.Sequential(first, hidden), torch.rand(N))))
    assert np.sum(expected) > 50
    assert np.array_equal(run(made, x, Options(reset=reset))["output"][0], np.array(expected))


def test_norse_runs_a_graph():
    """With r = 1 and v_reset = 0, of which Norse takes no note."""
    torch, norse = package("norse.torch")
    nir = pytest.importorskip("nir")
    rng = np.random.default_rng(0)
    nodes = {"input": nir.Input(np.array([N])), "output": nir.Output(np.array([N]))}
    for k in "ab":
        nodes[f"w{k}"] = nir.Affine(rng.normal(size=(N, N)), rng.normal(size=N) * 0.1)
        nodes[k] = nir.LIF(tau=np.full(N, 0.01), r=np.ones(N), v_leak=np.zeros(N), v_threshold=np.full(N, 0.3),
                           v_reset=np.zeros(N))
    way = ["input", "wa", "a", "wb", "b", "output"]
    graph = nir.NIRGraph(nodes, list(zip(way, way[1:], strict=False)))
    model, state, expected, x = norse.from_nir(graph, dt=1e-3), None, [], drawn()
    with torch.no_grad():
        for each in x[0]:
            spikes, state = model(torch.tensor(each)[None], state)
            expected.append(spikes[0].numpy())
    assert np.sum(expected) > 50
    assert np.array_equal(run(flat(load(graph)), x, Options(dt=1e-3))["output"][0], np.array(expected))


def test_norse_export():
    """Its tau is too small by its dt, so that the step is dt squared; the samples' axis of the Input is let go."""
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
    made = flat(load(graph))
    assert made.notes == (f"node input (Input): its shape [1, {N}] is taken for [{N}]: what stands before is time",)
    with pytest.raises(ValueError, match=r"tau is 1e-05, below dt = 0.001$"):
        run(made, x, Options(dt=1e-3))
    assert np.sum(expected) > 50
    assert np.array_equal(run(made, x, Options(dt=1e-6))["output"][0], np.array(expected))


@pytest.mark.parametrize(("kind", "gain", "share"), [("IAF", 3, 1.0), ("LIF", 12, 0.97)])
def test_sinabs(kind, gain, share):
    """Its times are in steps, so dt is 1; values without axes; >=; one spike a step is what NIR can say.

    Its LIF leaks by exp(-1/tau), which is not what Euler makes of tau: near, and no more.
    """
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
        expected = model(torch.tensor(x)).numpy()
    model[1].reset_states()
    made = flat(load(sinabs.nir.to_nir(model, torch.rand(1, 7, N))))
    assert expected.sum() > 50
    assert made.leaves["input"] == (N,)
    found = run(made, x, Options(dt=1.0, threshold=">="))["output"]
    assert np.mean(found == expected) >= share


@pytest.mark.parametrize(("kind", "options", "gain"), [
    ("IFNode", {}, 2), ("LIFNode", {"tau": 5.0, "v_threshold": 0.2}, 3),
    ("LIFNode", {"tau": 5.0, "decay_input": False}, 2), ("ParametricLIFNode", {"init_tau": 4.0}, 6),
    ("CUBALIFNode", {"c_decay": 0.5, "v_decay": 0.8}, 1)])
def test_spikingjelly(kind, options, gain, tmp_path):
    """Hard resets, at a dt that is said; a reset by subtraction it refuses to write."""
    torch, neuron = package("spikingjelly.activation_based.neuron")
    import nir
    from spikingjelly.activation_based import layer
    from spikingjelly.activation_based.nir_exchange import export_to_nir
    torch.manual_seed(4)
    parts = [part for _ in range(2) for part in (layer.Linear(N, N), getattr(neuron, kind)(**options))]
    model, expected, x = torch.nn.Sequential(*parts), [], drawn()
    for each in model[::2]:
        each.weight.data *= gain
    graph = export_to_nir(model, torch.rand(1, N), dt=1e-4)
    with torch.no_grad():
        for each in x[0]:
            expected.append(model(torch.tensor(each)[None])[0].numpy())
    nir.write(tmp_path / "x.nir", graph)
    for source in (graph, tmp_path / "x.nir"):
        found = run(flat(load(source)), x, Options(dt=1e-4))["output"][0]
        assert np.sum(expected) > 50
        assert np.array_equal(found, np.array(expected))
