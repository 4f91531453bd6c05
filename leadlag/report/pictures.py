"""The pictures of a report, each a function that returns SVG text: the same text for the same figures.

Every picture is drawn for a page that is wide, and for a narrow one: text has the same size in both, so that a phone
does not shrink it. Colours differ for every kind of colour vision (tests/leadlag/test_pages.py), and lines by marker
and dashes as well. `leadlag.report.page` says what the figures are.
"""

import io

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

INK, MUTED, GRID, FILL = "#1f2933", "#5b6673", "#dde2e8", "#eef1f4"
ACCENT, SECOND, WARN = "#0072b2", "#d55e00", "#a3123a"
#: colour, marker and dashes of the lines of a picture; lines that lie on one another show through the dashes
STYLES = (("#0072b2", "o", "-"), ("#d55e00", "s", (0, (5, 2))), ("#009e73", "^", (0, (1, 1.2))),
          ("#aa3377", "D", (0, (6, 2, 1, 2))), ("#1f2933", "v", (0, (3, 1))))
#: of baselines, which have no markers
DASHES = ((0, (4, 3)), (0, (1, 2)), (0, (7, 3)))
#: layers up to this size are drawn as lines, larger ones as a map of neurons over time
LINES = 12
#: inches: at 72 units of text size each
WIDE, NARROW = 8.6, 4.1
_RC = {"font.family": "DejaVu Sans", "font.size": 9, "svg.fonttype": "path", "svg.hashsalt": "leadlag",
       "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK, "xtick.color": MUTED,
       "ytick.color": MUTED, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8,
       "axes.axisbelow": True, "grid.color": GRID, "grid.linewidth": 0.8, "legend.frameon": False}
_UNITS = {"comb": "LUTs and carries", "ff": "Flip-flops", "dsp": "Multipliers", "bram": "Block RAMs",
          "spram": "Large RAMs"}


