"""Quantisation: formats that hold every value, words that are near, and refusals in one line."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from golden.fixed import QFormat
from golden.rate.trained import FloatLayer, FloatNetwork, Widths, describe, quantize_input, quantize_params


def layer(outputs, inputs, activation="tanh", seed=0, **fields):
    rng = np.random.default_rng(seed)
    given = {"weight": rng.normal(0, 1, (outputs, inputs)), "bias": rng.normal(0, 1, outputs),
             "tau_m": rng.uniform(0.4, 2, outputs), "tau_r": rng.uniform(0.2, 2.5, outputs), "activation": activation}
    return FloatLayer(**given | fields)


def network():
    return FloatNetwork(name="net", dt=0.2, layers=(layer(5, 2, "linear"), layer(3, 5, seed=1)), training={})


def test_words_are_nearest():
    net = network()
    d = describe(net)
    params = quantize_params(net, d)
    for real, spec, words in zip(net.layers, d.layers, params, strict=True):
        for name, want in (("weight", real.weight), ("bias", real.bias), ("lead", real.tau_r / real.tau_m),
                           ("lag", 0.2 / real.tau_m)):
            fmt = spec.format(name)
            got = getattr(words, name)
            assert np.abs(got * fmt.lsb - want).max() <= fmt.lsb / 2
            assert got.max() <= fmt.max
            assert got.min() >= fmt.min
        assert spec.weight == Widths().weight
    assert d.layers[1].operand == d.layers[0].rate == Widths().unbounded_rate


def test_a_value_that_does_not_fit_is_refused():
    net = network()
    with pytest.raises(ValueError, match=r"layer 0: weight\[\d, \d\] is .*, outside of Q-2.13"):
        quantize_params(net, describe(net, Widths(weight=QFormat(-2, 13))))


def test_the_design_depends_on_the_shape_alone():
    net = network()
    other = FloatNetwork(name="net", dt=0.2, layers=(layer(5, 2, "linear", seed=7), layer(3, 5, seed=8)), training={})
    assert describe(net).fingerprint == describe(other).fingerprint


@pytest.mark.parametrize(("fields", "message"), [
    ({"weight": np.array([[1.0, np.nan], [0, 0]])}, r"weight\[0, 1\] is nan, not a finite number"),
    ({"bias": np.array([np.inf, 0])}, r"bias\[0\] is inf"),
    ({"bias": np.zeros(3)}, r"bias must be \(2,\)"),
    ({"weight": np.zeros(2)}, r"weight must be \(outputs, inputs\)"),
    ({"tau_m": np.array([1.0, 0.0])}, "tau_m must be positive"),
    ({"tau_r": np.array([1.0, -0.5])}, "tau_m must be positive and tau_r not negative"),
    ({"activation": "gelu"}, "activation must be one of"),
])
def test_layer_refuses(fields, message):
    with pytest.raises(ValueError, match=message):
        layer(2, 2, **fields)


def test_a_deviation_of_nothing_is_refused():
    """Of any input, whatever the others are."""
    given = {"name": "net", "dt": 0.2, "layers": network().layers, "training": {}, "mean": np.zeros(2)}
    assert FloatNetwork(**given, deviation=np.array([2.0, 0.5])).scaled(np.ones((1, 1, 2))).tolist() == [[[0.5, 2.0]]]
    for deviation in ([1.0, 0.0], [-1.0, 1.0], [0.0, 0.0]):
        with pytest.raises(ValueError, match="deviation must be positive"):
            FloatNetwork(**given, deviation=np.array(deviation))


def test_shared_formats():
    """Pinned: every network of the zoo that has no formats of its own has these."""
    assert [str(fmt) for fmt in vars(Widths()).values()] == ["Q3.12", "Q4.9", "Q5.10", "Q1.10", "Q1.10", "Q0.9", "Q5.8"]
    assert [str(Widths().rate(name)) for name in ("tanh", "sigmoid", "hard_sigmoid", "relu", "softplus", "linear")] == [
        "Q0.9"] * 3 + ["Q5.8"] * 3


def write(path, drop=(), **about):
    net = network()
    tensors = {f"layers.{n}.{t}": np.ascontiguousarray(getattr(part, t), np.float32)
               for n, part in enumerate(net.layers) for t in ("weight", "bias", "tau_m", "tau_r")}
    head = {"network": json.dumps({"name": "net", "dt": 0.2, "activations": ["linear", "tanh"]}),
            "training": json.dumps({"seed": 3})} | about
    save_file({k: v for k, v in tensors.items() if k not in drop}, path, head)


def test_load(tmp_path):
    write(tmp_path / "a.safetensors")
    net = FloatNetwork.load(tmp_path / "a.safetensors")
    assert (net.name, net.dt, net.training) == ("net", 0.2, {"seed": 3})
    assert np.abs(net.layers[1].weight - network().layers[1].weight).max() < 1e-6


def test_load_refuses(tmp_path):
    file = tmp_path / "a.safetensors"
    with pytest.raises(ValueError, match="no such file"):
        FloatNetwork.load(file)
    write(file, drop=["layers.1.bias"])
    with pytest.raises(ValueError, match=r"tensor 'layers.1.bias' is missing"):
        FloatNetwork.load(file)
    write(file, network="[]")
    with pytest.raises(ValueError, match="no usable network description"):
        FloatNetwork.load(file)
    whole = file.read_bytes()
    for cut in (0, 7, 100, len(whole) - 1):
        file.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="not a safetensors file"):
            FloatNetwork.load(file)


def test_input():
    d = describe(network())
    assert d.layers[0].operand == QFormat(3, 12)
    words = quantize_input(np.array([[[0.5, -0.25], [100.0, -100.0]]]), d)
    assert words.tolist() == [[[2048, -1024], [32767 * 2 + 1 - 32768, -32768]]]
    with pytest.raises(ValueError, match=r"samples must be \(batch, ticks, 2\)"):
        quantize_input(np.zeros((3, 4)), d)
    with pytest.raises(ValueError, match=r"input\[0, 0, 1\] is nan"):
        quantize_input(np.array([[[0.0, np.nan]]]), d)


@pytest.mark.parametrize("tau_m", [0.1, 1e30])
def test_a_time_constant_that_no_step_follows_is_refused(tau_m):
    net = FloatNetwork(name="net", dt=0.2, layers=(layer(2, 2, tau_m=np.array([1.0, tau_m])),), training={})
    with pytest.raises(ValueError, match=r"layer 0: tau_m\[1\] is .* lag of Q1.10 need 0.2 to"):
        quantize_params(net, describe(net))


def test_the_fastest_and_the_slowest_time_constant():
    """A tau of dt, and one whose lag just rounds up to the last bit, are taken; beyond them there is none."""
    def words(tau_m):
        net = FloatNetwork(name="net", dt=0.25, training={}, layers=(layer(1, 1, tau_m=np.array([tau_m]),
                                                                           tau_r=np.array([tau_m])),))
        return quantize_params(net, describe(net))[0].lag.tolist()
    assert words(0.25) == [1024]
    assert words(512.0) == [1]
    assert words(256.0) == [1]
    for tau_m in (np.nextafter(0.25, 0), np.nextafter(512.0, 1e9)):
        with pytest.raises(ValueError, match=r"layer 0: tau_m\[0\] is .* need 0.25 to 512"):
            words(tau_m)
