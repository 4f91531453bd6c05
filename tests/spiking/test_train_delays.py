"""Training of delays: the quick kernels equal torch, torch equals the equations, and the file holds what was learnt."""

import dataclasses
import warnings

import numpy as np
import pytest

from golden.data.dataset import own
from golden.data.series import Raw
from golden.data.sets import find
from golden.fixed import QFormat
from golden.recipe import load
from golden.spiking import engine as spiking
from golden.spiking.layer import Kick, SpikingLayer
from golden.spiking.recipe import SpikingRecipe
from golden.spiking.trained import SpikingTrained

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
delays = pytest.importorskip("golden.train.delays")
draw = pytest.importorskip("golden.train.draw")
events = pytest.importorskip("golden.train.events")

DIGITS = load("delays-digits")
SMALL = dataclasses.replace(DIGITS, hidden=(24,), epochs=3)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    if events.library() is None:
        pytest.skip("a C++ compiler is missing")


@pytest.fixture(scope="module")
def digits():
    pytest.importorskip("sklearn")
    return find("digits").load("held_out")


@pytest.fixture(scope="module")
def learnt(tmp_path_factory, digits):
    """A network trained on digits, the file and the figures."""
    out = tmp_path_factory.mktemp("delays") / "digits.safetensors"
    losses = []
    # a finer membrane than that of the zoo: what is compared is the arithmetic
    recipe = dataclasses.replace(DIGITS, state=QFormat(5, 8), epochs=15)
    trained = delays.fit(recipe, recipe.found(), hold_out=True, report=lambda epoch, loss: losses.append(loss))
    trained.save(out)
    return SpikingTrained.load(out), trained.training, losses, out


def problem(seed, dtype=torch.float32, *, ternary=True, single=False, gradients=True):
    """Spikes, delays (also beyond the window), weights and a gradient of small random shape, exact in float32."""
    rng = np.random.default_rng(seed)
    batch, ticks, inputs, outputs = (int(n) for n in rng.integers((1, 1, 1, 1), (5, 9, 40, 24)))
    if single:
        spikes = torch.from_numpy(rng.integers(-1, ticks, (batch, inputs))).int()
        spikes[0] = -1
    else:       # several spikes a line, and values other than 1
        spikes = torch.from_numpy(rng.choice([0, 0, 0, 1, 2], (batch, ticks, inputs))).to(dtype)
        spikes[0] = 0
        spikes.requires_grad_(gradients)
    delay = torch.from_numpy(rng.integers(0, 4 * ticks + 8, (outputs, inputs)) / 2 - 0.25).clamp_min(0).to(dtype)
    weight = rng.integers(-1, 2, (outputs, inputs)) if ternary else rng.integers(-9, 10, (outputs, inputs)) / 4
    weight = torch.from_numpy(weight).to(dtype)
    gradient = torch.from_numpy(rng.integers(-8, 9, (batch, ticks, outputs))).to(dtype)
    return (spikes, delay.requires_grad_(gradients), weight.requires_grad_(gradients)), ticks, gradient


