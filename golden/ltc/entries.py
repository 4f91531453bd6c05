"""Layers of a liquid-time-constant network in JSON, and back."""

from dataclasses import MISSING, fields

from golden.checks import check, listed, nearest
from golden.fixed import QFormat
from golden.ltc.layer import LtcLayer, Readout

KINDS = {"ltc": LtcLayer, "readout": Readout}


def layer_entry(layer) -> dict:
    """A layer in JSON: its kind and its fields, formats as text, without those that are None."""
    kind = next(name for name, each in KINDS.items() if isinstance(layer, each))
    values = {field.name: getattr(layer, field.name) for field in fields(layer)}
    return {"kind": kind} | {name: str(value) if isinstance(value, QFormat) else value
                             for name, value in values.items() if value is not None}


def parse_layer(n: int, entry):
    """Layer n from its JSON; ValueError names the field that is wrong."""
    me = f"layer {n}"
    check(isinstance(entry, dict), f"{me}: must be an object, not {type(entry).__name__}")
    entry = dict(entry)
    kind = entry.pop("kind", None)
    check(isinstance(kind, str) and kind in KINDS, f"{me}: kind must be one of {', '.join(KINDS)}, not {kind!r}")
    known = {field.name: field for field in fields(KINDS[kind])}
    unknown = sorted(set(entry) - set(known))
    check(not unknown, f"{me}: unknown fields {listed(unknown)}{nearest(unknown[0], known) if unknown else ''}")
    missing = sorted(name for name, field in known.items() if field.default is MISSING and name not in entry)
    check(not missing, f"{me}: missing fields {', '.join(missing)}")
    try:
        return KINDS[kind](**{name: QFormat.parse(value) if _is_format(known[name]) else value
                              for name, value in entry.items()})
    except ValueError as error:
        raise ValueError(f"{me}: {error}") from None


def _is_format(field) -> bool:
    return field.type in (QFormat, QFormat | None)
