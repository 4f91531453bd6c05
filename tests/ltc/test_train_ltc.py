"""Training of LTC networks from recipes: compiled, by hand and by autograd alike; files; what cannot be learnt."""

from dataclasses import replace

import numpy as np
import pytest

from golden.data.dataset import own
from golden.data.series import Raw
from golden.data.sets import find
from golden.ltc.recipe import LtcRecipe
from golden.ltc.trained import LtcTrained

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
fptt = pytest.importorskip("golden.train.fptt")
ltc = pytest.importorskip("golden.train.ltc")
compiled = pytest.importorskip("golden.train.ltc_compiled")
learner_of = pytest.importorskip("golden.train.ltc_learner")
nets = pytest.importorskip("golden.train.ltc_net")

RECIPE = LtcRecipe(name="small", layers=(12, 9), batch=10, epochs=3, rate=0.01)
WAYS = [{}, {"threshold": "fixed", "b0": 0.3}, {"auxiliary": True, "decay": 0.1}, {"optimiser": "sgd", "alpha": 0.0,
        "clip": 0.0}, {"ramp": False, "every": True, "optimiser": "sgd", "beta": 0.25}]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def waves(n=60, ticks=9, seed=0):
    """Sequences of two channels and several lengths in three classes: which channel leads, or none."""
    draw = np.random.default_rng(seed)
    y = draw.permutation(np.arange(n) % 3)
    x, lengths = draw.normal(0, 0.2, (n, ticks, 2)), draw.integers(5, ticks + 1, n)
    lengths[0] = ticks
    x[y == 1, :, 0] += 1
    x[y == 2, :, 1] += np.linspace(0, 2, ticks)
    return x.astype(np.float32), y, lengths


def data_of(**sizes):
    return own({"train": Raw(*waves(**sizes)), "test": Raw(*waves(**(sizes | {"seed": 1})))}, name="waves")


def batch_of(n=10, ticks=9):
    x, y, lengths = waves(n, ticks)
    return torch.from_numpy(x).transpose(0, 1).contiguous(), torch.from_numpy(y), torch.from_numpy(lengths)


def net_of(recipe, seed=0):
    """As drawn, but with every layer spiking."""
    net = nets.drawn((2, *recipe.layers, 3), seed=seed, threshold=recipe.threshold, b0=recipe.b0)
    with torch.no_grad():
        for cell in net.layers:
            cell.bias += 0.5
    return net


@pytest.mark.parametrize("parts", [0, 1, 3])
@pytest.mark.parametrize("fields", WAYS)
def test_compiled_is_by_hand_is_autograd(fields, parts):
    """Three batches: losses and weights are alike to rounding of float32; Adam makes much of gradients of 1e-8."""
    recipe, found = replace(RECIPE, parts=parts, **fields), {}
    if compiled.library() is None:
        pytest.skip("no C++ compiler")
    for way in ("compiled", "closed", "autograd"):
        learner = learner_of.Learner(net_of(recipe), recipe, way=way)
        losses = []
        for done in (0, 0.3, 0.6):
            learner.rate(done)
            losses.append(learner.sequence(*batch_of()))
        found[way] = losses, learner.whole.detach().clone(), learner.fptt
    start = fptt.flat(net_of(recipe))
    assert (found["closed"][1] - start).abs().max() > 1e-3
    for way in ("compiled", "autograd"):
        assert found[way][0] == pytest.approx(found["closed"][0], rel=1e-4)
        pairs = [(found[way][1], found["closed"][1]), *zip(found[way][2].wbar, found["closed"][2].wbar, strict=True),
                 *zip(found[way][2].lam, found["closed"][2].lam, strict=True)]
        for one, other in pairs:
            off = (one - other).abs()
            assert off.max() < (0.01 if recipe.optimiser == "adam" else 2e-5), way
            assert (off > 2e-5).float().mean() < 0.02, way


