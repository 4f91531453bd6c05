"""NIR into golden.nir.graph: from a file, or from objects of the package `nir` in memory, which is not imported.

    node/type, node/nodes/NAME/..., node/edges, version        (every version from 0.2 to 1.0.8)

Errors name the node by its path: `lif`, or `block.lif` for one within another. What a node says beyond its fields is
refused, but for metadata and derived types: a file may not mean more than is read.
"""

from dataclasses import fields
from pathlib import Path

import numpy as np

from golden.checks import check, listed, nearest
from golden.files import parse_file
from golden.nir import hdf5
from golden.nir.graph import DEEPEST, Graph
from golden.nir.neurons import NODES
from golden.nir.nodes import shown

#: what nodes may say that is not read: it follows from the rest, or nobody may rely on it
PASSED = {"type", "metadata", "name", "input_type", "output_type"}


def read(path) -> Graph:
    """The graph of a file; ValueError, one line with the file and the node, where there is none."""
    return parse_file(path, parse)


def parse(data: bytes) -> Graph:
    """The graph of the bytes of a file."""
    root = hdf5.parse(data)
    check(isinstance(root.members.get("node"), hdf5.Group), "there is no group called node: this is no file of NIR")
    version = root.members.get("version")
    version = version.read() if isinstance(version, hdf5.Dataset) else ""
    return _graph(_entries(root.members["node"]), "", version if isinstance(version, str) else "", 0)


def load(source) -> Graph:
    """The graph of a path, or of an object like nir.NIRGraph."""
    if isinstance(source, str | Path):
        return read(source)
    check(_kind(source) == "NIRGraph", f"a graph is a path or a nir.NIRGraph, not a {type(source).__name__}")
    return _graph(_members(source), "", "", 0)


def _entries(group: hdf5.Group) -> dict:
    """What a node's group says: values are read, but for metadata."""
    return {name: member if isinstance(member, hdf5.Group) else member.read()
            for name, member in group.members.items() if name != "metadata"}


def _kind(node) -> str:
    return type(node).__name__


def _members(node) -> dict:
    """What an object of the package says, under the names that a file has."""
    check(hasattr(node, "__dict__"), f"{shown(node)} is no node: the export did not know this layer")
    found = {name: value for name, value in vars(node).items() if not name.startswith("_")}
    found["type"] = kind = _kind(node)
    for here, there in (("input_type", "input"), ("output_type", "output")):
        given = found.pop(here, None)
        if {"Input": "input", "Output": "output"}.get(kind) == there:
            found["shape"] = given.get(there) if isinstance(given, dict) else given
        elif kind == "Flatten" and there == "input":
            found[here] = given.get(there) if isinstance(given, dict) else given
    return found


def _graph(said: dict, name: str, version: str, depth: int) -> Graph:
    what = f"node {listed([name])}: " if name else ""
    check(depth <= DEEPEST, f"{what}graphs stand within graphs {DEEPEST} deep")
    kind = _text(said.get("type"))
    check(kind == "NIRGraph" or kind is None and "nodes" in said and not name,
          f"{what}a NIRGraph is expected, not {shown(kind)}")
    inner = said.get("nodes")
    # h5py makes no group of a dict without entries
    inner = {} if inner is None else inner.members if isinstance(inner, hdf5.Group) else inner
    check(isinstance(inner, dict), f"{what}its nodes are not a group of nodes")
    nodes = {}
    for each, node in inner.items():
        full = f"{name}.{each}" if name else str(each)
        try:
            check(not isinstance(node, hdf5.Dataset), "this is a value, and no node")
            entries = _entries(node) if isinstance(node, hdf5.Group) else _members(node)
        except ValueError as error:
            raise ValueError(f"node {listed([full])}: {error}") from None
        nodes[str(each)] = _graph(entries, full, "", depth + 1) if _text(entries.get("type")) == "NIRGraph" \
            else _node(entries, full)
    try:
        return Graph(nodes, _edges(said.get("edges")), version)
    except ValueError as error:
        raise ValueError(f"{what}{error}") from None


def _edges(value) -> tuple[tuple[str, str], ...]:
    check(isinstance(value, np.ndarray | list | tuple), "edges are missing")
    found = value.tolist() if isinstance(value, np.ndarray) else list(value)
    return tuple(tuple(map(_text, each)) if isinstance(each, list | tuple) else () for each in found)


def _text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _node(said: dict, name: str):
    kind = _text(said.get("type"))
    try:
        check(isinstance(kind, str), "its type is missing")
        if kind not in NODES:
            raise ValueError(f"type {shown(kind)} is unknown{nearest(kind, NODES)}")
        made = NODES[kind]
        known = {each.name for each in fields(made)}
        extra = [each for each in said if each not in known | PASSED]
        check(not extra, f"{listed(extra)} is not known of a {kind}")
        missing = [each for each in known if said.get(each) is None and each not in made.OPTIONAL]
        check(not missing, f"{listed(sorted(missing))} is missing")
        return made(**{each: _value(said[each]) for each in known & said.keys() if said[each] is not None})
    except ValueError as error:
        raise ValueError(f"node {listed([name])}{f' ({kind})' if kind in NODES else ''}: {error}") from None


def _value(value):
    """A number, text or array; tensors come to numpy."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    value = _text(value)
    if not isinstance(value, str | np.ndarray | np.generic | int | float | tuple | list):
        raise ValueError(f"{shown(value)} is no value")
    try:
        return value if isinstance(value, str) else np.asarray(value)
    except ValueError:
        raise ValueError(f"{shown(value)} is no value") from None
