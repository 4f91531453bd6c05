"""Are the packages beside `leadlag` ours? A user's own golden.py or sim/ may hide one of them."""

import importlib.util
import os
import sys

#: packages that are installed beside leadlag, in a checkout and in site-packages alike
PACKAGES = ("golden", "rtl", "sim", "boards", "firmware", "zoo")


def check() -> str:
    """The folder that holds all of our packages: looks where Python finds them, without importing any.

    They have to stand in the folder that holds leadlag. ImportError, one line, names a file that hides one; the
    command `leadlag` and `python -m leadlag` end with that line and exit code 2.
    """
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    for name in PACKAGES:
        message = _wrong(name, home)
        if message is not None and _is_command():
            print(f"leadlag: {message}", file=sys.stderr)
            raise SystemExit(2)
        if message is not None:
            raise ImportError(message)
    return home


def _wrong(name: str, home: str) -> str | None:
    """What is wrong with package `name`, which has to be in folder `home`; None where nothing is."""
    ours = os.path.join(home, name)
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:              # a module in sys.modules that says nothing about itself
        return f"a module {name!r} that a program put into sys.modules hides leadlag's own {ours}"
    if spec is None:
        return f"leadlag's own package {name!r} is missing: {ours} is not there, or Python does not look there"
    # a folder without __init__.py has places and no file
    places = [os.path.realpath(place) for place in spec.submodule_search_locations or ()]
    if places == [ours]:
        return None
    found = spec.origin if spec.has_location else (places or ["a module without a file"])[0]
    if os.path.basename(found) == "__init__.py":
        found = os.path.dirname(found)
    return f"{found} hides leadlag's own {ours}: rename it, or run Python from another folder"


def _is_command() -> bool:
    """Whether this process is the command, whose errors are a line."""
    return os.path.basename(sys.argv[0] if sys.argv else "") in ("leadlag", "leadlag.exe") or \
        sys.orig_argv[1:3] == ["-m", "leadlag"]