def results(inputs, ticks, gradient, plain, wanted):
    out = events.arrive(*inputs, ticks=ticks if inputs[0].ndim == 2 else None, plain=plain)
    return out, *torch.autograd.grad(out, [inputs[n] for n in wanted], gradient)


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("ternary", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_quick_arrivals_are_those_of_torch(seed, ternary, single):
    inputs, ticks, gradient = problem(seed, ternary=ternary, single=single)
    for wanted in ((1, 2), (1,), (2,)) if single else ((0, 1, 2), (0,), (1,), (2,), (0, 1)):
        quick, plain = (results(inputs, ticks, gradient, kind, wanted) for kind in (False, True))
        for name, a, b in zip(("out", *wanted), quick, plain, strict=True):
            assert torch.equal(a, b), f"{name} of {wanted} differs by {(a - b).abs().max()}"


def test_more_places_than_16_bits():
    """256 ticks of 300 neurons."""
    rng = np.random.default_rng(1)
    when = torch.from_numpy(rng.integers(-1, 255, (2, 5))).int()
    delay = torch.from_numpy(rng.uniform(0, 300, (300, 5))).float().requires_grad_()
    weight = torch.from_numpy(rng.integers(-1, 2, (300, 5))).float()
    gradient = torch.from_numpy(rng.integers(-8, 9, (2, 255, 300))).float()
    quick, plain = (results((when, delay, weight), 255, gradient, kind, (1,)) for kind in (False, True))
    assert torch.equal(quick[0], plain[0])
    assert torch.equal(quick[1], plain[1])


@pytest.mark.parametrize("seed", range(6))
def test_arrivals_are_those_of_the_integers(seed):
    (spikes, delay, weight), ticks, _ = problem(seed, gradients=False)
    layer = SpikingLayer(inputs=delay.shape[1], outputs=delay.shape[0], weight=QFormat(1, 2), delay_bits=8,
                         state=QFormat(5, 4), leak=(2,), threshold=9)
    words = spiking.Synapses(spiking.round_delays(layer, delay.numpy()), weight.numpy().astype(np.int64))
    want = spiking.arrivals(layer, words, spikes.numpy() > 0)
    assert np.array_equal(events.arrive((spikes > 0).float(), delay, weight).numpy(), want)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_gradients_are_differences_of_the_loss(seed, plain):
    """Of the loss sum(gradient * out), linear in weight and spikes: delays a tick longer, less a tick shorter, by 2."""
    inputs, ticks, gradient = problem(seed, ternary=False)
    spikes, delay, weight = (t.detach().numpy() for t in inputs)
    _, *found = results(inputs, ticks, gradient, plain, (0, 1, 2))
    to_spikes, to_delay, to_weight = (t.numpy() for t in found)
    g, k = gradient.numpy(), np.floor(delay + 0.5).astype(int)

    def loss(j, i, k):      # of synapse i -> j with weight 1
        return sum(spikes[b, t, i] * g[b, t + k, j] for b in range(len(g)) for t in range(ticks) if 0 <= t + k < ticks)
    for j, i in np.ndindex(k.shape):
        assert to_delay[j, i] == weight[j, i] * (loss(j, i, k[j, i] + 1) - loss(j, i, k[j, i] - 1)) / 2, (j, i)
        assert to_weight[j, i] == loss(j, i, k[j, i]), (j, i)
    for b, t, i in np.ndindex(spikes.shape):
        want = sum(weight[j, i] * g[b, t + k[j, i], j] for j in range(len(k)) if t + k[j, i] < ticks)
        assert to_spikes[b, t, i] == want, (b, t, i)


def test_sign_of_the_delay_gradient():
    """A membrane that is too high and rising is lowered by a longer delay, not by a shorter one."""
    layer = SpikingLayer(inputs=1, outputs=1, weight=QFormat(2, 5), delay_bits=4, state=QFormat(8, 6), leak=(4, 5),
                         order=2, threshold=8000)
    delay = torch.tensor([[2.3]], requires_grad=True)
    came = events.arrive(torch.tensor([[1]]).int(), delay, torch.ones(1, 1), ticks=10)
    x = events.neurons(came, layer)[1]
    assert x[0, 6] > x[0, 5] > 0
    x[0, 6].backward()
    assert delay.grad.item() < 0
    later = events.arrive(torch.tensor([[1]]).int(), delay.detach() + 1, torch.ones(1, 1), ticks=10)
    assert events.neurons(later, layer)[1][0, 6] < x[0, 6]


def neuron(order=1, refractory=255, leak=(2,), **options):
    return SpikingLayer(inputs=1, outputs=1, weight=QFormat(2, 5), delay_bits=4, state=QFormat(8, 10), leak=leak,
                        order=order, threshold=3 << 10, refractory=refractory, **options)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_quick_neurons_are_those_of_torch(seed, order):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers((1, 1, 1), (4, 9, 40)))
    arrived = torch.from_numpy(rng.integers(-4, 6, shape)).float().requires_grad_()
    gradient = torch.from_numpy(rng.normal(size=shape)).float()
    found = []
    for plain in (False, True):
        spikes = events.once(arrived, neuron(order), slope=2.0, plain=plain)
        found.append((spikes, *torch.autograd.grad(spikes, arrived, gradient)))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][0], events.neurons(arrived, neuron(order))[0])
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-5, atol=1e-6)


def test_gradient_of_a_neuron_that_spikes_once():
    """Membranes 2, 4, 4, 1 at threshold 3: a spike in tick 1 instead of one in tick 2, none behind the first."""
    arrived = torch.tensor([2.0, 2.5, 1.0, -2.0]).reshape(1, 4, 1).requires_grad_()
    g = torch.tensor([5.0, 7.0, 11.0, 13.0])
    spikes = events.once(arrived, neuron(), slope=2.0)
    assert spikes.flatten().tolist() == [0, 1, 0, 0]
    found = torch.autograd.grad(spikes, arrived, g.reshape(1, 4, 1))[0].flatten()
    surrogate = [2 / 3 / (1 + 2 * abs(x / 3 - 1)) ** 2 for x in (2.0, 4.0)]
    own = [(5 - 7) * surrogate[0], (7 - 11) * surrogate[1]]
    assert found.tolist() == pytest.approx([own[0] + 0.75 * own[1], own[1], 0, 0])


