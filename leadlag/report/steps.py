"""Pictures of networks that answer at every step: accuracy against time, exits, examples, what was left out, lanes.

As those of leadlag.report.pictures: SVG text, the same for the same figures, wide or narrow. `leadlag.report.page` says
what the figures are.
"""

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from leadlag.report.pictures import ACCENT, FILL, GRID, INK, MUTED, SECOND, STYLES, svg


def anytime_svg(anytime, narrow: bool = False) -> str:
    """Accuracy of all samples at each step, and of exits at many thresholds against their mean step."""
    accuracy = [100 * value for value in anytime["accuracy"]]

    def draw(figure):
        axes = figure.subplots()
        for n, entry in enumerate(anytime["curves"], 1):
            time, values = np.array(entry["points"]).T
            colour, _, dashes = STYLES[n % len(STYLES)]
            axes.plot(time, 100 * values, color=colour, linestyle=dashes, linewidth=1.8, label=entry["name"], zorder=3)
        colour, marker, _ = STYLES[0]
        axes.plot(range(len(accuracy)), accuracy, color=colour, marker=marker, linewidth=0, markersize=7, zorder=2,
                  label="every sample at this step")
        for step, value in enumerate(accuracy):
            axes.annotate(f"{value:.1f}", (step, value), (0, -15), textcoords="offset points", ha="center", fontsize=9,
                          zorder=5, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8})
        every = [*accuracy, *(100 * value for entry in anytime["curves"] for _, value in entry["points"])]
        low, high = min(every), max(every)
        axes.set(xlabel="step, or mean step of the exits" if narrow else
                 "step, or mean step in which a sample is answered", ylabel="accuracy (%)",
                 ylim=(low - 0.22 * max(high - low, 1), high + 0.08 * max(high - low, 1)),
                 xlim=(-0.3, len(accuracy) - 0.7))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="lower right")
        axes.grid(axis="y")
    return svg(draw, 3.3, narrow)


def exits_svg(exits, narrow: bool = False) -> str:
    """How many samples are answered in each step, right and wrong."""
    right, wrong = np.array(exits["right"]), np.array(exits["wrong"])

    def draw(figure):
        axes = figure.subplots()
        steps = np.arange(len(right))
        axes.bar(steps, right, color=ACCENT, width=0.65, label="right")
        axes.bar(steps, wrong, bottom=right, color="#f5c9a8", edgecolor=SECOND, hatch="////", linewidth=0.6, width=0.65,
                 label="wrong")
        for step, (good, bad) in enumerate(zip(right, wrong, strict=True)):
            if good + bad:
                axes.annotate(f"{good + bad:,}" if narrow else f"{good + bad:,}: {good / (good + bad):.0%}",
                              (step, good + bad), (0, 3), textcoords="offset points", ha="center", fontsize=9)
        axes.set(xlabel="step of the exit", ylabel="samples", ylim=(0, 1.15 * (right + wrong).max()))
        axes.set_xticks(steps)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.legend(loc="upper right")
        axes.grid(axis="y")
    return svg(draw, 2.4, narrow)


def early_svg(early, narrow: bool = False) -> str:
    """Samples with what is answered at each step; a ring around the exit, steps behind it in grey."""
    groups = early["groups"]
    parts = [[group] for group in groups] if narrow else [groups]
    most, steps = max(len(group["rows"]) for group in groups), len(groups[0]["rows"][0]["answers"])

    def draw(figure):
        grid = figure.subplots(len(parts), len(parts[0]), squeeze=False)
        for axes, group in zip(grid.ravel(), groups, strict=True):
            axes.set_title(group["name"][0].upper() + group["name"][1:], loc="left", fontsize=10)
            for row, entry in enumerate(group["rows"]):
                _example(axes, row, entry)
            for step in range(steps):
                axes.text(1.9 + step, -0.62, f"t = {step}" if steps < 5 else f"{step}", ha="center", fontsize=9,
                          color=MUTED)
            axes.text(1.05, -0.62, "label", ha="center", fontsize=9, color=MUTED)
            axes.set(xlim=(-0.5, 2.0 + max(steps, 5) - 0.5), ylim=(most - 0.45, -0.85), xticks=[], yticks=[])
            for side in axes.spines.values():
                side.set_visible(False)
    return svg(draw, 0.5 + len(parts) * 0.62 * (most + 0.5), narrow)


