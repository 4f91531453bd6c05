"""Real weights: files both ways, formats that hold them, words of them, integers beside real numbers."""

from dataclasses import replace

import ltcs
import numpy as np
import pytest

from golden.files import read_safetensors, write_safetensors
from golden.fixed import QFormat
from golden.ltc import engine
from golden.ltc.trained import Formats, LtcTrained, RealLayer, RealReadout, usual


def same(a, b):
    for one, two in zip((*a.layers, a.readout), (*b.layers, b.readout), strict=True):
        for name, value in vars(one).items():
            assert value is None and getattr(two, name) is None or np.array_equal(value, getattr(two, name)), name


@pytest.mark.parametrize("more", [{}, {"mean": [1, 2, 3], "deviation": [0.5, 1, 2]}])
@pytest.mark.parametrize("adaptive", [True, False])
def test_files(tmp_path, more, adaptive):
    real = ltcs.random_trained(1, adaptive=adaptive, **more)
    real = replace(real, formats=usual(real), layers=(replace(real.layers[0], b0=0.25), real.layers[1]))
    real.save(tmp_path / "a")
    found = LtcTrained.load(tmp_path / "a")
    same(real, found)
    assert (found.name, found.training, found.formats) == (real.name, real.training, real.formats)
    assert more == {} or (found.mean.tolist(), found.deviation.tolist()) == (more["mean"], more["deviation"])
    found.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert found.describe() == real.describe()


def damaged(tensors, about, how):
    how(tensors, about)
    return tensors, about


@pytest.mark.parametrize(("how", "says"), [
    (lambda t, a: t.pop("layers.0.Wm"), "tensor 'layers.0.Wm' is missing"),
    (lambda t, a: t.pop("readout.bo"), "tensor 'readout.bo' is missing"),
    (lambda t, a: t.pop("layers.1.ba"), "layers.1: Wa and ba belong together"),
    (lambda t, a: t.update({"layers.2.Wx": np.zeros((2, 2))}), "tensor 'layers.2.Wx' belongs to no layer"),
    (lambda t, a: t.update({"layers.0.bx": np.zeros(3)}), r"layers.0: bx has shape \(3,\), expected \(8,\)"),
    (lambda t, a: t.update({"layers.0.Wx": np.zeros((0, 3))}), r"layers.0: Wx must be \(size, inputs\)"),
    (lambda t, a: t.update({"layers.0.Wx": np.zeros((7, 3))}), r"layers.0: Wr has shape \(8, 8\), expected \(7, 7\)"),
    (lambda t, a: t.update({"readout.Wo": np.zeros((2, 5))}), "layer 2 takes 5 inputs, the layer below it has 6"),
    (lambda t, a: t.update({"readout.Wo": np.full((2, 6), np.nan)}), r"readout: Wo\[0, 0\] is nan"),
    (lambda t, a: a.pop("ltc_network"), "no usable network description inside .no 'ltc_network'."),
    (lambda t, a: a.update(ltc_network="[]"), "no usable network description inside"),
    (lambda t, a: a.update(ltc_network="{"), "no usable network description inside"),
    (lambda t, a: a.update(ltc_network='{"name": "a", "b0": 1}'), "b0 must be a list"),
    (lambda t, a: a.update(ltc_network='{"name": "a", "b0": []}'), "tensor 'layers.0.Wa' belongs to no layer"),
    (lambda t, a: a.update(ltc_network='{"name": "a", "b0": [0.1, -1]}'), "layers.1: b0 must not be negative, not -1"),
    (lambda t, a: a.update(ltc_network='{"name": "a", "b0": [0.1, "x"]}'), "layers.1: b0 must be real numbers"),
    (lambda t, a: a.update(ltc_network='{"name": "a", "b0": [0.1, [1]]}'), r"layers.1: b0 has shape \(1,\)"),
    (lambda t, a: a.update(ltc_network='{"name": 3, "b0": [0.1, 0.1]}'), "name must be a text, not 3"),
    (lambda t, a: a.update(ltc_network='{"name": "a", "b0": [0.1, 0.1], "mean": [1]}'), "mean and deviation belong"),
    (lambda t, a: a.update(ltc_network='{"name": "a", "b0": [0.1, 0.1], "mean": [1], "deviation": [1]}'),
     r"mean has shape \(1,\), expected \(3,\)"),
    (lambda t, a: a.update(ltc_network='{"name": "a", "b0": [0.1, 0.1], "formats": [["Q2.5", "Q1.6"]]}'),
     "formats must be 3, one a layer and the readout, not 1"),
    (lambda t, a: a.update(ltc_network='{"name": "a", "b0": [0.1, 0.1], "formats": [["Q2", "Q1.6"]]}'),
     "a format is written like"),
    (lambda t, a: a.update(training="{"), "training is not JSON"),
])
def test_damaged_files(tmp_path, how, says):
    ltcs.random_trained(1).save(tmp_path / "a")
    write_safetensors(tmp_path / "b", *damaged(*read_safetensors(tmp_path / "a"), how))
    with pytest.raises(ValueError, match=says) as caught:
        LtcTrained.load(tmp_path / "b")
    assert str(tmp_path / "b") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_formats_hold_the_largest_weights():
    real = ltcs.random_trained(2)
    layer = real.layers[0]
    big = replace(real, layers=(replace(layer, Wm=layer.Wm * 0 + 3.9, Wr=layer.Wr * 0 - 0.24, Wx=layer.Wx * 0 + 1.0),
                                real.layers[1]))
    row = usual(big)[0]
    assert (row.weight, row.spike_weight, row.input_weight) == (QFormat(2, 5), QFormat(-1, 8), QFormat(1, 6)) or \
        abs(layer.bx).max() > 0.24
    assert usual(replace(big, readout=replace(big.readout, bg=[3.99, 0])))[-1].weight == QFormat(3, 4)
    assert usual(replace(big, readout=replace(big.readout, bg=[-3.96, 0])))[-1].weight == QFormat(2, 5)
    for scale in (0.01, 0.3, 5.0, 60.0):
        part = ltcs.random_trained(3, scale=scale)
        part.quantize(part.describe())
    with pytest.raises(ValueError, match="layer 1: Wm of 200 fits no word of 8 bits"):
        usual(replace(real, layers=(layer, replace(real.layers[1], Wm=np.full((6, 12), 200.0)))))


