"""A report of one network: report.html, self-contained, and report.json with the same figures.

`figures` is a dict; what is absent is left out of the page:

    title, note       heading; a remark that is shown in a band above everything else
    ladder            [{"rung", "accuracy", "samples", "remark"}], float first; accuracies are fractions
    rates             {"label", "dt", "unit", "layers": [{"name", "values": (ticks, neurons)}]}: one sample over time
    relearn           {"curve": [[samples, accuracy]], "before", "board"}: an output layer that was destroyed learns
                      again; accuracy before that, and samples that were learnt on the board
    lines             {"x", "y", "label", "series": [{"name", "values", "dashed"}]}: values at 1, 2, ...
    events            {"spikes", "cycles": a number an image; "slope", "r2": of the line through zero; "label"}
    strip             {"label", "columns": [text], "groups": [[{"name", "frames": (columns, height, width)}]]}: rows of
                      small grey pictures, groups side by side with the same rows; white is the largest value
    build             report.json of boards.build
    table             [(name, value, unit, remark)]
    commands          [shell lines];  seeds, tools {name: value};  commit, date

Each picture is a function that returns SVG text, the same text for the same figures, so that docs can commit it.
"""

import base64
import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from golden.files import to_json, write_together

INK, MUTED, GRID, FILL = "#1f2933", "#66717e", "#dde2e8", "#eef1f4"
ACCENT, SECOND, WARN = "#0b7285", "#e8890c", "#c92a2a"
SECTIONS = ("title", "note", "ladder", "rates", "relearn", "lines", "events", "strip", "build", "table", "commands",
            "seeds", "tools", "commit", "date")
#: layers up to this size are drawn as lines, larger ones as a map of neurons over time
LINES = 12
_RC = {"font.family": "DejaVu Sans", "font.size": 9, "svg.fonttype": "path", "svg.hashsalt": "leadlag",
       "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK, "xtick.color": MUTED,
       "ytick.color": MUTED, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8,
       "axes.axisbelow": True, "grid.color": GRID, "grid.linewidth": 0.8, "legend.frameon": False}
_UNITS = {"comb": "LUTs and carries", "ff": "Flip-flops", "dsp": "Multipliers", "bram": "Block RAMs"}
_WIDTH = 8.6


