"""LTC networks in torch: the equations, written again; gradients by hand against autograd, to 1e-12."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
fptt = pytest.importorskip("golden.train.fptt")
closed = pytest.importorskip("golden.train.ltc_closed")
nets = pytest.importorskip("golden.train.ltc_net")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def net_of(sizes=(3, 6, 5, 4), seed=0, **neuron):
    """A network in float64 that spikes: every parameter is drawn, biases too."""
    net, draw = nets.drawn(sizes, seed=seed, **neuron).double(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            p += torch.randn(p.shape, generator=draw, dtype=p.dtype) * (0.3 if "bias" in name else 0.5)
    return net


def given(ticks=6, batch=5, inputs=3, seed=1):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(ticks, batch, inputs, generator=draw, dtype=torch.float64)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def by_hand(net, x):
    """Outputs and spikes of a network of full gates, neuron by neuron as papers have it: rho keeps b."""
    layers = [{name: p.detach().numpy() for name, p in cell.named_parameters()} | {"b0": cell.b0,
              "adaptive": cell.adaptive} for cell in net.layers]
    readout, found, sent = {name: p.detach().numpy() for name, p in net.readout.named_parameters()}, [], []
    batch = x.shape[1]
    states = [[np.zeros((batch, len(p["bias"]))) for _ in range(3)] for p in layers]
    y = np.zeros((batch, len(readout["bias"])))
    for now in x.numpy():
        for p, state in zip(layers, states, strict=True):
            u, s, b = state
            drive = now @ p["dense"].T + s @ p["recurrent"].T + p["bias"]
            alpha = sigmoid(np.hstack([u, drive]) @ np.hstack([p["gate_old"][0], p["gate_x"][0]]).T + p["gate_bias"][0])
            theta = p["b0"]
            if p["adaptive"]:
                rho = sigmoid(-np.hstack([b, drive]) @ np.hstack([p["gate_old"][1], p["gate_x"][1]]).T
                              - p["gate_bias"][1])
                b = rho * b + (1 - rho) * s
                theta = p["b0"] + 115 / 64 * b
            ut = (1 - alpha) * u + alpha * drive
            s = (ut > theta).astype(float)
            state[:] = (1 - s) * ut, s, b
            now = s
        sent.append(now)
        z = now @ readout["weight"].T + readout["bias"]
        gate = sigmoid(np.hstack([z, y]) @ readout["gate"].T + readout["gate_bias"])
        y = (1 - gate) * y + gate * z
        found.append(y)
    return np.array(found), np.array(sent)


@pytest.mark.parametrize("threshold", nets.THRESHOLDS)
def test_the_equations(threshold):
    net, x = net_of(threshold=threshold), given()
    want, spikes = by_hand(net, x)
    assert 0.1 < spikes.mean() < 0.9
    for forward in (net, lambda *a: closed.forward(net, *a)):
        with torch.no_grad():
            assert np.abs(forward(x, net.start(5))[0].numpy() - want).max() < 1e-12


def test_surrogate():
    """The sum of three normal densities, its peak and its zero ([FPTT] arXiv 2112.11231)."""
    z = torch.linspace(-3, 3, 1201, dtype=torch.float64)
    psi = nets.surrogate(z)
    assert psi.max().item() == pytest.approx(0.732, abs=1e-3)
    assert psi[600] == psi.max()
    assert psi.min().item() == pytest.approx(-0.026, abs=1e-3)
    inside = z[psi > 0]
    assert inside.max().item() == pytest.approx(0.764, abs=5e-3)
    assert nets.normal(torch.tensor(0.3), 0.3, 2.0).item() == pytest.approx(1 / (2 * math.sqrt(2 * math.pi)))
    leaf = z.clone().requires_grad_()
    spikes = nets.Spike.apply(leaf)
    assert torch.equal(spikes, (z > 0).double())
    spikes.sum().backward()
    assert torch.equal(leaf.grad, psi)


def gradients(net, x, states, weight, label, by_hand):
    """Gradients of the parameters for a weighted loss over some ticks from given states on."""
    whole = fptt.flat(net)
    if by_hand:
        with torch.no_grad():
            y, after, trails = closed.forward(net, x, states)
        y.requires_grad_()
    else:
        y, after = net(x, nets.detached(states))
    fptt.loss(y, label, weight).backward()
    if by_hand:
        with torch.no_grad():
            closed.backward(net, trails, y.grad)
    return {name: p.grad.clone() for name, p in net.named_parameters()}, after, whole


@pytest.mark.parametrize("threshold", nets.THRESHOLDS)
@pytest.mark.parametrize("sizes", [(3, 6, 4), (3, 6, 5, 4), (2, 1, 3, 1, 2)])
@pytest.mark.parametrize("ticks", [1, 2, 7])
def test_gradients_by_hand_are_autograds(threshold, sizes, ticks):
    """Over one tick that is the closed form of FPTT with K = T; over more, backpropagation through the part."""
    net, x = net_of(sizes, threshold=threshold), given(ticks + 3, inputs=sizes[0])
    label, weight = torch.arange(5) % sizes[-1], torch.rand(ticks, 5, dtype=torch.float64)
    with torch.no_grad():
        states = net(x[:3], net.start(5))[1]
    want, after, _ = gradients(net, x[3:], states, weight, label, False)
    found, ended, _ = gradients(net, x[3:], states, weight, label, True)
    for name, grad in want.items():
        # what nothing depends on in one tick: what is kept of b to the next one goes by theta, in the same tick
        assert grad.abs().max() > 0 or sizes[1] == 1, name
        assert (found[name] - grad).abs().max() < 1e-12, name
    for a, b in zip(ended, after, strict=True):
        for one, other in zip(a if isinstance(a, tuple) else [a], b if isinstance(b, tuple) else [b], strict=True):
            assert torch.allclose(one, other.detach(), rtol=0, atol=1e-12)


def test_gradients_add_up():
    net, x = net_of(), given(2)
    label, weight = torch.arange(5) % 4, torch.ones(2, 5, dtype=torch.float64)
    once = gradients(net, x, net.start(5), weight, label, True)[0]
    with torch.no_grad():
        y, _, trails = closed.forward(net, x, net.start(5))
        closed.backward(net, trails, torch.ones_like(y))
        closed.backward(net, trails, -torch.ones_like(y))
    for name, p in net.named_parameters():
        assert torch.allclose(p.grad, once[name], rtol=0, atol=1e-12)


def test_only_full_gates_have_a_closed_form():
    for net in (net_of(gates="diagonal"), net_of(norm=True)):
        with pytest.raises(ValueError, match="full gates and no norms"):
            closed.forward(net, given(), net.start(5))


@pytest.mark.parametrize("threshold", nets.THRESHOLDS)
def test_diagonal_gates_are_full_ones_with_zeros(threshold):
    net, full, x = net_of(gates="diagonal", threshold=threshold), net_of(threshold=threshold), given()
    with torch.no_grad():
        for cell, other in zip(net.layers, full.layers, strict=True):
            for name, p in cell.named_parameters():
                getattr(other, name).copy_(torch.diag_embed(p) if name in ("gate_old", "gate_x") else p)
        full.readout.load_state_dict(net.readout.state_dict())
        assert torch.allclose(net(x, net.start(5))[0], full(x, full.start(5))[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("threshold", nets.THRESHOLDS)
def test_constant_gates_are_those_of_lif_neurons(threshold):
    net, full, x = net_of(gates="constant", threshold=threshold), net_of(threshold=threshold), given()
    assert len(list(net.layers[0].parameters())) == 4
    with torch.no_grad():
        for cell, other in zip(net.layers, full.layers, strict=True):
            other.gate_old.zero_()
            other.gate_x.zero_()
            for name, p in cell.named_parameters():
                getattr(other, name).copy_(p)
        full.readout.load_state_dict(net.readout.state_dict())
        assert torch.allclose(net(x, net.start(5))[0], full(x, full.start(5))[0], rtol=0, atol=1e-12)


def test_lstm_is_a_layer_like_the_others():
    net, x = nets.drawn((3, 6, 5, 4), seed=0, neuron="lstm").double(), given()
    y, states = net(x, net.start(5))
    assert y.shape == (6, 5, 4)
    again = torch.cat([net(x[:3], net.start(5))[0], net(x[3:], net(x[:3], net.start(5))[1])[0]])
    assert torch.allclose(y, again, rtol=0, atol=1e-12)
    assert all(not part.requires_grad for state in nets.detached(states)[:-1] for part in state)


def test_norm_is_an_affine_map_that_folds():
    net, x = net_of(norm=True), given(batch=8)
    for _ in range(3):
        net(x, net.start(8))
    norm = net.layers[0].norm
    assert (norm.mean != 0).all()
    net.eval()
    before = norm.mean.clone()
    plain = net_of()
    with torch.no_grad():
        for cell, other in zip(net.layers, plain.layers, strict=True):
            factor, offset = cell.norm.folded()
            other.load_state_dict({name: p for name, p in cell.state_dict().items() if "norm" not in name})
            other.dense *= factor[:, None]
            other.recurrent *= factor[:, None]
            other.bias.copy_(factor * cell.bias + offset)
        plain.readout.load_state_dict(net.readout.state_dict())
        assert torch.allclose(net(x, net.start(8))[0], plain(x, plain.start(8))[0], rtol=0, atol=1e-12)
    assert torch.equal(norm.mean, before)


def test_same_seed_same_network():
    one, same, other = (nets.drawn((3, 4, 2), seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.layers[0].dense, other.layers[0].dense)
