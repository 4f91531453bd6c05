"""What `leadlag bench` has measured: build/bench.json, and in a checkout docs/bench.json, from which the docs are made.

A group's record says at which commit it was measured (`commit`) and a hash of the code that it ran (`code`,
leadlag.bench.sources). While that hash is the one of the code at hand, the figures are current; `same_code_at` is the
last commit for which this was found. What ran code that no commit has is marked `-dirty` and kept out of docs/.
"""

import json
from collections.abc import Callable
from pathlib import Path

from golden.files import write_json
from leadlag import flow
from leadlag.bench import sources
from leadlag.provenance import head, provenance

OUT = flow.BUILD / "bench.json"
DOCS = sources.ROOT / "docs" / "bench.json"


def about(group: Callable) -> dict:
    """What stands beside the figures of a group: code, commit, date, cpu, tools."""
    return {"code": sources.code(group)} | provenance(sources.files(group))


def known() -> dict:
    """All records: those of docs/bench.json, and over them what was measured here since."""
    return _read(DOCS) | _read(OUT)


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _published() -> Path:
    """The file that figures are current in: that of the docs in a checkout, else the own one."""
    return DOCS if (sources.ROOT / "docs" / "figures.py").is_file() else OUT


def keep(name: str, record: dict) -> bool:
    """Merge a record into build/bench.json, and into docs/bench.json where a commit has its code; True if so."""
    clean = record["commit"] != "unknown" and not record["commit"].endswith("-dirty")
    for path in {OUT, _published()} if clean else {OUT}:
        records = _read(path) | {name: record}
        if "learn.mnist1d" in records and "learn.adapt" in records:     # a figure of both
            records["learn.mnist1d"]["relearn"] = records["learn.adapt"]["relearn"]
        write_json(path, records)
    return clean


def status(name: str, group: Callable) -> tuple[bool, str]:
    """Whether the published figures of a group are those of the code at hand, and that in words."""
    record = _read(_published()).get(name)
    if record is None:
        return False, "not measured"
    measured = f"measured at {record['commit']}"
    if record["commit"].endswith("-dirty"):
        return False, f"{measured}, no commit has its code"
    if "code" not in record:
        return False, f"{measured}, its code was not noted"
    if record["code"] != sources.code(group):
        return False, f"{measured}, its code has changed since"
    return True, f"current, {measured}"


def confirm(name: str, group: Callable) -> None:
    """Note in the published record that the code of this commit is the one that was measured; status() is current."""
    path, now = _published(), head(sources.files(group))
    records = _read(path)
    if now not in ("unknown", records[name]["commit"]) and not now.endswith("-dirty"):
        records[name]["same_code_at"] = now
        write_json(path, records)