def test_words_are_where_the_steps_want_them():
    """Gates: old half, x half, bias; that of rho negated; Wg has z before y."""
    real = ltcs.random_trained(4)
    net = real.describe()
    params = real.quantize(net)
    for layer, d, p in zip(real.layers, net.hidden, params, strict=False):
        lsb = d.weight.lsb
        assert abs(p.alpha * lsb - np.column_stack([layer.Wm, layer.bm])).max() <= lsb / 2
        assert abs(p.rho * lsb + np.column_stack([layer.Wa, layer.ba])).max() <= lsb / 2
        fmt = d.input_weight if d.dense else d.spike_weight
        assert abs(p.weight * fmt.lsb - layer.Wx).max() <= fmt.lsb / 2
        assert abs(p.recurrent - layer.Wr / d.spike_weight.lsb).max() <= 0.5
        assert d.threshold == round(layer.b0 * 4096)
    lsb, gate = net.readout.weight.lsb, params[-1].gate
    assert abs(gate[:, :2] * lsb - real.readout.Wg[:, 2:]).max() <= lsb / 2
    assert abs(gate[:, 2:4] * lsb - real.readout.Wg[:, :2]).max() <= lsb / 2
    assert abs(gate[:, 4] * lsb - real.readout.bg).max() <= lsb / 2
    net.check(params)


def test_inputs():
    real = ltcs.random_trained(5, mean=[1, 2, 3], deviation=[0.5, 1, 2])
    net = real.describe()
    x = np.array([[[1, 2, 3], [1.5, 3, 100]]])
    assert real.inputs_of(x, net).tolist() == [[[0, 0, 0], [256, 256, 2047]]]
    one = ltcs.random_trained(5, sizes=(1, 4, 2))
    assert one.inputs_of(np.zeros((2, 5)), one.describe()).shape == (2, 5, 1)
    for bad in (np.zeros((2, 5, 2)), np.zeros((2, 0, 3)), np.zeros((0, 5, 3)), np.zeros(3)):
        with pytest.raises(ValueError, match=r"samples must be \(n, ticks, 3\), not"):
            real.inputs_of(bad, net)


