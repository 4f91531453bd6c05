"""A board of one's own, from a file that defines it: `--board FILE.py`."""

import importlib.util
import sys
from functools import cache
from pathlib import Path

from boards.base import Board
from golden.checks import check


def board(path: str) -> Board:
    """The one Board that a file of Python has at its top; ValueError, one line, where it cannot be run or has none."""
    try:
        return _board(Path(path).resolve(), Path(path).stat().st_mtime_ns)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


@cache
def _board(path: Path, _changed: int) -> Board:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.path.append(str(path.parent))       # of what lies beside it
    try:
        spec.loader.exec_module(module)
    except Exception as error:              # a stranger's code raises anything
        raise ValueError(f"{path} raised {type(error).__name__}: {' '.join(str(error).split())}") from None
    finally:
        sys.path.remove(str(path.parent))
    found = [each for each in vars(module).values() if isinstance(each, Board)]
    check(len(found) == 1, f"{path} has {len(found)} boards at its top, where one is expected: "
                           f"{', '.join(each.name for each in found) or 'NAME = Board(...)'}")
    return found[0]
