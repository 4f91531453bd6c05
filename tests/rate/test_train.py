"""Float training: the quick form equals the readable one, and the readable one the equations."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from golden.data.dataset import Samples, own
from golden.data.mnist1d import ANSWER_FROM, Split, mnist1d
from golden.data.series import Raw
from golden.rate.recipe import RateLayer, RateRecipe
from golden.recipe import load

torch = pytest.importorskip("torch")
pytest.importorskip("mnist1d")
safetensors = pytest.importorskip("safetensors")
gle = pytest.importorskip("golden.train.gle")
lag = pytest.importorskip("golden.train.lagline")
rates = pytest.importorskip("golden.train.rates")
Stack = pytest.importorskip("golden.train.stack").Stack

ZOO = Path(__file__).parent.parent.parent / "zoo"
NETWORKS = ("gle-mnist1d", "gle-mnist1d-42k")
#: layers of any width and activation
MIXED = RateRecipe(name="mixed", layers=tuple(
    RateLayer(neurons=n, tau_m=0.4 + n / 10, tau_r=(0.2, 0.6)[n % 2], activation=phi)
    for n, phi in enumerate(("sigmoid", "softplus", "softplus", "tanh", "hard_sigmoid", "relu", "linear"), 3)))


def problem(name, batch=4, ticks=30, inputs=1, outputs=10):
    """Recipe, layers, inputs (ticks, inputs, batch) and one-hot targets (batch, class), all from one seed.

    In float64: six leads in a row on the error path make 1e-7 of the top layer 1e-3 of the first.
    """
    generator, recipe = torch.Generator().manual_seed(7), MIXED if name == "mixed" else load(name)
    layers = [rates.Layer(*(a.double() for a in layer[:4]), layer.phi)
              for layer in gle.new_layers(recipe, inputs, outputs, generator)]
    x = torch.randn(ticks, inputs, batch, generator=generator, dtype=torch.float64)
    labels = torch.randint(outputs, (batch,), generator=generator)
    return recipe, layers, x, torch.eye(outputs, dtype=torch.float64)[labels]


def read(file):
    """Return the metadata and the layers of a saved network."""
    with safetensors.safe_open(file, "pt") as saved:
        meta = {key: json.loads(text) for key, text in saved.metadata().items()}
        return meta, [rates.Layer(*(saved.get_tensor(f"layers.{i}.{field}")
                                    for field in ("weight", "bias", "tau_m", "tau_r")), phi)
                      for i, phi in enumerate(meta["network"]["activations"])]


@pytest.mark.parametrize("prospective", [True, False])
@pytest.mark.parametrize(("name", "loss"), [*((name, "cross_entropy") for name in NETWORKS), ("mixed", "cross_entropy"),
                                            ("mixed", "squared_error")])
def test_quick_step_equals_readable_step(name, loss, prospective):
    s, layers, x, target = problem(name, inputs=12 if name == "mixed" else 1)
    stack = Stack(layers, len(target), dt=s.dt, beta=0.5, loss=loss, prospective=prospective)
    adam = rates.Adam(stack.flat, s.average, s.clip)
    for sequence in range(2):       # the second one after a reset
        states = [state._replace(r=0 * state.r) for state in rates.initial_state(layers, len(target))]
        stack.reset()
        for n, x_n in enumerate(x):
            error = 0.5 * getattr(rates, f"{loss}_error".replace("squared_error_error", "squared_error"))(
                states[-1].r, target)
            states, gradients = rates.gle_step(stack.layers(), states, x_n.T, error, dt=s.dt,
                                         prospective=prospective)
            stack.step(x_n, target.T)
            for i, (state, gradient) in enumerate(zip(states, gradients, strict=True)):
                out, into = gradient.weight.shape
                pairs = {
                    "u": (stack.u[i, :out].T, state.u), "v": (stack.v[i, :out].T, state.v),
                    "r": (stack.r[i + 1, :out].T, state.r), "rp": (stack.rp[i, :out].T, state.rp),
                    "weight": (stack.gradient[i, :out, :into] / -len(target), gradient.weight),
                    "bias": (stack.gradient[i, :out, -1] / -len(target), gradient.bias),
                }
                if not prospective:
                    del pairs["v"]      # not a state of instantaneous errors
                for what, (quick, readable) in pairs.items():
                    near = 1e-9 * (readable.abs().max().item() + 1e-3)
                    where = f"sequence {sequence} step {n} layer {i} {what}"
                    assert (quick - readable).abs().max() <= near, where
            adam.step(stack.gradient.view(-1), 1e-3, len(target))
    used = sum(layer.weight.numel() + layer.bias.numel() for layer in layers)
    assert (stack.flat != 0).sum() == used, "padding has come alive"


def test_adam_is_torchs_clipped_and_averaged():
    generator = torch.Generator().manual_seed(3)
    start = torch.randn(50, generator=generator, dtype=torch.float64)
    quick, readable, average = start.clone(), start.clone().requires_grad_(), start.clone()
    adam, reference = rates.Adam(quick, 0.9, 1.5), torch.optim.Adam([readable], lr=0.01)
    for n in range(200):
        gradient = torch.randn(50, generator=generator, dtype=torch.float64) + 0.3
        readable.grad = gradient
        adam.step(-8 * gradient, 0.01, 8)
        reference.step()
        with torch.no_grad():
            readable.clamp_(-1.5, 1.5)
            average = 0.9 * average + 0.1 * readable
        assert (quick - readable).abs().max() < 1e-7, f"step {n}"
        assert (adam.average - average).abs().max() < 1e-7, f"step {n}"
    assert quick.min() == -1.5, "the clip was never needed"


@pytest.mark.parametrize(("name", "count"), [("gle-mnist1d", 14956), ("gle-mnist1d-42k", 42040)])
def test_networks_are_the_papers(name, count):
    _, layers, _, _ = problem(name)
    assert sum(layer.weight.numel() + layer.bias.numel() for layer in layers) == count
    assert [layer.phi for layer in layers] == ["linear", *["tanh"] * 5, "linear"]
    assert all((layer.tau_r <= layer.tau_m).all() for layer in layers)


@pytest.mark.parametrize("name", ["gle-mnist1d", "mixed"])
def test_evaluation_equals_the_readable_step(name):
    s, layers, x, target = problem(name, inputs=3 if name == "mixed" else 1)
    states, sent = [state._replace(r=0 * state.r) for state in rates.initial_state(layers, len(target))], []
    for x_n in x:
        states, _ = rates.gle_step(layers, states, x_n.T, None, dt=s.dt)
        sent.append(states[-1].r)
    sequences = x.permute(2, 0, 1)
    classes, summed = rates.evaluate_float(layers, sequences, dt=s.dt)
    assert (summed - sum(sent)).abs().max() < 1e-12
    assert torch.equal(classes, sum(sent).argmax(1))
    if name == "gle-mnist1d":
        assert torch.equal(rates.evaluate_float(layers, sequences[..., 0], dt=s.dt)[1], summed), "one channel"
    lengths = [30, 5, 17, 6]
    _, summed = rates.evaluate_float(layers, sequences, dt=s.dt, answer_from=4, lengths=lengths)
    for n, length in enumerate(lengths):
        assert (summed[n] - sum(sent[4:length])[n]).abs().max() < 1e-12, f"sequence {n}"


def test_a_sequence_forgets_what_was_before():
    """Put to rest, a row goes on as a new stack would; the other rows do not notice."""
    _, layers, x, target = problem("mixed", inputs=3)
    stack, fresh = (Stack(layers, len(target), dt=0.2) for _ in range(2))
    for x_n in x[:9]:
        stack.step(x_n, target.T)
    other = stack.u.clone()
    stack.forget(torch.tensor([False, True, False, True]))
    assert torch.equal(stack.u[..., ::2], other[..., ::2])
    for n, x_n in enumerate(x[9:]):
        stack.step(x_n, target.T)
        fresh.step(x_n, target.T)
        for what in ("u", "v", "r", "rp", "e"):
            got, want = (getattr(each, what)[..., 1::2] for each in (stack, fresh))
            assert torch.equal(got, want), f"step {n}: {what}"
    assert not torch.equal(stack.u[..., ::2], fresh.u[..., ::2])


def test_stream():
    """Rows of whole sequences, each behind the other, to the end of the shortest row."""
    lengths = np.array([2, 3, 1, 4, 2, 2, 3])
    x = torch.arange(7.0)[:, None, None] * 10 + torch.arange(4.0)[:, None]
    stream = gle.Stream(x, torch.eye(7), lengths, torch.tensor([3, 0, 1, 2, 5, 6, 4]), 2)
    # rows: 3, 1, 5 (4 + 3 + 2 ticks) and 0, 2, 6 (2 + 1 + 3 ticks); sequence 4 makes no row
    assert stream.x[:, 0].T.tolist() == [[30, 31, 32, 33, 10, 11], [0, 1, 20, 60, 61, 62]]
    assert stream.starts.T.astype(int).tolist() == [[1, 0, 0, 0, 1, 0], [1, 0, 1, 1, 0, 0]]
    assert stream.ends.T.astype(int).tolist() == [[0, 0, 0, 1, 0, 0], [0, 1, 1, 0, 0, 1]]
    assert (stream.ticks, stream.rounds, stream.round) == (6, 3, [0, 0, 0, 0, 1, 1])


def test_one_neuron_by_hand():
    """Two steps of a neuron with tau_m = 4, tau_r = 2, dt = 1, w = 3, b = 0.5, worked on paper."""
    def one(value):
        return torch.tensor([value], dtype=torch.float64)
    layer = rates.Layer(one(3.0)[:, None], one(0.5), one(4.0), one(2.0), "linear")
    states, x = rates.initial_state([layer], 1), one(1.0)[:, None]
    states, g = rates.gle_step([layer], states, x, one(1.0)[:, None], dt=1.0)
    # f = 1, eps = 2, v = 0.5; d = 3.5, ubar = 1.75, u = 0.875
    assert [a.item() for a in states[0]] == [0.875, 0.5, 1.75, 1.0, 6.0]
    assert [a.item() for a in g[0]] == [-2.0, -2.0, 2 * 3.5 / 4]
    states, g = rates.gle_step([layer], states, x, None, dt=1.0, gamma=0.25)
    # f = -0.5, eps = -0.5, v = 0.25; d = 3.5 - 0.125 - 0.875 = 2.5, ubar = 2.125, u = 1.5
    assert [a.item() for a in states[0]] == [1.5, 0.25, 2.125, 1.0, -1.5]
    assert [a.item() for a in g[0]] == [0.5, 0.5, -0.5 * 2.5 / 4]


def test_gradient_at_rest_is_backpropagation():
    """Held still for long, instantaneous neurons have the gradient of autograd."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64) / 2

    sizes = ((3, 5, "softplus"), (5, 4, "tanh"), (4, 2, "linear"))
    layers = [rates.Layer(draw(out, into), draw(out), draw(out) * 0 + 1, draw(out) * 0 + 1, phi)
              for into, out, phi in sizes]
    x, target = draw(6, 3), draw(6, 2)
    states = rates.initial_state(layers, 6)
    for _ in range(10):
        error = rates.squared_error(states[-1].r, target)
        states, gradients = rates.gle_step(layers, states, x, error, dt=1.0)
    leaves = [layer.weight.clone().requires_grad_() for layer in layers]
    r = x
    for layer, weight in zip(layers, leaves, strict=True):
        r = rates.PHI[layer.phi][0](r @ weight.T + layer.bias)
    ((r - target) ** 2 / 2).sum(1).mean().backward()
    for i, (leaf, gradient) in enumerate(zip(leaves, gradients, strict=True)):
        assert (leaf.grad - gradient.weight).abs().max() < 1e-12, f"layer {i}"


