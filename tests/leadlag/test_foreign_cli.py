"""`leadlag import`, `export` and `raster` as commands: files that other commands take, and errors in one line."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from test_cli import leadlag, refused

from golden.nir.graph import Graph
from golden.nir.neurons import IF, LI, LIF, Delay
from golden.nir.nodes import Input, Linear, Output
from golden.nir.read import load
from golden.nir.write import write
from leadlag.foreign import step_of


def graph(neurons=None) -> Graph:
    rng = np.random.default_rng(0)
    nodes = {"input": Input((6,)), "w": Linear(rng.integers(-2, 5, (9, 6))),
             "n": neurons or IF(np.ones(9), np.full(9, 3.5)), "wait": Delay(rng.integers(1, 9, 9) * 1e-3),
             "back": Linear(rng.integers(-2, 2, (9, 9))), "output": Output((9,))}
    way = [("input", "w"), ("w", "n"), ("n", "output"), ("n", "wait"), ("wait", "back"), ("back", "n")]
    return Graph(nodes, way)


def test_export(tmp_path):
    done = leadlag("export", "delays-digits", "--out", tmp_path / "x.nir", "--dt", "0.001")
    assert done.returncode == 0, done.stderr
    assert "written: " in done.stdout
    assert len(load(tmp_path / "x.nir").nodes) == 70
    assert "dt 0.001: as given" in done.stdout


@pytest.mark.parametrize(("arguments", "said"), [
    (["delays-digits", "--for", "norse"], "node synapses_0_1_delay (Delay): Norse puts nothing in its place"),
    (["gle-mnist1d"], "gle-mnist1d: NIR has no nodes for what networks of this kind do (rate)"),
    (["delays-digits", "--for", "risp", "--dt", "1"], "--dt: only for NIR"),
    (["delays-digits", "--dt", "0.001", "--for", "snntorch"], "")])
def test_exports_that_are_refused(arguments, said, tmp_path):
    assert said in refused("export", *arguments, "--out", tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_import(tmp_path):
    write(tmp_path / "My Net.nir", graph())
    done = leadlag("import", "My Net.nir", "--dt", "0.001", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for said in ("exact", "dt 0.001: as given", "reset v_reset", "node n (IF): r is that of a step",
                 "my-net: 9 neurons", "drawn spikes"):
        assert said in done.stdout, said
    assert "next: leadlag evaluate build/my-net/network.safetensors" in done.stderr
    found = "build/my-net/network.safetensors"
    done = leadlag("evaluate", found, "--no-rtl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "integers (golden)" in done.stdout
    x = (np.random.default_rng(1).random((2, 30, 6)) < 0.3).astype(np.int8)
    np.savez(tmp_path / "x.npz", x=x)
    done = leadlag("raster", found, "x.npz", "--out", "y.npz", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "y.npz") as file:
        y = file["y"]
    assert y.shape == (2, 30, 9)
    np.savez(tmp_path / "xy.npz", x=x, y=y)
    np.savez(tmp_path / "z.npz", z=x)
    assert "z.npz: there is no x, but z" in refused("raster", found, "z.npz", cwd=tmp_path)
    assert "100.0000% of y are equal" in leadlag("raster", found, "xy.npz", cwd=tmp_path).stdout
    again = leadlag("export", found, "--out", "again.nir", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "dt 0.001: as given" in again.stdout
    assert "dt 0.5: as given" in leadlag("export", found, "--out", "other.nir", "--dt", "0.5", cwd=tmp_path).stdout
    assert leadlag("import", "again.nir", "--dt", "0.001", cwd=tmp_path).returncode == 0


def test_an_export_says_what_a_word_of_a_line_is(tmp_path):
    write(tmp_path / "x.nir", graph())
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).integers(-3, 4, (4, 30, 6)) * 0.25)
    assert leadlag("import", "x.nir", "--dt", "0.001", "--calibrate", "x.npz", cwd=tmp_path).returncode == 0
    said = leadlag("export", "build/x/network.safetensors", "--out", "y.nir", cwd=tmp_path).stdout
    assert "lines carry words of 0.00590551181: divide by it what enters" in said       # 0.75 / 127


@pytest.mark.parametrize("kept", ["1e-3", True, 0, -1, float("inf"), None])
def test_a_step_that_is_none_is_not_taken(kept):
    trained = SimpleNamespace(training={"dt": kept})
    assert step_of(trained) == step_of(SimpleNamespace(training={})) == 1e-4


def test_the_step_of_snntorch_is_its_own():
    trained = SimpleNamespace(training={"dt": 1e-3})
    assert (step_of(trained), step_of(trained, "snntorch")) == (1e-3, 1e-4)


@pytest.mark.parametrize(("neurons", "options", "said"), [
    (None, [], "x.nir: dt is needed, seconds of a tick: nothing in the graph implies it"),
    (LI(1e-4, 1, 0), ["--dt", "0.001"], "x.nir: node n (LI): tau is 0.0001, below dt = 0.001"),
    (LIF(0.01, 1, 0, 1), ["--dt", "1"], "x.nir: node n (LIF): tau is 0.01, below dt = 1"),
    (None, ["--dt", "0.001", "--bits", "99"], "--bits"), (None, ["--format", "risp"], "x.nir: the network is not JSON"),
    (None, ["--format", "risp", "--dt", "1"], "--dt: only for NIR"), (None, ["--dt", "0.001", "--name", "A b"], "name"),
    (None, ["--dt", "0.001", "--calibrate", "none.npz"], "none.npz: no such file")])
def test_imports_that_are_refused(neurons, options, said, tmp_path):
    write(tmp_path / "x.nir", graph(neurons))
    assert said in refused("import", "x.nir", *options, cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["x.nir"]


def test_a_part_that_is_too_small(tmp_path):
    """Which resource, how much of it is needed, and how much there is."""
    nodes = {"input": Input((400,)), "w": Linear(np.arange(120_000).reshape(300, 400) % 7 - 2.0),
             "n": IF(1.0, 99.5), "output": Output((300,))}
    write(tmp_path / "wide.nir", Graph(nodes, [("input", "w"), ("w", "n"), ("n", "output")]))
    said = refused("import", "wide.nir", "--dt", "0.001", "--board", "ice40-hx8k", cwd=tmp_path)
    assert re.search(r"wide has 120,000 synapses, which do not fit: .*block RAMs: \d+ needed, 30 available", said)
    assert not (tmp_path / "build").exists()
