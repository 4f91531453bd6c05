"""A network and a data set of other sizes: one line, exit code 2, in every command that brings the two together."""

import sys

import numpy as np
import pytest

from golden.data import sets
from golden.data.mnist1d import ANSWER_FROM
from golden.fixed import QFormat
from golden.rate.trained import FloatLayer, FloatNetwork
from golden.spiking.codes import LatencyCode
from golden.spiking.layer import SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.trained import SpikingTrained
from golden.tasks import learning as tasks
from leadlag import flow
from leadlag.cli import main


def rate(folder, inputs, outputs, **training):
    layer = FloatLayer(weight=np.ones((outputs, inputs)), bias=np.zeros(outputs), tau_m=np.ones(outputs),
                       tau_r=np.ones(outputs), activation="linear")
    path = folder / "net.safetensors"
    FloatNetwork(name="net", dt=0.2, layers=(layer,), training=training).save(path)
    return path


def spikes(folder, inputs, outputs, **training):
    layer = SpikingLayer(inputs=inputs, outputs=outputs, weight=QFormat(1, 4), delay_bits=3, state=QFormat(6, 6),
                         leak=(3,), threshold=64)
    net = SpikingNetwork(name="net", ticks=6, layers=(layer,), code=LatencyCode(bins=4))
    zero = np.zeros((outputs, inputs))
    path = folder / "net.safetensors"
    SpikingTrained(net=net, delays=(zero,), weights=(zero,), training=training).save(path)
    return path


def said(monkeypatch, capsys, folder, *words):
    """What a command that has to end with exit code 2 says."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["leadlag", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    text = capsys.readouterr().err
    assert ended.value.code == 2, text
    assert text.count("\n") == 1, text
    assert sorted(path.name for path in folder.iterdir()) in (["net.safetensors"], ["build", "net.safetensors"])
    assert not [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".npz", ".safetensors")]
    return text


#: commands, those that take --data and those that go by what the network says it has learnt
COMMANDS = {"evaluate": ("evaluate", "NET"), "simulate": ("simulate", "NET"), "run": ("run", "NET", "--port", "sim"),
            "demo": ("demo", "--network", "NET"), "adapt": ("adapt", "NET")}
SIZES = (((1, 5), "net has 5 outputs, mnist1d has 10 classes"), ((1, 12), "net has 12 outputs, mnist1d has 10 classes"),
         ((2, 10), "net takes 2 inputs, mnist1d has 1 channels"))


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("command", COMMANDS)
def test_sequences(command, asked, tmp_path, monkeypatch, capsys):
    if asked and command in ("demo", "adapt"):
        return
    pytest.importorskip("mnist1d")
    monkeypatch.setattr("golden.data.mnist1d._make_mnist1d",
                        lambda: pytest.fail("data are made for a network that they do not fit"))
    for sizes, message in SIZES:
        path = rate(tmp_path, *sizes, **{} if asked else {"data": "mnist1d train"})
        words = [str(path) if word == "NET" else word for word in COMMANDS[command]]
        assert message in said(monkeypatch, capsys, tmp_path, *words, *(("--data", "mnist1d") if asked else ()))


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("command", ["evaluate", "simulate", "run"])
def test_images(command, asked, tmp_path, monkeypatch, capsys):
    for (inputs, outputs), data, message in (
            ((64, 12), "digits", "net has 12 outputs, digits has 10 classes"),
            ((64, 5), "digits", "net has 5 outputs, digits has 10 classes"),
            ((784, 10), "digits", "net takes 784 inputs, digits has 64 pixels"),
            ((64, 10), "fashion-mnist", "net takes 64 inputs, fashion-mnist has 784 pixels")):
        path = spikes(tmp_path, inputs, outputs, **{} if asked else {"data": f"{data} train"})
        words = [str(path) if word == "NET" else word for word in COMMANDS[command]]
        assert message in said(monkeypatch, capsys, tmp_path, *words, *(("--data", data) if asked else ()))


def test_what_needs_no_data_goes_on(tmp_path):
    """Words and bitstreams of a network do not depend on what it says it has learnt."""
    case = flow.prepare(str(rate(tmp_path, 1, 12, data="mnist1d train")))
    assert flow.write_words(case.net, case.params, tmp_path / "rate")
    case = flow.prepare(str(spikes(tmp_path, 64, 12, data="digits train")))
    assert flow.write_words(case.net, case.params, tmp_path / "spiking")


def test_sizes_of_the_data_are_those_that_are_said():
    pytest.importorskip("mnist1d")
    for data in (sets.SETS["mnist1d"], sets.SETS["digits"]):
        found = data.load("test")
        assert (found.x.shape[-1], set(found.y)) == (data.inputs, set(range(data.classes)))


def test_sequences_of_which_no_tick_counts(tmp_path):
    case = flow.prepare(str(rate(tmp_path, 1, 10)), data="mnist1d")
    assert case.net.answers(np.ones((2, ANSWER_FROM + 1, 10)), ANSWER_FROM).label.shape == (2,)
    with pytest.raises(ValueError, match=f"no tick counts: answers are summed from tick {ANSWER_FROM} on"):
        case.net.answers(np.ones((2, ANSWER_FROM, 10)), ANSWER_FROM)
    with pytest.raises(ValueError, match=f"sequences of {ANSWER_FROM} ticks: answers count from tick"):
        tasks.mnist1d_accuracy(np.ones((ANSWER_FROM, 2, 10)), np.zeros(2))
    rates = pytest.importorskip("golden.train.rates")
    import torch
    layers = [rates.Layer(*(torch.ones(*shape) for shape in ((10, 1), (10,), (10,), (10,))), "linear")]
    for ticks in (0, ANSWER_FROM):
        with pytest.raises(ValueError, match=f"sequences of {ticks} ticks: answers count from tick {ANSWER_FROM} on"):
            rates.evaluate_float(layers, np.ones((2, ticks)), answer_from=ANSWER_FROM)
