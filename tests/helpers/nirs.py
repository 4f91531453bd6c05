"""Graphs of NIR for tests: objects with the members that those of the package `nir` have, without the package."""

import numpy as np

from golden.nir.graph import Flat, Graph, flatten
from golden.nir.read import load


class NIRGraph:
    """Of the package this has the name, nodes and edges."""

    def __init__(self, nodes, edges):
        self.nodes, self.edges, self.metadata = nodes, edges, {}


def node(kind: str, **members):
    """An object of a class called `kind`; members that are numbers or lists become arrays, but for sizes."""
    made = type(kind, (), {})()
    vars(made).update({name: np.asarray(value, float) if isinstance(value, list | float) else value
                       for name, value in members.items()}, metadata={})
    return made


def entrance(*shape):
    return node("Input", input_type={"input": np.array(shape)}, output_type={"output": np.array(shape)})


def exit_(*shape):
    return node("Output", output_type={"output": np.array(shape)}, input_type={"input": np.array(shape)})


def chain(*nodes, entering=(1,), leaving=(1,)):
    """Input -> n0 -> n1 .. -> Output."""
    inner = {f"n{k}": each for k, each in enumerate(nodes)}
    named = {"input": entrance(*entering)} | inner | {"output": exit_(*leaving)}
    return NIRGraph(named, list(zip(named, list(named)[1:], strict=False)))


def lif(tau=0.02, r=1.0, threshold=1.0, reset=0.0, leak=0.0, n=1):
    return node("LIF", tau=[tau] * n, r=[r] * n, v_leak=[leak] * n, v_threshold=[threshold] * n, v_reset=[reset] * n)


def flat(graph) -> Flat:
    return flatten(graph if isinstance(graph, Graph) else load(graph))


def spikes(text: str) -> np.ndarray:
    """"1 0 0" as the values of one channel: (1, ticks, 1)."""
    return np.array(text.split(), float).reshape(1, -1, 1)
