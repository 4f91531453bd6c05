"""Tables and pictures of docs/prospective.md, from the groups pm.* of docs/bench.json."""

import textwrap
from collections import defaultdict

import numpy as np

from golden.tasks import late as task
from leadlag.experiments import study
from rtl.rate.schedule import cost_line, cycles_per_tick

#: conditions of the video rows in the order of their columns
CONDITIONS = ("undelayed", "delayed", "linear_PM", "NLMS_PM", "copy_last", "mean_frame")
KINDS = ("none", "linear", "second_order", "nlms")


def predictors(table, data) -> str:
    """What each predictor of the task takes at 2 ms."""
    rows = []
    for kind in KINDS[1:]:
        net = task.late_fourier(40, kind)
        rows.append((study.TITLES[kind], cost_line(net.layers[-1].way),
                     f"{cycles_per_tick(net)}, {cycles_per_tick(net, learning=True)}"))
    return table(("predictor", "of the messages of 30 neurons, 40 ticks late", "cycles a tick, learning"), rows)


def late_fourier(table, data) -> str:
    """Error by delay and predictor, in integers and in float; what the circuit did."""
    group = data.get("pm.fourier", {})
    if "rows" not in group:
        return "Not measured yet: `leadlag bench pm.fourier`."
    parts = []
    for name, title in (("rows", "in integers"), ("rows_float", "in float")):
        if name in group:
            found = _table_of(group[name])
            base = found[0.0]["none"]
            head = (f"delay (ms), {title}", *(study.TITLES[kind] for kind in found[max(found)]))
            parts.append(table(head, [(f"{delay:g}", *(_cell(cell, base) for cell in cells.values()))
                                      for delay, cells in found.items()]))
    equal = "; ".join(f"{study.TITLES[kind]} {ticks:,} ticks, error {group['rtl_mse'][kind]:.4f}"
                      for kind, ticks in group["rtl_equal_ticks"].items())
    text = (f"The circuit over whole learning runs at {group['rtl_delay_ms']:g} ms, start 0: {equal}; every word equal "
            f"to golden (`leadlag bench pm.fourier`).")
    return "\n\n".join([*parts, textwrap.fill(text, 120)])


def summary(data):
    """Rows of the table in README: what, value, group."""
    fourier, circuit, boards = (data.get(f"pm.{name}", {}).get("rows")
                                for name in ("fourier", "hardware", "two_boards"))
    if fourier:
        found = _table_of(fourier)
        base = np.mean(found[0.0]["none"])
        for delay in sorted(found)[-2:]:
            means = {kind: np.mean(values) for kind, values in found[delay].items()}
            best = min(means, key=means.get)
            value = (f"{means['none']:.4f} ({means['none'] / base:.1f}x); predicted ({study.TITLES[best]}) "
                     f"{means[best]:.4f} ({means[best] / base:.2f}x)")
            yield f"Fourier synthesis, messages {delay:g} ms late: squared error (not late: {base:.4f})", value, \
                "pm.fourier"
    if circuit:
        rows = {(row["ticks"], row["predictor"]): row for row in circuit}
        none, late, predicted = rows[0, "none"], rows[4, "none"], rows[4, "linear"]
        value = (f"{_pace(none)}, {_pace(predicted)}; {np.mean(none['mse']):.4f}, "
                 f"{np.mean(late['mse']):.4f}, predicted {np.mean(predicted['mse']):.4f}")
        yield (f"ulx3s-85f: ticks a second at {data['pm.hardware']['clock_mhz']:g} MHz (at Fmax) without and with four "
               f"ticks between the layers; squared error"), value, "pm.hardware"
    if boards:
        yield ("two boards, output words equal to golden, all rows", f"{sum(row['equal'] for row in boards):,}",
               "pm.two_boards")


def _table_of(rows) -> dict:
    """Errors of all seeds by delay and predictor."""
    found = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row["delay_ms"]][row["predictor"]].append(np.nan if row["mse"] is None else row["mse"])
    return {delay: dict(cells) for delay, cells in sorted(found.items())}


