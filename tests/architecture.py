"""Counts what the house does not allow: kinds that are named outside of their folders, and circles of imports.

    python tests/architecture.py

A kind is named by an import from its folders (so `isinstance` of its descriptions is, too), or by its name as a text
that something is compared with or looked up by.
Imports inside of functions count as any other.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("golden", "rtl", "sim", "boards", "firmware", "leadlag")
#: folders whose files belong to one system each; names at the door that users import
OWN = ("golden/train", "golden/tasks", "sim/benches", "leadlag/bench", "leadlag/experiments", "leadlag/verilog/systems")
DOOR = {"golden/systems.py", "leadlag/__init__.py"}


def kinds() -> tuple[str, ...]:
    """KINDS of golden/systems.py, read without an import."""
    for node in ast.parse((ROOT / "golden/systems.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "KINDS":
            return ast.literal_eval(node.value)
    raise AssertionError("golden/systems.py has no KINDS")


def files() -> dict[str, ast.Module]:
    """Every module of ours by its path."""
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
            for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def named(tree: ast.Module, known: tuple[str, ...]) -> list[str]:
    """Where a module names a kind: "line what"."""
    folders = {f"{package}.{kind}" for package in PACKAGES for kind in known}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
                [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            found += {f"{node.lineno} {folder}" for folder in folders for name in modules
                      if name == folder or name.startswith(f"{folder}.")}
        elif isinstance(node, ast.Compare | ast.MatchValue | ast.Subscript):
            found += [f"{node.lineno} {each.value!r}" for each in ast.iter_child_nodes(node)
                      if isinstance(each, ast.Constant) and each.value in known]
    return found


def outside() -> list[str]:
    """Kinds that files outside of a system's folders name: "path:line what"."""
    known, found = kinds(), []
    for path, tree in files().items():
        parts = Path(path).parts
        if path not in DOOR and not path.startswith(OWN) and not set(parts[1:-1]) & set(known):
            found += [f"{path}:{each}" for each in named(tree, known)]
    return found


def imports(path: str, tree: ast.Module, modules: dict[str, str]) -> set[str]:
    """Paths of the modules of ours that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in modules else node.module
                     for alias in node.names]
        found |= {modules[name] for name in names if name in modules}
    return found - {path}


def circles() -> list[list[str]]:
    """Groups of modules that import one another, directly or over others."""
    trees = files()
    modules = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in trees}
    graph = {path: imports(path, tree, modules) for path, tree in trees.items()}
    reach = {path: set() for path in graph}
    for path in graph:
        todo = list(graph[path])
        while todo:
            other = todo.pop()
            if other not in reach[path]:
                reach[path].add(other)
                todo += graph[other]
    groups = {tuple(sorted(other for other in reach[path] if path in reach[other])) for path in graph}
    return [list(group) for group in sorted(groups) if group]


if __name__ == "__main__":
    places, rings = outside(), circles()
    for place in places:
        print(place)
    for ring in rings:
        print(" <-> ".join(ring))
    print(f"kinds named outside of their folders: {len(places)}; circles of imports: {len(rings)}")
    sys.exit(bool(places or rings))
