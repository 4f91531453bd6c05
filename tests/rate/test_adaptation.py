"""`leadlag adapt` on a network and data of one's own: sequences of unequal length, three classes, two channels."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from golden.fixed import QFormat
from golden.rate.trained import FloatLayer, FloatNetwork
from leadlag import flow
from leadlag.experiments import adaptation
from leadlag.terminal import notes
from sim.harness.board import SimulatedBoard

CLASSES, CHANNELS, HIDDEN, TICKS = 3, 2, 8, 12


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Path of a network with random hidden weights, beside the data that it names: the class turns the signal."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 60), ("test", 30)):
        y = np.arange(count) % CLASSES
        angle = 2 * np.pi * y / CLASSES
        x = np.stack([np.cos(angle), np.sin(angle)], 1)[:, None] + rng.normal(0, 0.1, (count, TICKS, CHANNELS))
        arrays |= {f"x_{split}": x, f"y_{split}": y, f"lengths_{split}": rng.integers(8, TICKS + 1, count)}
    np.savez("own.npz", **arrays)
    return saved("own.npz train", CLASSES)


def saved(data, classes):
    rng = np.random.default_rng(1)
    layers = [FloatLayer(weight=rng.uniform(-1, 1, (n, m)), bias=rng.uniform(-0.5, 0.5, n), tau_m=np.full(n, 0.2),
                         tau_r=np.full(n, 0.2), activation=activation)
              for n, m, activation in ((HIDDEN, CHANNELS, "tanh"), (classes, HIDDEN, "linear"))]
    FloatNetwork(name="own", dt=0.2, layers=tuple(layers), training={"data": data} if data else {}).save(
        "own.safetensors")
    return "own.safetensors"


def test_it_is_learnt_again(own):
    """From chance to nearly all right, the end included, though that is no doubling."""
    found = adaptation.adapt(own, samples=300, on_board=0, console=notes)
    assert (found["board_samples"], found["network"]) == (0, "own")
    assert [count for count, _ in found["relearn"]] == [0, 3, 6, 12, 24, 48, 96, 192, 300]
    assert found["destroyed"] < 0.5
    assert found["after"] > 0.9
    learnt = flow.with_words(flow.prepare(own), found["written"][0])
    batch = flow.samples(learnt, "test")
    assert flow.judge(learnt, flow.integer_outputs(learnt, batch.x), batch)["accuracy"] == found["after"]


def test_on_the_board(own, monkeypatch):
    """Words and weights are compared in it; what was learnt is kept."""
    monkeypatch.setattr("sim.harness.board.SimulatedBoard", partial(SimulatedBoard, quick=True))
    found = adaptation.adapt(own, samples=9, on_board=4, console=notes)
    assert found["board_samples"] == 6
    assert "weights have moved" in found["device"]
    assert found["written"][0] == flow.BUILD / "own-adaptive" / "network.json"
    assert all(path.is_file() for path in found["written"])


def test_ticks_that_count(own):
    """Those of a sequence from `answer_from` on, in as many streams as there are classes, one of each."""
    case = flow.prepare(own)
    net, batch = adaptation.adaptive(case), flow.samples(case, "train")
    blocks = list(adaptation.adaptation_blocks(net, batch, 2, np.random.default_rng(3)))
    assert len(blocks) == len(batch.y) // CLASSES
    for block in blocks:
        assert sorted(block.target[0, :CLASSES, 0]) == [0, 1, 2]
        assert not block.learn[:2].any()
        assert not block.learn[:, CLASSES:].any()
        for stream in range(CLASSES):
            n, = np.flatnonzero((batch.x == block.x[:, stream]).all((1, 2)))
            assert block.target[0, stream, 0] == batch.y[n]
            assert np.flatnonzero(block.learn[:, stream]).tolist() == list(range(2, batch.lengths[n]))


def test_messages_too_fine_for_the_rates_get_coarser(own):
    case = flow.prepare(own)
    for given, kept in ((8, 8), (9, 9), (10, 9), (14, 9)):
        fmt = QFormat(0, given)
        below, top = case.net.layers
        net = replace(case.net, layers=(replace(below, rate=fmt), replace(top, operand=fmt)))
        found = adaptation.adaptive(replace(case, net=net))
        assert found.layers[0].rate == found.layers[1].operand == QFormat(0, kept)
        assert found.layers[1].plastic.halvings == 7
    alone = replace(case.net, layers=(replace(case.net.layers[0], operand=QFormat(1, 12)),))
    with pytest.raises(ValueError, match=r"^own: inputs of Q1.12 are too fine .*: leadlag quantize NET --bits 10$"):
        adaptation.adaptive(replace(case, net=alone))


def test_more_classes_than_streams(own):
    case = flow.prepare(saved(None, 20))
    assert adaptation.adaptive(case).teacher.streams == 32


def test_what_cannot_be_learnt_again(own):
    arrays = dict(np.load("own.npz"))
    np.savez("some.npz", **arrays | {"y_test": np.where(arrays["y_test"] == 2, 0, 1), "y_train": arrays["y_train"] % 2})
    np.savez("real.npz", **arrays | {f"y_{split}": np.eye(3)[arrays[f"y_{split}"]] for split in ("train", "test")})
    for data, said in (("some.npz", "own has 3 outputs, some has 2 classes"),
                       ("real.npz", "real has targets, not classes"), ("mnist1d", "own has 3 outputs, mnist1d has 10")):
        with pytest.raises(ValueError, match=said):
            adaptation.adapt(own, data=data, samples=10, on_board=0, console=notes)
    with pytest.raises(ValueError, match="own does not say what data it is for: give --data"):
        adaptation.adapt(saved(None, CLASSES), samples=10, on_board=0, console=notes)
