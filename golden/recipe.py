"""Recipes: what to train, on which data and how, as a TOML file or in Python. Without torch.

A recipe is a frozen dataclass of its kind (golden/KIND/recipe.py); its fields are those of the file, each with what it
may be. Recipes of the zoo are in golden/recipes/. Errors are one line and offer the nearest name.
"""

import os
import re
import shlex
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from golden.checks import check, is_int, listed, nearest
from golden.data import sets
from golden.data.dataset import FORMS, DataSet
from golden.files import parse_file
from golden.fixed import QFormat
from golden.systems import learnt_kinds

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "recipes"
LIMIT = 1 << 20     # characters of a file


# ---- what a field may be: each makes a field whose metadata hold a function of its name and value

def _field(convert: Callable, default=MISSING):
    return field(default=default, metadata={"convert": convert})


def whole(low: int, high: int, default=MISSING):
    """An integer in low..high."""
    def convert(name, value):
        check(is_int(value, low, high), f"{name} must be a whole number in {low}..{high}, not {value!r}")
        return value
    return _field(convert, default)


def real(low: float, high: float, default=MISSING):
    """A number in low..high."""
    def convert(name, value):
        check(isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high,
              f"{name} must be a number in {low:g}..{high:g}, not {value!r}")
        return float(value)
    return _field(convert, default)


def choice(*names: str, default=MISSING):
    """One of some names."""
    def convert(name, value):
        check(value in names, f"{name} must be one of {', '.join(names)}, not {value!r}{nearest(value, names)}")
        return value
    return _field(convert, default)


def flag(default=MISSING):
    """True or false."""
    def convert(name, value):
        check(isinstance(value, bool), f"{name} must be true or false, not {value!r}")
        return value
    return _field(convert, default)


def text(default=MISSING):
    """Any text."""
    def convert(name, value):
        check(isinstance(value, str) and value.isprintable(), f"{name} must be a text, not {value!r}")
        return value
    return _field(convert, default)


def title():
    """The name of a network, and of its files."""
    def convert(name, value):
        check(isinstance(value, str) and re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", value) is not None,
              f"{name} must be lower-case letters, digits, - and _, not {value!r}")
        return value
    return _field(convert)


def form(default=MISSING):
    """A format such as Q5.10."""
    def convert(name, value):
        if isinstance(value, QFormat):
            return value
        try:
            return QFormat.parse(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return _field(convert, default)


def several(inner, low: int, high: int, default=MISSING):
    """A list of low..high values, each as the field `inner` has them."""
    each = inner.metadata["convert"]

    def convert(name, value):
        check(isinstance(value, list | tuple) and low <= len(value) <= high,
              f"{name} must be a list of {low if low == high else f'{low} to {high}'}, not {value!r}")
        return tuple(each(f"{name}[{n}]", entry) for n, entry in enumerate(value))
    return _field(convert, default)


def one_or_several(inner, high: int, default=MISSING):
    """A value, or a list of values."""
    each, many = inner.metadata["convert"], several(inner, 1, high).metadata["convert"]
    return _field(lambda name, value: (many if isinstance(value, list | tuple) else each)(name, value), default)


def table(kind: type, default=MISSING):
    """A table of fields: a `Checked`, or an object that has them."""
    def convert(name, value):
        return value if isinstance(value, kind) else kind(**known(kind, value, name))
    return _field(convert, default)


def maybe(inner):
    """A field that need not be there, and is None then."""
    each = inner.metadata["convert"]
    return _field(lambda name, value: None if value is None else each(name, value), None)


def known(kind: type, entry, where: str) -> dict:
    """The fields of a table, all known and none missing; ValueError offers the nearest name."""
    check(isinstance(entry, dict), f"{where} must be a table of fields, not {entry!r}")
    there = {each.name: each for each in fields(kind) if "convert" in each.metadata}
    for name in entry:
        check(name in there, f"{where}: no field {listed([name])}{nearest(name, there)}: there is {', '.join(there)}")
    missing = [name for name, each in there.items() if each.default is MISSING and name not in entry]
    check(not missing, f"{where}: {', '.join(missing)} missing")
    return entry


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A dataclass whose fields check what they are given; ValueError names the field."""

    def __post_init__(self):
        for each in fields(self):
            if "convert" in each.metadata:
                value = each.metadata["convert"](each.name, getattr(self, each.name))
                object.__setattr__(self, each.name, value)


@dataclass(frozen=True, kw_only=True)
class Recipe(Checked, ABC):
    """What recipes of every kind have.

    name         of the network: lower-case letters, digits, - and _
    data         what golden.data.sets.find takes; none where the data are given in Python
    read_as      "sequence" or "image": how three-dimensional arrays of a file are read
    answer_from  first tick that counts for an answer, in place of that of the data set
    origin       what `load` was given, so that a trained file can say which command made it
    """

    kind: ClassVar[str]
    presets: ClassVar[dict] = {}    # {(field, value): what else changes with it when it is set}

    name: str = title()
    data: str = text("")
    read_as: str | None = maybe(choice(*FORMS))
    answer_from: int | None = maybe(whole(0, 1 << 20))
    epochs: int = whole(1, 1_000_000)
    origin: str = field(default="", compare=False)

    def found(self) -> DataSet:
        """The data set of the recipe; ValueError, one line, where it is not there or not fit to be learnt."""
        check(self.data != "", f"{self.name}: no data: say data = \"FILE\" in the recipe, or --data")
        found = sets.find(self.data, form=self.read_as, answer_from=self.answer_from)
        self.check_data(found)
        return found

    @abstractmethod
    def check_data(self, data: DataSet) -> None:
        """ValueError where the network cannot learn these data."""

    def settings(self) -> dict:
        """All fields, as plain values."""
        return {each.name: plain(getattr(self, each.name)) for each in fields(self) if "convert" in each.metadata}

    def made_by(self, seed: int, hold_out: bool) -> dict:
        """The command that trains this, or, where none does (a recipe made in Python), the settings."""
        if not self.origin:
            return {"settings": self.settings()}
        # a preset first: it changes other fields, which are then no difference. What is set together may go together
        # only, so nothing is loaded in between
        presets, changed, there = {name for name, _ in self.presets}, [], load(self.origin)
        for each in sorted(fields(self), key=lambda each: each.name not in presets):
            value = plain(getattr(self, each.name))
            if "convert" in each.metadata and value != plain(getattr(there, each.name)):
                if each.name == "epochs":
                    continue
                if value is None or isinstance(value, list) and any(isinstance(one, dict) for one in value):
                    return {"settings": self.settings()}
                changed.append(f"{each.name}={as_toml(value)}")
                if each.name in presets:
                    there = load(self.origin, changed)
        words = ["leadlag", "train", self.origin, "--seed", str(seed), "--epochs", str(self.epochs)]
        words += [word for entry in changed for word in ("--set", entry)] + ["--hold-out"] * hold_out
        return {"command": shlex.join(words)}


def plain(value):
    """A value of a field as TOML and JSON have it."""
    if isinstance(value, tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, Checked):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    return str(value) if isinstance(value, QFormat) else value


def as_toml(value) -> str:
    """A plain value as `override` reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(f'{chr(34)}{v}{chr(34)}' if isinstance(v, str) else as_toml(v) for v in value)}]"
    return value if isinstance(value, str) else repr(value)


