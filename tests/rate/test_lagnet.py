"""LagNet: the discretised adjoint is the gradient through time, and a prospective error has its phase."""

import math

import pytest

torch = pytest.importorskip("torch")
lag = pytest.importorskip("golden.train.lagnet")
rates = pytest.importorskip("golden.train.rates")


def problem(dt, steps, gamma=0.0, seed=1):
    """A net 1-2-3-2 from the midst of its run: layers, input, the trail of a window, errors, and autograd's gradients.

    Input and target are the same in time for every dt.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    layers = [rates.Layer((2 * draw(out, into) - 1).requires_grad_(), draw(out), 0.5 + draw(out),
                          0.1 + 1.5 * draw(out), phi)
              for into, out, phi in ((1, 2, "tanh"), (2, 3, "softplus"), (3, 2, "linear"))]
    time = dt * torch.arange(2 * steps, dtype=torch.float64)[:, None]
    x, target = torch.sin(3 * time) + torch.cos(time), torch.cos(2 * time * draw(2)) - draw(2)
    states, trail, errors, loss = rates.initial_state(layers, 1), [], [], 0
    for n in range(2 * steps):
        if n == steps:
            states = [rates.State(*(a.detach() for a in state)) for state in states]
            trail, errors, loss = [states], [], 0
        error = rates.squared_error(states[-1].r, target[n - 1:n]) if n else None
        states, _ = rates.gle_step(layers, states, x[n:n + 1], error, dt=dt, gamma=gamma)
        errors.append(rates.squared_error(states[-1].r, target[n:n + 1]))
        loss = loss + dt * (errors[-1] ** 2).sum() / 2
        trail.append(states)
    through = torch.autograd.grad(loss, [layer.weight for layer in layers])
    return layers, x[steps:], trail, torch.cat(errors), through


def off(found, right):
    """Largest relative difference of the layers."""
    return max(((a - b).norm() / b.norm()).item() for a, b in zip(found, right, strict=True))


def both(dt, steps, gamma=0.0):
    """How far the adjoint of the unrolled steps, and the paper's, are from autograd through the unrolled steps."""
    layers, x, trail, errors, through = problem(dt, steps, gamma)
    with torch.no_grad():
        signals = [lag.adjoint(layers, trail, errors, dt=dt, unrolled=unrolled) for unrolled in (True, False)]
        return [off(lag.gradient(lam, x, trail, dt=dt), through) for lam in signals]


def test_unrolled_adjoint_is_autograd():
    """Euler's decay, a step from layer to layer and no gamma: equal to rounding, for any time constants."""
    assert both(0.05, 200)[0] < 1e-12


def test_papers_adjoint_is_autograd_for_small_steps():
    coarse, middle, fine = (both(2 / steps, steps)[1] for steps in (50, 100, 200))
    assert 1.8 < coarse / middle < 2.2, (coarse, middle, fine)
    assert 1.8 < middle / fine < 2.2, (coarse, middle, fine)
    assert 1e-4 < fine < 0.05, fine


def test_papers_adjoint_by_hand():
    """Two steps of a chain of two linear neurons with dt = 0.5, worked on paper."""
    one = torch.ones(1, dtype=torch.float64)
    layers = [rates.Layer(weight * one[:, None], 0 * one, one, tau_r * one, "linear")
              for weight, tau_r in ((5.0, 0.5), (2.0, 1.0))]
    trail, errors, decay = [rates.initial_state(layers, 1)] * 3, torch.stack([one, 3 * one]), math.exp(-0.5)
    lam = [a.flatten().tolist() for a in lag.adjoint(layers, trail, errors, dt=0.5)]
    assert lam[1] == pytest.approx([0.5 * (3 - 2 * (3 - 1)) + 3 * decay, 3.0], abs=1e-12)
    # alpha = 2 lambda of the layer above, of the same step: (6 decay - 1, 6)
    assert lam[0] == pytest.approx([0.5 * (6 - 1 * (6 - (6 * decay - 1))) + 3 * decay, 3.0], abs=1e-12)


def test_gamma_is_what_the_adjoint_leaves_out():
    """Errors that pull the membranes bend the trajectory: in proportion to gamma."""
    small, large = (both(0.05, 100, gamma)[0] for gamma in (1e-4, 1e-3))
    assert 9 < large / small < 11, (small, large)
    assert 1e-4 < large < 0.05, large


@pytest.mark.parametrize("prospective", [True, False])
@pytest.mark.parametrize(("tau_m", "tau_r"), [(1.0, 0.1), (0.3, 1.2), (1.0, 1.0)])
def test_prospective_errors_have_the_adjoints_phase(tau_m, tau_r, prospective):
    """A sine of error into one linear neuron: eps / lambda is real and (1 + w^2 tau_m^2) / (1 + w^2 tau_r^2)."""
    dt, period, settle = 0.01, 200, 1000
    omega = 2 * math.pi / (period * dt)
    one = torch.ones(1, dtype=torch.float64)
    layers = [rates.Layer(one[:, None], 0 * one, tau_m * one, tau_r * one, "linear")]
    states, trail, eps = rates.initial_state(layers, 1), [], []
    errors = torch.sin(omega * dt * torch.arange(2 * settle, dtype=torch.float64))[:, None]
    for error in errors:
        trail.append(states)
        states, g = rates.gle_step(layers, states, one[:, None], error[None], dt=dt, prospective=prospective)
        eps.append(-g[0].bias)
    lam = lag.adjoint(layers, [*trail, states], errors, dt=dt)[0]
    turn = torch.exp(-1j * omega * dt * torch.arange(period, dtype=torch.float64))
    waves = [(turn * a[settle:settle + period, 0]).sum() for a in (torch.stack(eps), lam)]
    ratio = (waves[0] / waves[1]).item()
    expected = (1 + 1j * omega * tau_m) / (1 + 1j * omega * tau_r) if prospective else 1
    expected *= (1 - 1j * omega * tau_m) / (1 - 1j * omega * tau_r)
    assert abs(ratio / expected - 1) < 0.02, (ratio, expected)
    assert not prospective or abs(expected.imag) < 1e-12


