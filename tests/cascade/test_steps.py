"""What pages show of a cascaded network: thresholds and exits are those of golden, counts those of its words."""

import numpy as np
import pytest

from golden.cascade import engine, pages, words
from golden.cascade.layer import Block, Engine, Head, Stem
from golden.cascade.network import CascadeNetwork
from rtl.cascade.cost import pace


def network(**fields):
    layers = (Stem(height=4, width=3, inputs=1, outputs=4), Block(height=4, width=3, inputs=4, outputs=4),
              Block(height=4, width=3, inputs=4, outputs=8, stride=2), Head(inputs=8, outputs=3, pixels=4, shift=6))
    return CascadeNetwork(**{"name": "net", "steps": 4, "layers": layers, "pre": 2, "post": 16} | fields)


@pytest.fixture(scope="module")
def case():
    """Network, parameters whose logits differ little, images, labels, outputs."""
    net = network()
    params = engine.random_params(net, 3)
    head = params[-1]
    params = (*params[:-1], head._replace(weight=head.weight // 40, bias=head.bias // 40))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, net.inputs))
    return net, params, images, rng.integers(0, 3, 40), net.run(params, net.frames(images))


def test_a_curve_has_the_exits_of_golden(case):
    net, params, images, label, outputs = case
    found = net.sections(outputs, None, label)
    for rule, entry in zip(("softmax", "margin"), found["anytime"]["curves"], strict=True):
        seen = 0
        for value in (0.34, 0.4, 0.5, 0.9) if rule == "softmax" else (0, 0.05, 0.2, 1.0):
            told = words.Header(net.steps, True, False, rule, words.threshold_word(rule, value, net.head.fraction))
            said = words.split(net.run(params, net.frames(images, told)))
            step = said.exits.argmax(1)
            sure = np.stack([engine.certainty(each, rule, 8) for each in words.split(outputs).logits.swapaxes(0, 1)], 1)
            assert (pages.exit_steps(sure, rule, told.threshold) == step).all()
            right = said.logits[np.arange(40), step].argmax(1) == label
            point, = pages.curve(sure, words.split(outputs).logits.argmax(-1) == label[:, None], rule,
                                 [told.threshold])[:1]
            assert point == [round(step.mean(), 4), round(right.mean(), 4)] or step.mean() == net.steps - 1
            seen += 0 < step.mean() < net.steps - 1
        assert seen, f"{rule}: thresholds at which some frames exit early and some late"
        assert entry["points"][0][0] == 0
        assert entry["points"][-1] == [net.steps - 1, found["anytime"]["accuracy"][-1]]


def test_exits_and_examples(case):
    net, params, images, label, outputs = case
    shown = images.reshape(40, 4, 3, 1)
    found = net.sections(outputs, shown, label)
    exits = found["exits"]
    told = words.Header(net.steps, True, False, "softmax", words.threshold_word("softmax", pages.SURE, 8))
    said = words.split(net.run(params, net.frames(images, told)))
    step = said.exits.argmax(1)
    assert [a + b for a, b in zip(exits["right"], exits["wrong"], strict=True)] == [
        (step == t).sum() for t in range(net.steps)]
    assert sum(exits["right"]) == round(exits["accuracy"] * 40)
    early, late = (group["rows"] for group in found["early"]["groups"])
    assert len(early) == len(late) == pages.EXAMPLES
    assert [row["exit"] for row in early] == sorted(row["exit"] for row in early)
    assert max(row["exit"] for row in early) <= sorted(step)[20] <= min(row["exit"] for row in late)
    for rows, first in ((early, min), (late, max)):
        assert {row["label"] for row in rows} == {0, 1, 2}, "one of each class"
        assert rows[0]["exit"] == first(step)
    for row in early + late:
        n = next(n for n in range(40) if (shown[n] == row["image"]).all())
        assert (row["label"], row["exit"]) == (label[n], step[n])
        assert row["answers"] == words.split(outputs).logits[n].argmax(-1).tolist()


def test_skipping(case):
    net, params, images, label, outputs = case
    found = net.sections(outputs, None, label)["skipped"]
    assert found["worked"] == [[1, 0, 0, 0], [1, 1, 0, 0]]
    first, second = found["products"]
    assert found["made"] == first + 2 * second
    assert found["all"] == 3 * (first + second)
    assert found["early"] <= found["made"]
    # taps of a 3x3 kernel on a map of 4x3 and of 2x2
    assert first == 2 * (10 * 7) * 16
    assert second == (5 * 4 + 0) * 32 + (4 * 4) * 64


def test_nothing_is_said_of_steps_that_were_not_computed(case):
    net, params, images, label, _ = case
    told = words.Header(net.steps, True, False, "margin", 0)
    assert net.sections(net.run(params, net.frames(images, told)), None, label) == {}
    one = net.sections(net.run(params, net.frames(images[:1])), images[:1].reshape(1, 4, 3, 1), label[:1])
    assert set(one) == {"anytime", "exits", "skipped"}


@pytest.mark.parametrize(("engines", "names"), [
    (((0,), (1,), (2,)), ["stem", "block 1", "block 2"]), (((0, 1, 2),), ["stem, blocks 1 to 2"]),
    (((0, 2), (1,)), ["stem, block 2", "block 1"])])
def test_use_of_the_lanes(engines, names):
    net = network(engines=tuple(Engine(layers=layers, lanes=2) for layers in engines))
    found = pace(net, 100.0, 130.0)
    assert [entry["name"] for entry in found["engines"]] == names
    assert all(entry["products"] <= entry["cycles"] * entry["multipliers"] for entry in found["engines"])
    assert sum(entry["products"] for entry in found["engines"]) == sum(
        conv.products for layer in net.layers[:-1] for conv in (*layer.main, *filter(None, [layer.shortcut])))


def test_what_passes(case):
    """Signals of a frame: maps settle from below, logits are those of the run."""
    net, params, images, _, outputs = case
    found = dict(net.signals(params, net.frames(images[:1])[0]))
    assert list(found) == ["stem", "block 1", "block 2", "logits"]
    assert [values.shape for values in found.values()] == [(4, 4), (4, 4), (4, 8), (4, 3)]
    assert np.array_equal(found["logits"] * 256, words.split(outputs).logits[0])
    stem = engine.stem_step(images[:1].reshape(1, 4, 3, 1), params[0], net).mean((1, 2))[0] / 255
    assert (found["stem"] == stem).all()
    for k in (1, 2):
        values = found[f"block {k}"]
        assert 0 <= values.min() < values.max() <= 1
        assert (values[k - 1] != values[k]).any(), f"block {k} is final from step {k} on"
        assert (values[k:] == values[k]).all()
    # the identity alone passes in step 0
    assert (found["block 1"][0] == found["stem"][0]).all()