def ladder_svg(ladder, narrow: bool = False) -> str:
    """Accuracy per rung, or error, a dot each: bars from zero would hide what quantisation costs."""
    errors = "error" in ladder[0]

    def draw(figure):
        axes = figure.subplots()
        values = [rung["error"] if errors else 100 * rung["accuracy"] for rung in ladder]
        rows = range(len(ladder))[::-1]
        low, high = min(values), max(values)
        pad = max(0.1 * high if errors else 1.0, (0.6 if narrow else 0.35) * (high - low))
        axes.plot(values, rows, color=GRID, linewidth=2, zorder=1)
        # the float model is no word of ours: another colour and another shape
        axes.scatter(values[:1], rows[:1], s=70, color=SECOND, marker="D", zorder=2)
        axes.scatter(values[1:], rows[1:], s=70, color=ACCENT, zorder=2)
        for row, value, rung in zip(rows, values, ladder, strict=True):
            n = rung.get("samples")
            said = f"{value:.4g}" if errors else f"{value:.2f} %"
            axes.annotate(said + (f"  of {n:,}" if n and not narrow else ""), (value, row), (0, 9),
                          textcoords="offset points", ha="center", fontsize=9,
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
        axes.set_yticks(list(rows), [rung["rung"].replace(" (", "\n(") if narrow else rung["rung"] for rung in ladder],
                        color=INK, fontsize=9 if narrow else 10)
        axes.set_ylim(-0.5, len(ladder) - 0.35)
        axes.set_xlim(max(low - pad, 0 if errors else -2), high + pad if errors else min(high + pad, 100 + pad / 2))
        axes.set_xlabel("mean squared error" if errors else "accuracy (%)")
        axes.xaxis.set_major_locator(MaxNLocator(3 if narrow else 6))
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    return svg(draw, 0.9 + 0.55 * len(ladder), narrow)


def rates_svg(rates, narrow: bool = False) -> str:
    """The messages of every layer over time: small layers as lines, others as a map with zero in white.

    The line of neuron `answer` of the last layer stands out; without one, that which ends highest.
    """
    layers = [(layer["name"], np.asarray(layer["values"], dtype=float)) for layer in rates["layers"]]
    heights = [1.0 if values.shape[1] > LINES else 0.8 for _, values in layers]

    def draw(figure):
        grid = figure.subplots(len(layers), 2, sharex="col", squeeze=False,
                               gridspec_kw={"height_ratios": heights, "wspace": 0.03,
                                            "width_ratios": [28 if narrow else 60, 1]})
        for n, ((name, values), (axes, side)) in enumerate(zip(layers, grid, strict=True)):
            ticks, neurons = values.shape
            end = ticks * rates.get("dt", 1)
            side.set_axis_off()
            if neurons > LINES:
                limit = np.abs(values).max() or 1.0
                image = axes.imshow(values.T, aspect="auto", cmap="PuOr_r", vmin=-limit, vmax=limit,
                                    interpolation="nearest", extent=(0, end, neurons, 0))
                side.set_axis_on()
                bar = figure.colorbar(image, cax=side, ticks=[-limit, 0, limit])
                bar.ax.set_yticklabels([f"{-limit:.2g}", "0", f"{limit:.2g}"], fontsize=8.5)
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
            if narrow:
                axes.set_title(f"{name}, {neurons}" if neurons > 1 else name, loc="left", fontsize=9, pad=3)
            else:
                axes.set_ylabel(f"{name}\n({neurons})", rotation=0, ha="right", va="center", labelpad=12)
                axes.yaxis.set_label_coords(-0.08, 0.5)
        grid[-1][0].set_xlabel(f"time ({rates.get('unit', 'ticks')})")
    return svg(draw, 0.6 + (1.15 if narrow else 0.95) * sum(heights), narrow)


def relearn_svg(relearn, narrow: bool = False) -> str:
    """Accuracy against the number of samples since the output layer was destroyed; the first point is at none."""
    curve = relearn["curve"]

    def draw(figure):
        axes = figure.subplots()
        # samples double from point to point
        values, board = [100 * accuracy for _, accuracy in curve], relearn["board"]
        axes.axhline(100 * relearn["before"], color=MUTED, linewidth=1, linestyle=DASHES[0])
        axes.annotate("before", (0, 100 * relearn["before"]), (0, -11), textcoords="offset points", color=MUTED)
        axes.plot(range(len(curve)), values, color=ACCENT, linewidth=1.8, zorder=1)
        for marker, colour, label, on_board in (("s", SECOND, "learnt on the board", True),
                                                ("o", ACCENT, "by golden alone", False)):
            points = [n for n, (samples, _) in enumerate(curve) if (0 < board >= samples) == on_board]
            if not points:
                continue
            axes.scatter(points, [values[n] for n in points], s=34, color=colour, marker=marker, label=label, zorder=2)
        for n, value in enumerate(values):
            axes.annotate(f"{value:.0f}", (n, value), (0, 7 if value < 80 else -14), textcoords="offset points",
                          ha="center", fontsize=9)
        axes.legend(loc="lower right")
        axes.set_xticks(range(len(curve)), [f"{samples:,}" for samples, _ in curve], rotation=60 if narrow else 0)
        axes.set_ylim(0, 108)
        axes.set_xlabel("sequences learnt since then" if narrow else
                        "sequences learnt since the output layer was destroyed")
        axes.set_ylabel("test accuracy (%)")
        axes.grid(axis="y")
    return svg(draw, 3.2 if narrow else 3.0, narrow)


def lines_svg(lines, narrow: bool = False) -> str:
    """One line a series, its name at the end; dashed ones are baselines.

    Names that would meet are moved apart, and a thin line leads from the end of a line to its name.
    """
    series = lines["series"]
    solid = [entry["name"] for entry in series if not entry.get("dashed")]
    dashed = [entry["name"] for entry in series if entry.get("dashed")]

    def draw(figure):
        axes = figure.subplots()
        top = max(max(entry["values"]) for entry in series)
        ends = []
        # the first line on top, as its dots are full
        for n, entry in enumerate(series):
            steps, plain = range(1, len(entry["values"]) + 1), entry.get("dashed", False)
            if plain:
                colour, style = MUTED, {"linestyle": DASHES[dashed.index(entry["name"]) % len(DASHES)]}
            else:
                colour, marker, dashes = STYLES[solid.index(entry["name"]) % len(STYLES)]
                style = {"marker": marker, "linestyle": dashes, "markersize": 5, "markerfacecolor": "white"}
            axes.plot(steps, entry["values"], color=colour, linewidth=1.2 if plain else 1.6, zorder=9 - n / 10, **style)
            ends.append((entry["values"][-1], entry["name"], colour))
        ends.sort(key=lambda end: end[0])
        last = max(len(entry["values"]) for entry in series)
        axes.set(xlabel=lines["x"], ylabel=lines["y"], ylim=(0, 1.05 * top))
        _names(axes, last, ends, apart([end[0] for end in ends], 0.085 * top))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
    return svg(draw, 3.2, narrow)


def _names(axes, x, ends, places):
    """Names (value, text, colour) at the right end of lines, at `places`."""
    for (value, name, colour), place in zip(ends, places, strict=True):
        axes.annotate(name, (x, value), (20, 0) if place == value else (20, _points(axes, place - value)),
                      textcoords="offset points", va="center", color=colour, annotation_clip=False,
                      arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.7, "relpos": (0, 0.5),
                                  "shrinkA": 1, "shrinkB": 4})


