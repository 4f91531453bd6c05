"""Programs of others: how they are run, what a failure says, who ends them, and the locks between processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from golden import programs
from golden.programs import BuildError, ToolError, build_once, descendants, exclusive, first_error, run

ROOT = Path(__file__).resolve().parent.parent.parent


def python(code, *arguments):
    return [sys.executable, "-c", code, *map(str, arguments)]


def test_output_comes_back_as_text():
    assert run(python("print('a'); import sys; print('b', file=sys.stderr)")).stdout == "a\n"


def test_failure_says_the_first_error():
    code = "import sys; print('note', file=sys.stderr); print('x.v:3: error: no', file=sys.stderr); sys.exit(3)"
    with pytest.raises(BuildError, match="^tool failed with exit status 3: x.v:3: error: no$"):
        run(python(code), name="tool")
    assert run(python(code), check=False).returncode == 3


@pytest.mark.parametrize(("texts", "line"), [
    (("a\nb\n", "c"), "c"), (("", None, "one\n"), "one"), (("", ""), "no message"), (("x\nError: y\nz",), "Error: y")])
def test_first_error(texts, line):
    assert first_error(*texts) == line


def test_missing_program():
    with pytest.raises(ToolError, match="^nothing cannot be started: No such file or directory$"):
        run(["/no/such/nothing"])


#: dies by the signal of its second argument until the file of its first is so many bytes long
DIES = ("import os, sys; f = open(sys.argv[1], 'a'); f.write('x'); f.close();"
        "os.kill(os.getpid(), int(sys.argv[2])) if os.path.getsize(sys.argv[1]) <= int(sys.argv[3]) else print('well')")


def test_death_by_a_signal_is_tried_once_more(tmp_path):
    tries = tmp_path / "tries"
    assert run(python(DIES, tries, signal.SIGBUS.value, 1)).stdout == "well\n"
    assert tries.read_text() == "xx"


def test_death_by_a_signal_is_named(tmp_path):
    tries = tmp_path / "tries"
    with pytest.raises(BuildError, match="^yosys died of SIGBUS twice$"):
        run(python(DIES, tries, signal.SIGBUS.value, 9), name="yosys")
    assert tries.read_text() == "xx"
    with pytest.raises(BuildError, match=r"^yosys died of SIGKILL \(out of memory\?\) twice$"):
        run(python(DIES, tries, signal.SIGKILL.value, 9), name="yosys")


def test_who_was_told_to_end_is_not_tried_again(tmp_path):
    tries = tmp_path / "tries"
    with pytest.raises(BuildError, match="^tool died of SIGTERM$"):
        run(python(DIES, tries, signal.SIGTERM.value, 9), name="tool")
    assert tries.read_text() == "x"


def test_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "")
    monkeypatch.setattr(programs.shutil, "which", lambda program: None)
    with pytest.raises(ToolError, match="a C\\+\\+ compiler is missing: install g\\+\\+ or clang, or set CXX"):
        programs.compiler()
    monkeypatch.setenv("CXX", "clang-99")
    monkeypatch.setattr(programs.shutil, "which", lambda program: f"/bin/{program}")
    assert programs.compiler() == "clang-99"


def test_descendants():
    nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen(python(nested), stdin=subprocess.PIPE) as child:
        wait_for(lambda: len(descendants(child.pid)) == 1)
        assert child.pid in descendants(os.getpid())
        assert descendants(child.pid)[0] in descendants(os.getpid())
        child.stdin.close()


def test_exclusive_between_processes(tmp_path):
    code = ("import sys, time; sys.path.insert(0, sys.argv[2])\n"
            "from pathlib import Path; from golden.programs import exclusive\n"
            "with exclusive(Path(sys.argv[1])):\n"
            "    Path(sys.argv[1], 'held').write_text('')\n"
            "    time.sleep(0.5)\n"
            "    Path(sys.argv[1], 'held').unlink()")
    with subprocess.Popen(python(code, tmp_path, ROOT)) as child:
        wait_for((tmp_path / "held").exists)
        with exclusive(tmp_path):
            assert not (tmp_path / "held").exists()
    assert child.returncode == 0
    assert list(tmp_path.iterdir()) == [], "the lock takes no file"


#: a command as ours are: a tool in a thread, a temporary folder, another tool in the main thread
COMMAND = """
import sys, tempfile, threading; sys.path.insert(0, sys.argv[2])
from concurrent.futures import ThreadPoolExecutor
from golden.programs import end_on_signals, run
end_on_signals()
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
deep = ["sh", "-c", '"$0" -c "import time; time.sleep(60)"; true', sys.executable]
def work():
    with tempfile.TemporaryDirectory(dir=sys.argv[1]):
        run(deep)
with ThreadPoolExecutor(1) as pool, tempfile.TemporaryDirectory(dir=sys.argv[1]):
    pool.submit(work)
    run(sleep)
"""


BUILD = """
import os, sys, time
from pathlib import Path
from golden.programs import build_once
def make(folder):
    (folder / "x").write_text("whole")
    with open(sys.argv[2], "a") as log:
        print("built", file=log)
    time.sleep(0.5)
    return folder / "x"
build_once(Path(sys.argv[1], "deep", "target"), make)
"""


def test_processes_build_a_thing_once(tmp_path):
    children = [subprocess.Popen(python(BUILD, tmp_path, tmp_path / "log"), cwd=ROOT) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert (tmp_path / "deep" / "target").read_text() == "whole"
    assert (tmp_path / "log").read_text() == "built\n"
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"target", ".target.lock"}
    with pytest.raises(ZeroDivisionError):
        build_once(tmp_path / "other", lambda folder: 1 / 0)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_leave_nothing_behind(tmp_path, name):
    with subprocess.Popen(python(COMMAND, tmp_path, ROOT), stderr=subprocess.PIPE, text=True) as child:
        wait_for(lambda: len(descendants(child.pid)) == 3)
        started = descendants(child.pid)
        assert len(list(tmp_path.iterdir())) == 2
        child.send_signal(getattr(signal, name))
        child.wait(10)
        assert child.returncode == 128 + getattr(signal, name)
        assert "Traceback" not in child.stderr.read()
    wait_for(lambda: not any(Path(f"/proc/{process}").exists() for process in started))
    assert list(tmp_path.iterdir()) == []


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)
