"""The tool chain: which program is taken, first use of WebAssembly, yosys as a library."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from golden import tools
from golden.programs import BuildError, ToolError
from golden.tools import ICEPACK, YOSYS, Tool, locate, yosys

ROOT = Path(__file__).resolve().parent.parent.parent
#: as YoWASP does it: a cache file written in place on first use, and read on every later one
FIRST_USE = """#!{python}
import os, pathlib, sys, time
cache = pathlib.Path(os.environ["YOWASP_CACHE_DIR"], "yowasp_fake", "fake.wasm", "0123")
with open({calls!r}, "a") as calls:
    calls.write("warm\\n" if cache.exists() else "compile\\n")
if cache.exists():
    assert cache.read_text() == "compiled" * 1000, "somebody is writing it"
else:
    cache.parent.mkdir(parents=True)
    with cache.open("w") as file:
        for _ in range(10):
            file.write("compiled" * 100)
            file.flush()
            time.sleep(0.02)
print("Fake Version 1.5")
"""
FAKE = Tool("FAKE", "no-such-native-fake", (1,), "fake", "yowasp-fake")


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def fresh():
    """What was found before says nothing of a test's own programs."""
    tools._locate.cache_clear()
    yield
    tools._locate.cache_clear()


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """A YoWASP program on the PATH, its calls, and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    calls = tmp_path / "calls"
    program(folder / "yowasp-fake", FIRST_USE.format(python=sys.executable, calls=str(calls)))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / "cache"))
    return calls


def test_first_use_is_made_once_and_alone(fake, tmp_path):
    code = ("import sys; sys.path.insert(0, sys.argv[1]); from golden.tools import Tool, locate\n"
            "print(locate(Tool('FAKE', 'no-such-native-fake', (1,), 'fake', 'yowasp-fake')).version)")
    children = [subprocess.Popen([sys.executable, "-c", code, str(ROOT)], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True) for _ in range(5)]
    for child in children:
        assert child.communicate() == ("Fake Version 1.5\n", "")
    assert fake.read_text().splitlines() == ["compile"] + ["warm"] * 5
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["leadlag", "yowasp_fake"]


def test_another_file_in_the_cache_is_first_use_again(fake, tmp_path):
    found = locate(FAKE)
    assert found.environment == {"YOWASP_CACHE_DIR": str(tmp_path / "cache")}
    (tmp_path / "cache" / "yowasp_fake" / "fake.wasm" / "0123").write_text("half")
    tools._locate.cache_clear()
    assert locate(FAKE).version == "Fake Version 1.5"
    assert fake.read_text().splitlines() == ["compile", "warm"] * 2


@pytest.mark.parametrize("text", ["", "[]", '{"gone": [1, 2]}', "7"])
def test_damaged_stamp(fake, tmp_path, text):
    locate(FAKE)
    stamp, = (tmp_path / "cache" / "leadlag").iterdir()
    assert json.loads(stamp.read_text())
    stamp.write_text(text)
    tools._locate.cache_clear()
    locate(FAKE)
    assert fake.read_text().splitlines() == ["compile", "warm"] * 2


def test_cache_that_cannot_be_written(fake, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(ToolError, match=f"^the tools keep what they compile in {tmp_path}/file/cache, which cannot be "
                                        "written .Not a directory.: set YOWASP_CACHE_DIR to another folder$"):
        locate(FAKE)


def test_home_that_cannot_be_written(fake, monkeypatch, tmp_path):
    """The current folder serves instead."""
    (tmp_path / "file").write_text("")
    for variable in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "file" / "home"))
    monkeypatch.delenv("YOWASP_CACHE_DIR")
    monkeypatch.chdir(tmp_path)
    assert locate(FAKE).environment == {"YOWASP_CACHE_DIR": str(tmp_path / "build" / "yowasp")}
    assert fake.read_text().splitlines() == ["compile", "warm"]


def test_program_that_does_not_run(monkeypatch, tmp_path):
    """Its last line is no version."""
    broken = program(tmp_path / "broken", "#!/bin/sh\necho 'PermissionError: [Errno 13]' >&2; exit 1\n")
    monkeypatch.setenv("ICEPACK", str(broken))
    with pytest.raises(ToolError, match=r"^broken does not run: PermissionError: \[Errno 13\]$"):
        locate(ICEPACK)
    useless = program(tmp_path / "yowasp-useless", "#!/bin/sh\necho 'no such module' >&2; exit 1\n")
    monkeypatch.setenv("ICEPACK", str(useless))
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(BuildError, match="^yowasp-useless did not start: its first use left nothing in "):
        locate(ICEPACK)


def test_native_program_new_enough_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for version, native in (("0.23", False), ("0.9+2189", False), ("0.62", True), ("0.100+3", True), ("1.0", True)):
        tools._locate.cache_clear()
        path = program(tmp_path / "yosys", f"#!/bin/sh\necho 'Yosys {version} (git sha1 0)'\n")
        assert (locate(YOSYS).command == (str(path),)) == native, version
    program(tmp_path / "other", "#!/bin/sh\necho 'Yosys 0.1'\n")
    monkeypatch.setenv("YOSYS", "other")
    assert locate(YOSYS) == ((str(tmp_path / "other"),), {}, "Yosys 0.1"), "what is named is taken, however old"


def test_a_variable_may_name_options_too(monkeypatch, tmp_path):
    path = program(tmp_path / "my yosys", "#!/bin/sh\necho 'Yosys 0.7'\n")
    for named, options in ((str(path), ()), (f"'{path}' --quick -n '2 3'", ("--quick", "-n", "2 3"))):
        monkeypatch.setenv("YOSYS", named)
        found = locate(YOSYS)
        assert found.command == (str(path), *options)
        assert found.version == " ".join(["Yosys 0.7", *options]), "a build with other options is another one"
        assert tools.look(YOSYS)[:2] == (found.command, "Yosys 0.7")
    for named in (f"'{path}", f"{path} --quick", " "):
        monkeypatch.setenv("YOSYS", named)
        with pytest.raises(ToolError, match=f"^{named} not found: pip install pyosys, or set YOSYS to the program$"):
            locate(YOSYS)


def test_yosys_writes_what_it_is_told(tmp_path):
    yosys("read_rtlil <<end_of_it\nmodule \\top\nwire input 1 \\a\nend\nend_of_it\nwrite_verilog out.v", tmp_path)
    assert "module top(a)" in (tmp_path / "out.v").read_text()


def test_yosys_names_its_error(tmp_path):
    with pytest.raises(BuildError, match="^yosys failed with exit status 1: ERROR: File `nothing.il' not found"):
        yosys("read_rtlil nothing.il", tmp_path)


def test_yosys_in_a_folder_of_any_name(tmp_path):
    folder = tmp_path / "mit Leerzeichen und Ümlaut"
    folder.mkdir()
    yosys("read_rtlil <<end_of_it\nmodule \\top\nend\nend_of_it\nwrite_verilog out.v", folder)
    assert (folder / "out.v").exists()
