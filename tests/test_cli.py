"""The command: help, tables, and every bad input as one line with exit code 2 and nothing half-written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from golden.image import Image
from golden.network import Network

ROOT = Path(__file__).resolve().parent.parent


def leadlag(*arguments, cwd=None):
    return subprocess.run([sys.executable, "-c", "from leadlag.cli import main; main()", *map(str, arguments)], cwd=cwd,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
                          timeout=600)


def refused(*arguments, cwd=None, code=2):
    done = leadlag(*arguments, cwd=cwd)
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("leadlag: ")
    return done.stderr


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A network 1-4-10 as training would leave it."""
    rng, sizes, path = np.random.default_rng(0), (1, 4, 10), tmp_path_factory.mktemp("net") / "tiny.safetensors"
    tensors = {}
    for n, (i, o) in enumerate(zip(sizes, sizes[1:], strict=False)):
        tensors |= {f"layers.{n}.weight": rng.normal(0, 1, (o, i)).astype(np.float32),
                    f"layers.{n}.bias": np.zeros(o, np.float32), f"layers.{n}.tau_m": np.ones(o, np.float32),
                    f"layers.{n}.tau_r": np.full(o, 0.2, np.float32)}
    save_file(tensors, path, {"network": json.dumps({"name": "tiny", "dt": 0.2, "activations": ["linear", "tanh"]})})
    return path


def test_help_and_lists():
    assert "from torch to a bitstream" in leadlag("--help").stdout
    assert "ulx3s-85f" in leadlag("boards").stdout
    assert "gle-mnist1d" in leadlag("networks").stdout
    assert "mnist1d" in leadlag("datasets").stdout


def test_quantize_writes_what_can_be_read_again(tiny, tmp_path):
    done = leadlag("quantize", tiny, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["network.json", "parameters.image",
                                                                   "parameters.safetensors"]
    net = Network.load(tmp_path / "out" / "network.json")
    image = Image.load(tmp_path / "out" / "parameters.image")
    image.check(net)
    assert image.fingerprint == net.fingerprint


@pytest.mark.parametrize(("arguments", "message"), [
    (("quantize", "nothing"), "no network 'nothing': there is gle-mnist1d, gle-mnist1d-42k"),
    (("quantize", "no/such.safetensors"), "no such file"),
    (("train", "nothing"), "no network 'nothing'"),
    (("evaluate", "{tiny}", "--data", "mnist1d", "-n", "0"), "has 1 to 1000 sequences, not 0"),
    (("evaluate", "{tiny}", "--split", "train"), "is not one of"),
    (("evaluate", "gle-mnist1d", "--split", "held_out"), "gle-mnist1d has learnt the held-out sequences too"),
    (("simulate", "{tiny}"), "tiny does not say what data it is for: give --data, one of mnist1d"),
    (("quantize", "{tiny}", "--board", "nexys"), "no board 'nexys': there is ulx3s-12f"),
    (("run", "{tiny}", "--port", "sim", "--data", "cifar"), "no data set 'cifar': there is mnist1d"),
    (("load", "{tiny}", "--port", "/dev/nothing"), "no port /dev/nothing"),
    (("build", "{tiny}", "--clock", "900"), "a PLL makes"),
    (("bench", "nothing"), "no group 'nothing'"),
    (("nothing",), "No such command"),
])
def test_bad_input_is_one_line(arguments, message, tiny, tmp_path):
    said = refused(*(str(a).format(tiny=tiny) for a in arguments), cwd=tmp_path)
    assert message in said
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".npz"]


def test_a_file_that_is_cut_or_has_nan(tiny, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(tiny.read_bytes()[:-5])
    assert "not a safetensors file" in refused("quantize", cut)
    with safe_open(tiny, framework="numpy") as file:
        head, tensors = file.metadata(), {key: file.get_tensor(key) for key in list(file.keys())}
    tensors["layers.1.weight"][2, 1] = np.nan
    save_file(tensors, cut, head)
    assert "layer 1: weight[2, 1] is nan, not a finite number" in refused("quantize", cut)
    tensors["layers.1.weight"][2, 1] = 0
    save_file(tensors, cut, {"network": json.dumps({"name": ["a"], "dt": 0.2, "activations": ["linear", "tanh"]})})
    assert "cut.safetensors: name must be a text, not ['a']" in refused("quantize", cut)
    save_file(tensors, cut, {"network": json.dumps({"name": "tiny", "dt": 0.2, "activations": ["linear"]})})
    assert "8 tensors for 1 activations, 4 expected" in refused("quantize", cut)


def test_a_network_too_large_for_a_board(tmp_path):
    sizes, tensors, path = (20, 20, 20, 20, 20, 20, 20, 20), {}, tmp_path / "big.safetensors"
    for n, (i, o) in enumerate(zip(sizes, sizes[1:], strict=False)):
        tensors |= {f"layers.{n}.weight": np.ones((o, i), np.float32)} | {
            f"layers.{n}.{t}": np.ones(o, np.float32) for t in ("bias", "tau_m", "tau_r")}
    save_file(tensors, path, {"network": json.dumps({"name": "big", "dt": 1.0, "activations": ["tanh"] * 7})})
    assert "block RAMs, ulx3s-12f" in refused("build", path, "--board", "ulx3s-12f", cwd=tmp_path)


def test_missing_tool_is_one_line(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("YOSYS", "/nothing/yosys")
    assert "yosys" in refused("build", tiny, cwd=tmp_path)
    assert not (tmp_path / "build" / "tiny").exists() or not list((tmp_path / "build" / "tiny").iterdir())


def test_learn_writes_what_was_learnt(tmp_path):
    done = leadlag("learn", "lagline", "--no-rtl", "--seed", 3, "--out", "here", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with safe_open(tmp_path / "here" / "parameters.safetensors", framework="numpy") as file:
        net = Network.from_json(file.metadata()["network"])
        tau = [file.get_tensor(f"layers.{n}.tau")[0] * layer.plastic.tau.lsb for n, layer in enumerate(net.layers)]
    assert np.abs(np.array(tau) / (100, 200) - 1).max() < 0.03


def test_learn_refuses(tmp_path):
    assert "no sequences to hold out" in refused("learn", "lagline", "--hold-out", "--no-rtl", cwd=tmp_path)
    assert "xor" in refused("learn", "xor", cwd=tmp_path)
    assert not list(tmp_path.iterdir())
