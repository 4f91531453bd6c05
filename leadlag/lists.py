"""The commands that say what there is: `leadlag boards`, `networks`, `datasets`."""

import click

from boards.base import check_fits
from golden.data import sets
from leadlag import flow
from leadlag.options import Command, only_for
from leadlag.results import answer, answers
from leadlag.terminal import Table, notes, status


@click.command(cls=Command)
@click.option("--for", "network", metavar="NET", help="Say for each whether it holds this network, or what is short.")
@click.option("--board", "names", metavar="NAME|FILE.py", multiple=True, help="With --for: these boards alone.")
@click.option("--with", "form", type=click.Choice(flow.FORMS), help="With --for: boards that also do this.")
@answers
def boards(network, names, form):
    """The boards that networks can be built for."""
    only_for("a network (--for NET)", network is not None, "names", "form", given="the list of all boards")
    if network is not None:
        return _fitting(network, names or tuple(flow.BOARDS), form or "")
    rows = [{"board": name, "title": board.title, "part": board.part.name, "LUT4": board.part.lut4,
             "block RAM": board.part.bram, "multipliers": board.part.dsp, "clock MHz": board.clock_mhz}
            for name, board in flow.BOARDS.items()]
    short = [{"board": row["board"], "part": row["part"], "LUT4": row["LUT4"], "BRAM": row["block RAM"],
              "DSP": row["multipliers"], "MHz": row["clock MHz"]} for row in rows]      # so that 80 columns hold it
    return answer({"boards": rows}, Table.of(short), then="leadlag build NET --board BOARD")


def _fitting(network: str, names, form: str) -> None:
    fixed, rows = flow.device(network).net if network.endswith(".json") else None, []
    real = flow.find(network) if fixed is None else None
    for name in names:
        flow.board(name)        # what is none is an error, what cannot do as `form` says a row
    for name in (name + form for name in names):
        with status(notes, f"{network} on {name}"):
            try:
                board = flow.board(name)
                net = flow.case_of(real, name).net if fixed is None else fixed
                check_fits(net, board)
                rows.append({"board": name, "fits": True, "lanes": net.lanes, "short": None})
            except ValueError as why:
                rows.append({"board": name, "fits": False, "lanes": None, "short": " ".join(str(why).split())})
    shown = [{"board": row["board"], "lanes": row["lanes"] or "-", "what is short": row["short"] or ""} for row in rows]
    fits = [row["board"] for row in rows if row["fits"]]
    lines = [] if fixed is None else [
        f"its {fixed.lanes} lanes stand in {network}: leadlag adapt, or quantize, with --board BOARD writes others"]
    answer({"boards": rows}, Table.of(shown), *lines,
           then=f"leadlag build {network} --board {fits[0] if len(fits) == 1 else 'BOARD'}" if fits else None)


@click.command(cls=Command)
@answers
def networks():
    """The trained networks that ship with the package."""
    rows = []
    for name in flow.zoo():
        real = flow.find(name)
        net = real.describe()
        sizes = "-".join(map(str, (net.inputs, *(layer.outputs for layer in net.layers))))
        rows.append({"network": name, "data": str(real.training.get("data", "")).partition(" ")[0],
                     "what it is": f"{net.kind}, {sizes}, {net.size}"})
    answer({"networks": rows}, Table.of(rows), then="leadlag evaluate NET")


@click.command(cls=Command)
@answers
def datasets():
    """The data sets that networks are trained and tested on."""
    rows = [{"data set": entry.name, "what it is": entry.doc} for entry in sets.SETS.values()]
    answer({"datasets": rows}, Table.of(rows), then="leadlag evaluate NET --data NAME")
