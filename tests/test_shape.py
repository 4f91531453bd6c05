"""How large things are, and where state appears: limits, and what is still beyond them, which may only fall."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("golden", "rtl", "sim", "boards", "firmware", "leadlag", "tests")
LIMITS = {"function": 60, "class": 250, "file": 400}
#: what is larger, with its lines: whoever makes one smaller writes the new number, or strikes it out
LARGER: dict[str, int] = {
    # tests whose benches share what a circuit is driven with and what it answered
    "tests/ltc/test_ltc_parts.py test_former": 65, "tests/ltc/test_ltc_parts.py test_gates": 67,
    "tests/rate/test_lanes.py test_both_passes": 86, "tests/rate/test_plastic_layer.py test_rtl_equals_golden": 99,
    "tests/sim/test_random_networks.py test_the_drawing_covers_every_option": 67,
    "tests/units/test_extrapolator.py test_circuit_equals_golden": 63}


def parsed(folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            yield path.relative_to(ROOT).as_posix(), text, ast.parse(text)


def beyond(name: str, text: str, tree) -> dict[str, int]:
    """What of a file is beyond LIMITS, with its lines."""
    lines = len(text.splitlines())
    found = {name: lines} if lines > LIMITS["file"] else {}
    for node in ast.walk(tree):
        kind = {ast.FunctionDef: "function", ast.AsyncFunctionDef: "function", ast.ClassDef: "class"}.get(type(node))
        if kind and (lines := node.end_lineno - node.lineno + 1) > LIMITS[kind]:
            found[f"{name} {node.name}"] = lines
    return found


def assigned(function) -> set[str]:
    """Attributes of self that a function assigns, also as one of several targets."""
    return {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self"}


def late(name: str, tree) -> dict[str, int]:
    """How many attributes first appear outside of __init__, by class."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            first = set().union(*(assigned(each) for each in methods if each.name == "__init__"))
            other = set().union(*(assigned(each) for each in methods)) - first
            if other:
                found[f"{name} {node.name}"] = len(other)
    return found


def compare(found: dict, known: dict, what: str) -> None:
    grown = {name: count for name, count in found.items() if count > known.get(name, 0)}
    assert not grown, f"{what}: {grown}"
    fallen = {name: count for name, count in known.items() if found.get(name, 0) < count}
    assert not fallen, f"smaller now, so write the number that is left: {({n: found.get(n, 0) for n in fallen})}"


def test_sizes():
    found = {}
    for each in parsed(FOLDERS):
        found |= beyond(*each)
    compare(found, LARGER, f"larger than {LIMITS} lines")


def test_state_is_handed_over():
    found = {}
    for name, _, tree in parsed(["rtl"]):
        found |= late(name, tree)
    assert not found, "attributes that first appear outside of __init__"


def test_what_counts():
    text = """class A(B):
    def __init__(self):
        self.a, self.b = 1, 2
    def elaborate(self):
        self.a = self.x[0] = 3
        self.c, (self.d, e) = 4, (5, 6)
        with open("f") as self.f:
            self.g.h += 1
"""
    assert late("f", ast.parse(text)) == {"f A": 3}
    tall = "def f():\n" + "    x = 1\n" * 60 + "class C:\n" + "    y = 1\n" * 250 + "z = 1\n" * 100
    assert beyond("f", tall, ast.parse(tall)) == {"f": 412, "f f": 61, "f C": 251}


@pytest.mark.parametrize(("found", "known", "says"), [({"a": 3}, {"a": 2}, "too large: .*'a': 3"),
                                                      ({"a": 1}, {"a": 2}, "write the number that is left: {'a': 1}")])
def test_numbers_may_only_fall(found, known, says):
    compare({"a": 2}, {"a": 2}, "too large")
    with pytest.raises(AssertionError, match=says):
        compare(found, known, "too large")