@pytest.mark.parametrize("layer", [
    neuron(), neuron(2), neuron(refractory=0), neuron(refractory=2), neuron(2, refractory=0), neuron(2, refractory=1),
    neuron(2, refractory=0, kick=Kick(word=5000, leak=(1, 3)), leak=(4, 5))],
    ids=lambda layer: f"order {layer.order}, refractory {layer.refractory}" + ", kick" * (layer.kick is not None))
def test_neurons_are_those_of_the_integers(layer):
    """But for what shifts floor away."""
    rng = np.random.default_rng(3)
    layer = dataclasses.replace(layer, inputs=1, outputs=50, lanes=50)
    arrived = rng.integers(-64, 96, (20, 12, 50))
    state, words = spiking.rest(layer, 20), []
    for tick in range(12):
        state, fired, x = spiking.neuron_step(state, arrived[:, tick], layer)
        words.append((fired, x))
    spikes, x = events.neurons(torch.from_numpy(arrived / 32).float(), layer)
    same = np.stack([fired for fired, _ in words], 1) == (spikes > 0).numpy()
    agree = same.cumprod(1).astype(bool)        # up to where one has spiked without the other
    assert agree.mean() > 0.99
    off = (np.stack([x for _, x in words], 1) * layer.state.lsb - x.numpy())[agree]
    assert np.abs(off).max() < 60 * layer.state.lsb


def test_surrogates_of_the_step():
    x = torch.tensor([0.25, 1.0, 2.0], requires_grad=True)
    for slope, want in ((None, [np.exp(-0.75), 1, np.exp(-1)]), (2.0, [2 / 2.5 ** 2, 2, 2 / 9])):
        out = events._Step.apply(x, slope)
        assert out.tolist() == [0, 1, 1]
        assert torch.autograd.grad(out.sum(), x)[0].tolist() == pytest.approx(want)


def test_without_a_compiler(monkeypatch):
    def none(*_):
        raise RuntimeError("a C++ compiler is missing: install g++ or clang, or set CXX")
    inputs, ticks, gradient = problem(5)
    quick = results(inputs, ticks, gradient, False, (0, 1, 2))
    spikes = events.once(gradient, neuron(), slope=1.0)
    monkeypatch.setattr(events, "build", none)
    events.library.cache_clear()
    try:
        with pytest.warns(UserWarning, match="compiler is missing.*plain torch"):
            plain = results(inputs, ticks, gradient, False, (0, 1, 2))
        with warnings.catch_warnings(action="error"):       # once is enough
            again = events.once(gradient, neuron(), slope=1.0)
    finally:
        events.library.cache_clear()
    assert all(torch.equal(a, b) for a, b in zip(quick, plain, strict=True))
    assert torch.equal(spikes, again)


def test_loss_of_the_soft_race():
    """Against its definition, tick by tick."""
    s, rng = DIGITS, np.random.default_rng(0)
    net = draw.describe(s, s.found())
    came, labels = torch.from_numpy(rng.normal(size=(5, s.ticks, 10)) * 4).float(), torch.tensor([3, 1, 4, 1, 5])
    x = torch.einsum("nm,bmo->bno", events.response(1, s.leak, s.ticks), came).double().numpy()
    want = 0
    for image, label in enumerate(labels.tolist()):
        going, right = 1.0, 0.0
        for tick, v in enumerate(x[image]):
            soft = np.log(np.exp(s.share * v).sum()) / s.share
            ends = 1 / (1 + np.exp(-s.sharp * (soft - s.thresholds[1] - s.margin)))
            ends += s.left * (1 - ends) * (tick == s.ticks - 1)
            right += going * ends * np.exp(s.share * v[label]) / np.exp(s.share * v).sum()
            going *= 1 - ends
        want -= np.log(right) / len(labels)
    found = delays.loss_of(came, labels, net, s)
    assert found.item() == pytest.approx(want, rel=1e-5)


