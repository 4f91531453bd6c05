"""Checks that every description makes: one line where something is wrong."""

import difflib


def check(ok: bool, message: str) -> None:
    """ValueError with `message` unless `ok`."""
    if not ok:
        raise ValueError(message)


def is_int(value, low: int, high: int) -> bool:
    """Whether `value` is an integer (no bool) in low..high."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def listed(names) -> str:
    """Foreign names in one line: those that would break it, or could not be seen, in quotation marks."""
    return ", ".join(name if name.isprintable() and name.strip() else repr(name) for name in map(str, names))


def why(error: Exception) -> str:
    """What is wrong with a foreign value, of the error that it raised: a missing key by its name."""
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def nearest(name, known) -> str:
    """" (did you mean X?)" with the one of `known` that looks most like `name`; nothing if none does or it is one."""
    names = list(map(str, known))
    near = [] if str(name) in names else difflib.get_close_matches(str(name), names, 1, 0.7)
    return f" (did you mean {near[0]}?)" if near else ""
