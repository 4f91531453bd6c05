"""Word lengths chosen for a network: nothing overflows, the bound holds, and what cannot be is said with its layer."""

import numpy as np
import pytest

from golden import widths
from golden.data.dataset import Samples
from golden.fixed import QFormat
from golden.rate.trained import FloatLayer, FloatNetwork, describe, quantize_params
from golden.rate.widths import MOST, choose
from golden.units.activation import activation_step

RNG = np.random.default_rng(11)


def network(sizes=(3, 8, 6, 4), activations=("tanh", "softplus", "linear"), spread=1.0, tau=1.0, **changed):
    layers = [FloatLayer(weight=RNG.normal(0, spread, (o, i)), bias=RNG.normal(0, 0.3, o), tau_m=np.full(o, tau),
                         tau_r=np.full(o, 0.2), activation=phi)
              for i, o, phi in zip(sizes, sizes[1:], activations, strict=False)]
    return FloatNetwork(name="net", dt=0.2, layers=tuple(layers), training={}, **changed)


def samples(n=60, ticks=20, inputs=3, y=None, scale=1.0):
    rng = np.random.default_rng(2)
    lengths = rng.integers(5, ticks + 1, n)
    x = np.where(np.arange(ticks)[:, None] < lengths[:, None, None], rng.normal(0, scale, (n, ticks, inputs)), 0)
    return Samples(x.astype(np.float32), y, lengths)


@pytest.mark.parametrize("activations", [("tanh", "softplus", "linear"), ("sigmoid", "relu", "hard_sigmoid")])
@pytest.mark.parametrize(("spread", "scale"), [(1.0, 1.0), (0.01, 1.0), (6.0, 1.0), (1.0, 1000.0), (1.0, 0.001)])
def test_formats_hold_what_is_seen(activations, spread, scale):
    real, data = network(activations=activations, spread=spread), samples(scale=scale)
    found, report = choose(real, data, points=100)
    net = describe(found)
    net.check(found.quantize(net))
    for row, layer, own in zip(report.layers, net.layers, real.layers, strict=True):
        assert row["saturated"] == 0, row
        assert layer.state.max * layer.state.lsb >= row["largest state"]
        assert layer.weight.max * layer.weight.lsb >= abs(own.weight).max()
        assert (row["weight"], row["state"], row["rate"]) == (str(layer.weight), str(layer.state), str(layer.rate))
        # no integer bit too many: half of the format would not hold what was seen
        assert layer.weight.int_bits == 0 or layer.weight.max * layer.weight.lsb < 2.01 * max(
            abs(own.weight).max(), abs(own.bias).max())
    assert net.layers[0].operand.max * net.layers[0].operand.lsb >= abs(data.x).max()
    assert report.loss <= 5


def test_the_report_says_what_the_real_numbers_do():
    """Against a run of the float model tick by tick, done here once more."""
    real, data = network(), samples()
    _, report = choose(real, data)
    u = [np.zeros((60, len(layer.bias))) for layer in real.layers]
    r = [np.zeros_like(each) for each in u]
    most = np.zeros((3, 2))
    for tick in range(20):
        below, live = [data.x[:, tick], *r[:-1]], tick < data.lengths
        for n, layer in enumerate(real.layers):
            s = below[n] @ layer.weight.T + layer.bias
            ahead = u[n] + layer.tau_r / layer.tau_m * (s - u[n])
            u[n] = u[n] + 0.2 / layer.tau_m * (s - u[n])
            r[n] = (np.tanh(ahead), np.log1p(np.exp(ahead)), ahead)[n]
            most[n] = np.maximum(most[n], (max(abs(s[live]).max(), abs(ahead[live]).max()), abs(r[n][live]).max()))
    assert np.allclose([[row["largest state"], row["largest rate"]] for row in report.layers], most)
    assert report.samples == 60
    # rates of 10 and 14 bits
    assert all(1e-5 < row["error"] < 0.01 for row in report.layers)


def test_longer_words_where_they_are_needed():
    """Answers that hang on small differences: usual words lose them, the layer that costs most gets longer ones."""
    y = np.arange(60) % 4
    real = network(spread=0.4)
    close = real.layers[-1]
    # outputs that differ by little beside what they have in common
    weight = 5 + close.weight * 1e-3
    real = FloatNetwork(name="net", dt=0.2, training={}, layers=(*real.layers[:-1], FloatLayer(
        weight=weight, bias=close.bias * 0, tau_m=close.tau_m, tau_r=close.tau_r, activation="linear")))
    data = samples(y=y)
    short = choose(real, data, bits=10)[1]
    found, report = choose(real, data, points=0.5)
    wide = [layer.weight.width == MOST["weight"] for layer in describe(found).layers]
    assert any(wide), "no layer was widened"
    assert short.loss > 0.5 or short.layers[-1]["error"] > 3 * report.layers[-1]["error"]


def test_bits_are_those_that_are_asked_for():
    found, _ = choose(network(), samples(), bits=9, points=100)
    for layer in describe(found).layers:
        assert (layer.weight.width, layer.state.width, layer.operand.width) == (9, 9, 9)
    for bits in (3, 19):
        with pytest.raises(ValueError, match=f"words have 4 to 18 bits, not {bits}"):
            choose(network(), samples(), bits=bits)


