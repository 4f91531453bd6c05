"""The command in a process of its own: help, lists, files, and streams that take no text or no more of it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from golden.image import Image
from golden.rate.network import Network
from leadlag import flow

ROOT = Path(__file__).resolve().parent.parent.parent


def leadlag(*arguments, cwd=None, stdout=subprocess.PIPE, **environment):
    words = [arg if isinstance(arg, bytes) else str(arg) for arg in arguments]
    return subprocess.run([sys.executable, "-c", "from leadlag.cli import main; main()", *words], cwd=cwd,
                          env=os.environ | {"PYTHONPATH": str(ROOT)} | environment, stdout=stdout,
                          stderr=subprocess.PIPE, text=True, check=False, timeout=600)


def refused(*arguments, cwd=None, code=2, **options):
    done = leadlag(*arguments, cwd=cwd, **options)
    assert done.returncode == code, done.stderr
    # a slow machine has said before that it is at work
    said = [line for line in done.stderr.splitlines() if not line.endswith(" s)")]
    assert len(said) == 1, done.stderr
    assert said[0].startswith("leadlag: ")
    return said[0]


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
    rows = json.loads(leadlag("boards", "--for", "cascade-digits", "--json").stdout)["boards"]
    assert {row["board"]: row["lanes"] for row in rows if row["fits"]} | {"icebreaker": None} == {
        name: flow.prepare("cascade-digits", name).net.lanes if name != "icebreaker" else None for name in flow.BOARDS}
    assert next(row["short"] for row in rows if not row["fits"]).endswith("LUTs, of which 3660 route well")
    rows = json.loads(leadlag("boards", "--for", "delays-digits", "--board", "icebreaker", "--json").stdout)["boards"]
    assert [(row["board"], row["lanes"]) for row in rows] == [("icebreaker", 18)]
    rows = json.loads(leadlag("boards", "--board", "icebreaker", "--json").stdout)["boards"]
    assert [row["network"] for row in rows] == list(flow.zoo())
    assert {row["network"] for row in rows if row["fits"]} == {"delays-digits", "delays-fashion-256"}
    found = leadlag("boards", "--for", "delays-digits", "--board", "tang-nano-9k", "--board", "ulx3s-12f", "--with",
                    "+rom", "--json").stdout
    assert [(row["board"], row["fits"]) for row in json.loads(found)["boards"]] == [("tang-nano-9k+rom", False),
                                                                                    ("ulx3s-12f+rom", True)]
    assert "gle-mnist1d" in leadlag("networks").stdout
    assert "mnist1d" in leadlag("datasets").stdout


def test_streams_that_lack_letters(tiny, tmp_path):
    """What ASCII has not, and bytes that are no text, are shown as escapes; the files have their names."""
    done = leadlag("quantize", tiny, "--out", "gr\u00fcn", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "written: gr\\xfcn/network.json, " in done.stdout
    assert (tmp_path / "gr\u00fcn" / "network.json").is_file()
    assert "no network 'gr\\xfcn'" in refused("quantize", "gr\u00fcn", PYTHONIOENCODING="ascii")
    assert "no\\udcff.safetensors: no such file" in refused("quantize", b"no\xff.safetensors", cwd=tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_stream_that_takes_no_more():
    with open("/dev/full", "w", encoding="utf-8") as full:
        # what the buffer still holds must not fail once more as Python ends
        said = refused("boards", stdout=full, PYTHONUNBUFFERED="")
    assert said == "leadlag: standard output: No space left on device"


@pytest.mark.parametrize(("size", "name"), [(1024, "network.json"), (80_000, "parameters.safetensors")])
def test_a_full_disk_is_one_line(size, name, tmp_path):
    """No file may grow beyond `size`: what is found before or while writing names the file, and leaves none."""
    script = (f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); "
              "from leadlag.cli import main; main()")
    done = subprocess.run([sys.executable, "-c", script, "quantize", "gle-mnist1d-42k", "--out", "here"], cwd=tmp_path,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr == f"leadlag: here/{name} cannot be written: File too large\n"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_quantize_writes_what_can_be_read_again(tiny, tmp_path):
    done = leadlag("quantize", tiny, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^ulx3s-85f: \d+ of 208 block RAMs, \d+ of 156 multipliers, about [\d,]+ of 83,640 LUTs$",
                     done.stdout, re.MULTILINE)
    done = leadlag("quantize", "gle-mnist1d", "--board", "ulx3s-25f", "--out", tmp_path / "half")
    assert re.search(r"^ulx3s-25f: 35 of 56 block RAMs, .* LUTs, with one half of parameters$", done.stdout, re.M)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["network.json", "parameters.image",
                                                                   "parameters.safetensors"]
    net = Network.load(tmp_path / "out" / "network.json")
    image = Image.load(tmp_path / "out" / "parameters.image")
    image.check(net)
    assert image.fingerprint == net.fingerprint


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