@pytest.mark.parametrize("adaptive", [True, False])
def test_integers_are_near_real_numbers(adaptive):
    """With long words x, gates and the membrane of one tick are those of the equations within some units."""
    real = ltcs.random_trained(6, adaptive=adaptive)
    long = tuple(row._replace(weight=QFormat(3, 14), spike_weight=QFormat(3, 14), gate=QFormat(0, 12),
                              gate_sum=QFormat(4, 12), **({"input_weight": QFormat(3, 14)} if n == 0 else {}))
                 for n, row in enumerate(usual(real)))
    real = replace(real, formats=long)
    net = real.describe()
    rng, layer, d = np.random.default_rng(0), real.layers[0], net.layers[0]
    x = real.inputs_of(rng.normal(size=(1, 40, 3)), net)
    u, b, s = np.zeros(8), np.zeros(8), np.zeros(8)
    fired = 0
    for tick, word in zip(engine.trace(net, real.quantize(net), x[0]), x[0], strict=True):
        out = tick.layers[0]
        sums = layer.Wx @ (word * d.operand.lsb) + layer.Wr @ s + layer.bx
        alpha = 1 / (1 + np.exp(-(layer.Wm @ np.concatenate([u, sums]) + layer.bm)))
        assert abs(out.x[0] * d.state.lsb - sums).max() < 0.002
        assert abs(out.alpha[0] * d.gate.lsb - alpha).max() < 0.003
        theta = layer.b0
        if adaptive:
            rho = 1 / (1 + np.exp(-(layer.Wa @ np.concatenate([b, sums]) + layer.ba)))
            b = rho * b + (1 - rho) * s
            theta = layer.b0 + 1.8 * b
        ut = u + alpha * (sums - u)
        assert abs(out.ut[0] * d.state.lsb - ut).max() < 0.01
        assert abs(out.theta[0] * d.state.lsb - theta).max() < 0.02 if adaptive else out.theta == d.threshold
        # on from what the integers have
        u, s = out.state.u[0] * d.state.lsb, out.state.s[0]
        b = out.state.b[0] * d.state.lsb if adaptive else b
        fired += s.sum()
    assert 20 < fired < 300


def test_a_description_of_another_network():
    net = ltcs.random_trained(7).describe()
    with pytest.raises(ValueError, match="layer 0: the description is of another layer"):
        ltcs.random_trained(7, sizes=(3, 7, 6, 2)).quantize(net)
    with pytest.raises(ValueError, match="layer 0: the description is of another layer"):
        ltcs.random_trained(7, adaptive=False).quantize(net)
    with pytest.raises(ValueError, match=r"layer 0: Wm\[\d, \d+\] is"):
        ltcs.random_trained(7, scale=8.0).quantize(net)


def test_parts_that_cannot_be():
    part = ltcs.random_trained(8).readout
    with pytest.raises(ValueError, match=r"Wo must be \(outputs, size\), at least \(1, 1\), not \(3,\)"):
        RealReadout(Wo=np.zeros(3), bo=part.bo, Wg=part.Wg, bg=part.bg)
    with pytest.raises(ValueError, match=r"Wx must be \(size, inputs\), at least \(1, 1\), not \(3,\)"):
        RealLayer(Wx=np.zeros(3), Wr=0, bx=0, Wm=0, bm=0)
    with pytest.raises(ValueError, match="real has no layers"):
        LtcTrained(name="real", layers=(), readout=part, training={})
    with pytest.raises(ValueError, match="training must be an object, not 3"):
        replace(ltcs.random_trained(8), training=3)
    with pytest.raises(ValueError, match="deviation must be positive"):
        replace(ltcs.random_trained(8), mean=[0, 0, 0], deviation=[1, 0, 1])
    with pytest.raises(ValueError, match="formats must be 3"):
        replace(ltcs.random_trained(8), formats=(Formats(QFormat(2, 5), QFormat(2, 5)),))
