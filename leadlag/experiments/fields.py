"""A sweep over fields of a recipe: every combination of values, each from several seeds, on held-out samples.

Runs are those of leadlag.experiments.sweep: done once, side by side, taken up again where they ended. A choice among
settings goes by samples that are held out of the training set; the test set is not read.
"""

import csv
import io
import math
import tomllib
from hashlib import sha256
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np

from golden import systems
from golden.checks import check, listed
from golden.data.dataset import DataSet
from golden.files import check_writable, to_json, write_together
from golden.recipe import Recipe, as_toml, load
from leadlag import flow, training
from leadlag.experiments import sweep
from leadlag.provenance import provenance
from leadlag.report import pictures
from leadlag.terminal import Table

SEEDS = (0, 1, 2)
LIMIT = 10_000          # runs of a study
FILES = ("table.json", "table.md", "table.csv", "fields.svg")
#: a row of the picture, in inches
ROW = 0.32


# ---- what there is to do

def values(text: str) -> tuple[str, list]:
    """Name and values of FIELD=VALUE,VALUE,...; values as TOML has them, or texts without quotation marks."""
    name, equals, listing = text.partition("=")
    name = name.strip()
    check(equals == "=" and name != "" and listing.strip() != "", f"--vary takes FIELD=VALUE,VALUE,..., not {text!r}")
    try:
        found = tomllib.loads(f"values = [{listing}]")["values"]
    except (ValueError, RecursionError):
        found = [entry.strip() for entry in listing.split(",") if entry.strip()]
    check(bool(found) and not any(isinstance(value, dict) for value in found),
          f"--vary {name}: values are numbers, texts or lists, not {listing.strip()!r}")
    return name, list({as_toml(value): value for value in found}.values())


def plan(origin: str, vary, seeds=SEEDS, changes=()) -> list[dict]:
    """Every run of a study: the fields that vary, its seed, and all fields of its recipe.

    origin, changes: as golden.recipe.load has them; vary: texts FIELD=VALUE,VALUE,... ValueError, one line, where a
    field is none or a recipe is not in order: before anything is trained.
    """
    axes = dict(map(values, vary))
    check(len(axes) == len(vary), f"a field varies once: {listed([text.partition('=')[0] for text in vary])}")
    twice = [name for name in axes if name in {change.partition("=")[0].strip() for change in changes}]
    check(not twice, f"{listed(twice)} varies: no --set for it")
    check(bool(axes), "a study needs a field that varies: --vary FIELD=VALUE,VALUE,...")
    check(bool(seeds), "a study needs a seed")
    sweep.check_seeds(seeds)
    seeds = list(dict.fromkeys(seeds))
    runs = math.prod(map(len, axes.values())) * len(seeds)
    check(runs <= LIMIT, f"{runs:,} runs: a study has {LIMIT:,} at most")
    found, kept = [], {}
    for chosen in product(*axes.values()):
        varied = {name: as_toml(value) for name, value in zip(axes, chosen, strict=True)}
        # what varies first: a preset changes other fields
        recipe = load(origin, [*(f"{name}={value}" for name, value in varied.items()), *changes])
        key = (recipe.data, recipe.read_as, recipe.answer_from)
        if key not in kept:
            data = recipe.found()
            kept[key] = data, _hash(data)
        recipe.check_data(kept[key][0])
        found += [{"study": "recipe", "kind": recipe.kind, "varied": varied, "recipe": recipe.settings(),
                   "data": kept[key][1], "seed": seed} for seed in seeds]
    return found


def _hash(data: DataSet) -> str:
    """Of the samples that are learnt and those that judge: a file that has changed is another study."""
    found = sha256()
    for split in ("fit", "held_out"):
        for part in data.load(split):
            found.update(b"" if part is None else np.ascontiguousarray(part).tobytes())
    return found.hexdigest()[:16]


def name_of(settings: dict) -> str:
    """File name of a run: the network, its seed and a hash of all settings."""
    return f"{settings['recipe']['name']}-s{settings['seed']}-{sweep.digest(settings)}"


def work(settings: dict) -> dict:
    """One training, in whatever process; an error names it. A data file has to be at the same path there."""
    try:
        recipe = _recipe(settings)
        data = recipe.found()
        check(_hash(data) == settings["data"], f"{recipe.data} holds other samples than where the study was started")
        figures = training.fitted(recipe, data, seed=settings["seed"], hold_out=True).training
        measure = next(name for name in ("held_out_accuracy", "held_out_mse") if name in figures)
        return {"measure": measure, "value": float(figures[measure])}
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RuntimeError(f"run {name_of(settings)}: {reason}") from error


def _recipe(settings: dict) -> Recipe:
    return import_module(f"golden.{settings['kind']}.recipe").RECIPE(**settings["recipe"])


