"""Graphs of NIR's nodes: what is wrong with one, and the flat form that is simulated and built.

Conventions that NIR leaves open [derived]:

- Several edges into a node add. Edges into a graph that is a node go to its Input, edges out of it leave its Output.
- A loop through a Delay of a step or more has no further lag. A loop without one takes what a neuron in it said a step
  ago, once: `lagged` says on which edges.
- A node that nothing leads into, or whose result nobody takes, is refused: where a framework does not know a layer, it
  leaves a hole of this kind.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from golden.checks import check, listed, nearest
from golden.nir.neurons import Delay
from golden.nir.nodes import Input, Node, Output, Shape

Edge = tuple[str, str]
#: graphs within graphs, at most
DEEPEST = 64


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes by name, a node may be a graph; edges from name to name; version of NIR where a file says one."""

    nodes: dict[str, "Node | Graph"]
    edges: tuple[Edge, ...]
    version: str = ""

    def __post_init__(self):
        check(all(isinstance(name, str) and name for name in self.nodes), "nodes must have names")
        check(all(isinstance(node, Node | Graph) for node in self.nodes.values()), "nodes must be nodes, or graphs")
        check(all(isinstance(edge, list | tuple) and len(edge) == 2 and all(isinstance(name, str) for name in edge)
                  for edge in self.edges), "edges must be pairs of names")
        object.__setattr__(self, "edges", tuple(map(tuple, self.edges)))
        seen = set()
        for edge in self.edges:
            for name in edge:
                if name not in self.nodes:
                    raise ValueError(f"an edge {_arrow(edge)} names {listed([name])}, and there is no such node"
                                     + nearest(name, self.nodes))
            check(edge not in seen, f"the edge {_arrow(edge)} is there twice")
            seen.add(edge)

    def of(self, kind: type) -> list[str]:
        """Names of the nodes of a class, in their order."""
        return [name for name, node in self.nodes.items() if type(node) is kind]


class Flat(NamedTuple):
    """A graph without graphs in it: nodes, edges, the shape that enters and leaves each node, what was assumed."""

    nodes: dict[str, Node]
    edges: tuple[Edge, ...]
    enters: dict[str, Shape]
    leaves: dict[str, Shape]
    notes: tuple[str, ...]