def test_lagline_begins():
    """The first steps of the run of the slow test below."""
    begun = lag.lagline(True, seed=0, steps=400)
    assert list(begun) == ["w", "tau", "loss", "steps"]
    assert begun["steps"] == 400
    assert 0.1 < begun["loss"] < 10
    with pytest.raises(ValueError, match="steps must be at least 400, not 0"):
        lag.lagline(steps=0)


@pytest.mark.slow
def test_lagline_needs_prospective_errors():
    found, lost = lag.lagline(True, seed=0, steps=80_000), lag.lagline(False, seed=0, steps=80_000)
    assert np.allclose(found["w"], (1, 2), atol=0.01), found
    assert np.allclose(found["tau"], (1, 2), atol=0.01), found
    assert found["loss"] < 1e-8, found
    assert lost["loss"] > 1e-3, lost
    assert max(abs(lost["w"][0] - 1), abs(lost["tau"][0] - 1)) > 0.5, lost


def test_mnist1d_splits():
    fit, held_out, both = mnist1d("fit"), mnist1d("held_out"), mnist1d("train")
    assert both.x.shape == (4000, 360)
    assert both.x.dtype == np.float32
    assert mnist1d("test").x.shape == (1000, 360)
    assert len(fit.y) == 3200
    rows = sorted(map(bytes, [*fit.x, *held_out.x]))
    assert rows == sorted(map(bytes, both.x)), "fit and held_out do not make up train"
    # Known answers: the paper's data are these, and the split must never move.
    assert both.y[:8].tolist() == [2, 6, 4, 5, 6, 6, 6, 0]
    assert held_out.y[:8].tolist() == [2, 6, 6, 9, 4, 9, 6, 8]
    assert math.isclose(both.x[0].sum(), 20.578915, rel_tol=1e-4)
    with pytest.raises(ValueError, match='not "all"'):
        mnist1d("all")