def _example(axes, row: int, entry) -> None:
    image = np.asarray(entry["image"])
    grey = image.shape[-1] == 1
    axes.imshow(image[..., 0] if grey else image.astype(np.uint8), cmap="gray" if grey else None, vmin=0,
                vmax=image.max() if grey else None, extent=(-0.42, 0.42, row + 0.42, row - 0.42), aspect="auto",
                interpolation="nearest")
    axes.text(1.05, row, str(entry["label"]), ha="center", va="center", fontsize=10, color=INK)
    for step, answer in enumerate(entry["answers"]):
        right, there = answer == entry["label"], step <= entry["exit"]
        axes.text(1.9 + step, row, str(answer), ha="center", va="center", fontsize=10, zorder=3,
                  color=MUTED if not there else ACCENT if right else SECOND,
                  fontweight="bold" if there and right else "normal")
        if step == entry["exit"]:
            axes.scatter([1.9 + step], [row], s=210, facecolor="white", linewidth=1.5, zorder=2, marker="o",
                         edgecolor=ACCENT if right else SECOND)


def skipped_svg(skipped, narrow: bool = False) -> str:
    """Blocks by steps: the share of samples for which a block worked."""
    worked = np.array(skipped["worked"])
    blocks, steps = worked.shape

    def draw(figure):
        axes = figure.subplots()
        for block in range(blocks):
            for step in range(steps):
                share = worked[block, step]
                axes.add_patch(mpl.patches.Rectangle(
                    (step - 0.46, block - 0.42), 0.92, 0.84, linewidth=0.8, edgecolor=GRID if share == 0 else ACCENT,
                    facecolor=mpl.colors.to_rgba(ACCENT, 0.15 + 0.85 * share) if share else FILL,
                    hatch=None if share else "....", zorder=1))
                if 0 < share < 1:
                    axes.text(step, block, f"{share:.0%}", ha="center", va="center", fontsize=9,
                              color="white" if share > 0.5 else INK)
        axes.set(xlim=(-0.6, steps - 0.4), ylim=(blocks - 0.4, -0.6), xlabel="step")
        axes.set_xticks(range(steps))
        axes.set_yticks(range(blocks), [f"block {n}" for n in range(1, blocks + 1)], color=INK)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        patches = [mpl.patches.Patch(facecolor=ACCENT, edgecolor=ACCENT, label="works"),
                   mpl.patches.Patch(facecolor=FILL, edgecolor=GRID, hatch="....", label="left out")]
        axes.legend(handles=patches, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.3)
    return svg(draw, 1.0 + 0.28 * blocks, narrow)


def engines_svg(use, narrow: bool = False) -> str:
    """Lane-cycles of each engine in a step: on real taps, on none, at rest."""
    engines, cycles = use["engines"], use["cycles_per_step"]

    def draw(figure):
        axes = figure.subplots()
        rows = range(len(engines))[::-1]
        for row, entry in zip(rows, engines, strict=True):
            busy = entry["products"] / (entry["multipliers"] * cycles)
            there, height = entry["cycles"] / cycles, 0.34 if narrow else 0.56
            axes.barh(row, max(1, there), height=height, color=FILL)
            axes.barh(row, there, height=height, color="#f5c9a8", edgecolor=SECOND, hatch="////", linewidth=0.6)
            axes.barh(row, busy, height=height, color=ACCENT)
            lanes = f"{entry['multipliers']} multiplier{'s' * (entry['multipliers'] > 1)}"
            said = f"{busy:.0%}, {lanes}, {entry['cycles']:,} cycles"
            if narrow:
                axes.text(0, row + 0.22, f"{entry['name']}: {said}", va="bottom", fontsize=9)
            else:
                axes.text(1.02, row, said, va="center", fontsize=9)
        axes.set_yticks([] if narrow else list(rows), [] if narrow else [entry["name"] for entry in engines], color=INK,
                        fontsize=10)
        axes.set(xlim=(0, 1 if narrow else 1.5), ylim=(-0.45, len(engines) - (0.35 if narrow else 0.5)))
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.tick_params(axis="y", length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        handles = [mpl.patches.Patch(color=ACCENT, label="real taps"),
                   mpl.patches.Patch(facecolor="#f5c9a8", edgecolor=SECOND, hatch="////",
                                     label="no channel" if narrow else "a lane without a channel, or that waits"),
                   mpl.patches.Patch(color=FILL, label="waits" if narrow else "waits for the next step")]
        axes.legend(handles=handles, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.3 / (0.42 * len(engines))),
                    borderaxespad=0.5, columnspacing=1.2)
    return svg(draw, 0.95 + (0.5 if narrow else 0.4) * len(engines), narrow)
