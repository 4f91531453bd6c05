"""Table and picture of docs/faults.md, from the group `faults` of docs/bench.json."""

import textwrap

_GROUP = "faults"
#: rows by network, and what it is called
NETWORKS = {"rows": "gle-mnist1d", "rows_delays_digits": "delays-digits"}
#: what flips, by the key of its accuracy
LINES = {"accuracy": "all words", "accuracy_parameters": "parameters alone", "accuracy_state": "state alone"}
_NEEDS = (*NETWORKS, "scrub_cycles", "injected", "reported", "trials", "compared", "equal")


def _group(data) -> dict:
    """The record, or nothing where it is not whole."""
    group = data.get(_GROUP, {})
    return group if all(name in group for name in _NEEDS) else {}


def faults(table, data) -> str:
    """Accuracy by rate, network and what flips; what the scrubber reported; runs compared with the circuit."""
    group = _group(data)
    if not group:
        return f"Not measured yet: `leadlag bench {_GROUP}`."
    head = ("flips per million words", *(f"{name}: {title}" for name in NETWORKS.values() for title in LINES.values()),
            "reported")
    rows = []
    for rate, others in zip(group["rows"], group["rows_delays_digits"], strict=True):
        found = "" if rate["found"] is None else f"{rate['found']:.0%}"
        rows.append((f"{rate['flips_per_million']:,}", *(f"{row[key]:.1%}" for row in (rate, others) for key in LINES),
                     found))
    said = (f"The scrubber reported {group['reported']} of {group['trials']} draws of flips in the parameters of the "
            f"compiled circuit of `{group['network']}` ({group['injected']:,} flipped bits), and "
            f"{group['clean_rounds_that_differ']} of 2 rounds without a flip. A round over its "
            f"{group['parameter_words']:,} words takes some {group['scrub_cycles']:,} cycles while no tick runs. "
            f"With flips in all parts, {group['equal']} of {group['compared']} samples are equal to the model, word by "
            f"word (`leadlag bench {_GROUP}`, seed {group['seed']}).")
    return f"{table(head, rows)}\n\n{textwrap.fill(said, 120, break_on_hyphens=False)}"


def faults_svg(data) -> str | None:
    """Accuracy against flips per million words, a network each; None without a bench."""
    group = _group(data)
    if not group:
        return None
    from leadlag.report import pictures

    def draw(figure):
        both = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.08})
        for axes, (key, name) in zip(both, NETWORKS.items(), strict=True):
            rows = group[key][1:]
            axes.axhline(100 * group[key][0]["accuracy"], color="0.4", linestyle=":", linewidth=1.2, label="no flips")
            for (line, title), (colour, marker, dashes) in zip(LINES.items(), pictures.STYLES, strict=False):
                axes.plot([row["flips_per_million"] for row in rows], [100 * row[line] for row in rows], color=colour,
                          linestyle=dashes, linewidth=1.4, marker=marker, markersize=5, markerfacecolor="white",
                          label=title)
            axes.set_xscale("log")
            axes.set_xlabel("flips per million words in a run")
            axes.set_ylim(0, 100)
            axes.set_title(name, fontsize=9)
            axes.grid()
        both[0].set_ylabel("test accuracy (%)")
        both[1].legend(loc="lower left", fontsize=8, labelspacing=0.2)
    return pictures.svg(draw, 3.4)


def faults_picture(data) -> str:
    """The picture, or how to get it."""
    if faults_svg(data) is None:
        return f"No accuracies measured yet: `leadlag bench {_GROUP}`, then `python docs/figures.py`."
    return "![Test accuracy against flips per million words, of two networks](faults.svg)"


def summary(data) -> list[tuple[str, str, str]]:
    """Rows of README's table: figure, value, group."""
    group = _group(data)
    if not group:
        return []
    rows = []
    for key, name in NETWORKS.items():
        shown = [row for row in group[key] if row["flips_per_million"] in (0, 100, 10_000)]
        rates = ", ".join(f"{row['flips_per_million']:,}" for row in shown)
        rows.append((f"{name}, accuracy at {rates} flips per million words",
                     ", ".join(f"{row['accuracy']:.1%}" for row in shown), _GROUP))
    rows.append(("flips of parameters in the circuit: draws that the scrubber reported",
                 f"{group['reported']} of {group['trials']}, {group['injected']:,} bits", _GROUP))
    return rows
