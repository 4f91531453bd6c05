"""Late messages and what makes up for them: delays x predictors x seeds, one table and one picture.

Runs are those of leadlag.experiments.sweep: done once, side by side, taken up again where they ended.
"""

import csv
import importlib.util
import io
import math
from pathlib import Path

import numpy as np

from golden.checks import check
from golden.files import to_json, write_together
from golden.rate.plastic import plain
from golden.tasks import late as prospective
from golden.train import pm
from leadlag import flow
from leadlag.experiments import sweep
from leadlag.provenance import provenance
from leadlag.report import pictures
from leadlag.terminal import Table

DELAYS = (0.0, 0.25, 0.5, 1.0, 2.0, 5.0)        # ms
SEEDS = (0, 1, 2)
ARITHMETIC = ("float", "integer")
TARGET_VARIANCE = 1 / 3
#: summed over seeds: predictions that were no message and taps that started again (float); messages, of rates and of
#: errors, that a prediction was replaced in (integers)
COUNTS = ("diverged", "resets", "lost")
FILES = ("table.json", "table.md", "table.csv", "delays.svg")      # in integers, "integer-" in front
#: colour, marker and dashes of a line
STYLES = {"none": (pictures.MUTED, "x", pictures.DASHES[0]), "linear": pictures.STYLES[1],
          "second_order": pictures.STYLES[3], "nlms": pictures.STYLES[0], "neural": pictures.STYLES[2]}
TITLES = {"none": "no predictor", "linear": "linear", "second_order": "second order", "nlms": "NLMS",
          "neural": "neural"}


# ---- what there is to do

def ticks_of(delay_ms: float) -> int:
    """A delay in ticks of pm.DT; ValueError where it is none."""
    check(math.isfinite(delay_ms) and delay_ms >= 0, f"a delay is 0 ms or more, not {delay_ms:g}")
    ticks = round(delay_ms / pm.DT)
    check(abs(ticks * pm.DT - delay_ms) < 1e-9, f"a delay is a multiple of {pm.DT:g} ms, {delay_ms:g} is not")
    check(ticks <= pm.MAX_DELAY, f"a delay is at most {pm.MAX_DELAY} ticks of {pm.DT:g} ms "
                                  f"({pm.MAX_DELAY * pm.DT:g} ms), not {delay_ms:g} ms")
    return ticks


def plan(delays_ms=DELAYS, predictors=pm.KINDS, seeds=SEEDS, arithmetic: str = "float",
         ms: float = pm.MS) -> list[dict]:
    """Settings of every run; no delay, which all the others are compared with, is always there, once a seed."""
    check(bool(delays_ms) and bool(predictors) and bool(seeds), "a study needs a delay, a predictor and a seed")
    for kind in predictors:
        check(kind in pm.KINDS, f"no predictor {kind!r}: there is {', '.join(pm.KINDS)}")
    sweep.check_seeds(seeds)
    check(arithmetic in ARITHMETIC, f"arithmetic is one of {', '.join(ARITHMETIC)}, not {arithmetic!r}")
    check(math.isfinite(ms) and ms >= 10 * pm.DT, f"a run takes {10 * pm.DT:g} ms or more, not {ms:g}")
    found = []
    for ticks in sorted({0, *map(ticks_of, delays_ms)}):
        for kind in dict.fromkeys(predictors) if ticks else ("none",):
            settings = {"study": "delays", "arithmetic": arithmetic, "predictor": kind, "delay": ticks, "ms": float(ms)}
            if arithmetic == "float":
                settings |= {"rate": pm.RATE, "gamma": pm.GAMMA, "of_predictor": pm.settings(kind, ticks)}
            else:
                settings |= _of_integers(kind, ticks)
            found += [settings | {"seed": seed} for seed in dict.fromkeys(seeds)]
    return found


def _of_integers(kind: str, ticks: int) -> dict:
    """What a run in integers depends on; a neural predictor is trained in float."""
    if kind == "neural":
        return {"network": prospective.late_fourier(ticks).fingerprint, "of_predictor": pm.settings(kind, ticks)}
    net = prospective.late_fourier(ticks, kind)
    both = net.layers[-1].predictor, net.layers[-1].error_predictor
    return {"network": net.fingerprint, "of_predictor": [p and plain(p) for p in both]}


def trainings(runs: list[dict]) -> list[dict]:
    """Settings of the neural predictors that runs need: one a delay, for all seeds, in float and in integers."""
    needed = {run["delay"]: run for run in runs if run["predictor"] == "neural"}
    return [{"study": "delays", "training": "neural", "delay": delay, "of_predictor": run["of_predictor"]}
            for delay, run in needed.items()]


