"""Checks that every description makes: one line where something is wrong."""


def check(ok: bool, message: str) -> None:
    """ValueError with `message` unless `ok`."""
    if not ok:
        raise ValueError(message)


def is_int(value, low: int, high: int) -> bool:
    """Whether `value` is an integer (no bool) in low..high."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
