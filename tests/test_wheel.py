"""The package as others get it: its metadata, and a wheel in a fresh environment, away from the checkout."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_licence():
    project, text = PROJECT["project"], (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert project["license"] == "Apache-2.0"
    assert project["license-files"] == ["LICENSE"]
    assert project["authors"] == [{"name": "leadlag contributors"}]
    # the two ways of naming a licence exclude one another
    assert not [name for name in project["classifiers"] if name.startswith("License ::")]
    assert "urls" not in project
    assert " ".join(text.split()[:6]) == "Apache License Version 2.0, January 2004"
    assert re.findall(r"^   (\d)\. ", text, re.MULTILINE) == list("123456789")
    assert "END OF TERMS AND CONDITIONS" in text
    assert "Apache License 2.0" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_needs_no_file_beside_it():
    """It is the long description, too: an index of packages has no pictures of ours."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert PROJECT["project"]["readme"] == "README.md"
    assert not re.findall(r"!\[[^]]*\]\((?!data:)[^)]*\)|<img", text)


def run(folder, program, *arguments):
    """Run a program of the environment in `folder`; what it said and printed."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run([folder.parent / "venv" / "bin" / program, *arguments], cwd=folder, env=known,
                          capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, f"{program} {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stderr + done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of what is committed or added; a folder build/ of the checkout would put old files into it."""
    folder = tmp_path_factory.mktemp("wheel")
    named = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=True).stdout
    for name in filter(None, named.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "source" / name)
    make = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, folder / "source"]
    subprocess.run(make, check=True)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_wheel_has_every_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
        metadata = next(archive.read(name).decode() for name in inside if name.endswith("/METADATA"))
    folders = (*PROJECT["tool"]["setuptools"]["packages"], "sim/models", "golden/recipes")
    ours = {str(path.relative_to(ROOT)) for name in folders for path in (ROOT / name.replace(".", "/")).iterdir()
            if path.is_file()}
    assert ours - inside == set()
    assert any(name.endswith("licenses/LICENSE") for name in inside)
    assert "License-Expression: Apache-2.0" in metadata
    assert "Author: leadlag contributors" in metadata


@pytest.mark.slow
def test_wheel_and_sdist_are_ready_for_an_index(wheel, tmp_path):
    """`twine check` finds nothing, and what the sdist installs has the version and the zoo."""
    subprocess.run([sys.executable, "-m", "build", "--sdist", "--outdir", tmp_path, wheel.parent / "source"],
                   check=True, capture_output=True)
    sdist = next(tmp_path.glob("*.tar.gz"))
    said = subprocess.run([sys.executable, "-m", "twine", "check", "--strict", wheel, sdist], check=False, text=True,
                          capture_output=True)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.count("PASSED") == 2
    venv.create(tmp_path / "venv", with_pip=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    run(empty, "pip", "install", "-q", "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt"), str(sdist))
    assert run(empty, "leadlag", "--version").endswith(f"version {PROJECT['project']['version']}\n")
    assert "gle-mnist1d" in run(empty, "leadlag", "networks")


@pytest.mark.slow
def test_wheel_works_in_an_empty_folder(wheel, tmp_path):
    """Without torch and without the checkout: integers, circuit, simulated board, bitstream."""
    venv.create(tmp_path / "venv", with_pip=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    run(empty, "pip", "install", "-q", "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt"), str(wheel))
    assert "\ntorch " not in run(empty, "pip", "list")
    assert run(empty, "python", "-m", "leadlag", "--version").endswith(f"version {PROJECT['project']['version']}\n")
    for network in ("delays-digits", "gle-mnist1d"):
        said = " ".join(run(empty, "leadlag", "evaluate", network, "-n", "20").split())
        assert "pip install 'leadlag[train]'" in said, "no word about the missing float model"
        assert "integers (golden)" in said
        assert "output words" in said
        assert "answer" in run(empty, "leadlag", "run", network, "--port", "sim", "-n", "2")
    said = run(empty, "leadlag", "build", "delays-digits", "--board", "ice40-hx8k")
    assert "meets" in said
    assert (empty / "build" / "delays-digits" / "ice40-hx8k" / "page" / "report.html").is_file()
    (empty / "golden.py").write_text("")
    hidden = subprocess.run([tmp_path / "venv" / "bin" / "python", "-c", "import leadlag"], cwd=empty, check=False,
                            capture_output=True, text=True)
    assert f"{empty / 'golden.py'} hides leadlag's own" in hidden.stderr
