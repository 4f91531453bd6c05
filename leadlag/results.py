"""How a command answers: for people or, with --json, for programs; quiet or in detail; and what to do next.

A command is decorated with `answers`, and ends with `answer(data, *shown)`:

    @cli.command()
    @answers
    def boards():
        rows = [{"board": name, "part": board.part.name} for name, board in BOARDS.items()]
        answer({"boards": rows}, Table.of(rows), then="leadlag build NET --board BOARD")
"""

import shlex

import click

from golden import programs
from golden.files import to_json
from leadlag.terminal import Table, console, notes, text_of


def answers(command):
    """The options --json, -q and -v of a command that ends with `answer`."""
    for option in (
            click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=_verbose,
                         help="Say which programs are started."),
            click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=_quiet,
                         help="Neither progress nor hints: the results alone."),
            click.option("--json", "as_json", is_flag=True, expose_value=False, callback=_json,
                         help="Print the results as JSON, for programs.")):
        command = option(command)
    return command


def as_json() -> bool:
    """Whether the command under way prints JSON."""
    return bool(click.get_current_context().meta.get("leadlag.json"))


def answer(data: dict, *shown, then: str | None = None) -> None:
    """Print results on standard output.

    data: plain values, numpy's, and paths, which --json prints; shown: lines and tables for people; then: the command
    that comes next, said on standard error to whoever reads on a terminal or in a log, not with -q or --json.
    """
    if as_json():
        print(to_json(data, indent=1))
        return
    for entry in shown:
        console.print(entry)
    if then is not None:
        notes.print(f"next: {then}")


def figures_table(title: str, figures: dict) -> Table:
    """Figures by name, one a row."""
    table = Table("figure", "value", title=title)
    for name, value in figures.items():
        table.add_row(name, text_of(value))
    return table


def _json(ctx, param, value):
    ctx.meta["leadlag.json"] = value


def _quiet(ctx, param, value):
    if value:
        ctx.call_on_close(lambda: setattr(notes, "quiet", False))
        notes.quiet = True


def _verbose(ctx, param, value):
    if value:
        ctx.call_on_close(lambda: setattr(programs, "announce", None))
        programs.announce = lambda command: notes.print(f"$ {shlex.join(map(str, command))}")
