"""Word lengths of a liquid-time-constant network: what is seen fits, the bound holds, the report is right."""

from dataclasses import replace

import ltcs
import numpy as np
import pytest

from golden import widths
from golden.data.dataset import Samples
from golden.fixed import QFormat
from golden.ltc.widths import MOST, choose, steps


def samples(n=60, ticks=12, inputs=3, y=None, scale=1.0):
    rng = np.random.default_rng(2)
    lengths = rng.integers(5, ticks + 1, n)
    x = np.where(np.arange(ticks)[:, None] < lengths[:, None, None], rng.normal(0, scale, (n, ticks, inputs)), 0)
    return Samples(x.astype(np.float32), y, lengths)


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize(("size", "scale"), [(1.0, 1.0), (0.05, 1.0), (4.0, 1.0), (1.0, 50.0), (1.0, 0.01)])
def test_formats_hold_what_is_seen(adaptive, size, scale):
    real, data = ltcs.random_trained(1, adaptive=adaptive, scale=size), samples(scale=scale)
    found, report = choose(real, data, points=100)
    net = found.describe()
    net.check(found.quantize(net))
    for n, (row, layer) in enumerate(zip(report.layers, net.layers, strict=True)):
        assert row["saturated"] == 0, row
        assert layer.state.max * layer.state.lsb >= row["largest state"]
        assert [row[name] for name in ("layer", "weight", "spike_weight", "state", "gate")] == \
            [n, str(layer.weight), str(layer.spike_weight), str(layer.state), str(layer.gate)]
        top = 1.9 if adaptive and n < 2 else 1.0
        assert layer.state.int_bits == 1 or 2.0 ** (layer.state.int_bits - 1) < max(top, 1.26 * row["largest state"])
    assert net.layers[0].operand.max * net.layers[0].operand.lsb >= abs(data.x).max()


def test_the_real_steps_are_the_equations():
    """Neuron by neuron, from the equations of [FPTT] (arXiv 2112.11231)."""
    real, data = ltcs.random_trained(2), samples(n=2, ticks=6)

    def gate(w, bias, *parts):
        return 1 / (1 + np.exp(-(w @ np.concatenate(parts) + bias)))
    for n in range(2):
        u, b, s = ([np.zeros(layer.sizes[1]) for layer in real.layers] for _ in range(3))
        y = np.zeros(2)
        for tick, parts in enumerate(steps(real, data.x)):
            line = data.x[n, tick]
            for k, layer in enumerate(real.layers):
                x = layer.Wx @ line + layer.bx + layer.Wr @ s[k]
                alpha, rho = gate(layer.Wm, layer.bm, u[k], x), gate(layer.Wa, layer.ba, b[k], x)
                b[k] = rho * b[k] + (1 - rho) * s[k]
                u[k] = u[k] + alpha * (x - u[k])
                assert np.allclose((parts[k][0][n], parts[k][1][n]), (x, u[k]))
                s[k] = line = (u[k] > layer.b0 + 115 / 64 * b[k]) * 1.0
                assert (parts[k][2][n] == s[k]).all()
                u[k] = u[k] * (1 - s[k])
            z = real.readout.Wo @ line + real.readout.bo
            a = gate(real.readout.Wg, real.readout.bg, z, y)
            y = (1 - a) * y + a * z
            assert np.allclose((parts[-1][0][n], parts[-1][1][n]), (z, y))


def test_the_report_says_what_happens():
    real, data = ltcs.random_trained(3), samples()
    found, report = choose(real, data)
    most = np.zeros(3)
    for tick, parts in enumerate(steps(real, data.x)):
        live = tick < data.lengths
        most = np.maximum(most, [abs(part[0][live]).max() for part in parts])
    assert np.allclose([row["largest state"] for row in report.layers], most)
    assert report.samples == 60
    assert all(0 < row["error"] < 0.6 for row in report.layers)
    assert report.what == "answers that differ from those in real numbers"
    longer = choose(real, data, bits=16)[1]
    assert longer.layers[0]["error"] < report.layers[0]["error"] / 2


