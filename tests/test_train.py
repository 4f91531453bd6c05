"""Float training: the fast form equals the readable one, and the readable one the equations of [GLE]."""

import pytest

torch = pytest.importorskip("torch")
gle = pytest.importorskip("golden.train.gle")
rates = pytest.importorskip("golden.train.rates")
lag = pytest.importorskip("golden.train.lagline")

NAMES = list(gle.SETTINGS)


def problem(name, batch=4, ticks=30):
    """Layers, inputs (ticks, batch) and one-hot targets (batch, class), all from one seed.

    In float64: the six lead filters of the error path make 1e-7 of the top layer 1e-3 of the first.
    """
    generator = torch.Generator().manual_seed(7)
    settings = gle.SETTINGS[name]
    layers = [rates.Layer(*(a.double() for a in layer[:4]), layer.phi) for layer in gle.new_layers(settings, generator)]
    x = torch.randn(ticks, batch, generator=generator, dtype=torch.float64)
    target = torch.eye(settings.outputs).double()[torch.randint(settings.outputs, (batch,), generator=generator)]
    return settings, layers, x, target


@pytest.mark.parametrize("prospective", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_fast_step_equals_readable_step(name, prospective):
    s, layers, x, target = problem(name)
    stack = gle.Stack(layers, len(target), dt=s.dt, prospective=prospective)
    adam = rates.Adam(stack.flat, s.average, s.clip)
    states = rates.initial_state(layers, len(target))
    for n, x_n in enumerate(x):
        now = stack.layers()
        error = rates.cross_entropy_error(states[-1].r, target)
        states, gradients = rates.gle_step(now, states, x_n[:, None], error, dt=s.dt, prospective=prospective)
        stack.step(x_n, target.T)
        for i, (state, gradient) in enumerate(zip(states, gradients, strict=True)):
            out, into = gradient.weight.shape
            pairs = {
                "u": (stack.u[i, :out].T, state.u), "v": (stack.v[i, :out].T, state.v),
                "r": (stack.r[i + 1, :out].T, state.r), "rp": (stack.rp[i, :out].T, state.rp),
                "weight": (stack.gradient[i, :out, :into] / -len(target), gradient.weight),
                "bias": (stack.gradient[i, :out, stack.width] / -len(target), gradient.bias),
            }
            if not prospective:
                del pairs["v"]      # not a state of instantaneous errors
            for what, (fast, readable) in pairs.items():
                scale = readable.abs().max().item() + 1e-3
                assert (fast - readable).abs().max() <= 1e-9 * scale, f"step {n} layer {i} {what}"
        adam.step(stack.gradient.view(-1), 1e-3, len(target))
    used = sum(layer.weight.numel() + layer.bias.numel() for layer in layers)
    assert (stack.flat != 0).sum() == used, "padding has come alive"


def test_adam_is_torchs_and_averages():
    generator = torch.Generator().manual_seed(3)
    start = torch.randn(50, generator=generator, dtype=torch.float64)
    fast, readable = start.clone(), start.clone().requires_grad_()
    adam, reference = rates.Adam(fast, 0.9, 1.5), torch.optim.Adam([readable], lr=0.01)
    average = start.clone()
    for n in range(200):
        gradient = torch.randn(50, generator=generator, dtype=torch.float64) + 0.3
        readable.grad = gradient
        adam.step(-8 * gradient, 0.01, 8)
        reference.step()
        with torch.no_grad():
            readable.clamp_(-1.5, 1.5)
            average = 0.9 * average + 0.1 * readable
        assert (fast - readable).abs().max() < 1e-7, f"step {n}"
        assert (adam.average - average).abs().max() < 1e-7, f"step {n}"


def test_parameters_of_the_paper():
    for name, count in (("gle-mnist1d", 14956), ("gle-mnist1d-42k", 42040)):
        _, layers, _, _ = problem(name)
        assert sum(layer.weight.numel() + layer.bias.numel() for layer in layers) == count
        assert [layer.phi for layer in layers] == ["linear", *["tanh"] * 5, "linear"]


def test_evaluation_equals_the_readable_step():
    s, layers, x, target = problem("gle-mnist1d")
    states, total = rates.initial_state(layers, len(target)), 0
    for x_n in x:
        states, _ = rates.gle_step(layers, states, x_n[:, None], None, dt=s.dt)
        total = total + states[-1].r
    classes, summed = rates.evaluate_float(layers, x.T)
    assert torch.allclose(summed, total, atol=1e-4)
    assert torch.equal(classes, total.argmax(1))


def test_instantaneous_neuron_gradient_is_exact():
    """With tau_m = tau_r = dt and all held still, GLE's gradient is that of autograd."""
    generator = torch.Generator().manual_seed(1)
    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64) * 0.5
    one = torch.ones
    layers = [rates.Layer(draw(n, m), draw(n), one(n).double(), one(n).double(), phi)
              for m, n, phi in ((3, 5, "softplus"), (5, 4, "tanh"), (4, 2, "linear"))]
    x, target = draw(6, 3), draw(6, 2)
    states = rates.initial_state(layers, 6)
    for _ in range(10):
        error = rates.squared_error(states[-1].r, target)
        states, gradients = rates.gle_step(layers, states, x, error, dt=1.0)
    leaves = [layer._replace(weight=layer.weight.clone().requires_grad_()) for layer in layers]
    r = x
    for layer in leaves:
        r = rates.PHI[layer.phi][0](r @ layer.weight.T + layer.bias)
    ((r - target) ** 2 / 2).sum(1).mean().backward()
    for i, (leaf, gradient) in enumerate(zip(leaves, gradients, strict=True)):
        assert torch.allclose(leaf.weight.grad, gradient.weight, atol=1e-12), f"layer {i}"
