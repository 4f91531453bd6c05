"""The table of a recipe's fields, from the fields themselves: what each may be is asked of what checks it."""

import json
import re
from dataclasses import MISSING, fields
from importlib import import_module
from inspect import cleandoc

from golden.systems import learnt_kinds

HEAD = ("field", "is", "default")


def recipes(table) -> str:
    """Of each kind that is trained: what its docstring says, and a row a field."""
    parts = []
    for kind in learnt_kinds():
        module = import_module(f"golden.{kind}.recipe")
        found = next(each for each in vars(module).values() if isinstance(each, type)
                     and getattr(each, "kind", None) == kind and each.__module__ == module.__name__)
        rows = table(HEAD, _rows(found))
        parts.append(f'## kind = "{kind}"\n\n{_said(found)}\n\n{rows}')
        for name, inner in _tables(found, module):
            rows = table(HEAD, _rows(inner))
            parts.append(f"### [[{name}]]\n\n{_said(inner)}\n\n{rows}")
    return "\n\n".join(parts)


def _said(kind: type) -> str:
    first, *rest = cleandoc(kind.__doc__).split("\n\n")
    body = "\n\n".join(rest).strip()
    return first + (f"\n\n```text\n{body}\n```" if body else "")


def _rows(kind: type) -> list[tuple]:
    rows = []
    for each in fields(kind):
        if "convert" in each.metadata:
            # as TOML has it: true and lists are written as in JSON
            default = "needed" if each.default is MISSING else "-" if each.default in (None, "") else \
                f"`{json.dumps(each.default) if isinstance(each.default, bool | tuple) else each.default}`"
            several = " or a list of such" * bool(re.search(r"\| *tuple", str(each.type)))
            rows.append((f"`{each.name}`", _bound(each).replace("|", "or") + several, default))
    return rows


def _bound(each) -> str:
    """What a value must be, as its check says when it is given an object that nothing can be."""
    try:
        each.metadata["convert"](each.name, object())
    except ValueError as error:
        match = re.search(r"must be (.*?)(?:, not )", str(error), re.DOTALL)
        return match[1] if match else "a format such as Q5.10"
    except (TypeError, AttributeError):
        return "a format such as Q5.10"
    return "anything"


def _tables(kind: type, module):
    """(name, class) of fields that are lists of tables."""
    for each in fields(kind):
        named = re.search(r"tuple\[(?:[\w.]+\.)?(\w+), \.\.\.\]", str(each.type))
        inner = vars(module).get(named[1]) if named else None
        if isinstance(inner, type) and hasattr(inner, "__dataclass_fields__"):
            yield each.name, inner
