"""FPTT around modules and optimisers: its update, what its regulariser is, parts of sequences, the loss."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")
fptt = pytest.importorskip("golden.train.fptt")

OPTIMISERS = {"sgd": lambda p: torch.optim.SGD(p, 0.3, momentum=0.5), "adam": lambda p: torch.optim.Adam(p, 0.02),
              "adamax": lambda p: torch.optim.Adamax(p, 0.02)}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def module(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).double()


def problem(seed=1, steps=12):
    draw = torch.Generator().manual_seed(seed)
    return [(torch.randn(4, 3, generator=draw).double(), torch.randn(4, 2, generator=draw).double())
            for _ in range(steps)]


def literal(net, optimiser, batches, alpha, beta, clip):
    """R added to the loss and differentiated by autograd; lam and wbar as the equations say. wbar, lam of each step."""
    parameters = list(net.parameters())
    wbar, lam, trail = [p.detach().clone() for p in parameters], [torch.zeros_like(p) for p in parameters], []
    for x, y in batches:
        value = (net(x) - y).square().mean()
        for p, bar, m in zip(parameters, wbar, lam, strict=True):
            value = value - (p * m).sum() + alpha / 2 * (p - bar).square().sum()
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimiser.step()
        with torch.no_grad():
            lam = [m - alpha * (p - bar) for p, bar, m in zip(parameters, wbar, lam, strict=True)]
            wbar = [(1 - beta) * bar + beta * p - beta / alpha * m
                    for p, bar, m in zip(parameters, wbar, lam, strict=True)]
        trail.append(([p.detach().clone() for p in parameters], wbar, lam))
    return trail


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize(("alpha", "beta", "clip"), [(0.5, 0.5, 1.0), (0.1, 0.3, 0.2), (0.125, 1.0, 1e9)])
def test_update_is_the_papers(name, alpha, beta, clip):
    """Of any module and optimiser: R's gradient is autograd's, clipping sees it, lam comes before wbar."""
    net, other = module(), module()
    rule = fptt.Fptt(net.parameters(), OPTIMISERS[name](net.parameters()), alpha=alpha, beta=beta, clip=clip)
    trail = literal(other, OPTIMISERS[name](other.parameters()), problem(), alpha, beta, clip)
    for (x, y), want in zip(problem(), trail, strict=True):
        (net(x) - y).square().mean().backward()
        rule.step()
        for found, expected in zip((list(net.parameters()), rule.wbar, rule.lam), want, strict=True):
            assert all(torch.allclose(a, b, rtol=0, atol=1e-12) for a, b in zip(found, expected, strict=True))
        assert all((p.grad == 0).all() for p in net.parameters())


def test_wbar_runs_ahead_of_w_by_the_old_multiplier():
    """For beta = 1/2 wbar = w - lam_old/(2 alpha) exactly; R's gradient is a filter of updates."""
    net, alpha = module(), 0.25
    rule = fptt.Fptt(net.parameters(), torch.optim.Adam(net.parameters(), 0.02), alpha=alpha, beta=0.5, clip=None)
    w, pulls, moves = [p.detach().clone() for p in net.parameters()], [], []
    for x, y in problem(steps=30):
        pulls.append([alpha * (p.detach() - bar) - m
                      for p, bar, m in zip(net.parameters(), rule.wbar, rule.lam, strict=True)])
        old = [m.clone() for m in rule.lam]
        (net(x) - y).square().mean().backward()
        rule.step()
        for p, bar, m in zip(net.parameters(), rule.wbar, old, strict=True):
            assert torch.allclose(bar, p - m / (2 * alpha), rtol=0, atol=1e-14)
        moves.append([p.detach() - before for p, before in zip(net.parameters(), w, strict=True)])
        w = [p.detach().clone() for p in net.parameters()]
    # r[t+1] = r[t] - r[t-1]/2 + alpha (D[t] - D[t-1]/2), D[t] the update behind r[t]
    for t in range(1, len(moves) - 1):
        for k in range(len(w)):
            want = pulls[t][k] - pulls[t - 1][k] / 2 + alpha * (moves[t][k] - moves[t - 1][k] / 2)
            assert torch.allclose(pulls[t + 1][k], want, rtol=0, atol=1e-13), (t, k)
    assert max(part.abs().max() for part in pulls[-1]) > 1e-4