@pytest.mark.parametrize("threshold", nets.THRESHOLDS)
@pytest.mark.parametrize("fields", [{"gates": "diagonal"}, {"gates": "constant"}, {"gated": False},
                                    {"membrane": True}, {"gates": "diagonal", "membrane": True, "gated": False}])
def test_compiled_variants_are_autograds(fields, threshold):
    """Other gates and readouts; plain descent, so that weights show the gradients."""
    if compiled.library() is None:
        pytest.skip("no C++ compiler")
    recipe, found = replace(RECIPE, parts=3, optimiser="sgd", rate=0.3, alpha=0.1), {}
    for way in ("compiled", "autograd"):
        net = nets.drawn((2, 12, 9, 3), seed=0, threshold=threshold, **fields)
        with torch.no_grad():
            for cell in net.layers:
                cell.bias += 0.5
        learner = learner_of.Learner(net, recipe, way=way)
        start = learner.whole.detach().clone()
        for _ in range(3):
            learner.rate(0)
            learner.sequence(*batch_of())
        found[way] = learner.whole.detach()
        assert (found[way] - start).abs().max() > 1e-2
    assert torch.allclose(found["compiled"], found["autograd"], rtol=0, atol=2e-6)


def test_compiled_answers():
    """Outputs of whole sequences, whatever the room; spikes are counted."""
    if compiled.library() is None:
        pytest.skip("no C++ compiler")
    net, (x, _, _) = net_of(RECIPE), batch_of()
    spikes = []
    for cell in net.layers:
        cell.register_forward_hook(lambda module, inputs, output: spikes.append(output[0].mean().item()))
    with torch.no_grad():
        want = net(x, net.start(10))[0]
    for ticks in (1, 4, 20):
        y, rates = compiled.Compiled(net, fptt.flat(net), ticks, 10).run(x)
        assert torch.allclose(y, want, rtol=0, atol=1e-5)
        assert rates == pytest.approx([np.mean(spikes[0::2]), np.mean(spikes[1::2])], abs=1e-6)


def test_compiled_refuses_what_has_no_room():
    if compiled.library() is None:
        pytest.skip("no C++ compiler")
    net, (x, _, _) = net_of(RECIPE), batch_of()
    room = compiled.Compiled(net, fptt.flat(net), 2, 8)
    for wrong in (x, x[:, :4], x[:, :4].double().contiguous()):
        with pytest.raises(ValueError, match="there is room for 2 of 8 sequences"):
            room.run(wrong)


def test_quickest_way():
    kinds = {"full": {}, "diagonal": {"gates": "diagonal"}, "norm": {"norm": True}, "lstm": {"neuron": "lstm"}}
    found = {name: learner_of.quickest(nets.drawn((2, 4, 3), seed=0, **neuron)) for name, neuron in kinds.items()}
    if compiled.library() is not None:
        assert found == {"full": "compiled", "diagonal": "compiled", "norm": "autograd", "lstm": "autograd"}
    assert learner_of.quickest(nets.drawn((2, 4, 3), seed=0, gates="constant").double()) == "autograd"
    assert learner_of.quickest(nets.drawn((2, 4, 3), seed=0).double()) == "closed"


@pytest.mark.parametrize("fields", [{}, {"parts": 1}, {"scale": True, "noise": 0.1, "average": 0.9},
                                    {"threshold": "fixed", "formats": "usual"}])
def test_it_learns(fields, tmp_path):
    """Three classes, and a file that holds the float model."""
    recipe, shown = replace(RECIPE, epochs=25, **fields), []
    trained = ltc.fit(recipe, data_of(n=120), report=lambda *now: shown.append(now))
    assert trained.training["float_accuracy"] > 0.8
    assert [epoch for epoch, _ in shown] == list(range(1, 26))
    assert shown[-1][1] < shown[0][1] / 2
    trained.save(tmp_path / "x.safetensors")
    assert ("word_loss" in trained.training) == (recipe.formats == "fitted") == (trained.formats is not None)
    again, (x, y, lengths) = LtcTrained.load(tmp_path / "x.safetensors"), waves(n=120, seed=1)
    found = ltc.answers(again, x, lengths=lengths)
    assert found.score.shape == (120, 3)
    assert (found.label == y).mean() == trained.training["float_accuracy"]
    assert again.training["settings"]["name"] == "small"


