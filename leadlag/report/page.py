"""A report of one network: report.html, self-contained, and report.json with the same figures.

`figures` is a dict; what is absent is left out of the page:

    title, note       heading; a remark that is shown in a band above everything else
    ladder            [{"rung", "accuracy", "samples", "remark"}], float first; accuracies are fractions
    rates             {"label", "what", "dt", "unit", "layers": [{"name", "values": (ticks, neurons)}]}: one sample over
                      time; what its values are, the messages of layers where nothing is said
    relearn           {"curve": [[samples, accuracy]], "before", "board"}: an output layer that was destroyed learns
                      again; accuracy before that, and samples that were learnt on the board
    lines             {"x", "y", "label", "series": [{"name", "values", "dashed"}]}: values at 1, 2, ...
    events            {"spikes", "cycles": a number an image; "slope", "r2": of the line through zero; "label"}
    strip             {"label", "columns": [text], "groups": [[{"name", "frames": (columns, height, width)}]]}: rows of
                      small grey pictures, groups side by side with the same rows; white is the largest value
    anytime           {"accuracy": one a step, "samples", "curves": [{"name", "points": [[mean step, accuracy]]}]}
    exits             {"sure": threshold, "mean": step, "accuracy", "right", "wrong": samples by step of their answer}
    early             {"sure", "groups": [{"name", "rows": [{"image": (rows, columns, channels), "label", "answers",
                      "exit"}]}]}: samples with what is answered at each step, and in which step for good
    skipped           {"worked": (blocks, steps), shares of samples; "products" a block; "made", "early", "all":
                      products a sample, to the last step, to its exit, without skipping}
    engines           {"cycles_per_step", "engines": [{"name", "multipliers", "cycles", "products"}]}
    build             report.json of boards.build
    table             [(name, value, unit, remark)]
    next              [(text, shell line)]: what a reader might do now
    commands          [shell lines];  seeds, tools {name: value};  commit, date

The pictures (leadlag.report.pictures) are in the page twice: for wide and for narrow windows.
"""

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from golden.files import to_json, write_together
from leadlag.report import pictures, steps
from leadlag.report.play import play_svg

SECTIONS = ("title", "note", "ladder", "rates", "relearn", "lines", "events", "strip", "anytime", "exits",
            "early", "skipped", "engines", "build", "table", "commands", "next", "seeds", "tools", "commit", "date")
#: how a section, or a part of `build`, is drawn
PICTURES = {name: getattr(pictures, f"{name}_svg") for name in (
    "ladder", "rates", "relearn", "lines", "events", "strip", "utilisation", "lanes", "critical_path")} | {
    name: getattr(steps, f"{name}_svg") for name in ("anytime", "exits", "early", "skipped", "engines")} | {
    "play": play_svg}


def write_report(figures: dict, out_dir) -> Path:
    """Write report.html and report.json into `out_dir`, whole or not at all; returns the page's path."""
    out = Path(out_dir)
    page = out / "report.html"
    html = render(figures).encode(errors="backslashreplace")       # of file names whose bytes are no text
    write_together({out / "report.json": to_json(figures, indent=1) + "\n", page: html})
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
    # a rung of a few samples says nothing about accuracy: it is in the table alone
    most = max((rung.get("samples", 0) for rung in figures.get("ladder") or ()), default=0)
    whole = [rung for rung in figures.get("ladder") or () if rung.get("samples", 0) == most]
    shown = figures | {"ladder": whole, "utilisation": build, "play": figures.get("rates"),
                       "engines": figures.get("engines") or (build if build and build.get("engines") else None),
                       "critical_path": build if build and build.get("critical_path") else None}
    shown["lanes"] = None if shown["engines"] else build       # the same, and more
    drawn = {name: (draw(shown[name]), draw(shown[name], narrow=True)) if shown.get(name) else None
             for name, draw in PICTURES.items()}
    return environment.get_template("report.html.j2").render(
        f=dict.fromkeys(SECTIONS) | figures, shown=shown, whole=whole, build=build, pictures=drawn,
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
