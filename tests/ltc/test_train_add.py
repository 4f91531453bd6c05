"""The add task: its sequences, its network in C++ and by autograd, and that it is learnt."""

import pytest

torch = pytest.importorskip("torch")
add = pytest.importorskip("golden.train.add")
fptt = pytest.importorskip("golden.train.fptt")
compiled = pytest.importorskip("golden.train.ltc_compiled")

SMALL = add.Settings(ticks=12, parts=3, size=16, batch=8, batches=6)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def test_sequences():
    x, y = add.sequences(10, 500, torch.Generator().manual_seed(0))
    numbers, marks = x[..., 0], x[..., 1]
    assert x.shape == (10, 500, 2)
    assert y.shape == (500, 1)
    assert (marks[:5].sum(0) == 1).all()
    assert (marks[5:].sum(0) == 1).all()
    assert ((marks == 0) | (marks == 1)).all()
    assert torch.allclose((numbers * marks).sum(0), y[:, 0])
    assert marks.sum(1).min() > 50
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert float((y - 1).square().mean()) == pytest.approx(add.GUESS, rel=0.15)


@pytest.mark.parametrize("parts", [1, 3, 12])
def test_compiled_is_autograd(parts):
    """The same sequences, the same weights behind each part, to rounding and to what Adam makes of it."""
    if compiled.library() is None:
        pytest.skip("no C++ compiler")
    found = {}
    for way in ("compiled", "autograd"):
        adder = add.Adder(SMALL._replace(parts=parts), way=way)
        start = adder.whole.detach().clone()
        for _ in range(4):
            adder.batch(1e-3)
        found[way] = adder.whole.detach()
        assert (found[way] - start).abs().max() > 1e-3
    off = (found["compiled"] - found["autograd"]).abs()
    assert off.max() < 2e-3
    assert (off > 2e-5).float().mean() < 0.02


def test_it_is_learnt():
    """Of 30 ticks, far below what saying 1 gives; the curve says so, and so do new sequences."""
    settings = add.Settings(ticks=30, parts=5, size=32, batch=32, batches=300, b0=1.5, alpha=0.1)
    shown = []
    net, curve = add.learn(settings, report=lambda *now: shown.append(now))
    assert [list(each) for each in shown] == curve
    assert len(curve) == 100
    assert curve[-1][0] == 300
    assert add.error(net, settings, count=200) < add.GUESS / 3


def test_gates_begin_slow():
    bias = add.network(add.Settings(ticks=1000), 0).layers[0].gate_bias
    assert bias.min() < -6
    assert bias.max() <= 0
