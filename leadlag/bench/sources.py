"""What code a function runs, found by reading it, so that a figure of an older commit may be known to be true still.

From a function on, every definition at the top of a module of ours that it names is taken, and what those name, and so
on, whether or not a run comes by: rather too much than too little. Beside them stand whole files that a string names:
C++ and Verilog, networks of the zoo, a test, a bench for cocotb. Comments, docstrings and the places of definitions do
not count, so moving code to another file leaves its hash as it is.
"""

import ast
import hashlib
import io
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from golden.files import read_safetensors
from golden.systems import KINDS, trained_kinds
from leadlag.origin import PACKAGES

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("leadlag", *PACKAGES)
#: lists of everything there is: what a group takes of them it names itself
LISTS = {("leadlag.flow", "zoo"), ("golden.systems", "KINDS")}
#: modules that show and keep figures and make none; the table in which a group looks for the record of another one
LEFT_OUT = {("leadlag.report.page", None), ("leadlag.report.pictures", None), ("leadlag.terminal", None),
            ("leadlag.bench.records", None), ("leadlag.bench.sources", None), ("leadlag.provenance", None),
            ("leadlag.bench.spiking", "GROUPS")}
#: what is found by the kind of a network; the kinds of a figure are those of the networks and recipes that it names,
#: or where it names none those whose folders it runs anyway
TABLES = {("golden.systems", "descriptions"): "DESCRIPTION", ("golden.systems", "trained_kinds"): "TRAINED",
          ("rtl.systems", "circuit"): "CIRCUIT"}
_FILES = (".cpp", ".h", ".hex", ".v", ".j2", ".safetensors", ".toml", ".py")


class Reached(NamedTuple):
    """Texts of definitions, and files: those that were read for the texts, and those that count whole."""

    texts: frozenset[str]
    read: frozenset[Path]
    whole: frozenset[Path]


