"""What a unit is built with: parameters by name, each with a type, a default and a meaning."""

from collections.abc import Callable
from difflib import get_close_matches
from types import SimpleNamespace
from typing import NamedTuple

from golden.fixed import QFormat


class Kind(NamedTuple):
    """A type of value: what it is called, and its parser, which raises ValueError."""

    name: str
    parse: Callable


class Setting(NamedTuple):
    """A parameter of a unit; `default` as it is written on a command line."""

    kind: Kind
    default: str
    doc: str


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"an integer, not {text!r}") from None


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"true or false, not {text!r}")
    return text == "true"


FORMAT, INTEGER, FLAG = Kind("format", QFormat.parse), Kind("integer", _integer), Kind("true, false", _flag)
TEXT = Kind("text", str)


def one_of(*choices: str) -> Kind:
    """One of these words."""
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}, not {text!r}")
        return text
    return Kind(", ".join(choices), parse)


def instead(name: str, known) -> str:
    """The nearest of the known names, else all of them, for the end of a message."""
    near = get_close_matches(name, known, 1)
    return f": did you mean {near[0]}?" if near else f": there is {', '.join(known)}"


#: of a lead-lag unit
FILTER = {"state": Setting(FORMAT, "Q5.10", "of the state, its input and its output"),
            "lead": Setting(FORMAT, "Q1.10", "of g = tau_r / tau_m"),
            "lag": Setting(FORMAT, "Q0.15", "of a = dt / tau_m"),
            "guard": Setting(INTEGER, "0", "fraction bits of the state beyond those of `state`")}


def within(low: int, high: int, **values: int) -> None:
    """ValueError unless each value is in low..high."""
    for name, value in values.items():
        if not low <= value <= high:
            raise ValueError(f"{name} must be in {low}..{high}, not {value}")


def chosen(unit: str, settings: dict[str, Setting], given) -> tuple[SimpleNamespace, dict[str, str]]:
    """Values of all settings, and their texts, from `given` texts NAME=VALUE; ValueError names what is wrong."""
    texts = {name: setting.default for name, setting in settings.items()}
    for entry in given:
        name, equals, text = entry.partition("=")
        if not equals:
            raise ValueError(f"--set {entry}: NAME=VALUE is expected")
        if name not in settings:
            raise ValueError(f"{unit} has no parameter {name!r}{instead(name, settings)}")
        texts[name] = text
    found = {}
    for name, text in texts.items():
        try:
            found[name] = settings[name].kind.parse(text)
        except ValueError as error:
            raise ValueError(f"{unit}: {name}: {error}") from None
    return SimpleNamespace(**found), texts