def ladder_svg(ladder) -> str:
    """Accuracy per rung, a dot each: bars from zero would hide what quantisation costs."""
    def draw(figure):
        axes = figure.subplots()
        values = [100 * rung["accuracy"] for rung in ladder]
        rows = range(len(ladder))[::-1]
        low, high = min(values), max(values)
        pad = max(1.0, 0.35 * (high - low))
        axes.plot(values, rows, color=GRID, linewidth=2, zorder=1)
        axes.scatter(values, rows, s=70, color=[SECOND, *[ACCENT] * (len(ladder) - 1)], zorder=2)
        for row, value, rung in zip(rows, values, ladder, strict=True):
            n = rung.get("samples")
            axes.annotate(f"{value:.2f} %" + (f"  of {n:,}" if n else ""), (value, row), (0, 9),
                          textcoords="offset points", ha="center", fontsize=9,
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
        axes.set_yticks(list(rows), [rung["rung"] for rung in ladder], color=INK, fontsize=10)
        axes.set_ylim(-0.5, len(ladder) - 0.35)
        axes.set_xlim(max(low - pad, -2), min(high + pad, 100 + pad / 2))
        axes.set_xlabel("accuracy (%)")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    return _svg(draw, 0.9 + 0.55 * len(ladder))


def rates_svg(rates) -> str:
    """The messages of every layer over time: small layers as lines, others as a map with zero in white.

    The line of neuron `answer` of the last layer stands out; without one, that which ends highest.
    """
    layers = [(layer["name"], np.asarray(layer["values"], dtype=float)) for layer in rates["layers"]]
    heights = [1.0 if values.shape[1] > LINES else 0.8 for _, values in layers]

    def draw(figure):
        grid = figure.subplots(len(layers), 2, sharex="col", squeeze=False,
                               gridspec_kw={"height_ratios": heights, "width_ratios": [60, 1], "wspace": 0.03})
        for n, ((name, values), (axes, side)) in enumerate(zip(layers, grid, strict=True)):
            ticks, neurons = values.shape
            end = ticks * rates.get("dt", 1)
            side.set_axis_off()
            if neurons > LINES:
                limit = np.abs(values).max() or 1.0
                image = axes.imshow(values.T, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit,
                                    interpolation="nearest", extent=(0, end, neurons, 0))
                side.set_axis_on()
                bar = figure.colorbar(image, cax=side, ticks=[-limit, 0, limit])
                bar.ax.set_yticklabels([f"{-limit:.2g}", "0", f"{limit:.2g}"], fontsize=7)
                bar.outline.set_visible(False)
                axes.set_yticks([0.5, neurons - 0.5], ["0", str(neurons - 1)])
            else:
                time = (np.arange(ticks) + 0.5) * rates.get("dt", 1)
                best = int(values[-1].argmax())
                if n == len(layers) - 1:
                    best = rates.get("answer", best)
                for k in range(neurons):
                    strong = k == best and neurons > 1
                    axes.plot(time, values[:, k], linewidth=1.8 if strong or neurons == 1 else 0.8, zorder=2 + strong,
                              color=SECOND if strong else ACCENT, alpha=1 if strong or neurons == 1 else 0.45)
                if neurons > 1:
                    axes.annotate(str(best), (time[-1], values[-1, best]), (4, 0), textcoords="offset points",
                                  va="center", color=SECOND, fontsize=9, fontweight="bold", annotation_clip=False)
                axes.set_xlim(0, end)
                axes.yaxis.set_major_locator(MaxNLocator(3))
                axes.grid(axis="y")
            axes.set_ylabel(f"{name}\n({neurons})", rotation=0, ha="right", va="center", labelpad=12)
            axes.yaxis.set_label_coords(-0.08, 0.5)
        grid[-1][0].set_xlabel(f"time ({rates.get('unit', 'ticks')})")
    return _svg(draw, 0.6 + 0.95 * sum(heights))


def relearn_svg(relearn) -> str:
    """Accuracy against the number of samples since the output layer was destroyed; the first point is at none."""
    curve = relearn["curve"]

    def draw(figure):
        axes = figure.subplots()
        x = range(len(curve))       # samples double from point to point
        values = [100 * accuracy for _, accuracy in curve]
        axes.axhline(100 * relearn["before"], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate("before", (0, 100 * relearn["before"]), (0, -11), textcoords="offset points", color=MUTED)
        board = [n for n, (samples, _) in enumerate(curve) if samples <= relearn["board"]]
        axes.plot(x, values, color=ACCENT, linewidth=1.8, zorder=1)
        axes.scatter(x, values, s=34, zorder=2,
                     color=[SECOND if n in board else ACCENT for n in range(len(curve))])
        for n, value in zip(x, values, strict=True):
            axes.annotate(f"{value:.0f}", (n, value), (0, 7 if value < 80 else -14), textcoords="offset points",
                          ha="center", fontsize=8)
        axes.scatter([], [], s=34, color=SECOND, label="learnt on the board")
        axes.scatter([], [], s=34, color=ACCENT, label="by golden alone")
        axes.legend(loc="lower right")
        axes.set_xticks(list(x), [f"{samples:,}" for samples, _ in curve])
        axes.set_ylim(0, 108)
        axes.set_xlabel("sequences learnt since the output layer was destroyed")
        axes.set_ylabel("test accuracy (%)")
        axes.grid(axis="y")
    return _svg(draw, 3.0)


def lines_svg(lines) -> str:
    """One line a series, its name at the end, names that would meet are moved apart; dashed ones are baselines."""
    series = lines["series"]
    colours = [ACCENT, WARN, SECOND, "#2b8a3e", "#7048e8"]

    def draw(figure):
        axes = figure.subplots()
        top = max(max(entry["values"]) for entry in series)
        solid = [entry["name"] for entry in series if not entry.get("dashed")]
        ordered = sorted(series, key=lambda entry: entry["values"][-1])
        places = _apart([entry["values"][-1] for entry in ordered], 0.075 * top)
        for entry, place in zip(ordered, places, strict=True):
            values, dashed = entry["values"], entry.get("dashed", False)
            colour = MUTED if dashed else colours[solid.index(entry["name"]) % len(colours)]
            axes.plot(range(1, len(values) + 1), values, color=colour, linewidth=1.2 if dashed else 1.8,
                      linestyle=(0, (4, 3)) if dashed else "-", marker=None if dashed else "o", markersize=4)
            axes.annotate(entry["name"], (len(values), place), (8, 0), textcoords="offset points", va="center",
                          color=colour, annotation_clip=False)
        axes.set(xlabel=lines["x"], ylabel=lines["y"], ylim=(0, 1.05 * top))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
    return _svg(draw, 3.2)


def _apart(values, gap) -> list[float]:
    """Ascending values as places that are at least `gap` apart: those that meet spread around their mean."""
    groups = []                 # [mean, count]: neighbours that touch are one group
    for value in values:
        groups.append([value, 1])
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < gap * (groups[-1][1] + groups[-2][1]) / 2:
            (a, n), (b, m) = groups[-2:]
            groups[-2:] = [[(a * n + b * m) / (n + m), n + m]]
    return [mean + gap * (k - (count - 1) / 2) for mean, count in groups for k in range(count)]


def events_svg(events) -> str:
    """Cycles of each image against its input spikes, and the line through zero."""
    spikes, cycles = np.asarray(events["spikes"]), np.asarray(events["cycles"])
    # a picture of 10,000 dots would weigh megabytes: every k-th
    step = -(-len(spikes) // 1000)

    def draw(figure):
        axes = figure.subplots()
        end = 1.04 * spikes.max()
        axes.scatter(spikes[::step], cycles[::step], s=7, color=ACCENT, alpha=0.45, linewidths=0)
        axes.plot([0, end], [0, events["slope"] * end], color=SECOND, linewidth=1.8)
        axes.set(xlabel="input spikes of an image", ylabel="clock cycles", xlim=(0, end), ylim=(0, 1.06 * cycles.max()))
        axes.grid(axis="y")
    return _svg(draw, 3.2)


def strip_svg(strip) -> str:
    """Rows of small pictures, a column a step: one image with white gaps, drawn without smoothing."""
    groups = [[np.asarray(row["frames"], dtype=float) for row in group] for group in strip["groups"]]
    columns, high, wide = groups[0][0].shape
    gap, between = 1, wide // 2
    span = columns * (wide + gap) + between
    image = np.full((len(groups[0]) * (high + gap), len(groups) * span - between), np.nan)
    for g, group in enumerate(groups):
        for r, row in enumerate(group):
            for c, frame in enumerate(row):
                top, left = r * (high + gap), g * span + c * (wide + gap)
                image[top:top + high, left:left + wide] = frame

    def draw(figure):
        axes = figure.subplots()
        axes.imshow(image, cmap="gray", vmin=np.nanmin(image), vmax=np.nanmax(image), interpolation="nearest")
        axes.set_yticks([r * (high + gap) + high / 2 for r in range(len(groups[0]))],
                        [row["name"] for row in strip["groups"][0]], color=INK)
        axes.set_xticks([g * span + c * (wide + gap) + wide / 2 for g in range(len(groups)) for c in range(columns)],
                        strip["columns"] * len(groups))
        axes.tick_params(length=0)
        axes.xaxis.tick_top()
        for side in axes.spines.values():
            side.set_visible(False)
    return _svg(draw, 0.3 + (_WIDTH - 1.0) * image.shape[0] / image.shape[1])


def utilisation_svg(build) -> str:
    """What the routed design takes of the part."""
    names = [name for name in ("dsp", "bram", "comb", "ff") if build["available"].get(name)]

    def draw(figure):
        axes = figure.subplots()
        rows = range(len(names))[::-1]
        for row, name in zip(rows, names, strict=True):
            used, available = build[name], build["available"][name]
            share = used / available
            axes.barh(row, 1, height=0.5, color=FILL)
            axes.barh(row, share, height=0.5, color=ACCENT)
            axes.text(1.02, row, f"{used:,} of {available:,}", va="center", fontsize=9)
            axes.text(1.36, row, f"{share:.1%}", va="center", ha="right", fontsize=9, color=MUTED)
        axes.set_yticks(list(rows), [_UNITS[name] for name in names], color=INK, fontsize=10)
        axes.set_xlim(0, 1.37)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.tick_params(axis="y", length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
    return _svg(draw, 0.55 + 0.42 * len(names))


def critical_path_svg(build) -> str:
    """The slowest path as one bar of cells and wires against the period of the clock."""
    path, period = build["critical_path"], 1e3 / build["clock_mhz"]
    total = sum(part["delay_ns"] for part in path)

    def draw(figure):
        axes = figure.subplots()
        left = 0.0
        for part in path:
            wire = part["kind"] == "routing"
            axes.barh(0, part["delay_ns"], left=left, height=0.5, color=SECOND if wire else ACCENT,
                      edgecolor="white", linewidth=0.6)
            left += part["delay_ns"]
        axes.axvline(period, color=INK if total <= period else WARN, linewidth=1.5, linestyle=(0, (4, 2)))
        axes.annotate(f"period {period:.2f} ns", (period, 0.42), (5 if period < 0.8 * total else -5, 0),
                      textcoords="offset points", ha="left" if period < 0.8 * total else "right", fontsize=9)
        wires = sum(part["delay_ns"] for part in path if part["kind"] == "routing")
        axes.set_title(f"{total:.2f} ns: cells {total - wires:.2f}, wires {wires:.2f}", loc="left", fontsize=10)
        handles = [mpl.patches.Patch(color=ACCENT, label="cells"), mpl.patches.Patch(color=SECOND, label="wires")]
        axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, borderaxespad=0)
        axes.set(xlim=(0, 1.04 * max(period, total)), ylim=(-0.35, 0.62), yticks=[], xlabel="ns")
        axes.spines["left"].set_visible(False)
    return _svg(draw, 1.5)


def lanes_svg(build) -> str:
    """Multiply-accumulate lanes of each layer."""
    lanes = build["lanes_by_layer"]

    def draw(figure):
        axes = figure.subplots()
        bars = axes.bar(range(len(lanes)), lanes, color=ACCENT, width=0.6)
        axes.bar_label(bars, padding=2, fontsize=9)
        axes.set_xticks(range(len(lanes)))
        axes.set_xlabel("layer")
        axes.set_ylabel("lanes")
        axes.set_ylim(0, 1.18 * max(lanes))
        axes.set_xlim(-0.6, max(len(lanes), 4) - 0.4)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
    return _svg(draw, 1.9)


def _svg(draw, height: float) -> str:
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": "leadlag"})
    # drop the XML head; the size is the page's choice
    return text.getvalue()[text.getvalue().index("<svg"):]


def write_report(figures: dict, out_dir) -> Path:
    """Write report.html and report.json into `out_dir`, whole or not at all; returns the page's path."""
    out = Path(out_dir)
    page = out / "report.html"
    write_together({out / "report.json": to_json(figures, indent=1) + "\n", page: render(figures)})
    return page


def render(figures: dict) -> str:
    """The page as text; ValueError where a section is unknown."""
    unknown = sorted(set(figures) - set(SECTIONS))
    if unknown or not figures.get("title"):
        raise ValueError(f"a report has a title and the sections {', '.join(SECTIONS[1:])}, "
                         f"not {', '.join(unknown) or 'no title'}")
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True,
                              lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters["picture"] = lambda svg: "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    environment.filters["value"] = _value
    build = figures.get("build")
    pictures = dict.fromkeys(("ladder", "rates", "relearn", "lines", "events", "strip", "utilisation", "lanes", "path"))
    # a rung of a few samples says nothing about accuracy: it is in the table alone
    most = max((rung.get("samples", 0) for rung in figures.get("ladder") or ()), default=0)
    whole = [rung for rung in figures.get("ladder") or () if rung.get("samples", 0) == most]
    if whole:
        pictures["ladder"] = ladder_svg(whole)
    if figures.get("rates"):
        pictures["rates"] = rates_svg(figures["rates"])
    if figures.get("relearn"):
        pictures["relearn"] = relearn_svg(figures["relearn"])
    if figures.get("lines"):
        pictures["lines"] = lines_svg(figures["lines"])
    if figures.get("events"):
        pictures["events"] = events_svg(figures["events"])
    if figures.get("strip"):
        pictures["strip"] = strip_svg(figures["strip"])
    if build:
        pictures |= {"utilisation": utilisation_svg(build), "lanes": lanes_svg(build)}
        if build.get("critical_path"):
            pictures["path"] = critical_path_svg(build)
    return environment.get_template("report.html.j2").render(
        f=dict.fromkeys(SECTIONS) | figures, whole=whole, build=build, pictures=pictures,
        path=_steps(build) if build else [])


def _steps(build) -> list[dict]:
    """Segments for the table, the links of a carry chain as one."""
    steps = []
    for part in build.get("critical_path", []):
        carry = part["from"].rpartition(".")[2] in ("FCI", "FCO") and part["to"].rpartition(".")[2] in ("FCI", "FCO")
        if carry and steps and steps[-1]["kind"] == "carry":
            steps[-1] = steps[-1] | {"delay_ns": steps[-1]["delay_ns"] + part["delay_ns"], "to": part["to"]}
        else:
            steps.append(part | {"kind": "carry" if carry else part["kind"]})
    return steps


def _value(value) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