def name_of(settings: dict) -> str:
    """File name of a run: readable settings and a hash of all of them."""
    digest = sweep.digest(settings)
    if "training" in settings:
        return f"training-{settings['training']}-d{settings['delay']}-{digest}"
    return (f"{settings['arithmetic']}-{settings['predictor']}-d{settings['delay']}-s{settings['seed']}-{digest}")


def work(settings: dict, trained: list | None = None) -> dict:
    """One run, in whatever process; an error names it."""
    try:
        if "training" in settings:
            from golden.train import pm_neural
            return {"nets": pm_neural.to_lists(pm_neural.train_neural(settings["delay"], **settings["of_predictor"]))}
        kind, delay, seed = settings["predictor"], settings["delay"], settings["seed"]
        if settings["arithmetic"] == "integer":
            found = prospective.late_fourier_mse(delay, kind, seed, ms=settings["ms"], trained=trained)
            return {"mse": found["mse"], "lost": sum(found["lost"])}
        return pm.fourier_run(delay, pm.predictor(kind, delay, trained), seed, ms=settings["ms"],
                              rate=settings["rate"], gamma=settings["gamma"])
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RuntimeError(f"run {name_of(settings)}: {reason}") from error


# ---- doing it

def _trusted(settings: dict, result: dict) -> bool:
    """Whether a result on disk can be one."""
    if "training" in settings:
        return all(np.isfinite(part).all() for net in result["nets"] for part in net)
    mse = result["mse"]
    # a run that ended in no number has null
    return mse is None or isinstance(mse, int | float) and math.isfinite(mse) and mse >= 0


def complete(todo: list[tuple], out: Path, **how) -> dict[str, dict]:
    """Results of `work` by name, as sweep.complete has them."""
    return sweep.complete(todo, out, work=work, name_of=name_of, trusted=_trusted, **how)


def delays(delays_ms=DELAYS, predictors=pm.KINDS, seeds=SEEDS, *, arithmetic: str = "float", ms: float = pm.MS,
           jobs: int = 1, scheduler: str | None = None, out: Path | None = None, console=None) -> dict:
    """Fourier synthesis over late messages: delays x predictors x seeds; returns and writes the table."""
    out = Path(out or flow.BUILD / "study" / "delays")
    runs = plan(delays_ms, predictors, seeds, arithmetic, ms)
    if trainings(runs) and importlib.util.find_spec("torch") is None:
        raise RuntimeError("the neural predictor is trained with torch: pip install 'leadlag[train]', or choose others")
    how = {"jobs": jobs, "scheduler": scheduler, "console": console}
    nets = complete([(settings,) for settings in trainings(runs)], out, title="neural predictors", **how)
    trained = {settings["delay"]: nets[name_of(settings)]["nets"] for settings in trainings(runs)}
    results = complete([(run, trained.get(run["delay"]) if run["predictor"] == "neural" else None) for run in runs],
                       out, title="delays x predictors x seeds", **how)
    table = tabulate(runs, results, list(dict.fromkeys(predictors)))
    table["files"] = [str(path) for path in write(table, out)]
    return table


# ---- what came out

def tabulate(runs: list[dict], results: dict, predictors: list[str]) -> dict:
    """Rows by delay, a cell a predictor: mse of every seed, mean, spread (largest - smallest), ratio to no delay.

    Beside them stand the sums of COUNTS that the runs have.
    """
    def cell(ticks, kind):
        mine = [run for run in runs if run["delay"] == ticks and run["predictor"] == (kind if ticks else "none")]
        found = [results[name_of(run)] for run in mine]
        mse = [math.nan if entry["mse"] is None else entry["mse"] for entry in found]
        return {"seeds": [run["seed"] for run in mine], "mse": mse, "mean": float(np.mean(mse)),
                "spread": float(np.ptp(mse)),
                **{name: sum(entry.get(name, 0) for entry in found) for name in COUNTS if name in found[0]}}
    rows = []
    for ticks in sorted({run["delay"] for run in runs}):
        rows.append({"delay_ms": round(ticks * pm.DT, 6), "delay": ticks,
                     "cells": {kind: cell(ticks, kind) for kind in predictors}})
    reference = next(iter(rows[0]["cells"].values()))["mean"]
    for row in rows:
        for entry in row["cells"].values():
            entry["ratio"] = entry["mean"] / reference
    return {"study": "delays", "arithmetic": runs[0]["arithmetic"], "ms": runs[0]["ms"], "dt_ms": pm.DT,
            "undelayed": reference, "rows": rows, "about": provenance()}


