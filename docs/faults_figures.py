"""Table and picture of docs/faults.md, from the group `faults` of docs/bench.json."""

import textwrap

_GROUP = "faults"
#: what flips, by the key of its accuracy
LINES = {"accuracy": "all words", "accuracy_parameters": "parameters alone", "accuracy_state": "state alone"}


def _networks(data) -> dict:
    """The records of the networks by name; nothing where the group was not measured."""
    return data.get(_GROUP, {}).get("networks", {})


def faults(table, data) -> str:
    """Accuracy by rate, network and what flips; what the scrubber reported; runs compared with the circuit."""
    parts = []
    for name, found in _networks(data).items():
        rows = [(f"{row['flips_per_million']:,}", *(f"{row[key]:.1%}" for key in LINES),
                 f"{row['reported']} of {row['trials']}" if "found" in row else "") for row in found["rows"]]
        parts.append(table((f"`{name}`, flips per million words", *LINES.values(), "draws reported"), rows))
        flips = sum(row.get("injected", 0) for row in found["rows"])
        said = (f"Each accuracy is that of {found['draws']} draws (one without flips). The scrubber was given draws of "
                f"flips in the parameters of the compiled circuit, {flips:,} flipped bits in all, and reported those "
                f"in the last column; of {found['clean_rounds']} rounds without a flip it reported "
                f"{found['clean_reported']}. A round over {found['parameter_words']:,} words takes some "
                f"{found['scrub_cycles']:,} cycles. With flips in parameters and state ({found['compared_rate']:,} per "
                f"million words), {found['equal']} of {found['compared']} samples are equal in circuit and model, word "
                "by word.")
        parts.append(textwrap.fill(said, 120, break_on_hyphens=False))
    if not parts:
        return f"Not measured yet: `leadlag bench {_GROUP}`."
    return "\n\n".join([*parts, f"By `leadlag bench {_GROUP}`, seed {data[_GROUP]['seed']}."])


def faults_svg(data) -> str | None:
    """Accuracy against flips per million words, a network each; None without a bench."""
    networks = _networks(data)
    if not networks:
        return None
    from leadlag.report import pictures

    def draw(figure):
        both = figure.subplots(1, len(networks), sharey=True, squeeze=False, gridspec_kw={"wspace": 0.08})[0]
        for axes, (name, found) in zip(both, networks.items(), strict=True):
            none, *rows = found["rows"]
            axes.axhline(100 * none["accuracy"], color="0.4", linestyle=":", linewidth=1.2, label="no flips")
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
        both[-1].legend(loc="lower left", fontsize=8, labelspacing=0.2)
    return pictures.svg(draw, 3.4)


def faults_picture(data) -> str:
    """The picture, or how to get it."""
    if faults_svg(data) is None:
        return f"No accuracies measured yet: `leadlag bench {_GROUP}`, then `python docs/figures.py`."
    return "![Test accuracy against flips per million words, a network each](faults.svg)"


def summary(data) -> list[tuple[str, str, str]]:
    """Rows of README's table: figure, value, group."""
    rows = []
    for name, found in _networks(data).items():
        shown = [row for row in found["rows"] if row["flips_per_million"] in (0, 100, 10_000)]
        rates = ", ".join(f"{row['flips_per_million']:,}" for row in shown)
        rows.append((f"{name}, accuracy at {rates} flips per million words",
                     ", ".join(f"{row['accuracy']:.1%}" for row in shown), _GROUP))
        of_circuit = [row for row in found["rows"] if "found" in row]
        reported, trials, flips = (sum(row[key] for row in of_circuit) for key in ("reported", "trials", "injected"))
        rows.append((f"{name}, draws of flips in its circuit's parameters that the scrubber reported",
                     f"{reported} of {trials}, {flips:,} bits", _GROUP))
    return rows