def test_long_words_where_the_bound_asks_for_them():
    real, data = ltcs.random_trained(4), samples(n=200)
    short = choose(real, data, points=100)[0]
    assert [layer.weight.width for layer in short.describe().layers] == [8, 8, 8]
    assert [layer.gate for layer in short.describe().layers] == [QFormat(0, 8)] * 3
    found, report = choose(real, data, points=0)
    wide = [layer.weight.width for layer in found.describe().layers]
    assert MOST["weight"] in wide
    assert report.loss < choose(real, data, points=100)[1].loss
    with pytest.raises(ValueError, match="real: its words lose .* layer . costs most"):
        widths.fitted(real, data, 0, bits=6, points=0)


def test_what_chance_does_is_no_loss():
    """Labels that are those of the real numbers: what changes is lost. Labels at random: as much is won as lost."""
    real, data = ltcs.random_trained(4), samples(n=300)
    score = np.stack([parts[-1][1] for parts in steps(real, data.x)], 1)[np.arange(300), data.lengths - 1]
    mine = choose(real, data._replace(y=score.argmax(1)), bits=8)[1]
    assert mine.loss > 1
    assert mine.chance == pytest.approx(np.sqrt(mine.loss * 300 / 100) * 100 / 300), "all that changed was lost"
    found, other = choose(real, data._replace(y=np.arange(300) % 2), points=0.0)
    assert abs(other.loss) < 3 * other.chance
    with pytest.raises(ValueError, match="real: its words lose"):
        mine.check("real", mine.loss - mine.chance - 0.01)
    mine.check("real", mine.loss - mine.chance + 0.01)


def test_as_many_sequences_as_take_no_time():
    real = ltcs.random_trained(5)
    for n, ticks, seen in ((2500, 4, 2000), (700, 100, 600), (700, 200, 500)):
        x = np.zeros((n, ticks, 3), np.float32)
        assert choose(real, Samples(x, None, np.full(n, ticks)), bits=8)[1].samples == seen


def test_all_words_of_one_length():
    net = choose(ltcs.random_trained(5), samples(), bits=10)[0].describe()
    for layer in net.layers:
        assert {layer.weight.width, layer.spike_weight.width, layer.state.width, layer.gate.width} == {10}
    assert (net.layers[0].operand.width, net.layers[0].input_weight.width) == (10, 10)


def test_files_keep_formats(tmp_path):
    found = choose(ltcs.random_trained(6), samples())[0]
    found.save(tmp_path / "a")
    assert type(found).load(tmp_path / "a").describe() == found.describe()


def test_scaled_inputs_are_looked_at():
    real, data = ltcs.random_trained(7), samples()
    moved = data._replace(x=data.x * 100 + 1000)
    scaled = replace(real, mean=[1000] * 3, deviation=[100] * 3)
    assert choose(scaled, moved)[0].formats == choose(real, data)[0].formats


@pytest.mark.parametrize(("change", "bits", "says"), [
    (lambda s: s._replace(x=s.x[:, :, :2]), None, r"real: samples must be sequences \(n, ticks, 3\)"),
    (lambda s: s._replace(lengths=None), None, "real: samples must be sequences"),
    (lambda s: s._replace(x=s.x[:0], lengths=s.lengths[:0]), None, "real: samples must be sequences"),
    (lambda s: s._replace(lengths=s.lengths * 0), None, "real: a sequence of 0 ticks"),
    (lambda s: s, 4, "real: layer 0: a sum of .* (fits no word of 4 bits|leaves no fraction bit in 4 bits)"),
    (lambda s: s, 3, "words have 4 to 17 bits, not 3"),
    (lambda s: s, 18, "words have 4 to 17 bits, not 18"),
    (lambda s: s._replace(x=s.x * 1e7), None, "real: layer 0: an input of .* fits no word of 12 bits"),
])
def test_what_cannot_be(change, bits, says):
    with pytest.raises(ValueError, match=says):
        choose(ltcs.random_trained(8), change(samples()), bits=bits)


def test_weights_beyond_all_words():
    real = ltcs.random_trained(9)
    with pytest.raises(ValueError, match="readout: bg of 1000 fits no word of 8 bits"):
        choose(replace(real, readout=replace(real.readout, bg=[1000, 0])), samples())
    layer = replace(real.layers[0], bx=np.full(8, 100.0), b0=1e6)
    with pytest.raises(ValueError, match="real: layer 0: a sum of"):
        choose(replace(real, layers=(layer, real.layers[1])), samples())
