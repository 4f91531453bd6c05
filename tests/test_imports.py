"""The import arrows: who may import whom, and what needs which library."""

import ast
from pathlib import Path

import architecture
import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = {"leadlag", "golden", "rtl", "sim", "boards", "firmware", "zoo"}
MAY = {"golden": {"golden"}, "rtl": {"rtl", "golden"}, "boards": {"boards", "rtl", "golden"},
       "firmware": {"firmware", "golden"}, "sim": {"sim", "golden", "rtl", "firmware"}, "leadlag": OURS, "zoo": set()}
NOT = {"golden": {"torch", "amaranth", "cocotb"}, "firmware": {"torch", "amaranth", "cocotb"},
       "rtl": {"torch", "cocotb", "os"}, "boards": {"torch", "cocotb"}, "sim": {"torch"}}
#: folders of systems: what all systems are made of knows none of them
SYSTEMS = {"rate", "spiking", "cascade", "ltc", "tasks", "train"}


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


@pytest.mark.parametrize("folder", ["golden/units", "rtl/units", "rtl/vendor"])
def test_units_know_no_system(folder):
    files = sorted((ROOT / folder).glob("*.py"))
    assert len(files) > 1
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
                [f"{node.module}.{alias.name}" for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                part = name.split(".")[1:2]
                assert not SYSTEMS.intersection(part), f"{folder}/{path.name} imports {name}"


def repeated(path):
    """Functions, methods and classes that a later one of the same name hides, as "line name"."""
    for scope in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(scope, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        seen = set()
        # what stands in the branches of an `if` or a `try` has one place, however often it is written
        for node in scope.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            decorators = {ast.unparse(each).rpartition(".")[2] for each in node.decorator_list}
            if node.name in seen and not decorators & {"setter", "getter", "deleter"}:
                yield f"{node.lineno} {node.name}"
            if "overload" not in decorators:
                seen.add(node.name)


@pytest.mark.parametrize("folder", [*sorted(OURS), "tests", "docs"])
def test_nothing_is_defined_twice(folder):
    found = [f"{path.name}:{name}" for path in sorted((ROOT / folder).rglob("*.py")) for name in repeated(path)]
    assert not found


def test_what_counts_as_twice(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("""class A:
    def f(self): ...
    @property
    def g(self): ...
    @g.setter
    def g(self, value): ...
    @overload
    def h(self): ...
    @typing.overload
    def h(self, x): ...
    def h(self, x=0): ...
    def f(self): ...
if 1:
    def k(): ...
else:
    def k(): ...
def m():
    def n(): ...
    def n(): ...
""")
    assert list(repeated(file)) == ["12 f", "19 n"]


def test_every_package_is_in_the_wheel():
    import tomllib
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {str(path.parent.relative_to(ROOT)).replace("/", ".")
             for name in OURS for path in (ROOT / name).rglob("__init__.py")}
    assert listed == there


def test_no_kind_is_named_outside_of_its_folders():
    assert not architecture.outside()


def test_no_circles():
    assert not architecture.circles()


def test_what_counts_as_naming_a_kind():
    tree = ast.parse('''from golden.rate.network import Network
from golden import rate
import rtl.spiking.core
x = "rate" if kind == "spiking" else "rates"
from golden.rates import y
''')
    assert len(architecture.named(tree, ("rate", "spiking"))) == 4
    modules = {"golden.a": "golden/a.py", "golden.b": "golden/b.py", "golden": "golden/__init__.py"}
    body = "def f():\n    from golden import b\nimport golden.a\nfrom golden.b import c"
    assert architecture.imports("golden/a.py", ast.parse(body), modules) == {"golden/b.py"}