def around(names: Iterable[str], edges: Iterable[Edge]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What leads into each node, and where its edges lead."""
    before = {name: [] for name in names}
    behind = {name: [] for name in before}
    for a, b in edges:
        before[b].append(a)
        behind[a].append(b)
    return before, behind


def _arrow(edge: Edge) -> str:
    return " -> ".join(listed([name]) for name in edge)


def flatten(graph: Graph) -> Flat:
    """The flat form: nodes of a graph OUTER within it are called OUTER.NAME.

    ValueError names the node where shapes do not match, a node has no input or nobody takes what leaves it, or a loop
    has neither a state nor a Delay.
    """
    nodes, edges = _merged(graph, "", 0)
    edges = _without(edges, [name for name, (_, inner) in nodes.items() if inner])
    nodes = {name: node for name, (node, inner) in nodes.items() if not inner}
    check(any(type(node) is Input for node in nodes.values()), "there is no Input")
    check(any(type(node) is Output for node in nodes.values()), "there is no Output")
    sources, targets = {a for a, _ in edges}, {b for _, b in edges}
    for name, node in nodes.items():
        check((name in targets) != (type(node) is Input), f"node {listed([name])} ({node.kind}): "
              + ("something leads into it" if type(node) is Input else "nothing leads into it"))
        check((name in sources) != (type(node) is Output), f"node {listed([name])} ({node.kind}): "
              + ("something leads out of it" if type(node) is Output else "nobody takes what leaves it"))
    _check_loops(nodes, edges)
    enters, leaves, notes = _shapes(nodes, edges)
    return Flat(nodes, edges, enters, leaves, notes)


def _merged(graph: Graph, above: str, depth: int) -> tuple[dict[str, tuple[Node, bool]], list[Edge]]:
    """Nodes by their full names, each with whether it is an Input or Output of an inner graph; edges between them."""
    check(depth <= DEEPEST, f"graph {above!r}: graphs stand within graphs {DEEPEST} deep")
    nodes, edges, doors = {}, [], {}
    for name, node in graph.nodes.items():
        full = f"{above}{name}"
        if not isinstance(node, Graph):
            added = {full: (node, bool(depth) and isinstance(node, Input))}
            doors[name] = full, full
        else:
            for kind in (Input, Output):
                found = len(node.of(kind))
                check(found == 1, f"node {listed([full])} (NIRGraph): it has {found} {kind.__name__} nodes, expected 1")
            added, inside = _merged(node, f"{full}.", depth + 1)
            edges += inside
            doors[name] = f"{full}.{node.of(Input)[0]}", f"{full}.{node.of(Output)[0]}"
        for each in added:
            check(each not in nodes, f"two nodes are called {listed([each])}")
        nodes |= added
    return nodes, edges + [(doors[a][1], doors[b][0]) for a, b in graph.edges]


def _without(edges: list[Edge], doors: list[str]) -> tuple[Edge, ...]:
    """Edges past nodes that only hand on."""
    for door in doors:
        before, behind = [a for a, b in edges if b == door], [b for a, b in edges if a == door]
        check(bool(before), f"node {listed([door])}: nothing leads into it")
        check(bool(behind), f"node {listed([door])}: nobody takes what leaves it")
        check(door not in before, f"node {listed([door])} is in a loop of nothing")
        edges = [edge for edge in edges if door not in edge] + [(a, b) for a in before for b in behind]
    return tuple(edges)


# ---- loops

def components(names: Iterable[str], edges: Iterable[Edge]) -> list[list[str]]:
    """Groups of nodes that lead to one another, each of two nodes or of one that leads to itself (Tarjan 1972)."""
    names = list(names)
    _, after = around(names, edges)
    number, low, stack, on, found = {}, {}, [], set(), []
    for start in names:
        todo = [(start, iter(after[start]))] if start not in number else []
        while todo:
            name, rest = todo[-1]
            if name not in number:
                number[name] = low[name] = len(number)
                stack.append(name)
                on.add(name)
            for other in rest:
                if other not in number:
                    todo.append((other, iter(after[other])))
                    break
                if other in on:
                    low[name] = min(low[name], number[other])
            else:
                todo.pop()
                if todo:
                    low[todo[-1][0]] = min(low[todo[-1][0]], low[name])
                if low[name] == number[name]:
                    group = []
                    while not group or group[-1] != name:
                        group.append(stack.pop())
                        on.discard(group[-1])
                    if len(group) > 1 or name in after[name]:
                        found.append(sorted(group, key=names.index))
    return found


def _check_loops(nodes: dict[str, Node], edges: Iterable[Edge]) -> None:
    """ValueError for a loop in which nothing waits."""
    free = {name for name, node in nodes.items()
            if not node.STATE and not (isinstance(node, Delay) and node.delay.all())}
    for group in components(free, [edge for edge in edges if free.issuperset(edge)]):
        raise ValueError(f"node {listed([sorted(group)[0]])}: a loop without a state and without a delay "
                         f"({', '.join(sorted(group))})")


def lagged(nodes: dict[str, Node], edges: Iterable[Edge], waits: Iterable[str]) -> set[Edge]:
    """Edges that hand on what their source said a step ago; `waits`: Delays of a step or more in every channel.

    In each loop it is what leaves the state that is farthest from an Input, in edges; of several the last by name. So
    the way forward has no lag, whatever the order in which a file has its edges.
    """
    waits, found = set(waits), set()
    distance = {name: 0 for name, node in nodes.items() if type(node) is Input}
    todo, (_, behind) = list(distance), around(nodes, edges)
    for name in todo:                   # grows while it is walked
        for other in behind[name]:
            if other not in distance:
                distance[other] = distance[name] + 1
                todo.append(other)
    left = [edge for edge in edges if edge[1] not in waits]
    groups = components(nodes, left)
    while groups:
        group = set(groups.pop())
        inside = [edge for edge in left if group.issuperset(edge)]
        states = [name for name in group if nodes[name].STATE]
        check(bool(states), f"node {listed([min(group)])}: a loop without a state, whose delay is less than a step")
        last = max(states, key=lambda name: (distance.get(name, len(nodes)), name))
        cut = {edge for edge in inside if edge[0] == last}
        found |= cut
        left = [edge for edge in left if edge not in cut]
        groups += components(group, [edge for edge in inside if edge not in cut])
    return found


# ---- shapes

def _shapes(nodes: dict[str, Node], edges: tuple[Edge, ...]) -> tuple[dict, dict, tuple[str, ...]]:
    """Shape that enters and that leaves each node, and what was assumed for it."""
    enters, leaves, notes = {}, {}, []
    before, behind = around(nodes, edges)
    for name, node in nodes.items():
        if type(node) is Input:
            shape = enters[name] = leaves[name] = _cut(node, [nodes[each] for each in behind[name]])
            if shape != node.shape:
                notes.append(f"node {name} (Input): its shape {list(node.shape)} is taken for {list(shape)}: "
                             "what stands before is time")
    missing, more = [name for name in nodes if name not in leaves], True
    while missing and more:
        more = False
        for name in missing:
            node = nodes[name]
            known = next((leaves[each] for each in before[name] if each in leaves), node.given)
            if known is not None:
                try:
                    enters[name] = known
                    # of an Output the shape that comes in counts, if it says the same in the end
                    leaves[name] = known if type(node) is Output and node.shape[-len(known):] == known \
                        else node.out(known)
                except ValueError as error:
                    raise ValueError(f"node {listed([name])} ({node.kind}): {error}") from None
                more = True
        missing = [name for name in missing if name not in leaves]
    check(not missing, f"node {listed(missing[:1])}: its shape is not given, and cannot be derived")
    for a, b in edges:
        check(leaves[a] == enters[b], f"node {listed([b])} ({nodes[b].kind}): {list(leaves[a])} comes in from "
              f"{listed([a])}, {list(enters[b])} is expected")
    return enters, leaves, tuple(notes)


def _cut(node: Input, behind: list[Node]) -> Shape:
    """The shape of an Input, without axes of time that an export left before it (Sinabs does)."""
    for each in behind:
        if each.given is not None and node.shape[-len(each.given):] == each.given:
            return each.given
    return node.shape