@pytest.mark.parametrize("prospective", [True, False])
def test_local_gradient_is_the_rules(prospective):
    layers, x, trail, errors, _ = problem(0.05, 20)
    total, eps, rows = 0, [], []
    for n in range(1, 20):
        _, g = rates.gle_step(layers, trail[n], x[n:n + 1], errors[n - 1:n], dt=0.05, prospective=prospective)
        total = [0.05 * a.weight + b for a, b in zip(g, total or [0, 0, 0], strict=True)]
        eps.append([-a.bias for a in g])
    rows = [torch.stack(a) for a in zip(*eps, strict=True)]
    assert off(lag.gradient(rows, x[1:20], trail[1:], dt=0.05), total) < 1e-12


@pytest.mark.parametrize("signed", [True, False])
def test_nets_side_by_side_do_not_meet(signed):
    layers = lag.draw(3, signed, torch.Generator().manual_seed(4))
    nets = 3 * len(lag.ROLES)
    parts = [lag.blocks(layer.weight, nets) for layer in layers]
    assert [part.shape for part in parts] == [(2, 1, nets), (2, 2, nets), (1, 2, nets)]
    for i, (layer, part) in enumerate(zip(layers, parts, strict=True)):
        assert (layer.weight != 0).sum() == part.numel()
        assert (part < 0).any() == signed
        assert 0.5 <= part.abs().min() < part.abs().max() < 1.5
        for role in (1, 2, 3):      # the teacher's sign, another size in the first layer alone
            teacher, other = part[..., :3], part[..., 3 * role:3 * role + 3]
            assert torch.equal(teacher, other) == (i > 0)
            assert torch.equal(teacher.sign(), other.sign())
            assert torch.equal(other, part[..., 3:6]), "the students of a pair start from the same weights"
    assert layers[1].tau_r.tolist() == [1.0, 0.1] * nets


def membrane_lag(omega):
    """Degrees by which a slow neuron of LagNet lags, and by which an instantaneous error misses the adjoint."""
    return math.degrees(math.atan(omega * 1.0) - math.atan(omega * 0.1))


def test_lagnet_of_one_sine(monkeypatch):
    """The slow test below in small: a sine as long as a window, and a quick learner."""
    omega, steps, made = 2.04, 4000, lag.gradient
    assert abs(omega * lag.WINDOW * lag.DT - 2 * math.pi) < 0.01
    for name, value in (("OMEGA", (omega,)), ("LEARN_FROM", 1000), ("RATE", 0.2)):
        monkeypatch.setattr(lag, name, value)
    inputs = []
    monkeypatch.setattr(lag, "gradient", lambda *a, dt: inputs.append(a[1]) or made(*a, dt=dt))
    found, lost = (lag.lagnet(prospective, steps=steps, students=6) for prospective in (True, False))
    assert abs(inputs[0][0] - math.sin(omega * lag.DT * lag.LEARN_FROM)).max() < 1e-12
    assert list(found) == ["cosine", "norm", "phase", "distance", "learnt", "students", "steps"]
    assert found["learnt"]["local"] == 6, found
    assert lost["learnt"]["local"] == 0, lost
    for figures in (found, lost):
        assert figures["distance"]["adjoint"][1] < figures["distance"]["start"][1] / 3, figures
        assert figures["cosine"]["output"][0] > 0.99, figures
        step = math.degrees(omega * lag.DT)     # by which the output's error is late
        assert abs(figures["phase"]["output"][0][1] - step) < 0.2, figures
        assert all(low <= mid <= high for low, mid, high in figures["cosine"].values())
    assert found["norm"]["hidden_1"][0] > 2, found
    assert found["phase"]["hidden_2_slow"][0][2] < 5, found
    assert abs(lost["phase"]["hidden_2_slow"][0][1] - membrane_lag(omega)) < 5, lost


def test_lagnet_refuses():
    least = lag.LEARN_FROM + lag.WINDOW + lag.TAIL + 1
    with pytest.raises(ValueError, match=f"steps must be at least {least}, not {least - 1}"):
        lag.lagnet(steps=least - 1)


@pytest.mark.slow
def test_lagnet_needs_prospective_errors():
    found, lost = lag.lagnet(True), lag.lagnet(False)
    assert found["learnt"] == {"local": 20, "adjoint": 20}, found
    assert lost["learnt"]["local"] < 5, lost
    assert found["cosine"]["hidden_1"][0] > 0.9, found
    assert lost["cosine"]["hidden_1"][1] < 0.5, lost
    phases = (figures["phase"]["hidden_2_slow"] for figures in (found, lost))
    for omega, good, bad in zip(lag.OMEGA, *phases, strict=True):
        assert good[2] < 5, f"a prospective error is {good} degrees from the adjoint at {omega}"
        assert abs(bad[1] - membrane_lag(omega)) < 5, f"an instantaneous one {bad}, not {membrane_lag(omega)}"