def _trusted(settings: dict, result: dict) -> bool:
    """Whether a result on disk can be one; a training that ended in no number has null."""
    value = result["value"]
    return result["measure"] in ("held_out_accuracy", "held_out_mse") and (
        value is None or isinstance(value, int | float) and math.isfinite(value))


# ---- doing it

def study(origin: str, vary, *, seeds=SEEDS, changes=(), jobs: int = 1, scheduler: str | None = None,
          out: Path | None = None, console=None) -> dict:
    """Train every combination of values from every seed; return and write the table.

    ValueError, one line, for a field, a value, a recipe or data that are wrong; RuntimeError where torch is missing or
    a training fails; OSError where `out` cannot be written.
    """
    runs = plan(origin, vary, seeds, changes)
    systems.trainer(runs[0]["kind"])        # torch
    out = Path(out or flow.BUILD / "study" / f"recipe-{runs[0]['recipe']['name']}")
    check_writable(out / FILES[0])
    results = sweep.complete([(run,) for run in runs], out, work=work, name_of=name_of, trusted=_trusted, jobs=jobs,
                             scheduler=scheduler, console=console, title="fields x seeds")
    table = tabulate(origin, runs, results)
    table["files"] = [str(path) for path in write(table, out)]
    return table


# ---- what came out

def tabulate(origin: str, runs: list[dict], results: dict) -> dict:
    """A row a combination: values of the fields, the measure of every seed, mean, spread (largest - smallest).

    `best` is the row with the best mean; None where no mean is a number.
    """
    rows = {}
    for run in runs:
        row = rows.setdefault(tuple(run["varied"].values()), {"varied": run["varied"], "seeds": [], "values": []})
        value = results[name_of(run)]["value"]
        row["seeds"].append(run["seed"])
        row["values"].append(math.nan if value is None else value)
    rows = [row | {"mean": float(np.mean(row["values"])), "spread": float(np.ptp(row["values"]))}
            for row in rows.values()]
    measure = results[name_of(runs[0])]["measure"]
    numbers = [row for row in rows if math.isfinite(row["mean"])]
    best = (max if measure.endswith("accuracy") else min)(numbers, key=lambda row: row["mean"], default=None)
    return {"study": "recipe", "recipe": origin, "measure": measure, "fields": list(rows[0]["varied"]), "rows": rows,
            "best": best and best["varied"], "about": provenance()}


def cells(table: dict) -> list[list[str]]:
    """Heading and rows as text."""
    return [[*table["fields"], table["measure"]],
            *([*row["varied"].values(), f"{row['mean']:.4f} ± {row['spread'] / 2:.4f}"] for row in table["rows"])]


def console_table(table: dict) -> Table:
    """The table for a terminal."""
    head, *rows = cells(table)
    seeds = len(table["rows"][0]["seeds"])
    shown = Table(*head, title=f"{table['recipe']}: mean ± half of the spread over {seeds} seed{'s' * (seeds > 1)}")
    for row in rows:
        shown.add_row(*row)
    return shown


def write(table: dict, out: Path) -> list[Path]:
    """Write FILES."""
    lines = io.StringIO()
    sheet = csv.writer(lines, lineterminator="\n")
    sheet.writerow([*table["fields"], "seed", table["measure"]])
    for row in table["rows"]:
        sheet.writerows([*row["varied"].values(), seed, repr(value)]
                        for seed, value in zip(row["seeds"], row["values"], strict=True))
    texts = (to_json(sweep.strict(table), indent=1) + "\n", sweep.markdown(cells(table)), lines.getvalue(),
             fields_svg(table))
    files = {out / name: text for name, text in zip(FILES, texts, strict=True)}
    write_together(files)
    return list(files)


def fields_svg(table: dict) -> str:
    """A row a combination, a dot a seed, a diamond their mean."""
    rows = table["rows"]

    def draw(figure):
        axes = figure.subplots()
        places = range(len(rows))[::-1]
        for place, row in zip(places, rows, strict=True):
            axes.scatter(row["values"], [place] * len(row["values"]), s=18, color=pictures.ACCENT, alpha=0.6,
                         linewidths=0)
            axes.scatter([row["mean"]], [place], s=45, color=pictures.SECOND, marker="D")
        names = ["\n".join(f"{name} = {value}" for name, value in row["varied"].items()) for row in rows]
        axes.set_yticks(list(places), names)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel(f"{table['measure'].replace('_', ' ')}: a dot a seed, a diamond the mean")
        axes.grid(axis="x")
    lines = len(rows) * max(1, 0.6 * len(table["fields"]))
    return pictures.svg(draw, 1 + ROW * lines)
