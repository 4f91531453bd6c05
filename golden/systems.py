"""The systems there are: a kind of network is a folder of this name in golden, rtl and the others.

Nothing else names them: who reads a description or a file of parameters finds its classes here.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec

from golden.description import Description, Trained, json_object
from golden.files import parse_file, read_safetensors

KINDS = ("rate", "spiking", "cascade", "ltc", "event")


@cache
def descriptions() -> dict[str, type[Description]]:
    """The class of descriptions of each kind."""
    return {kind: import_module(f"golden.{kind}").DESCRIPTION for kind in KINDS}


@cache
def trained_kinds() -> dict[str, type[Trained]]:
    """The class of trained networks of each kind."""
    return {kind: import_module(f"golden.{kind}").TRAINED for kind in KINDS}


@cache
def learnt_kinds() -> tuple[str, ...]:
    """The kinds that recipes train; networks of the others are imported."""
    return tuple(kind for kind in KINDS if find_spec(f"golden.{kind}.recipe"))


def parse(text: str | bytes) -> Description:
    """A description of any kind from its JSON; ValueError says what is wrong, or which kinds there are."""
    top = json_object(text)
    for kind in descriptions().values():
        if kind.MARK in top:
            return kind.from_json(text)
    marks = " or ".join(f'"{kind.MARK}": 1' for kind in descriptions().values())
    raise ValueError(f"network description must be an object with {marks}")


def load(path) -> Description:
    """Read network.json of any kind; ValueError names the file and what is wrong with it."""
    return parse_file(path, parse)


def trained(path) -> Trained:
    """Read what training left, of any kind; ValueError, one line, where it is nothing of ours."""
    about = read_safetensors(path)[1]
    for kind in trained_kinds().values():
        if kind.KEY in about:
            return kind.load(path)
    *others, last = (kind.KEY for kind in trained_kinds().values())
    raise ValueError(f"{path}: no {', '.join(others)} or {last} in the metadata: not a trained network")


def importer():
    """The module that reads networks of others, as networks of the kind that has one (IMPORTER)."""
    for kind in KINDS:
        name = getattr(import_module(f"golden.{kind}"), "IMPORTER", None)
        if name is not None:
            return import_module(name)
    raise ValueError("no kind of network reads those of others")


def trainer(kind: str):
    """The module that trains a kind; RuntimeError where torch is missing."""
    try:
        return import_module(import_module(f"golden.{kind}").TRAINER)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise RuntimeError("the float model needs torch: pip install 'leadlag[train]'") from None