class _Module:
    """A file of ours: its definitions by name, what its imports bind, the statements that always run."""

    def __init__(self, name: str, path: Path):
        self.name, self.path = name, path
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        self.lines = _bare_lines(source, tree)
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, set[tuple[str, str | None]]] = {}
        self.always: list[ast.stmt] = []
        for node in tree.body:
            names = _defined(node)
            for each in names:
                self.definitions.setdefault(each, []).append(node)
            if not names and not isinstance(node, ast.Import | ast.ImportFrom):
                self.always.append(node)
        # those inside of functions, too
        for node in _statements(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    target = alias.name if alias.asname else alias.name.partition(".")[0]
                    self.imports.setdefault(alias.asname or target, set()).add((target, None))
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.imports.setdefault(alias.asname or alias.name, set()).add((node.module, alias.name))

    def text(self, node) -> str:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        return "\n".join(filter(None, self.lines[first - 1:node.end_lineno]))


def _defined(node) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else \
        [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []
    return [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]


def _statements(node) -> Iterator[ast.stmt]:
    """All statements below a node, without a look at their expressions, which are most of a tree."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        for each in getattr(node, field, ()):
            yield each
            yield from _statements(each)


def _bare_lines(source: str, tree) -> list[str]:
    """The lines of a file without comments and docstrings; those that held nothing else are empty."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in (tree, *_statements(tree)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and \
                ast.get_docstring(node, clean=False) is not None:
            for row in range(node.body[0].lineno, node.body[0].end_lineno + 1):
                lines[row - 1] = ""
    return [line.rstrip() for line in lines]


@cache
def _module(name: str) -> _Module | None:
    """A module of ours by its dotted name; None for others."""
    if name.partition(".")[0] not in OURS:
        return None
    beside = ROOT.joinpath(*name.split("."))
    for path in (beside.with_suffix(".py"), beside / "__init__.py"):
        if path.is_file():
            return _Module(name, path)
    return None


class _Definition(NamedTuple):
    """What a definition says: its texts, files that it names, and the definitions that it leads to."""

    texts: set[str]
    whole: set[Path]
    next: set[tuple[str, str | None]]


@cache
def _definition(place: tuple[str, str | None]) -> _Definition:
    """Read (module, name): what always runs in a module for "", all of it for None."""
    module, found = _module(place[0]), _Definition(set(), set(), set())
    if place[1] is None:
        found.next.update((module.name, name) for name in ("", *module.definitions))
        return found
    for node in module.definitions.get(place[1], ()) if place[1] else module.always:
        if place not in LISTS:
            found.texts.add(module.text(node))
        _follow(module, node, found, strings=place not in LISTS)
    return found


def _follow(module: _Module, node, found: _Definition, strings: bool):
    """Everything that a statement names."""
    if isinstance(node, ast.Attribute):
        chain, base = [node.attr], node.value
        while isinstance(base, ast.Attribute):
            chain.insert(0, base.attr)
            base = base.value
        if isinstance(base, ast.Name):
            _name(module, base.id, chain, found)
            return
    elif isinstance(node, ast.Name):
        _name(module, node.id, [], found)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and strings:
        _string(module, node.value, found)
    for child in ast.iter_child_nodes(node):
        _follow(module, child, found, strings)


def _name(module: _Module, name: str, chain: list[str], found: _Definition):
    if name in module.definitions and (module.name, name) not in LEFT_OUT:
        found.next.add((module.name, name))
    for target, attribute in module.imports.get(name, ()):
        _import(target, chain if attribute is None else [attribute, *chain], found)


def _import(target: str, chain: list[str], found: _Definition):
    module = _module(target)
    if (target, None) in LEFT_OUT:
        return
    if module is None:
        found.texts.add(f"import {target} {''.join(chain[:1])}")
    elif not chain:
        found.next.add((target, None))
    elif chain[0] in module.definitions:
        found.next.add((target, chain[0]))
    elif _module(f"{target}.{chain[0]}") is not None:
        _import(f"{target}.{chain[0]}", chain[1:], found)
    elif chain[0] in module.imports:        # handed on
        _name(module, chain[0], chain[1:], found)


def _string(module: _Module, text: str, found: _Definition):
    """Files and modules that a string names: `unit.cpp`, `.cpp` (beside), a network of the zoo, `sim.unit_tb`."""
    if len(text) > 80 or not text.isascii() or "\n" in text or "*" in text:
        return
    folder, places = module.path.parent, []
    if text in _FILES and text != ".py":
        places = [module.path.with_suffix(text)]
    elif text.endswith(_FILES):
        places = [ROOT / text, *folder.rglob(Path(text).name)]
    elif text and text[0].isalpha():
        places = [ROOT / "zoo" / f"{text}.safetensors", ROOT / "golden" / "recipes" / f"{text}.toml"]
    found.whole.update(place for place in places if place.is_file())
    if "." in text and all(part.isidentifier() for part in text.split(".")) and _module(text) is not None:
        found.next.add((text, None))


@cache
def _by_kind(place: tuple[str, str | None], kind: str) -> _Definition:
    """What a definition leads to for networks of a kind."""
    found = _Definition(set(), set(), set())
    if place in TABLES:
        _import(f"{place[0].partition('.')[0]}.{kind}", [TABLES[place]], found)
    if place == ("golden.systems", "trainer"):
        found.next.add((import_module(f"golden.{kind}").TRAINER, "answers"))
    return found


@cache
def _kind(path: Path) -> str | None:
    """The kind of a network of the zoo, or of a recipe; None of other files."""
    if path.suffix == ".toml":
        return tomllib.loads(path.read_text(encoding="utf-8")).get("kind")
    try:
        about = read_safetensors(path)[1] if path.suffix == ".safetensors" else {}
    except ValueError:
        return None
    return next((name for name, kind in trained_kinds().items() if kind.KEY in about), None)


@cache
def reached(function: Callable) -> Reached:
    """What `function`, at the top of a module of ours, may run."""
    found = _reached(function, ())
    named = {_kind(path) for path in found.whole} - {None}
    named = named or {part for path in found.read for part in path.relative_to(ROOT).parts[1:2] if part in KINDS}
    return _reached(function, tuple(kind for kind in KINDS if kind in named or not named))


def _reached(function: Callable, kinds: tuple[str, ...]) -> Reached:
    """The same for networks of `kinds`."""
    todo, seen = [(function.__module__, function.__name__)], set()
    texts, whole = set(), set()
    while todo:
        place = todo.pop()
        if place in seen:
            continue
        seen.add(place)
        for found in (_definition(place), *(_by_kind(place, kind) for kind in kinds)):
            texts |= found.texts
            whole |= found.whole
            todo += found.next
        todo.append((place[0], ""))
    return Reached(frozenset(texts), frozenset(_module(name).path for name, _ in seen), frozenset(whole))


def files(function: Callable) -> list[Path]:
    """The files that hold what `function` may run, sorted."""
    found = reached(function)
    return sorted(found.read | found.whole)


def code(function: Callable) -> str:
    """16 hex digits that change with what `function` may run."""
    found = reached(function)
    digests = [hashlib.sha256(text.encode()).digest() for text in found.texts]
    digests += [hashlib.sha256(path.read_bytes()).digest() for path in found.whole]
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:16]
