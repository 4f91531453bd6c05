"""The commands that say what there is: `leadlag boards`, `networks`, `datasets`."""

import click

from golden.data import sets
from leadlag import flow
from leadlag.options import Command
from leadlag.results import answer, answers
from leadlag.terminal import Table


@click.command(cls=Command)
@answers
def boards():
    """The boards that networks can be built for."""
    rows = [{"board": name, "title": board.title, "part": board.part.name, "LUT4": board.part.lut4,
             "block RAM": board.part.bram, "multipliers": board.part.dsp, "clock MHz": board.clock_mhz}
            for name, board in flow.BOARDS.items()]
    short = [{"board": row["board"], "part": row["part"], "LUT4": row["LUT4"], "BRAM": row["block RAM"],
              "DSP": row["multipliers"], "MHz": row["clock MHz"]} for row in rows]      # so that 80 columns hold it
    answer({"boards": rows}, Table.of(short), then="leadlag build NET --board BOARD")


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