def _cell(values, base) -> str:
    mean = np.mean(values)
    return f"{mean:.4f} ± {np.ptp(values) / 2:.4f} ({mean / np.mean(base):.2f}x)"


def late_hardware(table, data) -> str:
    """Routed designs with extra ticks between the layers."""
    group = data.get("pm.hardware", {})
    if "rows" not in group:
        return "Not measured yet: `leadlag bench pm.hardware`."
    rows = [(str(row["ticks"]), study.TITLES[row["predictor"]], f"{row['fmax_mhz']:.1f}",
             f"{row['cycles_per_tick']}, {row['learn_cycles_per_tick']}", _pace(row),
             f"{row['lut4']:,}, {row['ff']:,}, {row['dsp']}, {row['bram']}",
             f"{np.mean(row['mse']):.4f} ± {np.ptp(row['mse']) / 2:.4f}") for row in group["rows"]]
    return table(("extra ticks", "predictor", "Fmax (MHz)", "cycles a tick, learning",
                  f"ticks a second at {group['clock_mhz']:g} MHz (at Fmax)", "LUT4, FF, DSP, block RAM",
                  "squared error"), rows)


def _pace(row) -> str:
    return f"{row['ticks_per_s']:,.0f} ({row['ticks_per_s_at_fmax']:,.0f})"


def two_boards(table, data) -> str:
    """Error against link latency."""
    group = data.get("pm.two_boards", {})
    if "rows" not in group:
        return "Not measured yet: `leadlag bench pm.two_boards`."
    rows = [(str(row["latency_ticks"]), f"{row['link_cycles']:,}", study.TITLES[row["predictor"]],
             f"{row['mse']:.4f}", f"{row['cycles_per_tick']:.1f}", f"{row['one_tick_longer']:.1f}",
             f"{row['equal']:,}") for row in group["rows"]]
    return table(("delay (ticks)", "cable (cycles)", "predictor", "squared error", "cycles a tick",
                  "with a cable a tick longer", "words equal to golden"), rows)


def late_video(table, data) -> str:
    """Error by roll-out step of each video."""
    group, parts = data.get("pm.video", {}), []
    for video in dict.fromkeys(row["video"] for row in group.get("rows", ())):
        found = _video(group, video)
        steps = range(len(found[CONDITIONS[0]]))
        rows = [(str(step + 1), *(f"{found[name][step]:.2f}" for name in CONDITIONS)) for step in steps]
        parts.append(table((f"step, {video}", *(name.replace("_", " ") for name in CONDITIONS)), rows))
    return "\n\n".join(parts) or "Not measured yet: `leadlag bench pm.video`."


def _video(group, video) -> dict[str, np.ndarray]:
    """1000 x error by condition, mean of the seeds."""
    found = defaultdict(lambda: defaultdict(list))
    for row in group["rows"]:
        if row["video"] == video:
            found[row["condition"]][row["step"]].append(1000 * row["mse"])
    return {name: np.array([np.mean(steps[step]) for step in sorted(steps)]) for name, steps in found.items()}


def delays_svg(data) -> str | None:
    """The picture of late_fourier, in integers."""
    group = data.get("pm.fourier", {})
    if "rows" not in group:
        return None
    found = _table_of(group["rows"])
    kinds = list(found[max(found)])
    rows = [{"delay_ms": delay, "cells": {kind: {"mse": cells.get(kind, cells["none"]) if delay == 0 else cells[kind],
                                                 "mean": float(np.mean(cells.get(kind, cells["none"])))}
                                          for kind in kinds}} for delay, cells in found.items()]
    return study.delays_svg({"rows": rows})


def video_svg(data) -> str | None:
    """The picture of the first video."""
    from leadlag.report.pictures import lines_svg
    group = data.get("pm.video", {})
    if "rows" not in group:
        return None
    found = _video(group, group["rows"][0]["video"])
    return lines_svg({"x": "roll-out step", "y": "mean squared error x 1000", "series": [
        {"name": name.replace("_", " "), "values": found[name].tolist(), "dashed": name in CONDITIONS[4:]}
        for name in CONDITIONS]})
