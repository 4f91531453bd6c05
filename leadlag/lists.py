"""The commands that say what there is: `leadlag boards`, `networks`, `datasets`."""

import click

from boards.room import check_fits
from golden.data import sets
from leadlag import flow
from leadlag.options import Command, only_for
from leadlag.results import answer, answers
from leadlag.terminal import Table, notes, status


@click.command(cls=Command)
@click.option("--for", "network", metavar="NET", help="Say for each whether it holds this network, or what is short.")
@click.option("--board", "names", metavar="NAME|FILE.py", multiple=True,
              help="These boards alone; without --for: which networks of the zoo they hold.")
@click.option("--with", "form", type=click.Choice(flow.FORMS), help="With --for or --board: boards that also do this.")
@answers
def boards(network, names, form):
    """The boards that networks can be built for."""
    only_for("a network (--for NET) or a board (--board BOARD)", network is not None or names, "form",
             given="the list of all boards")
    if network is not None or names:
        return _fitting([network] if network else list(flow.zoo()), names or tuple(flow.BOARDS), form or "")
    rows = [{"board": name, "title": board.title, "part": board.part.name, "LUT4": board.part.lut4,
             "block RAM": board.part.bram, "multipliers": board.part.dsp, "clock MHz": board.clock_mhz}
            for name, board in flow.BOARDS.items()]
    short = [{"board": row["board"], "part": row["part"], "LUT4": row["LUT4"], "BRAM": row["block RAM"],
              "DSP": row["multipliers"], "MHz": row["clock MHz"]} for row in rows]      # so that 80 columns hold it
    return answer({"boards": rows}, Table.of(short), then="leadlag build NET --board BOARD")


def _fitting(networks, names, form: str) -> None:
    """Every network on every board: its lanes, or what is short."""
    for name in names:
        flow.board(name)        # what is none is an error, what cannot do as `form` says a row
    rows, lines = [], []
    for network in networks:
        fixed = flow.device(network).net if network.endswith(".json") else None
        real = flow.find(network) if fixed is None else None
        if fixed is not None:
            lines.append(f"its {fixed.lanes} lanes stand in the file: leadlag quantize {network} --board BOARD writes "
                         "others")
        for name in (name + form for name in names):
            with status(notes, f"{network} on {name}"):
                rows.append({"network": network, "board": name} | _fit(real, fixed, name))
    # what all rows have in common is no column
    columns = ["network"] * (len(networks) > 1) + ["board"] * (len(names) > 1 or len(networks) == 1)
    shown = [{name: row[name] for name in columns} | {"lanes": row["lanes"] or "-", "what is short": row["short"] or ""}
             for row in rows]
    fits = {name: sorted({row[name] for row in rows if row["fits"]}) for name in ("network", "board")}
    network, board = (found[0] if len(found) == 1 else other for found, other in zip(fits.values(), ("NET", "BOARD"),
                                                                                     strict=True))
    answer({"boards": rows}, Table.of(shown), *lines, then=f"leadlag build {network} --board {board}" if fits["board"]
           else None)


def _fit(real, fixed, name: str) -> dict:
    try:
        board = flow.board(name)
        net = flow.case_of(real, name).net if fixed is None else fixed
        try:
            check_fits(net, board)
        except ValueError:
            if fixed is None:
                raise
            # the file is for another board: what is short is short with this one's lanes, too, or nothing is
            net = board.fold(fixed.unfolded())
            check_fits(net, board)
            return {"fits": False, "lanes": None, "short": f"its lanes: {fixed.lanes}, where {net.lanes} would fit"}
        return {"fits": True, "lanes": net.lanes, "short": None}
    except ValueError as why:
        return {"fits": False, "lanes": None, "short": " ".join(str(why).split())}


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
