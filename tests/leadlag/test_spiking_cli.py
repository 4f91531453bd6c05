"""The commands on spiking networks: the small one of the zoo, and bad input as one line with exit code 2."""

import pytest
from test_cli import leadlag

from golden.image import Image, image_params
from golden.spiking.network import SpikingNetwork

NAME = "delays-digits"


def test_lists():
    assert NAME in leadlag("networks").stdout
    assert "fashion-mnist" in leadlag("datasets").stdout
    assert "iCE40HX8K" in leadlag("boards").stdout


def test_quantize(tmp_path):
    done = leadlag("quantize", NAME, "--board", "ice40-hx8k", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3,552 synapses" in done.stdout
    net = SpikingNetwork.load(tmp_path / "network.json")
    assert [layer.lanes for layer in net.layers] == [8, 10]
    assert len(image_params(Image.load(tmp_path / "parameters.image"), net)) == 2


def test_evaluate_without_the_circuit():
    pytest.importorskip("sklearn")
    done = leadlag("evaluate", NAME, "--no-rtl", "-n", 100)
    assert done.returncode == 0, done.stderr
    assert "integers (golden)" in done.stdout
