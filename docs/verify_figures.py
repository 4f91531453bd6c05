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
