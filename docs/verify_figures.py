"""Generated block of docs/architecture.md on the lower rungs of the ladder: the rows of the bench, and the limits."""

import textwrap

GROUP = "ladder"
#: what a row has to have
NEEDS = {"rung", "network", "board", "vectors", "words", "equal", "cycles", "cycles_per_s", "tools_cpu_s"}


def verify(table, data) -> str:
    """The table of docs/bench.json, and where the tools of a family stop short."""
    from boards import BOARDS
    rows = _rows(data)
    found = [table(("rung", "network", "board", "vectors", "words equal", "cycles", "cycles a second",
                    "tools, CPU seconds"), [_row(row) for row in rows])] if rows else [
        f"Not measured yet: `leadlag bench {GROUP}`."]
    families = {board.part.family.name: board.part.family for board in BOARDS.values()}
    limits = [textwrap.fill(f"- `{rung}`, {name}: {why}.", 120, subsequent_indent="  ", break_on_hyphens=False,
                            break_long_words=False)
              for name, family in sorted(families.items()) for rung, why in sorted(family.limits.items())]
    if rows:
        found.append("`gle-5-6-3` has random words and inputs; what `lagline` learns is in [learning](learning.md).")
    return "\n\n".join([*found, "Where the tools stop short:", "\n".join(limits)])


def proofs(table, data) -> str:
    """The proofs of docs/bench.json: unit, claim, how far, seconds; what many units have in common is one row."""
    group, units = data.get("proofs", {"rows": []}), {}
    for row in group["rows"]:
        unit, _, claim = row["property"].partition(": ")
        units.setdefault((claim, row["way"], row["depth"]), []).append((unit, row))
    if not units:
        return "Not measured yet: `make prove`."
    rows = [("; ".join(f"`{unit}`" if " " not in unit else unit for unit, _ in each), claim, way, str(depth),
             f"{sum(row['seconds'] for _, row in each):.1f}",
             "found" if all(row["bug_found"] for _, row in each) else "missed")
            for (claim, way, depth), each in units.items()]
    return f"{_proved(group)}, measured at {group['commit']}.\n\n" + table(
        ("circuit or step", "claim", "for", "depth", "seconds", "planted bug"), rows)


def _proved(group) -> str:
    held = [row for row in group["rows"] if row["result"] == "holds" and row["bug_found"]]
    return f"{len(held)} of {len(group['rows'])} hold, {sum(row['seconds'] for row in group['rows']):.0f} s in all"


def proved(data) -> list[tuple[str, str, str]]:
    """A row of the figures: label, figure, command."""
    return [("proofs, each of which finds a planted bug, too", _proved(data["proofs"]),
             f"`{data['proofs']['command']}`")] if "proofs" in data else []


def _rows(data) -> list[dict]:
    return [row for row in data.get(GROUP, {}).get("rows", ()) if set(row) >= NEEDS]


def _row(row: dict) -> tuple[str, ...]:
    steps = ", ".join(f"{name} {seconds:.0f}" for name, seconds in row["tools_cpu_s"].items())
    return (row["rung"], f"`{row['network']}`", row["board"], row["vectors"], f"{row['equal']:,} of {row['words']:,}",
            f"{row['cycles']:,}", f"{row['cycles_per_s']:,}", steps)


def summary(data) -> list[tuple[str, str, str]]:
    """Rows of the README: label, figure, group."""
    return [(f"{row['board']}, {row['network']}, {row['rung']}: output words equal to golden",
             f"{row['equal']:,} of {row['words']:,}, {row['vectors']}", GROUP)
            for row in _rows(data) if row["rung"] == "bitstream"]
