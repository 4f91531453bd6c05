"""The float reference of MNIST-1D on the chip: its quick step equals the readable one, and it learns."""

import numpy as np
import pytest

from golden.data.mnist1d import ANSWER_FROM, Split, mnist1d

torch = pytest.importorskip("torch")
pytest.importorskip("mnist1d")
static = pytest.importorskip("golden.train.static")
rates = pytest.importorskip("golden.train.rates")
tasks = pytest.importorskip("golden.tasks.learning")

BATCH = 4


def double(layers):
    return [rates.Layer(*(a.double() for a in layer[:4]), layer.phi) for layer in layers]


def problem(ticks):
    """Stack, inputs (batch, ticks), and one-hot targets (batch, class) for two sequences."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(BATCH, ticks, generator=generator, dtype=torch.float64)
    labels = torch.randint(10, (2, BATCH), generator=generator)
    return static.StaticStack(double(static.new_layers(3)), BATCH), x, torch.eye(10, dtype=torch.float64)[labels]


def test_quick_step_equals_readable_step():
    """With the front's layers in front, weights that move, and a second target that meets what the first has left."""
    stack, x, targets = problem(60)
    front, adam = double(static.front()), rates.Adam(stack.flat, 0.0, np.inf)
    states, seen = rates.initial_state([*front, *stack.layers()], BATCH), static.features(x)
    for n, x_n in enumerate(x.T):
        target = targets[n // 30]
        states, gradients = rates.gle_step(
            [*front, *stack.layers()], states, x_n[:, None], rates.cross_entropy_error(states[-1].r, target),
            dt=tasks.MNIST_DT)
        stack.step(seen[n], target.T)
        for i, (mine, r) in enumerate(zip((*stack.inner, stack.y.T), states[static.FRONT:], strict=True)):
            found = torch.cat([gradients[static.FRONT + i].weight, gradients[static.FRONT + i].bias[:, None]], 1)
            for what, quick, readable in (("r", mine, r.r), ("gradient", stack.g[i] / -BATCH, found)):
                assert (quick - readable).abs().max() <= 1e-6 * readable.abs().max(), f"tick {n} layer {i} {what}"
        adam.step(stack.gradient, 1e-2, BATCH)
    assert (stack.layers()[1].weight - static.new_layers(3)[1].weight).abs().max() > 0.05, "hardly anything moved"


def test_the_first_step_looks_back_so_many_ticks():
    gradients = []
    for skip in (0, 20 - static.MEMORY, 21 - static.MEMORY):
        stack, x, targets = problem(21)
        if not skip:
            stack.inner.uniform_(-1, 1, generator=torch.Generator().manual_seed(1))
        for tick, now in enumerate(static.features(x, skip), skip):
            stack.step(now, targets[0].T, tick == 20)
        gradients.append(stack.gradient)
    assert (gradients[1] - gradients[0]).abs().max() < 1e-12
    assert (gradients[2] - gradients[0]).abs().max() > 1e-6


def test_layers_are_those_of_the_chip():
    net, found = tasks.mnist1d_net(), [*static.front(), *static.new_layers(0)]
    for n, (layer, p, mine) in enumerate(zip(net.layers, tasks.mnist1d_start(net, 0), found, strict=True)):
        assert layer.activation == mine.phi, f"layer {n}"
        reals = {"weight": mine.weight, "bias": mine.bias, "lead": mine.tau_r / mine.tau_m, "lag": net.dt / mine.tau_m}
        for name, values in reals.items():
            lsb = layer.format(name).lsb if name in layer.constants else layer.weight.lsb
            assert np.allclose(getattr(p, name) * lsb, values, rtol=1e-6, atol=lsb / 2), f"layer {n} {name}"


def test_it_learns(monkeypatch):
    asked, shares = [], []

    def some(split):
        asked.append(split)
        return Split(*(a[:1600] for a in mnist1d(split)))
    monkeypatch.setattr(static, "mnist1d", some)
    figures = static.train_static(0, 2, True, lambda *a: shares.append(a))
    assert asked == ["fit", "held_out"], "the test set was read"
    assert [epoch for epoch, _ in shares] == [1, 2]
    assert 0.3 < shares[0][1] < shares[1][1], shares
    # of six seeds: 0.36 to 0.43
    assert figures["accuracy"] > 0.3
    assert (figures["split"], figures["epochs"], figures["seed"]) == ("held_out", 2, 0)


def test_fit_equals_readable_steps(monkeypatch):
    """Two batches: what the first leaves, from which tick on weights move, the rates, the order."""
    data = Split(*(a[:2 * static.BATCH] for a in mnist1d("fit")))
    layers = double(static.new_layers(4))
    monkeypatch.setattr(static, "new_layers", lambda seed: layers)
    found = static.fit(Split(data.x.astype(float), data.y), seed=4, epochs=1)[static.FRONT:]
    states, generator = rates.initial_state(layers, static.BATCH), torch.Generator().manual_seed(4)
    x, y = static.features(torch.from_numpy(data.x).double())[..., :-1], torch.eye(10, dtype=float)[data.y]
    flat = torch.cat([a.flatten() for layer in layers for a in layer[:2]])
    sizes, adam = [a.numel() for layer in layers for a in layer[:2]], rates.Adam(flat, 0.0, np.inf)
    orders = torch.randperm(2 * static.BATCH, generator=generator).split(static.BATCH)
    for rate, order in zip((1e-3, (1e-3 + 1e-6) / 2), orders, strict=True):
        for tick in range(len(x)):
            parts = flat.split(sizes)
            now = [layer._replace(weight=w.view_as(layer.weight), bias=b)
                   for layer, w, b in zip(layers, parts[::2], parts[1::2], strict=True)]
            error = rates.cross_entropy_error(states[-1].r, y[order])
            states, gradients = rates.gle_step(now, states, x[tick, order], error, dt=tasks.MNIST_DT)
            if tick >= ANSWER_FROM:
                adam.step(torch.cat([-a.flatten() for g in gradients for a in g[:2]]), rate)
    for i, (quick, readable) in enumerate(zip(found, now, strict=True)):
        for what in ("weight", "bias"):
            assert (getattr(quick, what) - getattr(readable, what)).abs().max() < 1e-9, f"layer {i} {what}"


def test_it_refuses():
    with pytest.raises(ValueError, match="epochs must be at least 1, not 0"):
        static.train_static(epochs=0)