# ---- files

def names() -> tuple[str, ...]:
    """The recipes of the zoo."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(origin: str, changes=()) -> Recipe:
    """A recipe of the zoo by name, or a .toml file by path; `changes`, texts FIELD=VALUE, take the place of fields.

    A field of a layer is LAYERS.0.NAME. Data that stand beside the file are found there. ValueError, one line.
    """
    path = Path(origin)
    if path.suffix == ".toml":
        where, entry = str(path), parse_file(path, _parsed)
        data = entry.get("data")
        if isinstance(data, str) and data and data not in sets.SETS and os.path.exists(path.parent / data):
            entry["data"] = str(path.parent / data)
    else:
        check(origin in names(), f"no network {origin!r} to train here{nearest(origin, names())}: there is "
                                 f"{', '.join(names())}, or the path of a recipe, a .toml file")
        where, entry = origin, _parsed((FOLDER / f"{origin}.toml").read_bytes())
    try:
        return _made(entry, origin, changes)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def parse(text: str) -> Recipe:
    """The recipe that the text of a file says; ValueError, one line."""
    return _made(_parsed(text.encode()), "", ())


def _made(entry: dict, origin: str, changes) -> Recipe:
    kind = entry.pop("kind", None)
    kinds = learnt_kinds()
    check(kind in kinds, f"kind must be one of {', '.join(kinds)}, not {kind!r}{nearest(kind, kinds)}")
    recipe = import_module(f"golden.{kind}.recipe").RECIPE
    for change in changes:
        _override(recipe, entry, change)
    return recipe(**known(recipe, entry, "recipe"), origin=origin)


def _parsed(content: bytes) -> dict:
    check(len(content) <= LIMIT, f"a recipe of {len(content):,} bytes: {LIMIT:,} at most")
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a TOML file: {' '.join(str(error).split())}") from None


def _override(recipe: type, entry: dict, change: str) -> None:
    """Put FIELD=VALUE into the entry of a file; VALUE in TOML, or a text without quotation marks."""
    name, equals, value = change.partition("=")
    check(equals == "=" and name.strip() != "", f"--set takes FIELD=VALUE, not {change!r}")
    try:
        value = tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        value = value.strip()
    *way, last = name.strip().split(".")
    at = entry
    for step in way:
        at = at.get(step) if isinstance(at, dict) else at[int(step)] if _index(at, step) else None
        check(isinstance(at, dict | list), f"--set {change}: no {step}")
    if isinstance(at, list):
        check(_index(at, last), f"--set {change}: no {last}")
        at[int(last)] = value
        return
    there = [each.name for each in fields(recipe) if "convert" in each.metadata]
    check(way != [] or last in there, f"--set {change}: no field {listed([last])}{nearest(last, there)}: there is "
                                      f"{', '.join(there)}")
    at[last] = value
    if not way and isinstance(value, str):
        at.update(recipe.presets.get((last, value), {}))


def _index(at, step: str) -> bool:
    return isinstance(at, list) and step.isascii() and step.isdigit() and len(step) < 6 and int(step) < len(at)