def test_multiplier_is_the_gradient_at_rest():
    """On a quadratic bowl the parameters come to rest where lam is the loss's own gradient, 0, and wbar is w."""
    w = torch.nn.Parameter(torch.tensor([3.0, -2.0]).double())
    rule = fptt.Fptt([w], torch.optim.SGD([w], 0.2), alpha=0.5, clip=None)
    for _ in range(2000):
        ((w - torch.tensor([1.0, 2.0])) ** 2).sum().backward()
        rule.step()
    assert torch.allclose(w, torch.tensor([1.0, 2.0]).double(), atol=1e-9)
    assert torch.allclose(rule.wbar[0], w, atol=1e-9)
    assert rule.lam[0].abs().max() < 1e-9


def test_without_regulariser_it_is_the_optimiser():
    net, other = module(), module()
    rule = fptt.Fptt(net.parameters(), torch.optim.Adam(net.parameters(), 0.02), alpha=0, clip=None)
    plain = torch.optim.Adam(other.parameters(), 0.02)
    for x, y in problem():
        (net(x) - y).square().mean().backward()
        rule.step()
        plain.zero_grad()
        (other(x) - y).square().mean().backward()
        plain.step()
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))
    assert rule.wbar == []
    before = [p.clone() for p in net.parameters()]
    with rule.averaged():
        pass
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))


def test_averaged_shows_wbar_and_puts_the_parameters_back():
    net = module()
    rule = fptt.Fptt(net.parameters(), torch.optim.SGD(net.parameters(), 0.5))
    for x, y in problem():
        (net(x) - y).square().mean().backward()
        rule.step()
    kept = [p.detach().clone() for p in net.parameters()]
    with rule.averaged():
        assert all(torch.equal(p, bar) for p, bar in zip(net.parameters(), rule.wbar, strict=True))
    assert all(torch.equal(p, k) for p, k in zip(net.parameters(), kept, strict=True))
    assert not any(torch.equal(k, bar) for k, bar in zip(kept, rule.wbar, strict=True))


@pytest.mark.parametrize(("alpha", "beta"), [(-0.1, 0.5), (0.5, 1.5), (float("nan"), 0.5)])
def test_what_cannot_be(alpha, beta):
    with pytest.raises(ValueError, match="alpha must be 0 or more and beta in 0..1"):
        fptt.Fptt([], None, alpha=alpha, beta=beta)


def test_one_vector_holds_all_parameters():
    """It learns as the module's own parameters do, whichever of them the gradient comes from."""
    net, other = module(), module()
    whole = fptt.flat(net)
    rules = [fptt.Fptt([whole], torch.optim.Adam([whole], 0.02)),
             fptt.Fptt(other.parameters(), torch.optim.Adam(other.parameters(), 0.02))]
    for (x, y), (each, rule) in itertools.product(problem(), zip((net, other), rules, strict=True)):
        (each(x) - y).square().mean().backward()
        rule.step()
    assert whole.numel() == sum(p.numel() for p in other.parameters())
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12)


def test_weights_of_parts():
    lengths = torch.tensor([5, 3])
    found = fptt.parts(lengths, 5, 2).T.tolist()
    assert found == [pytest.approx([0, 2 / 5, 0, 4 / 5, 1]), pytest.approx([0, 2 / 3, 1, 0, 0])]
    assert fptt.parts(lengths, 5, 5, ramp=False).T.tolist() == [[0, 0, 0, 0, 1], [0, 0, 1, 0, 0]]
    assert fptt.parts(lengths, 5, 4, every=True, ramp=False).T.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]


def test_loss():
    draw = np.random.default_rng(0)
    y, label = draw.normal(size=(3, 2, 4)), np.array([1, 3])
    weight, counts = draw.random((3, 2)), np.array([[1, 1], [0, 1], [1, 0]])
    p = np.exp(y) / np.exp(y).sum(-1, keepdims=True)
    want = sum(-weight[t, b] * np.log(p[t, b, label[b]]) for t in range(3) for b in range(2)) / 2
    tensors = [torch.tensor(value) for value in (y, label, weight)]
    assert fptt.loss(*tensors).item() == pytest.approx(want)
    more = sum((counts[t, b] - weight[t, b]) * np.mean([-np.log(q) / 4 for q in p[t, b]])
               for t in range(3) for b in range(2)) / 2
    assert fptt.loss(*tensors, torch.tensor(counts)).item() == pytest.approx(want + more)


def test_rate():
    assert [fptt.rate_at(done, 2.0, 1.0) for done in (0, 0.5, 1)] == pytest.approx([2, 1.5, 1])
