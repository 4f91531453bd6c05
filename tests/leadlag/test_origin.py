"""Files of a user that hide packages of ours: one line that names both, for a script and for the command."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import leadlag
from leadlag import origin

ROOT = Path(__file__).resolve().parent.parent.parent
#: an editable install: packages are looked up by a finder after all of the path
EDITABLE = """
import importlib.util, sys
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in {names}:
            folder = {root!r} + "/" + name
            return importlib.util.spec_from_file_location(name, folder + "/__init__.py",
                                                          submodule_search_locations=[folder])
sys.meta_path.append(Finder)
"""


def python(folder, *arguments, path=str(ROOT)):
    """A Python process in `folder` that does not look into this checkout but by `path`."""
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=os.environ | {"PYTHONPATH": path},
                          capture_output=True, text=True, check=False, timeout=300)


def hide(folder, name, kind) -> Path:
    """Put a file or folder called `name` into `folder`."""
    if kind == "module":
        (folder / f"{name}.py").write_text("x = 1\n")
        return folder / f"{name}.py"
    (folder / name).mkdir()
    if kind == "package":
        (folder / name / "__init__.py").write_text("")
    return folder / name


@pytest.mark.parametrize("name", origin.PACKAGES)
@pytest.mark.parametrize("kind", ["module", "package"])
def test_a_hidden_package_is_named(tmp_path, name, kind):
    hidden = hide(tmp_path, name, kind)
    (tmp_path / "mine.py").write_text("import leadlag\n")
    done = python(tmp_path, "mine.py")
    last = done.stderr.splitlines()[-1]
    assert last == (f"ImportError: {hidden} hides leadlag's own {ROOT / name}: rename it, or run Python from another "
                    f"folder"), done.stderr


@pytest.mark.parametrize("kind", ["module", "package", "folder"])
def test_an_editable_install(tmp_path, kind):
    """There a folder without __init__.py hides a package, too."""
    code = EDITABLE.format(names=("leadlag", *origin.PACKAGES), root=str(ROOT)) + "import leadlag"
    # without `site`, no other install of leadlag is seen
    arguments, path = ("-S", "-c", code), sysconfig.get_path("purelib")
    done = python(tmp_path, *arguments, path=path)
    assert done.returncode == 0, done.stderr
    hidden = hide(tmp_path, "sim", kind)
    done = python(tmp_path, *arguments, path=path)
    assert f"ImportError: {hidden} hides leadlag's own {ROOT / 'sim'}" in done.stderr, done.stderr


def test_what_hides_nothing_is_let_be(tmp_path):
    """A folder without __init__.py on a path that has our package; other names; our own packages already imported."""
    hide(tmp_path, "sim", "folder"), hide(tmp_path, "network", "module")
    done = python(tmp_path, "-c", "import golden, rtl.host.top, leadlag; print(leadlag.__home__)")
    assert done.stdout.strip() == str(ROOT), done.stderr


def test_the_command_says_it_in_one_line(tmp_path):
    hidden = hide(tmp_path, "rtl", "module")
    for done in (python(tmp_path, "-m", "leadlag", "--version"),
                 python(tmp_path, "-c", "import sys; sys.argv[0] = '/bin/leadlag'; import leadlag.cli")):
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr == (f"leadlag: {hidden} hides leadlag's own {ROOT / 'rtl'}: rename it, or run Python from "
                               f"another folder\n")


def test_a_missing_and_a_strange_package():
    assert "leadlag's own package 'nowhere' is missing" in origin._wrong("nowhere", str(ROOT))
    sys.modules["strange"] = object()
    try:
        assert "a module 'strange' that a program put into sys.modules" in origin._wrong("strange", str(ROOT))
    finally:
        del sys.modules["strange"]
    assert origin._wrong("sys", str(ROOT)).startswith("a module without a file hides")


def test_the_check_imports_nothing():
    code = ("import origin, sys", "origin.check()", "print(sorted({'amaranth', 'numpy', 'golden'} & set(sys.modules)))")
    assert python(ROOT, "-c", "; ".join(code), path=f"{ROOT}:{ROOT / 'leadlag'}").stdout.strip() == "[]"


def test_version():
    from importlib.metadata import version
    assert leadlag.__version__ == version("leadlag")
    done = python(ROOT, "-m", "leadlag", "--version")
    assert done.stdout.rstrip().endswith(f", version {leadlag.__version__}"), done.stderr


def test_shell_completion(tmp_path):
    """Click's protocol: a shell sets the words and asks the command."""
    code = "import sys; sys.argv[0] = 'leadlag'; from leadlag.cli import main; main()"
    ask = {"PYTHONPATH": str(ROOT), "_LEADLAG_COMPLETE": "zsh_complete", "COMP_WORDS": "leadlag ev", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | ask, capture_output=True, text=True,
                          check=False, timeout=300, cwd=tmp_path)
    assert done.stdout.splitlines()[:2] == ["plain", "evaluate"], done.stderr
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | ask | {"_LEADLAG_COMPLETE": "bash_source"},
                          capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path)
    assert "complete -o nosort -F _leadlag_completion leadlag" in done.stdout, done.stderr
