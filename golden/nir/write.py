"""NIR out of golden.nir.graph: the bytes of a file that the package `nir`, 1.0.8, and golden.nir.read take.

Arrays are float32 where that says the same. Shapes that NIR wants with a node, and that follow from the rest, are put
in; one value for all channels becomes one each.
"""

from dataclasses import fields, replace

import numpy as np

from golden.files import narrowest, write_whole
from golden.nir.graph import Flat, Graph, flatten
from golden.nir.hdf5_write import dump
from golden.nir.neurons import Pointwise
from golden.nir.nodes import Conv, Flatten, Node

#: of the package whose files these are like
VERSION = "1.0.8"


def write(path, graph: Graph) -> None:
    """Write a file, whole or not at all; ValueError where the graph is none, as `flatten` says it."""
    write_whole(path, to_bytes(graph))


def to_bytes(graph: Graph) -> bytes:
    return dump({"version": VERSION, "node": _graph(graph, flatten(graph), "")})


def _graph(graph: Graph, flat: Flat, above: str) -> dict:
    nodes = {name: _graph(node, flat, f"{above}{name}.") if isinstance(node, Graph) else
             _node(node, flat.enters.get(f"{above}{name}")) for name, node in graph.nodes.items()}
    return {"type": "NIRGraph", "nodes": nodes, "edges": np.array(graph.edges, str).reshape(-1, 2)}


def _node(node: Node, shape) -> dict:
    """Its fields; `shape` enters it, None: at the door of a graph within another."""
    if isinstance(node, Pointwise):
        node = node.at(shape)
    elif isinstance(node, Conv):
        node = replace(node, input_shape=shape[1:])
    elif isinstance(node, Flatten):
        node = replace(node, input_type=shape)
    found = {"type": node.kind}
    for each in fields(node):
        value = getattr(node, each.name)
        if isinstance(value, np.ndarray):
            value = narrowest(value)
        elif isinstance(value, tuple):
            # what has one axis is a number to `nir`, but for shapes
            value = value[0] if len(value) == 1 and isinstance(node, Conv) else np.array(value, np.int64)
        found[each.name] = value
    return found