def test_a_damaged_cache_is_one_clear_line(tmp_path):
    file, refused = tmp_path / "mnist1d-360.npz", 0
    np.savez_compressed(file, test_x=np.arange(3600, dtype=np.float32).reshape(10, 360), test_y=np.arange(10))
    whole = file.read_bytes()
    for at in range(0, len(whole), 61):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1:])
        try:
            mnist1d("test", cache=tmp_path)
        except ValueError as error:
            refused += "is damaged" in str(error)
    assert refused > len(whole) / 122


@pytest.mark.parametrize(("hold_out", "data", "split", "figure"), [
    (False, "train", "test", "float_accuracy"), (True, "fit", "held_out", "held_out_accuracy")])
def test_train_saves_what_it_says(tmp_path, hold_out, data, split, figure):
    groups = {"neurons": (3, 2), "tau_m": (0.6, 1.2), "tau_r": (0.2, 1.2)}
    layers = RateLayer(activation="linear", **groups), RateLayer(**groups)
    tiny = dataclasses.replace(load("gle-mnist1d"), layers=layers, batch=1600, epochs=2)
    out, seen = tmp_path / "net.safetensors", []
    trained = [gle.fit(tiny, tiny.found(), seed=5, hold_out=hold_out, report=lambda *a: seen.append(a[0]))
               for _ in range(2)]
    assert trained[0].training[figure] == trained[1].training[figure], "not repeatable"
    assert seen == [1, 2, 1, 2]
    assert trained[0].training["parameters"] == 10 + 30 + 60
    trained[0].save(out)
    meta, layers = read(out)
    test = mnist1d(split)
    right = (rates.evaluate_float(layers, test.x, answer_from=ANSWER_FROM)[0].numpy() == test.y).mean()
    assert right == meta["training"][figure]
    assert meta["training"]["seed"] == 5
    assert meta["training"]["data"] == f"mnist1d {data}"
    assert ("float_accuracy" in meta["training"]) != hold_out, "the test set was read to choose by"
    assert "command" not in meta["training"], "no command has these layers"
    assert meta["training"]["settings"]["layers"][0]["neurons"] == [3, 2]
    assert abs(layers[-1].weight.mean(0)).max() < 1e-6, "the outputs have a common part"


