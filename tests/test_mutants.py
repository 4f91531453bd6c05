"""`make mutants`: what is changed and what is passed by, the draw, and the table of tests and survivors."""

import ast
from pathlib import Path

import mutants
import pytest
from mutate import changed, changes

ROOT = Path(__file__).resolve().parent.parent
TABLE = mutants.table()


def after(text):
    """What the changes of a text make of it."""
    tree = ast.parse(text)
    found = [changed(tree, change) for change in changes(tree)]
    assert ast.unparse(tree) == ast.unparse(ast.parse(text)), "the tree is not as it was"
    return {one.strip() for one in found}


@pytest.mark.parametrize(("text", "want"), [
    ("x = a < b", {"x = a <= b"}), ("x = a + 3", {"x = a - 3", "x = a + 2", "x = a + 4"}),
    ("x = a << b", {"x = a >> b"}),
    ("x = a and b", {"x = a or b"}), ("x = not a", {"x = a"}), ("x = ~a", {"x = a"}), ("x = True", {"x = False"}),
    ("x = min(a, b)", {"x = max(a, b)"}), ("x = f(a, b, c)", {"x = f(b, a, c)"}), ("x = f(m, a)", set()),
    ("x = Mux(a, b, c)", {"x = Mux(a, c, b)"}), ("if a:\n    x", {"if not a:\n    x"}),
    ("with m.If(a):\n    x", {"with m.If(a == 0):\n    x"}), ("f(a)", {"pass"}), ("m.next = 'IDLE'", {"pass"}),
    ("raise E(f'{x + 1}')", {"pass"}),
    ("m.d.sync += [f(a), g(b)]", {"m.d.sync += [g(b)]", "m.d.sync += [f(a)]"}), ("m.d.comb += f(a)", {"pass"}),
    # a width is made smaller only, and signed is not the other way round
    ("x = Signal(n + 2)", {"x = Signal(n - 2)", "x = Signal(n + 1)"}), ("x = Signal(n - a)", set()),
    ("x = signed(n)", {"x = unsigned(n)"}), ("x = unsigned(n)", set()),
    # nobody is to test these
    ('"""A text of 3 words."""', set()), ("x: int", set()), ("def f(a: int = None) -> int:\n    return a", set()),
    ("x = f(name='a', reset_less=True, strict=True)", set()), ("def f(*, strict=True):\n    return a", set()),
    ("from a import b", set()), ("check(a, f'{b + 1}')", {"pass"}),
])
def test_changes(text, want):
    assert after(text) == want


def test_names_tell_what_is_changed_and_where():
    text = "class A:\n    def f(self):\n        return self.first_one + 1 < self.second_one\n"
    assert {change.name for change in changes(ast.parse(text))} == {
        f"A.f: self.first_one + 1 < self.second_one -> self.first_one {part}" for part in (
            "- 1 < self.second_one", "+ 0 < self.second_one", "+ 2 < self.second_one", "+ 1 <= self.second_one")}


def test_every_module_has_tests_that_are_there():
    assert sorted(TABLE["tests"]) == sorted(mutants.modules())
    assert all((ROOT / name).exists() for name in mutants.LEFT_OUT)
    for module, tests in TABLE["tests"].items():
        for test in tests:
            file, _, name = test.partition("[")[0].partition("::")
            text = (ROOT / file).read_text(encoding="utf-8")
            assert f"def {name}" in text, f"{module}: {test}"


def test_the_draw():
    """Enough, from every module alike, the same each time, and all of them Python."""
    drawn = {module: mutants.draw(module) for module in mutants.modules()}
    assert sum(map(len, drawn.values())) >= 200
    assert all(1 <= len(found) <= mutants.EACH for found in drawn.values())
    for found in list(drawn.values())[::7]:
        assert found == mutants.draw(found[0].module)
        for mutant in found:
            ast.parse(mutant.text)
            assert len({other.text for other in found}) == len(found)
            assert f"{mutant.module} {mutant.name}" not in TABLE["same"]


def test_survivors_have_reasons_and_are_of_this_code():
    for name, reason in {**TABLE["same"], **TABLE["survivors"]}.items():
        module, _, change = name.partition(" ")
        known = {one.name for one in changes(ast.parse((ROOT / module).read_text(encoding="utf-8")))}
        assert change in known, f"{name} is not a change any more"
        assert len(reason) > 10, name
