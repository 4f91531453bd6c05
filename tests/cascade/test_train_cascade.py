"""Training of cascaded networks: block by block equals the literal loop, targets equal the paper's sum, it learns."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from golden.cascade.recipe import CascadeRecipe
from golden.cascade.trained import CascadeTrained
from golden.data.dataset import own
from golden.data.series import Raw
from golden.data.sets import find

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
cascade = pytest.importorskip("golden.train.cascade")
nets = pytest.importorskip("golden.train.cascade_net")

SMALL = {"shape": (8, 8, 2), "channels": (3, 3, 4, 4), "strides": (2, 1, 2, 1), "kernel": 3, "classes": 5}
MLP = {"shape": (1, 1, 12), "channels": (6, 6, 8, 8), "strides": (1, 1, 1, 1), "kernel": 1, "classes": 5}
KINDS = [{}, {"norm": "step"}, {"heads": 4}, {"norm": "step", "heads": 4}]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def net_of(sizes=SMALL, seed=0, **fields):
    """A network of random weights and statistics, which does not learn."""
    draw = torch.Generator().manual_seed(seed)
    net = nets.Cascade(**(sizes | fields)).started(draw).eval()
    for module in net.modules():
        if isinstance(module, nets.Norm):
            for tensor, low, high in ((module.mean, -0.5, 0.5), (module.variance, 0.3, 3), (module.scale.data, 0.5, 2),
                                      (module.bias.data, -0.5, 0.5)):
                tensor.uniform_(low, high, generator=draw)
    net.offset.data.uniform_(-1, 1, generator=draw)
    return net


def images_of(sizes=SMALL, n=6, seed=1):
    height, width, channels = sizes["shape"]
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(seed))


def whole_of(sizes=SMALL, **fields):
    """A network and images of whole numbers and their halves: sums are exact in any order, and so are answers."""
    draw = torch.Generator().manual_seed(0)
    net = net_of(sizes, eps=0.0, **fields).double()
    for name, tensor in net.state_dict().items():
        low, high = (1, 2) if name.endswith("variance") else (-2, 3)
        tensor.copy_(torch.randint(low, high, tensor.shape, generator=draw) / (2 if name.endswith("scale") else 1))
    return net, (images_of(sizes) * 4).floor().double()


# ---- block by block and step by step

@pytest.mark.parametrize("scheme", ["parallel", "serial"])
@pytest.mark.parametrize("sizes", [SMALL, MLP])
@pytest.mark.parametrize("fields", KINDS)
def test_block_by_block_is_the_literal_loop(sizes, fields, scheme):
    net, x = whole_of(sizes, **fields)
    with torch.no_grad():
        found = net(x, scheme)
        assert torch.equal(found, net.literal(x, scheme)), "a difference of 0, not of rounding"
    assert found.std() > 1
    net, x = net_of(sizes, **fields), images_of(sizes)
    with torch.no_grad():
        assert torch.allclose(net(x, scheme), net.literal(x, scheme), atol=1e-5)


@pytest.mark.parametrize("norm", ["shared", "step"])
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_the_smooth_kernel_is_the_literal_loop(norm, alpha):
    net, x = whole_of(alpha=alpha, norm=norm)
    with torch.no_grad():
        found = net(x)
        assert torch.equal(found, net.literal(x))
        if alpha == 0 and norm == "shared":
            assert torch.equal(found, net.final(x).expand_as(found)), "nothing is late: a plain network"


def test_gradients_are_those_of_the_literal_loop():
    net, x = net_of().double(), images_of().double()
    found = {}
    for name, run in (("blocks", net), ("literal", net.literal)):
        net.zero_grad()
        nets.td_loss(run(x), torch.arange(6) % 5, 0.5).backward()
        found[name] = {key: value.grad.clone() for key, value in net.named_parameters()}
    for key, grad in found["literal"].items():
        assert grad.abs().max() > 0, key
        assert torch.allclose(found["blocks"][key], grad, rtol=1e-9, atol=1e-12), key


def test_each_input_of_a_block_is_computed_once():
    net, x, seen = net_of(), images_of(n=2), []
    for block in net.blocks:
        block.conv1.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    net(x)
    assert seen == [2, 4, 6], "images times 1, 2, 3 steps"
    seen.clear()
    net(x, "serial")
    assert seen == [2, 2, 2]
    seen.clear()
    net.literal(x)
    assert seen == [2] * 12


def test_where_the_schemes_agree():
    """At first nothing of a residual has come; in the end all has, and it is the network without delay."""
    net, x = whole_of()
    with torch.no_grad():
        parallel, serial, plain = net(x), net(x, "serial"), net.final(x)
    assert torch.equal(parallel[0], serial[0])
    assert torch.equal(parallel[-1], plain)
    assert torch.equal(serial[-1], plain)
    assert not torch.equal(parallel[1], serial[1])
    assert not torch.equal(parallel[2], serial[2])
    assert all(not torch.equal(one, other) for one, other in pairwise(parallel))


def test_steps_by_hand():
    """One block of dense layers with one pixel, in numbers: h_1[0] = relu(h_0), h_1[1] = relu(h_0 + R)."""
    net = net_of({"shape": (1, 1, 1), "channels": (1, 1), "strides": (1, 1), "kernel": 1, "classes": 2})
    for module, value in ((net.stem, 2.0), (net.blocks[0].conv1, 3.0), (net.blocks[0].conv2, -1.0)):
        module.weight.data.fill_(value)
    for module in net.modules():
        if isinstance(module, nets.Norm):
            for tensor, value in ((module.mean, 0), (module.variance, 1 - nets.EPS), (module.scale.data, 1),
                                  (module.bias.data, 0.5)):
                tensor.fill_(value)
    net.head.data.copy_(torch.tensor([[[1.0], [-1.0]]]))
    net.offset.data.zero_()
    with torch.no_grad():
        h0 = 2 * 0.25 + 0.5
        late = -(3 * h0 + 0.5) + 0.5
        assert net(torch.full((1, 1, 1, 1), 0.25))[:, 0].tolist() == [[h0, -h0], [max(0, h0 + late), 0.0]]
        net.blocks[0].conv2.weight.data.fill_(1.0)
        assert net(torch.full((1, 1, 1, 1), 0.25))[1, 0, 0] == h0 + 3 * h0 + 1.0


# ---- the loss

@pytest.mark.parametrize("decay", [0.0, 0.3, 1.0])
def test_targets_are_those_of_the_paper(decay):
    """y_t = (1 - lambda) sum lambda^(n-t-1) p_n + lambda^(T-1-t) y."""
    logits = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    label, p = torch.tensor([0, 3, 1]), logits.softmax(2)
    y = torch.nn.functional.one_hot(label, 4).double()
    for t, found in enumerate(nets.targets(logits, label, decay)):
        want = sum((1 - decay) * decay ** (n - t - 1) * p[n] for n in range(t + 1, 5)) + decay ** (4 - t) * y
        assert torch.allclose(found, want, atol=1e-12), t


def test_gradient_of_the_loss_is_p_minus_target():
    logits = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64, requires_grad=True)
    label = torch.tensor([4, 0, 2])
    nets.td_loss(logits, label, 0.5, since=1).backward()
    want = (logits.softmax(2) - nets.targets(logits, label, 0.5)) / 3
    want[0] = 0
    assert torch.allclose(logits.grad, want, atol=1e-12), "targets have no gradient, steps before `since` no loss"


def test_lambda_one_is_cross_entropy_at_every_step():
    logits = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(4))
    label = torch.tensor([4, 0, 2])
    want = sum(torch.nn.functional.cross_entropy(step, label) for step in logits)
    assert torch.allclose(nets.td_loss(logits, label, 1.0), want)


# ---- norms

def test_norms_of_a_step_have_statistics_of_their_own():
    norm = nets.Norm(2, 3).train()
    x = torch.cat([torch.full((4, 2, 1, 1), float(n)) + torch.randn(4, 2, 1, 1) * 0.1 for n in range(3)])
    for _ in range(100):
        norm(x, steps=3)
    assert torch.allclose(norm.mean[:, 0], torch.arange(3.0), atol=0.2)
    assert torch.allclose(norm.eval()(x[:4], first=7), norm(x[:4], first=2)), "beyond the last row it is the last"
    shared = nets.Norm(2, 1).train()
    shared(x, steps=3)
    assert torch.allclose(shared.mean[0], 0.1 * x.mean((0, 2, 3)))


@pytest.mark.parametrize("rows", [1, 3])
def test_a_norm_folds_into_an_affine_pair(rows):
    norm, x = net_of(norm="step" if rows > 1 else "shared").blocks[2].norm1, torch.randn(3, 4, 2, 2)
    scale, bias = norm.folded()
    assert scale.shape == bias.shape == (rows, 4)
    for row in range(rows):
        want = x * scale[row][:, None, None] + bias[row][:, None, None]
        assert torch.allclose(norm(x, first=row), want, atol=1e-5)


# ---- what is learnt from

def test_shown_images():
    recipe = CascadeRecipe(name="n", channels=[2, 2], flip=True, shift=2)
    x = torch.from_numpy(np.random.default_rng(0).integers(1, 256, (200, 1, 5, 6)).astype(np.uint8))
    shown = cascade._shown(x, recipe, torch.Generator().manual_seed(0)) * 256
    kinds = set()
    for was, now in zip(x.float(), shown, strict=True):
        found = [(mirrored, down, right) for mirrored in (0, 1) for down in range(5) for right in range(5)
                 if torch.equal(torch.nn.functional.pad(was.flip(2) if mirrored else was, (2,) * 4)
                                [:, down:down + 5, right:right + 6], now)]
        assert len(found) == 1, "an image is mirrored or not, and moved by whole pixels, black coming in"
        kinds.add(found[0])
    assert len(kinds) > 40, "of 50"
    still = dataclasses.replace(recipe, flip=False, shift=0)
    assert torch.equal(cascade._shown(x, still, torch.Generator()), x / 256)
    noisy = cascade._shown(x, dataclasses.replace(still, noise=0.5), torch.Generator().manual_seed(0)) - x / 256
    assert 0.48 < noisy.std() < 0.52


def test_pixels_are_rows_columns_channels():
    x = np.arange(2 * 24, dtype=np.uint8).reshape(2, 24)
    found = cascade.pixels(x, (3, 4, 2))
    assert found.shape == (2, 2, 3, 4)
    assert found[1, 1, 2, 3] == x.reshape(2, 3, 4, 2)[1, 2, 3, 1] / 256


# ---- training

DIGITS = CascadeRecipe(name="digits", data="digits", channels=[24, 24, 24], form="mlp", epochs=8, batch=32, rate=0.05,
                       warm=20)
MAPS = CascadeRecipe(name="maps", data="digits", channels=[6, 6, 8], strides=[2, 1, 2], epochs=3, batch=32, warm=20)


@pytest.fixture(scope="module")
def digits():
    pytest.importorskip("sklearn")
    return find("digits")


@pytest.fixture(scope="module")
def learnt(digits):
    losses = []
    return cascade.fit(DIGITS, digits, hold_out=True, report=lambda epoch, loss: losses.append((epoch, loss))), losses


def test_it_learns_digits(learnt, digits):
    trained, losses = learnt
    assert [epoch for epoch, _ in losses] == [*range(1, 9)]
    assert losses[-1][1] < losses[0][1] / 3
    figures = trained.training
    assert figures["held_out_accuracy"] > 0.93
    assert figures["held_out_accuracy"] == pytest.approx(figures["held_out_accuracy_steps"][-1], abs=1e-4)
    assert figures["held_out_accuracy_steps"][0] > 0.9, "a useful answer at once"
    assert (figures["data"], figures["seed"], figures["epochs"], figures["lambda"]) == ("digits fit", 0, 8, 0.5)
    assert figures["settings"]["channels"] == [24, 24, 24]
    asked = digits.load("held_out")
    found = cascade.answers(trained, asked.x)
    assert (found.label == asked.y).mean() == figures["held_out_accuracy"]
    assert np.array_equal(found.score, cascade.float_steps(trained, asked.x)[:, -1])


def test_the_same_seed_gives_the_same_file(tmp_path, digits):
    once = dataclasses.replace(DIGITS, epochs=1)
    found = []
    for n, seed in enumerate((0, 0, 1)):
        trained = cascade.fit(once, digits, seed=seed, hold_out=True)
        dataclasses.replace(trained, training={}).save(tmp_path / str(n))
        found.append((tmp_path / str(n)).read_bytes())
    assert found[0] == found[1] != found[2]


def test_a_file_answers_as_the_network_did(learnt, digits, tmp_path):
    trained, x = learnt[0], digits.load("held_out").x
    trained.save(tmp_path / "net.safetensors")
    again = CascadeTrained.load(tmp_path / "net.safetensors")
    for scheme in ("parallel", "serial"):
        logits = cascade.float_steps(again, x, scheme)
        assert np.array_equal(logits, cascade.float_steps(trained, x, scheme))
        with torch.no_grad():
            literal = cascade.network(again).literal(cascade.pixels(x, again.shape), scheme)
        assert np.allclose(logits, literal.transpose(0, 1), atol=1e-5)
    assert logits.shape == (len(x), 3, 10)


@pytest.mark.parametrize("fields", [
    {"norm": "step"}, {"heads": "step"}, {"loss": "last"}, {"scheme": "serial"}, {"delay": "smooth", "alpha": 0.3},
    {"delay": "smooth", "norm": "step"}, {"lambda_": 0.0}, {"lambda_": 1.0}, {"since": 1}, {"bf16": True},
    {"shift": 1, "noise": 0.1, "epochs": 3}, {"momentum": 0.0}])
def test_every_setting_trains_convolutions(fields, digits, tmp_path):
    """With norms folded, the file is the network as it was: its figures come of the file."""
    trained = cascade.fit(dataclasses.replace(MAPS, **({"epochs": 1} | fields)), digits, hold_out=True)
    assert trained.training["held_out_accuracy"] > 0.2, "chance is 0.1"
    trained.save(tmp_path / "n")
    again = CascadeTrained.load(tmp_path / "n")
    x = digits.load("held_out").x[:20]
    assert np.array_equal(cascade.float_steps(again, x), cascade.float_steps(trained, x))
    rows = 1 if fields.get("norm") != "step" else 3 if "delay" in fields else 2
    assert again.blocks[1].conv1.scale.shape == (rows, 8)
    assert again.scheme == fields.get("scheme", "parallel")
    assert (again.alpha is not None) == ("delay" in fields)
    assert len(again.head) == (3 if fields.get("heads") == "step" else 1)


def test_folding_is_what_training_had(digits, monkeypatch):
    """Logits of the network as it stood at the end, and of the file made of it."""
    kept = {}

    def keep(net, *given):
        kept["net"] = net
        return made(net, *given)
    made = cascade._kept
    monkeypatch.setattr(cascade, "_kept", keep)
    trained = cascade.fit(dataclasses.replace(MAPS, norm="step", epochs=1), digits, hold_out=True)
    x = digits.load("held_out").x[:50]
    with torch.no_grad():
        want = kept["net"](cascade.pixels(x, trained.shape)).transpose(0, 1)
    assert np.allclose(cascade.float_steps(trained, x), want, atol=1e-4)


def test_ranges_hold_all_but_few(digits):
    trained = cascade.fit(dataclasses.replace(MAPS, epochs=1), digits, hold_out=True)
    net, x = cascade.network(trained), cascade.pixels(digits.load("fit").x[:1000], trained.shape)
    with torch.no_grad():
        for scheme in ("parallel", "serial"):
            h, steps = net.first(x), 1
            for k, block in enumerate(net.blocks, 1):
                assert (block.hidden(h, steps) > trained.ranges[k]).float().mean() <= 2e-4
                h, steps = net.after(k, h, steps, scheme)
                assert (h > trained.ranges[0]).float().mean() <= 2e-4


# ---- what is refused

@pytest.mark.parametrize(("fields", "message"), [
    ({"channels": [4]}, "channels must be a list of 2 to 33, not"),
    ({"strides": [1, 1]}, "strides has 2 entries, channels 3"),
    ({"strides": [1, 1, 3]}, r"strides\[2\] must be a whole number in 1..2, not 3"),
    ({"form": "mlp", "strides": [1, 2, 1]}, "dense layers have no strides"),
    ({"form": "mlp", "flip": True}, "flip and shift are for convolutions"),
    ({"lambda_": 1.5}, "lambda_ must be a number in 0..1, not 1.5"),
    ({"since": 3}, r"since = 3: there are 3 steps, 0..2"),
    ({"norm": "steps"}, "norm must be one of shared, step, not 'steps' .did you mean"),
    ({"delay": "smooth", "scheme": "serial"}, "delay = \"smooth\" takes scheme = \"parallel\""),
    ({"loss": "last", "heads": "step"}, "loss = \"last\" sees one step")])
def test_recipes_that_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        CascadeRecipe(**{"name": "n", "channels": [4, 4, 4]} | fields)


def test_as_many_blocks_as_a_recipe_may_name():
    assert len(CascadeRecipe(name="n", channels=[4] * 33, strides=[1] * 33).strides) == 33
    with pytest.raises(ValueError, match="channels"):
        CascadeRecipe(name="n", channels=[4] * 34)


def test_data_that_are_refused():
    y, recipe = np.arange(20) % 2, CascadeRecipe(name="n", channels=[4, 4], shift=3)
    images = np.zeros((20, 3, 9), np.uint8)
    for data, message in ((own({"train": Raw(images / 1.0, y)}, name="d"), "n: d has sequences"),
                          (own({"train": Raw(images, y / 3)}, name="d"), "n: d has targets"),
                          (own({"train": Raw(images, y)}, name="d"), "images of 3 x 9: shift = 3 moves them out")):
        with pytest.raises(ValueError, match=message):
            recipe.check_data(data)