@pytest.mark.parametrize("rest", [False, True])
def test_channels_and_unequal_lengths_are_learnt(rest):
    """Which of three channels is on; sequences of 3 to 12 ticks; raw values far from 0."""
    data = own({"train": _which(300, 1), "test": _which(90, 2)}, name="which")
    recipe = RateRecipe(name="which", layers=(RateLayer(neurons=8, tau_m=0.4, tau_r=0.2),), epochs=6, batch=20,
                        rate=0.02, rest=rest, scale=True)
    net = gle.fit(recipe, data, seed=1)
    assert net.training["float_accuracy"] >= 0.9
    assert net.training["float_accuracy_before_refit"] >= 0.6
    assert net.mean == pytest.approx([500, 500, 500], abs=0.5)
    assert net.deviation.min() > 0.4
    assert "data" not in net.training, "nobody can find these arrays again"


def _which(n, seed):
    rng = np.random.default_rng(seed)
    y, lengths = rng.integers(0, 3, n), rng.integers(3, 13, n)
    x = rng.normal(500, 0.5, (n, 12, 3)) + (np.arange(3) == y[:, None])[:, None]
    return Raw(x, y, lengths)


def test_targets_are_learnt():
    """The mean of either channel over a sequence, as two targets."""
    rng = np.random.default_rng(3)
    parts = {}
    for split, n in (("train", 200), ("test", 60)):
        level = rng.uniform(-1, 1, (n, 1, 2))
        parts[split] = Raw(level + rng.normal(0, 0.1, (n, 15, 2)), level[:, 0] * 3 + 1)
    data = own(parts, name="levels")
    recipe = RateRecipe(name="levels", layers=(RateLayer(neurons=10, tau_m=0.4, tau_r=0.2),), epochs=10, batch=20,
                        rate=0.01)
    net = gle.fit(recipe, data, seed=1)
    variance = parts["test"].y.var()
    assert net.training["float_mse"] < 0.05 * variance
    assert net.training["float_mse"] <= net.training["float_mse_before_refit"] < variance
    layers = [rates.Layer(*(torch.tensor(getattr(layer, t), dtype=torch.float32) for t in
                            ("weight", "bias", "tau_m", "tau_r")), layer.activation) for layer in net.layers]
    x, y, lengths = data.load("test")
    total = rates.evaluate_float(layers, x, dt=0.2)[1].numpy()
    assert ((total / 15 - y) ** 2).mean() == pytest.approx(net.training["float_mse"], rel=1e-5)