def test_norms_are_folded_into_the_file():
    recipe, shown = replace(RECIPE, epochs=4, norm=True, parts=4, layers=(8,)), []
    trained = ltc.fit(recipe, data_of(), report=lambda *now: shown.append(now[1]))
    assert shown[-1] < shown[0]
    x, y, lengths = waves(seed=1)
    assert (ltc.answers(trained, x, lengths=lengths).label == y).mean() == trained.training["float_accuracy"]


def test_held_out():
    trained = ltc.fit(replace(RECIPE, epochs=1), data_of(), hold_out=True)
    assert "held_out_accuracy" in trained.training
    assert "float_accuracy" not in trained.training


def test_same_seed_same_network():
    one, same, other = (ltc.fit(replace(RECIPE, epochs=1, noise=0.1), data_of(), seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.layers[0].Wm, same.layers[0].Wm)
    assert not np.array_equal(one.layers[0].Wm, other.layers[0].Wm)


def test_what_is_behind_the_end_does_not_count():
    """Neither for the answer nor for what is learnt."""
    x, y, lengths = waves()
    noisy = x.copy()
    noisy[np.arange(x.shape[1]) >= lengths[:, None]] = 7
    nets_of = []
    for each in (x, noisy):
        found = [torch.from_numpy(each).transpose(0, 1).contiguous(), torch.from_numpy(y), torch.from_numpy(lengths)]
        learner = learner_of.Learner(net_of(RECIPE), RECIPE)
        learner.rate(0.5)
        learner.sequence(*found)
        nets_of.append((learner.whole.detach(), learner_of.outputs(learner.net, each, lengths)))
    assert torch.equal(nets_of[0][0], nets_of[1][0])
    assert np.array_equal(nets_of[0][1], nets_of[1][1])


def test_mirrored_sequences_have_their_channels_turned_round():
    draw, x = torch.Generator().manual_seed(0), torch.arange(24.0).view(4, 2, 3)
    found = learner_of._shown(x, replace(RECIPE, flip=True), draw)
    turned = [bool((now != was).any()) for now, was in zip(found, x, strict=True)]
    assert True in turned
    assert False in turned
    assert all(torch.equal(now, was.flip(1) if each else was) for now, was, each in zip(found, x, turned, strict=True))


# ---- what cannot be

@pytest.mark.parametrize(("fields", "said"), [
    ({"parts": 10}, "sequences of 9 ticks at most: they cannot be cut into parts = 10"),
])
def test_parts_that_do_not_fit(fields, said):
    with pytest.raises(ValueError, match=said):
        replace(RECIPE, **fields).check_data(data_of())


@pytest.mark.parametrize(("fields", "said"), [
    ({"threshold": "moving"}, "threshold must be one of adaptive, fixed"), ({"parts": -1}, "parts must be a whole"),
    ({"layers": ()}, "layers must be a list"), ({"alpha": -1.0}, "alpha must be a number in 0"),
    ({"scale": True, "unit": 256.0}, "no unit of 256"), ({"optimiser": "adamax"}, "optimiser must be one of adam, sgd"),
    ({"b0": float("nan")}, "b0 must be a number")])
def test_recipes_that_cannot_be(fields, said):
    with pytest.raises(ValueError, match=said):
        replace(RECIPE, **fields)


def test_data_that_cannot_be_learnt():
    with pytest.raises(ValueError, match="takes sequences"):
        RECIPE.check_data(find("digits"))
    x = np.random.default_rng(0).normal(size=(20, 9, 2))
    targets = own({"train": Raw(x, x[:, 0, 0])}, name="reals")
    with pytest.raises(ValueError, match="has targets"):
        RECIPE.check_data(targets)