def test_van_rossum_distance():
    """Silent outputs are as far as the trains of the classes, behind the kernel of [DELAY] to 1 %."""
    s = load("delays-digits", ["form=psp", "loss=van_rossum", "target=6"])
    net = draw.describe(s, s.found())
    n = np.arange(10)
    kernel = n / 10 * np.exp(1 - n / 10)
    found = delays.loss_of(torch.zeros(3, 10, 10), torch.tensor([0, 5, 9]), net, s).item()
    assert found == pytest.approx((np.convolve(kernel / kernel.max(), np.ones(6))[:10] ** 2).sum() / 2, rel=0.02)
    layer = net.layers[0]
    assert events.response(2, layer.leak, 10)[:, 0].numpy() * np.e / 10 == pytest.approx(kernel, abs=0.015)
    spike = torch.zeros(1, 10, 1)
    spike[0, 0] = 1e3       # over the threshold in tick 1
    lone = dataclasses.replace(layer, inputs=1, outputs=1, lanes=1)
    with_kick = events.neurons(spike, lone)[1][0, :, 0]
    pull = (events.response(2, layer.leak, 10)[:, 0] * 1e3 - with_kick) / (10 / np.e)      # in thresholds
    assert pull[2].item() == pytest.approx(2, rel=0.03)         # 2 n exp(1 - n), a tick behind the spike


def test_decision_of_the_paper():
    spikes = np.zeros((5, 6, 3), bool)
    spikes[0, 2, 1] = spikes[0, 1, 2] = True                            # 2 is first
    spikes[1, 2, :2] = spikes[1, 4, 1] = True                           # a tie, 1 spikes more
    spikes[2, 2, :2] = spikes[2, 3:, 2] = True                          # a tie, a later one spikes most
    spikes[3, 0, 0] = spikes[3, 1:, 1] = True                           # no tie: 0, whoever spikes most
    assert delays.count_labels(spikes).tolist() == [2, 1, 2, 0, -1]


def test_codes_are_those_of_the_integers():
    net = draw.describe(DIGITS, DIGITS.found())
    pixels = np.arange(256, dtype=np.uint8).reshape(4, 64)
    when = draw.ticks_of(net, pixels).numpy()
    want = spiking.encode(net.code, net.ticks, pixels)
    assert np.array_equal(when[:, None] == np.arange(net.ticks)[:, None], want)


def test_digits_are_learnt(learnt, digits):
    trained, figures, losses, _ = learnt
    assert figures["held_out_accuracy"] >= 0.85
    assert losses[-1] < losses[0] / 2
    answers = delays.float_answers(trained, digits.x)
    assert (answers.label == digits.y).mean() == figures["held_out_accuracy"]
    assert answers.fired.mean() > 0.6, "the first spike should decide, not the end"


def test_integers_answer_as_the_float_model(learnt, digits):
    trained, net = learnt[0], learnt[0].net
    rng = np.random.default_rng(8)
    noise = (rng.integers(0, 256, (300, 64)) * (rng.random((300, 64)) < 0.5)).astype(np.uint8)
    # random images end in near ties: measured 100 % of digits, 98 to 99 % of these
    for pixels, share in ((digits.x, 0.99), (noise, 0.96)):
        words = spiking.run(net, trained.quantize(), spiking.encode(net.code, net.ticks, pixels)).answers
        real = delays.float_answers(trained, pixels)
        assert (words.label == real.label).mean() >= share
        assert (words.tick == real.tick).mean() >= 0.95


def test_the_same_seed_gives_the_same_file(tmp_path):
    found = []
    for n, seed in enumerate((3, 3, 4)):
        short = dataclasses.replace(SMALL, epochs=1)
        delays.fit(short, short.found(), seed=seed, hold_out=True).save(tmp_path / f"{n}")
        trained = SpikingTrained.load(tmp_path / f"{n}")
        training = {key: value for key, value in trained.training.items() if key != "train_cpu_s"}
        found.append((trained.net, training, [delay.tobytes() for delay in trained.delays]))
    assert found[0] == found[1]
    assert found[0][0] != found[2][0]
    drawn = [draw.draw(found[0][0], SMALL, seed)[0].delay for seed in (3, 3, 4)]
    assert torch.equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).float().mean() > 0.99


@pytest.mark.parametrize(("mode", "options"), [
    ("random", {}), ("equal", {}), ("weights", {}), ("both", {}), ("delays", {"weights": "real"}),
    ("delays", {"loss": "potential"}), ("both", {"form": "psp"}), ("delays", {"form": "psp", "loss": "van_rossum"}),
    ("delays", {"loss": "van_rossum"})], ids=str)
