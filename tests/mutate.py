"""Single places of a Python module and what may stand there instead, for tests/mutants.py.

Messages, annotations, docstrings, names of signals and keyword arguments that change neither a word nor a cycle are
passed by; a width is only ever made smaller, since a wider register holds the same words.
"""

import ast
import copy
from typing import NamedTuple

_COMPARE = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
            ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is}
_ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
               ast.Mod: ast.FloorDiv, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr,
               ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr}
_NAMES = {a: b for pair in (("min", "max"), ("any", "all"), ("as_signed", "as_unsigned"), ("floor", "ceil"),
                            ("shift_left", "shift_right")) for a, b in (pair, pair[::-1])} | {"signed": "unsigned"}
_QUIET = {"name", "reset_less", "vendor", "strict", "encoding", "frozen", "kw_only", "order", "check", "domain",
          "always_ready"}
_WIDTHS = {"Signal", "signed", "unsigned", "In", "Out", "depth", "width", "a_width", "b_width"}
#: calls whose arguments nobody confuses: swapped, they do not even run; or it makes no difference
_APART = {"isinstance", "getattr", "setattr", "check", "_check", "_check_int", "max", "min", "zip", "range", "later",
          "hop", "join", "connect", "exact", "saturate", "round_shift", "Const", "eq"}


class Change(NamedTuple):
    """Instead of holder[at] (a list) or holder.at (a node), `new`; where: the function; before, after: to be read."""

    where: str
    operator: str
    holder: object
    at: object
    new: ast.AST
    before: str
    after: str

    @property
    def name(self) -> str:
        """What tells it from others of the module."""
        return f"{self.where}: {self.before} -> {self.after}"


def changes(tree: ast.Module) -> list[Change]:
    """All changes of a module, one for each name."""
    found = {}
    for change in _walk(tree, (), (), False):
        found.setdefault(change.name, change)
    return list(found.values())


def changed(tree: ast.Module, change: Change) -> str:
    """The text of the module with `change`."""
    old = _put(change.holder, change.at, change.new)
    text = ast.unparse(tree)
    _put(change.holder, change.at, old)
    return text + "\n"


def _put(holder, at, new):
    if isinstance(holder, list):
        old, holder[at] = holder[at], new
    else:
        old = getattr(holder, at)
        setattr(holder, at, new)
    return old


def _walk(node, names, above, width):
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        names = (*names, node.name)
    for field, value in ast.iter_fields(node):
        pairs = [(value, n) for n in range(len(value))] if isinstance(value, list) else [(node, field)]
        for holder, at in pairs:
            child = holder[at] if isinstance(holder, list) else value
            if not isinstance(child, ast.AST) or _passed_by(node, field, child) or at in _quiet_defaults(node, field):
                continue
            inside = width or field in ("args", "value") and _call_name(node) in _WIDTHS
            for operator, new in _offers(child, inside):
                yield _change(".".join(names) or "module", operator, holder, at, child, new, (*above, node))
            yield from _walk(child, names, (*above, node), inside)


def _passed_by(parent, field, child) -> bool:
    return (field in ("annotation", "returns", "decorator_list", "bases", "exc", "cause", "msg", "ctx", "op", "ops")
            or isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom)
            or isinstance(child, ast.keyword) and child.arg in _QUIET
            or isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            # the message of a check
            or _call_name(parent) in ("check", "_check") and field == "args" and child is not parent.args[0]
            or isinstance(parent, ast.Expr) and _call_name(child) == "print")


def _quiet_defaults(node, field) -> set[int]:
    """Which of the defaults of a function are those of such arguments."""
    if not isinstance(node, ast.arguments) or field not in ("defaults", "kw_defaults"):
        return set()
    names = node.args[-len(node.defaults):] if field == "defaults" else node.kwonlyargs
    return {n for n, argument in enumerate(names) if argument.arg in _QUIET}


def _call_name(node) -> str:
    """The function that a call calls, the argument that a keyword gives."""
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "attr", getattr(function, "id", getattr(node, "arg", "")))


def _with(node, **fields):
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _offers(node, width):
    """(operator, what may stand in place of `node`)."""
    match node:
        case ast.Compare(ops=[op]):
            yield "comparison", _with(node, ops=[_COMPARE[type(op)]()])
        case ast.BinOp(op=op) if type(op) in _ARITHMETIC and not (width and isinstance(op, ast.Sub)):
            yield "arithmetic", _with(node, op=_ARITHMETIC[type(op)]())
        case ast.Constant(value=bool(value)):
            yield "truth", ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield "constant", ast.Constant(value - 1)
            if not width:
                yield "constant", ast.Constant(value + 1)
        case ast.BoolOp(op=op):
            yield "logic", _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.USub() | ast.Invert() | ast.Not()):
            yield "sign", node.operand
        case ast.If() | ast.While() | ast.IfExp():
            yield "condition", _with(node, test=ast.UnaryOp(ast.Not(), node.test))
        case ast.Call(func=ast.Attribute(attr="If" | "Elif"), args=[value]):
            yield "condition", _with(node, args=[ast.Compare(value, [ast.Eq()], [ast.Constant(0)])])
        case ast.Call(args=[_, _, *_] as args) if _call_name(node) not in _APART and _are_plain(args):
            # the alternatives of a Mux, else the first two
            at = 1 if _call_name(node) == "Mux" else 0
            if ast.dump(args[at]) != ast.dump(args[at + 1]):
                yield "arguments", _with(node, args=[*args[:at], args[at + 1], args[at], *args[at + 2:]])
        case ast.Attribute(attr=name) if name in _NAMES:
            yield "name", _with(node, attr=_NAMES[name])
        case ast.Name(id=name) if name in _NAMES and isinstance(node.ctx, ast.Load):
            yield "name", _with(node, id=_NAMES[name])
        case ast.AugAssign(value=ast.List(elts=[*parts])) if len(parts) > 1:
            for n in range(len(parts)):
                yield "statement", _with(node, value=ast.List([*parts[:n], *parts[n + 1:]], ast.Load()))
        case ast.AugAssign() | ast.Expr(value=ast.Call()) | ast.Raise() if _call_name(getattr(node, "value", 0)) != \
                "__init__":
            yield "statement", ast.Pass()
        case ast.Assign(targets=[ast.Attribute(attr="next")]):
            yield "statement", ast.Pass()


def _are_plain(args) -> bool:
    return not any(isinstance(arg, ast.Starred) or isinstance(arg, ast.Name) and arg.id in ("m", "self", "ctx")
                   for arg in args)


def _change(where, operator, holder, at, old, new, above):
    before, after = _read(old), _read(new)
    if isinstance(old, ast.AugAssign) and isinstance(new, ast.AugAssign):
        gone = next(part for part in old.value.elts if part not in new.value.elts)
        return Change(where, operator, holder, at, new, _read(gone), "nothing")
    if isinstance(new, ast.Pass):
        after = "nothing"
    else:
        # some more to be read around it, up to a statement
        for node in reversed(above):
            if len(before) >= 24 or not isinstance(node, ast.expr | ast.keyword) or \
                    isinstance(node, ast.List | ast.Tuple | ast.Dict):
                break
            if len(_read(node)) > 160:
                break
            before = _read(node)
            kept = _put(holder, at, new)
            after = _read(node)
            _put(holder, at, kept)
    return Change(where, operator, holder, at, new, before, after)


def _read(node) -> str:
    """One line: of a compound statement its condition."""
    node = node.test if isinstance(node, ast.If | ast.While) else node
    return " ".join(ast.unparse(node).split())
