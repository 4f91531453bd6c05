"""Figures of the host link, from the group `link` of docs/bench.json."""

_NEEDS = ("goodput_load", "runs_right", "frames_at_crc")


def _group(data) -> dict:
    """The record, or nothing where it is not whole."""
    group = data.get("link", {})
    return group if all(name in group for name in _NEEDS) else {}


def _shares(by_network: dict) -> str:
    return ", ".join(f"{share:.1%} (`{name}`)" for name, share in by_network.items())


def _rows(group: dict) -> list[tuple[str, str]]:
    if not group:
        return []
    trials, rows = group["trials"], []
    for rate in group["runs_right"]:
        rows.append((f"host link, bytes with a flipped bit at rate {rate}: loads, runs right; wrong answers",
                     f"{group['loads_right'][rate]}, {group['runs_right'][rate]} of {trials}; {group['wrong'][rate]}"))
    counts = (f"{group['raw_bytes']:,}, {group['mutated_frames']:,}; {group['frames_at_crc']:,}; "
              f"{group['accepted_different']}")
    rows.append(("host link, raw bytes, mutated frames; frames that reached the CRC; taken though different", counts))
    for name, does in (("goodput_load", "while parameters load"), ("goodput_stream", "while samples stream")):
        rows.append((f"host link, share of the line's bytes that are words, {does}", _shares(group[name])))
    return rows


def summary(data) -> list[tuple[str, str, str]]:
    """Rows of README's table: figure, value, group."""
    return [(label, value, "link") for label, value in _rows(_group(data))]


def link(table, data) -> str:
    """The table of docs/architecture.md."""
    rows = _rows(_group(data))
    if not rows:
        return "Not measured yet: `leadlag bench link`."
    return table(("figure", "value"), rows) + "\n\nBy `leadlag bench link`, on simulated boards."
