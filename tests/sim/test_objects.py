"""Objects of Verilator's runtime: compiled once, whatever is not the same is compiled again."""

import os
import shlex
import subprocess
import sys

import pytest

from sim.objects import launcher


@pytest.fixture
def runtime(tmp_path):
    """A folder of sources, and a compiler that notes its calls and copies its last argument."""
    folder = tmp_path / "its include"
    folder.mkdir()
    (folder / "verilated_config.h").write_text("version 1")
    (folder / "verilated.cpp").write_text("int a;")
    (tmp_path / "verilated.cpp").write_text("int circuit;")
    compiler = tmp_path / "compiler"
    compiler.write_text(f"""#!/bin/sh
[ "$1" = --version ] && echo one && exit
echo "$@" >> {shlex.quote(str(tmp_path))}/calls
for last; do :; done
grep -q broken "$last" && exit 3
while [ "$1" != -o ]; do shift; done
cp "$last" "$2"
""")
    compiler.chmod(0o755)
    return folder


def compiled(runtime, *options, source=None):
    """Exit status, calls so far, and the object."""
    place = runtime.parent
    variables = launcher(place / "objects")
    done = subprocess.run([*shlex.split(variables["OBJCACHE"]), str(place / "compiler"), *options, "-c", "-o", "a.o",
                           str(source or runtime / "verilated.cpp")], cwd=place, env=os.environ | variables)
    calls = len((place / "calls").read_text().splitlines())
    return done.returncode, calls, (place / "a.o").read_text() if (place / "a.o").exists() else None


def test_compiled_once(runtime):
    assert compiled(runtime, "-O0") == compiled(runtime, "-O0") == (0, 1, "int a;")
    assert compiled(runtime, "-O1") == (0, 2, "int a;")
    (runtime / "verilated.cpp").write_text("int b;")
    assert compiled(runtime, "-O0") == (0, 3, "int b;")
    (runtime / "verilated_config.h").write_text("version 2")
    assert compiled(runtime, "-O0") == (0, 4, "int b;")


def test_a_circuit_is_always_compiled(runtime):
    for calls in (1, 2):
        assert compiled(runtime, source=runtime.parent / "verilated.cpp") == (0, calls, "int circuit;")
    # and what has no path: it is found in the folder of the circuit
    assert compiled(runtime, source="verilated.cpp") == (0, 3, "int circuit;")


def test_what_fails_is_not_kept(runtime):
    (runtime / "verilated.cpp").write_text("broken")
    assert [compiled(runtime)[:2] for _ in range(2)] == [(3, 1), (3, 2)]
    assert not list((runtime.parent / "objects").glob("*.o"))


def test_a_cache_of_the_user_is_used(monkeypatch, tmp_path):
    assert shlex.split(launcher(tmp_path)["OBJCACHE"])[0] == sys.executable
    monkeypatch.setenv("OBJCACHE", "ccache")
    assert launcher(tmp_path)["OBJCACHE"] == "ccache"