def _points(axes, height) -> float:
    """A height in data of a linear axis, in points, before the layout is known."""
    low, high = axes.get_ylim()
    return height / (high - low) * 72 * 0.78 * axes.figure.get_figheight()


def apart(values, gap) -> list[float]:
    """Ascending values as places that are at least `gap` apart: those that meet spread around their mean."""
    groups = []                 # [mean, count]: neighbours that touch are one group
    for value in values:
        groups.append([value, 1])
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < gap * (groups[-1][1] + groups[-2][1]) / 2:
            (a, n), (b, m) = groups[-2:]
            groups[-2:] = [[(a * n + b * m) / (n + m), n + m]]
    return [mean + gap * (k - (count - 1) / 2) for mean, count in groups for k in range(count)]


def events_svg(events, narrow: bool = False) -> str:
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
        axes.xaxis.set_major_locator(MaxNLocator(5 if narrow else 9))
        axes.grid(axis="y")
    return svg(draw, 3.2, narrow)


def strip_svg(strip, narrow: bool = False) -> str:
    """Rows of small pictures, a column a step, drawn without smoothing; groups side by side, or one below another."""
    groups = [[np.asarray(row["frames"], dtype=float) for row in group] for group in strip["groups"]]
    columns, high, wide = groups[0][0].shape
    names = [row["name"] for row in strip["groups"][0]]
    # text needs some room, however many columns there are
    every = -(-columns * (1 if narrow else len(groups)) // 24)
    parts = [[group] for group in groups] if narrow else [groups]
    images = [_mosaic(part, high, wide) for part in parts]
    low, top = min(map(np.nanmin, images)), max(map(np.nanmax, images))
    span = columns * (wide + 1) + wide // 2

    def draw(figure):
        for axes, image, part in zip(figure.subplots(len(parts), squeeze=False)[:, 0], images, parts, strict=True):
            axes.imshow(image, cmap="gray", vmin=low, vmax=top, interpolation="nearest")
            axes.set_yticks([r * (high + 1) + high / 2 for r in range(len(names))], names, color=INK)
            shown = [(g * span + c * (wide + 1) + wide / 2, strip["columns"][c])
                     for g in range(len(part)) for c in range(0, columns, every)]
            axes.set_xticks([place for place, _ in shown], [text for _, text in shown])
            axes.tick_params(length=0)
            axes.xaxis.tick_top()
            axes.set_anchor("E")        # the room that the shape of the image leaves is the names'
            for side in axes.spines.values():
                side.set_visible(False)
    room = (NARROW if narrow else WIDE) - 1.0
    return svg(draw, sum(0.35 + max(room * image.shape[0] / image.shape[1], 0.17 * len(names)) for image in images),
               narrow)


def _mosaic(groups, high, wide) -> np.ndarray:
    """Frames of groups (rows of columns) in one image with white gaps, NaN."""
    columns = len(groups[0][0])
    span = columns * (wide + 1) + wide // 2
    image = np.full((len(groups[0]) * (high + 1), len(groups) * span - wide // 2), np.nan)
    for g, group in enumerate(groups):
        for r, row in enumerate(group):
            for c, frame in enumerate(row):
                top, left = r * (high + 1), g * span + c * (wide + 1)
                image[top:top + high, left:left + wide] = frame
    return image


def utilisation_svg(build, narrow: bool = False) -> str:
    """What the routed design takes of the part."""
    names = [name for name in ("dsp", "bram", "spram", "comb", "ff") if build["available"].get(name)]

    def draw(figure):
        axes = figure.subplots()
        rows = range(len(names))[::-1]
        for row, name in zip(rows, names, strict=True):
            used, available = build[name], build["available"][name]
            share, height = used / available, 0.3 if narrow else 0.5
            axes.barh(row, 1, height=height, color=FILL)
            axes.barh(row, share, height=height, color=ACCENT)
            if narrow:      # name and numbers above the bar
                axes.text(0, row + 0.22, _UNITS[name], va="bottom")
                axes.text(1, row + 0.22, f"{used:,} of {available:,}, {share:.1%}", va="bottom", ha="right")
            else:
                axes.text(1.02, row, f"{used:,} of {available:,}", va="center", fontsize=9)
                axes.text(1.36, row, f"{share:.1%}", va="center", ha="right", fontsize=9, color=MUTED)
        axes.set_yticks([] if narrow else list(rows), [] if narrow else [_UNITS[name] for name in names], color=INK,
                        fontsize=10)
        axes.set_xlim(0, 1 if narrow else 1.37)
        axes.set_ylim(-0.4, len(names) - (0.35 if narrow else 0.6))
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.tick_params(axis="y", length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
    return svg(draw, 0.55 + (0.5 if narrow else 0.42) * len(names), narrow)


def critical_path_svg(build, narrow: bool = False) -> str:
    """The slowest path as one bar of cells and wires against the period of the clock."""
    path, period = build["critical_path"], 1e3 / build["clock_mhz"]
    total = sum(part["delay_ns"] for part in path)

    def draw(figure):
        axes = figure.subplots()
        left = 0.0
        for part in path:
            wire = part["kind"] == "routing"
            # wires are hatched, too
            axes.barh(0, part["delay_ns"], left=left, height=0.5, color="#f5c9a8" if wire else ACCENT,
                      edgecolor=SECOND if wire else "white", linewidth=0.6, hatch="////" if wire else None)
            left += part["delay_ns"]
        axes.axvline(period, color=INK if total <= period else WARN, linewidth=1.5, linestyle=(0, (4, 2)))
        axes.annotate(f"period {period:.2f} ns", (period, 0.42), (5 if period < 0.8 * total else -5, 0),
                      textcoords="offset points", ha="left" if period < 0.8 * total else "right", fontsize=9)
        wires = sum(part["delay_ns"] for part in path if part["kind"] == "routing")
        axes.set_title(f"{total:.2f} ns: cells {total - wires:.2f}, wires {wires:.2f}", loc="left", fontsize=10)
        handles = [mpl.patches.Patch(color=ACCENT, label="cells"),
                   mpl.patches.Patch(facecolor="#f5c9a8", edgecolor=SECOND, hatch="////", label="wires")]
        place = {"loc": "upper right", "bbox_to_anchor": (1, -0.35)} if narrow else \
            {"loc": "lower right", "bbox_to_anchor": (1, 0.98)}
        axes.legend(handles=handles, ncols=2, borderaxespad=0, **place)
        axes.set(xlim=(0, 1.04 * max(period, total)), ylim=(-0.35, 0.62), yticks=[], xlabel="ns")
        axes.spines["left"].set_visible(False)
    return svg(draw, 1.9 if narrow else 1.5, narrow)


def lanes_svg(build, narrow: bool = False) -> str:
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
    return svg(draw, 1.9, narrow)


def svg(draw, height: float, narrow: bool = False) -> str:
    """What `draw(figure)` puts on a figure of this height in inches, as SVG."""
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(NARROW if narrow else WIDE, height), layout="constrained")
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": "leadlag"})
    # drop the XML head; the size is the page's choice
    return text.getvalue()[text.getvalue().index("<svg"):]