def test_modes(mode, options, tmp_path):
    """What learns moves, what does not stays as drawn, and the file is that of the description."""
    changes = ["hidden=[24]", "epochs=3", f"mode={mode}", *(f"{name}={value}" for name, value in options.items())]
    recipe, losses, out = load("delays-digits", [*changes, "batch=64"]), [], tmp_path / "net"
    learnt = delays.fit(recipe, recipe.found(), hold_out=True, report=lambda epoch, loss: losses.append(loss))
    learnt.save(out)
    trained = SpikingTrained.load(out)
    drawn = draw.draw(trained.net, recipe, 0)
    moved = [not np.array_equal(a, np.floor(b.delay.numpy().T + 0.5))
             for a, b in zip(trained.delays, drawn, strict=True)]
    assert moved == {"delays": [True, True], "both": [True, True], "weights": [False, False]}.get(mode, [False, True])
    assert (mode == "equal") == (not trained.delays[0].any())
    assert drawn[1].delay.std() > 0.5
    stored = mode in ("weights", "both") or options.get("weights") == "real"
    assert [weight is None for weight in trained.weights] == [not stored] * 2
    if stored:
        moved = [not np.array_equal(a, b.weight.numpy().T) for a, b in zip(trained.weights, drawn, strict=True)]
        assert moved == [mode in ("weights", "both")] * 2
        assert mode != "delays" or all(np.array_equal(weight * 32, np.rint(weight * 32)) for weight in trained.weights)
    assert trained.net.layers[0].order == 1 + (options.get("form") == "psp")
    assert (trained.net.decision == "potential") == (options.get("loss") == "potential")
    assert losses[-1] < losses[0], "it does not learn"
    assert trained.training == learnt.training
    assert "--set 'hidden=[24]'" in trained.training["command"]
    images = find("digits").load("held_out").x[:50]
    words = spiking.run(trained.net, trained.quantize(), spiking.encode(trained.net.code, trained.net.ticks, images))
    assert (words.answers.label == delays.float_answers(trained, images).label).mean() >= 0.8


@pytest.mark.parametrize(("hold_out", "splits"), [(False, ["train", "test"]), (True, ["fit", "held_out"])])
def test_the_test_set_is_read_once_at_the_end(hold_out, splits):
    data, read = find("digits"), []
    watched = dataclasses.replace(data, read=lambda split: (read.append(split), data.load(split))[1])
    figures = delays.fit(dataclasses.replace(SMALL, epochs=1), watched, hold_out=hold_out).training
    assert ("float_accuracy" in figures) != hold_out
    assert read == splits


def test_layers_below_layers_and_thresholds_that_fit(digits):
    """Two hidden layers, of which a recipe says nothing but their sizes."""
    recipe = SpikingRecipe(name="deep", data="digits", hidden=(40, 24), epochs=12, batch=32, rate=0.8, warm=20,
                           drop=0.1, sharp=1.0, share=0.6, left=0.8)
    trained = delays.fit(recipe, recipe.found(), seed=2, hold_out=True)
    assert trained.training["held_out_accuracy"] >= 0.5
    assert [layer.outputs for layer in trained.net.layers] == [40, 24, 10]
    words = spiking.run(trained.net, trained.quantize(), spiking.encode(trained.net.code, 16, digits.x))
    for spikes in words.spikes[:2]:
        assert 0.25 < spikes.any(1).mean() < 0.75, "half of a hidden layer was to spike"
    assert np.abs(words.potential).max() < trained.net.layers[-1].state.max, "a membrane has no room"
    assert (words.answers.label == delays.float_answers(trained, digits.x).label).mean() >= 0.95


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_sequences_are_learnt(noise):
    """Channels that rise or fall, of unequal length."""
    rng = np.random.default_rng(4)
    parts = {}
    for split, n in (("train", 240), ("test", 80)):
        y, lengths = rng.integers(0, 2, n), rng.integers(8, 13, n)
        parts[split] = Raw([rng.normal(0, 0.2, (k, 2)) + np.outer(np.linspace(-1, 1, k), (c, 1 - c))
                            for c, k in zip(y, lengths, strict=True)], y)
    data = own(parts, name="rising")
    recipe = SpikingRecipe(name="rising", hidden=(32,), ticks=20, levels=5, epochs=15, batch=24, warm=10, noise=noise)
    trained = delays.fit(recipe, data, seed=1)
    assert trained.training["float_accuracy"] >= 0.9
    x, y, lengths = data.load("test")
    words = spiking.run(trained.net, trained.quantize(), spiking.encode(trained.net.code, 20, x, lengths)).answers
    assert (words.label == delays.float_answers(trained, x, lengths).label).mean() >= 0.95
    assert (words.label == y).mean() >= 0.9