def test_an_answer_does_not_count_the_first_ticks():
    layers = gle.new_layers(dataclasses.replace(MIXED, layers=MIXED.layers[:2]), 1, 10,
                            torch.Generator().manual_seed(1))
    x = torch.randn(4, 50, generator=torch.Generator().manual_seed(2))
    whole, start = rates.evaluate_float(layers, x)[1], rates.evaluate_float(layers, x[:, :20])[1]
    rest = rates.evaluate_float(layers, x, answer_from=20)[1]
    assert (whole - start - rest).abs().max() < 1e-5
    assert rest.abs().max() > 1e-2


def test_refit_of_the_readout():
    """It finds what sums tell of the class, whatever read-out it is given, and no output leaves the bound."""
    generator = torch.Generator().manual_seed(3)
    hidden = RateLayer(neurons=5, tau_m=0.6, tau_r=0.2, repeat=2)
    layers = gle.new_layers(RateRecipe(name="refit", layers=(hidden,)), 1, 3, generator)
    x, y = torch.randn(300, 80, generator=generator), torch.arange(300) % 3
    data = Split((x + (y[:, None] - 1)).numpy(), y.numpy())       # classes differ in their mean
    before = rates.accuracy(layers, data, answer_from=ANSWER_FROM)
    other = [*layers[:-1], layers[-1]._replace(weight=-3 * layers[-1].weight)]
    options = {"dt": 0.2, "decay": 1e-5, "bound": 5, "answer_from": ANSWER_FROM}
    fitted, again = (gle.refit_readout(given, data, **options) for given in (layers, other))
    assert torch.equal(fitted[-1].weight, again[-1].weight)
    assert rates.accuracy(fitted, data, answer_from=ANSWER_FROM) > max(before, 0.95)
    assert abs((fitted[-1].weight.abs().sum(1) + fitted[-1].bias.abs()).max() - 5) < 1e-4
    assert all(new is old for new, old in zip(fitted[:-1], layers[:-1], strict=True))
    # behind its end a sequence does not count
    lengths = np.random.default_rng(1).integers(ANSWER_FROM + 1, 81, 300)
    cut = Samples(np.where(np.arange(80) < lengths[:, None], data.x, 7)[..., None], data.y, lengths)
    junk = cut._replace(x=np.where(np.arange(80) < lengths[:, None], data.x, -9)[..., None])
    found = [gle.refit_readout(layers, each, **options)[-1].weight for each in (cut, junk)]
    assert torch.equal(*found)
    # of one tick that counts there is something to fit to, of none nothing
    assert gle.refit_readout(layers, Split(data.x[:, :ANSWER_FROM + 1], data.y), **options)
    for ticks in (ANSWER_FROM, 1):
        with pytest.raises(ValueError, match=f"sequences of {ticks} ticks: answers count from tick {ANSWER_FROM} on"):
            gle.refit_readout(layers, Split(data.x[:, :ticks], data.y), **options)
    with pytest.raises(ValueError, match="must be linear, with tau_m = tau_r"):
        gle.refit_readout([*layers[:-1], layers[-1]._replace(tau_m=2 * layers[-1].tau_m)], data, **options)


@pytest.mark.parametrize(("name", "least"), [("gle-mnist1d", 0.915), ("gle-mnist1d-42k", 0.93)])
def test_zoo_keeps_its_figures(name, least):
    meta, layers = read(ZOO / f"{name}.safetensors")
    assert meta["network"]["name"] == name
    figures, test = meta["training"], mnist1d("test")
    found = rates.accuracy(layers, test, answer_from=ANSWER_FROM)
    assert abs(found - figures["float_accuracy"]) < 0.0015, f"{found}, the file says {figures}"
    assert found >= least