def test_slow_membranes_get_guard_bits():
    found, report = choose(network(tau=100.0), samples(ticks=200))
    assert all(layer.guard > 0 for layer in describe(found).layers)
    assert max(row["error"] for row in report.layers) < 0.02
    with pytest.raises(ValueError, match="layer 0: tau_m of 10000 is too slow for a word of 18 bits: 2e-05 of it"):
        choose(network(tau=1e4), samples())


@pytest.mark.parametrize(("changed", "said"), [
    ({"weight": 1e6}, r"net: layer 1: weight\[2, 3\] of 1e\+06 fits no word of 14 bits"),
    ({"bias": -3e5}, r"net: layer 1: bias\[4\] of -300000 fits no word of 14 bits"),
    ({"x": 1e9}, r"net: an input of 1e\+09 fits no word of 16 bits"),
    ({"tau": 30.0}, "net: layer 0: tau_r / tau_m of 150 .*|net: layer .*")])
def test_values_that_fit_no_word(changed, said):
    real, data = network(), samples()
    weight, bias = real.layers[1].weight.copy(), real.layers[1].bias.copy()
    weight[2, 3] = changed.get("weight", 0)
    bias[4] = changed.get("bias", 0)
    tau_r = np.full(6, changed.get("tau", 0.2) * 1e4 if "tau" in changed else 0.2)
    layer = FloatLayer(weight=weight, bias=bias, tau_m=np.full(6, 0.2), tau_r=tau_r, activation="softplus")
    real = FloatNetwork(name="net", dt=0.2, training={}, layers=(real.layers[0], layer, real.layers[2]))
    data.x[0, 0, 0] = changed.get("x", 0)
    with pytest.raises(ValueError, match=said):
        choose(real, data)


def test_a_loss_beyond_the_bound_names_the_layer():
    y = np.arange(60) % 4
    real, data = network(), samples()
    labels = _float_labels(real, data)
    right = data._replace(y=np.where(np.arange(60) < 55, labels, y))
    with pytest.raises(ValueError, match=r"net: its words lose [0-9.]+ points \(accuracy .*\), 0.5 are allowed: layer "
                                         r"\d costs most \(state Q.*saturated, error .*%\)"):
        widths.fitted(real, right, 0, bits=6)
    found, report = widths.fitted(real, right, 0)
    assert report.loss <= 0.5
    assert found.formats is not None


def _float_labels(real, data):
    fine, _ = choose(real, data, bits=17, points=100)
    net = describe(fine)
    return net.answers(net.run(fine.quantize(net), fine.inputs_of(data.x, net)), 0, data.lengths).label


def test_targets_and_samples_without_any():
    real = network()
    assert choose(real, samples())[1].what == "answers that differ from those in real numbers"
    report = choose(real, samples(y=np.zeros((60, 4), np.float32)))[1]
    assert report.what == "error of answers, in parts of their deviation"
    assert 0 < report.loss <= 0.5
    for data, said in ((samples(inputs=2), r"samples must be sequences \(n, ticks, 3\)"),
                       (Samples(np.zeros((5, 3), np.uint8), None), r"samples must be sequences")):
        with pytest.raises(ValueError, match=said):
            choose(real, data)
    with pytest.raises(ValueError, match="a sequence of 5 ticks, answers count from tick 5 on"):
        choose(real, samples(), 5)


def test_formats_stay_in_the_file(tmp_path):
    real = network(mean=np.array([1.0, 2, 3]), deviation=np.array([0.5, 1, 2]))
    found, _ = choose(real, samples())
    found.save(tmp_path / "net.safetensors")
    again = FloatNetwork.load(tmp_path / "net.safetensors")
    assert again.formats == found.formats
    assert describe(again) == describe(found)
    assert np.array_equal(again.mean, real.mean)
    assert np.array_equal(quantize_params(again, describe(again))[0].weight,
                          quantize_params(found, describe(found))[0].weight)
    assert describe(network()).layers[0].weight == QFormat(4, 9), "without formats those of the zoo"


def test_a_bounded_rate_reaches_its_limit():
    """Tanh and sigmoid need no integer bit: the last word is a unit below 1."""
    found, _ = choose(network(spread=9.0), samples())
    layer = describe(found).layers[0]
    assert layer.rate.int_bits == 0
    assert activation_step(np.array([layer.state.max]), "tanh", layer.state, layer.rate)[0] == layer.rate.max


def test_which_layer_costs_most_and_how_much_may_be_lost():
    rows = tuple({"layer": n, "error": error, "state": "Q3.9", "saturated": 0.25}
                 for n, error in enumerate((0.5, 0.6, 0.8)))
    report = widths.Report(rows, 0.5, "as counted", 9)
    assert report.worst is rows[0], "what a layer adds counts, not what it takes over"
    report.check("net", 0.5)
    with pytest.raises(ValueError, match=r"net: its words lose 0.50 points \(as counted\), 0.4 are allowed: layer 0 "
                                         r"costs most \(state Q3.9: 25.0% saturated, error 50.0%\)"):
        report.check("net", 0.4)
