"""The import arrows: who may import whom, and what needs which library."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = {"leadlag", "golden", "rtl", "sim", "boards", "firmware", "zoo"}
MAY = {"golden": {"golden"}, "rtl": {"rtl", "golden"}, "boards": {"boards", "rtl", "golden"},
       "firmware": {"firmware", "golden"}, "sim": {"sim", "golden", "rtl", "firmware"}, "leadlag": OURS, "zoo": set()}
NOT = {"golden": {"torch", "amaranth", "cocotb"}, "firmware": {"torch", "amaranth", "cocotb"},
       "rtl": {"torch", "cocotb", "os"}, "boards": {"torch", "cocotb"}, "sim": {"torch"}}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", MAY)
def test_arrows(package):
    for path in sorted((ROOT / package).rglob("*.py")):
        found = set(imports(path))
        assert found & OURS <= MAY[package], f"{path.name} imports {found & OURS - MAY[package]}"
        forbidden = NOT.get(package, set()) - ({"torch"} if "train" in path.parts else set())
        assert not found & forbidden, f"{path.name} imports {found & forbidden}"


def test_every_package_is_in_the_wheel():
    import tomllib
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {str(path.parent.relative_to(ROOT)).replace("/", ".")
             for name in OURS for path in (ROOT / name).rglob("__init__.py")}
    assert listed == there
