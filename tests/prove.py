"""`make prove`: every proof of tests/helpers/proofs.py, its time, and that it finds the bug planted in its unit.

The exit status is 1 where a claim does not hold, or a bug is not found, and 2 where a tool is missing. Where all is
right the rows are kept for the docs (docs/bench.json, group proofs).
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]

from proofs import PROOFS, planted, verdict  # noqa: E402

from golden.programs import ToolError  # noqa: E402
from leadlag.bench.groups import merge  # noqa: E402
from leadlag.terminal import Table, console, notes, status  # noqa: E402
from sim.proof import tools  # noqa: E402


def main() -> int:
    """Prove everything, and print a row a proof."""
    try:
        tools()
    except ToolError as error:
        print(error, file=sys.stderr)
        return 2
    table, wrong, rows = Table("claim", "how", "seconds", "planted bug"), 0, []
    for each in PROOFS:
        with status(notes, each.claim):
            found, broken = verdict(each), verdict(each, planted(each))
        way = each.way if each.way == "all inputs" else f"{each.way}, {each.depth} cycles"
        table.add_row(each.claim, way if found.holds else f"FAILS: {found.said}", f"{found.seconds:.1f}",
                  "missed" if broken.holds else "found")
        wrong += not found.holds or broken.holds
        rows.append({"property": each.claim, "result": "holds" if found.holds else found.said, "way": each.way,
                     "depth": each.depth, "seconds": round(found.seconds, 1), "bug_found": not broken.holds})
    console.print(table)
    console.print(f"{len(PROOFS)} proofs, {sum(each.way != 'bounded' for each in PROOFS)} of them for runs of any "
                  f"length, {wrong} wrong")
    if not wrong:
        merge("proofs", {"rows": rows}, "make prove")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