def cells(table: dict) -> list[list[str]]:
    """Heading and rows as text."""
    text = [["delay (ms)", *(TITLES[kind] for kind in table["rows"][0]["cells"])]]
    for row in table["rows"]:
        text.append([f"{row['delay_ms']:g}", *(f"{c['mean']:.4f} ± {c['spread'] / 2:.4f} ({c['ratio']:.2f}x)"
                                               for c in row["cells"].values())])
    return text


def console_table(table: dict) -> Table:
    """The table for a terminal."""
    head, *rows = cells(table)
    shown = Table(*head, title=f"Fourier synthesis, mean squared error without teacher, {table['arithmetic']}: mean ± "
                               "half of the spread over the seeds (ratio to no delay)")
    for row in rows:
        shown.add_row(*row)
    return shown


def write(table: dict, out: Path) -> list[Path]:
    """Write FILES, those of integers beside those of floats."""
    before = "" if table["arithmetic"] == "float" else f"{table['arithmetic']}-"
    lines = io.StringIO()
    sheet = csv.writer(lines, lineterminator="\n")
    sheet.writerow(["delay_ms", "delay_ticks", "predictor", "seed", "mse"])
    for row in table["rows"]:
        for kind, entry in row["cells"].items():
            sheet.writerows([row["delay_ms"], row["delay"], kind, seed, repr(mse)]
                            for seed, mse in zip(entry["seeds"], entry["mse"], strict=True))
    texts = (to_json(sweep.strict(table), indent=1) + "\n", sweep.markdown(cells(table)), lines.getvalue(),
             delays_svg(table))
    files = {out / f"{before}{name}": text for name, text in zip(FILES, texts, strict=True)}
    write_together(files)
    return list(files)


def delays_svg(table: dict) -> str:
    """Error against delay, a line a predictor, a dot a seed; delays stand at equal distances."""
    rows = table["rows"]

    def draw(figure):
        axes = figure.subplots()
        x, ends = range(len(rows)), []
        axes.axhline(TARGET_VARIANCE, color=pictures.MUTED, linewidth=1, linestyle=(0, (1, 2)))
        axes.annotate("variance of the target", (0, TARGET_VARIANCE), (0, 3), textcoords="offset points",
                      color=pictures.MUTED, fontsize=9)
        for kind in rows[0]["cells"]:
            mean = [row["cells"][kind]["mean"] for row in rows]
            colour, marker, dashes = STYLES[kind]
            axes.plot(x, mean, color=colour, linewidth=1.6, linestyle=dashes, marker=marker, markersize=5.5,
                      markerfacecolor="white", zorder=2)
            for n, row in enumerate(rows):
                mse = row["cells"][kind]["mse"]
                axes.scatter([n] * len(mse), mse, s=9, color=colour, alpha=0.6, linewidths=0, zorder=3)
            if math.isfinite(mean[-1]):
                ends.append([math.log(mean[-1]), mean[-1], kind])
        # names at the right end, pushed apart where lines meet; a name is so high of the scale
        values = [v for row in rows for c in row["cells"].values() for v in c["mse"] if math.isfinite(v) and v > 0]
        low, high = 0.8 * min([*values, TARGET_VARIANCE]), 1.25 * max([*values, TARGET_VARIANCE])
        ends.sort()
        places = pictures.apart([end[0] for end in ends], math.log(high / low) * 0.07)
        for (_, value, kind), place in zip(ends, places, strict=True):
            axes.annotate(TITLES[kind], (len(rows) - 1, value), (len(rows) - 0.85, math.exp(place)), textcoords="data",
                          color=STYLES[kind][0], va="center", fontsize=9, annotation_clip=False, arrowprops={
                              "arrowstyle": "-", "color": STYLES[kind][0], "linewidth": 0.7, "relpos": (0, 0.5),
                              "shrinkB": 4})
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if low <= t <= high]
        axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
        axes.minorticks_off()
        axes.set_xlim(-0.1, len(rows) - 0.1)
        axes.set_xticks(list(x), [f"{row['delay_ms']:g}" for row in rows])
        axes.set_xlabel("delay of the messages between the layers (ms)")
        axes.set_ylabel("mean squared error")
        axes.grid(axis="y")
    return pictures.svg(draw, 3.4)
