"""The command `leadlag verilog`."""

import shlex

import click

from leadlag import flow
from leadlag.options import FOLDER, SEED, Command, board_option, command_line, only_for
from leadlag.results import answer, answers
from leadlag.terminal import Table, notes, status
from leadlag.verilog.pins import TEMPLATES


@click.command(cls=Command, short_help="A unit or a network as Verilog, with a test bench.")
@click.argument("network", metavar="[NET]", required=False)
@click.option("--unit", help="The unit to write; with NET the core of the network, or NetworkTop: that behind a bus.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="A parameter of the unit, see --list.")
@board_option
@click.option("--seed", default=0, show_default=True, type=SEED, help="Of the vectors.")
@click.option("--name", help="Name of the module; that of the unit or network by default.")
@click.option("--out", type=FOLDER, help="build/verilog/NAME by default.")
@click.option("--template", type=click.Choice(list(TEMPLATES)), help="NET behind a serial line, too, with constraints "
              "for a board of another vendor: a template, which nobody has built.")
@click.option("--check", "run_it", is_flag=True, help="Run the test bench in Icarus.")
@click.option("--list", "list_units", is_flag=True, help="Print the parameters of all units, or of UNIT, and end.")
@answers
def verilog(network, unit, settings, board, seed, name, out, template, run_it, list_units):
    """Write Verilog 2005 with a self-checking test bench and golden vectors, for a project of your own."""
    from leadlag.verilog import check, command
    only_for("writing", not list_units, "network", "settings", "board", "seed", "name", "out", "template", "run_it",
             given="--list")
    if list_units:
        rows = command.listing(unit)
        answer({"parameters": rows}, Table.of(rows), then=f"leadlag verilog --unit {unit or 'LeadLag'} --check")
        return
    only_for("networks", network is not None, "board", given="--unit alone, which takes --set board=BOARD")
    only_for("networks", network is not None, "template", given="--unit alone")
    if network is not None:
        settings = (*settings, f"network={network}", f"board={board}")
    with status(notes, "verilog"):
        written = command.emit(unit or command.unit_for(network, board), settings, name=name, out=out, seed=seed,
                               template=template, command=command_line())
    verdict = None
    if run_it:
        with status(notes, f"{written.name} in Icarus"):
            verdict = check.passes(written.folder, written.name)
        if not verdict.passed:
            raise flow.CheckFailed(f"{written.folder}: {verdict.said}")
    answer(written._asdict() | {"check": verdict and verdict.said},
           f"{written.unit} as module {written.name} in {written.folder}: {', '.join(p.name for p in written.files)}",
           *([verdict.said] if verdict else []), then=None if run_it else
           f"cd {shlex.quote(str(written.folder))} && iverilog -g2005 -o {written.name}.vvp {written.name}.v "
           f"{written.name}_tb.v && vvp {written.name}.vvp")
